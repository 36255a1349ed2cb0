//! How good models and searches are, by the judgement of people.

pub mod beir;
mod collection;
mod judgments;
mod retrieval;
mod sts;

pub use crate::rank::metrics::RECALL_DEPTH;
pub use collection::Collection;
pub use judgments::{EvaluateInput, JudgmentPage};
pub use retrieval::{Evaluated, Evaluation, Mode, Searched, TestQuery, searches};
pub use sts::{StsPair, StsReport, sts};
