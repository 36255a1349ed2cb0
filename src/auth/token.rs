//! JSON Web Tokens, HS256 only: any other algorithm is refused, whatever the token says.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::Viewer;

const ISSUER: &str = "kindred";
const AUDIENCE: &str = "kindred";
/// Clocks of different machines may differ by this much.
const LEEWAY_SECONDS: u64 = 30;
/// Longer tokens are not looked at.
const MAX_TOKEN_BYTES: usize = 4_096;

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees the shared catalogue and their own content.
    User,
    /// Sees and changes everything.
    Admin,
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: Uuid,
    role: Role,
    iat: i64,
    exp: i64,
}

/// Why a token was refused. The client reads this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("the token has expired; get a new one")]
    Expired,
    #[error("the token is not valid")]
    Invalid,
    #[error("the `Authorization` header must be `Bearer <token>`")]
    Scheme,
}

/// Signs and checks tokens with one secret.
#[derive(Clone)]
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

impl Tokens {
    pub fn new(secret: &SecretString) -> Self {
        let secret = secret.expose_secret().as_bytes();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        Self {
            encoding: EncodingKey::from_secret(secret),
            decoding: DecodingKey::from_secret(secret),
            validation,
        }
    }

    /// A token for `sub` that is good for `ttl` from `now` on.
    pub fn issue(
        &self,
        sub: Uuid,
        role: Role,
        now: DateTime<Utc>,
        ttl: Duration,
    ) -> Result<String, TokenError> {
        let iat = now.timestamp();
        let ttl = i64::try_from(ttl.as_secs()).map_err(|_| TokenError::Invalid)?;
        let exp = iat.checked_add(ttl).ok_or(TokenError::Invalid)?;
        let (iss, aud) = (ISSUER.to_owned(), AUDIENCE.to_owned());
        encode(&Header::default(), &Claims { iss, aud, sub, role, iat, exp }, &self.encoding)
            .map_err(|_| TokenError::Invalid)
    }

    /// The viewer that a token stands for.
    pub fn viewer(&self, token: &str, now: DateTime<Utc>) -> Result<Viewer, TokenError> {
        if token.len() > MAX_TOKEN_BYTES || !has_plain_header(token) {
            return Err(TokenError::Invalid);
        }
        let claims = decode::<Claims>(token, &self.decoding, &self.validation)
            .map_err(|error| match *error.kind() == ErrorKind::ExpiredSignature {
                true => TokenError::Expired,
                false => TokenError::Invalid,
            })?
            .claims;
        let latest = now.timestamp() + i64::try_from(LEEWAY_SECONDS).unwrap_or(0);
        if claims.iat > latest {
            return Err(TokenError::Invalid);
        }
        Ok(match claims.role {
            Role::User => Viewer::User(claims.sub),
            Role::Admin => Viewer::Admin(claims.sub),
        })
    }

    /// The viewer of a request, by its `Authorization` header; no header is no viewer.
    pub fn viewer_of_header(
        &self,
        header: Option<&[u8]>,
        now: DateTime<Utc>,
    ) -> Result<Viewer, TokenError> {
        let Some(header) = header else { return Ok(Viewer::Anonymous) };
        let header = std::str::from_utf8(header).map_err(|_| TokenError::Scheme)?;
        let (scheme, token) = header.split_once(' ').ok_or(TokenError::Scheme)?;
        if !scheme.eq_ignore_ascii_case("bearer") || token.trim().is_empty() {
            return Err(TokenError::Scheme);
        }
        self.viewer(token.trim(), now)
    }
}

/// Whether a token's header asks for nothing beyond what we sign: no other type of token, no
/// extension that must be understood (`crit`), no key of the sender's own.
fn has_plain_header(token: &str) -> bool {
    let header = token.split('.').next().unwrap_or_default();
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(header) else { return false };
    let Ok(header) = serde_json::from_slice::<serde_json::Map<_, _>>(&bytes) else { return false };
    header.iter().all(|(name, value): (&String, &serde_json::Value)| match name.as_str() {
        "alg" => value == "HS256",
        "typ" => value.as_str().is_some_and(|typ| typ.eq_ignore_ascii_case("JWT")),
        _ => false,
    })
}
