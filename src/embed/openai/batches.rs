//! Cuts texts into requests.

/// What one request may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) texts: usize,
    pub(super) tokens: usize,
}

/// Well below the 2,048 texts that the API allows: requests of this size can run side by side, and less
/// is paid twice when one of them fails. The tokens are the API's own limit.
pub(super) const USUAL: Limits = Limits { texts: 256, tokens: 300_000 };

/// A text that is ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Prepared {
    /// Its place among the texts of the caller.
    pub(super) index: usize,
    pub(super) text: String,
    /// At least as many as the text has.
    pub(super) tokens: usize,
    pub(super) is_truncated: bool,
}

/// Fills requests in order, each as far as the limits allow.
pub(super) fn cut(texts: Vec<Prepared>, limits: Limits) -> Vec<Vec<Prepared>> {
    let mut requests: Vec<Vec<Prepared>> = Vec::new();
    let mut tokens = 0;
    for text in texts {
        let fits = requests.last().is_some_and(|request| {
            request.len() < limits.texts && tokens + text.tokens <= limits.tokens
        });
        if fits {
            tokens += text.tokens;
        } else {
            tokens = text.tokens;
            requests.push(Vec::new());
        }
        if let Some(request) = requests.last_mut() {
            request.push(text);
        }
    }
    requests
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(tokens: &[usize]) -> Vec<Prepared> {
        let text = |(index, tokens): (usize, &usize)| Prepared {
            index,
            text: String::new(),
            tokens: *tokens,
            is_truncated: false,
        };
        tokens.iter().enumerate().map(text).collect()
    }

    #[test]
    fn no_texts_need_no_request() {
        assert!(cut(Vec::new(), USUAL).is_empty());
    }

    proptest! {
        #[test]
        fn no_request_goes_beyond_the_limits_and_no_text_is_lost(
            tokens in prop::collection::vec(1_usize..=100, 0..300),
        ) {
            let limits = Limits { texts: 7, tokens: 300 };
            let requests = cut(texts(&tokens), limits);
            for request in &requests {
                prop_assert!(!request.is_empty() && request.len() <= limits.texts);
                let sum: usize = request.iter().map(|text| text.tokens).sum();
                prop_assert!(sum <= limits.tokens);
            }
            let order: Vec<usize> = requests.iter().flatten().map(|text| text.index).collect();
            prop_assert_eq!(order, (0..tokens.len()).collect::<Vec<_>>());
        }
    }
}
