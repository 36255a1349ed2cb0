//! Rows into the catalogue: batches, rejects, and what became of them.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use indicatif::ProgressBar;
use serde_json::{Map, Value, json};

use super::{Common, ModeArgument, cannot};
use crate::cli::client::Client;
use crate::cli::{CliError, CliResult, SOME_REJECTED, output, wait};
use crate::config::Config;

/// Bytes of rows in one request, well under what the server reads.
const MAX_BATCH_BYTES: usize = 1024 * 1024;
/// Rejected rows that are shown one by one.
const SHOWN_REJECTS: u64 = 20;

/// The mutation that writes rows of one kind.
pub(super) struct Mutation {
    /// Its name in GraphQL.
    pub(super) name: &'static str,
    pub(super) query: &'static str,
    /// How many rows it takes.
    pub(super) most: usize,
    /// What a row is called in messages.
    pub(super) noun: &'static str,
}

/// A row that is to be written.
pub(super) struct Sent {
    /// Where it stands, for messages.
    pub(super) place: String,
    /// As it is kept if it is rejected.
    pub(super) raw: String,
    pub(super) fields: Map<String, Value>,
}

/// What became of the rows.
#[derive(Default)]
struct Tally {
    read: u64,
    created: i64,
    updated: i64,
    unchanged: i64,
    merged: u64,
    rejected: u64,
}

/// Takes rows one by one and writes them in batches.
pub(super) struct Pump {
    client: Client,
    mutation: &'static Mutation,
    mode: ModeArgument,
    no_wait: bool,
    is_json: bool,
    bar: ProgressBar,
    rejects: Rejects,
    tally: Tally,
    batch: Vec<Sent>,
    bytes: usize,
}

impl Pump {
    pub(super) async fn open(
        mutation: &'static Mutation,
        common: Common,
        config: Config,
        bar: ProgressBar,
        rejects: Rejects,
    ) -> Result<Self, CliError> {
        Ok(Self {
            client: Client::find(common.target, config).await?,
            mutation,
            mode: common.mode,
            no_wait: common.no_wait,
            is_json: common.json,
            bar,
            rejects,
            tally: Tally::default(),
            batch: Vec::new(),
            bytes: 0,
        })
    }

    /// A row that an earlier one with the same id stands for.
    pub(super) fn merge(&mut self) {
        self.tally.read += 1;
        self.tally.merged += 1;
    }

    /// A row that cannot be sent.
    pub(super) fn reject(&mut self, reason: &str, raw: &str) -> Result<(), CliError> {
        self.tally.read += 1;
        self.tally.rejected += 1;
        self.rejects.keep(&self.bar, reason, raw)
    }

    /// Takes a row of about so many bytes, and writes those before it if there is no more room.
    pub(super) async fn push(&mut self, row: Sent, bytes: usize) -> Result<(), CliError> {
        let most = self.client.most_bytes();
        if bytes > most {
            let problem =
                format!("has {bytes} bytes; a server takes {most}, so cut it, or stop the server");
            return self.reject(&format!("{}: {problem}", row.place), &row.raw);
        }
        if self.bytes + bytes > MAX_BATCH_BYTES {
            self.send().await?;
        }
        self.tally.read += 1;
        self.bytes += bytes;
        self.batch.push(row);
        if self.batch.len() == self.mutation.most { self.send().await } else { Ok(()) }
    }

