//! The embedding models, without a database: one contract that every backend keeps, and what is special to
//! each.
//!
//! The model of `local` comes from the folder `LOCAL_MODEL_DIR` and ONNX Runtime from `ORT_DYLIB_PATH`;
//! `scripts/local-model env` prints both. Without them its tests skip.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that cannot go on says so and ends"
)]

#[macro_use]
#[path = "embed/contract.rs"]
mod contract;
#[path = "embed/bundled.rs"]
mod bundled;
#[path = "embed/local.rs"]
mod local;
#[path = "embed/openai.rs"]
mod openai;
#[path = "support/openai_server.rs"]
mod openai_server;
