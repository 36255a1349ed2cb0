//! The backend `openai` against a server that plays the API, with faults.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so and ends")]

#[path = "support/openai_server.rs"]
mod openai_server;

#[path = "openai/server.rs"]
mod server;
