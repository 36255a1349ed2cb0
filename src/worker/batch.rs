//! One batch under its lease: embedded, split where a text spoils it, stored.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use uuid::Uuid;

use super::pauses::Away;
use crate::embed::{self, Embedder, Embedding};
use crate::model::{Kind, Scope, Space};
use crate::service::Services;
use crate::store::Error;
use crate::store::lease::{self, Claimed, Outcome, Target};

/// Waits after the first failure; it doubles with each further one.
const BACKOFF: Duration = Duration::from_secs(2);
const UNKNOWN_WORDS: &str = "the model knows no word of this text";

/// Tasks of one lane that are held under a lease.
pub(super) struct Held<'a> {
    pub services: &'a Services,
    pub space: &'a Space,
    pub kind: Kind,
    pub embedder: &'a Arc<dyn Embedder>,
    pub token: Uuid,
}

/// How the work on a batch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// Each task has its vector, or failed by its own fault.
    Done,
    /// The lease went to somebody else, and so did what is left of the work.
    Lost,
    /// The model cannot be used, whatever the text; what is left is to be given back.
    Away(Away),
}

/// A text with the tasks that it is the text of.
#[derive(Clone)]
struct Text<'a> {
    text: &'a str,
    tasks: Vec<&'a Claimed>,
}

/// What became of some texts that were embedded together.
enum Part {
    Stored,
    /// One of the texts, at least, cannot be embedded or stored.
    Spoiled(String),
    Ended(Ended),
}

impl Held<'_> {
    /// Embeds each text once. A batch that one text spoils is halved until that text is alone.
    pub(super) async fn embed(&self, claimed: &[Claimed]) -> Result<Ended, Error> {
        let mut parts = vec![unique(claimed)];
        while let Some(mut part) = parts.pop() {
            match self.embed_part(&part).await? {
                Part::Stored => {}
                Part::Ended(ended) => return Ok(ended),
                Part::Spoiled(_) if part.len() > 1 => {
                    let second = part.split_off(part.len() / 2);
                    parts.extend([second, part]);
                }
                Part::Spoiled(message) => {
                    let tasks = part.iter().flat_map(|text| text.tasks.iter().copied());
                    self.fail(&tasks.collect::<Vec<_>>(), &message, Retry::Later).await?;
                }
            }
        }
        Ok(Ended::Done)
    }

    async fn embed_part(&self, part: &[Text<'_>]) -> Result<Part, Error> {
        let texts = part.iter().map(|text| text.text.to_owned()).collect();
        let Some(outcome) = self.while_held(texts).await else {
            return Ok(Part::Ended(Ended::Lost));
        };
        let embeddings = match outcome.and_then(|found| checked(found, part.len(), self.space)) {
            Ok(embeddings) => embeddings,
            Err(error) if error.is_of_the_model() => {
                let (retry_after, is_lasting) = (error.retry_after(), !error.is_transient());
                let away = Away { why: error.to_string(), retry_after, is_lasting };
                return Ok(Part::Ended(Ended::Away(away)));
            }
            Err(error) => return Ok(Part::Spoiled(error.to_string())),
        };
        match self.store(part, &embeddings).await {
            Ok(()) => Ok(Part::Stored),
            Err(error) if error.is_transient() || error.is_timeout() => Err(error),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "Could not store vectors");
                Ok(Part::Spoiled("its vector could not be stored; the log says why".to_owned()))
            }
        }
    }

    /// Embeds texts and renews the lease meanwhile; `None` if the lease was lost.
    async fn while_held(&self, texts: Vec<String>) -> Option<Result<Vec<Embedding>, embed::Error>> {
        let (embedder, lease) = (self.embedder.clone(), self.services.queue_policy().lease);
        // In a task of its own: a text that makes the model panic is one that it cannot embed. Dropping
        // the set ends the task.
        let mut running = JoinSet::new();
        running.spawn(async move { embedder.embed_documents(&texts).await });
        loop {
            tokio::select! {
                ended = running.join_next() => {
                    return Some(match ended {
                        Some(Ok(outcome)) => outcome,
                        Some(Err(_)) | None => Err(embed::Error::Panicked),
                    });
                }
                () = tokio::time::sleep(lease / 3) => {
                    let until = self.services.clock().now() + lease;
                    let renewed = lease::renew(self.services.db(), Scope::system(), self.token, until);
                    match renewed.await {
                        Ok(true) => {}
                        Ok(false) => return None,
                        // Whether it is lost shows when the vectors are stored.
                        Err(error) => {
                            let error = &error as &dyn std::error::Error;
                            tracing::warn!(error, "Could not renew a lease");
                        }
                    }
                }
            }
        }
    }

    async fn store(&self, part: &[Text<'_>], embeddings: &[Embedding]) -> Result<(), Error> {
        let (mut done, mut unknown) = (Vec::with_capacity(part.len()), Vec::new());
        for (text, embedding) in part.iter().zip(embeddings) {
            match &embedding.vector {
                Some(vector) => {
                    done.extend(text.tasks.iter().map(|task| (*task, vector.as_slice())));
                }
                None => unknown.extend(text.tasks.iter().copied()),
            }
        }
        let (db, now) = (self.services.db(), self.services.clock().now());
        let target = Target { space: self.space, kind: self.kind, token: self.token };
        lease::complete(db, Scope::system(), target, &done, now).await?;
        if !unknown.is_empty() {
            self.fail(&unknown, UNKNOWN_WORDS, Retry::Never).await?;
        }
        Ok(())
    }

    async fn fail(&self, tasks: &[&Claimed], message: &str, retry: Retry) -> Result<(), Error> {
        tracing::warn!(
            space.name = %self.space.name,
            count = tasks.len(),
            "Could not embed {} texts: {message}",
            tasks.len()
        );
        let ids: Vec<Uuid> = tasks.iter().map(|task| task.id).collect();
        let attempts = tasks.iter().map(|task| task.attempts).max().unwrap_or(1);
        let doublings = u32::try_from(attempts - 1).unwrap_or(0).min(6);
        let outcome = match retry {
            Retry::Later => {
                Outcome::Retry(self.services.clock().now() + BACKOFF * 2_u32.pow(doublings))
            }
            Retry::Never => Outcome::GiveUp,
        };
        let db = self.services.db();
        lease::fail(db, Scope::system(), self.token, &ids, message, outcome).await
    }
}

