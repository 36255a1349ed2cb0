//! `stats`, `failedTasks` and `embeddingSpaces`.

use serde_json::{Value, json};

use crate::support::{TestApp, catalogue, texts};

const STATS: &str = "{ stats { kinds { kind rows embedded space dimensions hasIndex }
    pendingTasks failedTasks database { serverVersion pgvectorVersion sizeBytes
        tables { name rows tableBytes indexBytes } } } }";

fn songs(stats: &Value) -> &Value {
    let kinds = stats["kinds"].as_array().unwrap();
    kinds.iter().find(|kind| kind["kind"] == "SONG").unwrap()
}

#[tokio::test]
async fn rows_vectors_and_the_queue_are_counted() {
    let app = TestApp::start().await;
    app.ingest(&catalogue::songs(), None).await;
    let answer = app.anonymous().ask(STATS).await;
    let stats = &answer["stats"];
    assert_eq!(stats["pendingTasks"], 8);
    assert_eq!((&songs(stats)["rows"], &songs(stats)["embedded"]), (&json!(8), &json!(0)));
    app.run_queue().await;
    let answer = app.anonymous().ask(STATS).await;
    let stats = &answer["stats"];
    assert_eq!(stats["pendingTasks"], 0);
    assert_eq!(songs(stats)["embedded"], 8);
    assert_eq!(songs(stats)["dimensions"], 256);
    assert_eq!(stats["kinds"].as_array().unwrap().len(), 6);
}

#[tokio::test]
async fn only_administrators_see_the_database() {
    let app = TestApp::with_songs().await;
    for viewer in [app.anonymous(), app.as_user("ada")] {
        let answer = viewer.ask(STATS).await;
        assert_eq!(answer["stats"]["database"], Value::Null);
        let answer = viewer.ask("{ stats { kinds { vectors } } }").await;
        assert!(["FORBIDDEN", "UNAUTHENTICATED"].contains(&answer.code()));
        let answer = viewer.ask("{ failedTasks { contentId } }").await;
        assert!(["FORBIDDEN", "UNAUTHENTICATED"].contains(&answer.code()));
    }
    let answer = app.as_admin().ask(STATS).await;
    let database = &answer["stats"]["database"];
    assert!(database["sizeBytes"].as_i64().unwrap() > 1_000_000);
    assert!(database["pgvectorVersion"].as_str().unwrap().starts_with("0."));
    assert!(texts(&database["tables"], "name").contains(&"content".to_owned()));
    let answer = app.as_admin().ask("{ stats { kinds { kind vectors } } }").await;
    assert_eq!(songs(&answer["stats"])["vectors"], 8);
}

#[tokio::test]
async fn deleted_songs_are_not_counted() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    let delete = "mutation ($ids: [ID!]!) { softDelete(ids: $ids, atMost: 2) { ids } }";
    app.as_admin().query(delete, json!({ "ids": ids[..2] })).await.data();
    let answer = app.anonymous().ask(STATS).await;
    let songs = songs(&answer["stats"]);
    assert_eq!((&songs["rows"], &songs["embedded"]), (&json!(6), &json!(6)));
}

#[tokio::test]
async fn one_space_answers_for_every_kind() {
    let app = TestApp::start().await;
    let query =
        "{ embeddingSpaces { name backend model dimensions templateVersion state activeFor } }";
    let answer = app.anonymous().ask(query).await;
    let spaces = answer["embeddingSpaces"].as_array().unwrap();
    assert_eq!(spaces.len(), 1);
    assert_eq!(spaces[0]["state"], "ACTIVE");
    assert_eq!(spaces[0]["backend"], "static");
    assert_eq!(spaces[0]["dimensions"], 256);
    assert_eq!(spaces[0]["activeFor"].as_array().unwrap().len(), 6);
    app.songs(&catalogue::songs()).await;
    let name = spaces[0]["name"].as_str().unwrap();
    let query = "query ($space: String!) {
        recommend(query: \"metal\", space: $space) { info { space } nodes { id } } }";
    let answer = app.anonymous().query(query, json!({ "space": name })).await;
    assert_eq!(answer["recommend"]["info"]["space"], name);
    for space in ["", "nope", "x\u{0}", "'; --"] {
        let answer = app.anonymous().query(query, json!({ "space": space })).await;
        answer.assert_error("INVALID_ARGUMENT", &["`space`", name]);
    }
}

#[tokio::test]
async fn only_what_is_asked_for_is_counted() {
    let app = TestApp::with_songs().await;
    // Whoever looks at vectors now meets an error.
    app.sql("ALTER TABLE embedding RENAME COLUMN content_id TO content_away").await;
    let answer = app.as_admin().ask("{ stats { pendingTasks failedTasks } }").await;
    assert_eq!(answer["stats"], json!({ "pendingTasks": 0, "failedTasks": 0 }));
    let answer = app.as_admin().ask("{ stats { database { sizeBytes } } }").await;
    assert!(answer["stats"]["database"]["sizeBytes"].is_i64());
    let answer = app.as_admin().ask("{ stats { kinds { embedded } } }").await;
    answer.assert_error("INTERNAL", &["internal error"]);
}

#[tokio::test]
async fn a_model_that_costs_nothing_leaves_no_usage() {
    let app = TestApp::with_songs().await;
    app.anonymous().ask("{ recommend(query: \"metal\") { nodes { id } } }").await.data();
    let answer = app
        .as_admin()
        .ask("{ stats { usage { day } queryCache { hits misses hitRate entries } } }")
        .await;
    let unused = json!({ "hits": 0, "misses": 0, "hitRate": null, "entries": 0 });
    assert_eq!(answer["stats"], json!({ "usage": [], "queryCache": unused }));
}
