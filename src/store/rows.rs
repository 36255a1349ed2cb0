//! Rows to model types.

use std::sync::OnceLock;

use sea_orm::{EntityTrait, FromQueryResult, IdenStatic, Iterable, QueryResult};
use sqlx::postgres::PgRow;

use crate::model::document::{Chunk, Document, Format};
use crate::model::music::{Mode, PITCH_CLASSES};
use crate::model::song::Song;
use crate::model::{Content, Detail, Kind, language};

use super::{Error, Result};

/// The text of a row that is embedded, and that `source_hash` is the SHA-256 of: a chunk below its title
/// and headings, a document's title and summary, the body of any other kind.
pub(super) const EMBEDDED_TEXT: &str = "CASE content.kind \
    WHEN 'chunk' THEN concat_ws(E'\\n', content.title, nullif(content.headings, ''), content.body) \
    WHEN 'document' THEN (SELECT concat_ws(E'\\n', content.title, document.summary) \
        FROM document WHERE document.content_id = content.id) \
    ELSE content.body END";

/// The columns of a row of a kind and its content, named as [`content_of`] reads them; `None` for a kind
/// of which nothing can be stored yet.
///
/// The text of a document may be as long as a book, so it is left out.
pub(super) fn columns(kind: Kind) -> Option<&'static str> {
    static SONG: OnceLock<String> = OnceLock::new();
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    static CHUNK: OnceLock<String> = OnceLock::new();
    match kind {
        Kind::Song => Some(SONG.get_or_init(joined::<entity::song::Entity>)),
        Kind::Document => Some(DOCUMENT.get_or_init(|| {
            let columns = joined::<entity::document::Entity>();
            columns.replace("content.body AS", "''::text AS")
        })),
        Kind::Chunk => Some(CHUNK.get_or_init(joined::<entity::chunk::Entity>)),
        Kind::Sample | Kind::Entry | Kind::Job => None,
    }
}

/// The columns of `content` and of a detail table.
fn joined<E: EntityTrait>() -> String {
    let table = E::default().table_name().to_owned();
    let content = entity::content::Column::iter().map(|column| named("content", &column));
    let detail = E::Column::iter().map(|column| named(&table, &column));
    content.chain(detail).collect::<Vec<_>>().join(", ")
}

fn named(table: &str, column: &impl IdenStatic) -> String {
    let column = column.as_str();
    format!("{table}.{column} AS {table}_{column}")
}

/// The row of a kind that was read with [`columns`].
pub(super) fn content_of(kind: Kind, row: PgRow) -> Result<Content> {
    let row = QueryResult::from(row);
    let content = entity::content::Model::from_query_result(&row, "content_")?;
    let detail = match kind {
        Kind::Song => {
            let model = entity::song::Model::from_query_result(&row, "song_")?;
            Detail::Song(Box::new(song(model)?))
        }
        Kind::Document => {
            let model = entity::document::Model::from_query_result(&row, "document_")?;
            Detail::Document(Box::new(document(model, &content.language)?))
        }
        Kind::Chunk => {
            let model = entity::chunk::Model::from_query_result(&row, "chunk_")?;
            Detail::Chunk(Box::new(chunk(&model, &content.headings)))
        }
        Kind::Sample | Kind::Entry | Kind::Job => {
            return Err(Error::Unreadable { column: "content.kind", value: kind.to_string() });
        }
    };
    Ok(Content {
        id: content.id,
        owner_id: content.owner_id,
        external_id: content.external_id,
        title: content.title,
        body: content.body,
        created_at: content.created_at,
        updated_at: content.updated_at,
        deleted_at: content.deleted_at,
        detail,
    })
}

fn song(song: entity::song::Model) -> Result<Song> {
    Ok(Song {
        band: song.band,
        album: song.album,
        genre: song.genre,
        subgenre: song.subgenre,
        year: song.year,
        tempo: song.tempo,
        key: song.key.map(key).transpose()?,
        mode: song.mode.map(mode).transpose()?,
        energy: song.energy,
        danceability: song.danceability,
        valence: song.valence,
        acousticness: song.acousticness,
        instrumentalness: song.instrumentalness,
        liveness: song.liveness,
        speechiness: song.speechiness,
        loudness: song.loudness,
        popularity: song.popularity,
        duration_ms: song.duration_ms,
        moods: song.moods,
        description: song.description,
    })
}

fn document(document: entity::document::Model, language: &str) -> Result<Document> {
    let unknown = |column, value: &str| Error::Unreadable { column, value: value.to_owned() };
    let format = Format::ALL.into_iter().find(|format| format.as_str() == document.format);
    Ok(Document {
        url: document.url,
        tags: document.tags,
        summary: document.summary,
        format: format.ok_or_else(|| unknown("document.format", &document.format))?,
        language: language::named(language).ok_or_else(|| unknown("content.language", language))?,
    })
}

fn chunk(chunk: &entity::chunk::Model, headings: &str) -> Chunk {
    Chunk {
        document_id: chunk.document_id,
        position: chunk.position,
        headings: headings.lines().map(str::to_owned).collect(),
    }
}

fn key(value: String) -> Result<&'static str> {
    let known = PITCH_CLASSES.into_iter().find(|name| *name == value);
    known.ok_or(Error::Unreadable { column: "song.key", value })
}

fn mode(value: String) -> Result<Mode> {
    let known = Mode::ALL.into_iter().find(|mode| mode.as_str() == value);
    known.ok_or(Error::Unreadable { column: "song.mode", value })
}

/// The kind that a row says it has.
pub(super) fn kind(value: &str) -> Result<Kind> {
    value.parse().map_err(|_| Error::Unreadable { column: "kind", value: value.to_owned() })
}
