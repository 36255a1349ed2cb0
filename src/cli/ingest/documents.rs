//! `kindred ingest documents`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};

use super::pump::{Mutation, Pump, Rejects, Sent};
use super::{Common, cannot, encoding, mapping};
use crate::cli::{CliError, CliResult, wait};
use crate::config::Config;
use crate::model::{language, limits};
use crate::service::import::{self, DocumentOptions, DocumentReject, DocumentRow, Merger};

#[derive(Debug, Args)]
pub(super) struct Documents {
    /// A folder, or a file that ends in .md, .markdown, .txt, .html, .htm, .jsonl, .ndjson or .json
    path: PathBuf,

    /// Fields and the names in JSON Lines they come from, such as `title=headline,body=article`
    #[arg(long, value_delimiter = ',', value_name = "FIELD=NAME")]
    map: Vec<String>,

    /// How the texts are written [default: by the ends of the names; `plain` in JSON Lines]
    #[arg(long, value_enum)]
    format: Option<FormatArgument>,

    /// Language of the documents that do not say theirs, such as `german` or `de` [default: english]
    #[arg(long, value_name = "LANGUAGE")]
    language: Option<String>,

    /// Encoding such as `utf-8` or `windows-1252` [default: found in each file]
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,

    /// File that rejected lines of JSON are written to, as they were, and names of files with the reason
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,

    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatArgument {
    Plain,
    Markdown,
    Html,
}

impl FormatArgument {
    fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Markdown => "MARKDOWN",
            Self::Html => "HTML",
        }
    }
}

const INGEST: Mutation = Mutation {
    name: "ingestDocuments",
    query: "mutation ($rows: [DocumentInput!]!, $mode: IngestMode!) { ingestDocuments(rows: $rows, mode: $mode) \
        { created updated unchanged duplicates rejected rows { index status field message } } }",
    most: limits::INGEST_DOCUMENTS,
    noun: "documents",
};

pub(super) async fn ingest(documents: Documents, config: Config) -> CliResult {
    let options = options(&documents)?;
    let rejects = Rejects::create(documents.rejects.as_deref())?;
    let path = &documents.path;
    let opened = import::Documents::open(path, options);
    if let Err(import::Error::Read(error)) = &opened {
        return Err(cannot("read", path, error));
    }
    let mut rows = opened?;
    if rows.count == 0 {
        let message = format!(
            "there are no documents in `{}`; {} files of other kinds were left out",
            path.display(),
            rows.skipped
        );
        return Err(CliError::File(message));
    }
    let bar = wait::bar("Reading", "files", rows.count as u64);
    let mut pump = Pump::open(&INGEST, documents.common, config, bar.clone(), rejects).await?;
    let mut merger = Merger::default();
    while let Some(row) = rows.next() {
        match row {
            Ok(row) if is_repeat(&mut merger, &row) => pump.merge(),
            Ok(row) => {
                let row = sent(row, documents.format, documents.language.as_deref());
                let bytes = json!(row.fields).to_string().len();
                pump.push(row, bytes).await?;
            }
            Err(reject) => {
                pump.reject(&format!("{}: {}", reject.place, reject.reason), &raw(&reject))?;
            }
        }
        bar.set_position(rows.read() as u64);
    }
    pump.finish(|| details(rows.count, rows.skipped)).await
}

fn options(documents: &Documents) -> Result<DocumentOptions, CliError> {
    if let Some(text) = documents.language.as_deref()
        && language::named(text).is_none()
    {
        let names: Vec<&str> = language::names().collect();
        let message = format!("`{text}` is no language; languages are {}", names.join(", "));
        return Err(CliError::Usage { message, hint: None });
    }
    Ok(DocumentOptions {
        encoding: documents.encoding.as_deref().map(encoding).transpose()?,
        mapping: mapping(&documents.map, "for example --map title=headline,body=article")?,
    })
}

fn is_repeat(merger: &mut Merger, row: &DocumentRow) -> bool {
    let id = row.fields.get("externalId").and_then(Value::as_str);
    id.is_some_and(|id| merger.is_repeat(id))
}

fn sent(row: DocumentRow, format: Option<FormatArgument>, language: Option<&str>) -> Sent {
    let mut fields = row.fields;
    if let Some(format) = format {
        fields.insert("format".to_owned(), json!(format.as_str()));
    }
    if let Some(language) = language {
        fields.entry("language").or_insert_with(|| json!(language));
    }
    let raw = row.raw.unwrap_or_else(|| json!({ "file": &row.place }).to_string());
    Sent { place: row.place, raw, fields }
}

fn raw(reject: &DocumentReject) -> String {
    let named = || json!({ "file": &reject.place, "reason": &reject.reason }).to_string();
    reject.raw.clone().unwrap_or_else(named)
}

fn details(files: usize, skipped: usize) -> (Map<String, Value>, Option<String>) {
    let details = [("files", json!(files)), ("skippedFiles", json!(skipped))];
    let note = (skipped > 0)
        .then(|| format!("Left out {skipped} files that are no documents by their names"));
    (details.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(), note)
}
