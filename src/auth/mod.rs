//! Tokens: who somebody is. No database, no HTTP.

mod secret;
mod token;

pub use secret::{SecretError, generate, parse};
pub use token::{Role, TokenError, Tokens};
