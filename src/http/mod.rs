//! HTTP: who asks, which page or answer they get, and what is turned away at the door.

mod accept;
mod body;
mod graphql;
mod health;
mod pages;
mod reply;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::set_header::SetResponseHeaderLayer;

use crate::auth::Tokens;
use crate::graphql::KindredSchema;
use crate::graphql::guard::Limits;
use crate::service::Services;

/// Bytes of a request body.
const MAX_BODY: usize = 2 * 1024 * 1024;

/// What handlers share.
#[derive(Clone)]
pub struct State(Arc<Shared>);

/// The same, behind one pointer.
pub struct Shared {
    services: Services,
    schema: KindredSchema,
    tokens: Tokens,
    is_development: bool,
    limits: Limits,
    request_timeout: Duration,
    permits: Arc<Semaphore>,
    cors: CorsLayer,
}

/// What an operator decides about the server.
#[derive(Debug, Clone)]
pub struct Settings {
    pub is_development: bool,
    pub request_timeout: Duration,
    /// Requests that are worked on at a time.
    pub max_concurrent_requests: u32,
    /// Origins whose pages may call the API.
    pub cors_origins: Vec<String>,
}

/// An origin that a browser would never send.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no origin; an origin looks like `https://example.com`")]
pub struct MalformedOrigin(String);

impl State {
    pub fn new(
        services: Services,
        schema: KindredSchema,
        tokens: Tokens,
        settings: &Settings,
    ) -> Result<Self, MalformedOrigin> {
        let permits = usize::try_from(settings.max_concurrent_requests).unwrap_or(64);
        Ok(Self(Arc::new(Shared {
            services,
            schema,
            tokens,
            is_development: settings.is_development,
            limits: Limits::default(),
            request_timeout: settings.request_timeout,
            permits: Arc::new(Semaphore::new(permits)),
            cors: cors(&settings.cors_origins)?,
        })))
    }
}

impl std::ops::Deref for State {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// Every path of the server.
pub fn router(state: State) -> Router {
    let cors = state.cors.clone();
    let request_id = HeaderName::from_static("x-request-id");
    Router::new()
        .route("/graphql", get(graphql::get).post(graphql::post))
        .route("/", get(pages::search))
        .route("/graphiql", get(pages::graphiql))
        .route("/assets/{name}", get(pages::asset))
        .route("/favicon.svg", get(pages::favicon))
        .route("/health", get(health::health))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .fallback(reply::no_such_path)
        .method_not_allowed_fallback(reply::wrong_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(cors)
        .layer(nosniff())
        .layer(CatchPanicLayer::custom(panicked))
        .layer(PropagateRequestIdLayer::new(request_id.clone()))
        .layer(SetRequestIdLayer::new(request_id, MakeRequestUuid))
        .with_state(state)
}

fn nosniff() -> SetResponseHeaderLayer<HeaderValue> {
    let value = HeaderValue::from_static("nosniff");
    SetResponseHeaderLayer::overriding(header::X_CONTENT_TYPE_OPTIONS, value)
}

fn cors(origins: &[String]) -> Result<CorsLayer, MalformedOrigin> {
    let mut allowed = Vec::with_capacity(origins.len());
    for origin in origins.iter().map(|origin| origin.trim()).filter(|origin| !origin.is_empty()) {
        let value = origin.strip_prefix("http").and_then(|_| origin.parse::<HeaderValue>().ok());
        allowed.push(value.ok_or_else(|| MalformedOrigin(origin.to_owned()))?);
    }
    Ok(CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::ACCEPT])
        .max_age(Duration::from_hours(1)))
}

/// A panic is a fault of ours: the log has it, the client gets an error like any other.
#[expect(clippy::needless_pass_by_value, reason = "the layer hands it over")]
fn panicked(panic: Box<dyn std::any::Any + Send + 'static>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!("A request panicked: {message}");
    reply::error(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "internal error")
}
