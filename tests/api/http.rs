//! HTTP: methods, types, statuses, and bodies that are too large, too slow or no JSON.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::client::Answer;
use crate::support::{TestApp, at_once, catalogue};

/// Sends bytes as they are, then more bytes over and over until the server has had enough, and
/// returns what it said.
async fn raw(app: &TestApp, head: &str, more: Option<&[u8]>) -> String {
    let address = app.url.trim_start_matches("http://").to_owned();
    let (mut reader, mut writer) = TcpStream::connect(address).await.unwrap().into_split();
    writer.write_all(head.as_bytes()).await.unwrap();
    let more = more.map(<[u8]>::to_vec);
    let sending = tokio::spawn(async move {
        if let Some(more) = more {
            while writer.write_all(&more).await.is_ok() {}
        }
        writer
    });
    let mut said = Vec::new();
    let mut chunk = [0_u8; 4_096];
    while let Ok(Ok(count)) =
        tokio::time::timeout(Duration::from_secs(20), reader.read(&mut chunk)).await
    {
        said.extend(&chunk[..count]);
        if count == 0 || String::from_utf8_lossy(&said).contains("\"errors\"") {
            break;
        }
    }
    sending.abort();
    String::from_utf8_lossy(&said).into_owned()
}

/// Every byte as `%XX`, which is always right.
fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn head(content_type: &str, length: usize) -> String {
    format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: {content_type}\r\n\
         content-length: {length}\r\n\r\n"
    )
}

#[tokio::test]
async fn a_query_is_answered_over_get_and_a_mutation_is_not() {
    let app = TestApp::with_songs().await;
    let admin = app.as_admin();
    let get = async |query: &[(&str, &str)]| {
        let pairs: Vec<String> = query
            .iter()
            .map(|(name, value)| format!("{name}={}", percent_encoded(value)))
            .collect();
        admin.get(&format!("/graphql?{}", pairs.join("&"))).await
    };
    let answer = get(&[("query", "{ songs { totalCount } }")]).await;
    assert_eq!(answer["songs"]["totalCount"], 8);
    let named = "query A { a: __typename } query B($n: Int!) { songs(first: $n) { nodes { id } } }";
    let answer = get(&[("query", named), ("operationName", "B"), ("variables", "{\"n\":2}")]).await;
    assert_eq!(answer["songs"]["nodes"].as_array().unwrap().len(), 2);
    let mutations = [
        "mutation B { ingestSongs(rows: [{ title: \"x\" }]) { created } }",
        "mutation B { retryFailedTasks }",
        "query A { __typename } mutation B { retryFailedTasks }",
    ];
    for mutation in mutations {
        let answer = get(&[("query", mutation), ("operationName", "B")]).await;
        assert_eq!(answer.status, 405, "{}", answer.text);
        assert_eq!(answer.code(), "METHOD_NOT_ALLOWED");
        assert_eq!(answer.headers["allow"], "POST");
    }
    let bad = [
        vec![],
        vec![("query", "")],
        vec![("query", "{ __typename }"), ("variables", "{")],
        vec![("query", "{ __typename }"), ("variables", "[]")],
        vec![("query", "{ __typename }"), ("variables", "7")],
        vec![("query", "{ __typename }"), ("extensions", "x")],
    ];
    for query in bad {
        let answer = get(&query).await;
        assert!(answer.status.is_client_error() || answer.body["errors"].is_array(), "{query:?}");
        assert!(!answer.code().is_empty());
    }
    assert_eq!(admin.ask("{ songs { totalCount } }").await["songs"]["totalCount"], 8);
}

