//! A server that plays `POST /embeddings` of the API of OpenAI, with its limits and with faults.
//!
//! It runs on a thread of its own, so that tests without a runtime can use it. Shared by test binaries
//! through `#[path]`; none of them uses all of it.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode, header};
use futures::stream;
use kindred::embed::Embedder;
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// Stands in every error that the server answers with; no client of Kindred may ever read it.
pub(crate) const CANARY: &str = "provider-canary-51c2";

const MAX_INPUTS: usize = 2_048;
const MAX_TOKENS: usize = 8_192;
const MAX_REQUEST_TOKENS: usize = 300_000;
/// The largest body that the server reads, in bytes.
const MAX_BODY: usize = 64 << 20;

/// What can go wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// 429, with `Retry-After` where it is given: seconds, or a date of HTTP.
    RateLimited(Option<String>),
    /// 429 because nobody paid.
    Quota,
    Unauthorized,
    Forbidden,
    NotFound,
    BadRequest,
    ServerError,
    /// 503, with `Retry-After` where it is given.
    Overloaded(Option<String>),
    /// A redirect to this address.
    Redirect(String),
    /// Never answers.
    Hang,
    /// Answers with a byte of white space every now and then, for ever.
    Drip,
    /// Cuts the connection in the middle of the body.
    Cut,
    MalformedJson,
    /// 200 with a page for people.
    HtmlPage,
    WrongDimension,
    /// `NaN`, as some servers write it, though it is no JSON.
    NotANumber,
    /// A number that no `f32` holds.
    Infinite,
    Zero,
    Fewer,
    More,
    /// The right vectors in another order; `index` says which is which.
    Permuted,
    /// Two vectors for one text and none for another.
    DuplicateIndex,
}

/// A request that the server got.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) at: Instant,
    /// When the answer was ready; `None` while it is not.
    pub(crate) answered: Option<Instant>,
    pub(crate) model: String,
    pub(crate) dimensions: Option<usize>,
    pub(crate) authorization: Option<String>,
    pub(crate) texts: Vec<String>,
    /// Status of the answer; `None` before there is one.
    pub(crate) status: Option<u16>,
    /// Whether vectors were sent, right or wrong.
    pub(crate) is_served: bool,
}

/// Marks a response that holds vectors.
#[derive(Clone)]
struct Served;

/// How a server is to be.
#[derive(Default)]
pub(crate) struct Plan {
    /// Makes the vectors; without one, words are hashed, so that texts with the same words are near.
    pub(crate) embedder: Option<Arc<dyn Embedder>>,
    /// The key that a request must carry, if any.
    pub(crate) key: Option<String>,
    /// Length of the vectors of models that OpenAI does not have. Default: the embedder's, else 64.
    pub(crate) dimensions: Option<usize>,
    /// How long a good answer takes.
    pub(crate) delay: Duration,
}

/// A running server. Dropping it ends it and cuts its connections.
pub(crate) struct OpenAiServer {
    /// What `OPENAI_BASE_URL` is to be.
    pub(crate) base_url: String,
    inner: Arc<Inner>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Inner {
    plan: Plan,
    script: Mutex<Script>,
    calls: Mutex<Vec<Call>>,
    /// Limits that requests went beyond.
    violations: Mutex<Vec<String>>,
}

#[derive(Default)]
struct Script {
    /// What the next requests meet, one each; `None` is answered well.
    next: VecDeque<Option<Fault>>,
    /// What every request meets after that.
    always: Option<Fault>,
    /// What requests with a text that holds this word meet.
    on_text: Option<(String, Fault)>,
}

impl OpenAiServer {
    pub(crate) fn start() -> Self {
        Self::with(Plan::default())
    }

    /// A compatible server with a model behind it.
    pub(crate) fn of(embedder: Arc<dyn Embedder>) -> Self {
        Self::with(Plan { embedder: Some(embedder), ..Plan::default() })
    }

