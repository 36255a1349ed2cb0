//! The backend `openai` against a server that plays the API, with faults.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so and ends")]

#[path = "support/openai_server.rs"]
mod openai_server;

#[path = "openai/answers.rs"]
mod answers;
#[path = "openai/breaker.rs"]
mod breaker;
#[path = "openai/requests.rs"]
mod requests;
#[path = "openai/retries.rs"]
mod retries;
#[path = "openai/server.rs"]
mod server;

use std::time::Duration;

use kindred::embed::{OpenAiEmbedder, OpenAiSettings, Pace};
use openai_server::OpenAiServer;

/// Longer than anything that is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Settings for a server without a key.
fn settings(server: &OpenAiServer) -> OpenAiSettings {
    OpenAiSettings {
        model: "text-embedding-3-small".to_owned(),
        dimensions: None,
        api_key: None,
        base_url: server.base_url.clone(),
        max_tokens: 8_191,
        timeout: PATIENCE,
        concurrency: 4,
        price: None,
    }
}

/// Waits of milliseconds, so that tests need no time for them, and all the time for an answer.
fn quick() -> Pace {
    let mut pace = Pace::default();
    pace.documents.first_wait = Duration::from_millis(2);
    pace.queries.first_wait = Duration::from_millis(2);
    pace.queries.budget = Some(PATIENCE);
    pace
}

fn embedder(server: &OpenAiServer) -> OpenAiEmbedder {
    paced(server, quick())
}

fn paced(server: &OpenAiServer, pace: Pace) -> OpenAiEmbedder {
    OpenAiEmbedder::with_pace(&settings(server), None, None, pace).unwrap()
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// Songs that do not resemble each other, each of so many bytes or a few more.
fn numbered(count: usize, bytes: usize) -> Vec<String> {
    let text = |number: usize| format!("number{number} {}", "la ".repeat(bytes / 3));
    (0..count).map(text).collect()
}
