//! The queue: what becomes of texts that cannot be embedded, and of workers that stop half-way.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use kindred::embed::Embedder;
use kindred::model::{Clock, Kind, Scope};
use kindred::store::lease::{self, Claim, Lane, Origin, Target};
use kindred::worker::{Ran, Worker};
use serde_json::{Value, json};

use crate::support::embedders::{CANARY, Fault, FlakyEmbedder, GateEmbedder};
use crate::support::{PATIENCE, TestApp, at_once, catalogue, texts};

/// Lets every task be due, as if its back-off or its lease had run out.
pub(crate) const WAIT: &str = "UPDATE embedding_task SET run_at = now() - interval '1 hour',
    lease_until = now() - interval '1 hour' WHERE state = 'pending'";

fn poison() -> Value {
    catalogue::song("Poison", "A text with poison in it.")
}

pub(crate) async fn statuses(app: &TestApp) -> Vec<(String, String)> {
    let query =
        "{ songs(first: 100, orderBy: { field: TITLE }) { nodes { title embeddingStatus } } }";
    let answer = app.as_admin().ask(query).await;
    let nodes = &answer["songs"]["nodes"];
    texts(nodes, "title").into_iter().zip(texts(nodes, "embeddingStatus")).collect()
}

pub(crate) async fn status_of(app: &TestApp, title: &str) -> String {
    let all = statuses(app).await;
    all.into_iter().find(|(found, _)| found == title).unwrap().1
}

/// A worker of the server's database with an embedder of the test's own.
pub(crate) async fn worker_with(app: &TestApp, embedder: Arc<dyn Embedder>) -> Arc<Worker> {
    Arc::new(Worker::new(app.services_with(embedder).await))
}

pub(crate) async fn step(app: &TestApp, worker: &Arc<Worker>) -> Ran {
    let worker = worker.clone();
    app.on_server(async move { worker.run_once().await }).await.unwrap()
}

/// One step of a worker that is killed if it hangs.
async fn fatal_step(app: &TestApp, worker: &Arc<Worker>, flaky: &FlakyEmbedder) {
    let worker = worker.clone();
    let task =
        app.on_server(async move { tokio::spawn(async move { worker.run_once().await }) }).await;
    let killed = task.abort_handle();
    tokio::select! {
        () = flaky.hangs.notified() => killed.abort(),
        outcome = task => drop(outcome.unwrap()),
    }
}

#[tokio::test]
async fn a_text_that_cannot_be_embedded_blocks_no_other_and_is_given_up_after_five_attempts() {
    let app = TestApp::start().await;
    let flaky = FlakyEmbedder::on("poison", Fault::Fails, app.services.embedder().clone());
    let worker = worker_with(&app, flaky).await;
    let mut songs = catalogue::songs();
    songs.insert(4, poison());
    let ids = app.ingest(&songs, None).await;
    assert_eq!(step(&app, &worker).await, Ran::Tasks(9));
    for (title, status) in statuses(&app).await {
        assert_eq!(status, if title == "Poison" { "PENDING" } else { "READY" }, "{title}");
    }
    // It waits before it is tried again.
    assert_eq!(step(&app, &worker).await, Ran::Nothing);
    for _ in 0..4 {
        assert_eq!(status_of(&app, "Poison").await, "PENDING");
        app.sql(WAIT).await;
        assert_eq!(step(&app, &worker).await, Ran::Tasks(1));
    }
    assert_eq!(status_of(&app, "Poison").await, "FAILED");
    app.sql(WAIT).await;
    assert_eq!(step(&app, &worker).await, Ran::Nothing);
    let answer = app
        .as_admin()
        .ask("{ failedTasks { contentId attempts message } stats { failedTasks pendingTasks } }")
        .await;
    let failed = &answer["failedTasks"];
    assert_eq!((&failed[0]["contentId"], &failed[0]["attempts"]), (&json!(ids[4]), &json!(5)));
    // A refusal is about the text, and says why.
    let message = failed[0]["message"].as_str().unwrap();
    assert!(message.starts_with("the embedding model refused the text: "), "{message}");
    assert_eq!(answer["stats"], json!({ "failedTasks": 1, "pendingTasks": 0 }));
}