    pub(crate) fn with(plan: Plan) -> Self {
        let inner = Arc::new(Inner {
            plan,
            script: Mutex::default(),
            calls: Mutex::default(),
            violations: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel();
        let (sender, started) = mpsc::channel();
        let thread = std::thread::spawn({
            let inner = inner.clone();
            move || serve(inner, &sender, stopped)
        });
        let address = started.recv().expect("the fake server listens");
        let base_url = format!("http://{address}/v1");
        Self { base_url, inner, stop: Some(stop), thread: Some(thread) }
    }

    /// The next requests meet these faults, one each.
    pub(crate) fn script(&self, faults: impl IntoIterator<Item = Fault>) {
        lock(&self.inner.script).next.extend(faults.into_iter().map(Some));
    }

    /// After the script, every request meets this fault.
    pub(crate) fn always(&self, fault: Fault) {
        lock(&self.inner.script).always = Some(fault);
    }

    /// Requests with a text that holds the word meet this fault.
    pub(crate) fn on_text(&self, word: &str, fault: Fault) {
        lock(&self.inner.script).on_text = Some((word.to_owned(), fault));
    }

    /// Answers well from now on.
    pub(crate) fn heal(&self) {
        *lock(&self.inner.script) = Script::default();
    }

    /// Every request so far, in order.
    pub(crate) fn calls(&self) -> Vec<Call> {
        lock(&self.inner.calls).clone()
    }

    pub(crate) fn requests(&self) -> usize {
        lock(&self.inner.calls).len()
    }

    /// How often each text came, whatever became of it.
    pub(crate) fn texts(&self) -> HashMap<String, usize> {
        counted(self.calls().into_iter())
    }

    /// How often each text was answered with a vector.
    pub(crate) fn answered_texts(&self) -> HashMap<String, usize> {
        counted(self.calls().into_iter().filter(|call| call.is_served))
    }

    /// Tokens that the server has charged for.
    pub(crate) fn tokens(&self) -> usize {
        let answered = self.calls().into_iter().filter(|call| call.is_served);
        answered.map(|call| call.texts.iter().map(|text| charged(text)).sum::<usize>()).sum()
    }

    /// What requests did that the API does not allow; each got status 400.
    pub(crate) fn violations(&self) -> Vec<String> {
        lock(&self.inner.violations).clone()
    }
}

impl Drop for OpenAiServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            assert!(thread.join().is_ok() || std::thread::panicking(), "the fake server panicked");
        }
    }
}

/// What the server charges for a text: a token for each word.
pub(crate) fn charged(text: &str) -> usize {
    text.split_whitespace().count()
}

fn counted(calls: impl Iterator<Item = Call>) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for text in calls.flat_map(|call| call.texts) {
        *counts.entry(text).or_default() += 1;
    }
    counts
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(inner: Arc<Inner>, started: &mpsc::Sender<SocketAddr>, stopped: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let router = Router::new()
            .route("/v1/embeddings", axum::routing::post(answer))
            .with_state(inner)
            .layer(axum::extract::DefaultBodyLimit::disable());
        started.send(listener.local_addr().expect("an address")).expect("somebody waits");
        tokio::select! {
            outcome = axum::serve(listener, router) => outcome.expect("it serves"),
            _ = stopped => {}
        }
    });
    // Requests that hang are cut off.
    runtime.shutdown_timeout(Duration::from_millis(100));
}

async fn answer(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Body) -> Response<Body> {
    let at = Instant::now();
    let bytes = axum::body::to_bytes(body, MAX_BODY).await.unwrap_or_default();
    let request: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let authorization = headers.get(header::AUTHORIZATION);
    let authorization = authorization.map(|value| value.to_str().unwrap_or_default().to_owned());
    let dimensions = request["dimensions"].as_u64().and_then(|count| usize::try_from(count).ok());
    let call = Call {
        at,
        answered: None,
        model: request["model"].as_str().unwrap_or_default().to_owned(),
        dimensions,
        authorization,
        texts: inputs(&request["input"]),
        status: None,
        is_served: false,
    };
    let number = {
        let mut calls = lock(&inner.calls);
        calls.push(call.clone());
        calls.len() - 1
    };
    let response = respond(&inner, &call, &request).await;
    let recorded = &mut lock(&inner.calls)[number];
    recorded.status = Some(response.status().as_u16());
    recorded.is_served = response.extensions().get::<Served>().is_some();
    recorded.answered = Some(Instant::now());
    response
}

