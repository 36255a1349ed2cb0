//! What `kindred space` prints.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::Common;
use crate::cli::client::Client;
use crate::cli::{CliError, CliResult, output};
use crate::config::Config;

pub(super) const SPACES: &str = "{ embeddingSpaces { name backend model dimensions state createdAt fusion semanticRatio chunkTokens chunkOverlap holds { kind state isActive rows \
    embedded pending failed progress textsPerSecond startedAt finishedAt index { state progress phase bytes type } } } }";

pub(super) async fn list(common: Common, config: Config) -> CliResult {
    let client = Client::find(common.target, config).await?;
    let spaces = client.execute(SPACES, json!({})).await?["embeddingSpaces"].take();
    if common.json {
        output::json(&spaces)?;
        return Ok(ExitCode::SUCCESS);
    }
    output::text(&format!(
        "{:<28} {:<9} {:<9} {:<9} {:>10} {:>10} {:>5} {:>8} {:>7}  index",
        "space", "state", "kind", "filled", "rows", "embedded", "%", "pending", "failed"
    ))?;
    for space in list_of(&spaces) {
        for held in list_of(&space["holds"]) {
            row(space, held)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// One kind of one space; kinds of which there is nothing are left out.
fn row(space: &Value, held: &Value) -> Result<(), CliError> {
    let number = |name: &str| output::grouped(held[name].as_i64().unwrap_or(0));
    if held["rows"] == 0 && held["embedded"] == 0 {
        return Ok(());
    }
    let answers = if held["isActive"] == true { "active" } else { "-" };
    let percent = held["progress"].as_f64().unwrap_or(0.0) * 100.0;
    let index = &held["index"];
    let index = match index["progress"].as_f64() {
        Some(progress) => format!("building {:.0} %", progress * 100.0),
        None => lower(&index["state"]),
    };
    output::text(&format!(
        "{:<28} {answers:<9} {:<9} {:<9} {:>10} {:>10} {:>5.0} {:>8} {:>7}  {index}",
        text(&space["name"]),
        lower(&held["kind"]),
        lower(&held["state"]),
        number("rows"),
        number("embedded"),
        percent.floor(),
        number("pending"),
        number("failed"),
    ))?;
    Ok(())
}

pub(super) fn plan(plan: &Value, is_json: bool) -> CliResult {
    if is_json {
        output::json(plan)?;
        return Ok(ExitCode::SUCCESS);
    }
    let number = |name: &str| plan[name].as_i64().unwrap_or(0);
    let missing = number("rows") - number("unchanged");
    let cost = match plan["cost"].as_f64() {
        Some(cost) => format!("${cost:.4}"),
        None => "unknown; set the price of the model".to_owned(),
    };
    let how = if plan["isMeasured"] == true { "measured" } else { "estimated, nothing was spent" };
    let lines = [
        ("rows", output::grouped(number("rows"))),
        ("unchanged", output::grouped(number("unchanged"))),
        ("to embed", output::grouped(missing)),
        ("tokens", format!("about {}", output::grouped(number("tokens")))),
        ("cost", cost),
        ("disk", output::size(number("diskBytes"))),
        ("time", format!("{:.1} s ({how})", plan["seconds"].as_f64().unwrap_or(0.0))),
        ("sample", format!("{} texts", output::grouped(number("sampleSize")))),
    ];
    for (name, value) in lines {
        output::text(&format!("{name:<10} {value}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn switched(payload: &Value, is_json: bool) -> CliResult {
    if is_json {
        output::json(payload)?;
        return Ok(ExitCode::SUCCESS);
    }
    let spaces: Vec<String> =
        list_of(&payload["spaces"]).map(|space| format!("`{}`", text(&space["name"]))).collect();
    let kinds: Vec<String> = list_of(&payload["kinds"]).map(lower).collect();
    let verb = if spaces.len() == 1 { "answers" } else { "answer" };
    output::text(&format!("{} {verb} for {} now", spaces.join(", "), kinds.join(", ")))?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn comparison(comparison: &Value, is_json: bool) -> CliResult {
    if is_json {
        output::json(comparison)?;
        return Ok(ExitCode::SUCCESS);
    }
    let (from, to) = (text(&comparison["from"]), text(&comparison["to"]));
    for query in list_of(&comparison["comparisons"]) {
        output::text(&format!(
            "{}  (overlap {}, rank correlation {})",
            text(&query["query"]),
            share(&query["overlap"]),
            share(&query["rankCorrelation"])
        ))?;
        output::text(&format!("    {from:<44} {to}"))?;
        let left: Vec<String> = list_of(&query["fromHits"]).map(hit).collect();
        let right: Vec<String> = list_of(&query["toHits"]).map(hit).collect();
        for place in 0..left.len().max(right.len()) {
            let cell = |list: &[String]| list.get(place).cloned().unwrap_or_default();
            output::text(&format!("{:>3} {:<44} {}", place + 1, cell(&left), cell(&right)))?;
        }
    }
    output::text(&format!(
        "mean overlap {}, mean rank correlation {}",
        share(&comparison["meanOverlap"]),
        share(&comparison["meanRankCorrelation"])
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn hit(hit: &Value) -> String {
    let title: String = text(&hit["title"]).chars().take(36).collect();
    format!("{} {title}", share(&hit["similarity"]))
}

fn share(value: &Value) -> String {
    value.as_f64().map_or("-".to_owned(), |value| format!("{value:.3}"))
}

pub(super) fn list_of(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn lower(value: &Value) -> String {
    text(value).to_lowercase()
}
