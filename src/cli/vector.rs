//! `kindred vector`.

use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::model::ModelChoice;
use super::{CliError, CliResult, wait};
use crate::app::StartError;
use crate::config::Config;
use crate::embed::{Embedder, Embedding};

/// Turn texts into vectors: one text a line in, one JSON object a line out
///
/// Each object has `vector` (length 1, or null where the model knows no word of the text), `model`,
/// `tokens` and `truncated`. Lines stay in order; an empty line is an empty text.
#[derive(Debug, Args)]
pub(super) struct Vector {
    /// File with the texts; `-` is standard input
    #[arg(default_value = "-")]
    file: PathBuf,

    #[command(flatten)]
    model: ModelChoice,

    /// Embed the texts as searches: some models tell searches from what is searched
    #[arg(long)]
    query: bool,
}

/// Bytes of one line.
const MAX_LINE: u64 = 16 * 1024 * 1024;

#[derive(Serialize)]
struct Line<'a> {
    vector: Option<&'a [f32]>,
    model: &'a str,
    tokens: usize,
    truncated: bool,
}

pub(super) async fn run(command: Vector, config: Config) -> CliResult {
    let embedder = command.model.find(&config)?;
    let mut texts = Texts::open(&command.file)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let bar = wait::spinner("Embedding", "texts");
    let batch = embedder.description().batch.clamp(1, 512);
    loop {
        let lines = texts.take(batch)?;
        if lines.is_empty() {
            break;
        }
        let embeddings = embed(embedder.as_ref(), &lines, command.query).await?;
        let tokens = embedder.count_tokens(&lines).await.map_err(StartError::Embed)?;
        for (embedding, tokens) in embeddings.iter().zip(tokens) {
            write(&mut out, embedder.as_ref(), embedding, tokens)?;
        }
        bar.inc(lines.len() as u64);
    }
    out.flush()?;
    bar.finish_and_clear();
    Ok(ExitCode::SUCCESS)
}

async fn embed(
    embedder: &dyn Embedder,
    texts: &[String],
    as_queries: bool,
) -> Result<Vec<Embedding>, CliError> {
    if !as_queries {
        return Ok(embedder.embed_documents(texts).await.map_err(StartError::Embed)?);
    }
    let mut embeddings = Vec::with_capacity(texts.len());
    for text in texts {
        embeddings.push(embedder.embed_query(text).await.map_err(StartError::Embed)?);
    }
    Ok(embeddings)
}

fn write(
    out: &mut impl Write,
    embedder: &dyn Embedder,
    embedding: &Embedding,
    tokens: usize,
) -> Result<(), CliError> {
    let line = Line {
        vector: embedding.vector.as_deref(),
        model: &embedder.description().model,
        tokens,
        truncated: embedding.is_truncated,
    };
    serde_json::to_writer(&mut *out, &line).map_err(std::io::Error::from)?;
    Ok(out.write_all(b"\n")?)
}

/// Lines of a file, a batch at a time.
struct Texts {
    reader: Box<dyn BufRead>,
    name: String,
    line: u64,
}

impl Texts {
    fn open(file: &std::path::Path) -> Result<Self, CliError> {
        let name = file.display().to_string();
        let reader: Box<dyn Read> = if name == "-" {
            Box::new(std::io::stdin())
        } else {
            let opened = std::fs::File::open(file);
            let problem = |error| CliError::File(format!("cannot read `{name}`: {error}"));
            Box::new(opened.map_err(problem)?)
        };
        Ok(Self { reader: Box::new(BufReader::new(reader)), name, line: 0 })
    }

    /// The next lines, without their ends; none at the end of the file.
    fn take(&mut self, count: usize) -> Result<Vec<String>, CliError> {
        let mut lines = Vec::with_capacity(count);
        while lines.len() < count {
            let mut bytes = Vec::new();
            let read = (&mut self.reader).take(MAX_LINE).read_until(b'\n', &mut bytes);
            let problem = |what: &str| format!("line {} of `{}` {what}", self.line + 1, self.name);
            let read = read.map_err(|error| CliError::File(problem(&error.to_string())))?;
            if read == 0 {
                break;
            }
            if read as u64 == MAX_LINE && !bytes.ends_with(b"\n") {
                return Err(CliError::File(problem("is longer than 16 MB")));
            }
            let text = String::from_utf8(bytes);
            let text = text.map_err(|_| CliError::File(problem("is not UTF-8")))?;
            lines.push(text.trim_end_matches(['\n', '\r']).to_owned());
            self.line += 1;
        }
        Ok(lines)
    }
}
