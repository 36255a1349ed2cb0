//! Results of searches.

use async_graphql::{ComplexObject, Context, Enum, ID, Object, SimpleObject};
use uuid::Uuid;

use super::chunk::Chunk;
use super::content::Content;
use super::facet::{Facet, FacetField};
use super::page_info::PageInfo;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::input::boost::{NumberField, TimeField};
use crate::model::boost::BoostField;
use crate::model::document::ChunkSlice;
use crate::model::hit::{self, HitPage, similarity_percent};
use crate::model::{self, NodeId, limits};
use crate::service::{Counted, Error};
use std::collections::HashMap;

/// How a list of results can be counted.
pub(in crate::graphql) struct Countable {
    pub kind: model::Kind,
    pub space: Option<String>,
    pub filter: model::Filter,
    pub exclude: Vec<NodeId>,
}

/// A page of results, best first.
pub(in crate::graphql) struct HitConnection {
    page: HitPage,
    contents: HashMap<NodeId, model::Content>,
    countable: Option<Countable>,
}

impl HitConnection {
    /// Loads the rows that the page does not bring along, in one statement. A row that vanished meanwhile is left out.
    pub(in crate::graphql) async fn load(
        ctx: &Context<'_>,
        mut page: HitPage,
        countable: Option<Countable>,
    ) -> Result<Self> {
        let mut contents = std::mem::take(&mut page.contents);
        let ids = page.hits.iter().map(|hit| hit.id);
        let missing: Vec<NodeId> = ids.filter(|id| !contents.contains_key(id)).collect();
        if !missing.is_empty() {
            contents.extend(ctx.services().contents(ctx.viewer(), &missing).await?);
        }
        let rows = page.hits.into_iter().zip(page.cursors);
        (page.hits, page.cursors) = rows.filter(|(hit, _)| contents.contains_key(&hit.id)).unzip();
        Ok(Self { page, contents, countable })
    }

    fn nodes(&self) -> impl Iterator<Item = Content> {
        self.page.hits.iter().filter_map(|hit| Some(self.contents.get(&hit.id)?.clone().into()))
    }
}

/// A page of results, best first.
#[Object]
impl HitConnection {
    /// The results with their scores.
    async fn edges(&self) -> Vec<HitEdge> {
        let rows = self.page.hits.iter().zip(&self.page.cursors).zip(self.nodes());
        rows.map(|((hit, cursor), node)| HitEdge::new(hit, cursor.clone(), node)).collect()
    }

    /// The results alone.
    #[graphql(name = "nodes")]
    async fn node_list(&self) -> Vec<Content> {
        self.nodes().collect()
    }

    /// Where the page stands in its list.
    async fn page_info(&self) -> PageInfo {
        PageInfo::new(self.page.has_next_page, self.page.has_previous_page, &self.page.cursors)
    }

    /// How many results there are.
    ///
    /// In a hybrid search: the results of all its pages, which are every match where `info.complete` is
    /// `true`, and the best of them where it is `false`. In other searches: the rows with a vector that
    /// pass the filter; `null` where that is not known, as under `minSimilarity` or `excludeSeen`.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<Option<i64>> {
        if let Some(ranked) = &self.page.ranked {
            return Ok(Some(i64::try_from(ranked.len()).unwrap_or(i64::MAX)));
        }
        let Some(countable) = &self.countable else { return Ok(None) };
        let exclude: Vec<_> = countable.exclude.iter().map(|id| id.id).collect();
        // Of the space that answered, also where another one has taken its place since.
        let space = self.page.info.space.as_deref().or(countable.space.as_deref());
        let (kind, filter) = (countable.kind, &countable.filter);
        let count = ctx.services().count_embedded(ctx.viewer(), kind, space, filter, &exclude);
        Ok(Some(count.await?))
    }

    /// How many of the rows that `totalCount` counts have each value of some fields: in a hybrid search
    /// the results of all its pages. `null` where `totalCount` is.
    async fn facets(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The fields whose values are counted, in this order.")] fields: Vec<
            FacetField,
        >,
        #[graphql(desc = "How many values of each field, from 1 to 100.", default = 20)] first: i32,
    ) -> Result<Option<Vec<Facet>>> {
        let exclude: Vec<_>;
        let rows = match (&self.page.ranked, &self.countable) {
            (Some(ranked), _) => Counted::Results(ranked),
            (None, Some(Countable { kind, space, filter, exclude: ids })) => {
                exclude = ids.iter().map(|id| id.id).collect();
                let space = self.page.info.space.as_deref().or(space.as_deref());
                Counted::Findable { kind: *kind, space, filter, exclude: &exclude }
            }
            (None, None) => return Ok(None),
        };
        let fields: Vec<_> = fields.into_iter().map(Into::into).collect();
        let facets = ctx.services().facets(ctx.viewer(), rows, &fields, first).await?;
        Ok(Some(facets.into_iter().map(Into::into).collect()))
    }

    /// How the search was answered.
    async fn info(&self) -> SearchInfo {
        let info = &self.page.info;
        SearchInfo {
            space: info.space.clone(),
            strategy: info.strategy.into(),
            complete: info.complete,
            degraded: info.degraded,
            took_ms: info.took_ms,
        }
    }
}

