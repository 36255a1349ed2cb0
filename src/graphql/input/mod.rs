//! What clients send.

pub(super) mod boost;
pub(super) mod document;
pub(super) mod example;
pub(super) mod filter;
pub(super) mod order;
pub(super) mod rerank;
pub(super) mod song;
pub(super) mod vector;
