//! `kindred space import`.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::{Common, enum_name};
use crate::cli::client::Client;
use crate::cli::embed::KindArgument;
use crate::cli::{CliError, CliResult, SOME_REJECTED, output, wait};
use crate::config::Config;
use crate::model::limits;

#[derive(Debug, Args)]
pub(super) struct Import {
    /// The file; `-` is standard input
    file: PathBuf,

    /// Name of the space
    #[arg(long, value_name = "NAME")]
    space: String,

    /// The kind of the rows
    #[arg(long, value_enum, default_value = "song")]
    kind: KindArgument,

    /// File that rejected lines are written to, as they were
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,

    #[command(flatten)]
    common: Common,
}

/// Bytes of lines in one request, well under what the server reads.
const MAX_BATCH_BYTES: usize = 1024 * 1024;
/// Bytes of one line: a vector of 4,000 long numbers and its text.
const MAX_LINE_BYTES: u64 = 512 * 1024;
/// Numbers in one request, well under what the server counts.
const MAX_BATCH_NUMBERS: usize = 150_000;
/// Rejected lines that are shown one by one.
const SHOWN_REJECTS: u64 = 20;
/// What a line may say.
const FIELDS: [&str; 5] = ["id", "externalId", "vector", "sourceHash", "sourceText"];

const IMPORT: &str = "mutation ($space: String!, $rows: [VectorInput!]!, $kind: Kind!) \
    { importVectors(space: $space, rows: $rows, kind: $kind) { imported rows { index message } } }";

/// A line that is sent.
struct Line {
    number: u64,
    raw: String,
    row: Value,
}

/// What became of the lines so far.
struct Run<'a> {
    command: &'a Import,
    client: Client,
    bar: ProgressBar,
    rejects: Option<BufWriter<File>>,
    read: u64,
    imported: i64,
    rejected: u64,
}

pub(super) async fn run(command: Import, config: Config) -> CliResult {
    let name = command.file.display().to_string();
    let cannot = |what: &str, name: &str, error: std::io::Error| {
        CliError::File(format!("cannot {what} `{name}`: {error}"))
    };
    let (reader, bar): (Box<dyn Read + Send>, _) = if name == "-" {
        (Box::new(std::io::stdin()), ProgressBar::hidden())
    } else {
        let file = File::open(&command.file).map_err(|error| cannot("read", &name, error))?;
        let bytes = file.metadata().map_or(0, |metadata| metadata.len());
        (Box::new(file), wait::bar("Importing", "bytes", bytes))
    };
    let rejects = match &command.rejects {
        Some(path) => {
            let made = File::create(path);
            let file = made.map_err(|error| cannot("write", &path.display().to_string(), error))?;
            Some(BufWriter::new(file))
        }
        None => None,
    };
    let client = Client::find(command.common.target.clone(), config).await?;
    let lines = BufReader::new(bar.wrap_read(reader));
    let mut run =
        Run { command: &command, client, bar, rejects, read: 0, imported: 0, rejected: 0 };
    run.pump(lines).await?;
    run.finish()
}

