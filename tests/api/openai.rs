//! The backend `openai` behind the API: a server of the tests plays the provider.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kindred::embed::{OpenAiEmbedder, OpenAiSettings, Pace};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::openai_server::{CANARY, Fault, OpenAiServer, Plan as ServerPlan};
use crate::support::{TestApp, at_once, catalogue, texts, titles};

const KEY: &str = "sk-canary-of-the-key";
const RECOMMEND: &str = "query ($text: String!) { recommend(query: $text) {
    info { space degraded } nodes { title } } }";
const HYBRID: &str = "query ($text: String!) { hybridSearch(query: $text, kinds: [SONG]) {
    info { space strategy degraded } nodes { title } } }";
const FAILED: &str = "{ failedTasks(first: 100) { contentId attempts message } }";

fn arguments(server: &OpenAiServer) -> [&str; 6] {
    ["--embedder", "openai", "--openai-base-url", &server.base_url, "--openai-api-key", KEY]
}

fn with_key() -> OpenAiServer {
    OpenAiServer::with(ServerPlan { key: Some(KEY.to_owned()), ..ServerPlan::default() })
}

/// A server whose embedder waits milliseconds and never leaves the provider alone.
async fn impatient(server: &OpenAiServer) -> TestApp {
    let settings = OpenAiSettings {
        model: "text-embedding-3-small".to_owned(),
        dimensions: None,
        api_key: Some(SecretString::from(KEY)),
        base_url: server.base_url.clone(),
        max_tokens: 8_191,
        timeout: Duration::from_millis(500),
        concurrency: 4,
        price: None,
    };
    let mut pace = Pace { rest: Duration::ZERO, ..Pace::default() };
    pace.documents.first_wait = Duration::from_millis(1);
    pace.queries.first_wait = Duration::from_millis(1);
    let plan = TestApp::plan().with(&arguments(server));
    let embedder = move |_| {
        let made = OpenAiEmbedder::with_pace(&settings, None, None, pace);
        Arc::new(made.unwrap())
    };
    plan.embedder(embedder).start().await
}

