//! One thread that owns a model and answers everybody.
//!
//! A session computes one call at a time and with all its threads, so calls stand in line. What somebody
//! waits for goes first: documents are computed in small batches, and between two of them every waiting
//! search text is answered.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;

use super::batch::{Limits, batches};
use super::work::{Answer, Counts, Documents, Progress};
use crate::embed::{Embedding, Error};

/// What a text is to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Query,
    Document,
}

/// What a model sees in a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    /// All of them, markers included.
    pub(super) tokens: usize,
    /// Those that are not cut off.
    pub(super) read: usize,
    /// Whether any of them says something.
    pub(super) is_known: bool,
}

impl Reading {
    pub(super) fn is_truncated(self) -> bool {
        self.tokens > self.read
    }

    pub(super) fn embedding(self, vector: Option<Vec<f32>>) -> Embedding {
        Embedding { vector, is_truncated: self.is_truncated() }
    }
}

/// A loaded model.
pub(super) trait Model {
    fn read(&mut self, text: &str, role: Role) -> Result<Reading, Error>;

    /// Unit-length vectors in the order of the texts; `None` for one without a direction.
    fn embed(&mut self, texts: &[&str], role: Role) -> Result<Vec<Option<Vec<f32>>>, Error>;
}

/// Loads a model; called in the thread that will own it.
pub(super) type Load = Box<dyn Fn() -> Result<Box<dyn Model>, Error> + Send + Sync>;

/// The thread of a model. It starts with the first call, and dropping this ends it after the batch that is
/// under way.
pub(super) struct Engine(Arc<Shared>);

struct Shared {
    load: Load,
    limits: Limits,
    /// The thread ends after resting so long, and the model leaves memory; zero keeps it.
    unload_after: Duration,
    line: Mutex<Line>,
    changed: Condvar,
}

#[derive(Default)]
struct Line {
    queries: VecDeque<Query>,
    counts: VecDeque<Counts>,
    documents: VecDeque<Documents>,
    thread: Option<JoinHandle<()>>,
    is_running: bool,
    is_closed: bool,
}

struct Query {
    text: String,
    answer: Answer<Embedding>,
}

/// What the thread does next.
enum Next {
    Queries(Vec<Query>),
    Counts(Counts),
    Documents(Documents),
    /// Nothing came for a while.
    Rest,
    End,
}

impl Engine {
    pub(super) fn new(load: Load, limits: Limits, unload_after: Duration) -> Self {
        let (line, changed) = (Mutex::default(), Condvar::new());
        Self(Arc::new(Shared { load, limits, unload_after, line, changed }))
    }

    pub(super) async fn embed_query(&self, text: &str) -> Result<Embedding, Error> {
        let (answer, answered) = oneshot::channel();
        let query = Query { text: text.to_owned(), answer };
        self.0.submit(|line| line.queries.push_back(query))?;
        answered.await.unwrap_or(Err(Error::Panicked))
    }

    pub(super) async fn embed_documents(&self, texts: &[String]) -> Result<Vec<Embedding>, Error> {
        let (answer, answered) = oneshot::channel();
        let documents = Documents::new(texts, answer);
        self.0.submit(|line| line.documents.push_back(documents))?;
        answered.await.unwrap_or(Err(Error::Panicked))
    }

    pub(super) async fn count_tokens(&self, texts: &[String]) -> Result<Vec<usize>, Error> {
        let (answer, answered) = oneshot::channel();
        let counts = Counts::new(texts, answer);
        self.0.submit(|line| line.counts.push_back(counts))?;
        answered.await.unwrap_or(Err(Error::Panicked))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let thread = {
            let mut line = self.0.line();
            line.is_closed = true;
            line.thread.take()
        };
        self.0.changed.notify_all();
        // ONNX Runtime must not be computing when the process ends and takes its memory apart.
        if let Some(thread) = thread {
            drop(thread.join());
        }
    }
}

impl Shared {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts work in line, and starts the thread unless it runs.
    fn submit(self: &Arc<Self>, push: impl FnOnce(&mut Line)) -> Result<(), Error> {
        let mut line = self.line();
        if !line.is_running {
            self.start(&mut line)?;
        }
        push(&mut line);
        drop(line);
        self.changed.notify_one();
        Ok(())
    }

    fn start(self: &Arc<Self>, line: &mut Line) -> Result<(), Error> {
        let shared = self.clone();
        let thread =
            thread::Builder::new().name("local-model".to_owned()).spawn(move || run(shared));
        let failed = |error| Error::Load(format!("no thread can be started: {error}").into());
        line.thread = Some(thread.map_err(failed)?);
        line.is_running = true;
        Ok(())
    }

