//! How good searches are, by rows that people judged.

use std::collections::HashMap;

use crate::model::hit::{Fusion, HitPage};
use crate::model::{Content, Detail, Filter, Kind, NodeId, Viewer, limits};
use crate::rank::metrics::{Graded, Metrics, RECALL_DEPTH};
use crate::service::search::{Highlights, ranking_of};
use crate::service::{Error, HybridInput, Paging, Result, Services};

/// A query with the grades of rows; where parts of documents are searched, of documents too.
#[derive(Debug, Clone)]
pub struct TestQuery {
    pub text: String,
    /// Rows that are not in it are no answers.
    pub grades: HashMap<NodeId, u32>,
}

/// What is searched, and how deep the gain looks.
#[derive(Debug, Clone)]
pub struct Searched {
    pub kinds: Vec<Kind>,
    /// The default is the space that answers for the kinds.
    pub space: Option<String>,
    pub k: usize,
}

/// A way to search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Words alone.
    Text,
    /// Meaning alone.
    Vectors,
    /// Both, with the space's own share of meaning.
    Hybrid(Fusion),
}

impl Mode {
    /// Every mode.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Text, Self::Vectors].into_iter().chain(Fusion::ALL.map(Self::Hybrid))
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Vectors => "vectors",
            Self::Hybrid(Fusion::ReciprocalRank) => "hybrid_reciprocal_rank",
            Self::Hybrid(Fusion::Weighted) => "hybrid_weighted",
            Self::Hybrid(Fusion::RelativeScore) => "hybrid_relative_score",
        }
    }

    pub fn fusion(self) -> Option<Fusion> {
        match self {
            Self::Text | Self::Vectors => None,
            Self::Hybrid(fusion) => Some(fusion),
        }
    }
}

/// How good the searches of one mode are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluated {
    pub mode: Mode,
    /// Share of meaning, from 0 to 1.
    pub semantic_ratio: f64,
    /// Whether a search that says nothing of fusion and ratio is answered so.
    pub is_default: bool,
    pub metrics: Metrics,
}

/// How good the searches of every mode are.
#[derive(Debug, Clone)]
pub struct Evaluation {
    pub space: String,
    pub k: usize,
    pub queries: usize,
    pub judgments: usize,
    /// Queries that were longer than a search may be, and were cut.
    pub cut: usize,
    pub modes: Vec<Evaluated>,
}

impl Services {
    /// Searches for every query in every mode, as `hybridSearch` does, and compares what is found with the
    /// grades. `on_progress` is told how many of the [`searches`] are done.
    ///
    /// An error where the model is away: what words alone find would be taken for the work of both.
    pub async fn evaluate_queries(
        &self,
        viewer: Viewer,
        queries: &[TestQuery],
        searched: &Searched,
        on_progress: impl Fn(usize),
    ) -> Result<Evaluation> {
        let kind = *searched.kinds.first().ok_or_else(no_kinds)?;
        let space = self.space_for(kind, searched.space.as_deref()).await?;
        let ranking = ranking_of(&space);
        let mut modes: Vec<(Mode, Vec<Metrics>)> =
            Mode::all().map(|mode| (mode, Vec::with_capacity(queries.len()))).collect();
        let mut done = 0;
        let mut cut = 0;
        for query in queries {
            let text = plain(&query.text);
            cut += usize::from(text.is_cut);
            for (mode, metrics) in &mut modes {
                let found = self.search_in(viewer, &text.words, *mode, query, searched).await?;
                metrics.push(Graded::new(found, &query.grades).metrics(searched.k));
                done += 1;
                on_progress(done);
            }
        }
        let evaluated = |(mode, metrics): (Mode, Vec<Metrics>)| Evaluated {
            mode,
            semantic_ratio: match mode {
                Mode::Text => 0.0,
                Mode::Vectors => 1.0,
                Mode::Hybrid(_) => ranking.ratio,
            },
            is_default: mode == Mode::Hybrid(ranking.fusion),
            metrics: Metrics::mean(&metrics),
        };
        Ok(Evaluation {
            space: space.name,
            k: searched.k,
            queries: queries.len(),
            judgments: queries.iter().map(|query| query.grades.len()).sum(),
            cut,
            modes: modes.into_iter().map(evaluated).collect(),
        })
    }

