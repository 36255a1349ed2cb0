//! `kindred space import`.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::vector_rows::{Lines, PARQUET, ParquetRows, Row};
use super::{Common, enum_name};
use crate::cli::client::Client;
use crate::cli::embed::KindArgument;
use crate::cli::{CliError, CliResult, SOME_REJECTED, output, wait};
use crate::config::Config;
use crate::model::limits;

#[derive(Debug, Args)]
pub(super) struct Import {
    /// JSON Lines, or Parquet (Snappy, Zstandard or not compressed); `-` is JSON Lines from standard input
    file: PathBuf,

    /// Name of the space
    #[arg(long, value_name = "NAME")]
    space: String,

    /// The kind of the rows
    #[arg(long, value_enum, default_value = "song")]
    kind: KindArgument,

    /// File that rejected rows are written to, as JSON Lines
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,

    #[command(flatten)]
    common: Common,
}

/// Bytes of rows in one request, well under what the server reads.
const MAX_BATCH_BYTES: usize = 1024 * 1024;
/// Numbers in one request, well under what the server counts.
const MAX_BATCH_NUMBERS: usize = 150_000;
/// Rejected rows that are shown one by one.
const SHOWN_REJECTS: u64 = 20;
const IMPORT: &str = "mutation ($space: String!, $rows: [VectorInput!]!, $kind: Kind!) \
    { importVectors(space: $space, rows: $rows, kind: $kind) { imported rows { index message } } }";

/// A row that is sent.
struct Sent {
    number: u64,
    raw: String,
    row: Value,
}

/// Rows that are sent together.
#[derive(Default)]
struct Batch {
    rows: Vec<Sent>,
    bytes: usize,
    numbers: usize,
}

/// What became of the rows so far.
struct Run<'a> {
    command: &'a Import,
    client: Client,
    bar: ProgressBar,
    rejects: Option<BufWriter<File>>,
    /// What a row of the file is called.
    noun: &'static str,
    read: u64,
    imported: i64,
    rejected: u64,
}

pub(super) async fn run(command: Import, config: Config) -> CliResult {
    let (rows, bar, noun) = opened(&command)?;
    let rejects = match &command.rejects {
        Some(path) => {
            let cannot =
                |error| CliError::File(format!("cannot write `{}`: {error}", path.display()));
            Some(BufWriter::new(File::create(path).map_err(cannot)?))
        }
        None => None,
    };
    let client = Client::find(command.common.target.clone(), config).await?;
    let mut run =
        Run { command: &command, client, bar, rejects, noun, read: 0, imported: 0, rejected: 0 };
    run.pump(rows).await?;
    run.finish()
}

type Rows = Box<dyn Iterator<Item = Result<Row, String>> + Send>;

/// The rows of the file, a bar that goes along with them, and what a row is called.
fn opened(command: &Import) -> Result<(Rows, ProgressBar, &'static str), CliError> {
    let name = command.file.display().to_string();
    let cannot = |error: &dyn Display| CliError::File(format!("cannot read `{name}`: {error}"));
    let is_input = name == "-";
    let mut reader: Box<dyn Read + Send> = match is_input {
        true => Box::new(io::stdin()),
        false => Box::new(File::open(&command.file).map_err(|error| cannot(&error))?),
    };
    let mut start = Vec::new();
    let length = PARQUET.len() as u64;
    reader.by_ref().take(length).read_to_end(&mut start).map_err(|error| cannot(&error))?;
    if start == PARQUET {
        if is_input {
            return Err(cannot(&"Parquet has to be a file, not standard input"));
        }
        let file = File::open(&command.file).map_err(|error| cannot(&error))?;
        let (rows, count) = ParquetRows::open(file).map_err(|error| cannot(&error))?;
        let bar = wait::bar("Importing", "rows", count);
        return Ok((Box::new(bar.wrap_iter(rows)), bar, "row"));
    }
    let bar = match std::fs::metadata(&command.file) {
        Ok(metadata) if !is_input => wait::bar("Importing", "bytes", metadata.len()),
        Ok(_) | Err(_) => ProgressBar::hidden(),
    };
    let reader = BufReader::new(bar.wrap_read(io::Cursor::new(start).chain(reader)));
    Ok((Box::new(Lines::new(reader)), bar, "line"))
}

