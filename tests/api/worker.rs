//! The queue: what becomes of texts that cannot be embedded, and of workers that stop half-way.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use kindred::embed::{Description, Embedder, Embedding, Error};
use kindred::model::{Clock, Kind, Scope};
use kindred::store::task;
use kindred::worker::{Ran, Worker};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::support::embedders::{CANARY, Fault, FlakyEmbedder};
use crate::support::{PATIENCE, TestApp, at_once, catalogue, texts};

/// Lets every task be due, as if its back-off or its lease had run out.
const WAIT: &str = "UPDATE embedding_task SET run_at = now() - interval '1 hour',
    lease_until = now() - interval '1 hour' WHERE state = 'pending'";

fn poison() -> Value {
    catalogue::song("Poison", "A text with poison in it.")
}

async fn statuses(app: &TestApp) -> Vec<(String, String)> {
    let query =
        "{ songs(first: 100, orderBy: { field: TITLE }) { nodes { title embeddingStatus } } }";
    let answer = app.as_admin().ask(query).await;
    let nodes = &answer["songs"]["nodes"];
    texts(nodes, "title").into_iter().zip(texts(nodes, "embeddingStatus")).collect()
}

async fn status_of(app: &TestApp, title: &str) -> String {
    let all = statuses(app).await;
    all.into_iter().find(|(found, _)| found == title).unwrap().1
}

/// A worker of the server's database with an embedder of the test's own.
async fn worker_with(app: &TestApp, embedder: Arc<dyn Embedder>) -> Arc<Worker> {
    Arc::new(Worker::new(app.services_with(embedder).await))
}

async fn step(app: &TestApp, worker: &Arc<Worker>) -> Ran {
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
    assert!(!failed[0]["message"].as_str().unwrap().contains(CANARY));
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
async fn wait_for(holds: impl AsyncFn() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it never comes true");
}

#[tokio::test]
async fn a_model_that_loses_a_vector_stores_none() {
    let app = TestApp::start().await;
    let inner = app.services.embedder().clone();
    let flaky = FlakyEmbedder::times(1, "poison", Fault::Loses, inner);
    let worker = worker_with(&app, flaky).await;
    let mut songs = catalogue::songs();
    songs.push(poison());
    app.ingest(&songs, None).await;
    step(&app, &worker).await;
    assert_eq!(app.rows("SELECT content_id FROM embedding").await, Vec::<Value>::new());
    app.sql(WAIT).await;
    step(&app, &worker).await;
    assert!(statuses(&app).await.iter().all(|(_, status)| status == "READY"));
}

#[tokio::test]
async fn a_worker_whose_lease_ran_out_changes_nothing_any_more() {
    let app = TestApp::start().await;
    app.ingest(&catalogue::songs(), None).await;
    let db = app.services.db().clone();
    let (lease, minute) = (Clock.new_id(), Duration::from_mins(1));
    let claim = {
        let db = db.clone();
        async move { task::claim(&db, Scope::system(), lease, minute, 100, Clock.now()).await }
    };
    let claimed = app.on_server(claim).await.unwrap();
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
    let space = app.services.all_spaces_by_id();
    let space = space.await.unwrap().into_values().next().unwrap();
    let written = app
        .on_server(async move {
            let vector = vec![1.0_f32; space.dimensions];
            let done: Vec<_> = claimed.iter().map(|task| (task, vector.clone())).collect();
            task::complete(&db, Scope::system(), &space, Kind::Song, lease, &done, Clock.now())
                .await
        })
        .await
        .unwrap();
    assert_eq!(written, 0);
    assert_eq!(app.rows(vectors).await, before);
}

/// Holds every call until the test lets it go.
struct GateEmbedder {
    inner: Arc<dyn Embedder>,
    entered: Notify,
    open: Notify,
}

#[async_trait]
impl Embedder for GateEmbedder {
    fn description(&self) -> &Description {
        self.inner.description()
    }

    async fn embed_documents(&self, texts: &[String]) -> Result<Vec<Embedding>, Error> {
        self.entered.notify_one();
        self.open.notified().await;
        self.inner.embed_documents(texts).await
    }

    async fn embed_query(&self, text: &str) -> Result<Embedding, Error> {
        self.inner.embed_query(text).await
    }

    async fn count_tokens(&self, texts: &[String]) -> Result<Vec<usize>, Error> {
        self.inner.count_tokens(texts).await
    }
}

#[tokio::test]
async fn a_text_that_is_edited_while_it_is_embedded_ends_with_the_vector_of_its_latest_version() {
    let app = TestApp::start().await;
    let inner = app.services.embedder().clone();
    let gate = Arc::new(GateEmbedder { inner, entered: Notify::new(), open: Notify::new() });
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
    let gate = Arc::new(GateEmbedder { inner, entered: Notify::new(), open: Notify::new() });
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
