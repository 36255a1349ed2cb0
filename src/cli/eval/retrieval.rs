//! `kindred eval retrieval`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::table::{self, Line};
use crate::app::{App, Temporary};
use crate::cli::client::Client;
use crate::cli::serve::asked_to_stop;
use crate::cli::{CliError, CliResult, output, wait};
use crate::config::Config;
use crate::embed::Backend;
use crate::model::Kind;
use crate::service::eval::beir::{self, Entry, Left, Qrels};
use crate::service::eval::{Collection, Evaluated, Evaluation, Searched, searches};
use crate::service::{Setting, SpaceChanges};

/// What is measured.
#[derive(Debug, Clone, Args)]
pub(super) struct Retrieval {
    /// Documents, one JSON object a line: `_id`, `title`, `text`
    #[arg(long, value_name = "FILE")]
    corpus: PathBuf,

    /// Queries, one JSON object a line: `_id`, `text`
    #[arg(long, value_name = "FILE")]
    queries: PathBuf,

    /// Judgements: query id, document id and grade, separated by tabs; with or without a header
    #[arg(long, value_name = "FILE")]
    qrels: PathBuf,

    /// Backend to measure, may be given several times [default: the one of `EMBEDDER`]
    #[arg(long, value_enum, value_name = "BACKEND")]
    backend: Vec<Measured>,

    /// How many results nDCG looks at
    #[arg(short, long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100), value_name = "COUNT")]
    k: u32,

    /// Language of the documents, such as `english` or `de` [default: english]
    #[arg(long, value_name = "NAME")]
    language: Option<String>,

    /// Tokens of a chunk at most [default: the space's]
    #[arg(long, value_name = "COUNT")]
    chunk_tokens: Option<i32>,

    /// Tokens that a chunk repeats of the one before [default: the space's]
    #[arg(long, value_name = "COUNT")]
    chunk_overlap: Option<i32>,

