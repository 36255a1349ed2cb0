//! The ingested songs, and the statements by which the program searches them.

use kindred::embed::{Embedder, StaticEmbedder};
use pgvector::Vector;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use crate::Result;
use crate::database::Database;

/// The songs in a database, reached over one connection without the program.
pub(crate) struct Catalogue {
    pub(crate) database: Database,
    pub(crate) connection: PgConnection,
    /// The table of the vectors.
    pub(crate) leaf: String,
    pub(crate) space: Uuid,
    pub(crate) dimensions: usize,
    embedder: StaticEmbedder,
}

impl Catalogue {
    pub(crate) async fn open(database: &Database) -> Result<Self> {
        let mut connection = database.connect().await?;
        let embedder = StaticEmbedder::bundled()?;
        let space: Uuid =
            sqlx::query_scalar("SELECT space_id FROM active_space WHERE kind = 'song'")
                .fetch_one(&mut connection)
                .await?;
        Ok(Self {
            database: database.clone(),
            connection,
            leaf: format!("song_embedding_{}", space.simple()),
            space,
            dimensions: embedder.description().dimensions,
            embedder,
        })
    }

    /// The vector of a search text.
    pub(crate) async fn vector(&self, text: &str) -> Result<Vector> {
        match self.embedder.embed_query(text).await?.vector {
            Some(vector) => Ok(Vector::from(vector)),
            None => Err(format!("the model knows no word of `{text}`").into()),
        }
    }

    /// What people might type: titles of songs, and every subgenre.
    pub(crate) async fn texts(&mut self, titles: i64) -> Result<Vec<String>> {
        let rows = sqlx::query_scalar(
            "(SELECT content.title FROM content WHERE kind = 'song' AND title ~ '^[A-Za-z ]{6,40}$' \
             ORDER BY md5(external_id) LIMIT $1) \
             UNION (SELECT DISTINCT subgenre FROM song WHERE subgenre IS NOT NULL)",
        )
        .bind(titles)
        .fetch_all(&mut self.connection)
        .await?;
        Ok(rows)
    }

    /// `store::search::approximate` for somebody who sees the shared catalogue.
    pub(crate) async fn approximate(&mut self, vector: &Vector, limit: i64) -> Result<Vec<Uuid>> {
        let (leaf, dimensions) = (&self.leaf, self.dimensions);
        let statement = format!(
            "WITH proposed AS MATERIALIZED (SELECT content.id, embedding.embedding <=> $1 AS distance \
             FROM {leaf} AS embedding JOIN content ON content.id = embedding.content_id \
             WHERE content.kind = $2 AND content.deleted_at IS NULL AND content.owner_id IS NULL \
             ORDER BY embedding.embedding::halfvec({dimensions}) <=> $3::halfvec({dimensions}) LIMIT $4) \
             SELECT id, distance FROM proposed ORDER BY distance + 0, id LIMIT $5"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(vector)
            .bind("song")
            .bind(vector)
            .bind(limit.max(100))
            .bind(limit)
            .fetch_all(&mut self.connection)
            .await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// `store::search::exact`: distances of the nearest songs that meet a condition.
    pub(crate) async fn exact(
        &mut self,
        vector: &Vector,
        condition: &str,
        limit: i64,
    ) -> Result<Vec<f64>> {
        let statement = format!(
            "SELECT embedding.embedding <=> $1 AS distance FROM {} AS embedding \
             JOIN content ON content.id = embedding.content_id \
             LEFT JOIN song ON song.content_id = content.id \
             WHERE content.kind = 'song' AND content.deleted_at IS NULL \
             AND content.owner_id IS NULL AND {condition} ORDER BY distance, content.id LIMIT $2",
            self.leaf
        );
        let found = sqlx::query_scalar(sqlx::AssertSqlSafe(statement));
        Ok(found.bind(vector).bind(limit).fetch_all(&mut self.connection).await?)
    }

    /// The songs of some ids with everything a page shows.
    pub(crate) async fn rows(&mut self, ids: &[Uuid]) -> Result<usize> {
        let rows = sqlx::query(
            "SELECT content.id, external_id, title, body, created_at, updated_at, song.* \
             FROM content LEFT JOIN song ON song.content_id = content.id \
             WHERE content.deleted_at IS NULL AND content.id = ANY($1) AND content.owner_id IS NULL",
        )
        .bind(ids)
        .fetch_all(&mut self.connection)
        .await?;
        Ok(rows.len())
    }
}
