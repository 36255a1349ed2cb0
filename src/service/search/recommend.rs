//! Recommendations: from a text, from liked and avoided examples, from a person's own history.

use std::collections::HashMap;
use std::time::Instant;

use uuid::Uuid;

use super::{
    Paging, as_limit, checked_filter, checked_query, checked_share, checked_similarity, pool,
    semantic_hit,
};
use crate::model::cursor::fingerprint;
use crate::model::hit::{
    Candidate, Example, ExamplePull, Hit, HitPage, RecommendStrategy, SearchInfo, SearchStrategy,
    Why, best_first,
};
use crate::model::{Filter, Kind, NodeId, Scope, Space, Viewer, limits};
use crate::rank::{mmr, recommend};
use crate::service::page::{Order, Page};
use crate::service::tiers::Tier;
use crate::service::{Error, Result, Services};
use crate::store::search::{Nearest, Reads};
use crate::store::{content, embedding};

/// Liked examples that propose candidates of their own under the best-score strategy.
const PROPOSERS: usize = 8;

/// A request for recommendations.
#[derive(Debug, Clone)]
pub struct RecommendInput {
    pub query: Option<String>,
    pub like: Vec<Example>,
    pub avoid: Vec<Example>,
    pub for_me: bool,
    pub kind: Kind,
    pub filter: Filter,
    pub strategy: RecommendStrategy,
    pub diversity: f64,
    pub min_similarity: Option<f64>,
    pub exclude_seen: bool,
    pub paging: Paging,
    pub space: Option<String>,
}

/// What a recommendation is steered by: vectors with their weights, and what they stand for.
struct Steering {
    names: Vec<Option<NodeId>>,
    examples: Vec<recommend::Weighted>,
    coefficients: Vec<f64>,
    strategy: RecommendStrategy,
}

/// Everything about a request that has been checked and looked up.
pub(super) struct Plan<'a> {
    pub(super) input: &'a RecommendInput,
    pub(super) scope: Scope,
    space: Space,
    tier: Tier,
    pub(super) page: Page,
    pub(super) exclude: Vec<Uuid>,
    started: Instant,
}

impl Services {
    /// Rows that suit what was asked for, best first, by the space of a tier.
    pub(super) async fn recommend_by(
        &self,
        viewer: Viewer,
        input: &RecommendInput,
        tier: Tier,
    ) -> Result<HitPage> {
        let plan = self.recommend_plan(viewer, input, tier).await?;
        let steering = self.steering(viewer, &plan).await?;
        if steering.examples.is_empty() {
            return self.without_steering(&plan).await;
        }
        let Some(direction) = recommend::direction(&steering.examples, &steering.coefficients)
        else {
            return Err(Error::invalid("avoid", "cancels `like` out: what is left points nowhere"));
        };
        let is_ranked_whole =
            input.diversity > 0.0 || input.strategy == RecommendStrategy::BestScore;
        if is_ranked_whole {
            self.recommend_from_pool(&plan, &steering, &direction).await
        } else {
            self.recommend_along(&plan, &steering, &direction).await
        }
    }

