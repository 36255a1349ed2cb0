//! Kindred: semantic search and recommendations over your own catalogue, through GraphQL, on
//! PostgreSQL with pgvector.
//!
//! A request goes down these layers and never up:
//!
//! ```text
//! cli → app → http → graphql → service → store, embed, rank, auth → model
//!                    worker  → service
//! ```
//!
//! | module | what lives there |
//! |---|---|
//! | [`model`] | plain types, no I/O |
//! | [`embed`] | texts to vectors |
//! | [`rank`] | several lists to one, pure functions |
//! | [`auth`] | tokens |
//! | [`store`] | all SQL; the only layer that knows SeaORM and sqlx |
//! | [`service`] | what the product does: permissions, limits, transactions |
//! | [`graphql`] | the wire format; the only layer that knows async-graphql's types |
//! | [`http`] | who asks, what is turned away at the door; the only layer that knows axum |
//! | [`worker`] | embeds what is queued |
//! | [`dev`] | the data folder and the embedded PostgreSQL |
//! | [`app`] | wires it all together |
//! | [`cli`] | the commands |
//!
//! Invariants: a store function without a [`model::Scope`] does not compile; no transaction spans a
//! model call; content and its embedding task are written together; vectors of different spaces
//! are never compared; no made-up vector is ever stored. `tests/tidy.rs` checks the directions.

pub mod app;
pub mod auth;
pub mod cli;
pub mod config;
pub mod dev;
pub mod embed;
pub mod graphql;
pub mod http;
pub mod model;
pub mod rank;
pub mod service;
pub mod store;
pub mod tls;
pub mod worker;
