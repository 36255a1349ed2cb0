//! Health: for load balancers, containers and people.

use axum::Json;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::State;

/// Whether the process answers at all.
pub(super) async fn live() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}

/// Whether requests can be answered: the database does.
pub(super) async fn ready(Extract(state): Extract<State>) -> (StatusCode, Json<Value>) {
    match reach_database(&state).await {
        true => (StatusCode::OK, Json(json!({ "status": "ok" }))),
        false => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "unavailable" }))),
    }
}

/// The same with what is behind it.
pub(super) async fn health(Extract(state): Extract<State>) -> (StatusCode, Json<Value>) {
    let is_up = reach_database(&state).await;
    let (status, word) = match is_up {
        true => (StatusCode::OK, "ok"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    };
    let body = json!({
        "status": word,
        "database": word,
        "embedder": state.services.embedder().description().model,
        "version": env!("CARGO_PKG_VERSION"),
    });
    (status, Json(body))
}

async fn reach_database(state: &State) -> bool {
    let services = state.services.clone();
    // In a task of its own: a probe that gives up must not drop a statement half-way.
    let ping = tokio::spawn(async move { services.ping().await });
    matches!(tokio::time::timeout(std::time::Duration::from_secs(3), ping).await, Ok(Ok(Ok(()))))
}
