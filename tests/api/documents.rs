//! Documents: `ingestDocuments`, `addDocument`, `updateDocument`, `documents`.

use serde_json::{Value, json};

use crate::support::client::Answer;
use crate::support::{TestApp, texts, titles};

pub(crate) const INGEST: &str =
    "mutation ($rows: [DocumentInput!]!, $mode: IngestMode! = UPSERT, $owner: ID) {
    ingestDocuments(rows: $rows, mode: $mode, ownerId: $owner) {
        created updated unchanged duplicates rejected
        rows { index status id externalId field message } } }";

pub(crate) async fn ingest(app: &TestApp, rows: Value) -> Answer {
    app.as_admin().query(INGEST, json!({ "rows": rows })).await
}

/// Three parts, each too long to stand with another one.
pub(crate) fn guide() -> Value {
    let part = |topic: &str| format!("{topic} ").repeat(120);
    let body = format!(
        "{}\n\n{}\n\n{}",
        part("Sourdough bread rises slowly."),
        part("Glaciers carve valleys."),
        part("Telescopes gather starlight.")
    );
    json!({ "externalId": "guide", "title": "A guide", "body": body, "url": "https://example.org/guide",
        "tags": ["Bread", "ice"], "language": "en" })
}

#[tokio::test]
async fn a_document_is_read_back_with_its_chunks_in_order() {
    let app = TestApp::start().await;
    let answer = ingest(&app, json!([guide()])).await;
    let payload = &answer["ingestDocuments"];
    assert_eq!(payload["created"], 1, "{payload}");
    let query =
        "{ documents { totalCount nodes { id title kind externalId url tags summary language format
        body chunkCount embeddingStatus chunks { totalCount nodes {
            kind title position headings body document { id } embeddingStatus } } } } }";
    let answer = app.anonymous().ask(query).await;
    assert_eq!(answer["documents"]["totalCount"], 1);
    let document = &answer["documents"]["nodes"][0];
    assert_eq!(document["id"], payload["rows"][0]["id"]);
    assert_eq!(document["url"], "https://example.org/guide");
    assert_eq!(document["tags"], json!(["Bread", "ice"]));
    assert_eq!(document["language"], "english");
    assert_eq!(document["body"], guide()["body"]);
    assert_eq!(document["embeddingStatus"], "PENDING");
    let chunks = document["chunks"]["nodes"].as_array().unwrap();
    assert!(chunks.len() >= 3);
    assert_eq!(document["chunkCount"], chunks.len());
    assert_eq!(document["chunks"]["totalCount"], chunks.len());
    for (position, chunk) in chunks.iter().enumerate() {
        assert_eq!(chunk["position"], position);
        assert_eq!(chunk["title"], "A guide");
        assert_eq!(chunk["document"]["id"], document["id"]);
        assert_eq!(chunk["embeddingStatus"], "PENDING");
    }
}

#[tokio::test]
async fn chunks_are_found_by_words_and_by_meaning() {
    let app = TestApp::start().await;
    ingest(&app, json!([guide()])).await.data();
    app.run_queue().await;
    let query = "query ($text: String!, $kinds: [Kind!]!) { hybridSearch(query: $text, kinds: $kinds) {
        nodes { id title ... on Chunk { body document { title } } } edges { similarity textScore } } }";
    for (text, word) in [("glaciers", "Glaciers"), ("astronomy at night", "Telescopes")] {
        let variables = json!({ "text": text, "kinds": ["CHUNK"] });
        let answer = app.anonymous().query(query, variables).await;
        let best = &answer["hybridSearch"]["nodes"][0];
        assert!(best["body"].as_str().unwrap().contains(word), "{text}: {best}");
        assert_eq!(best["document"]["title"], "A guide");
    }
    let variables = json!({ "text": "sourdough bread", "kinds": ["DOCUMENT"] });
    let answer = app.anonymous().query(query, variables).await;
    assert_eq!(titles(&answer["hybridSearch"]), ["A guide"]);
    let status = "{ documents { nodes { embeddingStatus chunks { nodes { embeddingStatus } } } } }";
    let answer = app.anonymous().ask(status).await;
    let document = &answer["documents"]["nodes"][0];
    assert_eq!(document["embeddingStatus"], "READY");
    let statuses = texts(&document["chunks"]["nodes"], "embeddingStatus");
    assert!(statuses.iter().all(|status| status == "READY"), "{statuses:?}");
}
