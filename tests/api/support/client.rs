//! Asking the server, and what it answers.

use std::ops::Index;

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

/// What no answer may ever hold: words of the database, the driver or the source code.
const SECRETS: [&str; 11] = [
    "sqlx",
    "PgDatabaseError",
    "error returned from database",
    "SQLSTATE",
    "duplicate key value",
    "violates ",
    "syntax error at or near",
    "invalid byte sequence",
    "panicked at",
    ".rs:",
    "postgres://",
];

/// Somebody who asks.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) http: reqwest::Client,
    url: String,
    token: Option<String>,
}

impl Client {
    pub(crate) fn new(http: reqwest::Client, url: &str, token: Option<&str>) -> Self {
        Self { http, url: url.to_owned(), token: token.map(str::to_owned) }
    }

    /// Sends a GraphQL request as a front end does.
    pub(crate) async fn query(&self, query: &str, variables: Value) -> Answer {
        self.post(&json!({ "query": query, "variables": variables })).await
    }

    /// A GraphQL request without variables.
    pub(crate) async fn ask(&self, query: &str) -> Answer {
        self.query(query, json!({})).await
    }

    /// Posts JSON of any shape, asking for statuses that say whether the request was run.
    pub(crate) async fn post(&self, body: &Value) -> Answer {
        self.raw(body.to_string().into_bytes()).await
    }

    /// Posts any bytes as JSON.
    pub(crate) async fn raw(&self, body: Vec<u8>) -> Answer {
        let request = self.request(reqwest::Method::POST, "/graphql");
        let request = request
            .header("content-type", "application/json")
            .header("accept", "application/graphql-response+json");
        Answer::of(request.body(body)).await
    }

    /// A request of any kind, with the token.
    pub(crate) fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(reqwest::Method::GET, path)).await
    }

    /// Asserts that the server still answers.
    pub(crate) async fn assert_served(&self) {
        let answer = self.ask("{ __typename }").await;
        assert_eq!(answer.data()["__typename"], "Query");
    }
}

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// `null` if the answer is no JSON.
    pub(crate) body: Value,
}

impl Answer {
    /// Sends a request and checks what holds for every answer.
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.expect("the server answers");
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        for secret in SECRETS {
            assert!(!text.contains(secret), "the answer betrays `{secret}`: {text}");
        }
        let body = serde_json::from_str(&text).unwrap_or_default();
        Self { status, headers, text, body }
    }

    /// The data of an answer without errors.
    #[track_caller]
    pub(crate) fn data(&self) -> &Value {
        assert!(self.body["errors"].is_null(), "{}", self.text);
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        &self.body["data"]
    }

    /// The code of the first error.
    #[track_caller]
    pub(crate) fn code(&self) -> &str {
        let code = &self.body["errors"][0]["extensions"]["code"];
        code.as_str().unwrap_or_else(|| panic!("no code: {} {}", self.status, self.text))
    }

    /// The text of the first error.
    #[track_caller]
    pub(crate) fn message(&self) -> &str {
        let message = &self.body["errors"][0]["message"];
        message.as_str().unwrap_or_else(|| panic!("no error: {}", self.text))
    }

    /// Asserts one error with a code, whose text holds each of some words.
    #[track_caller]
    pub(crate) fn assert_error(&self, code: &str, words: &[&str]) {
        assert_eq!(self.code(), code, "{}", self.text);
        for word in words {
            assert!(self.message().contains(word), "`{word}` is not in `{}`", self.message());
        }
    }
}

impl Index<&str> for Answer {
    type Output = Value;

    /// A field of the data.
    #[track_caller]
    fn index(&self, field: &str) -> &Value {
        &self.data()[field]
    }
}
