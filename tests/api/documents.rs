//! Documents: `ingestDocuments`, `addDocument`, `updateDocument`, `documents`.

use serde_json::{Value, json};

use crate::support::client::Answer;
use crate::support::{TestApp, texts, titles, user_id};

pub(crate) const INGEST: &str =
    "mutation ($rows: [DocumentInput!]!, $mode: IngestMode! = UPSERT, $owner: ID) {
    ingestDocuments(rows: $rows, mode: $mode, ownerId: $owner) {
        created updated unchanged duplicates rejected
        rows { index status id externalId field message } } }";
const ADD: &str = "mutation ($input: DocumentInput!, $owner: ID) {
    addDocument(input: $input, ownerId: $owner) {
        status document { id title summary chunkCount chunks { nodes { id body } } } } }";
const UPDATE: &str = "mutation ($id: ID!, $input: DocumentChangesInput!) {
    updateDocument(id: $id, input: $input) {
        status document { id title url tags language format body summary } } }";

/// Ingests documents into the shared catalogue.
pub(crate) async fn ingest(app: &TestApp, rows: Value) -> Answer {
    app.as_admin().query(INGEST, json!({ "rows": rows })).await
}

/// As [`ingest`], with their owner; returns their ids.
pub(crate) async fn ingest_of(app: &TestApp, owner: Option<&str>, rows: Value) -> Vec<String> {
    let variables = json!({ "rows": rows, "owner": owner.map(user_id) });
    let answer = app.as_admin().query(INGEST, variables).await;
    let payload = &answer["ingestDocuments"];
    assert_eq!(payload["rejected"], 0, "{payload}");
    texts(&payload["rows"], "id")
}

/// A document of Markdown whose sections are its chunks.
pub(crate) fn sections(external_id: &str, sections: &[(&str, &str)]) -> Value {
    let section = |(heading, text): &(&str, &str)| format!("# {heading}\n\n{text}\n\n");
    let body: String = sections.iter().map(section).collect();
    json!({ "externalId": external_id, "title": "A guide", "body": body, "format": "MARKDOWN" })
}

pub(crate) const BREAD: (&str, &str) =
    ("Bread", "Sourdough bread rises slowly and is baked in a hot oven.");
pub(crate) const ICE: (&str, &str) = ("Ice", "Glaciers are rivers of ice that carve valleys.");
pub(crate) const STARS: (&str, &str) =
    ("Stars", "Telescopes gather the light of distant stars and galaxies.");

pub(crate) fn guide() -> Value {
    let mut guide = sections("guide", &[BREAD, ICE, STARS]);
    guide["url"] = "https://example.org/guide".into();
    guide["tags"] = json!(["Bread", "ice"]);
    guide["language"] = "en".into();
    guide
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
    assert_eq!(document["format"], "MARKDOWN");
    assert_eq!(document["body"], guide()["body"]);
    assert_eq!(document["embeddingStatus"], "PENDING");
    assert!(document["summary"].as_str().unwrap().contains("Glaciers are rivers"), "{document}");
    let chunks = document["chunks"]["nodes"].as_array().unwrap();
    assert_eq!((chunks.len(), &document["chunkCount"]), (3, &json!(3)));
    assert_eq!(document["chunks"]["totalCount"], 3);
    for (position, (chunk, (heading, text))) in chunks.iter().zip([BREAD, ICE, STARS]).enumerate() {
        assert_eq!(chunk["position"], position);
        assert_eq!(chunk["title"], "A guide");
        assert_eq!(chunk["headings"], json!([heading]));
        assert!(chunk["body"].as_str().unwrap().contains(text), "{chunk}");
        assert_eq!(chunk["document"]["id"], document["id"]);
        assert_eq!(chunk["embeddingStatus"], "PENDING");
    }
}

#[tokio::test]
async fn chunks_are_found_by_words_and_by_meaning() {
    let app = TestApp::start().await;
    ingest(&app, json!([guide()])).await.data();
    app.run_queue().await;
    let query =
        "query ($text: String!, $kinds: [Kind!]!) { hybridSearch(query: $text, kinds: $kinds) {
        nodes { id title ... on Chunk { body document { title } } } } }";
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
    assert_eq!(texts(&document["chunks"]["nodes"], "embeddingStatus"), ["READY"; 3]);
}

