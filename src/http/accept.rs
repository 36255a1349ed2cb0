//! Which content types are read and written, after the GraphQL over HTTP specification.

use axum::http::{HeaderMap, header};

/// The media type of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// `application/json`: errors of a request come with status 200, as older clients expect.
    Json,
    /// `application/graphql-response+json`: the status says whether the request was run.
    GraphqlResponse,
}

impl Format {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        }
    }

    /// The format that a client prefers among ours; `None` if it accepts neither.
    pub(super) fn negotiate(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(header::ACCEPT).iter().peekable();
        if values.peek().is_none() {
            return Some(Self::Json);
        }
        let mut best: Option<(Self, f32)> = None;
        let ranges =
            values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        for range in ranges.take(50) {
            let (media, quality) = parse_range(range);
            let format = match media.to_ascii_lowercase().as_str() {
                "application/graphql-response+json" => Self::GraphqlResponse,
                "application/json" | "application/*" | "*/*" => Self::Json,
                _ => continue,
            };
            if quality > best.map_or(0.0, |(_, quality)| quality) {
                best = Some((format, quality));
            }
        }
        best.map(|(format, _)| format)
    }
}

fn parse_range(range: &str) -> (&str, f32) {
    let mut parts = range.split(';');
    let media = parts.next().unwrap_or_default().trim();
    let quality = parts.find_map(|part| part.trim().strip_prefix("q="));
    (media, quality.map_or(1.0, |quality| quality.trim().parse().unwrap_or(0.0)))
}

/// Whether a body is JSON in UTF-8, the only thing that is read. Browsers cannot send it across
/// origins without asking first, so no page can make a visitor's browser change anything.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let mut parts = value.split(';').map(|part| part.trim().to_ascii_lowercase());
    let is_json = parts.next().is_some_and(|media| media == "application/json");
    let charset =
        parts.find_map(|part| part.strip_prefix("charset=").map(|name| name.replace('"', "")));
    is_json && charset.is_none_or(|charset| charset == "utf-8" || charset == "utf8")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_first_best_type_wins_and_unknown_ones_are_refused() {
        let negotiate = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            Format::negotiate(&headers)
        };
        assert_eq!(Format::negotiate(&HeaderMap::new()), Some(Format::Json));
        assert_eq!(negotiate("*/*"), Some(Format::Json));
        assert_eq!(
            negotiate("application/json;q=0.5, application/graphql-response+json"),
            Some(Format::GraphqlResponse)
        );
        assert_eq!(negotiate("text/html, application/json;q=0"), None);
    }
}
