//! The program as its users run it: a process of its own, reached over HTTP.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Result;
use crate::database::Database;
use crate::measure::ms_since;

const SECRET: &str = "only-for-benchmarks-0123456789-0123456789";

/// The program with no setting but what is given here.
fn kindred(database: Option<&Database>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kindred"));
    command.env_clear().env("KINDRED_ENV", "development").env("JWT_SECRET", SECRET);
    command.env("KINDRED_DATA_DIR", std::env::temp_dir().join("kindred-bench"));
    if let Some(database) = database {
        command.env("DATABASE_URL", database.url());
    }
    // With its defaults the program compares this many songs one by one; the index is what is
    // measured here.
    command.env("INDEX_ROWS", "5000").env("EXACT_SEARCH_ROWS", "5000");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// What ingesting a file took.
pub(crate) struct Ingested {
    pub(crate) seconds: f64,
    /// Megabytes at the peak, where the system says so.
    pub(crate) peak_mb: Option<f64>,
}

/// Runs `kindred ingest songs`, with a description template of its own if one is given.
pub(crate) fn ingest(
    database: &Database,
    songs: &Path,
    template: Option<&str>,
) -> Result<Ingested> {
    let mut command = kindred(Some(database));
    command.args(["ingest", "songs"]).arg(songs);
    if let Some(template) = template {
        command.env("SONG_TEMPLATE", template);
    }
    let started = Instant::now();
    let mut child = command.spawn()?;
    let mut peak_mb = None;
    let status = loop {
        // The peak is gone with the process, so it is read until then.
        peak_mb = memory_mb(child.id(), "VmHWM").or(peak_mb);
        match child.try_wait()? {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    // 2 says that some rows were rejected, as a real file has them.
    if !matches!(status.code(), Some(0 | 2)) {
        return Err(format!("`kindred ingest` ended with {status}").into());
    }
    Ok(Ingested { seconds: ms_since(started) / 1_000.0, peak_mb })
}

/// Runs `kindred ingest documents`.
pub(crate) fn ingest_documents(database: &Database, folder: &Path) -> Result<()> {
    let status = kindred(Some(database)).args(["ingest", "documents"]).arg(folder).status()?;
    // 2 says that some documents were rejected, such as an empty one.
    match status.code() {
        Some(0 | 2) => Ok(()),
        Some(_) | None => Err(format!("`kindred ingest` ended with {status}").into()),
    }
}

/// Runs `kindred eval retrieval` over a folder with a collection, and returns what it measured. The
/// collection goes into a database beside the one that is given.
pub(crate) fn eval(database: &Database, files: &Path, backend: &str) -> Result<Value> {
    let mut command = kindred(Some(database));
    command.args(["eval", "retrieval", "--json", "--backend", backend]);
    for (option, file) in
        [("--corpus", "corpus.jsonl"), ("--queries", "queries.jsonl"), ("--qrels", "qrels.tsv")]
    {
        command.arg(option).arg(files.join(file));
    }
    for name in ["LOCAL_MODEL_DIR", "ORT_DYLIB_PATH"] {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    let output = command.stdout(Stdio::piped()).output()?;
    if !output.status.success() {
        return Err(format!("`kindred eval` ended with {}", output.status).into());
    }
    let reports: Value = serde_json::from_slice(&output.stdout)?;
    Ok(reports[0].clone())
}

/// Makes the tables and the space of the embedding model, and no rows.
pub(crate) fn prepare(database: &Database) -> Result<()> {
    let status = kindred(Some(database)).args(["stats", "--json"]).status()?;
    if !status.success() {
        return Err(format!("`kindred stats` ended with {status}").into());
    }
    Ok(())
}

/// A line such as `VmHWM` or `VmRSS` of a process's status, in megabytes; Linux only.
fn memory_mb(pid: u32, name: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: f64 =
        line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().ok()?;
    Some(kilobytes / 1_024.0)
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    url: String,
    http: reqwest::Client,
    /// From the start of the process until `/health/ready` said yes.
    pub(crate) ready_ms: f64,
}

impl Server {
    /// A server on a PostgreSQL database.
    pub(crate) async fn start(database: &Database) -> Result<Self> {
        Self::spawn(kindred(Some(database))).await
    }

    /// A server on a PostgreSQL database with settings of its own.
    pub(crate) async fn start_with(
        database: &Database,
        settings: &[(&str, &OsStr)],
    ) -> Result<Self> {
        let mut command = kindred(Some(database));
        command.envs(settings.iter().copied());
        Self::spawn(command).await
    }

    /// A server that leaves the queue alone, so that every statement is of a request.
    pub(crate) async fn start_without_worker(database: &Database) -> Result<Self> {
        let mut command = kindred(Some(database));
        command.args(["serve", "--no-worker", "--port", "0"]);
        Self::spawn_as(command).await
    }

    /// A server with the embedded database in `folder`.
    #[cfg(feature = "embedded-db")]
    pub(crate) async fn start_embedded(folder: &Path) -> Result<Self> {
        let mut command = kindred(None);
        command.env("KINDRED_DATA_DIR", folder);
        Self::spawn(command).await
    }

    async fn spawn(mut command: Command) -> Result<Self> {
        command.args(["serve", "--port", "0"]);
        Self::spawn_as(command).await
    }

    async fn spawn_as(mut command: Command) -> Result<Self> {
        let started = Instant::now();
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().ok_or("the server has no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let url = loop {
            let line = lines.next().ok_or("the server ended before it listened")??;
            if let Some(url) = line.trim().strip_prefix("GraphQL ") {
                break url.trim().trim_end_matches("/graphql").to_owned();
            }
        };
        // Somebody has to read what it prints, or it would wait for that one day.
        std::thread::spawn(move || lines.for_each(drop));
        kindred::tls::install();
        let mut server = Self { child, url, http: reqwest::Client::new(), ready_ms: 0.0 };
        server.wait_until_ready().await?;
        server.ready_ms = ms_since(started);
        Ok(server)
    }

    async fn wait_until_ready(&self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_mins(1);
        while Instant::now() < deadline {
            let answer = self.http.get(format!("{}/health/ready", self.url)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Err("the server did not get ready within a minute".into())
    }

    /// Sends a request and returns its `data`; an error in the answer is an error.
    pub(crate) async fn execute(&self, query: &str, variables: Value) -> Result<Value> {
        let body = json!({ "query": query, "variables": variables });
        let answer = self.http.post(format!("{}/graphql", self.url)).json(&body).send().await?;
        let mut answer: Value = answer.error_for_status()?.json().await?;
        match answer.pointer("/errors/0/message") {
            Some(message) => Err(format!("the server answered: {message}").into()),
            None => Ok(answer["data"].take()),
        }
    }

    /// Runs `kindred ingest songs` on the server, until all songs are embedded.
    pub(crate) fn ingest(&self, songs: &Path) -> Result<()> {
        let mut command = kindred(None);
        command.args(["ingest", "songs"]).arg(songs).args(["--url", &self.url]);
        match command.status()? {
            status if status.success() => Ok(()),
            status => Err(format!("`kindred ingest` ended with {status}").into()),
        }
    }

    /// Resident megabytes, where the system says so.
    pub(crate) fn resident_mb(&self) -> Option<f64> {
        memory_mb(self.child.id(), "VmRSS")
    }

    /// Asks the server to end, and waits until it has.
    #[cfg(feature = "embedded-db")]
    pub(crate) fn stop(mut self) -> Result<()> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
