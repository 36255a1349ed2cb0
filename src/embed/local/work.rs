//! Calls over many texts, which are worked off step by step.

use std::collections::HashMap;

use tokio::sync::oneshot;

use super::batch::{Limits, batches};
use super::engine::{Model, Reading, Role};
use crate::embed::{Embedding, Error};

/// Texts that are cut into tokens in one step: a few milliseconds.
const READ_AT_A_TIME: usize = 64;

/// Where an answer goes.
pub(super) type Answer<T> = oneshot::Sender<Result<T, Error>>;

/// What a step led to.
pub(super) enum Progress<T> {
    More,
    Done(Result<T, Error>),
}

/// A call for the vectors of documents. A text that occurs twice is computed once.
pub(super) struct Documents {
    texts: Vec<String>,
    /// For each text of the call its place in `texts`.
    places: Vec<usize>,
    /// What the model saw in the texts, as far as it read them.
    readings: Vec<Reading>,
    /// What was read and is left to compute, the next at the end.
    batches: Vec<Vec<usize>>,
    vectors: Vec<Option<Vec<f32>>>,
    answer: Answer<Vec<Embedding>>,
}

impl Documents {
    pub(super) fn new<'a>(
        given: impl Iterator<Item = &'a String>,
        answer: Answer<Vec<Embedding>>,
    ) -> Self {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        let mut texts = Vec::new();
        let place = |text| {
            *seen.entry(text).or_insert_with(|| {
                texts.push(String::from(text));
                texts.len() - 1
            })
        };
        let places = given.map(String::as_str).map(place).collect();
        let vectors = vec![None; texts.len()];
        Self { texts, places, readings: Vec::new(), batches: Vec::new(), vectors, answer }
    }

    /// Whether nobody waits for it any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }

    /// Cuts some texts into tokens, or computes one batch. Texts that are computed alone are read then, in the
    /// order in which they came.
    pub(super) fn step(
        &mut self,
        model: Result<&mut dyn Model, Error>,
        limits: Limits,
    ) -> Progress<Vec<Embedding>> {
        let stepped = model.and_then(|model| {
            if limits.is_alone() {
                self.compute_next(model)
            } else if self.readings.len() < self.texts.len() {
                self.read(model, limits)
            } else {
                self.compute(model)
            }
        });
        match stepped {
            Err(error) => Progress::Done(Err(error)),
            Ok(()) if self.readings.len() < self.texts.len() || !self.batches.is_empty() => {
                Progress::More
            }
            Ok(()) => Progress::Done(Ok(self.embeddings())),
        }
    }

    fn read(&mut self, model: &mut dyn Model, limits: Limits) -> Result<(), Error> {
        for text in self.texts.iter().skip(self.readings.len()).take(READ_AT_A_TIME) {
            self.readings.push(model.read(text, Role::Document)?);
        }
        if self.readings.len() == self.texts.len() {
            let known = self.readings.iter().enumerate().filter(|(_, reading)| reading.is_known);
            let lengths: Vec<_> = known.map(|(index, reading)| (index, reading.read)).collect();
            self.batches = batches(&lengths, limits);
            self.batches.reverse();
        }
        Ok(())
    }

    fn compute_next(&mut self, model: &mut dyn Model) -> Result<(), Error> {
        let index = self.readings.len();
        let Some(text) = self.texts.get(index) else { return Ok(()) };
        let (reading, vector) = model.embed_alone(text, Role::Document)?;
        self.readings.push(reading);
        self.vectors[index] = vector;
        Ok(())
    }

    fn compute(&mut self, model: &mut dyn Model) -> Result<(), Error> {
        let Some(batch) = self.batches.pop() else { return Ok(()) };
        let texts: Vec<&str> = batch.iter().map(|index| self.texts[*index].as_str()).collect();
        let vectors = model.embed(&texts, Role::Document)?;
        for (index, vector) in batch.into_iter().zip(vectors) {
            self.vectors[index] = vector;
        }
        Ok(())
    }

    fn embeddings(&self) -> Vec<Embedding> {
        let embedding =
            |place: &usize| self.readings[*place].embedding(self.vectors[*place].clone());
        self.places.iter().map(embedding).collect()
    }

    /// Answers; whoever went away meanwhile misses it.
    pub(super) fn finish(self, outcome: Result<Vec<Embedding>, Error>) {
        drop(self.answer.send(outcome));
    }
}

/// A call for the number of tokens of documents.
pub(super) struct Counts {
    texts: Vec<String>,
    tokens: Vec<usize>,
    answer: Answer<Vec<usize>>,
}

impl Counts {
    pub(super) fn new(texts: &[String], answer: Answer<Vec<usize>>) -> Self {
        Self { texts: texts.to_vec(), tokens: Vec::new(), answer }
    }

    /// Whether nobody waits for it any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }

    /// Cuts some texts into tokens.
    pub(super) fn step(&mut self, model: Result<&mut dyn Model, Error>) -> Progress<Vec<usize>> {
        let stepped = model.and_then(|model| {
            for text in self.texts.iter().skip(self.tokens.len()).take(READ_AT_A_TIME) {
                self.tokens.push(model.read(text, Role::Document)?.tokens);
            }
            Ok(())
        });
        match stepped {
            Err(error) => Progress::Done(Err(error)),
            Ok(()) if self.tokens.len() < self.texts.len() => Progress::More,
            Ok(()) => Progress::Done(Ok(std::mem::take(&mut self.tokens))),
        }
    }

    /// Answers; whoever went away meanwhile misses it.
    pub(super) fn finish(self, outcome: Result<Vec<usize>, Error>) {
        drop(self.answer.send(outcome));
    }
}
