//! Errors as clients see them: a sentence, and a code to branch on.

use async_graphql::{ErrorExtensionValues, ServerError, Value};
use uuid::Uuid;

use crate::model::Clock;
use crate::service::{Code, Error};

pub(super) type Result<T> = std::result::Result<T, Reply>;

/// A service error on its way to the client. It has no `Display`, so that `?` cannot turn a
/// service error into a GraphQL error without its code.
#[derive(Debug)]
pub(super) struct Reply(Error);

impl<E: Into<Error>> From<E> for Reply {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl From<Reply> for async_graphql::Error {
    fn from(Reply(error): Reply) -> Self {
        let code = error.code();
        let mut reply = Self::new(error.to_string());
        let extensions = reply.extensions.get_or_insert_with(ErrorExtensionValues::default);
        extensions.set("code", code.as_str());
        if matches!(
            code,
            Code::Internal | Code::DatabaseUnavailable | Code::EmbedderUnavailable | Code::Timeout
        ) {
            let error_id = Clock.new_id();
            extensions.set("errorId", error_id.to_string());
            log(&error, code, error_id);
        }
        reply
    }
}

fn log(error: &Error, code: Code, error_id: Uuid) {
    let error = error as &dyn std::error::Error;
    if code == Code::Internal {
        tracing::error!(error.id = %error_id, error, "Answered with an internal error {error_id}");
    } else {
        let code = code.as_str();
        tracing::warn!(error.id = %error_id, error, "Answered with {code} {error_id}");
    }
}

/// An error of the request as a whole.
pub fn with_code(code: &str, message: impl Into<String>) -> ServerError {
    let mut error = ServerError::new(message, None);
    error.extensions.get_or_insert_with(ErrorExtensionValues::default).set("code", code);
    error
}

/// The code of an error, if it carries one.
pub fn extensions_code(error: &ServerError) -> Option<&str> {
    let Value::String(code) = error.extensions.as_ref()?.get("code")? else { return None };
    Some(code)
}
