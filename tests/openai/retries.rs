//! What is tried again and what is not, and that nobody comes earlier than the provider asked.

use std::time::{Duration, Instant};

use kindred::embed::{Embedder, Error, OpenAiEmbedder, OpenAiSettings, Pace};

use crate::openai_server::{Call, Fault, OpenAiServer};
use crate::{embedder, paced, quick, settings, texts};

async fn documents(embedder: &OpenAiEmbedder) -> Result<usize, Error> {
    embedder.embed_documents(&texts(&["quiet piano"])).await.map(|found| found.len())
}

/// The time between the answer to one call and the next call.
fn waits(calls: &[Call]) -> Vec<Duration> {
    let pairs = calls.windows(2);
    pairs.map(|pair| pair[1].at.duration_since(pair[0].answered.unwrap())).collect()
}

#[tokio::test]
async fn what_may_pass_is_tried_five_times_in_all() {
    for fault in [Fault::RateLimited(None), Fault::ServerError, Fault::Overloaded(None)] {
        let server = OpenAiServer::start();
        server.script(vec![fault.clone(); 4]);
        assert_eq!(documents(&embedder(&server)).await.unwrap(), 1, "{fault:?}");
        assert_eq!(server.requests(), 5, "{fault:?}");
        let server = OpenAiServer::start();
        server.always(fault.clone());
        let error = documents(&embedder(&server)).await.unwrap_err();
        assert!(error.is_transient(), "{fault:?}: {error}");
        assert_eq!(server.requests(), 5, "{fault:?}");
    }
}

#[tokio::test]
async fn what_stays_wrong_is_tried_once_and_names_the_setting() {
    let cases = [
        (Fault::Quota, "plan and billing"),
        (Fault::Unauthorized, "`OPENAI_API_KEY`"),
        (Fault::Forbidden, "`OPENAI_API_KEY` and `OPENAI_MODEL`"),
        (Fault::NotFound, "`OPENAI_MODEL` and `OPENAI_BASE_URL`"),
        (Fault::Redirect("http://127.0.0.1:9/".to_owned()), "`OPENAI_BASE_URL`"),
    ];
    for (fault, words) in cases {
        let server = OpenAiServer::start();
        server.always(fault.clone());
        let error = documents(&embedder(&server)).await.unwrap_err();
        let Error::Load(cause) = &error else { panic!("{fault:?}: {error}") };
        assert!(cause.to_string().contains(words), "{fault:?}: {error}");
        assert!(error.is_of_the_model() && !error.is_transient());
        assert_eq!(server.requests(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn nobody_comes_before_the_time_that_the_provider_asked_for() {
    let server = OpenAiServer::start();
    server.script([
        Fault::RateLimited(Some("1".to_owned())),
        Fault::Overloaded(Some("1".to_owned())),
    ]);
    documents(&embedder(&server)).await.unwrap();
    let waits = waits(&server.calls());
    assert_eq!(waits.len(), 2);
    assert!(waits.iter().all(|wait| *wait >= Duration::from_secs(1)), "{waits:?}");
}

#[tokio::test]
async fn the_time_that_was_asked_for_holds_for_every_caller() {
    let server = OpenAiServer::start();
    let (first, second) = (embedder(&server), paced(&server, Pace::default()));
    server.script([Fault::RateLimited(Some("2".to_owned()))]);
    let waiting = tokio::spawn(async move { documents(&first).await.unwrap() });
    let started = Instant::now();
    while server.calls().first().is_none_or(|call| call.answered.is_none()) {
        assert!(started.elapsed() < crate::PATIENCE);
        tokio::task::yield_now().await;
    }
    // Enough for the answer to arrive, which the server cannot see.
    let mut error = second.embed_query("quiet piano").await;
    while error.is_ok() {
        assert!(started.elapsed() < crate::PATIENCE);
        error = second.embed_query("quiet piano").await;
    }
    let asked = error.unwrap_err().retry_after().unwrap();
    assert!(asked > Duration::from_secs(1) && asked <= Duration::from_secs(2), "{asked:?}");
    let (known, sent) = (Instant::now(), server.requests());
    let others = (0..6).map(|_| {
        let second = second.clone();
        async move { documents(&second).await.unwrap() }
    });
    others.collect::<tokio::task::JoinSet<_>>().join_all().await;
    waiting.await.unwrap();
    let calls = server.calls();
    let allowed = calls[0].answered.unwrap() + Duration::from_secs(2);
    let early = calls.iter().filter(|call| call.at > known && call.at < allowed).count();
    assert_eq!((early, calls.len()), (0, sent + 7));
}

#[tokio::test]
async fn a_long_wait_is_handed_to_the_caller() {
    let server = OpenAiServer::start();
    server.always(Fault::RateLimited(Some("3600".to_owned())));
    let embedder = embedder(&server);
    for _ in 0..3 {
        let error = documents(&embedder).await.unwrap_err();
        let asked = error.retry_after().unwrap();
        assert!(asked > Duration::from_secs(3_590) && asked <= Duration::from_hours(1));
        assert!(error.is_transient());
    }
    assert_eq!(server.requests(), 1, "the provider was asked again before its time");
}

#[tokio::test]
async fn a_date_of_http_is_understood() {
    let server = OpenAiServer::start();
    let until = kindred::model::Clock.now() + chrono::Duration::seconds(3_600);
    let date = until.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    server.always(Fault::RateLimited(Some(date)));
    let asked = documents(&embedder(&server)).await.unwrap_err().retry_after().unwrap();
    assert!(asked > Duration::from_secs(3_590) && asked <= Duration::from_hours(1));
}

#[tokio::test]
async fn a_provider_that_hangs_or_drips_is_given_up_in_time() {
    for fault in [Fault::Hang, Fault::Drip] {
        let server = OpenAiServer::start();
        server.always(fault.clone());
        let timeout = Duration::from_millis(100);
        let settings = OpenAiSettings { timeout, ..settings(&server) };
        let embedder = OpenAiEmbedder::with_pace(&settings, None, None, quick()).unwrap();
        let started = Instant::now();
        let error = documents(&embedder).await.unwrap_err();
        assert!(error.to_string().contains("did not answer within 0.1 s"), "{error}");
        assert_eq!(server.requests(), 5, "{fault:?}");
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn a_search_is_answered_within_a_second_while_the_provider_hangs() {
    for fault in [Fault::Hang, Fault::Drip] {
        let server = OpenAiServer::start();
        server.always(fault.clone());
        let embedder = paced(&server, Pace::default());
        let started = Instant::now();
        let error = embedder.embed_query("quiet piano").await.unwrap_err();
        assert!(error.is_transient());
        assert!(started.elapsed() < Duration::from_millis(1_500), "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_to_be_away() {
    let server = OpenAiServer::start();
    let settings = settings(&server);
    drop(server);
    let embedder = OpenAiEmbedder::with_pace(&settings, None, None, quick()).unwrap();
    let error = documents(&embedder).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert!(error.to_string().contains("cannot be reached; check `OPENAI_BASE_URL`"), "{error}");
}
