//! How good searches are, as a table.

use crate::cli::{CliError, output};
use crate::model::hit::Fusion;

/// One line of the table.
pub(super) struct Line {
    pub fusion: Option<Fusion>,
    /// From 0 (words alone) to 1 (meaning alone).
    pub semantic_ratio: f64,
    pub is_default: bool,
    /// nDCG, MAP, MRR and recall.
    pub figures: [f64; 4],
}

/// Prints a line for each mode; `k` is how many results nDCG looked at.
pub(super) fn print(k: usize, lines: impl Iterator<Item = Line>) -> Result<(), CliError> {
    let gain = format!("nDCG@{k}");
    output::text(&format!(
        "{:30} {gain:>8} {:>8} {:>8} {:>10}",
        "mode", "MAP", "MRR", "recall@100"
    ))?;
    for line in lines {
        let [ndcg, map, mrr, recall] = line.figures;
        let title = title(&line);
        output::text(&format!("{title:30} {ndcg:8.4} {map:8.4} {mrr:8.4} {recall:10.4}"))?;
    }
    Ok(())
}

fn title(line: &Line) -> String {
    let name = match line.fusion {
        None if line.semantic_ratio > 0.0 => "vectors alone".to_owned(),
        None => "text alone".to_owned(),
        Some(fusion) => {
            format!("hybrid, {}, {:.2}", fusion.as_str().replace('_', " "), line.semantic_ratio)
        }
    };
    if line.is_default { format!("{name} *") } else { name }
}
