//! Workers under `kill -9`: no text is lost, none fails, and none is embedded again without need.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::Child;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use kindred::embed::{Embedder, OpenAiEmbedder, OpenAiSettings};
use serde_json::{Value, json};

use super::openai_server::{Call, Fault, OpenAiServer, Plan};
use super::support::{PATIENCE, Place, Server, block_on, post, signal, spawn};

const KILLS: usize = 200;
/// Workers at a time.
const WORKERS: usize = 3;
const SONGS: usize = 3_000;
/// Songs of one edit; one comes with each start of a worker.
const EDITED: usize = 40;
/// The longest that a worker lives once it says that it is at work.
const LIFE: Duration = Duration::from_millis(250);
/// Texts of the largest request.
const REQUEST: usize = 256;
/// Requests of the largest batch.
const BATCH: usize = 4;

const INGEST: &str = "mutation ($rows: [SongInput!]!) { ingestSongs(rows: $rows) { rejected } }";

/// A database, a provider that counts, and settings that make workers use it.
struct Stage {
    place: Place,
    provider: OpenAiServer,
}

impl Stage {
    /// `None` without a server to test against.
    fn set() -> Option<Self> {
        std::env::var_os("TEST_DATABASE_URL")?;
        let plan = Plan { delay: Duration::from_millis(4), ..Plan::default() };
        Some(Self { place: Place::new(), provider: OpenAiServer::with(plan) })
    }

    fn arguments(&self) -> [&str; 10] {
        [
            "--embedder",
            "openai",
            "--openai-model",
            "fake",
            "--openai-dimensions",
            "64",
            "--openai-base-url",
            &self.provider.base_url,
            "--task-lease",
            "1",
        ]
    }

    /// A server that takes songs in and leaves embedding them to workers.
    fn server(&self) -> Server {
        Server::start(&self.place, &[&["--no-worker"], self.arguments().as_slice()].concat())
    }

    /// A worker at work, which names itself to the provider.
    fn worker(&self, name: usize) -> Child {
        let arguments = [&["work"], self.arguments().as_slice()].concat();
        let mut command = self.place.command(&arguments);
        let mut child = spawn(command.env("OPENAI_API_KEY", format!("worker-{name}")));
        let stderr = child.stderr.take().expect("standard error is piped");
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        let is_ready = lines.any(|line| line.contains("Embedding what is queued"));
        assert!(is_ready, "worker {name} did not start");
        // Somebody must read what it says, or it waits.
        thread::spawn(move || lines.for_each(drop));
        child
    }

    fn count(&self, what: &str) -> i64 {
        let statement = format!("SELECT count(*) FROM {what}");
        self.place.rows(&statement)[0]["count"].as_i64().expect("a count")
    }

    fn pending(&self) -> i64 {
        self.count("embedding_task WHERE state = 'pending'")
    }

    /// Lets a worker end what is left, and end in order.
    fn finish(&self, name: usize) {
        let mut worker = self.worker(name);
        wait_for(|| self.pending() == 0);
        signal("TERM", worker.id());
        assert!(worker.wait().expect("it is our child").success());
    }

