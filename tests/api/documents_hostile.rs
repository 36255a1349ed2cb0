//! Documents that are meant to break something. Each is refused with its reason or taken as it is, and the
//! next client is served.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::documents::ingest;
use crate::support::TestApp;

/// What no text takes; in a build without optimization it is a multiple of what it should be.
const PATIENCE: Duration = Duration::from_mins(1);

const INGEST: &str =
    "mutation ($rows: [DocumentInput!]!) { ingestDocuments(rows: $rows) { created } }";

const READ: &str =
    "{ documents(first: 20) { totalCount nodes { title body url tags summary externalId
    chunkCount chunks(first: 2) { nodes { headings body } } } } }";

/// Sends one document and returns its row of the answer.
async fn send(app: &TestApp, document: Value) -> Value {
    let started = Instant::now();
    let answer = ingest(app, json!([document])).await;
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
    app.anonymous().assert_served().await;
    answer["ingestDocuments"]["rows"][0].clone()
}

#[tokio::test]
async fn a_document_of_fifty_megabytes_is_turned_away() {
    let app = TestApp::start().await;
    let rows = json!([{ "title": "Huge", "body": "word ".repeat(10_000_000) }]);
    let body = json!({ "query": INGEST, "variables": { "rows": rows } }).to_string().into_bytes();
    let client = app.as_admin();
    let request = client.request(reqwest::Method::POST, "/graphql");
    let sent = request.header("content-type", "application/json").body(body).send().await;
    // A server that reads no further may close the connection before everything is sent.
    if let Ok(answer) = sent {
        assert_eq!(answer.status(), 413);
    }
    app.anonymous().assert_served().await;

    // What fits into a request is still held against the limit of a document.
    let row = send(&app, json!({ "body": "x ".repeat(500_001) })).await;
    assert_eq!((&row["status"], &row["field"]), (&json!("REJECTED"), &json!("body")));
    assert_eq!(row["message"], "`body` has 1000002 characters; 1000000 are allowed");
}

#[tokio::test]
async fn a_document_without_words_is_refused_with_its_reason() {
    let app = TestApp::start().await;
    for (body, format, reason) in [
        ("", "PLAIN", "`body` is empty"),
        (" \n\t\u{3000}", "MARKDOWN", "`body` is empty"),
        ("--- *** ``` ...", "MARKDOWN", "`body` holds no letter and no digit"),
        ("<p> </p><script>var x = 1</script>", "HTML", "`body` holds no text"),
        ("<!-- all of it is a comment", "HTML", "`body` holds no text"),
        ("a\u{0}b", "PLAIN", "`body` "),
    ] {
        let row = send(&app, json!({ "title": "T", "body": body, "format": format })).await;
        assert_eq!(row["status"], "REJECTED", "{body:?} {row}");
        assert!(row["message"].as_str().unwrap().starts_with(reason), "{body:?} {row}");
    }
    let answer = app.anonymous().ask("{ documents { totalCount } }").await;
    assert_eq!(answer["documents"]["totalCount"], 0);
}

#[tokio::test]
async fn binary_bytes_are_no_request() {
    let app = TestApp::start().await;
    let start =
        format!("{{\"query\": {}, \"variables\": {{\"rows\": [{{\"body\": \"", json!(INGEST));
    for bytes in [&b"\xff\xfe\x00\x01"[..], b"\x89PNG\r\n\x1a\n", b"caf\xe9"] {
        let body = [start.as_bytes(), bytes, b"\"}]}}"].concat();
        let answer = app.as_admin().raw(body).await;
        assert!(answer.status.is_client_error(), "{}", answer.text);
        app.anonymous().assert_served().await;
    }
    // As text they are characters like any other, as long as PostgreSQL can hold them.
    let row =
        send(&app, json!({ "body": "\u{1}\u{2}words \u{fffd}\u{feff}\u{7f} with signs" })).await;
    assert_eq!(row["status"], "CREATED", "{row}");
}

#[tokio::test]
async fn texts_that_nest_deeply_are_cut_like_others() {
    let app = TestApp::start().await;
    let deep = |open: &str| open.repeat(10_000) + " the word";
    let nested: String = (0..500).map(|depth| "  ".repeat(depth) + "- item\n").collect();
    for (format, body) in [
        ("MARKDOWN", deep("> ")),
        ("MARKDOWN", deep("- ")),
        ("MARKDOWN", deep("[")),
        ("MARKDOWN", deep("[^\n")),
        ("MARKDOWN", nested),
        ("HTML", deep("<div>")),
        ("HTML", deep("<b a=1>")),
        ("HTML", deep("<ul><li>")),
        ("PLAIN", "x".repeat(200_000)),
        ("PLAIN", deep("\u{202e}")),
    ] {
        let shown: String = body.chars().take(8).collect();
        let row = send(&app, json!({ "body": body, "format": format })).await;
        assert_eq!(row["status"], "CREATED", "{shown:?} {row}");
    }
}

