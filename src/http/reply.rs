//! Answers that are not data: a status, and the errors as GraphQL writes them.

use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

use crate::graphql::with_code;

/// An answer with one error.
pub(super) fn error(status: StatusCode, code: &str, message: &str) -> Response {
    errors(status, super::accept::Format::Json, &[with_code(code, message)])
}

/// An answer with errors and nothing else: the request was not run.
pub(super) fn errors(
    status: StatusCode,
    format: super::accept::Format,
    errors: &[impl Serialize],
) -> Response {
    let body = json!({ "errors": errors }).to_string();
    (status, [(header::CONTENT_TYPE, format.content_type())], body).into_response()
}

/// Adds a header to an answer.
pub(super) fn with_header(
    mut response: Response,
    name: HeaderName,
    value: &'static str,
) -> Response {
    response.headers_mut().insert(name, axum::http::HeaderValue::from_static(value));
    response
}

/// 401, saying how to authenticate.
pub(super) fn unauthenticated(message: &str) -> Response {
    let response = error(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", message);
    with_header(response, header::WWW_AUTHENTICATE, "Bearer realm=\"kindred\"")
}

/// 503: the server has as much to do as it can.
pub(super) fn overloaded() -> Response {
    let message = "the server is busy; try again in a second";
    let response = error(StatusCode::SERVICE_UNAVAILABLE, "OVERLOADED", message);
    with_header(response, header::RETRY_AFTER, "1")
}

pub(super) async fn no_such_path() -> Response {
    let message = "there is nothing at this path; GraphQL is at `/graphql`";
    error(StatusCode::NOT_FOUND, "NOT_FOUND", message)
}

pub(super) async fn wrong_method() -> Response {
    let message = "this path does not know this method; use GET, or POST for `/graphql`";
    error(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message)
}
