//! `kindred ingest`.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use indicatif::ProgressBar;
use serde_json::{Map, Value, json};

use super::client::{Client, Target};
use super::{CliError, CliResult, SOME_REJECTED, output, wait};
use crate::app::DEMO;
use crate::config::Config;
use crate::model::limits;
use crate::model::song::derived_id;
use crate::service::import::{self, Fault, Format, Merger, Options, Row, SONG_COLUMNS, Summary};

/// Take rows into the catalogue from a file
#[derive(Debug, Args)]
pub(super) struct Ingest {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Songs from a CSV or JSON Lines file
    ///
    /// Columns with common names are found by themselves, encodings and delimiters as well. Bad rows
    /// do not stop good ones: each is reported with its line, column and reason. The exit code is 0
    /// when every row was taken, 2 when some were rejected, 1 when the file could not be read.
    Songs(Songs),
    /// The demo catalogue that is part of the program
    Demo(Common),
}

#[derive(Debug, Args)]
struct Songs {
    /// The file; `-` is standard input
    file: PathBuf,

    /// Fields and the columns they come from, such as `name=track_name,band=track_artist`
    #[arg(long, value_delimiter = ',', value_name = "FIELD=COLUMN")]
    map: Vec<String>,

    /// Format of the file [default: by its name or its first byte]
    #[arg(long, value_enum)]
    format: Option<FormatArgument>,

    /// Character between columns of a CSV file [default: found in the header]
    #[arg(long, value_name = "CHARACTER")]
    delimiter: Option<char>,

    /// Encoding such as `utf-8` or `windows-1252` [default: found in the file]
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,

