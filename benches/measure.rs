//! Medians, and the table at the end.

use std::time::Instant;

pub(crate) fn ms_since(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1_000.0
}

/// The middle value; 0 of none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        length if length % 2 == 1 => sorted[length / 2],
        length => f64::midpoint(sorted[length / 2 - 1], sorted[length / 2]),
    }
}

/// The value that a tenth of the values do not exceed: how it is when nothing gets in the way.
pub(crate) fn fastest(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 10).copied().unwrap_or(0.0)
}

pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / count(values.len().max(1))
}

/// A count as a number to calculate with.
pub(crate) fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// What was measured, with what it should be.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<[String; 3]>,
}

impl Report {
    /// Adds a figure without a bar.
    pub(crate) fn note(&mut self, what: &str, figure: String) {
        self.rows.push([what.to_owned(), figure, String::new()]);
    }

    /// Adds a figure with what it should be.
    pub(crate) fn figure(&mut self, what: &str, figure: String, bar: &str) {
        println!("{what}: {figure} (bar: {bar})");
        self.rows.push([what.to_owned(), figure, bar.to_owned()]);
    }

    /// Prints everything as a Markdown table.
    pub(crate) fn print(&self) {
        println!("\n| figure | measured | bar |\n|---|---|---|");
        for [what, figure, bar] in &self.rows {
            println!("| {what} | {figure} | {bar} |");
        }
    }
}
