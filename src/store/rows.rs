//! Rows to model types.

use std::sync::OnceLock;

use sea_orm::{FromQueryResult, IdenStatic, Iterable, QueryResult};
use sqlx::postgres::PgRow;

use crate::model::music::{Mode, PITCH_CLASSES};
use crate::model::song::Song;
use crate::model::{Content, Detail, Kind};

use super::{Error, Result};

/// The text of a row that is embedded, and that `source_hash` is the SHA-256 of: a chunk below its title
/// and headings, a document's title and summary, the body of any other kind.
pub(super) const EMBEDDED_TEXT: &str = "CASE content.kind \
    WHEN 'chunk' THEN concat_ws(E'\\n', content.title, nullif(content.headings, ''), content.body) \
    WHEN 'document' THEN (SELECT concat_ws(E'\\n', content.title, document.summary) \
        FROM document WHERE document.content_id = content.id) \
    ELSE content.body END";

/// The columns of a song and its content, named as [`song_of`] reads them.
pub(super) fn song_columns() -> &'static str {
    static COLUMNS: OnceLock<String> = OnceLock::new();
    COLUMNS.get_or_init(|| {
        let content = entity::content::Column::iter().map(|column| named("content", &column));
        let song = entity::song::Column::iter().map(|column| named("song", &column));
        content.chain(song).collect::<Vec<_>>().join(", ")
    })
}

fn named(table: &str, column: &impl IdenStatic) -> String {
    let column = column.as_str();
    format!("{table}.{column} AS {table}_{column}")
}

/// The song of a row with [`song_columns`].
pub(super) fn song_of(row: PgRow) -> Result<Content> {
    let row = QueryResult::from(row);
    let content = entity::content::Model::from_query_result(&row, "content_")?;
    song(content, entity::song::Model::from_query_result(&row, "song_")?)
}

/// A song with its content row.
pub(super) fn song(content: entity::content::Model, song: entity::song::Model) -> Result<Content> {
    let detail = Song {
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
        detail: Detail::Song(Box::new(detail)),
    })
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