/// Whether a text that failed may be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Retry {
    Later,
    Never,
}

/// Equal texts once, in the order of their first tasks.
fn unique(claimed: &[Claimed]) -> Vec<Text<'_>> {
    let mut texts: Vec<Text<'_>> = Vec::with_capacity(claimed.len());
    let mut places: HashMap<&[u8], usize> = HashMap::with_capacity(claimed.len());
    for task in claimed {
        let place = *places.entry(&task.source_hash).or_insert(texts.len());
        match texts.get_mut(place) {
            Some(text) => text.tasks.push(task),
            None => texts.push(Text { text: &task.text, tasks: vec![task] }),
        }
    }
    texts
}

/// One embedding for each text, each of the space's length.
fn checked(
    embeddings: Vec<Embedding>,
    expected: usize,
    space: &Space,
) -> Result<Vec<Embedding>, embed::Error> {
    if embeddings.len() != expected {
        return Err(embed::Error::Count { expected, actual: embeddings.len() });
    }
    let mut lengths = embeddings.iter().filter_map(|found| found.vector.as_ref().map(Vec::len));
    match lengths.find(|length| *length != space.dimensions) {
        Some(actual) => Err(embed::Error::Dimensions { expected: space.dimensions, actual }),
        None => Ok(embeddings),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(text: &str) -> Claimed {
        Claimed {
            id: Uuid::from_u128(1),
            content_id: Uuid::from_u128(2),
            text: text.to_owned(),
            source_hash: text.as_bytes().to_vec(),
            attempts: 1,
        }
    }

    #[test]
    fn a_text_that_stands_in_several_tasks_is_there_once() {
        let claimed = ["a", "b", "a", "c", "b", "a"].map(task);
        let found = unique(&claimed);
        let found: Vec<_> = found.iter().map(|text| (text.text, text.tasks.len())).collect();
        assert_eq!(found, [("a", 3), ("b", 2), ("c", 1)]);
    }
}
