//! What somebody waits for: the vectors of search texts.

use std::sync::Arc;

use super::{Model, Reading, Role};
use crate::embed::local::batch::{Limits, batches};
use crate::embed::local::work::Answer;
use crate::embed::{Embedding, Error};

/// A search text that somebody waits for.
pub(super) struct Query {
    pub(super) text: String,
    pub(super) answer: Answer<Embedding>,
}

/// Answers search texts that waited at the same time, in as few calls as the limits allow.
pub(super) fn answer(queries: Vec<Query>, model: Result<&mut dyn Model, Error>, limits: Limits) {
    let model = match model {
        Ok(model) => model,
        Err(error) => {
            let error = Arc::new(error);
            for query in queries {
                send(query.answer, Err(Error::Shared(error.clone())));
            }
            return;
        }
    };
    if limits.is_alone() {
        for query in queries {
            let embedded = model.embed_alone(&query.text, Role::Query);
            send(query.answer, embedded.map(|(reading, vector)| reading.embedding(vector)));
        }
        return;
    }
    answer_together(queries, model, limits);
}

fn answer_together(queries: Vec<Query>, model: &mut dyn Model, limits: Limits) {
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
    for batch in batches(&lengths, limits) {
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
