//! For each subgenre's name as a query: the share of the first 20 songs that are of its genre.

use std::path::Path;

use serde_json::json;

use crate::Result;
use crate::catalogue::Catalogue;
use crate::database::Databases;
use crate::measure::{Report, count, mean};
use crate::program::{self, Server};

const FIRST: usize = 20;
/// Describes a song without the words that are looked for.
const TEMPLATE: &str = "[{title}][ by {band}][. {decade}][. Album: {album}]";

const QUERY: &str = "query ($text: String!, $ratio: Float, $fusion: Fusion) { \
    hybridSearch(query: $text, kinds: [SONG], semanticRatio: $ratio, fusion: $fusion, first: 20) { \
    nodes { ... on Song { genre } } } }";

/// A way to search; without values it is the default of the space.
struct Way {
    name: String,
    fusion: Option<&'static str>,
    ratio: Option<f64>,
}

pub(crate) async fn run(
    databases: &mut Databases,
    catalogue: &mut Catalogue,
    songs: &Path,
    report: &mut Report,
) -> Result<()> {
    measure(catalogue, "with the genre in the text", report).await?;
    let database = databases.create("plain").await?;
    program::ingest(&database, songs, Some(TEMPLATE))?;
    let mut plain = Catalogue::open(&database).await?;
    measure(&mut plain, "without the genre in the text", report).await
}

async fn measure(catalogue: &mut Catalogue, what: &str, report: &mut Report) -> Result<()> {
    let server = Server::start(&catalogue.database).await?;
    let subgenres: Vec<(String, String)> = sqlx::query_as(
        "SELECT DISTINCT subgenre, genre FROM song WHERE subgenre IS NOT NULL ORDER BY 2, 1",
    )
    .fetch_all(&mut catalogue.connection)
    .await?;
    let ways = ways();
    let mut shares: Vec<Vec<f64>> = ways.iter().map(|_| Vec::new()).collect();
    for (subgenre, genre) in &subgenres {
        for (way, shares) in ways.iter().zip(&mut shares) {
            shares.push(share(&server, way, subgenre, genre).await?);
        }
    }
    print_each(&subgenres, &shares, what);
    for (way, shares) in ways.iter().zip(&shares) {
        let name = format!("songs of the genre in the first 20, {}, {what}", way.name);
        report.note(&name, format!("{:.3}", mean(shares)));
    }
    Ok(())
}

fn ways() -> Vec<Way> {
    let way = |name: &str, fusion, ratio| Way { name: name.to_owned(), fusion, ratio };
    let mut ways = vec![
        way("vectors", None, Some(1.0)),
        way("full text", None, Some(0.0)),
        way("hybrid by default", None, None),
    ];
    for fusion in ["RECIPROCAL_RANK", "WEIGHTED", "RELATIVE_SCORE"] {
        for ratio in [0.3, 0.5, 0.7] {
            ways.push(way(&format!("{fusion} {ratio}"), Some(fusion), Some(ratio)));
        }
    }
    ways
}

async fn share(server: &Server, way: &Way, subgenre: &str, genre: &str) -> Result<f64> {
    let variables = json!({ "text": subgenre, "ratio": way.ratio, "fusion": way.fusion });
    let answer = server.execute(QUERY, variables).await?;
    let nodes = answer["hybridSearch"]["nodes"].as_array().cloned().unwrap_or_default();
    let right = nodes.iter().filter(|node| node["genre"] == genre).count();
    Ok(count(right) / count(FIRST))
}

/// Every subgenre by vectors, by full text and by the default.
fn print_each(subgenres: &[(String, String)], shares: &[Vec<f64>], what: &str) {
    println!("\nSongs of the genre in the first 20, {what}");
    println!("| subgenre | genre | vectors | full text | hybrid by default |");
    println!("|---|---|---|---|---|");
    for (index, (subgenre, genre)) in subgenres.iter().enumerate() {
        let [vectors, text, hybrid] = [0, 1, 2].map(|way: usize| shares[way][index]);
        println!("| {subgenre} | {genre} | {vectors:.2} | {text:.2} | {hybrid:.2} |");
    }
}
