//! all-MiniLM-L6-v2 in int8 on this machine: Kindred's thread against a bare loop over ONNX Runtime, and
//! against fastembed for Python.
//!
//! Needs what `scripts/local-model env` prints, `scripts/local-model install --bench` for the Python side,
//! and `retrieval/cranfield/corpus.jsonl` in `KINDRED_TEST_DATA`.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kindred::embed::{Embedder, LocalEmbedder, LocalSettings, onnx_runtime};
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::Tensor;
use serde_json::{Value, json};
use tokenizers_onnx::{Tokenizer, TruncationParams};

use crate::Result;
use crate::database::Databases;
use crate::measure::{Report, count, median};
use crate::program::Server;

const MODEL: &str = "all-MiniLM-L6-v2-int8";
const THREADS: usize = 2;
const MAX_TOKENS: usize = 256;
/// Every so many texts of the collection, so that a round takes seconds.
const STEP: usize = 4;
const ROUNDS: usize = 5;
const BATCHES: [usize; 5] = [1, 4, 8, 16, 32];
/// Texts that the server embeds before its memory is read.
const SEARCHES: usize = 2_000;

pub(crate) async fn run(databases: &mut Databases, report: &mut Report) -> Result<()> {
    let Some(place) = Place::find() else { return Ok(()) };
    let texts = place.texts()?;
    speed(&place, &texts, report).await?;
    memory(&place, databases, &texts, report).await
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
    let mut plain = Plain::load(place)?;
    let mut python =
        place.python.as_deref().map(|path| Python::start(path, place, &texts)).transpose()?;
    // Both sides are warm before anything counts; the bare loop may choose its batch.
    embedder.embed_documents(&texts[..50]).await?;
    let batch = plain.best_batch(&texts[..100])?;
    let (mut ours, mut bare, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let started = Instant::now();
        embedder.embed_documents(&texts).await?;
        ours.push(started.elapsed().as_secs_f64());
        let started = Instant::now();
        plain.embed(&texts, batch)?;
        bare.push(started.elapsed().as_secs_f64());
        if let Some(python) = &mut python {
            others.push(python.round()?);
        }
    }
    let rate = |seconds: &[f64]| format!("{:.1}", count(texts.len()) / median(seconds));
    report.note("int8 MiniLM, Cranfield texts per second", rate(&ours));
    report.note(&format!("the same in a bare loop, {batch} a batch"), rate(&bare));
    report.figure("local / bare loop of ONNX Runtime", ratios(&bare, &ours), "≥ 0.95");
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

/// The least there is to do: tokens, sorted batches, one session, the mean.
struct Plain {
    session: Session,
    tokenizer: Tokenizer,
}

impl Plain {
    fn load(place: &Place) -> Result<Self> {
        let folder = place.models.join(MODEL);
        let environment = onnx_runtime(Some(&place.runtime))?;
        let session = Session::builder(&environment)?
            .with_optimization_level(GraphOptimizationLevel::Level3)
            .map_err(|error| error.to_string())?
            .with_intra_threads(THREADS)
            .map_err(|error| error.to_string())?
            .commit_from_file(folder.join("model.onnx"))?;
        let mut tokenizer = Tokenizer::from_file(folder.join("tokenizer.json"))?;
        let limit = TruncationParams { max_length: MAX_TOKENS, ..Default::default() };
        tokenizer.with_padding(None).with_truncation(Some(limit))?;
        Ok(Self { session, tokenizer })
    }

    fn best_batch(&mut self, texts: &[String]) -> Result<usize> {
        let mut best = (f64::INFINITY, BATCHES[0]);
        for batch in BATCHES.into_iter().chain(BATCHES) {
            let started = Instant::now();
            self.embed(texts, batch)?;
            let seconds = started.elapsed().as_secs_f64();
            println!("bare loop, {batch} a batch: {:.1}/s", count(texts.len()) / seconds);
            if seconds < best.0 {
                best = (seconds, batch);
            }
        }
        Ok(best.1)
    }

    fn embed(&mut self, texts: &[String], batch: usize) -> Result<Vec<Vec<f32>>> {
        let mut tokens: Vec<(usize, Vec<i64>)> = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            let encoding = self.tokenizer.encode_fast(text.as_str(), true)?;
            tokens.push((index, encoding.get_ids().iter().copied().map(i64::from).collect()));
        }
        tokens.sort_by_key(|(_, ids)| std::cmp::Reverse(ids.len()));
        let mut vectors = vec![Vec::new(); texts.len()];
        for together in tokens.chunks(batch) {
            for ((index, _), vector) in together.iter().zip(self.batch(together)?) {
                vectors[*index] = vector;
            }
        }
        Ok(vectors)
    }

    fn batch(&mut self, together: &[(usize, Vec<i64>)]) -> Result<Vec<Vec<f32>>> {
        let (rows, length) = (together.len(), together[0].1.len());
        let mut ids = vec![0_i64; rows * length];
        let mut mask = ids.clone();
        for (row, (_, tokens)) in together.iter().enumerate() {
            let start = row * length;
            ids[start..start + tokens.len()].copy_from_slice(tokens);
            mask[start..start + tokens.len()].fill(1);
        }
        let shape = [rows, length];
        let types = vec![0_i64; rows * length];
        let outputs = self.session.run(ort::inputs![
            "input_ids" => Tensor::from_array((shape, ids))?,
            "attention_mask" => Tensor::from_array((shape, mask))?,
            "token_type_ids" => Tensor::from_array((shape, types))?,
        ])?;
        let (_, hidden) = outputs[0].try_extract_tensor::<f32>()?;
        let width = hidden.len() / (rows * length);
        let texts = together.iter().zip(hidden.chunks(length * width));
        Ok(texts
            .map(|((_, tokens), states)| mean(&states[..tokens.len() * width], width))
            .collect())
    }
}

