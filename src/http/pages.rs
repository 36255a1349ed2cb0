//! The search page and GraphiQL. The files are part of the program.

use std::borrow::Cow;

use axum::extract::{Path, State as Extract};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{State, reply};
use crate::model::Viewer;

const SEARCH: &str = include_str!("page/index.html");
const SEARCH_JS: &str = include_str!("page/search.js");
const API_JS: &str = include_str!("page/api.js");
const ROW_JS: &str = include_str!("page/row.js");
const STATE_JS: &str = include_str!("page/state.js");
const SEARCH_CSS: &str = include_str!("page/search.css");
const GRAPHIQL: &str = include_str!("page/graphiql.html");
const GRAPHIQL_JS: &str = include_str!("page/graphiql.js");
const GRAPHIQL_LINK: &str = "<a href=\"/graphiql\">GraphiQL</a>";
const FAVICON: &str = include_str!("page/favicon.svg");

/// The search page runs its own script and talks to its own server, nothing else.
const SEARCH_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
/// GraphiQL loads its scripts from a content delivery network, each pinned by its hash.
const GRAPHIQL_POLICY: &str = "default-src 'none'; script-src 'self' https://cdn.jsdelivr.net; \
    style-src 'self' https://cdn.jsdelivr.net 'unsafe-inline'; font-src data:; img-src 'self' data:; \
    connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The search page, with a link to GraphiQL where visitors can open it.
pub(super) async fn search(Extract(state): Extract<State>) -> Response {
    let text = match state.is_development {
        true => Cow::Borrowed(SEARCH),
        false => Cow::Owned(SEARCH.replace(GRAPHIQL_LINK, "")),
    };
    page(text, "text/html; charset=utf-8", SEARCH_POLICY)
}

/// GraphiQL is there in development, and for administrators.
pub(super) async fn graphiql(Extract(state): Extract<State>, headers: HeaderMap) -> Response {
    let header = headers.get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    let viewer = state.tokens.viewer_of_header(header, state.services.clock().now());
    if state.is_development || viewer.is_ok_and(Viewer::is_admin) {
        page(GRAPHIQL, "text/html; charset=utf-8", GRAPHIQL_POLICY)
    } else {
        reply::no_such_path().await
    }
}

pub(super) async fn asset(Path(name): Path<String>) -> Response {
    match name.as_str() {
        "search.js" => page(SEARCH_JS, "text/javascript; charset=utf-8", SEARCH_POLICY),
        "api.js" => page(API_JS, "text/javascript; charset=utf-8", SEARCH_POLICY),
        "row.js" => page(ROW_JS, "text/javascript; charset=utf-8", SEARCH_POLICY),
        "state.js" => page(STATE_JS, "text/javascript; charset=utf-8", SEARCH_POLICY),
        "search.css" => page(SEARCH_CSS, "text/css; charset=utf-8", SEARCH_POLICY),
        "graphiql.js" => page(GRAPHIQL_JS, "text/javascript; charset=utf-8", GRAPHIQL_POLICY),
        _ => reply::no_such_path().await,
    }
}

pub(super) async fn favicon() -> Response {
    page(FAVICON, "image/svg+xml", SEARCH_POLICY)
}

fn page(text: impl IntoResponse, content_type: &'static str, policy: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::CACHE_CONTROL, "no-cache"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (StatusCode::OK, headers, text).into_response()
}
