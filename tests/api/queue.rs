//! Several spaces, several workers, leases, and models that are away.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use kindred::service::{QueuePolicy, Settings};
use kindred::worker::{Ran, Worker};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::support::database::lacks_server;
use crate::support::embedders::{Fault, FlakyEmbedder, GateEmbedder, OtherModel};
use crate::support::{PATIENCE, TestApp, catalogue, settings};
use crate::worker::{
    WAIT, assert_vectors_are_of_the_latest_texts, status_of, statuses, step, wait_for, worker_with,
};

/// Lets the space of [`OtherModel`] hold songs, beside the one that answers.
const HOLD: &str = "INSERT INTO space_kind (space_id, kind, state, started_at, finished_at)
    SELECT id, 'song', 'current', now(), now() FROM embedding_space WHERE name = 'other'
    ON CONFLICT (space_id, kind) DO UPDATE SET state = 'current', finished_at = now()";

fn with_lease(lease: Duration) -> Settings {
    let poll = Duration::from_millis(100);
    Settings { queue: QueuePolicy { lease, poll }, ..settings() }
}

async fn is_ready(app: &TestApp) -> bool {
    let rows = "SELECT id FROM embedding_task";
    app.rows(rows).await.is_empty()
}

/// Tasks of the space of a name: how many are pending, leased, and the most attempts of one.
async fn tasks(app: &TestApp, space: &str) -> Value {
    let statement = format!(
        "SELECT count(*) AS pending, count(lease_token) AS leased, coalesce(max(attempts), 0) AS attempts
         FROM embedding_task JOIN embedding_space ON embedding_space.id = space_id
         WHERE name = '{space}' AND embedding_task.state = 'pending'"
    );
    app.rows(&statement).await.remove(0)
}

/// A worker for both spaces, and the model of the second one.
async fn two_spaces(app: &TestApp) -> (Arc<Worker>, Arc<OtherModel>) {
    let other = OtherModel::new(app.services.embedder().clone());
    let worker = worker_with(app, other.clone()).await;
    app.sql(HOLD).await;
    (worker, other)
}

#[tokio::test]
async fn a_backfill_delays_a_fresh_edit_by_no_more_than_one_batch() {
    let app = TestApp::start().await;
    let (worker, _) = two_spaces(&app).await;
    app.ingest(&catalogue::demo()[..200], None).await;
    // The space that answers is embedded at once; the other one has ten times as much to do.
    let mut steps = 0;
    while !statuses(&app).await.iter().all(|(_, status)| status == "READY") {
        step(&app, &worker).await;
        steps += 1;
    }
    assert!(steps <= 2, "{steps}");
    for round in 0..6 {
        let edit = catalogue::song("Fresh", &format!("An edit, number {round}."));
        app.ingest(&[edit], None).await;
        for _ in 0..2 {
            assert_ne!(step(&app, &worker).await, Ran::Nothing);
        }
        assert_eq!(status_of(&app, "Fresh").await, "READY", "round {round}");
        assert!(tasks(&app, OtherModel::NAME).await["pending"].as_i64().unwrap() > 50);
        // Begin the next round at another place of the rotation.
        if round % 2 == 0 {
            step(&app, &worker).await;
        }
    }
}

