//! How fast the bundled model is, on one core.

use std::hint::black_box;
use std::time::Instant;

use kindred::embed::{Embedder, StaticEmbedder};

use crate::Result;
use crate::catalogue::Catalogue;
use crate::measure::{Report, count, median, ms_since};

pub(crate) async fn run(catalogue: &mut Catalogue, report: &mut Report) -> Result<()> {
    let bodies: Vec<String> = sqlx::query_scalar("SELECT body FROM content WHERE kind = 'song'")
        .fetch_all(&mut catalogue.connection)
        .await?;
    let texts = catalogue.texts(100).await?;
    let started = Instant::now();
    let model = StaticEmbedder::bundled()?;
    let load_ms = ms_since(started);
    let mut per_second = Vec::new();
    for _ in 0..3 {
        let started = Instant::now();
        black_box(model.embed_documents(black_box(&bodies)).await?);
        per_second.push(count(bodies.len()) / started.elapsed().as_secs_f64());
    }
    let mut micros = Vec::new();
    for text in texts.iter().cycle().take(2_000) {
        let started = Instant::now();
        black_box(model.embed_query(black_box(text)).await?);
        micros.push(ms_since(started) * 1_000.0);
    }
    report.note("loading the model", format!("{load_ms:.0} ms"));
    report.note(
        "song descriptions embedded per second on one core",
        format!("{:.0}", median(&per_second)),
    );
    report.note("embedding a query", format!("{:.0} µs", median(&micros)));
    Ok(())
}