    /// Compares each vector with a new one of the present text.
    fn assert_vectors_are_of_the_latest_texts(&self, latest: &HashMap<usize, usize>) {
        let rows = self.place.rows(
            "SELECT external_id, body, embedding.source_hash = content.source_hash AS current, embedding::text AS vector
             FROM content LEFT JOIN embedding ON embedding.content_id = content.id",
        );
        assert_eq!(rows.len(), latest.len());
        let settings = OpenAiSettings {
            model: "fake".to_owned(),
            dimensions: Some(64),
            api_key: None,
            base_url: self.provider.base_url.clone(),
            max_tokens: 8_191,
            timeout: PATIENCE,
            concurrency: 4,
            price: None,
        };
        let model = OpenAiEmbedder::new(&settings, None, None).expect("the settings are good");
        let bodies: Vec<String> = rows.iter().map(|row| text(&row["body"])).collect();
        let anew = block_on(model.embed_documents(&bodies)).expect("the provider answers");
        for (row, anew) in rows.iter().zip(anew) {
            let number: usize = text(&row["external_id"]).parse().expect("songs are numbered");
            let wanted = format!("take {} ", latest[&number]);
            assert!(text(&row["body"]).contains(&wanted), "{row} is not `{wanted}`");
            assert_eq!(row["current"], true, "{row}");
            let stored: Vec<f32> =
                serde_json::from_str(&text(&row["vector"])).expect("a vector reads as a list");
            let anew = anew.vector.expect("the fake knows every word");
            let cosine: f32 = stored.iter().zip(&anew).map(|(a, b)| a * b).sum();
            assert!(cosine > 0.999, "{cosine}: {row}");
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn wait_for(mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "it never comes true");
        thread::sleep(Duration::from_millis(20));
    }
}

fn song(number: usize, take: usize) -> Value {
    let words = format!("take {take} of number {number}");
    json!({ "externalId": format!("{number}"), "title": format!("Song {number}"), "description": words })
}

fn write(server: &Server, rows: &[Value]) {
    let answer = post(&server.url, &server.token, INGEST, &json!({ "rows": rows }));
    let answer = answer.expect("the server answers");
    assert_eq!(answer["data"]["ingestSongs"]["rejected"], 0, "{answer}");
}

/// Starts workers and kills each at some moment, until enough are killed.
fn kill_workers(stage: &Stage, started: &AtomicUsize, at_work: &Sender<()>) {
    loop {
        let name = started.fetch_add(1, Ordering::SeqCst);
        if name >= KILLS {
            return;
        }
        let mut worker = stage.worker(name);
        at_work.send(()).expect("the editor waits for workers");
        // The moment is what is random; nothing is waited for.
        thread::sleep(LIFE.mul_f64(rand::random()));
        worker.kill().expect("it is our child");
        worker.wait().expect("it is our child");
    }
}

/// Edits songs as often as a worker starts. Returns the latest version of each.
fn edit(server: &Server, at_work: &Receiver<()>) -> HashMap<usize, usize> {
    let mut latest: HashMap<usize, usize> = (0..SONGS).map(|number| (number, 0)).collect();
    for () in at_work {
        let first: usize = rand::random_range(0..SONGS);
        let numbers = (first..first + EDITED).map(|number| number % SONGS);
        let rows: Vec<Value> = numbers
            .map(|number| {
                let take = latest.entry(number).or_default();
                *take += 1;
                song(number, *take)
            })
            .collect();
        write(server, &rows);
    }
    latest
}

#[test]
fn two_hundred_kills_lose_no_text_fail_none_and_repeat_only_what_was_in_flight() {
    let Some(stage) = Stage::set() else {
        println!("skipped: it needs a PostgreSQL server, see TEST_DATABASE_URL");
        return;
    };
    let begun = Instant::now();
    let server = stage.server();
    let songs: Vec<Value> = (0..SONGS).map(|number| song(number, 0)).collect();
    for rows in songs.chunks(250) {
        write(&server, rows);
    }
    let started = AtomicUsize::new(0);
    let (at_work, starts) = mpsc::channel();
    let latest = thread::scope(|scope| {
        for _ in 0..WORKERS {
            let at_work = at_work.clone();
            let (stage, started) = (&stage, &started);
            scope.spawn(move || kill_workers(stage, started, &at_work));
        }
        drop(at_work);
        edit(&server, &starts)
    });
    server.stop();
    stage.finish(KILLS);
    assert_eq!(stage.count("embedding_task"), 0, "nothing waits and nothing failed");
    let calls = stage.provider.calls();
    stage.assert_vectors_are_of_the_latest_texts(&latest);
    let (texts, again) = repeated(&calls);
    let seconds = begun.elapsed().as_secs();
    println!("{KILLS} kills in {seconds} s: {texts} texts, {again} of them embedded again");
    assert!(again > 0, "no kill hit anything");
}

/// How many texts were sent, and how many of those again. Fails if one was sent again that was not in
/// flight when its worker was killed.
fn repeated(calls: &[Call]) -> (usize, usize) {
    let mut by_worker: HashMap<&str, Vec<&Call>> = HashMap::new();
    for call in calls {
        by_worker.entry(call.authorization.as_deref().unwrap_or_default()).or_default().push(call);
    }
    let mut sent: HashMap<&str, Vec<&Call>> = HashMap::new();
    for call in calls {
        for text in &call.texts {
            sent.entry(text).or_default().push(call);
        }
    }
    let mut again = 0;
    for (text, asked) in &sent {
        for call in &asked[..asked.len() - 1] {
            again += 1;
            let worker = call.authorization.as_deref().unwrap_or_default();
            let of_worker = &by_worker[worker];
            assert!(was_in_flight(call, of_worker), "`{text}` was embedded and sent again");
        }
    }
    (sent.len(), again)
}

/// Whether a request belongs to the last batch of its worker: nothing was sent after it was answered,
/// or it is one of the requests of one batch, sent side by side, of which all but one are full.
fn was_in_flight(call: &Call, of_worker: &[&Call]) -> bool {
    let later: Vec<_> = of_worker.iter().filter(|other| other.at > call.at).collect();
    let full = later.iter().filter(|other| other.texts.len() == REQUEST).count()
        + usize::from(call.texts.len() == REQUEST);
    let is_split = later.len() < BATCH && full >= later.len();
    is_split || later.iter().all(|other| call.answered.is_none_or(|answered| other.at < answered))
}

#[test]
fn a_text_that_kills_the_process_is_given_up_after_five_kills_and_takes_no_other_along() {
    let Some(stage) = Stage::set() else {
        println!("skipped: it needs a PostgreSQL server, see TEST_DATABASE_URL");
        return;
    };
    let server = stage.server();
    let mut songs: Vec<Value> = (0..60).map(|number| song(number, 0)).collect();
    songs.push(json!({ "externalId": "60", "title": "Poison", "description": "take 0 of poison" }));
    write(&server, &songs);
    server.stop();
    // While its request hangs, the test kills the worker.
    stage.provider.on_text("poison", Fault::Hang);
    let seen = || {
        let calls = stage.provider.calls();
        calls.iter().filter(|call| call.texts.iter().any(|text| text.contains("poison"))).count()
    };
    let mut kills = 0;
    while stage.pending() > 0 {
        let before = seen();
        let mut worker = stage.worker(kills);
        wait_for(|| seen() > before || stage.pending() == 0);
        kills += usize::from(seen() > before);
        worker.kill().expect("it is our child");
        worker.wait().expect("it is our child");
    }
    assert_eq!(kills, 5);
    let failed = stage.place.rows("SELECT state, attempts FROM embedding_task");
    assert_eq!(failed, [json!({ "state": "failed", "attempts": 5 })]);
    assert_eq!(stage.count("embedding"), 60);
    stage.provider.heal();
    stage.place.run(&[&["embed", "--retry-failed"], stage.arguments().as_slice()].concat());
    let latest = (0..=60).map(|number| (number, 0)).collect();
    stage.assert_vectors_are_of_the_latest_texts(&latest);
}
