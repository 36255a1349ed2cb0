//! A provider that speaks the API of OpenAI: one that hashes words, and one with the real
//! all-MiniLM-L6-v2 behind it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use kindred::embed::{Embedder, OpenAiEmbedder, OpenAiSettings};

use crate::local;
use crate::openai_server::{OpenAiServer, Plan};

/// A model on a server. Each test has one of its own, because connections belong to its runtime.
fn on(server: &OpenAiServer, dimensions: usize, max_tokens: usize) -> Arc<dyn Embedder> {
    let settings = OpenAiSettings {
        model: "a-compatible-model".to_owned(),
        dimensions: Some(dimensions),
        api_key: None,
        base_url: server.base_url.clone(),
        max_tokens,
        timeout: Duration::from_mins(2),
        concurrency: 4,
        price: None,
    };
    Arc::new(OpenAiEmbedder::new(&settings, None, None).unwrap())
}

#[expect(clippy::unnecessary_wraps, reason = "other backends may be missing")]
fn hashing() -> Option<Arc<dyn Embedder>> {
    static SERVER: OnceLock<OpenAiServer> = OnceLock::new();
    let plan = || Plan { dimensions: Some(64), ..Plan::default() };
    let server = SERVER.get_or_init(|| OpenAiServer::with(plan()));
    Some(on(server, 64, 8_191))
}

/// The real model on a compatible server, if it is there.
fn mini_lm() -> Option<Arc<dyn Embedder>> {
    static SERVER: OnceLock<OpenAiServer> = OnceLock::new();
    let model = local::whole()?;
    let server = SERVER.get_or_init(|| OpenAiServer::of(model));
    // Fewer than the model reads, so that cutting is the client's work.
    Some(on(server, 384, 128))
}

mod hashing_contract {
    contract!(super::hashing, 10_000);
}

mod mini_lm_contract {
    contract!(super::mini_lm, 1_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_has_the_same_vectors_on_a_server_and_here() {
    let Some((there, here)) = mini_lm().zip(local::whole()) else { return };
    let texts: Vec<String> = ["a quiet piano piece", "brutal heavy metal", "Grüße aus Köln 🎸"]
        .map(str::to_owned)
        .to_vec();
    let far = there.embed_documents(&texts).await.unwrap();
    let near = here.embed_documents(&texts).await.unwrap();
    for ((text, far), near) in texts.iter().zip(far).zip(near) {
        let (far, near) = (far.vector.unwrap(), near.vector.unwrap());
        let cosine: f32 = far.iter().zip(near).map(|(a, b)| a * b).sum();
        assert!(cosine > 0.9999, "{text}: {cosine}");
    }
}
