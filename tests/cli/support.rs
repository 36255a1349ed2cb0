//! Starts the program in a folder of its own, and waits for it with a bound.

use std::fs;
use std::future::Future;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection};
use tokio::runtime::Runtime;

/// What takes longer never comes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

static NUMBER: AtomicU32 = AtomicU32::new(0);

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = || Runtime::new().expect("the system has threads");
    RUNTIME.get_or_init(runtime).block_on(future)
}

/// A data folder, and where `TEST_DATABASE_URL` is set a database. Dropping it removes both.
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    database: Option<String>,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// The only thing on standard output, as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let parsed = serde_json::from_str(&self.stdout);
        parsed.unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// Fails unless the command ended like this.
    #[track_caller]
    pub(crate) fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }
}

impl Place {
    /// With the database that this run of the tests is about.
    pub(crate) fn new() -> Self {
        let mut place = Self::embedded();
        if let Ok(url) = std::env::var("TEST_DATABASE_URL") {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let name = format!("kindred_cli_{}_{number}", std::process::id());
            administer(&url, &format!("CREATE DATABASE {name}"));
            place.database = Some(name);
        }
        place
    }

    /// With the embedded database, whatever the run is about.
    pub(crate) fn embedded() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("kindred-cli-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("the folder for temporary files can be written");
        Self { folder, database: None }
    }

    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.folder.join(name);
        fs::write(&path, content).expect("the folder can be written");
        path.to_string_lossy().into_owned()
    }

    /// The program with none of the settings of whoever runs the tests.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kindred"));
        let kept = ["PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME"];
        let kept = kept.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        command.env_clear().envs(kept).args(arguments).current_dir(&self.folder);
        command.env("KINDRED_DATA_DIR", &self.folder).env("KINDRED_ENV", "development");
        command.env("PORT", "0");
        if let (Some(name), Ok(url)) = (&self.database, std::env::var("TEST_DATABASE_URL")) {
            command.env("DATABASE_URL", on_server(&url, name));
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        ended(spawn(&mut self.command(arguments)))
    }

    /// Runs a command that reads `input`.
    #[track_caller]
    pub(crate) fn run_with_input(&self, arguments: &[&str], input: &str) -> Ended {
        let mut child = spawn(self.command(arguments).stdin(Stdio::piped()));
        let mut stdin = child.stdin.take().expect("standard input is piped");
        stdin.write_all(input.as_bytes()).expect("the command reads its input");
        drop(stdin);
        ended(child)
    }

    /// The rows of a statement of the test's own, as JSON; only on a server.
    #[track_caller]
    pub(crate) fn rows(&self, statement: &str) -> Vec<Value> {
        let (Some(name), Ok(url)) = (&self.database, std::env::var("TEST_DATABASE_URL")) else {
            panic!("this place has no database on a server");
        };
        let statement = format!("SELECT row_to_json(row) FROM ({statement}) AS row");
        block_on(async {
            let mut connection = PgConnection::connect(&on_server(&url, name)).await?;
            let query = sqlx::query_scalar(sqlx::AssertSqlSafe(statement));
            let rows = query.fetch_all(&mut connection).await?;
            connection.close().await?;
            Ok::<_, sqlx::Error>(rows)
        })
        .expect("the statement is good")
    }

    /// What `kindred stats` says of songs: rows, and how many of them have a vector.
    #[track_caller]
    pub(crate) fn songs(&self) -> (i64, i64) {
        let stats = self.run(&["stats", "--json"]).with_code(0).json();
        let kinds = stats["kinds"].as_array().cloned().unwrap_or_default();
        let song = kinds.iter().find(|kind| kind["kind"] == "SONG").cloned().unwrap_or_default();
        let number = |name: &str| song[name].as_i64().unwrap_or(-1);
        (number("rows"), number("embedded"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let (Some(name), Ok(url)) = (&self.database, std::env::var("TEST_DATABASE_URL")) {
            administer(&url, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// The URL of another database of the same server.
fn on_server(url: &str, name: &str) -> String {
    let (base, parameters) = url.split_once('?').map_or((url, ""), |(base, rest)| (base, rest));
    let (server, _) = base.rsplit_once('/').unwrap_or((base, ""));
    format!("{server}/{name}?{parameters}")
}

fn administer(url: &str, statement: &str) {
    let run = async {
        let mut connection = PgConnection::connect(url).await?;
        connection.execute(sqlx::AssertSqlSafe(statement.to_owned())).await?;
        connection.close().await
    };
    block_on(run).expect("the server of TEST_DATABASE_URL makes and drops databases");
}

pub(crate) fn spawn(command: &mut Command) -> Child {
    command.spawn().expect("the program starts")
}

/// Waits for the end of a command.
#[track_caller]
pub(crate) fn ended(child: Child) -> Ended {
    let id = child.id();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(Ok(output)) = receiver.recv_timeout(PATIENCE) else {
        signal("KILL", id);
        panic!("the command did not end within {PATIENCE:?}");
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

/// Sends a signal to a process that a test started.
pub(crate) fn signal(name: &str, id: u32) {
    let status = Command::new("kill").args([format!("-{name}"), id.to_string()]).status();
    assert!(status.is_ok_and(|status| status.success()), "process {id} is gone already");
}

/// A running server.
pub(crate) struct Server {
    child: Option<Child>,
    lines: Receiver<String>,
    pub(crate) url: String,
    pub(crate) token: String,
}

impl Server {
    /// Starts `kindred serve` and waits until it says that it is ready.
    #[track_caller]
    pub(crate) fn start(place: &Place, arguments: &[&str]) -> Self {
        let arguments = [&["serve", "--no-demo"], arguments].concat();
        let mut child = spawn(&mut place.command(&arguments));
        let lines = lines_of(&mut child);
        let mut server =
            Self { child: Some(child), lines, url: String::new(), token: String::new() };
        server.wait_until_ready();
        server
    }

    #[track_caller]
    fn wait_until_ready(&mut self) {
        let (deadline, mut said) = (Instant::now() + PATIENCE, Vec::new());
        while self.token.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("the server is not ready; it said {said:#?}");
            };
            if let Some(url) = line.trim().strip_prefix("GraphQL ") {
                url.trim().trim_end_matches("/graphql").clone_into(&mut self.url);
            }
            if line.trim().starts_with("eyJ") {
                line.trim().clone_into(&mut self.token);
            }
            said.push(line);
        }
        assert_eq!(self.get("/health/ready"), 200);
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.as_ref().map_or(0, Child::id)
    }

    /// Waits for the end of the server and returns its exit code.
    #[track_caller]
    pub(crate) fn wait(&mut self, patience: Duration) -> Option<i32> {
        let mut child = self.child.take().expect("the server was not waited for before");
        let id = child.id();
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || sender.send(child.wait()));
        match receiver.recv_timeout(patience) {
            Ok(status) => status.expect("the server is our child").code(),
            Err(_) => {
                signal("KILL", id);
                panic!("the server did not end within {patience:?}")
            }
        }
    }

    /// Ends the server in order, so that its folder can be used again.
    #[track_caller]
    pub(crate) fn stop(mut self) {
        signal("TERM", self.id());
        assert_eq!(self.wait(PATIENCE), Some(0));
    }

    /// Ends the server as a crash does.
    #[track_caller]
    pub(crate) fn kill(mut self) {
        signal("KILL", self.id());
        assert_eq!(self.wait(PATIENCE), None);
    }

    pub(crate) fn get(&self, path: &str) -> u16 {
        let url = format!("{}{path}", self.url);
        let answer = block_on(async { http().get(url).send().await });
        answer.map_or(0, |answer| answer.status().as_u16())
    }

    /// Runs a request with a token.
    #[track_caller]
    pub(crate) fn execute(&self, token: &str, query: &str, variables: &Value) -> Value {
        post(&self.url, token, query, variables).expect("the server answers")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// One client for all tests: making one reads every certificate of the system.
fn http() -> &'static reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        kindred::tls::install();
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build();
        client.expect("a client without options")
    })
}

/// Sends a request; `None` when the server is gone.
pub(crate) fn post(url: &str, token: &str, query: &str, variables: &Value) -> Option<Value> {
    let request = http()
        .post(format!("{url}/graphql"))
        .bearer_auth(token)
        .json(&json!({ "query": query, "variables": variables }));
    block_on(async { request.send().await?.json().await }).ok()
}

/// What a process prints, both streams, line by line.
fn lines_of(child: &mut Child) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    let pass = |stream: Box<dyn std::io::Read + Send>| {
        let sender = sender.clone();
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                drop(sender.send(line));
            }
        });
    };
    pass(Box::new(child.stdout.take().expect("standard output is piped")));
    pass(Box::new(child.stderr.take().expect("standard error is piped")));
    receiver
}

pub(crate) fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
