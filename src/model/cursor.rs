//! Cursors: where a page ended, and which query it belonged to.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The end of a page. It holds the score and the id of the last row, so that pages neither repeat
/// nor skip, and a fingerprint of the query and its space, so that it fits no other query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cursor {
    pub fingerprint: u64,
    /// How many results stand before and at the cursor, from 1.
    pub position: u32,
    pub score: f64,
    pub id: Uuid,
}

/// The text is no cursor of this program.
#[derive(Debug, thiserror::Error)]
#[error("the cursor is malformed; pass an `endCursor` or an edge's `cursor` unchanged")]
pub struct MalformedCursor;

const BYTES: usize = 8 + 4 + 8 + 16;

impl Cursor {
    pub fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.extend(self.fingerprint.to_be_bytes());
        bytes.extend(self.position.to_be_bytes());
        bytes.extend(self.score.to_be_bytes());
        bytes.extend(self.id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub fn decode(text: &str) -> Result<Self, MalformedCursor> {
        // Longer text cannot be ours; do not decode what somebody made up.
        if text.len() > BYTES * 2 {
            return Err(MalformedCursor);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| MalformedCursor)?;
        let bytes: [u8; BYTES] = bytes.try_into().map_err(|_| MalformedCursor)?;
        let (fingerprint, rest) = bytes.split_first_chunk::<8>().ok_or(MalformedCursor)?;
        let (position, rest) = rest.split_first_chunk::<4>().ok_or(MalformedCursor)?;
        let (score, rest) = rest.split_first_chunk::<8>().ok_or(MalformedCursor)?;
        let cursor = Self {
            fingerprint: u64::from_be_bytes(*fingerprint),
            position: u32::from_be_bytes(*position),
            score: f64::from_be_bytes(*score),
            id: Uuid::from_slice(rest).map_err(|_| MalformedCursor)?,
        };
        if cursor.position == 0 || !cursor.score.is_finite() {
            return Err(MalformedCursor);
        }
        Ok(cursor)
    }
}

/// A fingerprint of everything that decides a list and its order.
pub fn fingerprint(parts: &[&str]) -> u64 {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let digest = hasher.finalize();
    u64::from_be_bytes(digest[..8].try_into().expect("a SHA-256 digest has 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_the_trip_and_a_made_up_one_does_not() {
        let cursor = Cursor { fingerprint: 7, position: 3, score: -0.25, id: Uuid::from_u128(9) };
        assert_eq!(Cursor::decode(&cursor.encode()).unwrap(), cursor);
        for text in ["", "x", "AAAA", &"A".repeat(48), &"A".repeat(10_000), "ÄÖÜ"] {
            assert!(Cursor::decode(text).is_err(), "{text}");
        }
    }

    #[test]
    fn parts_of_a_fingerprint_do_not_run_together() {
        assert_ne!(fingerprint(&["ab", "c"]), fingerprint(&["a", "bc"]));
    }
}
