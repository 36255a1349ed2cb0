//! Chunks: they are kept, changed and removed with their documents.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use kindred::worker::Worker;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::documents::{BREAD, ICE, STARS, guide, ingest, ingest_of, sections};
use crate::support::embedders::{FlakyEmbedder, OtherModel};
use crate::support::{TestApp, at_once, catalogue, texts};

const CHEESE: (&str, &str) = ("Cheese", "Cheese is milk that ripens in a cool cellar.");

/// Ids and texts of the chunks of all documents, in order.
async fn chunks(app: &TestApp) -> Vec<(String, String)> {
    let query =
        "{ documents(first: 12) { nodes { chunks(first: 60) { nodes { id position body } } } } }";
    let answer = app.as_admin().ask(query).await;
    let mut chunks = Vec::new();
    for document in answer["documents"]["nodes"].as_array().unwrap() {
        for (position, chunk) in document["chunks"]["nodes"].as_array().unwrap().iter().enumerate()
        {
            assert_eq!(chunk["position"], position);
            let text = |field: &str| chunk[field].as_str().unwrap().to_owned();
            chunks.push((text("id"), text("body")));
        }
    }
    chunks
}

/// A server whose model is watched: how many texts it embedded since the last call.
struct Watched {
    app: TestApp,
    model: Arc<FlakyEmbedder>,
    services: kindred::service::Services,
}

impl Watched {
    async fn start() -> Self {
        let app = TestApp::start().await;
        let model = FlakyEmbedder::counting(app.services.embedder().clone());
        let services = app.services_with(model.clone()).await;
        Self { app, model, services }
    }

    async fn embedded(&self) -> usize {
        let worker = Worker::new(self.services.clone());
        self.app.on_server(async move { worker.run_until_idle().await }).await.unwrap();
        self.model.texts.swap(0, Ordering::SeqCst)
    }
}

#[tokio::test]
async fn an_unchanged_chunk_keeps_its_id_and_its_vector() {
    let watched = Watched::start().await;
    let app = &watched.app;
    ingest(app, json!([guide()])).await.data();
    let before = chunks(app).await;
    // The document and its three chunks.
    assert_eq!(watched.embedded().await, 4);
    let same = ingest(app, json!([guide()])).await;
    assert_eq!(same["ingestDocuments"]["unchanged"], 1);
    assert_eq!(watched.embedded().await, 0);
    // Another one before, one less in the middle.
    ingest(app, json!([sections("guide", &[CHEESE, BREAD, STARS])])).await.data();
    let after = chunks(app).await;
    assert_eq!(after.len(), 3);
    assert_eq!((&after[1], &after[2]), (&before[0], &before[2]));
    assert!(before.iter().all(|chunk| chunk.0 != after[0].0));
    // The new chunk, and the document, whose summary is another one.
    assert_eq!(watched.embedded().await, 2);
}

#[tokio::test]
async fn chunks_that_change_places_stay_the_same_rows() {
    let watched = Watched::start().await;
    let app = &watched.app;
    ingest(app, json!([sections("guide", &[BREAD, ICE, BREAD, STARS])])).await.data();
    let before = chunks(app).await;
    watched.embedded().await;
    let answer = ingest(app, json!([sections("guide", &[STARS, BREAD, ICE, BREAD])])).await;
    assert_eq!(answer["ingestDocuments"]["updated"], 1);
    let after = chunks(app).await;
    let expected = [&before[3], &before[0], &before[1], &before[2]];
    assert_eq!(after.iter().collect::<Vec<_>>(), expected);
    assert!(watched.embedded().await <= 1, "at most the summary is new");
}

