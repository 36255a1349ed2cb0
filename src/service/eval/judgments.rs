//! Judgements that administrators record, and how good searches are by them.

use std::collections::HashMap;

use super::retrieval::{Evaluation, Searched, TestQuery, no_kinds};
use crate::model::cursor::fingerprint;
use crate::model::judgment::{Judgment, MAX_GRADE};
use crate::model::{Cursor, Kind, NodeId, Viewer, limits};
use crate::service::page::Page;
use crate::service::search::checked_query;
use crate::service::{Error, Result, Services};
use crate::store::{content, judgment};

/// Which searches are measured.
#[derive(Debug, Clone)]
pub struct EvaluateInput {
    pub kinds: Vec<Kind>,
    /// The default is the space that answers for the kinds.
    pub space: Option<String>,
    /// How many results the gain looks at, from 1 to 100.
    pub k: i32,
    /// How many judged queries are run at most, from 1 to 200.
    pub queries: i32,
}

/// A page of judgements.
#[derive(Debug, Clone)]
pub struct JudgmentPage {
    pub judgments: Vec<Judgment>,
    pub cursors: Vec<String>,
    pub has_next_page: bool,
    pub has_previous_page: bool,
}

impl Services {
    /// Writes down how well a row answers a query, from 0 (no answer) to 10. Another judgement of the same
    /// query and row is replaced.
    pub async fn record_judgment(
        &self,
        viewer: Viewer,
        query: &str,
        id: NodeId,
        grade: i32,
    ) -> Result<Judgment> {
        let scope = self.administering(viewer)?;
        let query = checked_query(query)?.to_owned();
        if !(0..=MAX_GRADE).contains(&grade) {
            let problem = format!("must be between 0 and {MAX_GRADE}, but is {grade}");
            return Err(Error::invalid("grade", problem));
        }
        if !content::by_ids(&self.db, scope, &[id]).await?.contains_key(&id) {
            return Err(Error::NotFound(format!("`{id}`")));
        }
        let judgment = Judgment { query, id, grade, judged_at: self.clock.now() };
        judgment::record(&self.db, scope, &judgment).await?;
        Ok(judgment)
    }

    /// Takes a judgement back. Returns whether there was one.
    pub async fn remove_judgment(&self, viewer: Viewer, query: &str, id: NodeId) -> Result<bool> {
        let scope = self.administering(viewer)?;
        let query = checked_query(query)?;
        Ok(judgment::remove(&self.db, scope, query, id.id).await?)
    }

    /// A page of the judgements, latest first, of all queries or of one.
    pub async fn judgments(
        &self,
        viewer: Viewer,
        query: Option<&str>,
        first: i32,
        after: Option<&str>,
    ) -> Result<JudgmentPage> {
        let scope = self.administering(viewer)?;
        let query = query.map(checked_query).transpose()?;
        let print = fingerprint(&["judgments", &format!("{viewer:?}{query:?}")]);
        let page = Page::new(first, limits::LIST_FIRST, after, print)?;
        let after = page.after.map(|cursor| (judged_at(&cursor), cursor.id));
        let wanted = judgment::Page {
            query,
            after,
            limit: i64::try_from(page.first + 1).unwrap_or(i64::MAX),
        };
        let mut judgments = judgment::page(&self.db, scope, &wanted).await?;
        let has_next_page = judgments.len() > page.first;
        judgments.truncate(page.first);
        let cursors = judgments.iter().enumerate().map(|(index, judgment)| {
            let position = u32::try_from(page.position() + index + 1).unwrap_or(u32::MAX);
            let at = moment(judgment);
            Cursor { fingerprint: print, position, score: at, id: judgment.id.id }.encode()
        });
        let cursors = cursors.collect();
        let has_previous_page = page.after.is_some();
        Ok(JudgmentPage { judgments, cursors, has_next_page, has_previous_page })
    }

    /// How good the searches of every mode are by what was judged.
    pub async fn evaluate(&self, viewer: Viewer, input: &EvaluateInput) -> Result<Evaluation> {
        let scope = self.administering(viewer)?;
        let k = checked_count("k", input.k, limits::SEARCH_FIRST)?;
        let most = checked_count("queries", input.queries, limits::EVALUATED_QUERIES)?;
        if input.kinds.is_empty() {
            return Err(no_kinds());
        }
        let mut judged = input.kinds.clone();
        // Parts of documents are searched, and whole documents are judged.
        if judged.contains(&Kind::Chunk) {
            judged.push(Kind::Document);
        }
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let judgments = judgment::of_queries(&self.db, scope, &judged, most).await?;
        let queries = by_query(judgments);
        if queries.is_empty() {
            let problem = "have no judgements; record some with `recordJudgment`";
            return Err(Error::invalid("kinds", problem));
        }
        let searched = Searched { kinds: input.kinds.clone(), space: input.space.clone(), k };
        self.evaluate_queries(viewer, &queries, &searched, |_| {}).await
    }
}

/// Judgements that stand in the order of their queries.
fn by_query(judgments: Vec<Judgment>) -> Vec<TestQuery> {
    let mut queries: Vec<TestQuery> = Vec::new();
    for judgment in judgments {
        let grade = u32::try_from(judgment.grade).unwrap_or(0);
        match queries.last_mut() {
            Some(last) if last.text == judgment.query => {
                last.grades.insert(judgment.id, grade);
            }
            Some(_) | None => queries.push(TestQuery {
                text: judgment.query,
                grades: HashMap::from([(judgment.id, grade)]),
            }),
        }
    }
    queries
}

fn checked_count(field: &'static str, count: i32, most: usize) -> Result<usize> {
    match usize::try_from(count) {
        Ok(count) if (1..=most).contains(&count) => Ok(count),
        Ok(_) | Err(_) => {
            let problem = format!("must be between 1 and {most}, but is {count}");
            Err(Error::invalid(field, problem))
        }
    }
}

/// When it was judged, in microseconds: those of this millennium are exact as a float.
#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds since 1970 stay below 2^53 until 2255"
)]
fn moment(judgment: &Judgment) -> f64 {
    judgment.judged_at.timestamp_micros() as f64
}

#[expect(clippy::cast_possible_truncation, reason = "what is out of range saturates")]
fn judged_at(cursor: &Cursor) -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp_micros(cursor.score as i64).unwrap_or_default()
}
