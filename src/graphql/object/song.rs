//! Songs.

use async_graphql::{ComplexObject, Context, Enum, ID, SimpleObject};
use chrono::{DateTime, Utc};

use super::Kind;
use super::content::{Content, EmbeddingStatus, Row, embedding_status, similar};
use super::hit::HitConnection;
use super::page_info::PageInfo;
use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::model::{self, Filter, NodeId, music};
use crate::service::ListPage;

/// A song of the catalogue.
#[derive(SimpleObject)]
#[graphql(complex)]
pub(in crate::graphql) struct Song {
    /// Id across all kinds, such as `song:0192…`.
    pub id: ID,
    /// Title.
    pub title: String,
    /// Always `SONG`.
    pub kind: Kind,
    /// The id it was ingested with.
    pub external_id: String,
    /// When it was first ingested.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When it was soft-deleted.
    pub deleted_at: Option<DateTime<Utc>>,
    /// Name of the performer.
    pub band: Option<String>,
    /// Name of the album.
    pub album: Option<String>,
    /// Genre.
    pub genre: Option<String>,
    /// Genre within the genre.
    pub subgenre: Option<String>,
    /// Year of release.
    pub year: Option<i32>,
    /// Beats per minute.
    pub tempo: Option<f64>,
    /// Pitch of the key, sharps only: `C`, `C#` … `B`.
    pub key: Option<String>,
    /// Mode of the key.
    pub mode: Option<Mode>,
    /// From 0 (calm) to 1 (intense).
    pub energy: Option<f64>,
    /// How suitable for dancing, from 0 to 1.
    pub danceability: Option<f64>,
    /// From 0 (sad) to 1 (cheerful).
    pub valence: Option<f64>,
    /// How surely it is acoustic, from 0 to 1.
    pub acousticness: Option<f64>,
    /// How surely it has no vocals, from 0 to 1.
    pub instrumentalness: Option<f64>,
    /// How surely an audience is heard, from 0 to 1.
    pub liveness: Option<f64>,
    /// How much of it is spoken, from 0 to 1.
    pub speechiness: Option<f64>,
    /// Decibels relative to full scale.
    pub loudness: Option<f64>,
    /// From 0 to 100.
    pub popularity: Option<i32>,
    /// Length in milliseconds.
    pub duration_ms: Option<i32>,
    /// Words for its mood.
    pub moods: Vec<String>,
    /// What else was said about it.
    pub description: Option<String>,
    /// The text that describes it to the embedding model and to full-text search.
    pub body: String,
    #[graphql(skip)]
    pub node_id: NodeId,
}

#[ComplexObject]
impl Song {
    /// How far its vector is in the space that answers for songs.
    pub(in crate::graphql) async fn embedding_status(
        &self,
        ctx: &Context<'_>,
    ) -> Result<EmbeddingStatus> {
        embedding_status(ctx, self.node_id).await
    }

    /// The songs that are most similar to it, best first.
    pub(in crate::graphql) async fn similar(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many, from 1 to 100.", default = 5)] first: i32,
    ) -> Result<HitConnection> {
        similar(ctx, self.node_id, first).await
    }
}

impl Song {
    pub(super) fn new(row: Row, song: model::song::Song) -> Self {
        Self {
            id: row.node_id.to_string().into(),
            title: row.title,
            kind: Kind::Song,
            external_id: row.external_id,
            created_at: row.created_at,
            updated_at: row.updated_at,
            deleted_at: row.deleted_at,
            band: song.band,
            album: song.album,
            genre: song.genre,
            subgenre: song.subgenre,
            year: song.year,
            tempo: song.tempo,
            key: song.key.map(str::to_owned),
            mode: song.mode.map(Into::into),
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
            body: row.body,
            node_id: row.node_id,
        }
    }

    /// The song of a row of any kind.
    fn of(content: model::Content) -> Option<Self> {
        match Content::from(content) {
            Content::Song(song) => Some(song),
            Content::Document(_) | Content::Chunk(_) => None,
        }
    }
}

/// Mode of a key.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
pub(in crate::graphql) enum Mode {
    /// Major.
    Major,
    /// Minor.
    Minor,
}

impl From<music::Mode> for Mode {
    fn from(mode: music::Mode) -> Self {
        match mode {
            music::Mode::Major => Self::Major,
            music::Mode::Minor => Self::Minor,
        }
    }
}

impl From<Mode> for music::Mode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Major => Self::Major,
            Mode::Minor => Self::Minor,
        }
    }
}

/// A song in a list, with its place.
#[derive(SimpleObject)]
pub(in crate::graphql) struct SongEdge {
    /// The place of this song: pass it as `after` to go on from here.
    cursor: String,
    /// The song.
    node: Song,
}

/// A page of a list of songs.
#[derive(SimpleObject)]
#[graphql(complex)]
pub(in crate::graphql) struct SongConnection {
    /// The songs of the page with their cursors.
    edges: Vec<SongEdge>,
    /// Where the page stands in its list.
    page_info: PageInfo,
    #[graphql(skip)]
    filter: Filter,
}

#[ComplexObject]
impl SongConnection {
    /// The songs of the page.
    async fn nodes(&self) -> Vec<&Song> {
        self.edges.iter().map(|edge| &edge.node).collect()
    }

    /// How many songs pass the filter, over all pages.
    async fn total_count(&self, ctx: &Context<'_>) -> Result<i64> {
        Ok(ctx.services().count(ctx.viewer(), model::Kind::Song, &self.filter).await?)
    }
}

impl SongConnection {
    pub(in crate::graphql) fn new(page: ListPage, filter: Filter) -> Self {
        let page_info = PageInfo::new(page.has_next_page, page.has_previous_page, &page.cursors);
        let rows = page.cursors.into_iter().zip(page.contents);
        let edges = rows
            .filter_map(|(cursor, content)| Some(SongEdge { cursor, node: Song::of(content)? }));
        Self { edges: edges.collect(), page_info, filter }
    }
}