/// One result.
#[derive(SimpleObject)]
#[graphql(complex)]
pub(in crate::graphql) struct HitEdge {
    /// The place of this result: pass it as `after` to go on from here.
    cursor: String,
    /// The row that was found.
    node: Content,
    /// What the list is ordered by. Compare scores only within one list.
    score: f64,
    /// Cosine similarity, from -1 to 1; `null` where no vector was compared.
    similarity: Option<f64>,
    /// `(1 - distance / 2) * 100` to one decimal: 100 is the same, 50 unrelated.
    similarity_percent: Option<f64>,
    /// Cosine distance, from 0 (the same) to 2 (opposite).
    distance: Option<f64>,
    /// Score of the full-text search, from 0 up; `null` where it did not find the row.
    text_score: Option<f64>,
    /// Extracts of the text as HTML: found words in `<mark>`, everything else escaped.
    highlights: Vec<String>,
    /// How many ranked rows it stands for, itself included, under `groupByDocument`; `null` otherwise.
    group_size: Option<i32>,
    /// The parts of the score; they add up to it.
    why: Why,
    /// The document of a chunk, and its place there.
    #[graphql(skip)]
    place: Option<(Uuid, i32)>,
}

#[ComplexObject]
impl HitEdge {
    /// The chunks that stand beside a chunk in its document, in their order and without the chunk itself;
    /// none beside other kinds.
    async fn neighbors(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many of those before it, from 0 to 5.", default = 1)] before: i32,
        #[graphql(desc = "How many of those behind it, from 0 to 5.", default = 1)] after: i32,
    ) -> Result<Vec<Chunk>> {
        let (before, after) = (beside("before", before)?, beside("after", after)?);
        let Some((document_id, position)) = self.place else { return Ok(Vec::new()) };
        let first = (position - before).max(0);
        let limit = i64::from(position - first + 1 + after);
        let slice = ChunkSlice { document_id, after: Some(first - 1), limit };
        let found = ctx.request().documents.load_one(slice).await?;
        let chunks = found.unwrap_or_default().into_iter().filter_map(Chunk::of);
        Ok(chunks.filter(|chunk| chunk.position != position).collect())
    }
}

/// Checks a number of neighbors.
fn beside(field: &'static str, count: i32) -> Result<i32> {
    let most = limits::NEIGHBORS;
    if (0..=most).contains(&count) {
        return Ok(count);
    }
    let problem = format!("must be between 0 and {most}, but is {count}");
    Err(Error::invalid(field, problem).into())
}

impl HitEdge {
    fn new(hit: &hit::Hit, cursor: String, node: Content) -> Self {
        let place = match &node {
            Content::Chunk(chunk) => Some((chunk.document_id, chunk.position)),
            Content::Song(_) | Content::Document(_) => None,
        };
        Self {
            cursor,
            node,
            score: hit.score,
            similarity: hit.similarity,
            similarity_percent: hit.similarity.map(similarity_percent),
            distance: hit.similarity.map(|similarity| 1.0 - similarity),
            text_score: hit.text_score,
            highlights: hit.highlights.clone(),
            group_size: hit.group_size.map(|size| i32::try_from(size).unwrap_or(i32::MAX)),
            why: Why::from(&hit.why),
            place,
        }
    }
}

/// The parts of a score. The contributions add up to the score.
#[derive(SimpleObject)]
pub(in crate::graphql) struct Why {
    /// What meaning gave: nearness of vectors.
    semantic: Option<WhyPart>,
    /// What full text gave: words in common.
    text: Option<WhyPart>,
    /// What the query text and each example gave to a recommendation.
    examples: Vec<WhyExample>,
    /// What re-ranking changed; `null` where the cross-encoder did not read the result.
    rerank: Option<WhyRerank>,
    /// What each boost gave, in the order in which they were asked for.
    boosts: Vec<WhyBoost>,
    /// What `diversity` took away because better results are alike; 0 or less.
    diversity: Option<f64>,
}