#[tokio::test]
async fn a_hundred_thousand_headings_are_cut_into_parts_of_many() {
    let app = TestApp::start().await;
    let body: String = (0..100_000).map(|number| format!("# {number}\nx\n")).collect();
    let row = send(&app, json!({ "body": body, "format": "MARKDOWN" })).await;
    assert_eq!(row["status"], "CREATED", "{row}");
    let answer = app.anonymous().ask("{ documents { nodes { title chunkCount } } }").await;
    let document = &answer["documents"]["nodes"][0];
    assert_eq!(document["title"], "0");
    assert!((500..10_000).contains(&document["chunkCount"].as_i64().unwrap()), "{document}");
}

#[tokio::test]
async fn right_to_left_text_comes_back_as_it_was_sent() {
    let app = TestApp::start().await;
    let body = "# שלום עולם\n\nהחתול יושב על השטיח. 🐈‍⬛\n\n## مرحبا\n\nالقطة تجلس على السجادة.";
    let row = send(&app, json!({ "body": body, "format": "MARKDOWN", "language": "ar" })).await;
    assert_eq!(row["status"], "CREATED", "{row}");
    let answer = app.anonymous().ask(READ).await;
    let document = &answer["documents"]["nodes"][0];
    assert_eq!((&document["body"], &document["title"]), (&json!(body), &json!("שלום עולם")));
    let search = "query ($text: String!) { hybridSearch(query: $text, semanticRatio: 0) {
        nodes { ... on Chunk { body } } } }";
    let answer = app.anonymous().query(search, json!({ "text": "السجادة" })).await;
    let found = answer["hybridSearch"]["nodes"][0]["body"].as_str().unwrap();
    assert!(found.contains("السجادة"), "{found}");
}

#[tokio::test]
async fn markup_and_queries_in_a_field_are_text() {
    let app = TestApp::start().await;
    for text in [
        "<script>alert(1)</script>\"><img src=x onerror=alert(1)>",
        "\"}]) { id } } mutation { purge(ids: []) { count } } #",
        "'; DROP TABLE content; -- $1 %s \\' {{7*7}} ${x}",
    ] {
        let body = format!("{text}\n\nA paragraph about it.");
        let row = send(
            &app,
            json!({ "externalId": text, "title": text, "body": body, "tags": [text], "summary": text,
                "format": "MARKDOWN" }),
        )
        .await;
        assert_eq!(row["status"], "CREATED", "{row}");
        assert_eq!(row["externalId"], text);
        let answer = app.anonymous().ask(READ).await;
        let nodes = answer["documents"]["nodes"].as_array().unwrap();
        let node = nodes.iter().find(|node| node["externalId"] == text).unwrap();
        for field in ["title", "summary"] {
            assert_eq!(node[field], text, "{field}");
        }
        assert_eq!((&node["tags"], &node["body"]), (&json!([text]), &json!(body)));
        let row = send(&app, json!({ "body": "words", "url": text })).await;
        assert_eq!((&row["status"], &row["field"]), (&json!("REJECTED"), &json!("url")), "{row}");
        let row = send(&app, json!({ "body": "words", "language": text })).await;
        assert_eq!(
            (&row["status"], &row["field"]),
            (&json!("REJECTED"), &json!("language")),
            "{row}"
        );
    }
    // What a page shows is text too: the marks that it names are none.
    let html = "<p>Write &lt;script&gt;alert(1)&lt;/script&gt; here</p><script>hidden()</script>";
    send(&app, json!({ "externalId": "page", "title": "Page", "body": html, "format": "HTML" }))
        .await;
    let answer = app.anonymous().ask(READ).await;
    let nodes = answer["documents"]["nodes"].as_array().unwrap();
    let node = nodes.iter().find(|node| node["externalId"] == "page").unwrap();
    assert_eq!(node["chunks"]["nodes"][0]["body"], "Write <script>alert(1)</script> here");
}

#[tokio::test]
async fn a_language_that_does_not_exist_is_named_with_those_that_do() {
    let app = TestApp::start().await;
    for language in ["klingon", "xx", "english; DROP", "pg_catalog.english", "\u{202e}de"] {
        let row = send(&app, json!({ "body": "words", "language": language })).await;
        assert_eq!(
            (&row["status"], &row["field"]),
            (&json!("REJECTED"), &json!("language")),
            "{row}"
        );
        let message = row["message"].as_str().unwrap();
        assert!(message.contains("german") && message.contains(language), "{message}");
    }
}