    /// Waits for work. Whoever does not wait for an answer any more is passed over.
    fn next(&self) -> Next {
        let mut line = self.line();
        loop {
            if line.is_closed {
                return Next::End;
            }
            if let Some(next) = line.take(self.limits) {
                return next;
            }
            line = match self.unload_after.is_zero() {
                true => self.changed.wait(line).unwrap_or_else(PoisonError::into_inner),
                false => {
                    let waited = self.changed.wait_timeout(line, self.unload_after);
                    let (line, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                    if timeout.timed_out() && line.is_empty() {
                        return Next::Rest;
                    }
                    line
                }
            };
        }
    }

    fn is_closed(&self) -> bool {
        self.line().is_closed
    }
}

impl Line {
    fn is_empty(&self) -> bool {
        self.queries.is_empty() && self.counts.is_empty() && self.documents.is_empty()
    }

    fn take(&mut self, limits: Limits) -> Option<Next> {
        self.queries.retain(|query| !query.answer.is_closed());
        self.counts.retain(|counts| !counts.is_abandoned());
        self.documents.retain(|documents| !documents.is_abandoned());
        if !self.queries.is_empty() {
            let together = limits.texts.min(self.queries.len());
            return Some(Next::Queries(self.queries.drain(..together).collect()));
        }
        if let Some(counts) = self.counts.pop_front() {
            return Some(Next::Counts(counts));
        }
        self.documents.pop_front().map(Next::Documents)
    }
}

/// Says when the thread has ended, however it did. What was still in line gets a new thread.
struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        let mut line = self.0.line();
        line.is_running = false;
        let is_wanted = !line.is_closed && !line.is_empty();
        if is_wanted && let Err(error) = self.0.start(&mut line) {
            tracing::error!("Cannot start the thread of the embedding model again: {error}");
            // Dropping the work answers it.
            *line = Line::default();
        }
    }
}

fn run(shared: Arc<Shared>) {
    // Dropped last, when the model has left memory.
    let running = Running(shared);
    let shared = &running.0;
    let mut model = None;
    loop {
        match shared.next() {
            Next::Queries(queries) => answer(queries, &mut model, shared),
            Next::Counts(mut counts) => match counts.step(loaded(&mut model, shared)) {
                Progress::More => shared.line().counts.push_front(counts),
                Progress::Done(outcome) => counts.finish(outcome),
            },
            Next::Documents(mut documents) => {
                match documents.step(loaded(&mut model, shared), shared.limits) {
                    // The next in line has its turn, so a long call does not keep a short one waiting.
                    Progress::More => shared.line().documents.push_back(documents),
                    Progress::Done(outcome) => documents.finish(outcome),
                }
            }
            Next::Rest | Next::End => break,
        }
        if shared.is_closed() {
            break;
        }
    }
}

/// The model, loaded if it is not there yet.
fn loaded<'a>(
    model: &'a mut Option<Box<dyn Model>>,
    shared: &Shared,
) -> Result<&'a mut dyn Model, Error> {
    match model {
        Some(model) => Ok(model.as_mut()),
        None => Ok(model.insert((shared.load)()?).as_mut()),
    }
}

/// Answers search texts that waited at the same time, in as few calls as the limits allow.
fn answer(queries: Vec<Query>, model: &mut Option<Box<dyn Model>>, shared: &Shared) {
    let model = match loaded(model, shared) {
        Ok(model) => model,
        Err(error) => {
            let error = Arc::new(error);
            for query in queries {
                send(query.answer, Err(Error::Shared(error.clone())));
            }
            return;
        }
    };
    let mut waiting: Vec<Option<(Query, Reading)>> = Vec::new();
    for query in queries {
        match model.read(&query.text, Role::Query) {
            Ok(reading) if reading.is_known => waiting.push(Some((query, reading))),
            Ok(reading) => send(query.answer, Ok(reading.embedding(None))),
            Err(error) => send(query.answer, Err(error)),
        }
    }
    let lengths: Vec<(usize, usize)> = waiting
        .iter()
        .enumerate()
        .filter_map(|(index, slot)| slot.as_ref().map(|(_, reading)| (index, reading.read)))
        .collect();
    for batch in batches(&lengths, shared.limits) {
        let asked: Vec<(Query, Reading)> =
            batch.into_iter().filter_map(|index| waiting[index].take()).collect();
        let texts: Vec<&str> = asked.iter().map(|(query, _)| query.text.as_str()).collect();
        match model.embed(&texts, Role::Query) {
            Ok(vectors) => {
                for ((query, reading), vector) in asked.into_iter().zip(vectors) {
                    send(query.answer, Ok(reading.embedding(vector)));
                }
            }
            Err(error) => {
                let error = Arc::new(error);
                for (query, _) in asked {
                    send(query.answer, Err(Error::Shared(error.clone())));
                }
            }
        }
    }
}

/// Whoever went away meanwhile misses the answer.
fn send<T>(to: Answer<T>, outcome: Result<T, Error>) {
    drop(to.send(outcome));
}

#[cfg(test)]
mod tests;
