//! Vectors against a second implementation, and against people's judgement.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use kindred::embed::Embedder;
use kindred::rank::correlation::spearman;
use serde::Deserialize;

use super::{int8, prepared, whole};

/// A text with the vector of the second implementation; none where no token says anything.
#[derive(Deserialize)]
struct Reference {
    text: String,
    tokens: usize,
    vector: Option<Vec<f32>>,
}

fn references() -> Vec<Reference> {
    let (folder, _) = prepared().expect("whoever has the model has the folder");
    let lines = fs::read_to_string(folder.join("reference.jsonl")).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

async fn assert_near_reference(embedder: Arc<dyn Embedder>, least: f32) {
    let references = references();
    let texts: Vec<String> = references.iter().map(|row| row.text.clone()).collect();
    let counts = embedder.count_tokens(&texts).await.unwrap();
    let embeddings = embedder.embed_documents(&texts).await.unwrap();
    let mut compared = 0;
    for ((row, embedding), count) in references.iter().zip(&embeddings).zip(counts) {
        let text = &row.text;
        assert_eq!(count, row.tokens, "{text:?}");
        assert_eq!(embedding.is_truncated, row.tokens > 256, "{text:?}");
        assert_eq!(embedding.vector.is_some(), row.vector.is_some(), "{text:?}");
        if let (Some(actual), Some(expected)) = (&embedding.vector, &row.vector) {
            let cosine = cosine(actual, expected);
            assert!(cosine > least, "{text:?}: {cosine}");
            compared += 1;
        }
    }
    assert!(compared >= 30, "only {compared} texts were compared");
    assert!(references.iter().any(|row| row.tokens > 256), "a text is longer than the model reads");
}

#[tokio::test]
async fn whole_vectors_are_those_of_a_second_implementation() {
    if let Some(embedder) = whole() {
        assert_near_reference(embedder, 0.999).await;
    }
}

#[tokio::test]
async fn int8_vectors_are_near_those_of_a_second_implementation() {
    if let Some(embedder) = int8() {
        assert_near_reference(embedder, 0.98).await;
    }
}

/// Pairs of sentences with a score from 0 to 5, or `None`, saying so.
fn judged_pairs() -> Option<Vec<(String, String, f64)>> {
    let folder = std::env::var_os("KINDRED_TEST_DATA").map(PathBuf::from);
    let file =
        folder.map(|folder| folder.join("sts/stsb-en-dev.csv")).filter(|file| file.is_file());
    let Some(file) = file else {
        eprintln!("skipped: KINDRED_TEST_DATA names no folder with sts/stsb-en-dev.csv");
        return None;
    };
    let mut rows = csv::ReaderBuilder::new().has_headers(false).from_path(file).unwrap();
    Some(rows.deserialize().map(Result::unwrap).collect())
}

async fn spearman_of(embedder: Arc<dyn Embedder>, pairs: &[(String, String, f64)]) -> f64 {
    let texts: Vec<String> = pairs.iter().flat_map(|(a, b, _)| [a.clone(), b.clone()]).collect();
    let embeddings = embedder.embed_documents(&texts).await.unwrap();
    let similarities: Vec<f64> = embeddings
        .chunks(2)
        .map(|pair| match (&pair[0].vector, &pair[1].vector) {
            (Some(a), Some(b)) => f64::from(cosine(a, b)),
            (Some(_) | None, _) => 0.0,
        })
        .collect();
    let scores: Vec<f64> = pairs.iter().map(|(_, _, score)| *score).collect();
    spearman(&similarities, &scores).unwrap()
}

#[tokio::test]
async fn similarity_is_what_people_call_similar() {
    for (embedder, name) in [(whole(), "whole"), (int8(), "int8")] {
        if let (Some(embedder), Some(pairs)) = (embedder, judged_pairs()) {
            let rho = spearman_of(embedder, &pairs).await;
            eprintln!("STS-B dev, {name}: Spearman {rho:.4} over {} pairs", pairs.len());
            assert!(rho >= 0.80, "{name}: {rho}");
        }
    }
}
