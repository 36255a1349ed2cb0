//! Writing songs, many at once.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::{Postgres, QueryBuilder, Row};
use uuid::Uuid;

use super::content_write::{self, NewContent};
use super::{Result, Tx};
use crate::model::song::NewSong;
use crate::model::{Kind, Scope, language};

/// Writes new songs; `false` when somebody else just wrote one of them.
pub async fn insert(
    tx: &mut Tx,
    scope: Scope,
    owner: Option<Uuid>,
    songs: &[(Uuid, &NewSong)],
    now: DateTime<Utc>,
) -> Result<bool> {
    if !content_write::insert(tx, scope, Kind::Song, owner, &contents(songs), now).await? {
        return Ok(false);
    }
    upsert_details(tx, scope, songs).await?;
    Ok(true)
}

/// Updates songs that are there, restores deleted ones, and says which of them changed.
pub async fn update(
    tx: &mut Tx,
    scope: Scope,
    songs: &[(Uuid, &NewSong)],
    now: DateTime<Utc>,
) -> Result<HashSet<Uuid>> {
    let touched = upsert_details(tx, scope, songs).await?;
    content_write::update(tx, scope, &contents(songs), touched, now).await
}

fn contents<'a>(songs: &[(Uuid, &'a NewSong)]) -> Vec<NewContent<'a>> {
    column(songs, |id, song| NewContent {
        id,
        external_id: &song.external_id,
        title: &song.title,
        body: &song.body,
        headings: "",
        language: language::DEFAULT,
        source_hash: &song.source_hash,
    })
}

const DETAIL_COLUMNS: [&str; 20] = [
    "band",
    "album",
    "genre",
    "subgenre",
    "year",
    "tempo",
    "key",
    "mode",
    "energy",
    "danceability",
    "valence",
    "acousticness",
    "instrumentalness",
    "liveness",
    "speechiness",
    "loudness",
    "popularity",
    "duration_ms",
    "description",
    "moods",
];

/// Writes the detail rows and returns the ids of those that are new or different.
async fn upsert_details(
    tx: &mut Tx,
    _scope: Scope,
    songs: &[(Uuid, &NewSong)],
) -> Result<Vec<Uuid>> {
    if songs.is_empty() {
        return Ok(Vec::new());
    }
    let columns = DETAIL_COLUMNS.join(", ");
    let sources =
        columns.replace("moods", "coalesce(string_to_array(nullif(moods, ''), E'\\x1f'), '{}')");
    let mut query = QueryBuilder::<Postgres>::new("INSERT INTO song (content_id, ");
    query.push(&columns).push(") SELECT content_id, ").push(sources).push(" FROM unnest(");
    query.push_bind(column(songs, |id, _| id)).push("::uuid[]");
    push_details(&mut query, songs);
    query
        .push(") AS u (content_id, ")
        .push(&columns)
        .push(") ON CONFLICT (content_id) DO UPDATE SET ");
    let excluded = DETAIL_COLUMNS.map(|column| format!("excluded.{column}")).join(", ");
    let current = DETAIL_COLUMNS.map(|column| format!("song.{column}")).join(", ");
    query.push(format!(
        "({columns}) = ({excluded}) WHERE ({current}) IS DISTINCT FROM ({excluded})"
    ));
    query.push(" RETURNING content_id");
    let rows = query.build().fetch_all(&mut **tx).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// One array per column, in the order of [`DETAIL_COLUMNS`].
fn push_details(query: &mut QueryBuilder<Postgres>, songs: &[(Uuid, &NewSong)]) {
    let texts = |query: &mut QueryBuilder<Postgres>, values: Vec<Option<&str>>| {
        let values: Vec<Option<String>> =
            values.into_iter().map(|value| value.map(str::to_owned)).collect();
        query.push(", ").push_bind(values).push("::text[]");
    };
    let floats = |query: &mut QueryBuilder<Postgres>, values: Vec<Option<f64>>| {
        query.push(", ").push_bind(values).push("::float8[]");
    };
    let integers = |query: &mut QueryBuilder<Postgres>, values: Vec<Option<i32>>| {
        query.push(", ").push_bind(values).push("::int4[]");
    };
    texts(query, column(songs, |_, new| new.song.band.as_deref()));
    texts(query, column(songs, |_, new| new.song.album.as_deref()));
    texts(query, column(songs, |_, new| new.song.genre.as_deref()));
    texts(query, column(songs, |_, new| new.song.subgenre.as_deref()));
    integers(query, column(songs, |_, new| new.song.year));
    floats(query, column(songs, |_, new| new.song.tempo));
    texts(query, column(songs, |_, new| new.song.key));
    texts(query, column(songs, |_, new| new.song.mode.map(crate::model::music::Mode::as_str)));
    floats(query, column(songs, |_, new| new.song.energy));
    floats(query, column(songs, |_, new| new.song.danceability));
    floats(query, column(songs, |_, new| new.song.valence));
    floats(query, column(songs, |_, new| new.song.acousticness));
    floats(query, column(songs, |_, new| new.song.instrumentalness));
    floats(query, column(songs, |_, new| new.song.liveness));
    floats(query, column(songs, |_, new| new.song.speechiness));
    floats(query, column(songs, |_, new| new.song.loudness));
    integers(query, column(songs, |_, new| new.song.popularity));
    integers(query, column(songs, |_, new| new.song.duration_ms));
    texts(query, column(songs, |_, new| new.song.description.as_deref()));
    // An array of arrays would have to be rectangular, so moods travel as one text each.
    let moods: Vec<String> = songs.iter().map(|(_, new)| new.song.moods.join("\u{1f}")).collect();
    query.push(", ").push_bind(moods).push("::text[]");
}

fn column<'a, T>(songs: &[(Uuid, &'a NewSong)], value: impl Fn(Uuid, &'a NewSong) -> T) -> Vec<T> {
    songs.iter().map(|(id, song)| value(*id, song)).collect()
}
