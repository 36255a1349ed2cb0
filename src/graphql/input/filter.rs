//! Filters as clients send them.

use async_graphql::{ID, InputObject};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::graphql::object::song::Mode;
use crate::model::filter::{Filter, NumberField, Range, TextField, TextMatch, TimeField};
use crate::model::music::pitch_class;
use crate::model::{Kind, NodeId, language, limits};
use crate::service::Error;

type Result<T> = std::result::Result<T, Error>;

/// Conditions on content. Every condition that is given must hold; a condition on a kind's own
/// fields holds only for rows of that kind that have the field. At most 100 conditions.
#[derive(InputObject, Default)]
pub(in crate::graphql) struct ContentFilter {
    /// All of these must hold.
    and: Option<Vec<ContentFilter>>,
    /// At least one of these must hold; an empty list lets nothing through.
    or: Option<Vec<ContentFilter>>,
    /// This must not hold.
    not: Option<Box<ContentFilter>>,
    /// `true`: only content that somebody owns; `false`: only the shared catalogue.
    owned: Option<bool>,
    /// Condition on the title.
    title: Option<TextFilter>,
    /// Condition on your own id of the row.
    external_id: Option<TextFilter>,
    /// When the row was first ingested.
    created_at: Option<TimeRange>,
    /// When the row last changed.
    updated_at: Option<TimeRange>,
    /// Conditions on what only songs have.
    song: Option<SongFilter>,
    /// Conditions on what only documents have.
    document: Option<DocumentFilter>,
    /// Conditions on what only chunks have.
    chunk: Option<ChunkFilter>,
}

/// Conditions on documents. Every condition that is given must hold.
#[derive(InputObject, Default)]
pub(in crate::graphql) struct DocumentFilter {
    /// Condition on the address on the web.
    url: Option<TextFilter>,
    /// Documents with at least one of these tags, written as they were sent.
    tags: Option<Vec<String>>,
    /// Language, by its name or its code: `german`, `de`.
    language: Option<TextFilter>,
}

/// Conditions on chunks. Every condition that is given must hold.
#[derive(InputObject, Default)]
pub(in crate::graphql) struct ChunkFilter {
    /// Chunks of one of these documents, at most 100 ids.
    document_ids: Option<Vec<ID>>,
    /// Conditions on the document that it is a part of.
    document: Option<DocumentFilter>,
    /// Place in its document, from 0.
    position: Option<IntRange>,
}

/// Conditions on songs. Every condition that is given must hold.
#[derive(InputObject, Default)]
pub(in crate::graphql) struct SongFilter {
    /// Condition on the performer's name.
    band: Option<TextFilter>,
    /// Condition on the album's name.
    album: Option<TextFilter>,
    /// Condition on the genre.
    genre: Option<TextFilter>,
    /// Condition on the genre within the genre.
    subgenre: Option<TextFilter>,
    /// Pitch of the key; `Db` and `C#` are the same.
    key: Option<TextFilter>,
    /// Mode of the key.
    mode: Option<Mode>,
    /// Year of release.
    year: Option<IntRange>,
    /// Beats per minute.
    tempo: Option<FloatRange>,
    /// From 0 (calm) to 1 (intense).
    energy: Option<FloatRange>,
    /// How suitable for dancing, from 0 to 1.
    danceability: Option<FloatRange>,
    /// From 0 (sad) to 1 (cheerful).
    valence: Option<FloatRange>,
    /// How surely it is acoustic, from 0 to 1.
    acousticness: Option<FloatRange>,
    /// How surely it has no vocals, from 0 to 1.
    instrumentalness: Option<FloatRange>,
    /// How surely an audience is heard, from 0 to 1.
    liveness: Option<FloatRange>,
    /// How much of it is spoken, from 0 to 1.
    speechiness: Option<FloatRange>,
    /// Decibels relative to full scale.
    loudness: Option<FloatRange>,
    /// From 0 to 100.
    popularity: Option<IntRange>,
    /// Length in milliseconds.
    duration_ms: Option<IntRange>,
    /// Songs with at least one of these moods.
    moods: Option<Vec<String>>,
}

/// How a text must look; upper and lower case are the same. Give at least one condition.
#[derive(InputObject, Clone)]
pub(in crate::graphql) struct TextFilter {
    /// Equal to this.
    eq: Option<String>,
    /// Equal to one of these, at most 100.
    #[graphql(name = "in")]
    one_of: Option<Vec<String>>,
    /// Containing this.
    contains: Option<String>,
}

/// Bounds on a whole number. Give at least one.
#[derive(InputObject)]
pub(in crate::graphql) struct IntRange {
    /// Equal to this.
    eq: Option<i32>,
    /// Greater than or equal to this.
    gte: Option<i32>,
    /// Less than or equal to this.
    lte: Option<i32>,
    /// Greater than this.
    gt: Option<i32>,
    /// Less than this.
    lt: Option<i32>,
}

