//! What the index misses against a comparison of every row, unfiltered and under filters; and what
//! either way costs.

use std::time::Instant;

use pgvector::Vector;
use serde_json::{Value, json};
use sqlx::Row;

use crate::Result;
use crate::catalogue::Catalogue;
use crate::measure::{Report, count, mean, median, ms_since};
use crate::program::Server;

const WANTED: usize = 10;
const TITLES: i64 = 100;
/// Distances that differ by less are the same to 32-bit numbers.
const TIE: f64 = 1e-6;

const QUERY: &str = "query ($text: String!, $where: ContentFilter) { \
    recommend(query: $text, first: 10, where: $where) { nodes { id } info { strategy } } }";

/// A condition in SQL and in GraphQL, and how many songs meet it.
struct Narrowing {
    condition: String,
    filter: Value,
    matches: usize,
}

/// What was seen under one condition.
#[derive(Default)]
struct Seen {
    recalls: Vec<f64>,
    ms: Vec<f64>,
    /// Answers with fewer rows than there are.
    short: usize,
    strategies: Vec<String>,
}

pub(crate) async fn run(catalogue: &mut Catalogue, report: &mut Report) -> Result<()> {
    let server = Server::start(&catalogue.database).await?;
    let texts = catalogue.texts(TITLES).await?;
    let narrowings = narrowings(catalogue).await?;
    let all = narrowings.first().map_or(0, |narrowing| narrowing.matches);
    let mut seen: Vec<Seen> = narrowings.iter().map(|_| Seen::default()).collect();
    for text in &texts {
        let vector = catalogue.vector(text).await?;
        for (narrowing, seen) in narrowings.iter().zip(&mut seen) {
            seen.search(catalogue, &server, text, &vector, narrowing).await?;
        }
    }
    println!("{} queries", texts.len());
    for (narrowing, seen) in narrowings.iter().zip(&seen) {
        seen.report(narrowing, all, report);
    }
    exact_against_index(catalogue, &texts, report).await
}

/// No condition, and conditions on numbers of the songs that keep ever fewer of them.
async fn narrowings(catalogue: &mut Catalogue) -> Result<Vec<Narrowing>> {
    let row = sqlx::query(
        "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY tempo), \
             percentile_disc(0.05) WITHIN GROUP (ORDER BY year), \
             percentile_disc(0.995) WITHIN GROUP (ORDER BY popularity), \
             percentile_disc(0.9998) WITHIN GROUP (ORDER BY duration_ms) FROM song",
    )
    .fetch_one(&mut catalogue.connection)
    .await?;
    let tempo: f64 = row.try_get(0)?;
    let (year, popularity): (i32, i32) = (row.try_get(1)?, row.try_get(2)?);
    let duration: i32 = row.try_get(3)?;
    let conditions = [
        ("true".to_owned(), Value::Null),
        (format!("tempo >= {tempo}"), json!({ "song": { "tempo": { "gte": tempo } } })),
        (format!("year <= {year}"), json!({ "song": { "year": { "lte": year } } })),
        (
            format!("popularity >= {popularity}"),
            json!({ "song": { "popularity": { "gte": popularity } } }),
        ),
        (
            format!("duration_ms >= {duration}"),
            json!({ "song": { "durationMs": { "gte": duration } } }),
        ),
    ];
    let mut narrowings = Vec::new();
    for (condition, filter) in conditions {
        let statement = format!("SELECT count(*) FROM song WHERE {condition}");
        let matches: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
            .fetch_one(&mut catalogue.connection)
            .await?;
        narrowings.push(Narrowing { condition, filter, matches: usize::try_from(matches)? });
    }
    Ok(narrowings)
}

impl Seen {
    async fn search(
        &mut self,
        catalogue: &mut Catalogue,
        server: &Server,
        text: &str,
        vector: &Vector,
        narrowing: &Narrowing,
    ) -> Result<()> {
        let variables = json!({ "text": text, "where": narrowing.filter });
        let started = Instant::now();
        let answer = server.execute(QUERY, variables).await?;
        self.ms.push(ms_since(started));

        let nodes = answer["recommend"]["nodes"].as_array().cloned().unwrap_or_default();
        let ids: Vec<String> = nodes
            .iter()
            .filter_map(|node| node["id"].as_str()?.strip_prefix("song:").map(str::to_owned))
            .collect();
        let strategy = answer["recommend"]["info"]["strategy"].as_str().unwrap_or_default();
        if !self.strategies.iter().any(|seen| seen == strategy) {
            self.strategies.push(strategy.to_owned());
        }
        let expected = WANTED.min(narrowing.matches);
        self.short += usize::from(ids.len() < expected);

        let exact = catalogue.exact(vector, &narrowing.condition, 10).await?;
        let farthest = exact.last().copied().unwrap_or(0.0);
        let right = right(catalogue, vector, narrowing, &ids, farthest + TIE).await?;
        self.recalls.push(right / count(expected.max(1)));
        Ok(())
    }

    fn report(&self, narrowing: &Narrowing, all: usize, report: &mut Report) {
        let share = 100.0 * count(narrowing.matches) / count(all);
        let scope = format!("{} rows ({share:.2} %)", narrowing.matches);
        let route = self.strategies.join(" and ");
        println!("`{}`: {route}, p50 {:.2} ms", narrowing.condition, median(&self.ms));
        let recall = format!("{:.4}", mean(&self.recalls));
        report.figure(&format!("recall@10 among {scope}"), recall, "≥ 0.98");
        report.figure(&format!("answers short of rows among {scope}"), self.short.to_string(), "0");
        report.note(
            &format!("p50 of `recommend` among {scope}, {route}"),
            format!("{:.1} ms", median(&self.ms)),
        );
    }
}

/// How many of the returned songs are no farther than the tenth of the exact answer, and meet the
/// condition. By distance, because songs with the same text have the same vector.
async fn right(
    catalogue: &mut Catalogue,
    vector: &Vector,
    narrowing: &Narrowing,
    ids: &[String],
    farthest: f64,
) -> Result<f64> {
    let statement = format!(
        "SELECT count(*)::float8 FROM {} AS embedding JOIN song USING (content_id) \
         WHERE content_id = ANY($1::uuid[]) AND embedding <=> $2 <= $3 AND {}",
        catalogue.leaf, narrowing.condition
    );
    let right = sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
        .bind(ids)
        .bind(vector)
        .bind(farthest)
        .fetch_one(&mut catalogue.connection)
        .await?;
    Ok(right)
}

async fn exact_against_index(
    catalogue: &mut Catalogue,
    texts: &[String],
    report: &mut Report,
) -> Result<()> {
    let (mut exact, mut index) = (Vec::new(), Vec::new());
    for text in texts.iter().take(40) {
        let vector = catalogue.vector(text).await?;
        let started = Instant::now();
        catalogue.exact(&vector, "true", 10).await?;
        exact.push(ms_since(started));
        let started = Instant::now();
        catalogue.approximate(&vector, 10).await?;
        index.push(ms_since(started));
    }
    let (exact, index) = (median(&exact), median(&index));
    println!("exact {exact:.2} ms, by the index {index:.2} ms");
    report.note("exact search / search by the index", format!("{:.1}", exact / index));
    Ok(())
}
