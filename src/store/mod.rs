//! All SQL. Nothing above this layer sees a table.
//!
//! Every function takes a [`Scope`](crate::model::Scope), because [`Db`] gives out its connections
//! only against one; which rows that opens is written once, in `visible`.

mod connect;
mod db;
mod error;
mod filter;
mod rows;
mod visible;

pub mod chunk;
pub mod content;
pub mod content_write;
pub mod document;
pub mod embedding;
pub mod facet;
pub mod facts;
pub mod feedback;
pub mod health;
pub mod index;
pub mod judgment;
pub mod lease;
pub mod lexeme;
pub mod listen;
pub mod scratch;
pub mod search;
pub mod song;
pub mod space;
pub mod space_fill;
pub mod space_import;
pub mod space_switch;
pub mod stats;
pub mod task;
pub mod text;
pub mod tier;
pub mod usage;
pub mod user;

pub use connect::{Options, Server, connect, migrate, rollback_all};
pub use db::{Db, Tx};
pub use error::Error;

type Result<T> = std::result::Result<T, Error>;
