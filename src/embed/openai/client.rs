//! Sends one request.
//!
//! The HTTP client of `async-openai` repeats requests by itself, without anybody knowing; this one
//! sends each once.

use std::net::IpAddr;
use std::time::Duration;

use async_openai::config::Config;
use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use async_openai::types::embeddings::{
    CreateEmbeddingRequest, CreateEmbeddingResponse, EmbeddingInput, EncodingFormat,
};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Response, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::failure::{Failure, Rejection, retry_after};
use super::model::Model;
use crate::embed::{Error, OpenAiSettings};
use crate::model::{Clock, with_causes};

/// The host whose API is of no use without a key.
const OPENAI: &str = "api.openai.com";
/// A server that takes longer to accept a connection is not there.
const CONNECT: Duration = Duration::from_secs(5);
/// Bytes of an error that are read, and characters of it that are logged.
const ERROR_BYTES: usize = 64 << 10;
const ERROR_CHARS: usize = 300;

/// Sends requests for one model.
pub(super) struct Client {
    api: async_openai::Client<Account>,
    account: Account,
    model: Model,
    timeout: Duration,
}

/// Where requests go, and what opens the door there.
#[derive(Clone)]
struct Account {
    base_url: String,
    headers: HeaderMap,
    key: SecretString,
}

impl Config for Account {
    fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    fn query(&self) -> Vec<(&str, &str)> {
        Vec::new()
    }

    fn api_base(&self) -> &str {
        &self.base_url
    }

    fn api_key(&self) -> &SecretString {
        &self.key
    }
}

impl Client {
    pub(super) fn new(settings: &OpenAiSettings, model: Model) -> Result<Self, Error> {
        let url = base_url(&settings.base_url)?;
        let account = Account::new(&url, settings.api_key.as_ref())?;
        crate::tls::install();
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("kindred/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            // A redirect would carry texts, and perhaps the key, to somebody else.
            .redirect(redirect::Policy::none());
        if is_here(&url) {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| Error::Load(error.into()))?;
        let api = async_openai::Client::build(http.clone(), account.clone());
        let service = tower::service_fn(move |request: HttpRequestFactory| {
            let http = http.clone();
            async move { execute(&http, &request).await }
        });
        let api = api.with_http_service(service);
        Ok(Self { api, account, model, timeout: settings.timeout })
    }

    pub(super) fn base_url(&self) -> &str {
        &self.account.base_url
    }

    /// Sends texts once. Waits at most until the deadline and never longer than the timeout.
    pub(super) async fn send(
        &self,
        texts: &[String],
        deadline: Option<Instant>,
    ) -> Result<CreateEmbeddingResponse, Failure> {
        let request = CreateEmbeddingRequest {
            model: self.model.name.clone(),
            input: EmbeddingInput::StringArray(texts.to_vec()),
            // Every compatible server knows this format.
            encoding_format: Some(EncodingFormat::Float),
            user: None,
            dimensions: self.model.asked_dimensions,
        };
        let started = Instant::now();
        let latest = started + self.timeout;
        let until = deadline.map_or(latest, |deadline| deadline.min(latest));
        let answer =
            tokio::time::timeout_at(until, async { self.api.embeddings().create(request).await });
        let failure = match answer.await {
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(error)) => self.failure(error),
            Err(_) => {
                let limit = until.saturating_duration_since(started).as_secs_f64();
                Failure::away(format!("it did not answer within {limit:.1} s"))
            }
        };
        Err(failure)
    }

    /// What an error means. The log hears what the provider said; nobody else does.
    fn failure(&self, error: OpenAIError) -> Failure {
        let (failure, detail) = match error {
            OpenAIError::Boxed(error) => match error.downcast_ref::<Rejection>() {
                Some(rejection) => {
                    let (model, url) = (&self.model.name, &self.account.base_url);
                    (Failure::of_rejection(rejection, model, url), rejection.to_string())
                }
                None => (Failure::away("the request failed"), error.to_string()),
            },
            OpenAIError::Reqwest(error) => of_transport(error),
            OpenAIError::JSONDeserialize(error, _) => {
                (Failure::away("its answer is no list of vectors"), error.to_string())
            }
            OpenAIError::ApiError(_)
            | OpenAIError::FileSaveError(_)
            | OpenAIError::FileReadError(_)
            | OpenAIError::StreamError(_)
            | OpenAIError::InvalidArgument(_) => {
                (Failure::away("the request failed"), error.to_string())
            }
        };
        let detail = self.redacted(&detail);
        tracing::warn!(error = %detail, "The embedding provider failed: {}", failure.message);
        failure
    }

    /// The beginning of what a provider said. Some repeat the key.
    fn redacted(&self, detail: &str) -> String {
        let key = self.account.key.expose_secret();
        let text = if key.is_empty() { detail.to_owned() } else { detail.replace(key, "…") };
        text.chars()
            .take(ERROR_CHARS)
            .map(|letter| if letter.is_control() { ' ' } else { letter })
            .collect()
    }
}

