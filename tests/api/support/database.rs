//! A database for each test: a copy of a template that is migrated once per run.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};

use kindred::app::App;
use sqlx::{Connection, Executor, PgConnection};

/// Embedded databases that run at a time; each takes some 100 MB.
const EMBEDDED: u32 = 4;

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// The address of the server to test against; without one databases are embedded.
pub(crate) fn server_url() -> Option<String> {
    std::env::var("TEST_DATABASE_URL").ok().filter(|url| !url.is_empty())
}

/// Whether the test needs a server and there is none; says so.
pub(crate) fn lacks_server(test: &str) -> bool {
    let lacks = server_url().is_none();
    if lacks {
        println!("skipped: `{test}` needs a PostgreSQL server, see TEST_DATABASE_URL");
    }
    lacks
}

/// A database of its own. Dropping it removes it.
pub(crate) enum Database {
    Server { name: String, folder: PathBuf },
    Embedded { folder: PathBuf, _permit: Permit },
}

impl Database {
    /// A migrated, empty database.
    pub(crate) fn create() -> Self {
        let run = Run::current();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = run.folder.join(number.to_string());
        if run.server.is_some() {
            let name = format!("{}_{number}", run.name);
            run.execute(&format!("CREATE DATABASE {name} TEMPLATE {}_template", run.name));
            run.execute(&format!("ALTER DATABASE {name} SET synchronous_commit = off"));
            return Self::Server { name, folder };
        }
        let permit = Permit::take();
        copy(&run.folder.join("template"), &folder);
        Self::Embedded { folder, _permit: permit }
    }

    pub(crate) fn folder(&self) -> &Path {
        match self {
            Self::Server { folder, .. } | Self::Embedded { folder, .. } => folder,
        }
    }

    pub(crate) fn name(&self) -> Option<String> {
        match self {
            Self::Server { name, .. } => Some(name.clone()),
            Self::Embedded { .. } => None,
        }
    }

    pub(crate) fn url(&self) -> Option<String> {
        Some(on_server(&server_url()?, &self.name()?))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Self::Server { name, .. } = self {
            Run::current().execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
        drop(fs::remove_dir_all(self.folder()));
    }
}

/// The URL of another database of the same server.
fn on_server(url: &str, name: &str) -> String {
    let (base, parameters) = url.split_once('?').map_or((url, None), |(a, b)| (a, Some(b)));
    let scheme = base.find("://").map_or(0, |at| at + 3);
    let end = base[scheme..].find('/').map_or(base.len(), |at| scheme + at);
    let parameters = parameters.map(|text| format!("?{text}")).unwrap_or_default();
    format!("{}/{name}{parameters}", &base[..end])
}

/// What the tests of one run share: the template, and a lock that tells the run is alive.
struct Run {
    name: String,
    folder: PathBuf,
    server: Option<Mutex<Server>>,
    _lock: File,
}

/// A connection that makes and drops databases, on a runtime that outlives every test.
struct Server {
    runtime: tokio::runtime::Runtime,
    connection: PgConnection,
}

impl Run {
    fn current() -> &'static Self {
        static RUN: OnceLock<Run> = OnceLock::new();
        RUN.get_or_init(Self::start)
    }

    fn start() -> Self {
        let all = std::env::temp_dir().join("kindred-tests");
        fs::create_dir_all(&all).unwrap();
        sweep_folders(&all);
        let name = format!("kindred_test_{}", std::process::id());
        let folder = all.join(std::process::id().to_string());
        fs::create_dir_all(&folder).unwrap();
        let lock = File::create(folder.join("lock")).unwrap();
        lock.try_lock().unwrap();
        let server = server_url().map(|url| Mutex::new(Server::connect(&url, &name)));
        let run = Self { name, folder, server, _lock: lock };
        run.make_template();
        run
    }

    fn make_template(&self) {
        let folder = self.folder.join("template");
        let template = format!("{}_template", self.name);
        if self.server.is_some() {
            self.execute(&format!("CREATE DATABASE {template}"));
        }
        let url = server_url().map(|url| on_server(&url, &template));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let mut config = super::config_in(&folder);
            config.database_url = url.map(Into::into);
            let app = App::build(config, None).await.unwrap();
            app.services.db().close().await;
        });
    }

    fn execute(&self, statement: &str) {
        let server = self.server.as_ref().expect("only called with a server");
        let mut server = server.lock().unwrap_or_else(PoisonError::into_inner);
        server.execute(statement);
    }
}

impl Server {
    /// Connects, tells others that this run is alive, and removes what dead runs left behind.
    fn connect(url: &str, name: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let connection = runtime.block_on(PgConnection::connect(url)).unwrap();
        let mut server = Self { runtime, connection };
        server.execute(&format!("SELECT pg_advisory_lock(hashtextextended('{name}', 0))"));
        let statement = "SELECT datname FROM pg_database WHERE datname LIKE 'kindred\\_test\\_%'";
        let query = sqlx::query_scalar(statement).fetch_all(&mut server.connection);
        let left: Vec<String> = server.runtime.block_on(query).unwrap();
        for database in left {
            let run = database.rsplit_once('_').map_or(database.as_str(), |(run, _)| run);
            let lock = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))";
            let lock = sqlx::query_scalar(lock).bind(run.to_owned());
            let is_dead: bool =
                server.runtime.block_on(lock.fetch_one(&mut server.connection)).unwrap();
            if is_dead {
                server.execute(&format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"));
            }
        }
        server
    }

    fn execute(&mut self, statement: &str) {
        let statement = sqlx::AssertSqlSafe(statement.to_owned());
        let outcome = self.connection.execute(sqlx::raw_sql(statement));
        self.runtime.block_on(outcome).unwrap();
    }
}

/// Removes the folders of runs whose lock nobody holds any more.
fn sweep_folders(all: &Path) {
    for entry in fs::read_dir(all).unwrap().flatten() {
        let is_dead = match File::open(entry.path().join("lock")) {
            Ok(lock) => lock.try_lock().is_ok(),
            Err(_) => false,
        };
        if is_dead {
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (kind, target) = (entry.file_type().unwrap(), to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &target);
        } else if kind.is_file() {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Leave to run an embedded database.
pub(crate) struct Permit;

static RUNNING: Mutex<u32> = Mutex::new(0);
static ENDED: Condvar = Condvar::new();

impl Permit {
    fn take() -> Self {
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut running = ENDED
            .wait_while(running, |running| *running >= EMBEDDED)
            .unwrap_or_else(PoisonError::into_inner);
        *running += 1;
        Self
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        ENDED.notify_one();
    }
}
