//! What is sent: models, lengths, keys, batches within the limits, few at a time, all accounted for.

use std::time::{Duration, Instant};

use kindred::embed::{Backend, Embedder, Error, OpenAiEmbedder, OpenAiSettings, Usage};
use secrecy::SecretString;

use crate::openai_server::{OpenAiServer, Plan, hashed};
use crate::{embedder, numbered, quick, settings, texts};

fn made(settings: &OpenAiSettings) -> OpenAiEmbedder {
    OpenAiEmbedder::with_pace(settings, None, None, quick()).unwrap()
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[tokio::test]
async fn each_model_is_asked_for_as_the_api_wants_it() {
    let server = OpenAiServer::start();
    let cases = [
        ("text-embedding-3-small", None, 1_536, None),
        ("text-embedding-3-small", Some(1_536), 1_536, None),
        ("text-embedding-3-small", Some(256), 256, Some(256)),
        ("text-embedding-3-large", None, 3_072, None),
        ("text-embedding-3-large", Some(1_024), 1_024, Some(1_024)),
        ("text-embedding-ada-002", None, 1_536, None),
        ("some-other-model", Some(64), 64, None),
    ];
    for (model, dimensions, length, asked) in cases {
        let settings = OpenAiSettings { model: model.to_owned(), dimensions, ..settings(&server) };
        let embedder = made(&settings);
        let key = embedder.description().key();
        assert_eq!((key.backend, key.model.as_str()), (Backend::OpenAi, model));
        assert_eq!(key.dimensions, length);
        let found = embedder.embed_documents(&texts(&["quiet piano"])).await.unwrap();
        let vector = found[0].vector.as_ref().unwrap();
        assert_eq!(vector.len(), length);
        assert!(dot(vector, &hashed("quiet piano", length)) > 0.9999);
        let call = server.calls().pop().unwrap();
        assert_eq!((call.model.as_str(), call.dimensions), (model, asked));
    }
    assert_eq!(server.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn the_key_is_sent_where_there_is_one_and_nothing_where_there_is_none() {
    let plan = Plan { key: Some("sk-test-1".to_owned()), ..Plan::default() };
    let server = OpenAiServer::with(plan);
    let without = settings(&server);
    let with = OpenAiSettings { api_key: Some(SecretString::from("sk-test-1")), ..without.clone() };
    made(&with).embed_query("piano").await.unwrap();
    let error = made(&without).embed_query("piano").await.unwrap_err();
    assert!(matches!(error, Error::Load(_)), "{error}");
    let keys: Vec<_> = server.calls().into_iter().map(|call| call.authorization).collect();
    assert_eq!(keys, [Some("Bearer sk-test-1".to_owned()), None]);
}

#[tokio::test]
async fn order_is_kept_over_many_requests_at_once() {
    let server = OpenAiServer::start();
    let embedder = embedder(&server);
    let texts = numbered(1_500, 30);
    let found = embedder.embed_documents(&texts).await.unwrap();
    assert_eq!(found.len(), texts.len());
    for (text, embedding) in texts.iter().zip(&found) {
        let vector = embedding.vector.as_ref().unwrap();
        assert!(dot(vector, &hashed(text, 1_536)) > 0.9999, "{text}");
    }
    assert_eq!(server.requests(), 6);
    assert!(server.texts().values().all(|times| *times == 1));
}

#[tokio::test]
async fn requests_never_go_beyond_the_limits() {
    let server = OpenAiServer::start();
    let embedder = embedder(&server);
    // 120 texts of 8,000 bytes are more than a request may hold, and none is cut.
    let long = numbered(120, 8_000);
    embedder.embed_documents(&long).await.unwrap();
    embedder.embed_documents(&numbered(5_000, 10)).await.unwrap();
    // 40 texts of 10,000 tokens are cut, and sent in more than one request.
    let longer = vec!["word ".repeat(10_000); 40];
    let found = embedder.embed_documents(&longer).await.unwrap();
    assert!(found.iter().all(|embedding| embedding.is_truncated));
    assert_eq!(server.violations(), Vec::<String>::new());
    assert!(server.calls().iter().all(|call| call.texts.len() <= 2_048));
}

#[tokio::test]
async fn a_text_beyond_the_limit_is_cut_at_its_tokens_and_that_is_said() {
    let server = OpenAiServer::start();
    let settings = OpenAiSettings { max_tokens: 5, ..settings(&server) };
    let embedder = made(&settings);
    let documents =
        texts(&["one two three four five six seven", "one two", "🎸🥁🎹🎺🎻🪕🎤🎧", "abcdefgh"]);
    let found = embedder.embed_documents(&documents).await.unwrap();
    let truncated: Vec<bool> = found.iter().map(|embedding| embedding.is_truncated).collect();
    assert_eq!(truncated, [true, false, true, false]);
    let sent = &server.calls()[0].texts;
    assert_eq!(sent[0], "one two three four five");
    assert!(documents[2].starts_with(&sent[2]) && sent[2].len() < documents[2].len());
    let query = embedder.embed_query("one two three four five six").await.unwrap();
    assert!(query.is_truncated);
    assert_eq!(embedder.meter().unwrap().take().truncated, 3);
}

#[tokio::test]
async fn blank_texts_are_not_sent_and_get_no_vector() {
    let server = OpenAiServer::start();
    let embedder = embedder(&server);
    let blank = texts(&["", " ", "\n\t", "\u{a0}"]);
    let found = embedder.embed_documents(&blank).await.unwrap();
    assert!(found.iter().all(|embedding| embedding.vector.is_none()));
    assert_eq!(embedder.embed_documents(&[]).await.unwrap(), []);
    assert_eq!(embedder.embed_query("  ").await.unwrap().vector, None);
    assert_eq!(server.requests(), 0);
    let mixed = texts(&["", "piano", " "]);
    let found = embedder.embed_documents(&mixed).await.unwrap();
    let known: Vec<bool> = found.iter().map(|embedding| embedding.vector.is_some()).collect();
    assert_eq!(known, [false, true, false]);
    assert_eq!(server.calls()[0].texts, ["piano"]);
}

#[tokio::test]
async fn what_is_spent_is_counted_as_the_provider_counts_it() {
    let server = OpenAiServer::start();
    let embedder = embedder(&server);
    embedder.embed_documents(&numbered(600, 30)).await.unwrap();
    embedder.embed_query("quiet piano").await.unwrap();
    let used = embedder.meter().unwrap().take();
    assert_eq!(used.requests, u64::try_from(server.requests()).unwrap());
    assert_eq!(used.tokens, u64::try_from(server.tokens()).unwrap());
    assert_eq!((used.texts, used.truncated), (601, 0));
    assert_eq!(embedder.meter().unwrap().take(), Usage::default());
    let tokens = embedder.count_tokens(&texts(&["", "one two three"])).await.unwrap();
    assert_eq!(tokens, [0, 3]);
}

/// The most calls that were under way at one time.
fn at_once(server: &OpenAiServer) -> usize {
    let calls = server.calls();
    let under_way = |at: Instant| {
        let call = |call: &&crate::openai_server::Call| {
            call.at <= at && call.answered.is_none_or(|answered| answered > at)
        };
        calls.iter().filter(call).count()
    };
    calls.iter().map(|call| under_way(call.at)).max().unwrap_or(0)
}

#[tokio::test]
async fn only_so_many_requests_are_under_way_and_a_search_waits_for_none() {
    let delay = Duration::from_millis(300);
    let server = OpenAiServer::with(Plan { delay, ..Plan::default() });
    // Short vectors, so that the server is not busy with writing numbers.
    let settings = OpenAiSettings { concurrency: 3, dimensions: Some(64), ..settings(&server) };
    let embedder = made(&settings);
    let documents = tokio::spawn({
        let embedder = embedder.clone();
        async move { embedder.embed_documents(&numbered(2_000, 10)).await }
    });
    let started = Instant::now();
    while server.requests() < 2 {
        assert!(started.elapsed() < crate::PATIENCE);
        tokio::task::yield_now().await;
    }
    embedder.embed_query("quiet piano").await.unwrap();
    assert!(!documents.is_finished(), "the search came after the documents");
    documents.await.unwrap().unwrap();
    assert_eq!(at_once(&server), 3);
    assert_eq!(server.requests(), 9);
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_any_more_leaves_its_places() {
    let server = OpenAiServer::start();
    let settings = OpenAiSettings { concurrency: 1, ..settings(&server) };
    let embedder = made(&settings);
    server.always(crate::openai_server::Fault::Hang);
    let started = Instant::now();
    for seen in 1..4 {
        let hanging = tokio::spawn({
            let embedder = embedder.clone();
            async move { embedder.embed_documents(&numbered(1, 10)).await }
        });
        while server.requests() < seen {
            assert!(started.elapsed() < crate::PATIENCE);
            tokio::task::yield_now().await;
        }
        hanging.abort();
        assert!(hanging.await.unwrap_err().is_cancelled());
    }
    server.heal();
    assert!(embedder.embed_query("quiet piano").await.unwrap().vector.is_some());
}
