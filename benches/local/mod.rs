//! all-MiniLM-L6-v2 in int8 on this machine: Kindred's threads against the fastest of the bare loops
//! over ONNX Runtime, and against fastembed for Python.
//!
//! Needs what `scripts/local-model env` prints, `scripts/local-model install --bench` for the Python side,
//! and `retrieval/cranfield/corpus.jsonl` in `KINDRED_TEST_DATA`.

mod memory;
mod plain;
mod python;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use kindred::embed::{Embedder, LocalEmbedder, LocalSettings};
use serde_json::Value;

use self::plain::Plain;
use self::python::Python;
use crate::Result;
use crate::database::Databases;
use crate::measure::{Report, count, median};

const MODEL: &str = "all-MiniLM-L6-v2-int8";
const THREADS: usize = 2;
/// Every so many texts of the collection, so that a round takes seconds.
const STEP: usize = 4;
const ROUNDS: usize = 5;
/// Batches that are tried for one session with all threads, and for two with half of them each.
const BATCHES: [&[usize]; 2] = [&[1, 4, 8, 16, 32], &[1, 4, 8]];

pub(crate) async fn run(databases: &mut Databases, report: &mut Report) -> Result<()> {
    let Some(place) = Place::find() else { return Ok(()) };
    let texts = place.texts()?;
    speed(&place, &texts, report).await?;
    memory::run(&place, databases, &texts, report).await
}

/// What is measured, and on what.
struct Place {
    models: PathBuf,
    runtime: PathBuf,
    corpus: PathBuf,
    python: Option<PathBuf>,
}

impl Place {
    fn find() -> Option<Self> {
        let path = |name| std::env::var_os(name).map(PathBuf::from);
        let corpus = path("KINDRED_TEST_DATA")?.join("retrieval/cranfield/corpus.jsonl");
        let found = path("LOCAL_MODEL_DIR").zip(path("ORT_DYLIB_PATH"));
        let Some((models, runtime)) = found.filter(|_| corpus.is_file()) else {
            println!("Skipped `local`: `scripts/local-model env` prints what it needs");
            return None;
        };
        Some(Self { models, runtime, corpus, python: path("KINDRED_BENCH_PYTHON") })
    }

    fn texts(&self) -> Result<Vec<String>> {
        let corpus = std::fs::read_to_string(&self.corpus)?;
        let text = |line: &str| -> Result<String> {
            let row: Value = serde_json::from_str(line)?;
            Ok(row["text"].as_str().unwrap_or_default().to_owned())
        };
        let texts: Result<Vec<String>> = corpus.lines().map(text).collect();
        Ok(texts?.into_iter().filter(|text| !text.trim().is_empty()).collect())
    }

    fn embedder(&self) -> Result<LocalEmbedder> {
        let settings = LocalSettings {
            model: MODEL.to_owned(),
            model_dir: Some(self.models.clone()),
            cache_dir: std::env::temp_dir(),
            onnx_runtime: Some(self.runtime.clone()),
            threads: THREADS,
            unload_after: Duration::ZERO,
        };
        Ok(LocalEmbedder::new(&settings, None)?)
    }
}

async fn speed(place: &Place, all: &[String], report: &mut Report) -> Result<()> {
    let texts: Vec<String> = all.iter().step_by(STEP).cloned().collect();
    let embedder = place.embedder()?;
    let mut python =
        place.python.as_deref().map(|path| Python::start(path, place, &texts)).transpose()?;
    // All sides are warm before anything counts; the bare loops may choose their batches.
    embedder.embed_documents(&texts[..50]).await?;
    let mut plains = Vec::new();
    for (index, batches) in BATCHES.into_iter().enumerate() {
        plains.push(Plain::load(place, index + 1, batches, &texts[..100])?);
    }
    let mut ours = Vec::new();
    let mut bare = vec![Vec::new(); plains.len()];
    let mut others = Vec::new();
    for _ in 0..ROUNDS {
        // The second session left while the others had their turns. Theirs stay.
        embedder.embed_documents(&texts[..2]).await?;
        let started = Instant::now();
        embedder.embed_documents(&texts).await?;
        ours.push(started.elapsed().as_secs_f64());
        for (plain, bare) in plains.iter_mut().zip(&mut bare) {
            bare.push(plain.round(&texts)?);
        }
        if let Some(python) = &mut python {
            others.push(python.round()?);
        }
    }
    let rate = |seconds: &[f64]| format!("{:.1}", count(texts.len()) / median(seconds));
    report.note("int8 MiniLM, Cranfield texts per second", rate(&ours));
    for (plain, bare) in plains.iter().zip(&bare) {
        report.note(&format!("the same in {}", plain.name()), rate(bare));
    }
    let fastest = bare.iter().min_by(|a, b| median(a).total_cmp(&median(b)));
    let fastest = fastest.ok_or("there is no bare loop")?;
    report.figure("local / fastest bare loop of ONNX Runtime", ratios(fastest, &ours), "≥ 0.95");
    if python.is_some() {
        report.note("the same in fastembed for Python", rate(&others));
        report.figure("local / fastembed for Python", ratios(&others, &ours), "≥ 1.3");
    } else {
        println!("Skipped Python: `scripts/local-model install --bench` installs its side");
    }
    Ok(())
}

/// The middle of the rounds' ratios: both sides of one round had the same neighbors.
fn ratios(others: &[f64], ours: &[f64]) -> String {
    let ratios: Vec<f64> = others.iter().zip(ours).map(|(other, ours)| other / ours).collect();
    format!("{:.2}", median(&ratios))
}
