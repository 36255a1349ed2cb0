//! Requests that are meant to break something. After each one the next client is served.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::TestApp;

/// Queries that no server should try to run, by what they are.
fn documents() -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for depth in [33, 1_000, 2_000, 10_000, 100_000] {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        all.push((
            format!("list nested {depth}"),
            format!("{{ nodes(ids: {open}{close}) {{ id }} }}"),
        ));
        let (open, close) = ("{not:".repeat(depth), "}".repeat(depth));
        all.push((
            format!("object nested {depth}"),
            format!("{{ songs(where: {open}{{}}{close}) {{ totalCount }} }}"),
        ));
        all.push((
            format!("open object {depth}"),
            format!("{{ songs(where: {}", "{not:".repeat(depth)),
        ));
        let (open, close) = ("{ a ".repeat(depth), "}".repeat(depth));
        all.push((format!("selection {depth}"), format!("{open}{close}")));
        let similar = "similar { nodes { ".repeat(depth);
        all.push((
            format!("similar {depth}"),
            format!("{{ songs {{ nodes {{ {similar} id {} }} }} }}", "} } ".repeat(depth)),
        ));
    }
    for n in [10, 15, 20] {
        let bomb: String = (0..n)
            .map(|i| format!("fragment f{i} on Query {{ ...f{0} ...f{0} }} ", i + 1))
            .collect();
        let bomb = format!("{{ ...f0 }} {bomb} fragment f{n} on Query {{ __typename }}");
        all.push((format!("fragment bomb {n}"), bomb));
    }
    let circle = "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }";
    all.push(("circle of fragments".to_owned(), circle.to_owned()));
    let aliases: String = (0..20_000).map(|n| format!("a{n}: __typename ")).collect();
    all.push(("20,000 aliases".to_owned(), format!("{{ {aliases} }}")));
    let aliases: String = (0..40).map(|n| format!("a{n}: stats {{ pendingTasks }} ")).collect();
    all.push(("40 aliases".to_owned(), format!("{{ {aliases} }}")));
    let skips = "@skip(if: false) ".repeat(50_000);
    all.push(("50,000 directives".to_owned(), format!("{{ __typename {skips} }}")));
    let skips = "@skip(if: false) ".repeat(60);
    all.push(("60 directives".to_owned(), format!("{{ __typename {skips} }}")));
    all.push((
        "a field 10,000 times".to_owned(),
        format!("{{ {} }}", "__typename ".repeat(10_000)),
    ));
    let ids = "\"song:x\" ".repeat(10_000);
    all.push(("10,000 ids".to_owned(), format!("{{ nodes(ids: [{ids}]) {{ id }} }}")));
    let types = "ofType { ".repeat(30);
    let introspection = format!(
        "{{ __schema {{ types {{ fields {{ type {{ fields {{ type {{ fields {{ type {{ {types} name {} }} }} }} }} }} }} }} }} }}",
        "} ".repeat(30)
    );
    all.push(("circular introspection".to_owned(), introspection));
    let nested = "{ songs(first: 100) { nodes { similar(first: 100) { nodes { similar(first: 100) { nodes { id } } } } } } }";
    all.push(("lists in lists".to_owned(), nested.to_owned()));
    let many = "recommend(query: \"x\", first: 100) { nodes { id } } ";
    let many: String = (0..20).map(|n| format!("a{n}: {many}")).collect();
    all.push(("20 searches".to_owned(), format!("{{ {many} }}")));
    all.push(("1 MB".to_owned(), format!("{{ __typename }} #{}", "x".repeat(1_000_000))));
    all.push(("only comments".to_owned(), "#\n".repeat(4_000)));
    for text in [
        "",
        " ",
        "\u{0}",
        "{",
        "}",
        "{}",
        "query",
        "{ __typename",
        "{ songs(first: ) }",
        "\u{feff}\u{feff}{",
        "{ a\u{0}b }",
        "{ \u{202e} }",
        "{ ÄÖÜ }",
        "\"\"\"",
        "{ a(b: \"\\u{D800}\") }",
        "{ a(b: \"\\uD800\") }",
        "subscription { x }",
        "{ __typename } { __typename }",
        "fragment a on Query { __typename }",
        "query A { __typename } query A { __typename }",
        "{ ...missing }",
        "query ($a: Nope) { __typename }",
        "query ($a: Int, $a: Int) { __typename }",
        "{ stats }",
        "{ stats { nope } }",
        "mutation { nope }",
        "{ songs(nope: 1) { totalCount } }",
        "{ songs(first: $x) { totalCount } }",
        "{ songs @nope { totalCount } }",
        "{ nodes(ids: null) { id } }",
    ] {
        let shown: String = text.chars().take(40).collect();
        all.push((format!("`{shown:?}`"), text.to_owned()));
    }
    all
}