    /// Share of meaning in a hybrid search, from 0 to 1 [default: the space's]
    #[arg(long, value_name = "SHARE")]
    semantic_ratio: Option<f64>,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Which backends are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Measured {
    /// The bundled static model
    Static,
    /// The model of `LOCAL_MODEL`
    Local,
    /// The model of `OPENAI_MODEL`
    Openai,
    /// Each of them that can be used here
    All,
}

/// The files of a test collection.
struct Files {
    corpus: Vec<Entry>,
    queries: Vec<Entry>,
    qrels: Qrels,
}

/// How good the searches are with one backend.
struct Report {
    backend: Backend,
    model: String,
    documents: usize,
    evaluation: Evaluation,
    left: Left,
    rejected: Vec<(String, String)>,
    /// Texts that the model could not embed.
    failed: i64,
}

pub(super) async fn run(command: &Retrieval, config: &Config) -> CliResult {
    let files = Files {
        corpus: beir::entries(&command.corpus, "documents")?,
        queries: beir::entries(&command.queries, "queries")?,
        qrels: beir::qrels(&command.qrels)?,
    };
    let is_all = command.backend.contains(&Measured::All);
    let mut reports = Vec::new();
    for backend in backends(command, config) {
        match measure(command, config, backend, &files).await {
            Ok(report) => {
                if !command.json {
                    print(&report)?;
                }
                reports.push(report);
            }
            // `all` means what can be used on this machine.
            Err(CliError::Start(error)) if is_all => {
                output::note(&format!("Left out the backend `{}`: {error}", backend.as_str()));
            }
            Err(error) => return Err(error),
        }
    }
    if reports.is_empty() {
        return Err(CliError::File("no backend could be measured".to_owned()));
    }
    if command.json {
        output::json(&Value::Array(reports.iter().map(as_json).collect()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn backends(command: &Retrieval, config: &Config) -> Vec<Backend> {
    if command.backend.is_empty() {
        return vec![config.embedder];
    }
    let named =
        |measured| command.backend.contains(&measured) || command.backend.contains(&Measured::All);
    [
        (Measured::Static, Backend::Static),
        (Measured::Local, Backend::Local),
        (Measured::Openai, Backend::OpenAi),
    ]
    .into_iter()
    .filter_map(|(measured, backend)| named(measured).then_some(backend))
    .collect()
}

/// Measures in a database of its own, which is removed however the measurement ends.
async fn measure(
    command: &Retrieval,
    config: &Config,
    backend: Backend,
    files: &Files,
) -> Result<Report, CliError> {
    let config = Config { embedder: backend, ..config.clone() };
    // Listens before there is anything that would be left behind.
    let stopped = tokio::spawn(asked_to_stop());
    let temporary = Temporary::create(&config).await?;
    let outcome = tokio::select! {
        outcome = measure_in(command, config, &temporary, files) => outcome,
        _ = stopped => {
            Err(CliError::Usage { message: "stopped".to_owned(), hint: None })
        }
    };
    temporary.remove().await?;
    outcome
}

async fn measure_in(
    command: &Retrieval,
    config: Config,
    temporary: &Temporary,
    files: &Files,
) -> Result<Report, CliError> {
    let backend = config.embedder;
    let app = temporary.build(config).await?;
    // A model that cannot be used is found before anything is written.
    app.services.embedder().embed_query("ready").await.map_err(crate::app::StartError::Embed)?;
    let client = Client::Here(Box::new(app));
    let Client::Here(app) = &client else {
        return Err(CliError::Answer("the database is not open here".to_owned()));
    };
    let outcome = searched(command, &client, app, files).await;
    app.services.db().close().await;
    let (collection, evaluation, left, failed) = outcome?;
    Ok(Report {
        backend,
        model: app.services.embedder().description().model.clone(),
        documents: collection.rows.len(),
        evaluation,
        left,
        rejected: collection.rejected,
        failed,
    })
}

async fn searched(
    command: &Retrieval,
    client: &Client,
    app: &App,
    files: &Files,
) -> Result<(Collection, Evaluation, Left, i64), CliError> {
    let viewer = app.operator();
    configure(command, app).await?;
    let bar = wait::bar("Writing", "documents", files.corpus.len() as u64);
    let language = command.language.as_deref();
    let corpus = files.corpus.clone();
    let collection = app
        .services
        .ingest_collection(viewer, corpus, language, |done| bar.set_position(done as u64))
        .await?;
    bar.finish_and_clear();
    let failed = wait::until_embedded(client).await?;
    let (queries, left) =
        beir::test_queries(files.queries.clone(), files.qrels.clone(), &collection);
    if queries.is_empty() {
        let message = format!("no query of `{}` is judged", command.queries.display());
        return Err(CliError::File(message));
    }
    let what = Searched { kinds: vec![Kind::Chunk], space: None, k: command.k as usize };
    let bar = wait::bar("Searching", "searches", searches(queries.len()) as u64);
    let evaluation = app
        .services
        .evaluate_queries(viewer, &queries, &what, |done| bar.set_position(done as u64))
        .await?;
    bar.finish_and_clear();
    Ok((collection, evaluation, left, failed))
}

/// Gives the settings that are tried to the space of the database.
async fn configure(command: &Retrieval, app: &App) -> Result<(), CliError> {
    fn set<T>(value: Option<T>) -> Setting<T> {
        value.map_or(Setting::Keep, Setting::Set)
    }
    let changes = SpaceChanges {
        fusion: Setting::Keep,
        semantic_ratio: set(command.semantic_ratio),
        chunk_tokens: set(command.chunk_tokens),
        chunk_overlap: set(command.chunk_overlap),
    };
    let viewer = app.operator();
    for (space, _) in app.services.all_spaces(viewer).await? {
        app.services.configure_space(viewer, &space.name, changes).await?;
    }
    Ok(())
}

fn print(report: &Report) -> Result<(), CliError> {
    let Report { backend, model, documents, evaluation, .. } = report;
    let (queries, judgments) = (evaluation.queries, evaluation.judgments);
    output::text(&format!(
        "{}, {model}: {documents} documents, {queries} queries, {judgments} judgements",
        backend.as_str()
    ))?;
    table::print(evaluation.k, evaluation.modes.iter().map(line))?;
    for remark in remarks(report) {
        output::note(&remark);
    }
    Ok(())
}

fn line(evaluated: &Evaluated) -> Line {
    let Evaluated { mode, semantic_ratio, is_default, metrics } = *evaluated;
    let figures = [metrics.ndcg, metrics.map, metrics.mrr, metrics.recall];
    Line { fusion: mode.fusion(), semantic_ratio, is_default, figures }
}

/// What of the collection did not count, or not as one might think.
fn remarks(report: &Report) -> Vec<String> {
    let Left { unjudged_queries, missing_documents, missing_queries } = report.left;
    let counted = [
        (unjudged_queries, "queries have no judgement and were left out"),
        (missing_documents, "judgements name documents that are not there, which nobody can find"),
        (missing_queries, "judgements name queries that are not there and were left out"),
        (report.evaluation.cut, "queries are longer than a search may be and were cut"),
        (usize::try_from(report.failed).unwrap_or(0), "texts could not be embedded"),
        (report.rejected.len(), "documents were rejected"),
    ];
    let counted = counted.into_iter().filter(|(count, _)| *count > 0);
    let counted = counted.map(|(count, what)| format!("{count} {what}"));
    let reasons = report.rejected.iter().take(5).map(|(id, why)| format!("  `{id}`: {why}"));
    counted.chain(reasons).collect()
}

fn as_json(report: &Report) -> Value {
    let evaluation = &report.evaluation;
    let mode = |evaluated: &Evaluated| {
        let metrics = evaluated.metrics;
        json!({
            "mode": evaluated.mode.as_str(),
            "fusion": evaluated.mode.fusion().map(crate::model::hit::Fusion::as_str),
            "semanticRatio": evaluated.semantic_ratio,
            "isDefault": evaluated.is_default,
            "ndcg": metrics.ndcg,
            "map": metrics.map,
            "mrr": metrics.mrr,
            "recall": metrics.recall,
        })
    };
    let rejected = report.rejected.iter().map(|(id, why)| json!({ "id": id, "message": why }));
    json!({
        "backend": report.backend.as_str(),
        "model": report.model,
        "documents": report.documents,
        "queries": evaluation.queries,
        "judgments": evaluation.judgments,
        "k": evaluation.k,
        "recallAt": crate::service::eval::RECALL_DEPTH,
        "modes": evaluation.modes.iter().map(mode).collect::<Vec<_>>(),
        "unjudgedQueries": report.left.unjudged_queries,
        "missingDocuments": report.left.missing_documents,
        "missingQueries": report.left.missing_queries,
        "cutQueries": evaluation.cut,
        "failedTexts": report.failed,
        "rejected": rejected.collect::<Vec<_>>(),
    })
}