#[tokio::test]
async fn another_title_keeps_the_chunks_and_embeds_them_again() {
    let watched = Watched::start().await;
    let app = &watched.app;
    ingest(app, json!([guide()])).await.data();
    let before = chunks(app).await;
    assert_eq!(watched.embedded().await, 4);
    let mut renamed = guide();
    renamed["title"] = "Another name".into();
    ingest(app, json!([renamed])).await.data();
    assert_eq!(chunks(app).await, before);
    assert_eq!(watched.embedded().await, 4);
    let query = "{ hybridSearch(query: \"another name\", kinds: [CHUNK]) { nodes { title } } }";
    let answer = app.anonymous().ask(query).await;
    assert_eq!(texts(&answer["hybridSearch"]["nodes"], "title"), ["Another name"; 3]);
}

#[tokio::test]
async fn the_text_that_is_hashed_is_the_text_that_the_model_gets() {
    let watched = Watched::start().await;
    let app = &watched.app;
    let plain = json!({ "externalId": "plain", "title": "Two\nlines", "body": "No heading here.",
        "summary": "In short." });
    let silent = json!({ "externalId": "code", "title": "Code", "body": "```\nx = 1\n```", "format": "MARKDOWN" });
    ingest(app, json!([guide(), plain, silent])).await.data();
    app.ingest(&catalogue::songs()[..2], None).await;
    watched.embedded().await;
    let seen = watched.model.seen.lock().unwrap().clone();
    let made: BTreeSet<String> =
        seen.iter().map(|text| hex::encode(Sha256::digest(text))).collect();
    let rows = app.rows("SELECT kind, encode(source_hash, 'hex') AS hash FROM content").await;
    let hashes: BTreeSet<String> = texts(&Value::from(rows.clone()), "hash").into_iter().collect();
    assert_eq!(made, hashes);
    let kinds: BTreeSet<String> = texts(&Value::from(rows), "kind").into_iter().collect();
    assert_eq!(kinds.len(), 3, "{kinds:?}");
    assert!(seen.iter().any(|text| text.starts_with("A guide\nBread\n")), "{seen:?}");
    assert!(seen.contains(&"Two lines\nIn short.".to_owned()), "{seen:?}");
}