#[tokio::test]
async fn songs_are_embedded_once_and_found_through_the_provider() {
    let server = with_key();
    let app = TestApp::plan().with(&arguments(&server)).start().await;
    let songs = catalogue::songs();
    app.songs(&songs).await;
    assert_eq!(server.texts().len(), songs.len());
    assert!(server.texts().values().all(|times| *times == 1), "{:?}", server.texts());
    let answer = app.anonymous().query(RECOMMEND, json!({ "text": "metal" })).await;
    assert_eq!(answer["recommend"]["info"]["space"], "text-embedding-3-small");
    assert!(!titles(&answer["recommend"]).is_empty());
    let answer = app.anonymous().query(HYBRID, json!({ "text": "metal" })).await;
    assert_eq!(answer["hybridSearch"]["info"]["degraded"], false);
    assert_eq!(server.texts()["metal"], 1, "the vector of a search text is remembered");
    let spaces = app.as_admin().ask("{ embeddingSpaces { backend model dimensions } }").await;
    let expected =
        json!({ "backend": "openai", "model": "text-embedding-3-small", "dimensions": 1_536 });
    assert_eq!(spaces["embeddingSpaces"], json!([expected]));
    assert_eq!(server.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn while_the_provider_hangs_searches_are_answered_within_a_second() {
    let server = with_key();
    let app = TestApp::plan().with(&arguments(&server)).start().await;
    let ids = app.songs(&catalogue::songs()).await;
    for fault in [Fault::Hang, Fault::Drip] {
        server.always(fault.clone());
        let text = format!("metal {fault:?}");
        let started = Instant::now();
        let answer = app.anonymous().query(HYBRID, json!({ "text": text })).await;
        assert!(started.elapsed() < Duration::from_millis(1_500), "{:?}", started.elapsed());
        let found = &answer["hybridSearch"];
        assert_eq!(found["info"]["degraded"], true);
        assert_eq!(found["info"]["strategy"], "FULL_TEXT");
        assert!(!titles(found).is_empty());
        let started = Instant::now();
        let answer = app.anonymous().query(RECOMMEND, json!({ "text": format!("{text} 2") })).await;
        assert!(started.elapsed() < Duration::from_millis(1_500), "{:?}", started.elapsed());
        answer.assert_error("EMBEDDER_UNAVAILABLE", &["try again in a minute"]);
    }
    // Many who ask for the same do not wait for each other.
    let started = Instant::now();
    let asking = (0..10).map(|_| {
        let client = app.anonymous();
        async move { client.query(HYBRID, json!({ "text": "metal for all" })).await }
    });
    for answer in at_once(asking).await {
        assert_eq!(answer["hybridSearch"]["info"]["degraded"], true);
    }
    assert!(started.elapsed() < Duration::from_millis(1_500), "{:?}", started.elapsed());
    // What needs no vector of a text goes on as ever.
    let similar = "query ($id: ID!) { similar(id: $id) { nodes { title } } }";
    let answer = app.anonymous().query(similar, json!({ "id": ids[0] })).await;
    assert!(!titles(&answer["similar"]).is_empty());
}

#[tokio::test]
async fn a_provider_that_keeps_failing_costs_a_search_no_time() {
    let server = with_key();
    let app = TestApp::plan().with(&arguments(&server)).start().await;
    app.songs(&catalogue::songs()).await;
    let before = server.requests();
    server.always(Fault::ServerError);
    for round in 0..30 {
        let text = format!("metal {round}");
        let answer = app.anonymous().query(HYBRID, json!({ "text": text })).await;
        assert_eq!(answer["hybridSearch"]["info"]["degraded"], true);
    }
    assert_eq!(server.requests() - before, 5, "the provider was asked while it was left alone");
}

/// Vectors that must never be stored.
async fn bad_vectors(app: &TestApp) -> Value {
    // NaN and infinity cannot be in a `vector`, and a zero vector has no norm.
    let statement = "SELECT count(*) FROM song_embedding
        WHERE vector_dims(embedding) <> 1536 OR NOT vector_norm(embedding) BETWEEN 0.999 AND 1.001";
    app.rows(statement).await[0]["count"].clone()
}

#[tokio::test]
async fn a_wrong_answer_stores_nothing_and_betrays_nothing() {
    let server = with_key();
    let app = impatient(&server).await;
    let faults = [
        Fault::WrongDimension,
        Fault::NotANumber,
        Fault::Infinite,
        Fault::Zero,
        Fault::Fewer,
        Fault::More,
        Fault::MalformedJson,
        Fault::HtmlPage,
        Fault::Cut,
        Fault::RateLimited(None),
        Fault::Quota,
        Fault::Unauthorized,
        Fault::Forbidden,
        Fault::NotFound,
        Fault::BadRequest,
        Fault::ServerError,
        Fault::Overloaded(None),
        Fault::Redirect("http://127.0.0.1:9/".to_owned()),
    ];
    for (round, fault) in faults.into_iter().enumerate() {
        server.always(fault.clone());
        let title = format!("Song {round}");
        app.ingest(&[json!({ "externalId": round.to_string(), "title": title })], None).await;
        app.run_queue().await;
        let text = json!({ "text": format!("metal {round}") });
        let answers = [
            app.as_user("ada").query(HYBRID, text.clone()).await,
            app.as_user("ada").query(RECOMMEND, text).await,
            app.as_admin().ask(FAILED).await,
        ];
        for answer in answers {
            assert!(!answer.text.contains(CANARY), "{fault:?}: {}", answer.text);
            assert!(!answer.text.contains(KEY), "{fault:?}: {}", answer.text);
        }
        let tasks = app.rows("SELECT message FROM embedding_task").await;
        let messages = Value::from(tasks).to_string();
        assert!(!messages.contains(CANARY) && !messages.contains(KEY), "{fault:?}: {messages}");
        assert_eq!(app.rows("SELECT 1 FROM song_embedding").await.len(), 0, "{fault:?}");
    }
    server.heal();
    app.sql("UPDATE embedding_task SET state = 'pending', run_at = now() - interval '1 hour'")
        .await;
    app.run_queue().await;
    assert_eq!(app.rows("SELECT 1 FROM song_embedding").await.len(), 18);
    assert_eq!(bad_vectors(&app).await, 0);
}

#[tokio::test]
async fn one_text_that_the_provider_refuses_keeps_no_other_from_its_vector() {
    let server = with_key();
    let app = impatient(&server).await;
    server.on_text("poison", Fault::BadRequest);
    let song = |number: usize| match number {
        7 => json!({ "externalId": "7", "title": "A poison song" }),
        _ => json!({ "externalId": number.to_string(), "title": format!("Song {number}") }),
    };
    app.songs(&(0..20).map(song).collect::<Vec<_>>()).await;
    assert_eq!(app.rows("SELECT 1 FROM song_embedding").await.len(), 19);
    assert_eq!(bad_vectors(&app).await, 0);
    let left = app.rows("SELECT message FROM embedding_task").await;
    assert_eq!(left.len(), 1);
    let message = left[0]["message"].as_str().unwrap();
    assert!(message.contains("refused the text") && !message.contains(CANARY), "{message}");
}

const USAGE: &str =
    "{ stats { usage { day space backend model requests texts tokens truncated cost }
    queryCache { hits misses hitRate entries bytes capacityBytes } } }";

