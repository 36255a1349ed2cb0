//! `kindred ingest songs` and `kindred ingest demo`.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use serde_json::{Map, Value, json};

use super::pump::{Mutation, Pump, Rejects, Sent};
use super::{Common, cannot, encoding, mapping};
use crate::app::DEMO;
use crate::cli::{CliError, CliResult, wait};
use crate::config::Config;
use crate::model::limits;
use crate::model::song::derived_id;
use crate::service::import::{self, Fault, Format, Merger, Options, Row, SONG_COLUMNS, Summary};

#[derive(Debug, Args)]
pub(super) struct Songs {
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

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatArgument {
    Csv,
    Jsonl,
}

const INGEST: Mutation = Mutation {
    name: "ingestSongs",
    query: "mutation ($rows: [SongInput!]!, $mode: IngestMode!) { ingestSongs(rows: $rows, mode: $mode) \
        { created updated unchanged duplicates rejected rows { index status field message } } }",
    most: limits::INGEST_ROWS,
    noun: "rows",
};

/// Where rows come from.
struct Source<R> {
    reader: R,
    name: String,
    bar: ProgressBar,
}

pub(super) async fn ingest(songs: Songs, config: Config) -> CliResult {
    let options = options(&songs)?;
    let rejects = Rejects::create(songs.rejects.as_deref())?;
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

pub(super) async fn ingest_demo(common: Common, config: Config) -> CliResult {
    let reader = DEMO.as_bytes();
    let bar = wait::bar("Reading", "bytes", DEMO.len() as u64);
    let source = Source { reader, name: "demo.jsonl".to_owned(), bar };
    pump(source, &Options::new(SONG_COLUMNS), Rejects::default(), common, config).await
}

fn options(songs: &Songs) -> Result<Options, CliError> {
    let mut options = Options::new(SONG_COLUMNS);
    options.mapping = mapping(&songs.map, "for example --map name=track_name,band=track_artist")?;
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
    options.encoding = songs.encoding.as_deref().map(encoding).transpose()?;
    Ok(options)
}

async fn pump<R: Read>(
    source: Source<R>,
    options: &Options,
    mut rejects: Rejects,
    common: Common,
    config: Config,
) -> CliResult {
    let bar = source.bar;
    let mut rows = import::open(bar.wrap_read(source.reader), &source.name, options)?;
    rejects.header.clone_from(&rows.summary().header);
    let mut pump = Pump::open(&INGEST, common, config, bar, rejects).await?;
    let mut merger = Merger::default();
    for row in rows.by_ref() {
        match row {
            Ok(row) if is_repeat(&mut merger, &row) => pump.merge(),
            Ok(row) => {
                let bytes = row.raw.len();
                let place = format!("line {}", row.line);
                pump.push(Sent { place, raw: row.raw, fields: row.fields }, bytes).await?;
            }
            Err(Fault::Rejected(reject)) => pump.reject(&reject.to_string(), &reject.raw)?,
            Err(Fault::Fatal(error)) => return Err(error.into()),
        }
    }
    pump.finish(|| details(&rows.summary())).await
}

fn is_repeat(merger: &mut Merger, row: &Row) -> bool {
    let text = |field| row.fields.get(field).and_then(Value::as_str);
    match (text("externalId"), text("title")) {
        (Some(id), _) => merger.is_repeat(id),
        (None, Some(title)) => merger.is_repeat(&derived_id(title, text("band"), text("album"))),
        (None, None) => false,
    }
}

fn details(summary: &Summary) -> (Map<String, Value>, Option<String>) {
    let mapping = || summary.mapping.iter();
    let columns: Map<String, Value> =
        mapping().map(|(field, column)| ((*field).to_owned(), json!(column))).collect();
    let shown: Vec<String> = mapping().map(|(field, column)| format!("{field}={column}")).collect();
    let details = [
        ("encoding", json!(summary.encoding)),
        ("columns", Value::Object(columns)),
        ("unusedColumns", json!(summary.unmapped)),
    ];
    let details = details.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    (details, Some(format!("Columns: {}", shown.join(", "))))
}
