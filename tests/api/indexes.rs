//! The HNSW index from its building on: everything goes on meanwhile, and a crash is made good.

use std::time::Duration;

use kindred::model::Scope;
use kindred::store::Tx;
use kindred::worker::{Ran, Worker};
use serde_json::{Value, json};

use crate::support::database::{lacks_server, server_url};
use crate::support::embedders::HalfEmbedder;
use crate::support::{PATIENCE, TestApp, at_once, catalogue, texts};

const SETTINGS: [&str; 4] = ["--index-rows", "50", "--exact-search-rows", "2"];

/// The index of the songs of a space.
async fn index(app: &TestApp, space: &str) -> Value {
    let query =
        "{ embeddingSpaces { name holds { kind index { state progress phase bytes type } } } }";
    let answer = app.as_admin().ask(query).await;
    let spaces = answer["embeddingSpaces"].as_array().unwrap();
    let space = spaces.iter().find(|found| found["name"] == space).unwrap();
    let held = space["holds"].as_array().unwrap();
    held.iter().find(|held| held["kind"] == "SONG").unwrap()["index"].clone()
}

const OWN: &str = "kindred-static-256";

/// Waits on a state with a bound.
async fn wait_for(holds: impl AsyncFn() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it never comes true");
}

#[tokio::test]
async fn a_space_that_does_not_answer_yet_has_its_index_before_it_does() {
    let app = TestApp::plan().with(&SETTINGS).model(HalfEmbedder::new()).start().await;
    app.songs(&catalogue::demo()[..60]).await;
    let create = "mutation { createSpace(name: \"half\", backend: \"static\", model: \"half-of-it\") { space { name } } }";
    app.as_admin().ask(create).await.data();
    app.run_queue().await;
    let of = if server_url().is_some() { "hnsw(halfvec)" } else { "hnsw(vector)" };
    for space in [OWN, "half"] {
        let index = index(&app, space).await;
        assert_eq!((&index["state"], &index["type"]), (&json!("READY"), &json!(of)), "{space}");
        assert!(index["bytes"].as_i64().unwrap() > 0 && index["progress"].is_null());
    }
    app.as_admin().ask("mutation { promoteSpace(space: \"half\") { kinds } }").await.data();
    let answer =
        app.anonymous().ask("{ recommend(query: \"love\") { info { space strategy } } }").await;
    assert_eq!(answer["recommend"]["info"], json!({ "space": "half", "strategy": "HNSW" }));
}

/// A writer that does not end, for which a build waits.
async fn writer(app: &TestApp) -> Tx {
    let leaf = app
        .rows(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 'song_embedding_%'",
        )
        .await;
    let statement = format!("DELETE FROM {} WHERE false", leaf[0]["relname"].as_str().unwrap());
    let db = app.services.db().clone();
    app.on_server(async move {
        let mut tx = db.begin(Scope::system()).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut *tx).await.unwrap();
        tx
    })
    .await
}

/// Sixty embedded songs whose index is due but not built yet.
async fn due() -> TestApp {
    let app = TestApp::plan().with(&SETTINGS).start().await;
    app.ingest(&catalogue::demo()[..60], None).await;
    let worker = Worker::new(app.services.clone());
    let ran = app.on_server(async move { worker.run_once().await }).await.unwrap();
    assert_eq!(ran, Ran::Tasks(60));
    app
}