#[tokio::test]
async fn a_failed_text_is_embedded_when_it_is_retried_or_changed() {
    let app = TestApp::start().await;
    let inner = app.services.embedder().clone();
    let worker = worker_with(&app, FlakyEmbedder::on("poison", Fault::Fails, inner)).await;
    let fail = async || {
        app.ingest(&[poison()], None).await;
        for _ in 0..5 {
            step(&app, &worker).await;
            app.sql(WAIT).await;
        }
        assert_eq!(status_of(&app, "Poison").await, "FAILED");
    };
    fail().await;
    let answer = app.as_admin().ask("mutation { retryFailedTasks }").await;
    assert_eq!(answer["retryFailedTasks"], 1);
    app.run_queue().await;
    assert_eq!(status_of(&app, "Poison").await, "READY");
    app.sql("DELETE FROM content").await;
    fail().await;
    app.ingest(&[catalogue::song("Poison", "An antidote.")], None).await;
    assert_eq!(status_of(&app, "Poison").await, "PENDING");
    step(&app, &worker).await;
    assert_eq!(status_of(&app, "Poison").await, "READY");
}

#[tokio::test]
async fn a_text_that_kills_the_worker_is_given_up_and_takes_no_other_with_it() {
    let app = TestApp::start().await;
    let inner = app.services.embedder().clone();
    let flaky = FlakyEmbedder::on("poison", Fault::Hangs, inner);
    let worker = worker_with(&app, flaky.clone()).await;
    let mut songs = catalogue::songs();
    songs.insert(4, poison());
    app.ingest(&songs, None).await;
    // As often as a supervisor would start the worker again, with a few rounds to spare.
    for _ in 0..30 {
        fatal_step(&app, &worker, &flaky).await;
        app.sql(WAIT).await;
    }
    step(&app, &worker).await;
    for (title, status) in statuses(&app).await {
        assert_eq!(status, if title == "Poison" { "FAILED" } else { "READY" }, "{title}");
    }
    let answer = app.as_admin().ask("{ failedTasks { attempts message } }").await;
    assert_eq!(answer["failedTasks"][0]["attempts"], 5);
}

#[tokio::test]
async fn a_text_that_makes_the_model_panic_blocks_no_other() {
    let app = TestApp::start().await;
    let inner = app.services.embedder().clone();
    let worker = worker_with(&app, FlakyEmbedder::on("poison", Fault::Panics, inner)).await;
    let mut songs = catalogue::songs();
    songs.insert(4, poison());
    app.ingest(&songs, None).await;
    for _ in 0..5 {
        step(&app, &worker).await;
        app.sql(WAIT).await;
    }
    for (title, status) in statuses(&app).await {
        assert_eq!(status, if title == "Poison" { "FAILED" } else { "READY" }, "{title}");
    }
    let answer = app.as_admin().ask("{ failedTasks { attempts message } }").await;
    assert!(!answer.text.contains(CANARY), "{}", answer.text);
}

#[tokio::test]
async fn a_panic_does_not_end_the_worker_of_a_server() {
    let wrap = |inner| FlakyEmbedder::on("poison", Fault::Panics, inner);
    let app = TestApp::plan().embedder(wrap).with_worker().start().await;
    app.ingest(&[poison()], None).await;
    let claimed = "SELECT 1 AS claimed FROM embedding_task WHERE attempts > 0";
    wait_for(async || !app.rows(claimed).await.is_empty()).await;
    app.ingest(&[catalogue::song("Next", "A harmless song.")], None).await;
    wait_for(async || status_of(&app, "Next").await == "READY").await;
}

