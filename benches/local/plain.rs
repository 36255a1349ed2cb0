//! The least there is to do, in bare loops over ONNX Runtime: tokens, sorted batches, the mean.

use std::path::Path;
use std::thread;
use std::time::Instant;

use kindred::embed::onnx_runtime;
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::Tensor;
use tokenizers_onnx::{Tokenizer, TruncationParams};

use super::{MODEL, Place, THREADS};
use crate::Result;
use crate::measure::count;

const MAX_TOKENS: usize = 256;

/// One or more lanes, with the batch that is fastest for so many.
pub(super) struct Plain {
    lanes: Vec<Lane>,
    batch: usize,
}

impl Plain {
    /// Loads a session for each lane, which have all threads between them, and tries the batches on `texts`.
    pub(super) fn load(
        place: &Place,
        lanes: usize,
        batches: &[usize],
        texts: &[String],
    ) -> Result<Self> {
        let folder = place.models.join(MODEL);
        let load = |_| Lane::load(&folder, &place.runtime, THREADS / lanes);
        let lanes = (0..lanes).map(load).collect::<Result<_>>()?;
        let mut plain = Self { lanes, batch: 1 };
        plain.batch = plain.best(batches, texts)?;
        Ok(plain)
    }

    pub(super) fn name(&self) -> String {
        let Self { lanes, batch } = self;
        match lanes.len() {
            1 => format!("a bare loop with one session, {batch} a batch"),
            lanes => format!("a bare loop with {lanes} sessions, {batch} a batch"),
        }
    }

    /// The batch of the fastest of two tries each; the first texts of all also warm the sessions.
    fn best(&mut self, batches: &[usize], texts: &[String]) -> Result<usize> {
        let mut best = (f64::INFINITY, 1);
        for batch in batches.iter().chain(batches) {
            self.batch = *batch;
            let seconds = self.round(texts)?;
            println!("{}: {:.1}/s", self.name(), count(texts.len()) / seconds);
            if seconds < best.0 {
                best = (seconds, *batch);
            }
        }
        Ok(best.1)
    }

    /// Embeds all texts once; the seconds it took.
    pub(super) fn round(&mut self, texts: &[String]) -> Result<f64> {
        let started = Instant::now();
        let vectors = self.embed(texts)?;
        let seconds = started.elapsed().as_secs_f64();
        match vectors == texts.len() {
            true => Ok(seconds),
            false => Err(format!("{vectors} vectors of {} texts", texts.len()).into()),
        }
    }

    /// How many vectors there are. Texts are dealt by their lengths, so that all lanes end at the same time.
    fn embed(&mut self, texts: &[String]) -> Result<usize> {
        let mut sorted: Vec<&str> = texts.iter().map(String::as_str).collect();
        sorted.sort_by_key(|text| std::cmp::Reverse(text.len()));
        let (batch, step) = (self.batch, self.lanes.len());
        thread::scope(|scope| {
            let mut running = Vec::new();
            for (first, lane) in self.lanes.iter_mut().enumerate() {
                let dealt: Vec<&str> = sorted.iter().skip(first).step_by(step).copied().collect();
                running.push(scope.spawn(move || lane.embed(&dealt, batch)));
            }
            let mut vectors = 0;
            for lane in running {
                let embedded = lane.join().map_err(|_| "a lane panicked")??;
                vectors += embedded.iter().filter(|vector| !vector.is_empty()).count();
            }
            Ok(vectors)
        })
    }
}

/// A session and what cuts its texts into tokens, for a thread.
struct Lane {
    session: Session,
    tokenizer: Tokenizer,
}

impl Lane {
    fn load(folder: &Path, runtime: &Path, threads: usize) -> Result<Self> {
        let environment = onnx_runtime(Some(runtime))?;
        let session = Session::builder(&environment)?
            .with_optimization_level(GraphOptimizationLevel::Level3)
            .map_err(|error| error.to_string())?
            .with_intra_threads(threads)
            .map_err(|error| error.to_string())?
            .commit_from_file(folder.join("model.onnx"))?;
        let mut tokenizer = Tokenizer::from_file(folder.join("tokenizer.json"))?;
        let limit = TruncationParams { max_length: MAX_TOKENS, ..Default::default() };
        tokenizer.with_padding(None).with_truncation(Some(limit))?;
        Ok(Self { session, tokenizer })
    }

    /// The vectors, in the order of the texts.
    fn embed(&mut self, texts: &[&str], batch: usize) -> Result<Vec<Vec<f32>>> {
        let mut tokens: Vec<(usize, Vec<i64>)> = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            let encoding = self.tokenizer.encode_fast(*text, true)?;
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
