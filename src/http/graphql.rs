//! `/graphql`: checks in the order of what they cost, then runs the request.

use std::time::Instant;

use async_graphql::parser::types::OperationType;
use async_graphql::{Response as Answer, ServerError, Variables};
use async_graphql_axum::GraphQLResponse;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State as Extract};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::accept::{self, Format};
use super::body::{Parameters, QueryString};
use super::{MAX_BODY, State, reply};
use crate::graphql::guard::{self, Accepted, Code};
use crate::graphql::order;
use crate::graphql::{RequestContext, extensions_code, with_code};
use crate::model::Viewer;

/// A body that comes in slower than this is given up.
const BODY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// Errors of one answer; a small query can make the validator write hundreds.
const MAX_ERRORS: usize = 10;

/// Refusals that are about the text of the query, which older clients expect with status 200.
fn is_about_text(code: Code) -> bool {
    matches!(code, Code::ParseFailed | Code::ValidationFailed)
}

pub(super) async fn post(
    Extract(state): Extract<State>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Some(format) = Format::negotiate(&headers) else { return not_acceptable() };
    if !accept::is_json(&headers) {
        let message = "the content type must be `application/json` in UTF-8";
        return reply::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message);
    }
    let viewer = match viewer(&state, &headers) {
        Ok(viewer) => viewer,
        Err(response) => return response,
    };
    let bytes = match read(body).await {
        Ok(bytes) => bytes,
        Err(response) => return response,
    };
    match Parameters::from_json(&bytes) {
        Ok(parameters) => run(&state, format, viewer, parameters, Method::Post).await,
        Err(message) => reply::error(StatusCode::BAD_REQUEST, "BAD_REQUEST", &message),
    }
}