/// Bounds on a number. Give at least one.
#[derive(InputObject)]
pub(in crate::graphql) struct FloatRange {
    /// Equal to this.
    eq: Option<f64>,
    /// Greater than or equal to this.
    gte: Option<f64>,
    /// Less than or equal to this.
    lte: Option<f64>,
    /// Greater than this.
    gt: Option<f64>,
    /// Less than this.
    lt: Option<f64>,
}

/// Bounds on a time, in RFC 3339 such as `2026-01-31T12:00:00Z`. Give at least one.
#[derive(InputObject)]
pub(in crate::graphql) struct TimeRange {
    /// Exactly then.
    eq: Option<DateTime<Utc>>,
    /// Then or later.
    gte: Option<DateTime<Utc>>,
    /// Then or earlier.
    lte: Option<DateTime<Utc>>,
    /// Later than this.
    gt: Option<DateTime<Utc>>,
    /// Earlier than this.
    lt: Option<DateTime<Utc>>,
}

impl ContentFilter {
    /// The condition that an optional argument stands for.
    pub(in crate::graphql) fn condition(filter: Option<Self>) -> Result<Filter> {
        filter.map_or_else(|| Ok(Filter::none()), Self::into_filter)
    }

    fn into_filter(self) -> Result<Filter> {
        let all =
            |parts: Vec<Self>| parts.into_iter().map(Self::into_filter).collect::<Result<_>>();
        let mut parts = Vec::new();
        parts.extend(self.and.map(all).transpose()?.map(Filter::All));
        parts.extend(self.or.map(all).transpose()?.map(Filter::Any));
        if let Some(part) = self.not {
            parts.push(Filter::Not(Box::new(part.into_filter()?)));
        }
        parts.extend(self.owned.map(Filter::Owned));
        push_text(&mut parts, TextField::Title, self.title)?;
        push_text(&mut parts, TextField::ExternalId, self.external_id)?;
        push_time(&mut parts, TimeField::CreatedAt, self.created_at)?;
        push_time(&mut parts, TimeField::UpdatedAt, self.updated_at)?;
        if let Some(song) = self.song {
            song.push(&mut parts)?;
        }
        if let Some(document) = self.document {
            parts.push(Filter::Kind(Kind::Document));
            document.push(&mut parts)?;
        }
        if let Some(chunk) = self.chunk {
            chunk.push(&mut parts)?;
        }
        Ok(Filter::All(parts))
    }
}

impl DocumentFilter {
    fn push(self, parts: &mut Vec<Filter>) -> Result<()> {
        push_text(parts, TextField::Url, self.url)?;
        push_text(parts, TextField::Language, self.language.map(known_languages).transpose()?)?;
        if let Some(tags) = self.tags {
            checked_count(tags.len())?;
            tags.iter().try_for_each(|tag| checked_text(tag))?;
            parts.push(Filter::Tags(tags));
        }
        Ok(())
    }
}

impl ChunkFilter {
    fn push(self, parts: &mut Vec<Filter>) -> Result<()> {
        parts.push(Filter::Kind(Kind::Chunk));
        if let Some(ids) = self.document_ids {
            checked_count(ids.len())?;
            let ids = ids.iter().map(document_id).collect::<Result<_>>()?;
            parts.push(Filter::PartOf(ids));
        }
        if let Some(document) = self.document {
            document.push(parts)?;
        }
        if let Some(FloatRange { eq, gte, lte, gt, lt }) = self.position.map(FloatRange::from) {
            let range = bounded(Range { eq, gte, lte, gt, lt })?;
            parts.push(Filter::Number(NumberField::Position, range));
        }
        Ok(())
    }
}

fn document_id(id: &ID) -> Result<Uuid> {
    let id: NodeId = id.parse()?;
    if id.kind == Kind::Document {
        return Ok(id.id);
    }
    Err(Error::invalid("where", format!("names `{id}` in `documentIds`, which is no document")))
}

/// Languages as they are stored: by name.
fn known_languages(filter: TextFilter) -> Result<TextFilter> {
    let known = |text: String| match language::named(&text) {
        Some(name) => Ok(name.to_owned()),
        None => {
            let names: Vec<_> = language::names().collect();
            let shown: String = text.chars().take(80).collect();
            let problem =
                format!("names the language `{shown}`; languages are {}", names.join(", "));
            Err(Error::invalid("where", problem))
        }
    };
    if filter.contains.is_some() {
        return Err(Error::invalid("where", "has `contains` on `language`; use `eq` or `in`"));
    }
    Ok(TextFilter {
        eq: filter.eq.map(known).transpose()?,
        one_of: filter.one_of.map(|all| all.into_iter().map(known).collect()).transpose()?,
        contains: None,
    })
}