#[tokio::test]
async fn only_json_in_utf_8_is_read() {
    let app = TestApp::start().await;
    let body = json!({ "query": "{ __typename }" }).to_string();
    let send = async |content_type: Option<&str>| {
        let request = app.as_admin().request(Method::POST, "/graphql").body(body.clone());
        let request = match content_type {
            Some(content_type) => request.header("content-type", content_type),
            None => request,
        };
        Answer::of(request).await
    };
    for good in [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON;charset=\"UTF-8\"",
    ] {
        send(Some(good)).await.data();
    }
    let bad = [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/graphql",
        "application/json; charset=utf-16",
        "application/jsonx",
        "",
        "json",
    ];
    for content_type in bad.into_iter().map(Some).chain([None]) {
        let answer = send(content_type).await;
        assert_eq!(answer.status, 415, "{content_type:?}");
        assert_eq!(answer.code(), "UNSUPPORTED_MEDIA_TYPE");
    }
}

#[tokio::test]
async fn the_answer_has_the_type_that_was_asked_for() {
    let app = TestApp::start().await;
    let send = async |accept: &str, query: &str| {
        let request = app.as_admin().request(Method::POST, "/graphql");
        let request = request.header("accept", accept).json(&json!({ "query": query }));
        Answer::of(request).await
    };
    let answer = send("application/json", "{ nope }").await;
    assert_eq!(answer.status, 200);
    assert!(answer.headers["content-type"].to_str().unwrap().starts_with("application/json"));
    let answer = send("application/graphql-response+json", "{ nope }").await;
    assert_eq!(answer.status, 400);
    let content_type = answer.headers["content-type"].to_str().unwrap();
    assert!(content_type.starts_with("application/graphql-response+json"));
    assert!(answer.body.get("data").is_none());
    let answer = send("text/html", "{ __typename }").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (406, "NOT_ACCEPTABLE"));
}

