//! Why a request was refused, in words for the person who sent it.

use async_graphql::Pos;
use async_graphql::parser;

/// The longest piece of a query that a message repeats, in characters.
const SHOWN_CHARS: usize = 60;

/// What kind of refusal it is; clients branch on its text, so it never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    QueryTooLarge,
    QueryTooDeep,
    QueryTooComplex,
    ParseFailed,
    ValidationFailed,
    InvalidArgument,
}

impl Code {
    pub const ALL: [Self; 6] = [
        Self::QueryTooLarge,
        Self::QueryTooDeep,
        Self::QueryTooComplex,
        Self::ParseFailed,
        Self::ValidationFailed,
        Self::InvalidArgument,
    ];

    /// The value of `extensions.code`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::QueryTooLarge => "QUERY_TOO_LARGE",
            Self::QueryTooDeep => "QUERY_TOO_DEEP",
            Self::QueryTooComplex => "QUERY_TOO_COMPLEX",
            Self::ParseFailed => "PARSE_FAILED",
            Self::ValidationFailed => "VALIDATION_FAILED",
            Self::InvalidArgument => "INVALID_ARGUMENT",
        }
    }
}

/// A refused request: nothing of it was run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Rejection {
    pub code: Code,
    pub message: String,
    /// Where in the query; empty where no single place is at fault.
    pub locations: Vec<Pos>,
}

impl Rejection {
    pub(super) fn new(code: Code, message: String) -> Self {
        Self { code, message, locations: Vec::new() }
    }

    pub(super) fn at(mut self, location: Pos) -> Self {
        self.locations.push(location);
        self
    }

    /// The parser's refusal, without the source line that its own message repeats.
    pub(super) fn from_parser(error: &parser::Error, query: &str) -> Self {
        let (code, message) = match error {
            parser::Error::Syntax { message, start, .. } => {
                (Code::ParseFailed, syntax_message(message, *start, query))
            }
            parser::Error::RecursionLimitExceeded => {
                (Code::QueryTooDeep, "the query nests more than 64 selections".to_owned())
            }
            parser::Error::MultipleOperations { .. } => (
                Code::ValidationFailed,
                "an operation without a name must be the only one in the query".to_owned(),
            ),
            parser::Error::OperationDuplicated { operation, .. } => (
                Code::ValidationFailed,
                format!("operation `{}` is defined twice", shown(operation)),
            ),
            parser::Error::FragmentDuplicated { fragment, .. } => {
                (Code::ValidationFailed, format!("fragment `{}` is defined twice", shown(fragment)))
            }
            parser::Error::MissingOperation => (
                Code::ValidationFailed,
                "the query has no operation; add one such as `query { … }`".to_owned(),
            ),
            parser::Error::MultipleRoots { .. } | parser::Error::MissingQueryRoot { .. } | _ => {
                (Code::ParseFailed, shown(&error.to_string()))
            }
        };
        Self { code, message, locations: error.positions().collect() }
    }
}

/// A piece of the query, cut so that a message stays short.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn syntax_message(message: &str, start: Pos, query: &str) -> String {
    let found = query
        .split('\n')
        .nth(start.line.saturating_sub(1))
        .and_then(|line| line.chars().nth(start.column.saturating_sub(1)))
        .map_or_else(
            || "the end of a line or of the query".to_owned(),
            |found| format!("`{found}`"),
        );
    let expected = message
        .lines()
        .rev()
        .find_map(|line| line.trim_start().strip_prefix("= "))
        .map_or_else(|| readable(message), readable);
    format!("syntax error at {found}: {expected}")
}

/// The names of grammar rules as words; the parser lists at most a few of them.
fn readable(reason: &str) -> String {
    let reason = reason.replace('_', " ").replace("EOI", "the end of the query");
    reason.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(query: &str) -> Rejection {
        Rejection::from_parser(&parser::parse_query(query).unwrap_err(), query)
    }

    #[test]
    fn a_syntax_error_names_its_place_what_is_there_and_what_may_be() {
        let rejection = refused("{\n  songs(first: }) { id }\n}");
        assert_eq!(rejection.code.as_str(), "PARSE_FAILED");
        assert_eq!(rejection.message, "syntax error at `}`: expected value");
        assert_eq!(rejection.locations, [Pos { line: 2, column: 16 }]);
    }

    #[test]
    fn a_message_repeats_only_the_beginning_of_a_long_name() {
        let name = "x".repeat(5_000);
        let rejection = refused(&format!("query {name} {{a}} query {name} {{a}}"));
        assert_eq!(rejection.code, Code::ValidationFailed);
        assert!(rejection.message.len() < 200, "{}", rejection.message);
        assert_eq!(rejection.locations.len(), 2);
    }

    #[test]
    fn a_query_without_an_operation_or_with_an_extra_unnamed_one_is_invalid() {
        assert_eq!(refused("fragment f on Query { a }").code, Code::ValidationFailed);
        assert_eq!(refused("{ a } query b { a }").code, Code::ValidationFailed);
    }
}
