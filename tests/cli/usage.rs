//! What a provider costs is written down, also when the server ends.

use serde_json::json;

use super::support::{Place, Server};
use crate::openai_server::OpenAiServer;

#[test]
fn what_was_spent_just_before_the_end_is_in_the_statistics() {
    let provider = OpenAiServer::start();
    let place = Place::new();
    let settings = ["--embedder", "openai", "--openai-base-url", &provider.base_url];
    let server = Server::start(&place, &settings);
    let file = place.file("songs.csv", "id,title\n1,Alpha\n2,Beta\n");
    let ingest = [&["ingest", "songs", &file, "--wait"], &settings[..]].concat();
    place.run(&ingest).with_code(0);
    let query = "{ recommend(query: \"quiet piano\") { nodes { id } } }";
    let answer = server.execute(&server.token, query, &json!({}));
    assert!(answer["errors"].is_null(), "{answer}");
    server.stop();
    let stats = place.run(&[&["stats", "--json"], &settings[..]].concat()).with_code(0).json();
    let usage = &stats["usage"][0];
    assert_eq!(usage["space"], "text-embedding-3-small");
    assert_eq!((&usage["texts"], &usage["truncated"]), (&json!(3), &json!(0)));
    assert_eq!(usage["requests"], provider.requests());
    assert_eq!(usage["tokens"], provider.tokens());
    let text = place.run(&[&["stats"], &settings[..]].concat()).with_code(0).stdout;
    let words = format!("{} requests, 3 texts", provider.requests());
    let line = text.lines().find(|line| line.starts_with("usage ")).unwrap_or_default();
    assert!(line.contains(&words) && line.contains("text-embedding-3-small"), "{text}");
}

#[test]
fn a_missing_key_is_named_before_anything_is_opened() {
    let place = Place::new();
    let ended = place.run(&["serve", "--embedder", "openai"]).with_code(1);
    assert!(ended.stderr.contains("`OPENAI_API_KEY` is not set"), "{ended:?}");
    let url = "http://user:hunter2@127.0.0.1:9/v1";
    let ended =
        place.run(&["serve", "--embedder", "openai", "--openai-base-url", url]).with_code(1);
    assert!(ended.stderr.contains("`OPENAI_BASE_URL` holds a user"), "{ended:?}");
    assert!(!ended.stderr.contains("hunter2"), "{ended:?}");
}