/// What one leg of a search gave to a score.
#[derive(SimpleObject)]
pub(in crate::graphql) struct WhyPart {
    /// Place in the leg's own list, from 1; `null` where the list does not reach the row, but its score
    /// is known.
    rank: Option<i32>,
    /// Share of the leg, from 0 to 1.
    weight: f64,
    /// The leg's own score: cosine similarity, or the score of full text.
    value: f64,
    /// What the leg added to the score.
    contribution: f64,
}

/// What a cross-encoder changed of a score.
#[derive(SimpleObject)]
pub(in crate::graphql) struct WhyRerank {
    /// Place by the cross-encoder, from 1.
    rank: i32,
    /// What the cross-encoder says, from 0 (no answer) to 1.
    value: f64,
    /// What it added to the score, or took away.
    contribution: f64,
}

/// What one boost gave to a score.
#[derive(SimpleObject)]
pub(in crate::graphql) struct WhyBoost {
    /// The time that it looks at, under `recency`.
    time: Option<TimeField>,
    /// The number that it looks at, under `number`.
    number: Option<NumberField>,
    /// The weight that was asked for.
    weight: f64,
    /// How much of the boost the result gets, from 0 to 1; `null` where it has no such field.
    value: Option<f64>,
    /// What it added to the score: `weight * value` of the best score of the list before boosts.
    contribution: f64,
}

/// What one example gave to a score.
#[derive(SimpleObject)]
pub(in crate::graphql) struct WhyExample {
    /// Id of the example; `null` is the query text.
    id: Option<ID>,
    /// Weight of the example; negative where it was to be avoided.
    weight: f64,
    /// Cosine similarity of the result and the example.
    similarity: f64,
    /// What the example added to the score.
    contribution: f64,
}

impl From<&hit::Why> for Why {
    fn from(why: &hit::Why) -> Self {
        let part = |part: hit::Part| WhyPart {
            rank: part.rank.map(|rank| i32::try_from(rank).unwrap_or(i32::MAX)),
            weight: part.weight,
            value: part.value,
            contribution: part.contribution,
        };
        let rerank = |part: hit::RerankPart| WhyRerank {
            rank: i32::try_from(part.rank).unwrap_or(i32::MAX),
            value: part.value,
            contribution: part.contribution,
        };
        let example = |pull: &hit::ExamplePull| WhyExample {
            id: pull.id.map(|id| id.to_string().into()),
            weight: pull.weight,
            similarity: pull.similarity,
            contribution: pull.contribution,
        };
        Self {
            semantic: why.semantic.map(part),
            text: why.text.map(part),
            examples: why.examples.iter().map(example).collect(),
            rerank: why.rerank.map(rerank),
            boosts: why.boosts.iter().map(Into::into).collect(),
            diversity: why.diversity,
        }
    }
}

impl From<&hit::BoostPart> for WhyBoost {
    fn from(part: &hit::BoostPart) -> Self {
        let (time, number) = match part.field {
            BoostField::Time(field) => (Some(field.into()), None),
            BoostField::Number(field) => (None, Some(field.into())),
        };
        let (weight, value, contribution) = (part.weight, part.value, part.contribution);
        Self { time, number, weight, value, contribution }
    }
}

/// How a search was answered.
#[derive(SimpleObject)]
pub(in crate::graphql) struct SearchInfo {
    /// Name of the space whose vectors were compared; `null` where none were.
    space: Option<String>,
    /// How the vectors were searched.
    strategy: SearchStrategy,
    /// Whether nothing that matches was left out of the ranking.
    complete: bool,
    /// Whether a part of the search was left out because something is away or not ready, or the
    /// bundled model answered because the usual one is away.
    degraded: bool,
    /// Milliseconds the search took in the server.
    took_ms: f64,
}

/// How vectors were searched.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "hit::SearchStrategy")]
pub(in crate::graphql) enum SearchStrategy {
    /// Every matching vector was compared.
    Exact,
    /// An HNSW index proposed candidates, which were compared in full precision.
    Hnsw,
    /// Full text alone answered.
    FullText,
    /// Nothing is known of the person yet: popular content.
    ColdStart,
}

/// How several examples become one order.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "hit::RecommendStrategy")]
pub(in crate::graphql) enum RecommendStrategy {
    /// Nearness to the mean of the examples, away from the mean of what is avoided.
    Average,
    /// Nearness to the best liked example, unless an avoided one is nearer.
    BestScore,
    /// Sum of the weighted similarities to all examples.
    Sum,
}

/// How the lists of full text and meaning become one.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "hit::Fusion")]
pub(in crate::graphql) enum Fusion {
    /// By place alone: the sum of `1 / (60 + rank)`.
    ReciprocalRank,
    /// By score, each list divided by its best.
    Weighted,
    /// By score, each list stretched from 0 (its worst, or no word in common) to 1 (its best).
    RelativeScore,
}
