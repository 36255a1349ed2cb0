//! Tokens made by hand, good and bad.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Claims that are accepted.
pub(crate) fn claims() -> Value {
    let now = kindred::model::Clock.now().timestamp();
    json!({ "iss": "kindred", "aud": "kindred", "sub": super::user_id("ada"), "role": "user",
        "iat": now, "exp": now + 3_600 })
}

/// The header that is accepted.
pub(crate) fn header() -> Value {
    json!({ "alg": "HS256", "typ": "JWT" })
}

/// A token with any header and claims, signed with HMAC-SHA-256.
pub(crate) fn signed(header: &Value, claims: &Value, secret: &[u8]) -> String {
    signed_text(&header.to_string(), &claims.to_string(), secret)
}

/// The same for texts that no JSON library would write, such as duplicate keys.
pub(crate) fn signed_text(header: &str, claims: &str, secret: &[u8]) -> String {
    let message = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
    format!("{message}.{}", encode(&hmac_sha256(secret, message.as_bytes())))
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// RFC 2104.
pub(crate) fn hmac_sha256(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let mut key = [0_u8; 64];
    if secret.len() > key.len() {
        key[..32].copy_from_slice(&Sha256::digest(secret));
    } else {
        key[..secret.len()].copy_from_slice(secret);
    }
    let padded = |pad: u8| key.map(|byte| byte ^ pad);
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().to_vec()
}