#[tokio::test]
async fn a_body_that_is_no_request_is_refused_with_a_reason() {
    let app = TestApp::start().await;
    let admin = app.as_admin();
    let cases: [(&[u8], &str); 14] = [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"null", "request"),
        (b"7", "request"),
        (b"\"x\"", "request"),
        (b"[]", "list"),
        (br#"[{"query":"{ __typename }"}]"#, "list"),
        (b"{}", "query"),
        (br#"{"query":null}"#, "request"),
        (br#"{"query":7}"#, "request"),
        (br#"{"query":"{ __typename }","variables":[]}"#, "variables"),
        (br#"{"query":"{ __typename }","variables":"x"}"#, "variables"),
        (br#"{"query":"{ __typename }","operationName":7}"#, "request"),
        (b"\xff\xfe{\"query\":\"{ __typename }\"}", "JSON"),
    ];
    for (body, word) in cases {
        let answer = admin.raw(body.to_vec()).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
        answer.assert_error("BAD_REQUEST", &[word]);
        admin.assert_served().await;
    }
}

#[tokio::test]
async fn a_batch_is_refused_however_large() {
    let app = TestApp::start().await;
    let batch: Vec<_> = (0..50_000).map(|_| json!({ "query": "{x}" })).collect();
    let answer = app.as_admin().post(&json!(batch)).await;
    assert_eq!(answer.status, 400);
    answer.assert_error("BAD_REQUEST", &["list"]);
    app.anonymous().assert_served().await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_it_is_read() {
    let app = TestApp::start().await;
    let started = Instant::now();
    let said =
        raw(&app, &head("application/json", 100 * 1024 * 1024), Some(&vec![b' '; 65_536])).await;
    assert!(said.starts_with("HTTP/1.1 413"), "{said}");
    assert!(said.contains("BODY_TOO_LARGE"), "{said}");
    let chunked = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
        transfer-encoding: chunked\r\n\r\n";
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(65_536));
    let said = raw(&app, chunked, Some(chunk.as_bytes())).await;
    assert!(said.starts_with("HTTP/1.1 413"), "{said}");
    // A type that is not read is refused without reading anything.
    let said = raw(&app, &head("text/plain", 100 * 1024 * 1024), None).await;
    assert!(said.starts_with("HTTP/1.1 415"), "{said}");
    assert!(started.elapsed() < Duration::from_secs(20));
    app.anonymous().assert_served().await;
}

#[tokio::test]
async fn a_body_that_never_ends_is_given_up_and_others_are_served_meanwhile() {
    let app = TestApp::start().await;
    let begun = format!("{}{{", head("application/json", 1_000));
    let slow = raw(&app, &begun, None);
    let others = async {
        for _ in 0..20 {
            app.anonymous().assert_served().await;
        }
    };
    let (said, ()) = tokio::join!(slow, others);
    assert!(said.starts_with("HTTP/1.1 408"), "{said}");
    assert!(said.contains("TIMEOUT"), "{said}");
}

#[tokio::test]
async fn a_path_or_method_that_is_not_there_is_said_in_json() {
    let app = TestApp::start().await;
    let anonymous = app.anonymous();
    for path in [
        "/nope",
        "/graphql/",
        "/graphql/x",
        "/assets/nope.js",
        "/assets/..%2f..%2fCargo.toml",
        "/.env",
    ] {
        let answer = anonymous.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.code(), "NOT_FOUND", "{path}");
    }
    let wrong = [
        (Method::PUT, "/graphql"),
        (Method::DELETE, "/graphql"),
        (Method::PATCH, "/graphql"),
        (Method::POST, "/health"),
        (Method::POST, "/"),
    ];
    for (method, path) in wrong {
        let answer = Answer::of(anonymous.request(method.clone(), path)).await;
        assert_eq!(answer.status, 405, "{method} {path}");
        assert_eq!(answer.code(), "METHOD_NOT_ALLOWED");
    }
}

#[tokio::test]
async fn pages_and_health_are_there() {
    let app = TestApp::start().await;
    for path in ["/", "/graphiql", "/assets/search.js", "/assets/search.css", "/favicon.svg"] {
        let answer = app.anonymous().get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
        assert!(answer.headers.contains_key("content-security-policy"), "{path}");
    }
    for path in ["/health", "/health/live", "/health/ready"] {
        let answer = app.anonymous().get(path).await;
        assert_eq!((answer.status.as_u16(), &answer.body["status"]), (200, &json!("ok")), "{path}");
    }
    let answer = app.anonymous().get("/health").await;
    assert_eq!(answer.body["version"], env!("CARGO_PKG_VERSION"));
    assert!(answer.headers.contains_key("x-request-id"));
}

#[tokio::test]
async fn other_origins_may_not_read_unless_the_operator_says_so() {
    let origin = "https://app.example";
    let closed = TestApp::start().await;
    let preflight = async |app: &TestApp| {
        let request = app.anonymous().request(Method::OPTIONS, "/graphql");
        let request =
            request.header("origin", origin).header("access-control-request-method", "POST");
        Answer::of(request.header("access-control-request-headers", "content-type,authorization"))
            .await
    };
    assert!(!preflight(&closed).await.headers.contains_key("access-control-allow-origin"));
    drop(closed);
    let open = TestApp::plan().with(&["--cors-origins", origin]).start().await;
    let answer = preflight(&open).await;
    assert_eq!(answer.headers["access-control-allow-origin"], origin);
    assert!(!answer.headers.contains_key("access-control-allow-credentials"));
}

#[tokio::test]
async fn a_server_with_enough_to_do_turns_more_away_and_says_when_to_come_back() {
    let app = TestApp::plan().with(&["--max-concurrent-requests", "1"]).start().await;
    app.songs(&catalogue::demo()[..60]).await;
    let query = "{ songs(first: 20) { nodes { similar(first: 5) { nodes { id } } } } }";
    let asked = (0..24).map(|_| {
        let viewer = app.anonymous();
        async move { viewer.ask(query).await }
    });
    let answers = at_once(asked).await;
    let (served, shed): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status == 200);
    assert!(!served.is_empty());
    assert!(!shed.is_empty(), "nothing was turned away");
    for answer in shed {
        assert_eq!((answer.status.as_u16(), answer.code()), (503, "OVERLOADED"));
        assert!(answer.headers.contains_key("retry-after"));
    }
    app.anonymous().assert_served().await;
}
