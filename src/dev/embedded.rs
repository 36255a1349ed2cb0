//! PostgreSQL inside this process: for development, and for a machine that has nothing else.
//!
//! The engine serves one connection. A crash of the process loses nothing that was committed; a
//! power cut may, because the engine does not wait for the disk.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use pglite_oxide::{PgliteServer, extensions};

use super::SetupError;

/// A running embedded database. It stops when it is dropped, after its connection was closed.
#[derive(Debug)]
pub struct EmbeddedDatabase {
    server: PgliteServer,
}

/// Longer socket paths do not fit into the system's address structure.
const MAX_SOCKET_PATH: usize = 100;

impl EmbeddedDatabase {
    /// Starts the database whose files are in `folder`, and creates them on first use.
    pub fn start(folder: &Path) -> Result<Self, SetupError> {
        let builder =
            PgliteServer::builder().path(folder.join("postgres")).extension(extensions::VECTOR);
        // A socket in the folder is out of reach of other users of the machine.
        let socket = folder.join(".s.PGSQL.5432");
        let is_socket = cfg!(unix) && socket.as_os_str().len() <= MAX_SOCKET_PATH;
        #[cfg(unix)]
        let builder = match is_socket {
            true => {
                drop(std::fs::remove_file(&socket));
                builder.unix(&socket)
            }
            false => builder,
        };
        let builder = match is_socket {
            true => builder,
            false => builder.tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        };
        let server = builder.start().map_err(|error| SetupError::Embedded(format!("{error:#}")))?;
        Ok(Self { server })
    }

    pub fn url(&self) -> String {
        // The socket's folder is a parameter; URL readers want a host beside it all the same.
        self.server.database_url().replacen("@/", "@localhost/", 1)
    }
}
