//! Songs as clients send them.

use async_graphql::InputObject;

use crate::graphql::object::song::Mode;
use crate::model::song::{Song, SongDraft};

/// A song to ingest. Only `title` is needed; the more is known, the better it is found.
#[derive(InputObject)]
pub(in crate::graphql) struct SongInput {
    /// Your own id of the song, at most 500 characters; sending the same id again updates the song.
    /// Without it, title, band and album together are the id.
    external_id: Option<String>,
    /// Title, 1 to 500 characters.
    title: String,
    /// Name of the performer, at most 500 characters.
    band: Option<String>,
    /// Name of the album, at most 500 characters.
    album: Option<String>,
    /// Genre, at most 500 characters.
    genre: Option<String>,
    /// Genre within the genre, at most 500 characters.
    subgenre: Option<String>,
    /// Year of release, from 0 to 2100.
    year: Option<i32>,
    /// Beats per minute, above 0 and at most 1000.
    tempo: Option<f64>,
    /// Pitch of the key: `C`, `F#`, `Bb`.
    key: Option<String>,
    /// Mode of the key.
    mode: Option<Mode>,
    /// From 0 (calm) to 1 (intense).
    energy: Option<f64>,
    /// How suitable for dancing, from 0 to 1.
    danceability: Option<f64>,
    /// From 0 (sad) to 1 (cheerful).
    valence: Option<f64>,
    /// How surely it is acoustic, from 0 to 1.
    acousticness: Option<f64>,
    /// How surely it has no vocals, from 0 to 1.
    instrumentalness: Option<f64>,
    /// How surely an audience is heard, from 0 to 1.
    liveness: Option<f64>,
    /// How much of it is spoken, from 0 to 1.
    speechiness: Option<f64>,
    /// Loudness in decibels relative to full scale, from -100 to 20.
    loudness: Option<f64>,
    /// From 0 to 100.
    popularity: Option<i32>,
    /// Length in milliseconds, at most a day.
    duration_ms: Option<i32>,
    /// At most 20 words for its mood.
    moods: Option<Vec<String>>,
    /// Anything else about it, at most 10,000 characters.
    description: Option<String>,
}

impl From<SongInput> for SongDraft {
    fn from(input: SongInput) -> Self {
        let song = Song {
            band: input.band,
            album: input.album,
            genre: input.genre,
            subgenre: input.subgenre,
            year: input.year,
            tempo: input.tempo,
            key: None,
            mode: input.mode.map(Into::into),
            energy: input.energy,
            danceability: input.danceability,
            valence: input.valence,
            acousticness: input.acousticness,
            instrumentalness: input.instrumentalness,
            liveness: input.liveness,
            speechiness: input.speechiness,
            loudness: input.loudness,
            popularity: input.popularity,
            duration_ms: input.duration_ms,
            moods: input.moods.unwrap_or_default(),
            description: input.description,
        };
        Self { external_id: input.external_id, title: input.title, key: input.key, song }
    }
}
