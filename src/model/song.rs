//! Songs: their fields, what is allowed in them, and the text that describes them to a model.

use sha2::{Digest, Sha256};

pub use super::field::InvalidField;
use super::field::{invalid, optional, required};
use super::limits;
use super::music::{Mode, pitch_class};

/// What only a song has. Numbers from 0 to 1 follow Spotify's audio features.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Song {
    pub band: Option<String>,
    pub album: Option<String>,
    pub genre: Option<String>,
    pub subgenre: Option<String>,
    pub year: Option<i32>,
    /// Beats per minute.
    pub tempo: Option<f64>,
    /// Pitch class, sharps only.
    pub key: Option<&'static str>,
    pub mode: Option<Mode>,
    pub energy: Option<f64>,
    pub danceability: Option<f64>,
    pub valence: Option<f64>,
    pub acousticness: Option<f64>,
    pub instrumentalness: Option<f64>,
    pub liveness: Option<f64>,
    pub speechiness: Option<f64>,
    /// Decibels relative to full scale.
    pub loudness: Option<f64>,
    /// 0 to 100.
    pub popularity: Option<i32>,
    pub duration_ms: Option<i32>,
    pub moods: Vec<String>,
    pub description: Option<String>,
}

/// A song as somebody sends it, not yet checked.
#[derive(Debug, Clone, Default)]
pub struct SongDraft {
    pub external_id: Option<String>,
    pub title: String,
    /// As it was written: `Db`, `C♯`, `a`.
    pub key: Option<String>,
    pub song: Song,
}

/// A song that keeps to every limit, with the text that describes it.
#[derive(Debug, Clone)]
pub struct NewSong {
    pub external_id: String,
    pub title: String,
    pub body: String,
    pub source_hash: [u8; 32],
    pub song: Song,
}

impl SongDraft {
    /// Checks every field and writes the describing text with `template`.
    pub fn validate(self, template: &Template) -> Result<NewSong, InvalidField> {
        let title = required("title", &self.title, limits::TITLE_CHARS)?;
        let mut song = self.song;
        song.key = match optional("key", self.key, 16)? {
            None => None,
            Some(text) => match pitch_class(&text) {
                Some(key) => Some(key),
                None => {
                    return invalid(
                        "key",
                        format!("must be a pitch such as `C`, `F#` or `Bb`, but is `{text}`"),
                    );
                }
            },
        };
        check_texts(&mut song)?;
        check_numbers(&song)?;
        let external_id = match optional("externalId", self.external_id, limits::NAME_CHARS)? {
            Some(id) => id,
            None => derived_id(&title, song.band.as_deref(), song.album.as_deref()),
        };
        let body = template.render(&title, &song);
        let source_hash = Sha256::digest(&body).into();
        Ok(NewSong { external_id, title, body, source_hash, song })
    }
}

/// Without an id of its own a song is known by its title, band and album, so that sending it again
/// updates it.
pub fn derived_id(title: &str, band: Option<&str>, album: Option<&str>) -> String {
    let mut hasher = Sha256::new();
    for part in [Some(title), band, album] {
        hasher.update(part.unwrap_or_default().to_lowercase());
        hasher.update([0]);
    }
    format!("sha256:{}", hex::encode(&hasher.finalize()[..16]))
}

fn check_texts(song: &mut Song) -> Result<(), InvalidField> {
    let fields = [
        ("band", &mut song.band),
        ("album", &mut song.album),
        ("genre", &mut song.genre),
        ("subgenre", &mut song.subgenre),
    ];
    for (name, field) in fields {
        *field = optional(name, field.take(), limits::NAME_CHARS)?;
    }
    song.description = optional("description", song.description.take(), limits::DESCRIPTION_CHARS)?;
    if song.moods.len() > limits::MOODS {
        let problem = format!("holds {} values; {} are allowed", song.moods.len(), limits::MOODS);
        return invalid("moods", problem);
    }
    let mut moods = Vec::with_capacity(song.moods.len());
    for mood in std::mem::take(&mut song.moods) {
        // The store keeps moods apart with this character.
        let mood = mood.to_lowercase().replace('\u{1f}', " ");
        moods.extend(optional("moods", Some(mood), 100)?);
    }
    song.moods = moods;
    Ok(())
}

