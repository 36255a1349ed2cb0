//! Why a request brought no vectors, and what follows from that.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, RETRY_AFTER};
use serde::Deserialize;
use serde_json::Value;

use crate::embed::Error;

/// Some servers are more exact than `Retry-After` can be.
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
/// The longest time that a provider can ask for; more is a mistake.
const DAY: Duration = Duration::from_hours(24);
/// What a provider says of an account that nobody paid for.
const UNPAID: [&str; 3] =
    ["insufficient_quota", "billing_hard_limit_reached", "billing_not_active"];

/// Why a request brought no vectors. The message is for people who look at failed tasks: it holds no
/// word of the provider's, and no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: Kind,
    pub(super) message: String,
    /// How long the provider asked to be left alone.
    pub(super) retry_after: Option<Duration>,
}

/// What a failure is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The provider; it may pass.
    Away,
    /// The key, the address, the model, the account: it stays until somebody changes them.
    Settings,
    /// The texts of the request.
    Text,
}

/// An answer that is no success.
#[derive(Debug, thiserror::Error)]
#[error("HTTP {status}: {}", self.text())]
pub(super) struct Rejection {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Duration>,
    /// The beginning of it.
    pub(super) body: Vec<u8>,
}

impl Failure {
    pub(super) fn away(message: impl Into<String>) -> Self {
        Self { kind: Kind::Away, message: message.into(), retry_after: None }
    }

    pub(super) fn settings(message: impl Into<String>) -> Self {
        Self { kind: Kind::Settings, message: message.into(), retry_after: None }
    }

    /// The provider asked for time that a caller does not have.
    pub(super) fn asked_to_wait(wait: Duration) -> Self {
        let message = format!("it asked to be left alone for {} s", seconds(wait));
        Self { retry_after: Some(wait), ..Self::away(message) }
    }

    /// The provider failed too often.
    pub(super) fn open(wait: Duration, last: &str) -> Self {
        let seconds = seconds(wait);
        let message = format!("it is left alone for {seconds} s, because it keeps failing: {last}");
        Self { retry_after: Some(wait), ..Self::away(message) }
    }

    /// As many requests are under way as may be.
    pub(super) fn busy() -> Self {
        Self::away("other texts are being embedded; `OPENAI_CONCURRENCY` says how many at a time")
    }

    /// What an answer with a status other than success means.
    pub(super) fn of_rejection(rejection: &Rejection, model: &str, base_url: &str) -> Self {
        let status = rejection.status;
        let code = status.as_u16();
        let text = |message: String| Self { kind: Kind::Text, message, retry_after: None };
        match code {
            401 => Self::settings("the provider does not take the key; check `OPENAI_API_KEY`"),
            402 => Self::unpaid(),
            403 => Self::settings(format!(
                "the provider does not let this key use `{model}`; check `OPENAI_API_KEY` and `OPENAI_MODEL`"
            )),
            404 => Self::settings(format!(
                "there is no model `{model}` at {base_url}; check `OPENAI_MODEL` and `OPENAI_BASE_URL`"
            )),
            429 if rejection.is_unpaid() => Self::unpaid(),
            429 => Self {
                retry_after: rejection.retry_after,
                ..Self::away("it allows no more requests for now (HTTP 429)")
            },
            400 | 413 | 422 => text(format!("the provider answered with HTTP {code}")),
            // Timeout, conflict, too early: the same request may succeed.
            408 | 409 | 425 | 500..=599 => Self {
                retry_after: rejection.retry_after,
                ..Self::away(format!("it answered with HTTP {code}"))
            },
            _ => Self::settings(format!(
                "{base_url} answers with HTTP {code}; check `OPENAI_BASE_URL`"
            )),
        }
    }

    fn unpaid() -> Self {
        Self::settings(
            "the account of `OPENAI_API_KEY` has no quota left; check its plan and billing",
        )
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let Failure { kind, message, retry_after } = failure;
        match kind {
            Kind::Away => Self::Unavailable { message, retry_after },
            Kind::Settings => Self::Load(message.into()),
            Kind::Text => Self::Refused(message),
        }
    }
}

impl Rejection {
    fn is_unpaid(&self) -> bool {
        let Ok(body) = serde_json::from_slice::<ErrorBody>(&self.body) else { return false };
        let says = |value: &Value| value.as_str().is_some_and(|text| UNPAID.contains(&text));
        says(&body.error.code) || says(&body.error.kind)
    }

    /// What the provider says, for the log.
    fn text(&self) -> String {
        match serde_json::from_slice::<ErrorBody>(&self.body) {
            Ok(body) => body.error.message,
            Err(_) => String::from_utf8_lossy(&self.body).into_owned(),
        }
    }
}

