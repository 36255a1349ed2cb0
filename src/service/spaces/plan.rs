//! What filling a space would take, before anything is spent.

use std::time::{Duration, Instant};

use crate::embed::{Backend, Embedder};
use crate::model::space::BackfillPlan;
use crate::model::{Kind, Space, Viewer};
use crate::service::{Result, Services};
use crate::store::{index, space_fill};

/// Texts of one kind whose tokens are counted.
const SAMPLE: i64 = 200;
/// Texts that are embedded between two looks at the clock, to measure.
const MEASURED_BATCH: usize = 20;
/// Measuring ends after this.
const MEASURING: Duration = Duration::from_secs(2);
/// What one request to a paid backend is supposed to take; nothing is spent to find out.
const REQUEST_SECONDS: f64 = 1.0;

/// Bytes of a row of a leaf beside its vector: header and pointer (28), ids (32), hash (33), kind and
/// time (16), padding, and its entry in the primary key (60).
const ROW_BYTES: i64 = 176;
/// Bytes of a page, and how many of them hold data.
const PAGE: [i64; 2] = [8_192, 8_100];
/// A row larger than this keeps its vector in pieces elsewhere, which takes some 3 % more.
const TOAST_BYTES: i64 = 2_000;
/// Bytes of a row in the HNSW index beside its vector: two headers (80) and the links of m = 24, 48 in
/// the lowest layer and some more above, of 6 bytes each (300).
const LINK_BYTES: i64 = 380;

impl Services {
    /// Says what filling a space with kinds would take. `None` stands for every kind it has room for.
    pub async fn plan_backfill(
        &self,
        viewer: Viewer,
        name: &str,
        kinds: Option<&[Kind]>,
    ) -> Result<BackfillPlan> {
        let scope = self.administering(viewer)?;
        let (space, kinds) = self.held_of(name, kinds).await?;
        let embedder = self.embedder_of(&space)?;
        let (mut rows, mut unchanged, mut tokens, mut indexed) = (0, 0, 0.0, 0);
        let mut texts = Vec::new();
        for kind in &kinds {
            let recently = self.recently();
            let coverage =
                space_fill::coverage_now(&self.db, scope, &space, *kind, recently).await?;
            rows += coverage.rows;
            unchanged += coverage.embedded;
            if coverage.rows > self.settings.index.index_rows {
                indexed += coverage.rows;
            }
            let sample = space_fill::sample(&self.db, scope, &space, *kind, SAMPLE).await?;
            let counted: usize = embedder.count_tokens(&sample).await?.iter().sum();
            tokens += scaled(counted, sample.len(), coverage.rows - coverage.embedded);
            texts.extend(sample);
        }
        let missing = rows - unchanged;
        let (seconds, is_measured) = self.seconds(embedder.as_ref(), &texts, missing).await?;
        let description = embedder.description();
        Ok(BackfillPlan {
            rows,
            unchanged,
            tokens: whole(tokens),
            cost: match (description.price, description.backend) {
                (Some(price), _) => Some(price * tokens / 1e6),
                (None, Backend::Static | Backend::Local) => Some(0.0),
                (None, Backend::OpenAi) => None,
            },
            disk_bytes: disk_bytes(&space, rows, indexed, index::number_bytes(&self.db)),
            seconds,
            is_measured,
            sample_size: i64::try_from(texts.len()).unwrap_or(i64::MAX),
        })
    }

    /// How long the model takes for texts like these. Where it costs nothing some of them are embedded
    /// to know; else requests are supposed to take a second.
    async fn seconds(
        &self,
        embedder: &dyn Embedder,
        texts: &[String],
        missing: i64,
    ) -> Result<(f64, bool)> {
        match embedder.description().backend {
            Backend::OpenAi => {
                let batch = embedder.description().batch.max(1);
                let at_once = self.embedders.settings().openai.concurrency.max(1);
                let requests = scaled(1, batch, missing).ceil();
                Ok((requests * REQUEST_SECONDS / scaled(at_once, 1, 1), false))
            }
            Backend::Static | Backend::Local => {
                let (mut measured, started) = (0, Instant::now());
                for batch in texts.chunks(MEASURED_BATCH) {
                    embedder.embed_documents(batch).await?;
                    measured += batch.len();
                    if started.elapsed() > MEASURING {
                        break;
                    }
                }
                let each = scaled(1, measured, 1) * started.elapsed().as_secs_f64();
                Ok((each * scaled(1, 1, missing), measured > 0))
            }
        }
    }
}

/// What `rows` rows have together where `count` rows of a sample have `sum`.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn scaled(sum: usize, count: usize, rows: i64) -> f64 {
    if count == 0 { 0.0 } else { sum as f64 / count as f64 * rows as f64 }
}

#[expect(clippy::cast_possible_truncation, reason = "no catalogue has so many tokens")]
fn whole(number: f64) -> i64 {
    number.round() as i64
}

/// What the vectors of `rows` rows take, and the index over `indexed` of them.
///
/// A row takes its 4 bytes a number and [`ROW_BYTES`]; in the index it takes 2 bytes a number (4 in the
/// embedded database) and [`LINK_BYTES`], and no row lies across two pages.
fn disk_bytes(space: &Space, rows: i64, indexed: i64, number_bytes: i64) -> i64 {
    let dimensions = i64::try_from(space.dimensions).unwrap_or(0);
    let vector = 4 * dimensions + 8;
    let stored = if vector > TOAST_BYTES { vector + vector / 32 } else { vector };
    let [page, used] = PAGE;
    let in_index = number_bytes * dimensions + LINK_BYTES;
    let per_page = (used / in_index.max(1)).max(1);
    rows * (stored + ROW_BYTES) + (indexed + per_page - 1) / per_page * page
}