#[tokio::test]
async fn chunks_follow_their_document_into_deletion_and_back() {
    let app = TestApp::start().await;
    let id = ingest_of(&app, None, json!([guide()])).await.remove(0);
    app.run_queue().await;
    let before = chunks(&app).await;
    let change = |name: &str| format!("mutation ($id: ID!) {{ {name}(ids: [$id]) {{ ids }} }}");
    let found = async || {
        let query = "query ($id: ID!) { node(id: $id) { id } documents { totalCount }
            hybridSearch(query: \"glaciers\", kinds: [CHUNK]) { nodes { id } } }";
        let answer = app.anonymous().query(query, json!({ "id": before[1].0 })).await;
        let hits = texts(&answer["hybridSearch"]["nodes"], "id");
        (!answer["node"].is_null(), answer["documents"]["totalCount"].clone(), hits.len())
    };
    assert_eq!(found().await, (true, json!(1), 3));
    for name in ["softDelete", "restore", "purge"] {
        let answer = app.as_admin().query(&change(name), json!({ "id": before[0].0 })).await;
        answer.assert_error("INVALID_ARGUMENT", &[&before[0].0, "follows its document"]);
    }
    app.as_admin().query(&change("softDelete"), json!({ "id": id })).await.data();
    assert_eq!(found().await, (false, json!(0), 0));
    app.as_admin().query(&change("restore"), json!({ "id": id })).await.data();
    assert_eq!(found().await, (true, json!(1), 3));
    assert_eq!(chunks(&app).await, before);
    // Sent again, a deleted document comes back as well.
    app.as_admin().query(&change("softDelete"), json!({ "id": id })).await.data();
    ingest(&app, json!([guide()])).await.data();
    assert_eq!(chunks(&app).await, before);
    app.as_admin().query(&change("purge"), json!({ "id": id })).await.data();
    let left = app
        .rows(
            "SELECT (SELECT count(*) FROM content) AS content, (SELECT count(*) FROM document) AS document,
                (SELECT count(*) FROM chunk) AS chunk, (SELECT count(*) FROM embedding) AS embedding",
        )
        .await;
    assert_eq!(left, [json!({ "content": 0, "document": 0, "chunk": 0, "embedding": 0 })]);
}

#[tokio::test]
async fn a_restored_document_is_queued_for_the_spaces_that_lack_its_chunks() {
    let app = TestApp::start().await;
    let id = ingest_of(&app, None, json!([guide()])).await.remove(0);
    app.run_queue().await;
    let change = |name: &str| format!("mutation ($id: ID!) {{ {name}(ids: [$id]) {{ ids }} }}");
    app.as_admin().query(&change("softDelete"), json!({ "id": id })).await.data();
    app.sql("DELETE FROM embedding").await;
    app.as_admin().query(&change("restore"), json!({ "id": id })).await.data();
    assert_eq!(app.rows("SELECT id FROM embedding_task").await.len(), 4);
}

#[tokio::test]
async fn pages_of_chunks_go_on_where_the_page_before_ended() {
    let app = TestApp::start().await;
    let names: Vec<String> = (0..7).map(|n| format!("Part {n}")).collect();
    let parts: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), BREAD.1)).collect();
    let id = ingest_of(&app, None, json!([sections("long", &parts)])).await.remove(0);
    let query = "query ($id: ID!, $after: String) { node(id: $id) { ... on Document {
        chunks(first: 3, after: $after) { totalCount nodes { position previous { position } next { position } }
            pageInfo { hasNextPage hasPreviousPage endCursor } } } } }";
    let (mut after, mut seen) = (Value::Null, Vec::new());
    loop {
        let answer = app.anonymous().query(query, json!({ "id": id, "after": after })).await;
        let page = &answer["node"]["chunks"];
        assert_eq!(page["totalCount"], 7);
        assert_eq!(page["pageInfo"]["hasPreviousPage"], !seen.is_empty());
        for chunk in page["nodes"].as_array().unwrap() {
            let position = chunk["position"].as_i64().unwrap();
            let beside = |field: &str| chunk[field]["position"].as_i64();
            assert_eq!(beside("previous"), (position > 0).then(|| position - 1));
            assert_eq!(beside("next"), (position < 6).then(|| position + 1));
            seen.push(position);
        }
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6]);
    let other = ingest_of(&app, None, json!([guide()])).await.remove(0);
    let answer = app.anonymous().query(query, json!({ "id": other, "after": after })).await;
    answer.assert_error("INVALID_CURSOR", &["cursor"]);
}

#[tokio::test]
async fn nested_fields_take_one_statement_for_a_whole_level() {
    let app = TestApp::start().await;
    let rows: Vec<Value> =
        (0..12).map(|n| sections(&n.to_string(), &[BREAD, ICE, STARS])).collect();
    ingest(&app, json!(rows)).await.data();
    app.run_queue().await;
    // (field, statements beside those of the list itself)
    let fields = [
        ("chunks(first: 2) { nodes { body } }", 1),
        ("chunkCount", 1),
        ("body", 1),
        ("embeddingStatus", 1),
        ("similar(first: 3) { nodes { title } }", 1),
        ("chunks(first: 2) { nodes { document { title } } }", 2),
        ("chunks(first: 2) { nodes { previous { id } next { id } } }", 2),
        (
            "chunks(first: 2) { nodes { similar(first: 2) { nodes { id ... on Chunk { document { title } } } } } }",
            3,
        ),
        (
            "similar(first: 2) { nodes { ... on Document { chunks(first: 2) { nodes { similar(first: 1) { nodes { id } } } } } } }",
            3,
        ),
    ];
    let statements = async |query: String| {
        // The first time, what is known of the spaces may have to be read.
        app.anonymous().ask(&query).await.data();
        let before = app.services.db().asked();
        app.anonymous().ask(&query).await.data();
        app.services.db().asked() - before
    };
    let alone = statements("{ documents(first: 6) { nodes { id } } }".to_owned()).await;
    for (field, expected) in fields {
        for first in [1, 6] {
            let query = format!("{{ documents(first: {first}) {{ nodes {{ id {field} }} }} }}");
            assert_eq!(statements(query).await - alone, expected, "{field} of {first} documents");
        }
    }
    let hits = "{ hybridSearch(query: \"glaciers\", kinds: [CHUNK], first: FIRST) { nodes { id FIELD } } }";
    let query = |first: &str, field: &str| hits.replace("FIRST", first).replace("FIELD", field);
    for first in ["2", "12"] {
        let alone = statements(query(first, "")).await;
        let nested = "... on Chunk { document { title } similar(first: 2) { nodes { id } } }";
        assert_eq!(statements(query(first, nested)).await - alone, 2, "{first} hits");
    }
}