impl Run<'_> {
    async fn pump(&mut self, mut lines: impl BufRead) -> Result<(), CliError> {
        let (mut batch, mut bytes, mut numbers) = (Vec::new(), 0, 0);
        let mut number = 0;
        loop {
            let mut raw = Vec::new();
            let count = lines.by_ref().take(MAX_LINE_BYTES + 1).read_until(b'\n', &mut raw);
            let count = count.map_err(|error| self.unreadable(&error))?;
            if count == 0 {
                break;
            }
            number += 1;
            if !raw.ends_with(b"\n") && raw.len() as u64 > MAX_LINE_BYTES {
                skip_rest(&mut lines).map_err(|error| self.unreadable(&error))?;
                let reason = format!("has more than {MAX_LINE_BYTES} bytes");
                self.reject(number, &reason, &String::from_utf8_lossy(&raw))?;
                continue;
            }
            let raw = String::from_utf8_lossy(&raw).trim().to_owned();
            if raw.is_empty() {
                continue;
            }
            match parse(&raw) {
                Ok(row) => {
                    let length = row["vector"].as_array().map_or(0, Vec::len);
                    let is_full = batch.len() == limits::IMPORT_ROWS
                        || bytes + raw.len() > MAX_BATCH_BYTES
                        || numbers + length > MAX_BATCH_NUMBERS;
                    if is_full {
                        self.send(std::mem::take(&mut batch)).await?;
                        (bytes, numbers) = (0, 0);
                    }
                    bytes += raw.len();
                    numbers += length;
                    batch.push(Line { number, raw, row });
                }
                Err(reason) => self.reject(number, &reason, &raw)?,
            }
        }
        self.send(batch).await
    }

    fn unreadable(&self, error: &std::io::Error) -> CliError {
        CliError::File(format!("cannot read `{}`: {error}", self.command.file.display()))
    }

    async fn send(&mut self, batch: Vec<Line>) -> Result<(), CliError> {
        if batch.is_empty() {
            return Ok(());
        }
        self.read += batch.len() as u64;
        let rows: Vec<&Value> = batch.iter().map(|line| &line.row).collect();
        let kind = enum_name(self.command.kind.into());
        let variables = json!({ "space": self.command.space, "rows": rows, "kind": kind });
        let answer = self.client.execute(IMPORT, variables).await?["importVectors"].take();
        self.imported += answer["imported"].as_i64().unwrap_or(0);
        for outcome in answer["rows"].as_array().into_iter().flatten() {
            let Some(reason) = outcome["message"].as_str() else { continue };
            let index = outcome["index"].as_u64().and_then(|index| usize::try_from(index).ok());
            if let Some(line) = index.and_then(|index| batch.get(index)) {
                self.read -= 1;
                self.reject(line.number, reason, &line.raw)?;
            }
        }
        Ok(())
    }

    fn reject(&mut self, number: u64, reason: &str, raw: &str) -> Result<(), CliError> {
        self.read += 1;
        self.rejected += 1;
        if self.rejected <= SHOWN_REJECTS {
            self.bar.suspend(|| output::note(&format!("line {number}: {reason}")));
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
            output::note(&format!("… and {more} more rejected lines"));
        }
        if let Some(file) = &mut self.rejects {
            file.flush()?;
        }
        let Self { read, imported, rejected, .. } = self;
        if self.command.common.json {
            let result = json!({ "read": read, "imported": imported, "rejected": rejected });
            output::json(&result)?;
        } else {
            let number = |count: u64| output::grouped(i64::try_from(count).unwrap_or(i64::MAX));
            let imported = output::grouped(imported);
            let (read, rejected) = (number(read), number(rejected));
            output::text(&format!("Read {read} lines: {imported} imported, {rejected} rejected"))?;
        }
        Ok(if rejected > 0 { ExitCode::from(SOME_REJECTED) } else { ExitCode::SUCCESS })
    }
}

/// What one line says, in the form that the API takes; anything else would be refused with all the
/// lines around it.
fn parse(raw: &str) -> Result<Value, String> {
    let value: Value = serde_json::from_str(raw).map_err(|error| format!("is no JSON: {error}"))?;
    let Value::Object(fields) = value else { return Err("is no JSON object".to_owned()) };
    let row: serde_json::Map<String, Value> = fields
        .into_iter()
        .filter(|(name, value)| FIELDS.contains(&name.as_str()) && !value.is_null())
        .collect();
    for (name, value) in &row {
        let is_good = match name.as_str() {
            "vector" => value.as_array().is_some_and(|list| list.iter().all(Value::is_number)),
            _ => value.is_string(),
        };
        if !is_good {
            let wanted = if name == "vector" { "a list of numbers" } else { "a text" };
            return Err(format!("`{name}` must be {wanted}"));
        }
    }
    let length = row.get("vector").and_then(Value::as_array).map_or(0, Vec::len);
    if length == 0 || length > limits::DIMENSIONS {
        let most = limits::DIMENSIONS;
        return Err(format!("`vector` must hold 1 to {most} numbers, but holds {length}"));
    }
    Ok(Value::Object(row))
}

fn skip_rest(lines: &mut impl BufRead) -> std::io::Result<()> {
    loop {
        let bytes = lines.fill_buf()?;
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (count, is_end) = (end.map_or(bytes.len(), |end| end + 1), end.is_some());
        let is_empty = bytes.is_empty();
        lines.consume(count);
        if is_end || is_empty {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_apart_before_it_is_sent() {
        let good = r#"{"id": "song:1", "vector": [1, -2.5], "sourceText": "a", "model": "x", "externalId": null}"#;
        let row = parse(good).unwrap();
        assert_eq!(row, json!({ "id": "song:1", "vector": [1, -2.5], "sourceText": "a" }));
        for bad in [
            "nonsense",
            "[1]",
            "{}",
            r#"{"vector": []}"#,
            r#"{"vector": [1, null]}"#,
            r#"{"vector": [NaN]}"#,
            r#"{"vector": "1"}"#,
            r#"{"vector": [1], "id": 7}"#,
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_rest_of_a_long_line_is_skipped() {
        let mut lines = "rest of it\nnext".as_bytes();
        skip_rest(&mut lines).unwrap();
        assert_eq!(lines, b"next");
    }
}
