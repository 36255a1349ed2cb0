//! The API, over HTTP and a real database.
//!
//! With nothing configured every test gets an embedded database of its own; with
//! `TEST_DATABASE_URL` it gets a database of its own on that server.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::format_collect,
    clippy::async_yields_async,
    reason = "a test that cannot go on says so and ends; its texts are made once"
)]

#[path = "../support/openai_server.rs"]
mod openai_server;
mod support;

mod access;
mod boosts;
mod chunks;
mod documents;
mod documents_hostile;
mod facets;
mod feedback;
mod grouping;
mod hostile;
mod http;
mod hybrid;
mod indexes;
mod ingest;
mod judgments;
mod lifecycle;
mod masking;
mod nodes;
mod openai;
mod paging;
mod plans;
mod queue;
mod recall;
mod recommend;
mod rerank;
mod resilience;
mod similar;
mod songs;
mod spaces;
mod stats;
mod tables;
mod text;
mod tiers;
mod tokens;
mod worker;