impl Batch {
    fn has_room_for(&self, row: &Sent) -> bool {
        self.rows.len() < limits::IMPORT_ROWS
            && self.bytes + row.raw.len() <= MAX_BATCH_BYTES
            && self.numbers + row.numbers() <= MAX_BATCH_NUMBERS
    }

    fn push(&mut self, row: Sent) {
        self.bytes += row.raw.len();
        self.numbers += row.numbers();
        self.rows.push(row);
    }
}

impl Sent {
    fn numbers(&self) -> usize {
        self.row["vector"].as_array().map_or(0, Vec::len)
    }
}

impl Run<'_> {
    async fn pump(&mut self, rows: Rows) -> Result<(), CliError> {
        let mut batch = Batch::default();
        for row in rows {
            let Row { number, raw, said } = row.map_err(|error| self.unreadable(&error))?;
            match said {
                Ok(row) => {
                    let row = Sent { number, raw, row };
                    if !batch.has_room_for(&row) {
                        self.send(std::mem::take(&mut batch).rows).await?;
                    }
                    batch.push(row);
                }
                Err(reason) => self.reject(number, &reason, &raw)?,
            }
        }
        self.send(batch.rows).await
    }

    fn unreadable(&self, error: &str) -> CliError {
        CliError::File(format!("cannot read `{}`: {error}", self.command.file.display()))
    }

    async fn send(&mut self, batch: Vec<Sent>) -> Result<(), CliError> {
        if batch.is_empty() {
            return Ok(());
        }
        self.read += batch.len() as u64;
        let rows: Vec<&Value> = batch.iter().map(|sent| &sent.row).collect();
        let kind = enum_name(self.command.kind.into());
        let variables = json!({ "space": self.command.space, "rows": rows, "kind": kind });
        let answer = self.client.execute(IMPORT, variables).await?["importVectors"].take();
        self.imported += answer["imported"].as_i64().unwrap_or(0);
        for outcome in answer["rows"].as_array().into_iter().flatten() {
            let Some(reason) = outcome["message"].as_str() else { continue };
            let index = outcome["index"].as_u64().and_then(|index| usize::try_from(index).ok());
            if let Some(sent) = index.and_then(|index| batch.get(index)) {
                self.read -= 1;
                self.reject(sent.number, reason, &sent.raw)?;
            }
        }
        Ok(())
    }

    fn reject(&mut self, number: u64, reason: &str, raw: &str) -> Result<(), CliError> {
        self.read += 1;
        self.rejected += 1;
        if self.rejected <= SHOWN_REJECTS {
            self.bar.suspend(|| output::note(&format!("{} {number}: {reason}", self.noun)));
        }
        if let Some(file) = &mut self.rejects {
            writeln!(file, "{}", raw.trim_end())?;
        }
        Ok(())
    }

    fn finish(mut self) -> CliResult {
        self.bar.finish_and_clear();
        if self.rejected > SHOWN_REJECTS {
            let more = self.rejected - SHOWN_REJECTS;
            output::note(&format!("… and {more} more rejected {}s", self.noun));
        }
        if let Some(file) = &mut self.rejects {
            file.flush()?;
        }
        let Self { read, imported, rejected, noun, .. } = self;
        if self.command.common.json {
            let result = json!({ "read": read, "imported": imported, "rejected": rejected });
            output::json(&result)?;
        } else {
            let number = |count: u64| output::grouped(i64::try_from(count).unwrap_or(i64::MAX));
            let imported = output::grouped(imported);
            let (read, rejected) = (number(read), number(rejected));
            output::text(&format!(
                "Read {read} {noun}s: {imported} imported, {rejected} rejected"
            ))?;
        }
        Ok(if rejected > 0 { ExitCode::from(SOME_REJECTED) } else { ExitCode::SUCCESS })
    }
}
