//! The secret that signs tokens.

use rand::RngCore;
use secrecy::SecretString;

/// Bytes that an HS256 secret must have: as many as the hash (RFC 7518, section 3.2).
const MIN_BYTES: usize = 32;

#[derive(Debug, thiserror::Error)]
#[error(
    "the JWT secret has {0} bytes; HS256 needs at least 32, for example from `openssl rand -hex 32`"
)]
pub struct SecretError(usize);

/// A new random secret in hexadecimal.
pub fn generate() -> SecretString {
    let mut bytes = [0_u8; MIN_BYTES];
    rand::rng().fill_bytes(&mut bytes);
    hex::encode(bytes).into()
}

/// Accepts a secret that is long enough.
pub fn parse(text: &str) -> Result<SecretString, SecretError> {
    let text = text.trim();
    if text.len() < MIN_BYTES {
        return Err(SecretError(text.len()));
    }
    Ok(text.to_owned().into())
}
