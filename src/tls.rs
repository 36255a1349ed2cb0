//! Which code encrypts connections.

/// Chooses `ring` for every TLS connection of this process. Whoever makes an HTTP client calls it first; a
/// second call changes nothing.
pub fn install() {
    // An error means that the choice is made already.
    drop(rustls::crypto::ring::default_provider().install_default());
}
