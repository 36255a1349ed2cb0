//! A provider that keeps failing is left alone, by everything that would ask it.

use std::time::{Duration, Instant};

use kindred::embed::{Embedder, Error, OpenAiEmbedder, OpenAiSettings, Pace};

use crate::openai_server::{Fault, OpenAiServer};
use crate::{embedder, paced, quick, settings, texts};

async fn fails(embedder: &OpenAiEmbedder) -> Error {
    embedder.embed_documents(&texts(&["quiet piano"])).await.unwrap_err()
}

#[tokio::test]
async fn after_five_failures_in_a_row_nothing_is_sent_any_more() {
    let server = OpenAiServer::start();
    server.always(Fault::ServerError);
    let embedder = embedder(&server);
    fails(&embedder).await;
    assert_eq!(server.requests(), 5);
    let started = Instant::now();
    for _ in 0..50 {
        let error = fails(&embedder).await;
        assert!(error.is_transient() && error.to_string().contains("HTTP 500"), "{error}");
        let rest = error.retry_after().unwrap();
        assert!(rest > Duration::from_secs(20) && rest <= Duration::from_secs(30), "{rest:?}");
        assert!(embedder.embed_query("quiet piano").await.unwrap_err().is_transient());
    }
    assert_eq!(server.requests(), 5);
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test]
async fn models_of_the_same_provider_leave_it_alone_together() {
    let server = OpenAiServer::start();
    server.always(Fault::Overloaded(None));
    let small = embedder(&server);
    let large = Some("text-embedding-3-large");
    let large = OpenAiEmbedder::with_pace(&settings(&server), large, None, quick()).unwrap();
    fails(&small).await;
    fails(&large).await;
    assert!(large.embed_query("quiet piano").await.is_err());
    assert_eq!(server.requests(), 5);
    let other = OpenAiServer::start();
    assert!(embedder(&other).embed_query("quiet piano").await.is_ok());
}

#[tokio::test]
async fn failures_that_are_not_in_a_row_do_not_count() {
    let server = OpenAiServer::start();
    let embedder = embedder(&server);
    for _ in 0..3 {
        server.script(vec![Fault::ServerError; 4]);
        assert!(embedder.embed_documents(&texts(&["quiet piano"])).await.is_ok());
    }
    assert_eq!(server.requests(), 15);
}

#[tokio::test]
async fn a_wrong_key_or_an_empty_account_is_not_tried_for_ever() {
    for fault in [Fault::Quota, Fault::Unauthorized] {
        let server = OpenAiServer::start();
        server.always(fault.clone());
        let embedder = embedder(&server);
        for _ in 0..20 {
            let error = fails(&embedder).await;
            assert!(error.to_string().contains("OPENAI_API_KEY"), "{error}");
        }
        assert_eq!(server.requests(), 5, "{fault:?}");
    }
}

#[tokio::test]
async fn one_request_after_the_rest_finds_out_that_it_is_well_again() {
    let server = OpenAiServer::start();
    server.always(Fault::ServerError);
    let rest = Duration::from_millis(300);
    let embedder = paced(&server, Pace { rest, ..quick() });
    fails(&embedder).await;
    let opened = Instant::now();
    // As long as it fails, one request goes out each time the rest is over.
    while server.requests() < 8 {
        assert!(opened.elapsed() < crate::PATIENCE);
        drop(fails(&embedder).await);
        tokio::task::yield_now().await;
    }
    let calls = server.calls();
    for pair in calls[4..].windows(2) {
        let apart = pair[1].at.duration_since(pair[0].at);
        assert!(apart >= Duration::from_millis(280), "{apart:?}");
    }
    server.heal();
    while embedder.embed_query("quiet piano").await.is_err() {
        assert!(opened.elapsed() < crate::PATIENCE);
        tokio::task::yield_now().await;
    }
    assert_eq!(server.requests(), calls.len() + 1);
    assert!(embedder.embed_documents(&texts(&["a", "b"])).await.is_ok());
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_before_anything_is_sent() {
    let server = OpenAiServer::start();
    let good = settings(&server);
    let bad = [
        OpenAiSettings { model: "nomic-embed-text".to_owned(), ..good.clone() },
        OpenAiSettings { dimensions: Some(1_537), ..good.clone() },
        OpenAiSettings { base_url: "nowhere".to_owned(), ..good.clone() },
        OpenAiSettings { base_url: "https://api.openai.com/v1".to_owned(), ..good },
    ];
    for settings in bad {
        let error = OpenAiEmbedder::new(&settings, None, None).err().unwrap();
        assert!(matches!(error, Error::Load(_)), "{error}");
        assert!(error.to_string().contains("OPENAI_"), "{error}");
    }
    assert_eq!(server.requests(), 0);
}