/// The texts of a request: one, or a list.
fn inputs(input: &Value) -> Vec<String> {
    match input {
        Value::String(text) => vec![text.clone()],
        Value::Array(texts) => texts.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}

async fn respond(inner: &Inner, call: &Call, request: &Value) -> Response<Body> {
    if let Some(key) = &inner.plan.key
        && call.authorization.as_deref() != Some(&format!("Bearer {key}"))
    {
        return refusal(StatusCode::UNAUTHORIZED, "invalid_api_key");
    }
    if let Err(violation) = checked(inner, call, request) {
        lock(&inner.violations).push(violation.clone());
        return error(StatusCode::BAD_REQUEST, "invalid_request", &violation);
    }
    let fault = fault_of(inner, call);
    if let Some(response) = failure(fault.as_ref()).await {
        return response;
    }
    tokio::time::sleep(inner.plan.delay).await;
    let vectors = vectors(inner, call).await;
    success(call, vectors, fault.as_ref())
}

/// What the API does not allow.
fn checked(inner: &Inner, call: &Call, request: &Value) -> Result<(), String> {
    let format = request.get("encoding_format").and_then(Value::as_str).unwrap_or("float");
    if format != "float" {
        return Err(format!("encoding_format `{format}`"));
    }
    let own = own_dimensions(inner, &call.model);
    if call.model.is_empty() {
        return Err("no model".to_owned());
    }
    if let Some(dimensions) = call.dimensions
        && (!call.model.starts_with("text-embedding-3-") || dimensions == 0 || dimensions > own)
    {
        return Err(format!("dimensions {dimensions} for `{}`", call.model));
    }
    let given = request["input"].as_array().map_or(1, Vec::len);
    if call.texts.is_empty() || call.texts.len() != given || given > MAX_INPUTS {
        return Err(format!("{given} inputs, {} of them texts", call.texts.len()));
    }
    if call.texts.iter().any(String::is_empty) {
        return Err("an empty string".to_owned());
    }
    checked_tokens(&call.texts)
}

fn checked_tokens(texts: &[String]) -> Result<(), String> {
    // A token has at least one byte, so most requests need no counting.
    let bytes: usize = texts.iter().map(String::len).sum();
    if bytes <= MAX_TOKENS {
        return Ok(());
    }
    let uncounted = if bytes > MAX_REQUEST_TOKENS { 0 } else { MAX_TOKENS };
    let counts = texts.iter().map(|text| match text.len() {
        bytes if bytes <= uncounted => bytes,
        _ => tiktoken_rs::cl100k_base_singleton().count_ordinary(text),
    });
    let counts: Vec<usize> = counts.collect();
    if let Some(longest) = counts.iter().max().filter(|count| **count > MAX_TOKENS) {
        return Err(format!("a text of {longest} tokens"));
    }
    match counts.iter().sum::<usize>() {
        sum if sum > MAX_REQUEST_TOKENS => Err(format!("{sum} tokens")),
        _ => Ok(()),
    }
}

fn own_dimensions(inner: &Inner, model: &str) -> usize {
    let embedder = inner.plan.embedder.as_ref();
    match (embedder, model) {
        (Some(embedder), _) => embedder.description().dimensions,
        (None, "text-embedding-3-large") => 3_072,
        (None, "text-embedding-3-small" | "text-embedding-ada-002") => 1_536,
        (None, _) => inner.plan.dimensions.unwrap_or(64),
    }
}

fn fault_of(inner: &Inner, call: &Call) -> Option<Fault> {
    let mut script = lock(&inner.script);
    if let Some((word, fault)) = &script.on_text
        && call.texts.iter().any(|text| text.contains(word))
    {
        return Some(fault.clone());
    }
    match script.next.pop_front() {
        Some(fault) => fault,
        None => script.always.clone(),
    }
}

/// The answer to a fault that leaves no vectors.
async fn failure(fault: Option<&Fault>) -> Option<Response<Body>> {
    Some(match fault? {
        Fault::RateLimited(after) => {
            let limited = refusal(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded");
            with_retry_after(limited, after.as_deref())
        }
        Fault::Quota => refusal(StatusCode::TOO_MANY_REQUESTS, "insufficient_quota"),
        Fault::Unauthorized => refusal(StatusCode::UNAUTHORIZED, "invalid_api_key"),
        Fault::Forbidden => refusal(StatusCode::FORBIDDEN, "unsupported_country"),
        Fault::NotFound => refusal(StatusCode::NOT_FOUND, "model_not_found"),
        Fault::BadRequest => refusal(StatusCode::BAD_REQUEST, "invalid_request"),
        Fault::ServerError => refusal(StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
        Fault::Overloaded(after) => {
            let away = refusal(StatusCode::SERVICE_UNAVAILABLE, "overloaded");
            with_retry_after(away, after.as_deref())
        }
        Fault::Redirect(to) => {
            let response = Response::builder().status(StatusCode::TEMPORARY_REDIRECT);
            response.header(header::LOCATION, to).body(Body::empty()).expect("a response")
        }
        Fault::Hang => std::future::pending().await,
        Fault::Drip => ok(Body::from_stream(stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Some((Ok::<_, std::io::Error>(" "), ()))
        }))),
        Fault::Cut => {
            let cut = std::io::Error::other("cut");
            let half = Ok(r#"{"object":"list","data":[{"object":"embedding","index":0,"embed"#);
            ok(Body::from_stream(stream::iter([half, Err(cut)])))
        }
        Fault::MalformedJson => ok(Body::from(format!("{{\"data\": [{{ {CANARY}"))),
        Fault::HtmlPage => ok(Body::from(format!("<!doctype html><h1>{CANARY}</h1>"))),
        Fault::WrongDimension
        | Fault::NotANumber
        | Fault::Infinite
        | Fault::Zero
        | Fault::Fewer
        | Fault::More
        | Fault::Permuted
        | Fault::DuplicateIndex => return None,
    })
}

fn ok(body: Body) -> Response<Body> {
    let response = Response::builder().header(header::CONTENT_TYPE, "application/json");
    response.body(body).expect("a response")
}

fn refusal(status: StatusCode, code: &str) -> Response<Body> {
    error(status, code, "You cannot have this")
}

/// An error as OpenAI words it, with the canary in it.
fn error(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    let message = format!("{message} ({CANARY})");
    let body =
        json!({ "error": { "message": message, "type": code, "param": null, "code": code } });
    let response =
        Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
    response.body(Body::from(body.to_string())).expect("a response")
}

fn with_retry_after(mut response: Response<Body>, after: Option<&str>) -> Response<Body> {
    if let Some(after) = after {
        let value = after.parse().expect("a header value");
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

/// The right vectors, one for each text.
async fn vectors(inner: &Inner, call: &Call) -> Vec<Vec<f32>> {
    let own = own_dimensions(inner, &call.model);
    let length = call.dimensions.unwrap_or(own);
    let Some(embedder) = &inner.plan.embedder else {
        return call.texts.iter().map(|text| hashed(text, length)).collect();
    };
    let embeddings = embedder.embed_documents(&call.texts).await.expect("the model embeds");
    let vector = |embedding: kindred::embed::Embedding| {
        embedding.vector.unwrap_or_else(|| hashed("unknown", length))
    };
    embeddings.into_iter().map(vector).collect()
}

/// A unit vector in which each word has a place of its own.
pub(crate) fn hashed(text: &str, dimensions: usize) -> Vec<f32> {
    let mut vector = vec![0.0_f32; dimensions];
    let words = text.split(|letter: char| !letter.is_alphanumeric());
    for word in words.filter(|word| !word.is_empty()).map(str::to_lowercase).chain([String::new()])
    {
        let mut hasher = DefaultHasher::new();
        word.hash(&mut hasher);
        let place = hasher.finish() % u64::try_from(dimensions).unwrap_or(1);
        let weight = if word.is_empty() { 0.01 } else { 1.0 };
        vector[usize::try_from(place).unwrap_or(0)] += weight;
    }
    let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    vector.iter().map(|value| value / norm).collect()
}

/// The list of vectors, spoiled as the fault says.
fn success(call: &Call, vectors: Vec<Vec<f32>>, fault: Option<&Fault>) -> Response<Body> {
    let mut rows: Vec<(usize, Vec<String>)> = vectors
        .into_iter()
        .map(|vector| vector.iter().map(ToString::to_string).collect())
        .enumerate()
        .collect();
    if let Some(fault) = fault {
        spoil(&mut rows, fault);
    }
    let rows: Vec<String> = rows
        .iter()
        .map(|(index, numbers)| {
            let numbers = numbers.join(",");
            format!(r#"{{"object":"embedding","index":{index},"embedding":[{numbers}]}}"#)
        })
        .collect();
    let tokens: usize = call.texts.iter().map(|text| charged(text)).sum();
    let model = json!(call.model);
    let mut response = ok(Body::from(format!(
        r#"{{"object":"list","data":[{}],"model":{model},"usage":{{"prompt_tokens":{tokens},"total_tokens":{tokens}}}}}"#,
        rows.join(",")
    )));
    response.extensions_mut().insert(Served);
    response
}

fn spoil(rows: &mut Vec<(usize, Vec<String>)>, fault: &Fault) {
    let last = rows.len() - 1;
    match fault {
        Fault::WrongDimension => rows[last].1.push("0.5".to_owned()),
        Fault::NotANumber => "NaN".clone_into(&mut rows[last].1[0]),
        Fault::Infinite => "1e39".clone_into(&mut rows[last].1[0]),
        Fault::Zero => rows[last].1.iter_mut().for_each(|number| "0".clone_into(number)),
        Fault::Fewer => rows.truncate(last),
        Fault::More => rows.push((last + 1, rows[last].1.clone())),
        Fault::Permuted => rows.reverse(),
        Fault::DuplicateIndex => rows[last].0 = 0,
        Fault::RateLimited(_)
        | Fault::Quota
        | Fault::Unauthorized
        | Fault::Forbidden
        | Fault::NotFound
        | Fault::BadRequest
        | Fault::ServerError
        | Fault::Overloaded(_)
        | Fault::Redirect(_)
        | Fault::Hang
        | Fault::Drip
        | Fault::Cut
        | Fault::MalformedJson
        | Fault::HtmlPage => unreachable!("these leave no vectors"),
    }
}