#[tokio::test]
async fn after_every_hostile_document_the_next_client_is_served() {
    let app = TestApp::start().await;
    let (anonymous, admin) = (app.anonymous(), app.as_admin());
    for (name, query) in documents() {
        for viewer in [&anonymous, &admin] {
            let started = Instant::now();
            let answer = viewer.post(&json!({ "query": query })).await;
            assert!(answer.status.is_client_error(), "{name}: {}", cut(&answer.text));
            assert!(!answer.code().is_empty(), "{name}");
            assert!(answer.text.len() < 20_000, "{name} makes {} bytes", answer.text.len());
            assert!(started.elapsed() < Duration::from_secs(5), "{name}");
            viewer.assert_served().await;
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(500).collect()
}

#[tokio::test]
async fn after_all_hostile_variables_the_next_client_is_served() {
    let app = TestApp::start().await;
    let viewer = app.anonymous();
    let nested = |depth: usize| {
        let mut filter = json!({});
        for _ in 0..depth {
            filter = json!({ "not": filter });
        }
        filter
    };
    let songs = "query ($where: ContentFilter) { songs(where: $where) { totalCount } }";
    let nodes = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }";
    let like = "query ($like: [Example!]) { recommend(like: $like) { nodes { id } } }";
    let ids: Vec<String> = (0..10_000).map(|n| format!("song:{n}")).collect();
    let examples: Vec<Value> = (0..1_000).map(|_| json!({ "id": "song:x" })).collect();
    let cases = [
        ("nested 65", songs, json!({ "where": nested(65) })),
        ("10,000 ids", nodes, json!({ "ids": ids })),
        ("1,000 examples", like, json!({ "like": examples })),
        ("a string for a list of filters", songs, json!({ "where": { "and": "x" } })),
        ("a list for a filter", songs, json!({ "where": [] })),
        ("an unknown condition", songs, json!({ "where": { "nope": 1 } })),
        ("null in a list", nodes, json!({ "ids": [null] })),
        ("a number for a text", songs, json!({ "where": { "title": { "eq": 7 } } })),
        ("a missing variable", nodes, json!({})),
        ("a huge number", songs, json!({ "where": { "song": { "year": { "eq": 1e30 } } } })),
    ];
    for (name, query, variables) in cases {
        let answer = viewer.query(query, variables).await;
        assert!(answer.body["errors"].is_array(), "{name}: {}", cut(&answer.text));
        assert!(!answer.code().is_empty(), "{name}");
        assert!(!answer.status.is_server_error(), "{name}");
        assert_ne!(answer.code(), "INTERNAL", "{name}");
        viewer.assert_served().await;
    }
    // What JSON libraries refuse to build, as bytes.
    for depth in [127, 128, 10_000, 400_000] {
        let body = format!(
            "{{\"query\":\"{{ __typename }}\",\"variables\":{{\"a\":{}{}}}}}",
            "[".repeat(depth),
            "]".repeat(depth)
        );
        let answer = viewer.raw(body.into_bytes()).await;
        assert!(answer.status.is_client_error(), "{depth}: {}", cut(&answer.text));
        assert!(!answer.code().is_empty());
        viewer.assert_served().await;
    }
}

const RECOMMEND: &str = "query ($text: String!) { recommend(query: $text) { nodes { id } } }";
const HYBRID: &str =
    "query ($text: String!) { hybridSearch(query: $text, kinds: [SONG]) { nodes { id } } }";

#[tokio::test]
async fn a_search_text_that_is_empty_huge_or_unreadable_is_refused_with_a_reason() {
    let app = TestApp::with_songs().await;
    let viewer = app.anonymous();
    let huge = "x".repeat(1_000_000);
    let long = "rock ".repeat(401);
    let cases = [
        ("", "empty"),
        ("   \t\n ", "empty"),
        ("\u{0}", "NUL"),
        ("rock\u{0}music", "NUL"),
        (&huge, "1000000"),
        (&long, "2000"),
    ];
    for query in [RECOMMEND, HYBRID] {
        for (text, word) in cases {
            let answer = viewer.query(query, json!({ "text": text })).await;
            answer.assert_error("INVALID_ARGUMENT", &["`query`", word]);
            viewer.assert_served().await;
        }
        let most = "é".repeat(2_000);
        viewer.query(query, json!({ "text": most })).await.data();
    }
    // More than a body may hold.
    let answer = viewer.query(RECOMMEND, json!({ "text": "x".repeat(1_900_000) })).await;
    assert!(answer.status.is_client_error() || answer.code() == "INVALID_ARGUMENT");
}

#[tokio::test]
async fn half_a_character_is_no_json() {
    let app = TestApp::start().await;
    for escape in ["\\ud800", "\\udc00", "\\ud800\\ud800", "x\\udfffy", "\\uZZZZ", "\\u12"] {
        let body = format!(r#"{{"query":"{{ __typename }}","variables":{{"text":"{escape}"}}}}"#);
        let answer = app.anonymous().raw(body.into_bytes()).await;
        assert_eq!(answer.status, 400, "{escape}");
        answer.assert_error("BAD_REQUEST", &["JSON"]);
    }
    let body = b"{\"query\":\"{ __typename }\",\"variables\":{\"text\":\"\xed\xa0\x80\"}}".to_vec();
    let answer = app.anonymous().raw(body).await;
    answer.assert_error("BAD_REQUEST", &["JSON"]);
    app.anonymous().assert_served().await;
}

#[tokio::test]
async fn any_text_may_be_searched_for() {
    let app = TestApp::with_songs().await;
    let texts = [
        "the",
        "a",
        "of and the",
        "?",
        "...",
        "''",
        "\\",
        "%",
        "_",
        "NULL",
        "0",
        "-1",
        "true",
        "\u{feff}",
        "\u{200b}",
        "\u{202e}abc",
        "🎸",
        "日本の歌",
        "Ωmega",
        "ſtraße",
        "e\u{301}",
        "\u{1}\u{2}",
        "\u{7f}",
        "\u{ffff}",
        "\u{10ffff}",
        "a\tb\nc\rd",
        "<b>",
        "&amp;",
        "${7*7}",
        "{{7}}",
    ];
    for query in [RECOMMEND, HYBRID] {
        for text in texts {
            let answer = app.anonymous().query(query, json!({ "text": text })).await;
            assert_ne!(answer.body["data"], Value::Null, "{text:?}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn any_text_may_be_stored_and_comes_back() {
    let app = TestApp::start().await;
    let texts = [
        "\u{1}\u{2}",
        "\u{1f}x",
        "🎸 Ω",
        "'; DROP TABLE song; --",
        "\\x41",
        "{a,b}",
        "\"q\"",
        "NULL",
        "a\u{1f}b",
    ];
    let rows: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(n, text)| {
            json!({ "externalId": n.to_string(), "title": text, "band": text,
            "moods": [text, "b"], "description": text })
        })
        .collect();
    app.songs(&rows).await;
    let answer = app
        .anonymous()
        .ask("{ songs(orderBy: { field: CREATED_AT }) { nodes { externalId title band moods description } } }")
        .await;
    for node in answer["songs"]["nodes"].as_array().unwrap() {
        let text = texts[node["externalId"].as_str().unwrap().parse::<usize>().unwrap()].trim();
        assert_eq!(node["title"], text);
        assert_eq!(node["band"], text);
        assert_eq!(node["description"], text);
        // A mood is a word; what separates fields in a file is a blank in it.
        let mood = text.to_lowercase().replace('\u{1f}', " ");
        assert_eq!(node["moods"], json!([mood.trim(), "b"]), "{text:?}");
    }
}