    async fn recommend_plan<'a>(
        &self,
        viewer: Viewer,
        input: &'a RecommendInput,
        tier: Tier,
    ) -> Result<Plan<'a>> {
        let started = Instant::now();
        let scope = self.reading(viewer)?;
        check(input)?;
        if (input.for_me || input.exclude_seen) && viewer.id().is_none() {
            return Err(Error::Unauthenticated);
        }
        let space = self.answering_space(input.kind, input.space.as_deref(), tier).await?;
        let arguments = RecommendInput { paging: Paging::default(), ..input.clone() };
        let print =
            fingerprint(&["recommend", &space.id.to_string(), &format!("{viewer:?}{arguments:?}")]);
        let default = i32::try_from(self.settings.default_recommendations).unwrap_or(i32::MAX);
        let first = input.paging.first.unwrap_or(default);
        let max = self.settings.max_recommendations;
        let page = Page::new(first, max, input.paging.after.as_deref(), print)?;
        let examples = input.like.iter().chain(&input.avoid);
        let mut exclude: Vec<Uuid> = examples.map(|example| example.id.id).collect();
        if input.exclude_seen {
            exclude.extend(self.seen(viewer, scope).await?);
        }
        Ok(Plan { input, scope, space, tier, page, exclude, started })
    }

    /// The vectors of everything that steers: the text, the examples, the person's history.
    async fn steering(&self, viewer: Viewer, plan: &Plan<'_>) -> Result<Steering> {
        let input = plan.input;
        let mut names = Vec::new();
        let mut examples = Vec::new();
        if let Some(text) = &input.query
            && let Some(vector) = self.query_vector(&plan.space, checked_query(text)?).await?
        {
            names.push(None);
            examples.push(recommend::Weighted { vector, weight: 1.0 });
        }
        let avoid =
            input.avoid.iter().map(|example| Example { weight: -example.weight, ..*example });
        let given: Vec<Example> = input.like.iter().copied().chain(avoid).collect();
        let vectors = self.example_vectors(plan, &given).await?;
        for (example, vector) in given.iter().zip(vectors) {
            names.push(Some(example.id));
            examples.push(recommend::Weighted { vector, weight: example.weight });
        }
        if input.for_me {
            let taste = self.taste(viewer, plan.scope, input.kind).await?;
            let ids: Vec<Uuid> = taste.iter().map(|example| example.id.id).collect();
            let found =
                embedding::vectors(&self.db, plan.scope, &plan.space, input.kind, &ids).await?;
            for example in taste {
                if let Some(vector) = found.get(&example.id.id) {
                    names.push(Some(example.id));
                    examples.push(recommend::Weighted {
                        vector: vector.clone(),
                        weight: example.weight,
                    });
                }
            }
        }
        let coefficients = recommend::coefficients(&examples, input.strategy);
        Ok(Steering { names, examples, coefficients, strategy: input.strategy })
    }

    /// The vectors of given examples, in order; an example that cannot be used is an error.
    async fn example_vectors(&self, plan: &Plan<'_>, given: &[Example]) -> Result<Vec<Vec<f32>>> {
        let mut found: HashMap<NodeId, Vec<f32>> = HashMap::new();
        for kind in Kind::ALL {
            let of_kind = given.iter().filter(|example| example.id.kind == kind);
            let ids: Vec<Uuid> = of_kind.map(|example| example.id.id).collect();
            if ids.is_empty() {
                continue;
            }
            let vectors = embedding::vectors(&self.db, plan.scope, &plan.space, kind, &ids).await?;
            found.extend(vectors.into_iter().map(|(id, vector)| (NodeId { kind, id }, vector)));
        }
        if let Some(missing) = given.iter().find(|example| !found.contains_key(&example.id)) {
            let id = missing.id;
            let there = content::by_ids(&self.db, plan.scope, &[id]).await?.contains_key(&id);
            return Err(if there {
                Error::invalid(
                    "like",
                    format!("names `{id}`, which is not embedded yet; try again in a moment"),
                )
            } else {
                Error::NotFound(format!("`{id}`"))
            });
        }
        Ok(given.iter().filter_map(|example| found.get(&example.id).cloned()).collect())
    }

    /// The rows nearest to one direction: the order of the average and of the sum.
    async fn recommend_along(
        &self,
        plan: &Plan<'_>,
        steering: &Steering,
        direction: &[f32],
    ) -> Result<HitPage> {
        let reads = plan.page.reads();
        let search = Nearest { reads, ..plan.nearest(direction, plan.page.reach()) };
        let (mut found, strategy) = self.nearest(plan.scope, &search).await?;
        plan.keep_similar(&mut found.candidates);
        let ranked = found.candidates.into_iter().enumerate();
        let hits = ranked.map(|(index, hit)| semantic_hit(index + 1, hit)).collect();
        let mut page = plan.page.cut(hits, Order::ByScore, plan.info(strategy));
        page.contents = found.contents;
        if steering.names != [None] {
            self.explain(plan, steering, &mut page.hits).await?;
        }
        Ok(page)
    }

    /// Says how much each example pulled each hit of a page.
    async fn explain(&self, plan: &Plan<'_>, steering: &Steering, hits: &mut [Hit]) -> Result<()> {
        let ids: Vec<Uuid> = hits.iter().map(|hit| hit.id.id).collect();
        let kind = plan.input.kind;
        let vectors = embedding::vectors(&self.db, plan.scope, &plan.space, kind, &ids).await?;
        for hit in hits {
            let Some(vector) = vectors.get(&hit.id.id) else { continue };
            let (score, pulls) = steering.score(vector);
            hit.why = Why { examples: pulls, ..Why::default() };
            hit.score = score;
        }
        Ok(())
    }

    /// Ranks a pool of candidates as a whole, for the best score and for diversity.
    async fn recommend_from_pool(
        &self,
        plan: &Plan<'_>,
        steering: &Steering,
        direction: &[f32],
    ) -> Result<HitPage> {
        let size = pool(plan.page.first);
        let mut proposers = vec![direction.to_vec()];
        if plan.input.strategy == RecommendStrategy::BestScore {
            let liked = steering.examples.iter().filter(|example| example.weight > 0.0);
            proposers.extend(liked.take(PROPOSERS).map(|example| example.vector.clone()));
        }
        let mut similarity: HashMap<Uuid, f64> = HashMap::new();
        let mut strategy = SearchStrategy::Exact;
        let mut complete = true;
        for proposer in &proposers {
            let (found, how) = self.nearest(plan.scope, &plan.nearest(proposer, size)).await?;
            let mut found = found.candidates;
            complete &= found.len() < size;
            plan.keep_similar(&mut found);
            if how == SearchStrategy::Hnsw {
                strategy = how;
            }
            for candidate in found {
                let best = similarity.entry(candidate.id.id).or_insert(f64::MIN);
                *best = best.max(candidate.score);
            }
        }
        let ids: Vec<Uuid> = similarity.keys().copied().collect();
        let kind = plan.input.kind;
        let vectors = embedding::vectors(&self.db, plan.scope, &plan.space, kind, &ids).await?;
        let hits = ranked_whole(plan.input, steering, &similarity, &vectors, size);
        let order = if plan.input.diversity > 0.0 { Order::AsPicked } else { Order::ByScore };
        let info = SearchInfo { complete, ..plan.info(strategy) };
        Ok(plan.page.cut(hits, order, info))
    }
}

