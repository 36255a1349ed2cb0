//! The data folder of a single-machine installation: the lock that keeps it to one process, the
//! generated secret, and the embedded PostgreSQL.

#[cfg(feature = "embedded-db")]
mod embedded;
mod folder;

#[cfg(feature = "embedded-db")]
pub use embedded::EmbeddedDatabase;
pub use folder::{DataFolder, FolderLock, Running, SetupError};
