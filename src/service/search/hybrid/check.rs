//! What a request may say.

use super::HybridInput;
use crate::model::boost::Boost;
use crate::model::limits;
use crate::model::text_query::TextQuery;
use crate::service::search::{checked_filter, checked_query, checked_share, checked_similarity};
use crate::service::{Error, Result};

/// Checks everything that can be checked without looking anything up, and reads the search text.
pub(super) fn checked(input: &HybridInput) -> Result<TextQuery> {
    let query = TextQuery::parse(checked_query(&input.query)?);
    checked_filter(&input.filter)?;
    checked_similarity(input.min_similarity)?;
    if let Some(ratio) = input.semantic_ratio {
        checked_share("semanticRatio", ratio)?;
    }
    checked_share("diversity", input.diversity)?;
    checked_autocut(input.autocut)?;
    checked_boosts(&input.boosts)?;
    Ok(query)
}

/// `minSimilarity` compares vectors, which words alone do without.
pub(super) fn has_leg_for_similarity(input: &HybridInput, ratio: f64) -> Result<()> {
    if ratio > 0.0 || input.min_similarity.is_none() {
        return Ok(());
    }
    let problem = "needs a `semanticRatio` above 0: words alone compare no vectors";
    Err(Error::invalid("minSimilarity", problem))
}

/// A cross-encoder is there only where the operator names one.
pub(super) fn has_reranker(input: &HybridInput, is_there: bool) -> Result<()> {
    let Some(top) = input.rerank else { return Ok(()) };
    let most = limits::RERANKED;
    if !usize::try_from(top).is_ok_and(|top| (1..=most).contains(&top)) {
        let problem = format!("reads the first {top} results; `top` must be between 1 and {most}");
        return Err(Error::invalid("rerank", problem));
    }
    if is_there {
        return Ok(());
    }
    let problem = "is not available: this server has no cross-encoder; set `RERANK_MODEL` or \
        `RERANK_MODEL_DIR`";
    Err(Error::invalid("rerank", problem))
}

fn checked_autocut(drops: Option<i32>) -> Result<()> {
    let most = limits::AUTOCUT;
    match drops {
        Some(drops) if !usize::try_from(drops).is_ok_and(|drops| (1..=most).contains(&drops)) => {
            let problem = format!("must be between 1 and {most}, but is {drops}");
            Err(Error::invalid("autocut", problem))
        }
        Some(_) | None => Ok(()),
    }
}

fn checked_boosts(boosts: &[Boost]) -> Result<()> {
    if boosts.len() > limits::BOOSTS {
        let problem = format!("holds {} boosts; {} are allowed", boosts.len(), limits::BOOSTS);
        return Err(Error::invalid("boosts", problem));
    }
    for boost in boosts {
        let weight = boost.weight();
        if !(-1.0..=1.0).contains(&weight) {
            let problem = format!("has the weight {weight}, which must be between -1 and 1");
            return Err(Error::invalid("boosts", problem));
        }
        match boost {
            Boost::Recency { half_life_days, .. }
                if !(0.01..=36_500.0).contains(half_life_days) =>
            {
                let problem = format!(
                    "has a half-life of {half_life_days} days, which must be between 0.01 and 36500"
                );
                return Err(Error::invalid("boosts", problem));
            }
            Boost::Recency { .. } | Boost::Number { .. } => {}
        }
    }
    Ok(())
}
