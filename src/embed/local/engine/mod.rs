//! Threads that own a model each and answer everybody: one, or two where a model computes texts alone.
//!
//! A session computes one call at a time, so calls stand in line. What somebody waits for goes first:
//! documents are computed in small batches, and between two of them every waiting search text is answered.

mod queries;

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::batch::Limits;
use super::work::{Counts, Documents, Progress};
use crate::embed::{Embedding, Error};
use queries::{Query, answer};

/// Threads beside the first keep their model this long after the last document.
const SPARE_AFTER: Duration = Duration::from_secs(3);

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

    /// Both for one text, for a model that computes texts alone; no vector where it knows nothing of it.
    fn embed_alone(&mut self, text: &str, role: Role)
    -> Result<(Reading, Option<Vec<f32>>), Error>;
}

/// Loads a model; called in the thread that will own it.
pub(super) type Load = Box<dyn Fn() -> Result<Box<dyn Model>, Error> + Send + Sync>;

/// The threads of a model. The first starts with the first call, others with a call over documents, and
/// dropping this ends them after the batch that is under way.
pub(super) struct Engine(Arc<Shared>);

struct Shared {
    load: Load,
    limits: Limits,
    /// Threads at most, each with a model of its own.
    threads: usize,
    /// A thread ends after resting so long, and the model leaves memory; zero keeps it.
    unload_after: Duration,
    /// A thread beside the first ends this long after the last document: searches need only one.
    spare_after: Duration,
    line: Mutex<Line>,
    changed: Condvar,
}

#[derive(Default)]
struct Line {
    queries: VecDeque<Query>,
    counts: VecDeque<Counts>,
    documents: VecDeque<Documents>,
    threads: Vec<JoinHandle<()>>,
    running: usize,
    /// Running threads that will take nothing more.
    leaving: usize,
    /// When a document was last worked on.
    documents_at: Option<Instant>,
    is_closed: bool,
}

/// What the thread does next.
enum Next {
    Queries(Vec<Query>),
    Counts(Counts),
    Documents(Documents),
    /// Nothing came for a while.
    Rest,
    /// Documents have not come for a while, and another thread answers the searches.
    Leave,
    End,
}

impl Engine {
    pub(super) fn new(load: Load, limits: Limits, threads: usize, unload_after: Duration) -> Self {
        Self::with_spare(load, limits, threads, unload_after, SPARE_AFTER)
    }

    /// As [`Self::new`], with a rest of one's own for the threads beside the first.
    fn with_spare(
        load: Load,
        limits: Limits,
        threads: usize,
        unload_after: Duration,
        spare_after: Duration,
    ) -> Self {
        let (line, changed) = (Mutex::default(), Condvar::new());
        Self(Arc::new(Shared { load, limits, threads, unload_after, spare_after, line, changed }))
    }

    pub(super) async fn embed_query(&self, text: &str) -> Result<Embedding, Error> {
        let (answer, answered) = oneshot::channel();
        let query = Query { text: text.to_owned(), answer };
        self.0.submit(1, |line| line.queries.push_back(query))?;
        answered.await.unwrap_or(Err(Error::Panicked))
    }

    /// Dealt out by length in one part more than there are threads: whichever is ahead finds work until the
    /// shortest texts, and all end at about the same time.
    pub(super) async fn embed_documents(&self, texts: &[String]) -> Result<Vec<Embedding>, Error> {
        let parts = if self.0.threads > 1 { self.0.threads + 1 } else { 1 };
        let parts = parts.clamp(1, texts.len().max(1));
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|index| Reverse(texts[*index].len()));
        let dealt = |part: usize| order.iter().copied().skip(part).step_by(parts);
        let (answers, answered): (Vec<_>, Vec<_>) = (0..parts).map(|_| oneshot::channel()).unzip();
        let part = |(part, answer)| Documents::new(dealt(part).map(|index| &texts[index]), answer);
        let calls: Vec<Documents> = answers.into_iter().enumerate().map(part).collect();
        self.0.submit(parts, |line| line.documents.extend(calls))?;
        let mut embedded: Vec<(usize, Embedding)> = Vec::with_capacity(texts.len());
        for (part, answered) in answered.into_iter().enumerate() {
            let embeddings = answered.await.unwrap_or(Err(Error::Panicked))?;
            embedded.extend(dealt(part).zip(embeddings));
        }
        embedded.sort_unstable_by_key(|(index, _)| *index);
        Ok(embedded.into_iter().map(|(_, embedding)| embedding).collect())
    }

    pub(super) async fn count_tokens(&self, texts: &[String]) -> Result<Vec<usize>, Error> {
        let (answer, answered) = oneshot::channel();
        let counts = Counts::new(texts, answer);
        self.0.submit(1, |line| line.counts.push_back(counts))?;
        answered.await.unwrap_or(Err(Error::Panicked))
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let threads = {
            let mut line = self.0.line();
            line.is_closed = true;
            std::mem::take(&mut line.threads)
        };
        self.0.changed.notify_all();
        // ONNX Runtime must not be computing when the process ends and takes its memory apart.
        for thread in threads {
            drop(thread.join());
        }
    }
}