#[tokio::test]
async fn a_batch_is_as_large_as_the_model_wants() {
    let app = TestApp::start().await;
    let (worker, other) = two_spaces(&app).await;
    app.ingest(&catalogue::demo()[..35], None).await;
    let mut sizes = Vec::new();
    while let Ran::Tasks(size) = step(&app, &worker).await {
        sizes.push(size);
    }
    sizes.sort_unstable();
    assert_eq!(sizes, [5, 10, 10, 10, 35]);
    assert_eq!(other.calls.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn one_bad_text_costs_a_few_calls_and_the_others_nothing() {
    let app = TestApp::start().await;
    let inner = app.services.embedder().clone();
    let flaky = FlakyEmbedder::on("poison", Fault::Fails, inner);
    let worker = worker_with(&app, flaky.clone()).await;
    let mut songs = catalogue::demo()[..63].to_vec();
    songs.insert(40, catalogue::song("Poison", "A text with poison in it."));
    app.ingest(&songs, None).await;
    step(&app, &worker).await;
    let pending = statuses(&app).await.into_iter().filter(|(_, status)| status == "PENDING");
    assert_eq!(pending.map(|(title, _)| title).collect::<Vec<_>>(), ["Poison"]);
    // The whole, and two halves six times.
    assert_eq!(flaky.calls.load(Ordering::SeqCst), 13);
    assert_eq!(flaky.texts.load(Ordering::SeqCst), 63);
}

#[tokio::test]
async fn equal_texts_are_embedded_once() {
    let app = TestApp::start().await;
    let counting = FlakyEmbedder::counting(app.services.embedder().clone());
    let worker = worker_with(&app, counting.clone()).await;
    let song = |id: usize| json!({ "externalId": format!("{id}"), "title": "The Same" });
    app.ingest(&(0..20).map(song).collect::<Vec<_>>(), None).await;
    assert_eq!(step(&app, &worker).await, Ran::Tasks(20));
    assert_eq!(counting.texts.load(Ordering::SeqCst), 1);
    assert_vectors_are_of_the_latest_texts(&app, 20).await;
}

#[tokio::test]
async fn while_a_model_is_away_its_tasks_wait_unharmed_and_other_spaces_go_on() {
    let app = TestApp::start().await;
    let (worker, other) = two_spaces(&app).await;
    other.set_away(true);
    app.ingest(&catalogue::songs(), None).await;
    while step(&app, &worker).await != Ran::Nothing {}
    assert!(statuses(&app).await.iter().all(|(_, status)| status == "READY"));
    let unharmed = json!({ "pending": 8, "leased": 0, "attempts": 0 });
    assert_eq!(tasks(&app, OtherModel::NAME).await, unharmed);
    // It asked to be left alone, and so it is.
    for _ in 0..3 {
        step(&app, &worker).await;
    }
    assert_eq!(other.calls.load(Ordering::SeqCst), 1);
    assert_eq!(worker.obstacle(), None);
    // Another worker, as after a restart, knows nothing of that.
    other.set_away(false);
    let worker = worker_with(&app, other.clone()).await;
    assert_eq!(step(&app, &worker).await, Ran::Tasks(8));
    assert!(is_ready(&app).await);
}

#[tokio::test]
async fn tasks_of_a_model_that_this_process_cannot_load_wait_unharmed() {
    let app = TestApp::start().await;
    two_spaces(&app).await;
    app.ingest(&catalogue::songs(), None).await;
    // The server's own services know no model of that name.
    let worker = Arc::new(Worker::new(app.services.clone()));
    while step(&app, &worker).await != Ran::Nothing {}
    assert!(statuses(&app).await.iter().all(|(_, status)| status == "READY"));
    let unharmed = json!({ "pending": 8, "leased": 0, "attempts": 0 });
    assert_eq!(tasks(&app, OtherModel::NAME).await, unharmed);
    assert!(worker.obstacle().is_some());
}

/// A worker with a short lease whose model waits for the test.
async fn gated(app: &TestApp, lease: Duration) -> (Arc<Worker>, Arc<GateEmbedder>) {
    let gate = GateEmbedder::new(app.services.embedder().clone());
    let services = app.services_of(gate.clone(), with_lease(lease)).await;
    (Arc::new(Worker::new(services)), gate)
}

/// Starts a step in the background.
async fn begin(
    app: &TestApp,
    worker: &Arc<Worker>,
) -> tokio::task::JoinHandle<Result<Ran, kindred::service::Error>> {
    let worker = worker.clone();
    app.on_server(async move { tokio::spawn(async move { worker.run_once().await }) }).await
}

#[tokio::test]
async fn a_lease_is_renewed_while_the_model_works() {
    let app = TestApp::start().await;
    let (worker, gate) = gated(&app, Duration::from_millis(600)).await;
    app.ingest(&catalogue::songs(), None).await;
    let running = begin(&app, &worker).await;
    gate.entered.notified().await;
    app.sql("CREATE TABLE first AS SELECT min(lease_until) AS until FROM embedding_task").await;
    let outlived = "SELECT 1 AS one FROM first WHERE until < now()";
    wait_for(async || !app.rows(outlived).await.is_empty()).await;
    app.run_queue().await;
    assert!(statuses(&app).await.iter().all(|(_, status)| status == "PENDING"));
    gate.open.notify_one();
    assert_eq!(running.await.unwrap().unwrap(), Ran::Tasks(8));
    assert!(statuses(&app).await.iter().all(|(_, status)| status == "READY"));
}

#[tokio::test]
async fn a_worker_that_finds_its_lease_lost_stops_and_changes_nothing() {
    let app = TestApp::start().await;
    let (worker, gate) = gated(&app, Duration::from_millis(300)).await;
    app.ingest(&catalogue::songs(), None).await;
    let running = begin(&app, &worker).await;
    gate.entered.notified().await;
    let taken = "UPDATE embedding_task SET lease_token = gen_random_uuid(),
        lease_until = now() + interval '1 hour', attempts = 3";
    app.sql(taken).await;
    // Nobody opens the gate: the model is not waited for any more.
    tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap().unwrap();
    assert_eq!(app.rows("SELECT content_id FROM embedding").await, Vec::<Value>::new());
    let held = json!({ "pending": 8, "leased": 8, "attempts": 3 });
    assert_eq!(tasks(&app, "kindred-static-256").await, held);
}

#[tokio::test]
async fn a_worker_that_wakes_after_its_lease_ended_changes_nothing() {
    let app = TestApp::start().await;
    let (worker, gate) = gated(&app, Duration::from_mins(1)).await;
    app.ingest(&catalogue::songs(), None).await;
    let running = begin(&app, &worker).await;
    gate.entered.notified().await;
    app.sql(WAIT).await;
    app.run_queue().await;
    let vectors =
        "SELECT content_id, embedding::text, created_at FROM embedding ORDER BY content_id";
    let before = app.rows(vectors).await;
    assert_eq!(before.len(), 8);
    gate.open.notify_one();
    running.await.unwrap().unwrap();
    assert_eq!(app.rows(vectors).await, before);
    assert!(is_ready(&app).await);
}

#[tokio::test]
async fn a_thousand_texts_that_are_edited_in_flight_end_with_the_vectors_of_their_latest_versions()
{
    let app = TestApp::start().await;
    let (worker, gate) = gated(&app, Duration::from_mins(1)).await;
    let mut songs = catalogue::many(1_000);
    app.ingest(&songs, None).await;
    let running = begin(&app, &worker).await;
    gate.entered.notified().await;
    for (number, song) in songs.iter_mut().enumerate() {
        song["description"] = format!("Edited in flight: verse {number} about the sea.").into();
    }
    // Half of the edits come before the vectors, the others while they are stored.
    let (before, meanwhile) = songs.split_at(500);
    app.ingest(before, None).await;
    gate.open.notify_one();
    app.ingest(meanwhile, None).await;
    running.await.unwrap().unwrap();
    app.run_queue().await;
    assert!(is_ready(&app).await);
    assert_vectors_are_of_the_latest_texts(&app, 1_000).await;
}

#[tokio::test]
async fn what_a_killed_worker_held_is_embedded_within_two_leases() {
    let app = TestApp::start().await;
    let lease = Duration::from_secs(2);
    let (worker, gate) = gated(&app, lease).await;
    app.ingest(&catalogue::demo()[..100], None).await;
    let running = begin(&app, &worker).await;
    gate.entered.notified().await;
    let services = app.services_of(app.services.embedder().clone(), with_lease(lease)).await;
    let (stop, stopped) = watch::channel(false);
    let next = app
        .on_server(
            async move { tokio::spawn(async move { Worker::new(services).run(stopped).await }) },
        )
        .await;
    running.abort();
    let killed = Instant::now();
    wait_for(async || is_ready(&app).await).await;
    assert!(killed.elapsed() <= 2 * lease, "{:?}", killed.elapsed());
    stop.send_replace(true);
    next.await.unwrap();
    assert_vectors_are_of_the_latest_texts(&app, 100).await;
}

/// A worker that runs until it is told to stop.
async fn run(
    app: &TestApp,
    worker: &Arc<Worker>,
) -> (watch::Sender<bool>, tokio::task::JoinHandle<()>) {
    let (stop, stopped) = watch::channel(false);
    let worker = worker.clone();
    let running =
        app.on_server(async move { tokio::spawn(async move { worker.run(stopped).await }) }).await;
    (stop, running)
}

#[tokio::test]
async fn a_worker_that_stops_ends_a_quick_batch_and_claims_no_other() {
    let app = TestApp::start().await;
    let (worker, gate) = gated(&app, Duration::from_mins(1)).await;
    app.ingest(&catalogue::songs(), None).await;
    let (stop, running) = run(&app, &worker).await;
    gate.entered.notified().await;
    app.ingest(&[catalogue::song("Late", "It comes when the worker stops.")], None).await;
    stop.send_replace(true);
    gate.open.notify_one();
    tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap();
    for (title, status) in statuses(&app).await {
        assert_eq!(status, if title == "Late" { "PENDING" } else { "READY" }, "{title}");
    }
}

#[tokio::test]
async fn a_worker_that_stops_gives_back_what_takes_long() {
    let app = TestApp::start().await;
    let (worker, gate) = gated(&app, Duration::from_mins(1)).await;
    app.ingest(&catalogue::songs(), None).await;
    let (stop, running) = run(&app, &worker).await;
    gate.entered.notified().await;
    stop.send_replace(true);
    tokio::time::timeout(PATIENCE, running).await.unwrap().unwrap();
    let unharmed = json!({ "pending": 8, "leased": 0, "attempts": 0 });
    assert_eq!(tasks(&app, "kindred-static-256").await, unharmed);
    app.run_queue().await;
    assert!(statuses(&app).await.iter().all(|(_, status)| status == "READY"));
}

/// The server's process that listens for tasks in the database of the test.
const LISTENS: &str = "SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND query LIKE 'LISTEN%'";

#[tokio::test]
async fn a_worker_hears_at_once_what_another_process_queues() {
    if lacks_server("a_worker_hears_at_once_what_another_process_queues") {
        return;
    }
    let app = TestApp::start().await;
    // Longer than the test waits: it does not find the tasks by looking.
    let poll = PATIENCE * 2;
    let queue = QueuePolicy { poll, ..settings().queue };
    let embedder = app.services.embedder().clone();
    let services = app.services_of(embedder, Settings { queue, ..settings() }).await;
    let (stop, running) = run(&app, &Arc::new(Worker::new(services))).await;
    let listener = async || app.rows(LISTENS).await.pop().map(|row| row["pid"].as_i64().unwrap());
    wait_for(async || listener().await.is_some()).await;
    for round in 0..5 {
        let title = format!("Round {round}");
        app.ingest(&[catalogue::song(&title, "A song.")], None).await;
        wait_for(async || status_of(&app, &title).await == "READY").await;
    }
    // A lost connection is made again.
    let before = listener().await;
    app.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'LISTEN%'",
    )
    .await;
    wait_for(async || !matches!(listener().await, found if found.is_none() || found == before))
        .await;
    app.ingest(&[catalogue::song("After", "A song.")], None).await;
    wait_for(async || status_of(&app, "After").await == "READY").await;
    stop.send_replace(true);
    running.await.unwrap();
}