pub(super) async fn get(
    Extract(state): Extract<State>,
    headers: HeaderMap,
    query: Result<Query<QueryString>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let Some(format) = Format::negotiate(&headers) else { return not_acceptable() };
    let viewer = match viewer(&state, &headers) {
        Ok(viewer) => viewer,
        Err(response) => return response,
    };
    let parameters = match query {
        Ok(Query(text)) => Parameters::from_query_string(text),
        Err(_) => Err("the query string cannot be read".to_owned()),
    };
    match parameters {
        Ok(parameters) => run(&state, format, viewer, parameters, Method::Get).await,
        Err(message) => reply::error(StatusCode::BAD_REQUEST, "BAD_REQUEST", &message),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Get,
    Post,
}

fn not_acceptable() -> Response {
    let message = "answers are `application/json` or `application/graphql-response+json`";
    reply::error(StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE", message)
}

/// Who asks, by the one `Authorization` header. Nothing else is looked at, no cookie, no query.
#[expect(clippy::result_large_err, reason = "made at most once per request")]
fn viewer(state: &State, headers: &HeaderMap) -> Result<Viewer, Response> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (first, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(reply::unauthenticated("there is more than one `Authorization` header"));
    }
    let now = state.services.clock().now();
    let viewer = state.tokens.viewer_of_header(first.map(HeaderValue::as_bytes), now);
    viewer.map_err(|error| reply::unauthenticated(&error.to_string()))
}

async fn read(body: Body) -> Result<Bytes, Response> {
    match tokio::time::timeout(BODY_TIMEOUT, axum::body::to_bytes(body, MAX_BODY)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => {
            let message = format!("the body is broken off, or larger than {MAX_BODY} bytes");
            Err(reply::error(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", &message))
        }
        Err(_) => {
            let message = "the body did not arrive within 10 seconds";
            Err(reply::error(StatusCode::REQUEST_TIMEOUT, "TIMEOUT", message))
        }
    }
}

async fn run(
    state: &State,
    format: Format,
    viewer: Viewer,
    parameters: Parameters,
    method: Method,
) -> Response {
    let Ok(permit) = state.permits.clone().try_acquire_owned() else { return reply::overloaded() };
    let started = Instant::now();
    let name = parameters.operation_name.as_deref();
    let accepted = match guard::check(&parameters.query, name, &parameters.variables, &state.limits)
    {
        Ok(accepted) => accepted,
        Err(refusal) => return refused(format, &refusal),
    };
    if let Some(response) = forbidden(state, viewer, &accepted, method) {
        return response;
    }
    let cost = accepted.cost;
    let operation = parameters.operation_name.clone().unwrap_or_default();
    let answer = execute(state, viewer, parameters, accepted, permit).await;
    let response = match answer {
        Ok(answer) => answered(format, answer),
        Err(response) => response,
    };
    let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(http.status = response.status().as_u16(), graphql.operation = %operation, graphql.cost = cost, duration_ms, "Answered a request");
    response
}

/// What a well-formed request may still not do.
fn forbidden(
    state: &State,
    viewer: Viewer,
    accepted: &Accepted,
    method: Method,
) -> Option<Response> {
    if accepted.operation == OperationType::Subscription {
        let message = "there are no subscriptions here";
        return Some(reply::error(StatusCode::BAD_REQUEST, "BAD_REQUEST", message));
    }
    // A link or an image on any page can make a browser send GET, but not with a token.
    if method == Method::Get && viewer == Viewer::Anonymous && !state.is_development {
        return Some(reply::unauthenticated("GET needs a token here; without one, use POST"));
    }
    if method == Method::Get && accepted.operation == OperationType::Mutation {
        let message = "a mutation needs POST; GET only reads";
        let response = reply::error(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message);
        return Some(reply::with_header(response, header::ALLOW, "POST"));
    }
    let may_introspect = state.is_development || viewer.is_admin();
    if accepted.has_introspection && !may_introspect {
        let message = "introspection is for administrators";
        return Some(reply::error(StatusCode::FORBIDDEN, "FORBIDDEN", message));
    }
    None
}

/// Runs a request in a task of its own: when the client goes away or the time is up, the task still
/// ends in order, so that no statement is dropped half-way (sqlx 0.9.0 loses writes then).
async fn execute(
    state: &State,
    viewer: Viewer,
    parameters: Parameters,
    accepted: Accepted,
    permit: tokio::sync::OwnedSemaphorePermit,
) -> Result<Answer, Response> {
    let document = accepted.document.clone();
    let operation = parameters.operation_name.clone();
    let mut request = async_graphql::Request::new(parameters.query)
        .variables(Variables::from_json(parameters.variables))
        .data(RequestContext::new(&state.services, viewer));
    request.operation_name = parameters.operation_name;
    request.set_parsed_query(accepted.document);
    let schema = state.schema.clone();
    let task = tokio::spawn(async move {
        let mut answer = schema.execute(request).await;
        drop(permit);
        answer.data = order::as_asked(answer.data, &document, operation.as_deref());
        answer
    });
    match tokio::time::timeout(state.request_timeout, task).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(join)) => {
            if join.is_panic() {
                std::panic::resume_unwind(join.into_panic());
            }
            Err(reply::error(
                StatusCode::SERVICE_UNAVAILABLE,
                "OVERLOADED",
                "the server is stopping",
            ))
        }
        Err(_) => {
            let message = "the request took too long; ask for less";
            Err(reply::error(StatusCode::GATEWAY_TIMEOUT, "TIMEOUT", message))
        }
    }
}

fn refused(format: Format, refusal: &guard::Rejection) -> Response {
    let status = match format {
        Format::Json if is_about_text(refusal.code) => StatusCode::OK,
        Format::Json | Format::GraphqlResponse => StatusCode::BAD_REQUEST,
    };
    let mut error = with_code(refusal.code.as_str(), &refusal.message);
    error.locations.clone_from(&refusal.locations);
    reply::errors(status, format, &[error])
}

/// An answer of the schema. Where no error has a path or a code of ours, they are about the request
/// as a whole: it was not run, and there is no `data`.
fn answered(format: Format, mut answer: Answer) -> Response {
    answer.errors.truncate(MAX_ERRORS);
    let was_run = answer.errors.is_empty()
        || answer.errors.iter().any(|e| !e.path.is_empty() || extensions_code(e).is_some());
    for error in &mut answer.errors {
        if extensions_code(error).is_none() {
            let code = if was_run { "INVALID_ARGUMENT" } else { "VALIDATION_FAILED" };
            let coded: ServerError = with_code(code, "");
            error.extensions = coded.extensions;
        }
    }
    if !was_run {
        let status = match format {
            Format::Json => StatusCode::OK,
            Format::GraphqlResponse => StatusCode::BAD_REQUEST,
        };
        return reply::errors(status, format, &answer.errors);
    }
    let status = status_of(&answer);
    let mut response = GraphQLResponse::from(answer).into_response();
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static(format.content_type());
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

/// Errors of fields come with status 200, except where a client's proxy should know of them.
fn status_of(answer: &Answer) -> StatusCode {
    let has = |code| answer.errors.iter().any(|error| extensions_code(error) == Some(code));
    if has("UNAUTHENTICATED") {
        return StatusCode::UNAUTHORIZED;
    }
    if has("DATABASE_UNAVAILABLE") {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    StatusCode::OK
}