/// The mean of token vectors, at length 1.
fn mean(states: &[f32], width: usize) -> Vec<f32> {
    let mut sum = vec![0.0_f32; width];
    for state in states.chunks(width) {
        for (sum, value) in sum.iter_mut().zip(state) {
            *sum += value;
        }
    }
    let norm = sum.iter().map(|value| value * value).sum::<f32>().sqrt();
    sum.iter().map(|value| value / norm).collect()
}

/// fastembed for Python on the same files, in a process that embeds all texts when it is told to.
struct Python {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Python {
    fn start(packages: &Path, place: &Place, texts: &[String]) -> Result<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/bench-fastembed.py");
        let mut command = Command::new("python3");
        command.arg(script).arg(place.models.join(MODEL)).arg(THREADS.to_string());
        command.env("PYTHONPATH", packages).env("HF_HUB_OFFLINE", "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let stdin = child.stdin.take().ok_or("the script has no input")?;
        let stdout = BufReader::new(child.stdout.take().ok_or("the script has no output")?);
        let mut python = Self { child, stdin, stdout };
        writeln!(python.stdin, "{}", serde_json::to_string(texts)?)?;
        // The answer to the texts says that the model is loaded and warm.
        python.line()?;
        Ok(python)
    }

    /// Embeds all texts once; the seconds it took.
    fn round(&mut self) -> Result<f64> {
        writeln!(self.stdin)?;
        Ok(self.line()?.trim().parse()?)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.stdin.flush()?;
        match self.stdout.read_line(&mut line)? {
            0 => Err("scripts/bench-fastembed.py ended early".into()),
            _ => Ok(line),
        }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

async fn memory(
    place: &Place,
    databases: &mut Databases,
    texts: &[String],
    report: &mut Report,
) -> Result<()> {
    let database = databases.create("local").await?;
    let server = Arc::new(
        Server::start_with(
            &database,
            &[
                ("EMBEDDER", "local".as_ref()),
                ("LOCAL_MODEL", MODEL.as_ref()),
                ("LOCAL_MODEL_DIR", place.models.as_os_str()),
                ("ORT_DYLIB_PATH", place.runtime.as_os_str()),
            ],
        )
        .await?,
    );
    let idle = server.resident_mb();
    let mut after = Vec::new();
    for (number, text) in texts.iter().cycle().take(SEARCHES).enumerate() {
        // A number makes each text a new one, so none is remembered.
        let text: String = format!("{number} {text}").chars().take(1_900).collect();
        let query =
            "query ($text: String!) { recommend(query: $text, first: 5) { info { space } } }";
        server.execute(query, json!({ "text": text })).await?;
        if [1, 200, SEARCHES].contains(&(number + 1)) {
            after.push(server.resident_mb());
        }
    }
    let mb =
        |value: Option<f64>| value.map_or("not known here".to_owned(), |mb| format!("{mb:.0} MB"));
    report.note("resident memory of a server before the first text", mb(idle));
    report.note("after 1 text", mb(after[0]));
    report.note("after 200 texts", mb(after[1]));
    report.figure("after 2,000 texts, int8 MiniLM loaded", mb(after[2]), "≤ 180 MB");
    Ok(())
}