#[tokio::test]
async fn a_server_embeds_what_comes_in_by_itself() {
    let app = TestApp::plan().with_worker().start().await;
    app.ingest(&catalogue::songs(), None).await;
    let is_ready = async || statuses(&app).await.iter().all(|(_, status)| status == "READY");
    wait_for(is_ready).await;
}

/// Waits on a state with a bound.
pub(crate) async fn wait_for(holds: impl AsyncFn() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it never comes true");
}

#[tokio::test]
async fn a_model_that_loses_a_vector_puts_none_in_a_wrong_place() {
    let app = TestApp::start().await;
    let inner = app.services.embedder().clone();
    let worker = worker_with(&app, FlakyEmbedder::on("poison", Fault::Loses, inner)).await;
    let mut songs = catalogue::songs();
    songs.insert(4, poison());
    app.ingest(&songs, None).await;
    step(&app, &worker).await;
    for (title, status) in statuses(&app).await {
        assert_eq!(status, if title == "Poison" { "PENDING" } else { "READY" }, "{title}");
    }
    assert_vectors_are_of_the_latest_texts(&app, 8).await;
}

/// Embeds the present text of each row anew and compares.
pub(crate) async fn assert_vectors_are_of_the_latest_texts(app: &TestApp, expected: usize) {
    let services = app.services.clone();
    let rows = app.rows("SELECT content.id, body, embedding::text AS vector FROM content JOIN embedding ON content_id = id").await;
    assert_eq!(rows.len(), expected);
    let bodies = texts(&rows.clone().into(), "body");
    let anew = app.on_server(async move { services.embedder().embed_documents(&bodies).await });
    for (row, anew) in rows.iter().zip(anew.await.unwrap()) {
        let stored: Vec<f32> = serde_json::from_str(row["vector"].as_str().unwrap()).unwrap();
        let cosine: f32 = stored.iter().zip(anew.vector.unwrap()).map(|(a, b)| a * b).sum();
        assert!(cosine > 0.999, "{}: {cosine}", row["body"]);
    }
}

#[tokio::test]
async fn a_worker_whose_lease_ran_out_changes_nothing_any_more() {
    let app = TestApp::start().await;
    app.ingest(&catalogue::songs(), None).await;
    let db = app.services.db().clone();
    let space = app.services.all_spaces_by_id();
    let space = space.await.unwrap().into_values().next().unwrap();
    let token = Clock.new_id();
    let lane = Lane { space_id: space.id, kind: Kind::Song, origin: Origin::Queued };
    let claim = Claim { lane, token, lease: Duration::from_mins(1), limit: 100 };
    let claimed = {
        let db = db.clone();
        async move { lease::claim(&db, Scope::system(), claim, Clock.now()).await }
    };
    let claimed = app.on_server(claimed).await.unwrap();
    assert_eq!(claimed.len(), 8);
    // Nobody else takes what is leased, until the lease has run out.
    app.run_queue().await;
    assert!(statuses(&app).await.iter().all(|(_, status)| status == "PENDING"));
    app.sql(WAIT).await;
    app.run_queue().await;
    let vectors =
        "SELECT content_id, embedding::text, created_at FROM embedding ORDER BY content_id";
    let before = app.rows(vectors).await;
    assert_eq!(before.len(), 8);
    let written = app
        .on_server(async move {
            let vector = vec![1.0_f32; space.dimensions];
            let done: Vec<_> = claimed.iter().map(|task| (task, vector.as_slice())).collect();
            let target = Target { space: &space, kind: Kind::Song, token };
            lease::complete(&db, Scope::system(), target, &done, Clock.now()).await
        })
        .await
        .unwrap();
    assert_eq!(written, 0);
    assert_eq!(app.rows(vectors).await, before);
}