#[tokio::test]
async fn rows_are_written_embedded_and_found_while_an_index_is_built() {
    if lacks_server("rows_are_written_embedded_and_found_while_an_index_is_built") {
        return;
    }
    let app = due().await;
    let writer = writer(&app).await;
    let services = app.services.clone();
    let building =
        app.on_server(async move { tokio::spawn(async move { services.maintain().await }) }).await;
    wait_for(async || index(&app, OWN).await["state"] == "BUILDING").await;
    let shown = index(&app, OWN).await;
    assert!(shown["phase"].as_str().unwrap().contains("waiting for writers"), "{shown}");

    let song = catalogue::song("Zeppelin", "Hindenburg airship disaster over Lakehurst.");
    let ids = app.ingest(&[song], None).await;
    let worker = Worker::new(app.services.clone());
    let ran = app.on_server(async move { worker.run_once().await }).await.unwrap();
    assert_eq!(ran, Ran::Tasks(1));
    let query = "{ recommend(query: \"Hindenburg airship disaster over Lakehurst\", first: 1) {
        nodes { id embeddingStatus } info { strategy } } }";
    let answer = app.anonymous().ask(query).await;
    assert_eq!(texts(&answer["recommend"]["nodes"], "id"), ids);
    assert_eq!(answer["recommend"]["info"]["strategy"], "EXACT");
    assert!(!building.is_finished());

    app.on_server(async move { writer.rollback().await }).await.unwrap();
    building.await.unwrap().unwrap();
    assert_eq!(index(&app, OWN).await["state"], "READY");
    let answer = app.anonymous().ask(query).await;
    assert_eq!(texts(&answer["recommend"]["nodes"], "id"), ids);
    assert_eq!(answer["recommend"]["info"]["strategy"], "HNSW");
}

#[tokio::test]
async fn an_index_whose_building_was_cut_off_is_built_again() {
    if lacks_server("an_index_whose_building_was_cut_off_is_built_again") {
        return;
    }
    let app = due().await;
    let writer = writer(&app).await;
    let services = app.services.clone();
    let building =
        app.on_server(async move { tokio::spawn(async move { services.maintain().await }) }).await;
    let invalid = "SELECT 1 FROM pg_index WHERE NOT indisvalid";
    wait_for(async || !app.rows(invalid).await.is_empty()).await;
    app.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_progress_create_index WHERE datname = current_database()")
        .await;
    assert!(building.await.unwrap().is_err());
    app.on_server(async move { writer.rollback().await }).await.unwrap();
    assert_eq!(app.rows(invalid).await.len(), 1, "the crash left nothing behind to be made good");
    // An index that is not valid serves nobody.
    let query = "{ recommend(query: \"love\") { nodes { id } info { strategy } } }";
    assert_eq!(app.anonymous().ask(query).await["recommend"]["info"]["strategy"], "EXACT");
    app.run_queue().await;
    assert_eq!(app.rows(invalid).await, Vec::<Value>::new());
    assert_eq!(index(&app, OWN).await["state"], "READY");
    assert_eq!(app.anonymous().ask(query).await["recommend"]["info"]["strategy"], "HNSW");
}

#[tokio::test]
async fn several_processes_build_one_index() {
    if lacks_server("several_processes_build_one_index") {
        return;
    }
    let app = due().await;
    let all = [
        app.services.clone(),
        app.services_with(app.services.embedder().clone()).await,
        app.services_with(app.services.embedder().clone()).await,
    ];
    let builds: Vec<_> =
        all.into_iter().map(|services| async move { services.maintain().await }).collect();
    for outcome in app.on_server(at_once(builds)).await {
        outcome.unwrap();
    }
    wait_for(async || index(&app, OWN).await["state"] == "READY").await;
    let indexes = "SELECT indexrelid FROM pg_index WHERE indexrelid::regclass::text LIKE '%hnsw%'";
    assert_eq!(app.rows(indexes).await.len(), 1);
    // The connections that built it took their settings with them.
    let db = app.services.db().clone();
    let timeouts = app
        .on_server(async move {
            let mut open = Vec::new();
            for _ in 0..5 {
                open.push(db.begin(Scope::system()).await.unwrap());
            }
            let mut timeouts = Vec::new();
            for tx in &mut open {
                let shown: String = sqlx::query_scalar("SHOW statement_timeout")
                    .fetch_one(&mut **tx)
                    .await
                    .unwrap();
                timeouts.push(shown);
            }
            timeouts
        })
        .await;
    assert!(timeouts.iter().all(|timeout| timeout == "10s"), "{timeouts:?}");
}
