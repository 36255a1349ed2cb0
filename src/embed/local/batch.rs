//! Which texts are computed together.

/// How much is computed in one call. A batch is padded to its longest text, and memory grows with its
/// padded tokens times their length.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) texts: usize,
    pub(super) padded_tokens: usize,
}

impl Limits {
    /// For a model whose vectors would depend on the texts beside them.
    pub(super) const ALONE: Self = Self { texts: 1, padded_tokens: usize::MAX };
    /// Beyond it a batch is no faster per text, and search texts would wait longer for its end.
    pub(super) const TOGETHER: Self = Self { texts: 32, padded_tokens: 512 };

    pub(super) fn is_alone(self) -> bool {
        self.texts == 1
    }
}

/// Cuts texts of these lengths, in tokens, into batches of like lengths, the longest first: what needs most
/// memory comes at the start. A text that is too long for the limits is a batch of its own.
pub(super) fn batches(lengths: &[(usize, usize)], limits: Limits) -> Vec<Vec<usize>> {
    let mut sorted = lengths.to_vec();
    sorted.sort_by(|(a, a_length), (b, b_length)| b_length.cmp(a_length).then(a.cmp(b)));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut longest = 0;
    for (index, length) in sorted {
        match batches.last_mut() {
            Some(batch)
                if batch.len() < limits.texts
                    && longest * (batch.len() + 1) <= limits.padded_tokens =>
            {
                batch.push(index);
            }
            Some(_) | None => {
                longest = length;
                batches.push(vec![index]);
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbered(lengths: &[usize]) -> Vec<(usize, usize)> {
        lengths.iter().copied().enumerate().collect()
    }

    #[test]
    fn texts_of_like_lengths_go_together_and_the_longest_go_first() {
        let limits = Limits { texts: 2, padded_tokens: 100 };
        let cut = batches(&numbered(&[3, 40, 5, 41, 4]), limits);
        assert_eq!(cut, [vec![3, 1], vec![2, 4], vec![0]]);
    }

    #[test]
    fn a_batch_ends_where_padding_would_pass_the_limit() {
        let limits = Limits { texts: 16, padded_tokens: 100 };
        let cut = batches(&numbered(&[50, 50, 1, 200]), limits);
        assert_eq!(cut, [vec![3], vec![0, 1], vec![2]]);
    }

    #[test]
    fn alone_is_alone() {
        assert_eq!(batches(&numbered(&[2, 2]), Limits::ALONE), [[0], [1]]);
        assert!(batches(&[], Limits::ALONE).is_empty());
    }

    proptest! {
        #[test]
        fn every_text_is_in_one_batch_and_no_batch_of_several_passes_the_limits(
            lengths in prop::collection::vec(2_usize..600, 0..200),
            texts in 1_usize..40,
            padded_tokens in 1_usize..5_000,
        ) {
            let cut = batches(&numbered(&lengths), Limits { texts, padded_tokens });
            let mut seen: Vec<usize> = cut.iter().flatten().copied().collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
            for batch in cut.iter().filter(|batch| batch.len() > 1) {
                let longest = batch.iter().map(|index| lengths[*index]).max().unwrap_or(0);
                prop_assert!(batch.len() <= texts && longest * batch.len() <= padded_tokens);
            }
        }
    }
}