    /// The rows that a search finds, best first, called by the names by which they were judged.
    async fn search_in(
        &self,
        viewer: Viewer,
        text: &str,
        mode: Mode,
        query: &TestQuery,
        searched: &Searched,
    ) -> Result<Vec<NodeId>> {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let is_of_parts = query.grades.keys().any(|id| id.kind == Kind::Chunk);
        let input = HybridInput {
            query: text.to_owned(),
            kinds: searched.kinds.clone(),
            filter: Filter::none(),
            semantic_ratio: match mode {
                Mode::Text => Some(0.0),
                Mode::Vectors => Some(1.0),
                Mode::Hybrid(_) => None,
            },
            fusion: mode.fusion(),
            group_by_document: searched.kinds.contains(&Kind::Chunk) && !is_of_parts,
            min_similarity: None,
            autocut: None,
            rerank: None,
            boosts: Vec::new(),
            diversity: 0.0,
            paging: Paging { first: i32::try_from(RECALL_DEPTH).ok(), after: None },
            space: searched.space.clone(),
            highlights: Highlights::Unwanted,
        };
        let page = self.hybrid_search(viewer, &input).await?;
        if page.info.degraded {
            return Err(Error::invalid(
                "space",
                "has a model that does not answer, so its searches cannot be measured; try again in a minute",
            ));
        }
        Ok(judged_names(&page, &query.grades))
    }
}

/// How many searches [`Services::evaluate_queries`] makes.
pub fn searches(queries: usize) -> usize {
    queries * Mode::all().count()
}

pub(super) fn no_kinds() -> Error {
    Error::invalid("kinds", "is empty; name at least one kind")
}

/// A hit is what was judged: the part itself, or the document that it is of.
fn judged_names(page: &HitPage, grades: &HashMap<NodeId, u32>) -> Vec<NodeId> {
    let name = |id: NodeId| match page.contents.get(&id).and_then(document_of) {
        Some(document) if !grades.contains_key(&id) => document,
        Some(_) | None => id,
    };
    page.hits.iter().map(|hit| name(hit.id)).collect()
}

fn document_of(content: &Content) -> Option<NodeId> {
    match &content.detail {
        Detail::Chunk(chunk) => Some(NodeId { kind: Kind::Document, id: chunk.document_id }),
        Detail::Song(_) | Detail::Document(_) => None,
    }
}

/// A query of a test collection as a search text.
struct Plain {
    words: String,
    is_cut: bool,
}

/// Takes a text as the plain words it is: quotes, minus signs and stars are no operators in it, and what is
/// longer than a search may be is cut after a word.
fn plain(text: &str) -> Plain {
    let text = text.replace(['"', '\0'], " ");
    let bare =
        |word: &'_ str| -> String { word.trim_start_matches('-').trim_end_matches('*').to_owned() };
    let mut plain = Plain { words: String::new(), is_cut: false };
    let mut chars = 0;
    for word in text.split_whitespace().map(bare).filter(|word| !word.is_empty()) {
        chars += word.chars().count() + usize::from(chars > 0);
        if chars > limits::QUERY_CHARS {
            plain.is_cut = true;
            break;
        }
        if !plain.words.is_empty() {
            plain.words.push(' ');
        }
        plain.words.push_str(&word);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_collection_is_no_operator() {
        let plain = plain("  the \"Rand report\" -- on high -speed flow*  ");
        assert_eq!(plain.words, "the Rand report on high speed flow");
        assert!(!plain.is_cut);
    }

    #[test]
    fn a_long_query_is_cut_after_a_word() {
        let text = "word ".repeat(limits::QUERY_CHARS);
        let plain = plain(&text);
        assert!(plain.is_cut && plain.words.ends_with("word"));
        assert!(plain.words.chars().count() <= limits::QUERY_CHARS);
    }

    #[test]
    fn every_mode_has_a_name_of_its_own() {
        let names: std::collections::HashSet<_> = Mode::all().map(Mode::as_str).collect();
        assert_eq!(names.len(), Mode::all().count());
    }
}