/// An error as OpenAI words it.
#[derive(Deserialize)]
struct ErrorBody {
    error: Details,
}

#[derive(Deserialize)]
struct Details {
    #[serde(default)]
    message: String,
    // Some servers send numbers.
    #[serde(default)]
    code: Value,
    #[serde(default, rename = "type")]
    kind: Value,
}

/// How long the provider asked to be left alone, at most a day.
pub(super) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let number = |text: &str, unit: f64| {
        let seconds = text.trim().parse::<f64>().ok().filter(|number| !number.is_nan())? * unit;
        // Longer than any wait, and longer than a duration can be.
        Duration::try_from_secs_f64(seconds.min(DAY.as_secs_f64())).ok()
    };
    let exact = text(&RETRY_AFTER_MS).and_then(|text| number(text, 0.001));
    let coarse = text(&RETRY_AFTER).and_then(|text| {
        number(text, 1.0).or_else(|| {
            let until = DateTime::parse_from_rfc2822(text.trim()).ok()?;
            (until.to_utc() - now).to_std().ok()
        })
    });
    exact.max(coarse).map(|wait| wait.min(DAY))
}

/// Rounded up, so that nobody comes too early.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn asked(headers: &[(&'static str, &'static str)]) -> Option<Duration> {
        let now = DateTime::parse_from_rfc3339("2026-11-21T12:00:00Z").unwrap().to_utc();
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        retry_after(&headers.iter().map(pair).collect(), now)
    }

    #[test]
    fn retry_after_is_read_in_seconds_and_as_a_date() {
        let seconds = |count| Some(Duration::from_secs(count));
        assert_eq!(asked(&[("retry-after", "7")]), seconds(7));
        assert_eq!(asked(&[("retry-after", "Sat, 21 Nov 2026 12:01:30 GMT")]), seconds(90));
        assert_eq!(asked(&[("retry-after-ms", "1500")]), Some(Duration::from_millis(1_500)));
        // The longer one counts: an answer may round down in one of them.
        assert_eq!(
            asked(&[("retry-after-ms", "1500"), ("retry-after", "1")]).unwrap().as_millis(),
            1_500
        );
        assert_eq!(asked(&[("retry-after-ms", "1500"), ("retry-after", "2")]), seconds(2));
    }

    #[test]
    fn what_cannot_be_meant_is_cut_or_left_out() {
        for late in ["9999999999", "1e300", "inf", "Sun, 21 Nov 2032 12:00:00 GMT"] {
            assert_eq!(asked(&[("retry-after", late)]), Some(DAY), "{late}");
        }
        for bad in ["", "soon", "-1", "NaN", "Sat, 21 Nov 2026 11:59:00 GMT", "Mon, 99 Nov 2026"] {
            assert_eq!(asked(&[("retry-after", bad)]), None, "{bad}");
        }
    }

    fn failure(status: u16, body: &str) -> Failure {
        let status = StatusCode::from_u16(status).unwrap();
        let rejection = Rejection { status, retry_after: None, body: body.into() };
        Failure::of_rejection(&rejection, "some-model", "http://some.test/v1")
    }

    #[test]
    fn each_status_is_about_the_provider_the_settings_or_the_text() {
        for (kind, statuses) in [
            (Kind::Away, &[408, 409, 425, 429, 500, 502, 503, 504, 529][..]),
            (Kind::Settings, &[301, 307, 401, 402, 403, 404, 405, 410, 418]),
            (Kind::Text, &[400, 413, 422]),
        ] {
            for status in statuses {
                assert_eq!(failure(*status, "secret words").kind, kind, "{status}");
                assert!(!failure(*status, "secret words").message.contains("secret"));
            }
        }
    }

    #[test]
    fn an_account_without_quota_is_told_from_too_many_requests() {
        for body in [
            r#"{"error":{"message":"m","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
            r#"{"error":{"code":"billing_hard_limit_reached"}}"#,
            r#"{"error":{"type":"insufficient_quota","code":429}}"#,
        ] {
            assert_eq!(failure(429, body).kind, Kind::Settings, "{body}");
        }
        for body in ["", "[]", r#"{"error":"x"}"#, r#"{"error":{"code":"rate_limit_exceeded"}}"#] {
            assert_eq!(failure(429, body).kind, Kind::Away, "{body}");
        }
    }

    #[test]
    fn messages_name_the_setting_to_look_at() {
        for (status, setting) in [
            (401, "`OPENAI_API_KEY`"),
            (403, "`OPENAI_MODEL`"),
            (404, "`OPENAI_BASE_URL`"),
            (405, "`OPENAI_BASE_URL`"),
        ] {
            assert!(failure(status, "").message.contains(setting), "{status}");
        }
    }
}