#[tokio::test]
async fn what_was_spent_is_shown_by_day_and_space_as_the_provider_counts_it() {
    let server = with_key();
    let app = TestApp::plan().with(&arguments(&server)).start().await;
    app.songs(&catalogue::songs()).await;
    for text in ["quiet piano", "quiet piano", "heavy metal"] {
        app.anonymous().query(RECOMMEND, json!({ "text": text })).await.data();
    }
    let services = app.services.clone();
    app.on_server(async move { services.record_usage().await }).await;
    let answer = app.as_admin().ask(USAGE).await;
    let usage = &answer["stats"]["usage"];
    assert_eq!(usage.as_array().unwrap().len(), 1);
    let (spent, tokens) = (&usage[0], server.tokens());
    assert_eq!(spent["day"], kindred::model::Clock.now().date_naive().to_string());
    assert_eq!((&spent["backend"], &spent["model"]), (&json!("openai"), &json!(MODEL)));
    assert_eq!(spent["space"], MODEL);
    assert_eq!(spent["requests"], server.requests());
    assert_eq!((&spent["texts"], &spent["truncated"]), (&json!(10), &json!(0)));
    assert_eq!(spent["tokens"], tokens);
    let cost = f64::from(u32::try_from(tokens).unwrap()) * 0.02 / 1e6;
    assert!((spent["cost"].as_f64().unwrap() - cost).abs() < 1e-12);
    let cache = &answer["stats"]["queryCache"];
    assert_eq!(
        (&cache["hits"], &cache["misses"], &cache["entries"]),
        (&json!(1), &json!(2), &json!(2))
    );
    assert!((cache["hitRate"].as_f64().unwrap() - 1.0 / 3.0).abs() < 1e-9);
    assert!(cache["bytes"].as_i64().unwrap() > 2 * 4 * 1_536);
    assert_eq!(cache["capacityBytes"], 16 << 20);
}

const MODEL: &str = "text-embedding-3-small";

#[tokio::test]
async fn only_administrators_see_what_was_spent() {
    let server = with_key();
    let app = TestApp::plan().with(&arguments(&server)).start().await;
    app.songs(&catalogue::songs()).await;
    for viewer in [app.anonymous(), app.as_user("ada")] {
        let answer = viewer.ask(USAGE).await;
        assert_eq!(answer["stats"], json!({ "usage": [], "queryCache": null }));
    }
    let answer = app.as_admin().ask("{ stats { usage(first: 0) { day } } }").await;
    answer.assert_error("INVALID_ARGUMENT", &["`first`", "between 1 and 100", "0"]);
}

#[tokio::test]
async fn what_was_spent_is_not_lost_while_the_database_cannot_take_it() {
    let server = with_key();
    let app = impatient(&server).await;
    app.sql("ALTER TABLE usage RENAME TO usage_away").await;
    server.script([Fault::ServerError, Fault::ServerError]);
    app.songs(&catalogue::songs()).await;
    app.sql("ALTER TABLE usage_away RENAME TO usage").await;
    assert_eq!(app.rows("SELECT 1 FROM usage").await.len(), 0);
    for text in ["quiet piano", "heavy metal"] {
        app.anonymous().query(RECOMMEND, json!({ "text": text })).await.data();
        let services = app.services.clone();
        app.on_server(async move { services.record_usage().await }).await;
    }
    let spent = app.rows("SELECT requests, texts, tokens FROM usage").await;
    let expected = json!({ "requests": server.requests(), "texts": 10, "tokens": server.tokens() });
    assert_eq!(spent, [expected]);
    assert_eq!(server.requests(), 5);
}

#[tokio::test]
async fn a_compatible_server_needs_no_key_and_says_what_it_needs_instead() {
    let server = OpenAiServer::start();
    let url = server.base_url.as_str();
    let plan = TestApp::plan().with(&["--embedder", "openai", "--openai-base-url", url]);
    let app = plan
        .with(&["--openai-model", "nomic-embed-text", "--openai-dimensions", "64"])
        .start()
        .await;
    app.songs(&catalogue::songs()).await;
    let answer = app.anonymous().query(RECOMMEND, json!({ "text": "quiet piano" })).await;
    assert!(!texts(&answer["recommend"]["nodes"], "title").is_empty());
    assert!(server.calls().iter().all(|call| call.authorization.is_none()));
    assert!(server.calls().iter().all(|call| call.dimensions.is_none()));
    let services = app.services.clone();
    app.on_server(async move { services.record_usage().await }).await;
    let answer = app.as_admin().ask(USAGE).await;
    assert_eq!(answer["stats"]["usage"][0]["cost"], 0.0);
}