impl Shared {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts work in line, and sees to it that so many threads run.
    fn submit(self: &Arc<Self>, wanted: usize, push: impl FnOnce(&mut Line)) -> Result<(), Error> {
        let mut line = self.line();
        self.start(&mut line, wanted)?;
        push(&mut line);
        drop(line);
        self.changed.notify_all();
        Ok(())
    }

    /// Starts threads until as many run as are wanted and allowed.
    fn start(self: &Arc<Self>, line: &mut Line, wanted: usize) -> Result<(), Error> {
        line.threads.retain(|thread| !thread.is_finished());
        while line.running - line.leaving < wanted.min(self.threads) {
            let shared = self.clone();
            let named = thread::Builder::new().name("local-model".to_owned());
            let failed = |error| Error::Load(format!("no thread can be started: {error}").into());
            line.threads.push(named.spawn(move || run(shared)).map_err(failed)?);
            line.running += 1;
        }
        Ok(())
    }

    /// Waits for work. Whoever does not wait for an answer any more is passed over.
    fn next(&self) -> Next {
        let mut line = self.line();
        loop {
            if line.is_closed {
                return Next::End;
            }
            let spare = line.spare_in(self.spare_after);
            if spare == Some(Duration::ZERO) {
                line.leaving += 1;
                return Next::Leave;
            }
            if let Some(next) = line.take(self.limits) {
                return next;
            }
            let unload = (!self.unload_after.is_zero()).then_some(self.unload_after);
            line = match spare.into_iter().chain(unload).min() {
                None => self.changed.wait(line).unwrap_or_else(PoisonError::into_inner),
                Some(patience) => {
                    let waited = self.changed.wait_timeout(line, patience);
                    let (line, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                    if timeout.timed_out() && unload == Some(patience) && line.len() == 0 {
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
    /// Calls that nobody works on.
    fn len(&self) -> usize {
        self.queries.len() + self.counts.len() + self.documents.len()
    }

    /// How soon one of the threads is not needed any more; `None` where there is only one.
    fn spare_in(&self, spare_after: Duration) -> Option<Duration> {
        if self.running - self.leaving < 2 {
            return None;
        }
        if !self.documents.is_empty() {
            return Some(spare_after);
        }
        let rested = self.documents_at.map_or(Duration::ZERO, |at| at.elapsed());
        Some(spare_after.saturating_sub(rested))
    }

    fn hand_back(&mut self, documents: Documents) {
        self.documents.push_back(documents);
        self.documents_at = Some(Instant::now());
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
        let documents = self.documents.pop_front()?;
        self.documents_at = Some(Instant::now());
        Some(Next::Documents(documents))
    }
}

/// Says when the thread has ended, however it did. What was still in line gets a new thread.
struct Running {
    shared: Arc<Shared>,
    is_leaving: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut line = self.shared.line();
        line.running -= 1;
        line.leaving -= usize::from(self.is_leaving);
        let wanted = if line.is_closed { 0 } else { line.len() };
        if let Err(error) = self.shared.start(&mut line, wanted) {
            tracing::error!("Cannot start the thread of the embedding model again: {error}");
            // Dropping the work answers it.
            line.queries.clear();
            line.counts.clear();
            line.documents.clear();
        }
    }
}

fn run(shared: Arc<Shared>) {
    // Dropped last, when the model has left memory.
    let mut running = Running { shared, is_leaving: false };
    let shared = running.shared.clone();
    let shared = &shared;
    let mut model = None;
    loop {
        match shared.next() {
            Next::Queries(queries) => answer(queries, loaded(&mut model, shared), shared.limits),
            Next::Counts(mut counts) => match counts.step(loaded(&mut model, shared)) {
                Progress::More => shared.line().counts.push_front(counts),
                Progress::Done(outcome) => counts.finish(outcome),
            },
            Next::Documents(mut documents) => {
                match documents.step(loaded(&mut model, shared), shared.limits) {
                    // The next in line has its turn, so a long call does not keep a short one waiting.
                    Progress::More => shared.line().hand_back(documents),
                    Progress::Done(outcome) => documents.finish(outcome),
                }
            }
            Next::Leave => {
                running.is_leaving = true;
                break;
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

#[cfg(test)]
mod tests;