#[tokio::test]
async fn each_document_says_what_became_of_it() {
    let app = TestApp::start().await;
    ingest(&app, json!([guide()])).await.data();
    let plain = |id: &str, body: &str| json!({ "externalId": id, "body": body });
    let changed = sections("guide", &[BREAD, STARS]);
    let rows = json!([
        guide(), plain("new", "One word."), plain("new", "Again."), plain("empty", " \n"),
        plain("signs", "?! ..."), plain("nul", "a\u{0}b"),
        { "externalId": "url", "body": "x", "url": "ftp://example.org" },
        { "externalId": "language", "body": "x", "language": "klingon" },
    ]);
    let answer = ingest(&app, rows).await;
    let rows = &answer["ingestDocuments"]["rows"];
    let expected = ["UNCHANGED", "CREATED", "DUPLICATE", "REJECTED"];
    assert_eq!(texts(rows, "status")[..4], expected);
    let faults: Vec<_> =
        texts(rows, "field").into_iter().zip(texts(rows, "message")).skip(3).collect();
    let words = ["at least one word", "no letter", "NUL", "https://", "swedish"];
    let fields = ["body", "body", "body", "url", "language"];
    for ((field, message), (expected, word)) in faults.iter().zip(fields.iter().zip(words)) {
        assert_eq!(field, expected);
        assert!(message.contains(word), "{message}");
    }
    let answer = ingest(&app, json!([changed])).await;
    assert_eq!(answer["ingestDocuments"]["updated"], 1);
    let many = vec![plain("x", "x"); 51];
    let answer = ingest(&app, json!(many)).await;
    answer.assert_error("INVALID_ARGUMENT", &["51", "50"]);
}

#[tokio::test]
async fn everybody_adds_documents_of_their_own() {
    let app = TestApp::start().await;
    let input = json!({ "body": "# My notes\n\nAbout sourdough.", "format": "MARKDOWN" });
    let ada = app.as_user("ada");
    let answer = ada.query(ADD, json!({ "input": input })).await;
    let added = &answer["addDocument"];
    assert_eq!(added["status"], "CREATED");
    assert_eq!(added["document"]["title"], "My notes");
    assert_eq!(added["document"]["chunkCount"], 1);
    let again = ada.query(ADD, json!({ "input": input, "owner": user_id("ada") })).await;
    assert_eq!(again["addDocument"]["status"], "UNCHANGED");
    assert_eq!(again["addDocument"]["document"]["id"], added["document"]["id"]);
    let other = ada.query(ADD, json!({ "input": input, "owner": user_id("bob") })).await;
    other.assert_error("FORBIDDEN", &["administrators"]);
    let anonymous = app.anonymous().query(ADD, json!({ "input": input })).await;
    anonymous.assert_error("UNAUTHENTICATED", &["token"]);
    let bad = ada.query(ADD, json!({ "input": { "body": "" } })).await;
    bad.assert_error("INVALID_ARGUMENT", &["`body`", "empty"]);
    let count = "{ documents { totalCount } }";
    for (viewer, expected) in [(ada, 1), (app.as_user("bob"), 0), (app.anonymous(), 0)] {
        assert_eq!(viewer.ask(count).await["documents"]["totalCount"], expected);
    }
    let shared = app.as_admin().query(ADD, json!({ "input": input })).await;
    assert_eq!(shared["addDocument"]["status"], "CREATED");
    let given = json!({ "input": { "body": "For Bob." }, "owner": user_id("bob") });
    app.as_admin().query(ADD, given).await.data();
    assert_eq!(app.anonymous().ask(count).await["documents"]["totalCount"], 1);
    assert_eq!(app.as_user("bob").ask(count).await["documents"]["totalCount"], 2);
}

#[tokio::test]
async fn an_update_changes_what_is_given_and_nothing_else() {
    let app = TestApp::start().await;
    let id = ingest_of(&app, Some("ada"), json!([guide()])).await.remove(0);
    let ada = app.as_user("ada");
    let change = async |input: Value| {
        let answer = ada.query(UPDATE, json!({ "id": id, "input": input })).await;
        answer["updateDocument"].clone()
    };
    let same = change(json!({})).await;
    assert_eq!(same["status"], "UNCHANGED");
    assert_eq!(same["document"]["body"], guide()["body"]);
    let changed =
        change(json!({ "title": "New", "tags": ["a"], "url": "", "language": "de" })).await;
    assert_eq!(changed["status"], "UPDATED");
    let document = &changed["document"];
    assert_eq!(document["title"], "New");
    assert_eq!(document["tags"], json!(["a"]));
    assert_eq!(document["url"], Value::Null);
    assert_eq!(document["language"], "german");
    assert_eq!(document["format"], "MARKDOWN");
    assert_eq!(document["body"], guide()["body"]);
    let changed = change(json!({ "body": "# Cheese\n\nMilk that ripens." })).await;
    let summary = changed["document"]["summary"].as_str().unwrap();
    assert!(summary.contains("Milk") && !summary.contains("Glaciers"), "{summary}");
    let changed = change(json!({ "summary": "My own words." })).await;
    assert_eq!(changed["document"]["summary"], "My own words.");
    assert_eq!(changed["document"]["title"], "New");
}