#[tokio::test]
async fn a_text_that_is_edited_while_it_is_embedded_ends_with_the_vector_of_its_latest_version() {
    let app = TestApp::start().await;
    let inner = app.services.embedder().clone();
    let gate = GateEmbedder::new(inner);
    let worker = worker_with(&app, gate.clone()).await;
    let version =
        |text: &str| json!({ "externalId": "edited", "title": "Edited", "description": text });
    app.ingest(&[version("Heavy metal with distorted guitars.")], None).await;
    let running = {
        let worker = worker.clone();
        app.on_server(async move { tokio::spawn(async move { worker.run_once().await }) }).await
    };
    gate.entered.notified().await;
    app.ingest(&[version("A gentle lullaby for a sleeping baby.")], None).await;
    gate.open.notify_one();
    running.await.unwrap().unwrap();
    assert_eq!(status_of(&app, "Edited").await, "PENDING");
    app.run_queue().await;
    assert_eq!(status_of(&app, "Edited").await, "READY");
    let query = "query ($text: String!) { recommend(query: $text) { edges { similarity node { ... on Song { body } } } } }";
    let similarity = async |text: &str| {
        let answer = app.anonymous().query(query, json!({ "text": text })).await;
        answer["recommend"]["edges"][0]["similarity"].as_f64().unwrap()
    };
    let answer = app.anonymous().ask("{ songs { nodes { body } } }").await;
    let body = answer["songs"]["nodes"][0]["body"].as_str().unwrap();
    assert!(similarity(body).await > 0.999);
}

#[tokio::test]
async fn a_row_that_is_purged_while_it_is_embedded_leaves_nothing() {
    let app = TestApp::start().await;
    let inner = app.services.embedder().clone();
    let gate = GateEmbedder::new(inner);
    let worker = worker_with(&app, gate.clone()).await;
    let ids = app.ingest(&catalogue::songs(), None).await;
    let running =
        app.on_server(async move { tokio::spawn(async move { worker.run_once().await }) }).await;
    gate.entered.notified().await;
    let purge = "mutation ($id: ID!) { purge(ids: [$id]) { ids } }";
    app.as_admin().query(purge, json!({ "id": ids[0] })).await.data();
    gate.open.notify_one();
    running.await.unwrap().unwrap();
    assert_eq!(app.rows("SELECT content_id FROM embedding").await.len(), 7);
    assert_eq!(app.rows("SELECT id FROM embedding_task").await, Vec::<Value>::new());
}

#[tokio::test]
async fn vectors_that_are_missing_are_made_on_request() {
    let app = TestApp::with_songs().await;
    let answer = app.as_admin().ask("mutation { embedMissing(kind: SONG) }").await;
    assert_eq!(answer["embedMissing"], 0);
    app.sql(
        "DELETE FROM embedding WHERE content_id IN (SELECT id FROM content ORDER BY id LIMIT 3)",
    )
    .await;
    let absent = statuses(&app).await.iter().filter(|(_, status)| status == "ABSENT").count();
    assert_eq!(absent, 3);
    let answer = app.as_admin().ask("mutation { embedMissing(kind: SONG) }").await;
    assert_eq!(answer["embedMissing"], 3);
    app.run_queue().await;
    assert!(statuses(&app).await.iter().all(|(_, status)| status == "READY"));
}

#[tokio::test]
async fn several_workers_share_the_queue_and_embed_nothing_twice() {
    let app = TestApp::start().await;
    let inner = app.services.embedder().clone();
    let counting = FlakyEmbedder::counting(inner);
    let worker = worker_with(&app, counting.clone()).await;
    app.ingest(&catalogue::demo()[..100], None).await;
    let workers = (0..4).map(|_| {
        let worker = worker.clone();
        async move { worker.run_until_idle().await }
    });
    for outcome in app.on_server(at_once(workers.collect::<Vec<_>>())).await {
        outcome.unwrap();
    }
    assert_eq!(counting.texts.load(Ordering::SeqCst), 100);
    assert_eq!(app.rows("SELECT content_id FROM embedding").await.len(), 100);
}