fn check_numbers(song: &Song) -> Result<(), InvalidField> {
    let unit = [
        ("energy", song.energy),
        ("danceability", song.danceability),
        ("valence", song.valence),
        ("acousticness", song.acousticness),
        ("instrumentalness", song.instrumentalness),
        ("liveness", song.liveness),
        ("speechiness", song.speechiness),
    ];
    for (field, value) in unit {
        within(field, value, 0.0, 1.0)?;
    }
    within("year", song.year.map(f64::from), 0.0, 2100.0)?;
    within("loudness", song.loudness, -100.0, 20.0)?;
    within("popularity", song.popularity.map(f64::from), 0.0, 100.0)?;
    within("durationMs", song.duration_ms.map(f64::from), 0.0, 86_400_000.0)?;
    within("tempo", song.tempo, f64::MIN_POSITIVE, 1000.0)
}

fn within(
    field: &'static str,
    value: Option<f64>,
    low: f64,
    high: f64,
) -> Result<(), InvalidField> {
    match value {
        Some(value) if !(low..=high).contains(&value) => {
            let low = if low.is_normal() && low < 1e-300 {
                "above 0".to_owned()
            } else {
                format!("from {low}")
            };
            invalid(field, format!("must be {low} to {high}, but is {value}"))
        }
        Some(_) | None => Ok(()),
    }
}

/// How a song becomes the text that is embedded: pieces in braces vanish where a field is missing.
#[derive(Debug, Clone)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone)]
struct Piece {
    before: String,
    field: TemplateField,
    after: String,
}

/// The fields that a template may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TemplateField {
    Title,
    Band,
    Album,
    Genre,
    Subgenre,
    Year,
    Decade,
    Moods,
    Description,
}

impl TemplateField {
    const ALL: [(&'static str, Self); 9] = [
        ("title", Self::Title),
        ("band", Self::Band),
        ("album", Self::Album),
        ("genre", Self::Genre),
        ("subgenre", Self::Subgenre),
        ("year", Self::Year),
        ("decade", Self::Decade),
        ("moods", Self::Moods),
        ("description", Self::Description),
    ];

    fn value(self, title: &str, song: &Song) -> Option<String> {
        match self {
            Self::Title => Some(title.to_owned()),
            Self::Band => song.band.clone(),
            Self::Album => song.album.clone().filter(|album| album != title),
            Self::Genre => song.genre.clone(),
            Self::Subgenre => song.subgenre.clone(),
            Self::Year => song.year.map(|year| year.to_string()),
            Self::Decade => song.year.map(|year| format!("{}s", year - year % 10)),
            Self::Moods => (!song.moods.is_empty()).then(|| song.moods.join(", ")),
            Self::Description => song.description.clone(),
        }
    }
}

/// A template cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the song template `{template}` {problem}")]
pub struct TemplateError {
    template: String,
    problem: String,
}

impl Template {
    /// What a song is described by unless the operator says otherwise.
    pub const DEFAULT: &'static str = "[{title}][ by {band}].[ Genre: {genre}][, {subgenre}][. Mood: {moods}][. {decade}][. Album: {album}][. {description}]";