#[tokio::test]
async fn only_the_owner_and_administrators_update_a_document() {
    let app = TestApp::start().await;
    let own = ingest_of(&app, Some("ada"), json!([guide()])).await.remove(0);
    let shared = ingest_of(&app, None, json!([guide()])).await.remove(0);
    let update = |id: &str| json!({ "id": id, "input": { "title": "Mine" } });
    let bob = app.as_user("bob");
    bob.query(UPDATE, update(&own)).await.assert_error("NOT_FOUND", &[&own]);
    bob.query(UPDATE, update(&shared)).await.assert_error("FORBIDDEN", &["administrators"]);
    for id in [&own, &shared] {
        let answer = app.anonymous().query(UPDATE, update(id)).await;
        answer.assert_error("UNAUTHENTICATED", &["token"]);
        let answer = app.as_admin().query(UPDATE, update(id)).await;
        assert_eq!(answer["updateDocument"]["document"]["title"], "Mine");
    }
    // What an administrator changed is still its owner's.
    let answer = app.as_user("ada").ask("{ documents { totalCount } }").await;
    assert_eq!(answer["documents"]["totalCount"], 2);
    assert_eq!(
        app.anonymous().ask("{ documents { totalCount } }").await["documents"]["totalCount"],
        1
    );
}

#[tokio::test]
async fn documents_and_chunks_are_narrowed_and_ordered() {
    let app = TestApp::start().await;
    let rows = json!([
        { "externalId": "1", "title": "b", "body": "Brot und Butter.", "language": "de", "tags": ["food", "de"] },
        { "externalId": "2", "title": "a", "body": "Bread and butter.", "tags": ["food"], "url": "https://example.org/2" },
        { "externalId": "3", "title": "c", "body": "Stars and butter.", "tags": ["sky"] },
    ]);
    let ids = ingest_of(&app, None, rows).await;
    app.run_queue().await;
    let list = "query ($where: ContentFilter, $order: DocumentOrder) {
        documents(where: $where, orderBy: $order) { totalCount nodes { title } } }";
    let search = "query ($where: ContentFilter) { hybridSearch(query: \"butter\", kinds: [CHUNK], where: $where) {
        nodes { title } } }";
    let title = json!({ "field": "TITLE", "direction": "ASC" });
    for (document, expected) in [
        (json!({ "tags": ["food"] }), vec!["a", "b"]),
        (json!({ "tags": ["sky", "de"] }), vec!["b", "c"]),
        (json!({ "language": { "eq": "de" } }), vec!["b"]),
        (json!({ "language": { "in": ["english", "de"] } }), vec!["a", "b", "c"]),
        (json!({ "url": { "contains": "EXAMPLE.org" } }), vec!["a"]),
    ] {
        let narrowed = json!({ "where": { "document": document }, "order": title });
        let answer = app.anonymous().query(list, narrowed).await;
        assert_eq!(titles(&answer["documents"]), expected, "{document}");
        assert_eq!(answer["documents"]["totalCount"], expected.len());
        let narrowed = json!({ "where": { "chunk": { "document": document } } });
        let answer = app.anonymous().query(search, narrowed).await;
        let mut found = titles(&answer["hybridSearch"]);
        found.sort();
        assert_eq!(found, expected, "{document}");
    }
    let narrowed =
        json!({ "where": { "chunk": { "documentIds": [ids[2]], "position": { "eq": 0 } } } });
    let answer = app.anonymous().query(search, narrowed).await;
    assert_eq!(titles(&answer["hybridSearch"]), ["c"]);
    for (bad, word) in [
        (json!({ "document": { "language": { "eq": "xx" } } }), "`xx`"),
        (
            json!({ "chunk": { "documentIds": [ids[0].replace("document:", "song:")] } }),
            "no document",
        ),
    ] {
        let answer = app.anonymous().query(list, json!({ "where": bad })).await;
        answer.assert_error("INVALID_ARGUMENT", &["`where`", word]);
    }
    let newest = app.anonymous().query(list, json!({})).await;
    assert_eq!(newest["documents"]["totalCount"], 3);
}

#[tokio::test]
async fn the_whole_texts_of_one_list_are_bounded() {
    let app = TestApp::start().await;
    for n in 0..5 {
        let body = format!("{n} {}", "word ".repeat(180_000));
        ingest(&app, json!([{ "externalId": n.to_string(), "body": body }])).await.data();
    }
    let query = "query ($first: Int!) { documents(first: $first) { nodes { title body } } }";
    let answer = app.anonymous().query(query, json!({ "first": 4 })).await;
    assert_eq!(answer["documents"]["nodes"][3]["body"].as_str().unwrap().len(), 900_002);
    let answer = app.anonymous().query(query, json!({ "first": 5 })).await;
    answer.assert_error("INVALID_ARGUMENT", &["`body`", "4000000"]);
}
