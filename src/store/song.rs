//! Writing songs, many at once.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::{Postgres, QueryBuilder, Row};
use uuid::Uuid;

use super::{Result, Tx};
use crate::model::Scope;
use crate::model::song::NewSong;

/// The live and deleted songs that are known by one of these external ids, locked until the
/// transaction ends.
pub async fn existing(
    tx: &mut Tx,
    _scope: Scope,
    owner: Option<Uuid>,
    external_ids: &[&str],
) -> Result<HashMap<String, Uuid>> {
    // A plan made while the table was empty would read all of it ever after.
    sqlx::query("SELECT set_config('plan_cache_mode', 'force_custom_plan', true)")
        .execute(&mut **tx)
        .await?;
    // `IS NOT DISTINCT FROM` would not use the index of `content_external_id_key`.
    let mut query =
        QueryBuilder::<Postgres>::new("SELECT external_id, id FROM content WHERE kind = 'song'");
    match owner {
        Some(owner) => query.push(" AND owner_id = ").push_bind(owner),
        None => query.push(" AND owner_id IS NULL"),
    };
    query.push(" AND external_id = ANY(").push_bind(external_ids).push(") ORDER BY id FOR UPDATE");
    let rows = query.build().fetch_all(&mut **tx).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Writes new songs; `false` when somebody else just wrote one of them, and nothing was written.
pub async fn insert(
    tx: &mut Tx,
    scope: Scope,
    owner: Option<Uuid>,
    songs: &[(Uuid, &NewSong)],
    now: DateTime<Utc>,
) -> Result<bool> {
    if songs.is_empty() {
        return Ok(true);
    }
    let mut query = QueryBuilder::<Postgres>::new(
        "INSERT INTO content (id, kind, owner_id, external_id, title, body, source_hash, created_at, updated_at) \
         SELECT u.id, 'song', ",
    );
    query.push_bind(owner).push(", u.external_id, u.title, u.body, u.source_hash, ");
    query.push_bind(now).push(", ").push_bind(now);
    query.push(" FROM unnest(").push_bind(column(songs, |id, _| id)).push("::uuid[], ");
    query.push_bind(column(songs, |_, song| song.external_id.as_str())).push("::text[], ");
    push_texts(&mut query, songs);
    query.push(") AS u (id, external_id, title, body, source_hash) ON CONFLICT DO NOTHING");
    let written = query.build().execute(&mut **tx).await?.rows_affected();
    if written < songs.len() as u64 {
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
    if songs.is_empty() {
        return Ok(HashSet::new());
    }
    let mut changed: HashSet<Uuid> = upsert_details(tx, scope, songs).await?.into_iter().collect();
    let touched: Vec<Uuid> = changed.iter().copied().collect();
    let mut query = QueryBuilder::<Postgres>::new(
        "UPDATE content SET title = u.title, body = u.body, source_hash = u.source_hash, \
         deleted_at = NULL, updated_at = ",
    );
    query.push_bind(now);
    query.push(" FROM unnest(").push_bind(column(songs, |id, _| id)).push("::uuid[], ");
    push_texts(&mut query, songs);
    query.push(
        ") AS u (id, title, body, source_hash) WHERE content.id = u.id \
         AND ((content.title, content.body) IS DISTINCT FROM (u.title, u.body) \
             OR content.deleted_at IS NOT NULL OR content.id = ANY(",
    );
    query.push_bind(touched).push(")) RETURNING content.id");
    let rows = query.build().fetch_all(&mut **tx).await?;
    for row in rows {
        changed.insert(row.try_get(0)?);
    }
    Ok(changed)
}

fn push_texts(query: &mut QueryBuilder<Postgres>, songs: &[(Uuid, &NewSong)]) {
    query.push_bind(column(songs, |_, song| song.title.as_str())).push("::text[], ");
    query.push_bind(column(songs, |_, song| song.body.as_str())).push("::text[], ");
    query.push_bind(column(songs, |_, song| song.source_hash.as_slice())).push("::bytea[]");
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
