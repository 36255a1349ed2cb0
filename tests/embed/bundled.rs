//! The static model that is part of the program.

use std::sync::Arc;

use kindred::embed::{Embedder, StaticEmbedder};

#[expect(clippy::unnecessary_wraps, reason = "other backends may be missing")]
fn embedder() -> Option<Arc<dyn Embedder>> {
    Some(Arc::new(StaticEmbedder::bundled().unwrap()))
}

contract!(embedder, 10_000);