impl Account {
    fn new(url: &Url, key: Option<&SecretString>) -> Result<Self, Error> {
        let key = key.map(|key| key.expose_secret().trim()).unwrap_or_default();
        if key.is_empty() && url.host_str() == Some(OPENAI) {
            let message = "`OPENAI_API_KEY` is not set, and OpenAI answers nobody without a key";
            return Err(Error::Load(message.into()));
        }
        let mut headers = HeaderMap::new();
        if !key.is_empty() {
            let value = HeaderValue::try_from(format!("Bearer {key}"));
            let mut value = value.map_err(|_| {
                Error::Load("`OPENAI_API_KEY` holds characters that no key has".into())
            })?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let base_url = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { base_url, headers, key: key.into() })
    }
}

/// Checks where the API answers. The message never repeats what may hold a password.
fn base_url(text: &str) -> Result<Url, Error> {
    let bad = |problem: &str| Error::Load(format!("`OPENAI_BASE_URL` {problem}").into());
    let url = Url::parse(text.trim()).map_err(|error| bad(&format!("is no URL: {error}")))?;
    if !["http", "https"].contains(&url.scheme()) || url.host_str().is_none() {
        return Err(bad("must start with `https://` or `http://` and a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("holds a user or a password; the key belongs into `OPENAI_API_KEY`"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("must end with its path, without `?` or `#`"));
    }
    if url.path().trim_end_matches('/').ends_with("/embeddings") {
        return Err(bad("must end before `/embeddings`, which is added to it"));
    }
    Ok(url)
}

/// Whether an address is this machine, which no proxy reaches.
fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Sends a request once, and reads why if it is rejected.
async fn execute(
    http: &reqwest::Client,
    request: &HttpRequestFactory,
) -> Result<Response, OpenAIError> {
    let mut response = http.execute(request.build().await?).await?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let retry_after = retry_after(response.headers(), Clock.now());
    let mut body = Vec::new();
    // What cannot be read any more is not needed: the status says what to do.
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() >= ERROR_BYTES {
            break;
        }
    }
    Err(OpenAIError::Boxed(Box::new(Rejection { status, retry_after, body })))
}

/// What went wrong on the way.
fn of_transport(error: reqwest::Error) -> (Failure, String) {
    let failure = if error.is_connect() {
        Failure::away("it cannot be reached; check `OPENAI_BASE_URL`")
    } else if error.is_timeout() {
        Failure::away("it did not answer in time")
    } else if error.is_builder() {
        Failure::settings("the request cannot be made; check `OPENAI_BASE_URL`")
    } else {
        Failure::away("the connection broke")
    };
    let error = error.without_url();
    (failure, with_causes(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(url: &str, key: Option<&str>) -> Result<Account, Error> {
        Account::new(&base_url(url)?, key.map(SecretString::from).as_ref())
    }

    #[test]
    fn a_key_is_needed_for_openai_alone() {
        for key in [None, Some(""), Some(" \n")] {
            let error = account("https://api.openai.com/v1", key).err().unwrap();
            assert!(error.to_string().contains("`OPENAI_API_KEY` is not set"), "{error}");
            let account = account("http://ollama:11434/v1/", key).unwrap();
            assert_eq!(account.url("/embeddings"), "http://ollama:11434/v1/embeddings");
            assert!(account.headers().is_empty());
        }
        let account = account("https://api.openai.com/v1", Some("sk-secret\n")).unwrap();
        assert_eq!(account.headers()[AUTHORIZATION], "Bearer sk-secret");
        assert!(!format!("{:?}", account.headers()).contains("secret"));
    }

    #[test]
    fn a_key_that_no_header_can_hold_is_refused_without_being_shown() {
        let error = account("http://localhost:1/v1", Some("sk-\u{1}secret")).err().unwrap();
        assert!(error.to_string().contains("`OPENAI_API_KEY` holds characters"));
        assert!(!error.to_string().contains("secret"));
    }

    #[test]
    fn addresses_that_cannot_be_are_refused_without_being_repeated() {
        for bad in [
            "",
            "localhost:11434",
            "ftp://host/v1",
            "https://",
            "https://user:hunter2@host/v1",
            "https://hunter2@host/v1",
            "https://host/v1?key=hunter2",
            "https://host/v1#hunter2",
            "https://host/v1/embeddings",
        ] {
            let error = base_url(bad).err().unwrap_or_else(|| panic!("{bad}")).to_string();
            assert!(error.contains("`OPENAI_BASE_URL`"), "{bad}: {error}");
            assert!(!error.contains("hunter2"), "{bad}: {error}");
        }
        assert!(base_url(" https://host/openai/v1/ ").is_ok());
    }

    #[test]
    fn this_machine_is_reached_without_a_proxy() {
        let here = |url: &str| is_here(&base_url(url).unwrap());
        assert!(here("http://localhost:1/v1") && here("http://127.0.0.1/v1"));
        assert!(here("http://[::1]:8080/v1"));
        assert!(!here("https://api.openai.com/v1") && !here("http://10.0.0.1/v1"));
    }
}