    async fn send(&mut self) -> Result<(), CliError> {
        self.bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return Ok(());
        }
        let fields: Vec<&Map<String, Value>> = batch.iter().map(|row| &row.fields).collect();
        let variables = json!({ "rows": fields, "mode": self.mode.as_str() });
        let mut answer = self.client.execute(self.mutation.query, variables).await?;
        let answer = answer[self.mutation.name].take();
        let count = |name: &str| answer[name].as_i64().unwrap_or(0);
        self.tally.created += count("created");
        self.tally.updated += count("updated");
        self.tally.unchanged += count("unchanged");
        self.tally.merged += count("duplicates").unsigned_abs();
        self.tally.rejected += count("rejected").unsigned_abs();
        for outcome in answer["rows"].as_array().into_iter().flatten() {
            if outcome["status"] != "REJECTED" {
                continue;
            }
            let index = outcome["index"].as_u64().and_then(|index| usize::try_from(index).ok());
            if let Some(row) = index.and_then(|index| batch.get(index)) {
                let reason = outcome["message"].as_str().unwrap_or("was not written");
                self.rejects.keep(&self.bar, &format!("{}: {reason}", row.place), &row.raw)?;
            }
        }
        Ok(())
    }

    /// Writes what is left, waits for its vectors, and says what became of everything; `details` stand
    /// in JSON beside the counts, `note` above the line of text.
    pub(super) async fn finish(
        mut self,
        details: impl FnOnce() -> (Map<String, Value>, Option<String>),
    ) -> CliResult {
        self.send().await?;
        self.bar.finish_and_clear();
        self.rejects.finish(self.mutation.noun)?;
        let failed = match self.no_wait {
            true => 0,
            false => wait::until_embedded(&self.client).await?,
        };
        let (details, note) = details();
        self.report(failed, details, note)?;
        let is_complete = self.tally.rejected == 0 && failed == 0;
        Ok(if is_complete { ExitCode::SUCCESS } else { ExitCode::from(SOME_REJECTED) })
    }

    fn report(
        &self,
        failed: i64,
        details: Map<String, Value>,
        note: Option<String>,
    ) -> Result<(), CliError> {
        let tally = &self.tally;
        if self.is_json {
            let mut result = json!({
                "read": tally.read,
                "created": tally.created,
                "updated": tally.updated,
                "unchanged": tally.unchanged,
                "merged": tally.merged,
                "rejected": tally.rejected,
                "failedToEmbed": failed,
            });
            if let Some(result) = result.as_object_mut() {
                result.extend(details);
            }
            return Ok(output::json(&result)?);
        }
        if let Some(note) = note {
            output::note(&note);
        }
        let number = |count: u64| output::grouped(i64::try_from(count).unwrap_or(i64::MAX));
        output::text(&format!(
            "Read {} {}: {} created, {} updated, {} unchanged, {} merged, {} rejected",
            number(tally.read),
            self.mutation.noun,
            output::grouped(tally.created),
            output::grouped(tally.updated),
            output::grouped(tally.unchanged),
            number(tally.merged),
            number(tally.rejected),
        ))?;
        if failed > 0 {
            output::note(&format!(
                "{} texts could not be embedded; see `failedTasks`",
                output::grouped(failed)
            ));
        }
        Ok(())
    }
}

/// Rejected rows: shown, and kept where that was asked for.
#[derive(Default)]
pub(super) struct Rejects {
    file: Option<BufWriter<File>>,
    /// Stands above the first row.
    pub(super) header: Option<String>,
    shown: u64,
}

impl Rejects {
    /// Makes the file, so that a name that cannot be written is known before anything is read.
    pub(super) fn create(path: Option<&Path>) -> Result<Self, CliError> {
        let file = match path {
            Some(path) => Some(File::create(path).map_err(|error| cannot("write", path, &error))?),
            None => None,
        };
        Ok(Self { file: file.map(BufWriter::new), ..Self::default() })
    }

    fn keep(&mut self, bar: &ProgressBar, reason: &str, raw: &str) -> Result<(), CliError> {
        self.shown += 1;
        if self.shown <= SHOWN_REJECTS {
            bar.suspend(|| output::note(reason));
        }
        if let Some(file) = &mut self.file {
            if let Some(header) = self.header.take() {
                writeln!(file, "{header}")?;
            }
            writeln!(file, "{raw}")?;
        }
        Ok(())
    }

    fn finish(&mut self, noun: &str) -> Result<(), CliError> {
        if self.shown > SHOWN_REJECTS {
            output::note(&format!("… and {} more rejected {noun}", self.shown - SHOWN_REJECTS));
        }
        if let Some(file) = &mut self.file {
            file.flush()?;
        }
        Ok(())
    }
}
