//! Re-ranking with a cross-encoder.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use kindred::embed::{Error, Reranker};
use serde_json::{Value, json};

use crate::support::why::{EDGES, assert_scores_hold};
use crate::support::{TestApp, titles};

/// Likes short texts and never reads the question.
struct LikesShort;

#[async_trait]
impl Reranker for LikesShort {
    async fn scores(&self, query: &str, texts: Vec<String>) -> Result<Vec<f64>, Error> {
        assert_eq!(query, "heavy metal drums");
        let length = |text: &String| f64::from(u32::try_from(text.len()).unwrap());
        Ok(texts.iter().map(|text| 4.0 - length(text) / 50.0).collect())
    }
}

/// Has broken down.
struct Away;

#[async_trait]
impl Reranker for Away {
    async fn scores(&self, _: &str, _: Vec<String>) -> Result<Vec<f64>, Error> {
        Err(Error::Panicked)
    }
}

async fn search(app: &TestApp, arguments: &str) -> Value {
    let query = format!(
        "{{ hybridSearch(query: \"heavy metal drums\", kinds: [SONG], first: 20, {arguments}) {{
            {EDGES} nodes {{ title }} info {{ degraded }} }} }}"
    );
    app.anonymous().ask(&query).await["hybridSearch"].clone()
}

#[tokio::test]
async fn the_best_results_change_places_and_the_others_stay_behind_them() {
    let app = TestApp::plan().reranker(Arc::new(LikesShort)).start().await;
    app.songs(&crate::support::catalogue::songs()).await;
    let plain = search(&app, "diversity: 0").await;
    let ranked = search(&app, "rerank: { top: 3 }").await;
    assert_eq!(ranked["info"]["degraded"], false);
    let edges = ranked["edges"].as_array().unwrap();
    assert_scores_hold(edges, true);
    let (mut before, mut after) = (titles(&plain)[..3].to_vec(), titles(&ranked)[..3].to_vec());
    assert_ne!(before, after);
    let ranks: Vec<&Value> = edges.iter().map(|edge| &edge["why"]["rerank"]["rank"]).collect();
    assert_eq!(ranks[..3], [&json!(1), &json!(2), &json!(3)]);
    assert!(ranks[3..].iter().all(|rank| rank.is_null()));
    before.sort();
    after.sort();
    assert_eq!(before, after);
    assert_eq!(titles(&plain)[3..], titles(&ranked)[3..]);
    let boosted = search(
        &app,
        "rerank: {}, boosts: [{ number: { field: YEAR, weight: 0.3 } }], diversity: 0.4",
    )
    .await;
    let boosted = boosted["edges"].as_array().unwrap();
    assert_scores_hold(boosted, true);
    assert!(boosted.iter().all(|edge| edge["why"]["rerank"]["value"].is_number()));
}

#[tokio::test]
async fn without_the_cross_encoder_results_stay_in_their_order() {
    let app = TestApp::plan().reranker(Arc::new(Away)).start().await;
    app.songs(&crate::support::catalogue::songs()).await;
    let plain = search(&app, "diversity: 0").await;
    let degraded = search(&app, "rerank: {}").await;
    assert_eq!(degraded["info"]["degraded"], true);
    assert_eq!(titles(&degraded), titles(&plain));
}

#[tokio::test]
async fn a_server_without_a_cross_encoder_says_so() {
    let app = TestApp::start().await;
    let query = "{ hybridSearch(query: \"x\", rerank: {}) { nodes { id } } }";
    app.anonymous().ask(query).await.assert_error("INVALID_ARGUMENT", &["`RERANK_MODEL`"]);
    let query = "{ hybridSearch(query: \"x\", rerank: { top: 101 }) { nodes { id } } }";
    app.anonymous().ask(query).await.assert_error("INVALID_ARGUMENT", &["101", "1 and 100"]);
}

/// The real path: files, thread, ONNX Runtime, fastembed. The model is made by hand and says what share of
/// the question's words a text has, so it proves the way and says nothing about quality.
#[tokio::test]
async fn a_cross_encoder_of_a_folder_reads_question_and_text_together() {
    let Some(library) = std::env::var_os("ORT_DYLIB_PATH") else {
        eprintln!("skipped: ORT_DYLIB_PATH is not set; `scripts/local-model env` prints it");
        return;
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/cross-encoder");
    let (folder, library) = (folder.to_str().unwrap(), library.to_str().unwrap().to_owned());
    let arguments = ["--rerank-model-dir", folder, "--onnx-runtime", &library];
    let app = TestApp::plan().with(&arguments).start().await;
    app.songs(&crate::support::catalogue::songs()).await;
    let query = format!(
        "{{ hybridSearch(query: \"soft lullaby for the night\", kinds: [SONG], first: 8, rerank: {{ top: 8 }}) {{
            {EDGES} info {{ degraded }} }} }}"
    );
    let answer = app.anonymous().ask(&query).await;
    let page = &answer["hybridSearch"];
    assert_eq!(page["info"]["degraded"], false);
    let edges = page["edges"].as_array().unwrap();
    assert_scores_hold(edges, true);
    // All five words stand in one song: the logistic function of 4.
    assert_eq!(edges[0]["node"]["title"], "Cradle Song");
    let value = edges[0]["why"]["rerank"]["value"].as_f64().unwrap();
    assert!((value - 1.0 / (1.0 + (-4.0_f64).exp())).abs() < 1e-6, "{value}");
    assert!(edges[7]["why"]["rerank"]["value"].as_f64().unwrap() < 0.5);
}
