//! How well a model's similarities follow people's judgement.

use crate::embed::Embedder;
use crate::rank::correlation::{pearson, spearman};
use crate::rank::mmr::dot;
use crate::service::{Error, Result};

/// Two texts and how similar people find them, on any scale.
#[derive(Debug, Clone, PartialEq)]
pub struct StsPair {
    pub first: String,
    pub second: String,
    pub score: f64,
}

/// How well cosine similarities follow the scores of people.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StsReport {
    pub pairs: usize,
    /// Spearman's rank correlation, from -1 to 1.
    pub spearman: f64,
    /// Pearson's correlation, from -1 to 1.
    pub pearson: f64,
    /// Pairs with a text that the model knows no word of; their similarity counts as 0.
    pub unknown: usize,
    /// Texts that were longer than the model reads.
    pub truncated: usize,
}

/// Compares a model with people, as the STS benchmark does (Cer et al. 2017).
///
/// `on_progress` is told how many pairs are done. An error where the correlation is not defined: fewer
/// than two pairs, or scores that are all equal.
pub async fn sts(
    embedder: &dyn Embedder,
    pairs: &[StsPair],
    on_progress: impl Fn(usize),
) -> Result<StsReport> {
    let mut similarities = Vec::with_capacity(pairs.len());
    let (mut unknown, mut truncated) = (0, 0);
    for batch in pairs.chunks(embedder.description().batch.max(1)) {
        let both = batch.iter().flat_map(|pair| [pair.first.clone(), pair.second.clone()]);
        let embeddings = embedder.embed_documents(&both.collect::<Vec<_>>()).await?;
        truncated += embeddings.iter().filter(|embedding| embedding.is_truncated).count();
        for pair in embeddings.chunks_exact(2) {
            match (&pair[0].vector, &pair[1].vector) {
                (Some(first), Some(second)) => similarities.push(dot(first, second)),
                (None, _) | (_, None) => {
                    unknown += 1;
                    similarities.push(0.0);
                }
            }
        }
        on_progress(similarities.len());
    }
    let scores: Vec<f64> = pairs.iter().map(|pair| pair.score).collect();
    let undefined =
        || Error::invalid("pairs", "need at least two different scores and two similarities");
    Ok(StsReport {
        pairs: pairs.len(),
        spearman: spearman(&similarities, &scores).ok_or_else(undefined)?,
        pearson: pearson(&similarities, &scores).ok_or_else(undefined)?,
        unknown,
        truncated,
    })
}