impl Plan<'_> {
    fn nearest<'b>(&'b self, vector: &'b [f32], count: usize) -> Nearest<'b> {
        Nearest {
            space: &self.space,
            kind: self.input.kind,
            vector,
            filter: &self.input.filter,
            exclude: &self.exclude,
            limit: as_limit(count),
            reads: Reads::Ids,
        }
    }

    fn keep_similar(&self, found: &mut Vec<Candidate>) {
        if let Some(least) = self.input.min_similarity {
            found.retain(|candidate| candidate.score >= least);
        }
    }

    pub(super) fn info(&self, strategy: SearchStrategy) -> SearchInfo {
        SearchInfo {
            space: Some(self.space.name.clone()),
            strategy,
            complete: true,
            degraded: self.tier == Tier::StandIn,
            took_ms: self.started.elapsed().as_secs_f64() * 1_000.0,
        }
    }
}

impl Steering {
    fn score(&self, row: &[f32]) -> (f64, Vec<ExamplePull>) {
        let (score, pulls) =
            recommend::score(row, &self.examples, &self.coefficients, self.strategy);
        let named = self.names.iter().zip(&self.examples).zip(pulls);
        let pulls = named.map(|((name, example), pull)| ExamplePull {
            id: *name,
            weight: example.weight,
            similarity: pull.similarity,
            contribution: pull.contribution,
        });
        (score, pulls.collect())
    }
}

/// Scores the pool, orders it, and diversifies it where that was asked for.
fn ranked_whole(
    input: &RecommendInput,
    steering: &Steering,
    similarity: &HashMap<Uuid, f64>,
    vectors: &HashMap<Uuid, Vec<f32>>,
    count: usize,
) -> Vec<Hit> {
    let mut hits: Vec<Hit> = vectors
        .iter()
        .map(|(id, vector)| {
            let (score, examples) = steering.score(vector);
            Hit {
                id: NodeId { kind: input.kind, id: *id },
                score,
                similarity: similarity.get(id).copied(),
                text_score: None,
                highlights: Vec::new(),
                group_size: None,
                why: Why { examples, ..Why::default() },
            }
        })
        .collect();
    hits.sort_by(|a, b| best_first((a.score, a.id.id), (b.score, b.id.id)));
    if input.diversity == 0.0 {
        return hits;
    }
    let rows: Vec<mmr::Row<'_>> = hits
        .iter()
        .map(|hit| mmr::Row {
            score: hit.score,
            vector: vectors.get(&hit.id.id).map(Vec::as_slice),
        })
        .collect();
    let picks = mmr::diversify(&rows, input.diversity, count);
    picks
        .into_iter()
        .map(|pick| {
            let mut hit = hits[pick.index].clone();
            hit.score += pick.adjustment;
            hit.why.diversity = Some(pick.adjustment);
            hit
        })
        .collect()
}

fn check(input: &RecommendInput) -> Result<()> {
    checked_filter(&input.filter)?;
    checked_similarity(input.min_similarity)?;
    checked_share("diversity", input.diversity)?;
    if let Some(query) = &input.query {
        checked_query(query)?;
    }
    if input.query.is_none() && input.like.is_empty() && !input.for_me {
        let problem = "is missing: give a `query`, examples to `like`, or `forMe: true`";
        return Err(Error::invalid("query", problem));
    }
    let given = input.like.len() + input.avoid.len();
    if given > limits::EXAMPLES {
        let problem =
            format!("and `avoid` hold {given} examples; {} are allowed", limits::EXAMPLES);
        return Err(Error::invalid("like", problem));
    }
    for (field, examples) in [("like", &input.like), ("avoid", &input.avoid)] {
        if let Some(example) =
            examples.iter().find(|example| !(example.weight > 0.0 && example.weight <= 100.0))
        {
            let problem =
                format!("has the weight {}, which must be above 0 and at most 100", example.weight);
            return Err(Error::invalid(field, problem));
        }
    }
    Ok(())
}