    /// File that rejected rows are written to, as they were
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,

    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Common {
    /// What to do with rows that are there already, and with rows that are not
    #[arg(long, value_enum, default_value_t = ModeArgument::Upsert)]
    mode: ModeArgument,

    /// Return when everything is embedded and searchable by meaning (the default)
    #[arg(long, overrides_with = "no_wait")]
    wait: bool,

    /// Return when every row is written; embedding goes on in the server
    #[arg(long, overrides_with = "wait")]
    no_wait: bool,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatArgument {
    Csv,
    Jsonl,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ModeArgument {
    /// Write new rows and update present ones
    Upsert,
    /// Only write new rows
    Insert,
    /// Only update present rows
    Update,
}

impl ModeArgument {
    fn as_str(self) -> &'static str {
        match self {
            Self::Upsert => "UPSERT",
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
        }
    }
}

/// Bytes of rows in one request, well under what the server reads.
const MAX_BATCH_BYTES: usize = 1024 * 1024;
/// Rejected rows that are shown one by one.
const SHOWN_REJECTS: u64 = 20;

const INGEST: &str = "mutation ($rows: [SongInput!]!, $mode: IngestMode!) { ingestSongs(rows: $rows, mode: $mode) \
    { created updated unchanged duplicates rejected rows { index status field message } } }";

pub(super) async fn run(command: Ingest, config: Config) -> CliResult {
    match command.what {
        What::Songs(songs) => ingest_songs(songs, config).await,
        What::Demo(common) => {
            let reader = DEMO.as_bytes();
            let bar = wait::bar("Reading", "bytes", DEMO.len() as u64);
            let source = Source { reader, name: "demo.jsonl".to_owned(), bar };
            pump(source, &Options::new(SONG_COLUMNS), None, common, config).await
        }
    }
}

async fn ingest_songs(songs: Songs, config: Config) -> CliResult {
    let options = options(&songs)?;
    let rejects = match &songs.rejects {
        Some(path) => {
            let file = File::create(path).map_err(|error| cannot("write", path, &error))?;
            Some(BufWriter::new(file))
        }
        None => None,
    };
    let name = songs.file.to_string_lossy().into_owned();
    if name == "-" {
        let bar = ProgressBar::hidden();
        let source = Source { reader: std::io::stdin(), name, bar };
        return pump(source, &options, rejects, songs.common, config).await;
    }
    let file = File::open(&songs.file).map_err(|error| cannot("read", &songs.file, &error))?;
    let bytes = file.metadata().map_or(0, |metadata| metadata.len());
    let source = Source { reader: file, name, bar: wait::bar("Reading", "bytes", bytes) };
    pump(source, &options, rejects, songs.common, config).await
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> CliError {
    CliError::File(format!("cannot {what} `{}`: {error}", path.display()))
}

fn options(songs: &Songs) -> Result<Options, CliError> {
    let mut options = Options::new(SONG_COLUMNS);
    for pair in &songs.map {
        let Some((field, column)) = pair.split_once('=') else {
            let message = format!("`--map` has `{pair}`, which is not of the form `field=column`");
            return Err(CliError::Usage {
                message,
                hint: Some("for example --map name=track_name,band=track_artist"),
            });
        };
        options.mapping.push((field.trim().to_owned(), column.trim().to_owned()));
    }
    options.format = songs.format.map(|format| match format {
        FormatArgument::Csv => Format::Csv,
        FormatArgument::Jsonl => Format::Json,
    });
    if let Some(delimiter) = songs.delimiter {
        let byte = u8::try_from(delimiter)
            .ok()
            .filter(|byte| byte.is_ascii() && !b"\"\r\n".contains(byte));
        options.delimiter = Some(byte.ok_or_else(|| CliError::Usage {
            message: format!("`--delimiter` must be one ASCII character, but is `{delimiter}`"),
            hint: None,
        })?);
    }
    if let Some(name) = &songs.encoding {
        let encoding = encoding_rs::Encoding::for_label(name.as_bytes());
        options.encoding = Some(encoding.ok_or_else(|| CliError::Usage {
            message: format!("`{name}` is no encoding"),
            hint: Some("encodings are named as on the web: utf-8, windows-1252, utf-16le"),
        })?);
    }
    Ok(options)
}

/// Where rows come from.
struct Source<R> {
    reader: R,
    name: String,
    bar: ProgressBar,
}

/// What became of the rows of a file.
#[derive(Default)]
struct Tally {
    read: u64,
    created: i64,
    updated: i64,
    unchanged: i64,
    merged: u64,
    rejected: u64,
}

/// Rejected rows: shown, and kept where that was asked for.
struct Rejects {
    file: Option<BufWriter<File>>,
    header: Option<String>,
    shown: u64,
}

async fn pump<R: Read>(
    source: Source<R>,
    options: &Options,
    rejects: Option<BufWriter<File>>,
    common: Common,
    config: Config,
) -> CliResult {
    let bar = source.bar;
    let mut rows = import::open(bar.wrap_read(source.reader), &source.name, options)?;
    let client = Client::find(common.target, config).await?;
    let mut rejects = Rejects { file: rejects, header: rows.summary().header.clone(), shown: 0 };
    let mut tally = Tally::default();
    let mut merger = Merger::default();
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for row in rows.by_ref() {
        tally.read += 1;
        match row {
            Ok(row) if is_repeat(&mut merger, &row) => tally.merged += 1,
            Ok(row) => {
                bytes += row.raw.len();
                batch.push(row);
                if batch.len() == limits::INGEST_ROWS || bytes > MAX_BATCH_BYTES {
                    send(
                        &client,
                        common.mode,
                        std::mem::take(&mut batch),
                        &mut tally,
                        &mut rejects,
                        &bar,
                    )
                    .await?;
                    bytes = 0;
                }
            }
            Err(Fault::Rejected(reject)) => {
                tally.rejected += 1;
                rejects.keep(&bar, &reject.to_string(), &reject.raw)?;
            }
            Err(Fault::Fatal(error)) => return Err(error.into()),
        }
    }
    send(&client, common.mode, batch, &mut tally, &mut rejects, &bar).await?;
    bar.finish_and_clear();
    rejects.finish()?;
    let failed = match common.no_wait {
        true => 0,
        false => wait::until_embedded(&client).await?,
    };
    report(&tally, &rows.summary(), failed, common.json)?;
    let is_complete = tally.rejected == 0 && failed == 0;
    Ok(if is_complete { ExitCode::SUCCESS } else { ExitCode::from(SOME_REJECTED) })
}

fn is_repeat(merger: &mut Merger, row: &Row) -> bool {
    let text = |field| row.fields.get(field).and_then(Value::as_str);
    match (text("externalId"), text("title")) {
        (Some(id), _) => merger.is_repeat(id),
        (None, Some(title)) => merger.is_repeat(&derived_id(title, text("band"), text("album"))),
        (None, None) => false,
    }
}

async fn send(
    client: &Client,
    mode: ModeArgument,
    batch: Vec<Row>,
    tally: &mut Tally,
    rejects: &mut Rejects,
    bar: &ProgressBar,
) -> Result<(), CliError> {
    if batch.is_empty() {
        return Ok(());
    }
    let fields: Vec<&Map<String, Value>> = batch.iter().map(|row| &row.fields).collect();
    let variables = json!({ "rows": fields, "mode": mode.as_str() });
    let answer = client.execute(INGEST, variables).await?["ingestSongs"].take();
    let count = |name: &str| answer[name].as_i64().unwrap_or(0);
    tally.created += count("created");
    tally.updated += count("updated");
    tally.unchanged += count("unchanged");
    tally.merged += count("duplicates").unsigned_abs();
    tally.rejected += count("rejected").unsigned_abs();
    for outcome in answer["rows"].as_array().into_iter().flatten() {
        if outcome["status"] != "REJECTED" {
            continue;
        }
        let index = outcome["index"].as_u64().and_then(|index| usize::try_from(index).ok());
        if let Some(row) = index.and_then(|index| batch.get(index)) {
            let reason = outcome["message"].as_str().unwrap_or("was not written");
            rejects.keep(bar, &format!("line {}: {reason}", row.line), &row.raw)?;
        }
    }
    Ok(())
}

impl Rejects {
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

    fn finish(&mut self) -> Result<(), CliError> {
        if self.shown > SHOWN_REJECTS {
            output::note(&format!("… and {} more rejected rows", self.shown - SHOWN_REJECTS));
        }
        if let Some(file) = &mut self.file {
            file.flush()?;
        }
        Ok(())
    }
}

fn report(tally: &Tally, summary: &Summary, failed: i64, is_json: bool) -> Result<(), CliError> {
    if is_json {
        let columns: Map<String, Value> = summary
            .mapping
            .iter()
            .map(|(field, column)| ((*field).to_owned(), json!(column)))
            .collect();
        let result = json!({
            "read": tally.read,
            "created": tally.created,
            "updated": tally.updated,
            "unchanged": tally.unchanged,
            "merged": tally.merged,
            "rejected": tally.rejected,
            "failedToEmbed": failed,
            "encoding": summary.encoding,
            "columns": columns,
            "unusedColumns": summary.unmapped,
        });
        return Ok(output::json(&result)?);
    }
    let number = |count: u64| output::grouped(i64::try_from(count).unwrap_or(i64::MAX));
    let columns: Vec<String> =
        summary.mapping.iter().map(|(field, column)| format!("{field}={column}")).collect();
    output::note(&format!("Columns: {}", columns.join(", ")));
    output::text(&format!(
        "Read {} rows: {} created, {} updated, {} unchanged, {} merged, {} rejected",
        number(tally.read),
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
