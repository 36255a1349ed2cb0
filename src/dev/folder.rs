//! The data folder: who uses it, and what lies in it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::auth;

/// The data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("cannot use the data folder `{path}`: {source}")]
    Folder { path: PathBuf, source: io::Error },
    #[error(
        "the data folder `{path}` is used by another `kindred`, which does not say where it listens; wait until it has started or ended"
    )]
    Busy { path: PathBuf },
    #[error("this machine names no folder for application data; give one with --data-dir")]
    NoDefault,
    #[error("the file `{path}` holds no good secret: {source}")]
    Secret { path: PathBuf, source: auth::SecretError },
    #[error("the embedded database did not start: {0}")]
    Embedded(String),
    #[error(
        "this build has no embedded database; give the URL of a PostgreSQL server with --database-url or `DATABASE_URL`"
    )]
    NoEmbedded,
}

/// A folder that holds everything of a single-machine installation.
#[derive(Debug, Clone)]
pub struct DataFolder {
    path: PathBuf,
}

/// Where the server that uses a data folder listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    pub url: String,
    pub pid: u32,
}

/// Holds the folder for this process; the system lets go of it when the process ends, however it
/// ends.
#[derive(Debug)]
pub struct FolderLock {
    folder: DataFolder,
    _file: File,
}

impl DataFolder {
    /// The given folder, or the platform's folder for application data.
    pub fn open(path: Option<&Path>) -> Result<Self, SetupError> {
        let folder = Self { path: Self::place(path).ok_or(SetupError::NoDefault)? };
        folder.create().map_err(|source| folder.unusable(source))?;
        Ok(folder)
    }

    /// Where models from the hub are kept, also where the database is elsewhere. Nothing is made.
    pub fn models(path: Option<&Path>) -> PathBuf {
        Self::place(path).unwrap_or_else(|| PathBuf::from(".kindred")).join("models")
    }

    fn place(path: Option<&Path>) -> Option<PathBuf> {
        match path {
            // The database's socket is known by its whole path.
            Some(path) => Some(std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())),
            None => directories::ProjectDirs::from("", "", "kindred")
                .map(|folders| folders.data_dir().to_path_buf()),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the folder with everything in it.
    pub fn remove(self) -> Result<(), SetupError> {
        fs::remove_dir_all(&self.path).map_err(|source| self.unusable(source))
    }

    fn create(&self) -> io::Result<()> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.path)
    }

    fn unusable(&self, source: io::Error) -> SetupError {
        SetupError::Folder { path: self.path.clone(), source }
    }

    /// Takes the folder for this process; `None` if another process has it.
    pub fn lock(&self) -> Result<Option<FolderLock>, SetupError> {
        let file =
            private_file(&self.path.join("kindred.lock")).map_err(|error| self.unusable(error))?;
        match file.try_lock() {
            Ok(()) => {
                let lock = FolderLock { folder: self.clone(), _file: file };
                lock.forget_address();
                Ok(Some(lock))
            }
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(self.unusable(error)),
        }
    }

    /// The server that uses this folder, if one does and says where it listens.
    pub fn running(&self) -> Option<Running> {
        serde_json::from_slice(&fs::read(self.address_file()).ok()?).ok()
    }

    /// The folder's own secret, made on first use.
    pub fn secret(&self) -> Result<SecretString, SetupError> {
        let path = self.path.join("jwt_secret");
        let text = match fs::read_to_string(&path) {
            Ok(text) if !text.trim().is_empty() => text,
            Ok(_) => self.new_secret(&path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.new_secret(&path)?,
            Err(error) => return Err(self.unusable(error)),
        };
        auth::parse(&text).map_err(|source| SetupError::Secret { path, source })
    }

    fn new_secret(&self, path: &Path) -> Result<String, SetupError> {
        let secret = auth::generate().expose_secret().to_owned();
        // Written aside and renamed, so that two processes cannot read half a secret.
        let aside = self.path.join(format!("jwt_secret.{}", std::process::id()));
        let write = || {
            let mut file = private_file(&aside)?;
            file.set_len(0)?;
            file.write_all(secret.as_bytes())?;
            file.sync_all()?;
            fs::rename(&aside, path)
        };
        write().map_err(|error| self.unusable(error))?;
        Ok(secret)
    }

    fn address_file(&self) -> PathBuf {
        self.path.join("server.json")
    }
}

impl FolderLock {
    /// Lets other commands find the server that uses the folder.
    pub fn announce(&self, url: &str) -> Result<(), SetupError> {
        let running = Running { url: url.to_owned(), pid: std::process::id() };
        let bytes = serde_json::to_vec(&running).unwrap_or_default();
        let write = || {
            let mut file = private_file(&self.folder.address_file())?;
            file.set_len(0)?;
            file.write_all(&bytes)
        };
        write().map_err(|error| self.folder.unusable(error))
    }

    fn forget_address(&self) {
        // Left behind by a process that was killed; if it is not there, so much the better.
        drop(fs::remove_file(self.folder.address_file()));
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        self.forget_address();
    }
}

/// Opens a file that only its owner may read.
fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