impl SongFilter {
    fn push(self, parts: &mut Vec<Filter>) -> Result<()> {
        parts.push(Filter::Kind(Kind::Song));
        let texts = [
            (TextField::Band, self.band),
            (TextField::Album, self.album),
            (TextField::Genre, self.genre),
            (TextField::Subgenre, self.subgenre),
            (TextField::Key, self.key.map(spelled).transpose()?),
            (TextField::Mode, self.mode.map(mode)),
        ];
        for (field, text) in texts {
            push_text(parts, field, text)?;
        }
        let numbers = [
            (NumberField::Year, self.year.map(FloatRange::from)),
            (NumberField::Tempo, self.tempo),
            (NumberField::Energy, self.energy),
            (NumberField::Danceability, self.danceability),
            (NumberField::Valence, self.valence),
            (NumberField::Acousticness, self.acousticness),
            (NumberField::Instrumentalness, self.instrumentalness),
            (NumberField::Liveness, self.liveness),
            (NumberField::Speechiness, self.speechiness),
            (NumberField::Loudness, self.loudness),
            (NumberField::Popularity, self.popularity.map(FloatRange::from)),
            (NumberField::DurationMs, self.duration_ms.map(FloatRange::from)),
        ];
        for (field, range) in numbers {
            if let Some(FloatRange { eq, gte, lte, gt, lt }) = range {
                parts.push(Filter::Number(field, bounded(Range { eq, gte, lte, gt, lt })?));
            }
        }
        if let Some(moods) = self.moods {
            checked_count(moods.len())?;
            moods.iter().try_for_each(|mood| checked_text(mood))?;
            parts.push(Filter::Moods(moods.iter().map(|mood| mood.to_lowercase()).collect()));
        }
        Ok(())
    }
}

impl From<IntRange> for FloatRange {
    fn from(range: IntRange) -> Self {
        Self {
            eq: range.eq.map(f64::from),
            gte: range.gte.map(f64::from),
            lte: range.lte.map(f64::from),
            gt: range.gt.map(f64::from),
            lt: range.lt.map(f64::from),
        }
    }
}

impl From<TimeRange> for Range<DateTime<Utc>> {
    fn from(range: TimeRange) -> Self {
        let TimeRange { eq, gte, lte, gt, lt } = range;
        Self { eq, gte, lte, gt, lt }
    }
}

fn push_text(parts: &mut Vec<Filter>, field: TextField, filter: Option<TextFilter>) -> Result<()> {
    let Some(TextFilter { eq, one_of, contains }) = filter else { return Ok(()) };
    if eq.is_none() && one_of.is_none() && contains.is_none() {
        return Err(Error::invalid(
            "where",
            "has a text condition without `eq`, `in` or `contains`",
        ));
    }
    checked_count(one_of.as_ref().map_or(0, Vec::len))?;
    let all = eq.iter().chain(one_of.iter().flatten()).chain(&contains);
    for text in all {
        checked_text(text)?;
    }
    parts.push(Filter::Text(field, TextMatch { eq, one_of, contains }));
    Ok(())
}

fn push_time(
    parts: &mut Vec<Filter>,
    field: TimeField,
    range: Option<impl Into<Range<DateTime<Utc>>>>,
) -> Result<()> {
    if let Some(range) = range {
        parts.push(Filter::Time(field, bounded(range.into())?));
    }
    Ok(())
}

fn bounded<T>(range: Range<T>) -> Result<Range<T>> {
    let Range { eq, gte, lte, gt, lt } = &range;
    if [eq, gte, lte, gt, lt].iter().all(|bound| bound.is_none()) {
        return Err(Error::invalid(
            "where",
            "has a range without `eq`, `gte`, `lte`, `gt` or `lt`",
        ));
    }
    Ok(range)
}

fn checked_text(text: &str) -> Result<()> {
    if text.contains('\0') {
        return Err(Error::invalid("where", "holds a NUL character"));
    }
    if text.chars().count() > limits::QUERY_CHARS {
        let problem = format!("holds a text of more than {} characters", limits::QUERY_CHARS);
        return Err(Error::invalid("where", problem));
    }
    Ok(())
}

fn checked_count(count: usize) -> Result<()> {
    if count > limits::FILTER_VALUES {
        let problem = format!("lists {count} values; {} are allowed", limits::FILTER_VALUES);
        return Err(Error::invalid("where", problem));
    }
    Ok(())
}

/// Keys as they are stored: sharps only.
fn spelled(filter: TextFilter) -> Result<TextFilter> {
    let key = |text: String| {
        let problem = || format!("names the key `{text}`; keys are `C`, `C#`, `Db` … `B`");
        pitch_class(&text).map(str::to_owned).ok_or_else(|| Error::invalid("where", problem()))
    };
    if filter.contains.is_some() {
        return Err(Error::invalid("where", "has `contains` on `key`; use `eq` or `in`"));
    }
    Ok(TextFilter {
        eq: filter.eq.map(key).transpose()?,
        one_of: filter.one_of.map(|keys| keys.into_iter().map(key).collect()).transpose()?,
        contains: None,
    })
}

fn mode(mode: Mode) -> TextFilter {
    let mode: crate::model::music::Mode = mode.into();
    TextFilter { eq: Some(mode.as_str().to_owned()), one_of: None, contains: None }
}
