//! Which database the program runs on: the configured one, or one for a single run.

use std::path::PathBuf;
use std::time::Duration;

use super::{App, StartError};
use crate::config::Config;
use crate::dev::{DataFolder, FolderLock, SetupError};
use crate::model::Clock;
use crate::store;
use crate::store::scratch::Scratch;

/// What the commands that open a database need of it.
pub struct Opened {
    pub options: store::Options,
    pub folder_lock: Option<FolderLock>,
    #[cfg(feature = "embedded-db")]
    pub embedded: Option<crate::dev::EmbeddedDatabase>,
}

/// Finds the database: the one of the URL, or the embedded one, which is started.
///
/// `folder_lock` must be held for the embedded database.
pub fn open(config: &Config, folder_lock: Option<FolderLock>) -> Result<Opened, SetupError> {
    if let Some(url) = &config.database_url {
        let options = store::Options {
            url: url.clone(),
            min_connections: config.db_min_pool_size.min(config.db_max_pool_size),
            max_connections: config.db_max_pool_size,
            command_timeout: Duration::from_secs(config.db_command_timeout),
            server: store::Server::External,
        };
        return Ok(Opened {
            options,
            folder_lock,
            #[cfg(feature = "embedded-db")]
            embedded: None,
        });
    }
    open_embedded(config, folder_lock)
}

#[cfg(feature = "embedded-db")]
fn open_embedded(config: &Config, folder_lock: Option<FolderLock>) -> Result<Opened, SetupError> {
    let folder = DataFolder::open(config.data_dir.as_deref())?;
    open_folder(config, &folder, folder_lock)
}

/// Opens the embedded database in a folder.
#[cfg(feature = "embedded-db")]
fn open_folder(
    config: &Config,
    folder: &DataFolder,
    folder_lock: Option<FolderLock>,
) -> Result<Opened, SetupError> {
    let embedded = crate::dev::EmbeddedDatabase::start(folder.path())?;
    let options = store::Options {
        url: embedded.url().into(),
        // The engine serves one connection; a second one would wait for ever.
        min_connections: 1,
        max_connections: 1,
        command_timeout: Duration::from_secs(config.db_command_timeout),
        server: store::Server::Embedded,
    };
    Ok(Opened { options, folder_lock, embedded: Some(embedded) })
}

#[cfg(not(feature = "embedded-db"))]
fn open_embedded(_config: &Config, _lock: Option<FolderLock>) -> Result<Opened, SetupError> {
    Err(SetupError::NoEmbedded)
}

#[cfg(not(feature = "embedded-db"))]
fn open_folder(
    _config: &Config,
    _folder: &DataFolder,
    _lock: Option<FolderLock>,
) -> Result<Opened, SetupError> {
    Err(SetupError::NoEmbedded)
}

/// A database for one run, which nothing else knows: on the configured server, or embedded in a folder of
/// its own.
pub enum Temporary {
    Server(Scratch),
    Folder(PathBuf),
}

impl Temporary {
    /// Makes the database.
    pub async fn create(config: &Config) -> Result<Self, StartError> {
        let id = Clock.new_id();
        if config.database_url.is_some() {
            let home = open(config, None)?.options;
            return Ok(Self::Server(Scratch::create(&home, id).await?));
        }
        Ok(Self::Folder(std::env::temp_dir().join(format!("kindred-{}", id.simple()))))
    }

    /// Opens it and wires everything round it.
    pub async fn build(&self, config: Config) -> Result<App, StartError> {
        let opened = match self {
            Self::Server(scratch) => {
                let home = open(&config, None)?;
                Opened { options: scratch.options()?, ..home }
            }
            Self::Folder(path) => open_folder(&config, &DataFolder::open(Some(path))?, None)?,
        };
        // Nobody asks it from outside, so it needs no secret.
        App::wire(config, None, opened).await
    }

    /// Removes it with everything in it. What used it must be closed.
    pub async fn remove(self) -> Result<(), StartError> {
        match self {
            Self::Server(scratch) => Ok(scratch.drop().await?),
            Self::Folder(path) => Ok(DataFolder::open(Some(&path))?.remove()?),
        }
    }
}