#[tokio::test]
async fn documents_are_found_by_meaning_at_once_where_the_bundled_model_stands_in() {
    let app = TestApp::plan().tiers(OtherModel::new).start().await;
    ingest(&app, json!([guide()])).await.data();
    let query = "{ hybridSearch(query: \"astronomy at night\", kinds: [CHUNK], semanticRatio: 1) {
        nodes { ... on Chunk { body } } info { space } }
        documents { nodes { similar { info { space } } } } }";
    let answer = app.anonymous().ask(query).await;
    let page = &answer["hybridSearch"];
    assert_eq!(page["info"]["space"], "kindred-static-256");
    assert!(page["nodes"][0]["body"].as_str().unwrap().contains("Telescopes"), "{page}");
    let similar = &answer["documents"]["nodes"][0]["similar"];
    assert_eq!(similar["info"]["space"], "kindred-static-256");
}

#[tokio::test]
async fn a_space_says_how_long_chunks_are() {
    let app = TestApp::start().await;
    let body: String =
        (0..40).map(|n| format!("Sentence number {n} says a little more. ")).collect();
    let row = json!([{ "externalId": "long", "title": "Long", "body": body }]);
    ingest(&app, row.clone()).await.data();
    let few = chunks(&app).await;
    app.sql("UPDATE embedding_space SET chunk_tokens = 20, chunk_overlap = 0").await;
    // What is known of spaces is remembered for a while.
    let services = app.services_with(app.services.embedder().clone()).await;
    let draft = kindred::model::document::DocumentDraft {
        external_id: Some("long".to_owned()),
        title: Some("Long".to_owned()),
        body: body.clone(),
        url: None,
        tags: Vec::new(),
        language: None,
        format: kindred::model::document::Format::Plain,
        summary: None,
    };
    let admin = kindred::model::Viewer::Admin(crate::support::user_id("admin"));
    let added = async move { services.add_document(admin, draft, None).await.map(|_| ()) };
    app.on_server(added).await.unwrap();
    let many = chunks(&app).await;
    assert!(many.len() > 2 * few.len(), "{} after {}", many.len(), few.len());
    let joined: String = many.iter().map(|(_, text)| text.clone() + " ").collect();
    assert_eq!(
        joined.split_whitespace().collect::<Vec<_>>(),
        body.split_whitespace().collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn documents_from_many_at_once_never_dead_lock() {
    let app = Arc::new(TestApp::plan().with_worker().start().await);
    let requests = (0..6).map(|round| {
        let app = app.clone();
        async move {
            let changing = format!("The text of round {round} is another one.");
            let mut rows: Vec<Value> = (0..8)
                .map(|n| sections(&n.to_string(), &[BREAD, ("Changing", changing.as_str()), STARS]))
                .collect();
            if round % 2 == 0 {
                rows.reverse();
            }
            ingest(&app, json!(rows)).await
        }
    });
    for answer in at_once(requests).await {
        assert_eq!(answer["ingestDocuments"]["rejected"], 0);
    }
    let all = chunks(&app).await;
    assert_eq!(all.len(), 24);
    assert_eq!(app.rows("SELECT content_id FROM chunk").await.len(), 24);
    assert_eq!(app.rows("SELECT id FROM content WHERE kind = 'chunk'").await.len(), 24);
}
