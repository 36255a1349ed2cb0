//! What breaks inside stays inside.

use serde_json::json;

use crate::support::embedders::{CANARY, Fault, FlakyEmbedder};
use crate::support::{TestApp, catalogue};

const SEARCH: &str = "{ recommend(query: \"poison\") { nodes { id } } }";

#[tokio::test]
async fn a_failure_of_the_model_is_an_internal_error_with_an_id() {
    let app = TestApp::plan()
        .embedder(|inner| FlakyEmbedder::on("poison", Fault::Fails, inner))
        .start()
        .await;
    app.songs(&catalogue::songs()).await;
    let answer = app.anonymous().ask(SEARCH).await;
    answer.assert_error("INTERNAL", &["internal error"]);
    assert!(answer.body["errors"][0]["extensions"]["errorId"].is_string());
    assert!(!answer.text.contains(CANARY), "{}", answer.text);
    app.anonymous().ask("{ recommend(query: \"metal\") { nodes { id } } }").await.data();
}

#[tokio::test]
async fn a_panic_is_an_internal_error_and_the_next_request_is_served() {
    let app = TestApp::plan()
        .embedder(|inner| FlakyEmbedder::on("poison", Fault::Panics, inner))
        .start()
        .await;
    app.songs(&catalogue::songs()).await;
    for _ in 0..3 {
        let answer = app.anonymous().ask(SEARCH).await;
        assert_eq!(answer.status, 500);
        answer.assert_error("INTERNAL", &["internal error"]);
        assert!(!answer.text.contains(CANARY), "{}", answer.text);
        assert!(answer.headers.contains_key("x-request-id"));
        app.anonymous().assert_served().await;
    }
    let nested = "{ songs { totalCount } recommend(query: \"poison\") { nodes { id } } }";
    assert_eq!(app.anonymous().ask(nested).await.status, 500);
    assert_eq!(app.anonymous().ask("{ songs { totalCount } }").await["songs"]["totalCount"], 8);
}

#[tokio::test]
async fn a_broken_table_is_an_internal_error_without_a_word_of_sql() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    app.sql("ALTER TABLE song RENAME COLUMN band TO canary_column").await;
    let queries = [
        "{ songs(orderBy: { field: BAND }) { nodes { id } } }".to_owned(),
        format!("{{ node(id: \"{}\") {{ id }} }}", ids[0]),
        "{ recommend(query: \"metal\") { nodes { id } } }".to_owned(),
        "mutation { ingestSongs(rows: [{ title: \"x\" }]) { created } }".to_owned(),
    ];
    for query in queries {
        let answer = app.as_admin().ask(&query).await;
        assert_eq!(answer.code(), "INTERNAL", "{query}: {}", answer.text);
        assert_eq!(answer.message(), "internal error");
        for word in ["canary", "does not exist", "SELECT", "relation"] {
            assert!(!answer.text.contains(word), "{query}: {}", answer.text);
        }
    }
    app.sql("ALTER TABLE song RENAME COLUMN canary_column TO band").await;
    app.anonymous().ask("{ songs { nodes { band } } }").await.data();
}

#[tokio::test]
async fn what_the_database_holds_and_nobody_understands_is_an_internal_error() {
    let app = TestApp::with_songs().await;
    app.sql("UPDATE content SET external_id = external_id; ALTER TABLE song DROP CONSTRAINT song_key_check; UPDATE song SET key = 'canary'").await;
    let answer = app.anonymous().ask("{ songs { nodes { id } } }").await;
    answer.assert_error("INTERNAL", &["internal error"]);
    assert!(!answer.text.contains("canary"), "{}", answer.text);
}

#[tokio::test]
async fn errors_of_a_request_carry_where_they_are() {
    let app = TestApp::start().await;
    let answer = app.anonymous().ask("{ songs {\n  nope } }").await;
    assert_eq!(answer.code(), "VALIDATION_FAILED");
    assert_eq!(answer.body["errors"][0]["locations"], json!([{ "line": 2, "column": 3 }]));
    let answer = app.anonymous().ask("{ a: node(id: \"x\") { id } }").await;
    assert_eq!(answer.body["errors"][0]["path"], json!(["a"]));
}