    /// Reads a template: each `[…]` holds one `{field}` and vanishes when the field is missing.
    pub fn parse(template: &str) -> Result<Self, TemplateError> {
        let fail = |problem: String| TemplateError { template: template.to_owned(), problem };
        let mut pieces = Vec::new();
        let mut rest = template;
        let mut lead = String::new();
        while let Some(open) = rest.find('[') {
            lead.push_str(&rest[..open]);
            let close = rest[open..]
                .find(']')
                .ok_or_else(|| fail("has a `[` without its `]`".to_owned()))?;
            let mut piece = parse_piece(&rest[open + 1..open + close]).map_err(fail)?;
            piece.before.insert_str(0, &std::mem::take(&mut lead));
            pieces.push(piece);
            rest = &rest[open + close + 1..];
        }
        if pieces.is_empty() {
            return Err(fail("names no field; try `[{title}][ by {band}]`".to_owned()));
        }
        Ok(Self { pieces })
    }

    /// The describing text, at most [`limits::SONG_TEXT_CHARS`] characters.
    pub fn render(&self, title: &str, song: &Song) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            if let Some(value) = piece.field.value(title, song) {
                text.push_str(&piece.before);
                text.push_str(&value);
                text.push_str(&piece.after);
            }
        }
        if text.is_empty() {
            title.clone_into(&mut text);
        }
        match text.char_indices().nth(limits::SONG_TEXT_CHARS) {
            Some((end, _)) => text[..end].trim_end().to_owned(),
            None => text,
        }
    }
}

impl Default for Template {
    fn default() -> Self {
        Self::parse(Self::DEFAULT).expect("the built-in template is tested")
    }
}

fn parse_piece(piece: &str) -> Result<Piece, String> {
    let parts = piece
        .split_once('{')
        .and_then(|(before, rest)| rest.split_once('}').map(|(name, after)| (before, name, after)));
    let Some((before, name, after)) = parts else {
        return Err(format!("has the piece `[{piece}]`, which names no `{{field}}`"));
    };
    let known = TemplateField::ALL;
    match known.iter().find(|(known, _)| *known == name) {
        Some((_, field)) => {
            Ok(Piece { before: before.to_owned(), field: *field, after: after.to_owned() })
        }
        None => {
            let names: Vec<_> = known.iter().map(|(name, _)| *name).collect();
            Err(format!("names the field `{name}`; fields are {}", names.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> SongDraft {
        let song = Song {
            band: Some("Queen".into()),
            genre: Some("rock".into()),
            year: Some(1978),
            ..Song::default()
        };
        SongDraft { title: "Don't Stop Me Now".into(), song, ..SongDraft::default() }
    }

    #[test]
    fn the_text_names_what_is_known_and_skips_what_is_not() {
        let song = draft().validate(&Template::default()).unwrap();
        assert_eq!(song.body, "Don't Stop Me Now by Queen. Genre: rock. 1970s");
    }

    #[test]
    fn the_text_is_cut_at_its_limit() {
        let mut draft = draft();
        draft.song.description = Some("é".repeat(2_000));
        let song = draft.validate(&Template::default()).unwrap();
        assert_eq!(song.body.chars().count(), limits::SONG_TEXT_CHARS);
    }

    #[test]
    fn a_wrong_field_is_named_with_its_value_and_what_is_allowed() {
        let mut draft = draft();
        draft.song.energy = Some(1.5);
        let error = draft.validate(&Template::default()).unwrap_err();
        assert_eq!(error.to_string(), "`energy` must be from 0 to 1, but is 1.5");
    }

    #[test]
    fn a_template_with_an_unknown_field_is_refused_with_the_known_ones() {
        let error = Template::parse("[{artist}]").unwrap_err().to_string();
        assert!(error.contains("`artist`") && error.contains("band"), "{error}");
    }

    #[test]
    fn a_song_without_an_id_is_known_by_title_band_and_album() {
        let id = |title: &str| {
            let draft = SongDraft { title: title.into(), ..draft() };
            draft.validate(&Template::default()).unwrap().external_id
        };
        assert_eq!(id("Bicycle Race"), id("BICYCLE RACE"));
        assert_ne!(id("Bicycle Race"), id("Bicycle"));
    }
}
