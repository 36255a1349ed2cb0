//! What a file of songs can give.

use crate::model::limits;

use super::cell::{Cell, Column, Need};
use super::{Fields, music_cells};

type Read = fn(&Cell<'_>, &mut Fields) -> Result<(), String>;

const MOOD_CHARS: usize = 100;

/// The fields of a song. A key goes before the mode, for a mode of its own outweighs that of `Am`.
pub const SONG_COLUMNS: &[Column] = &[
    optional(
        "externalId",
        &[
            "trackid",
            "id",
            "spotifyid",
            "songid",
            "spotifytrackid",
            "trackuri",
            "spotifyuri",
            "uri",
        ],
        name,
    ),
    Column {
        field: "title",
        need: Need::Required,
        synonyms: &["trackname", "name", "song", "songname", "songtitle", "tracktitle", "track"],
        read: |cell, fields| cell.put_text(fields, limits::TITLE_CHARS),
    },
    optional(
        "band",
        &[
            "trackartist",
            "artist",
            "artists",
            "artistname",
            "artistnames",
            "artistsname",
            "trackartists",
            "performer",
            "singer",
        ],
        name,
    ),
    optional("album", &["trackalbumname", "albumname", "albumtitle", "trackalbum"], name),
    optional("genre", &["playlistgenre", "trackgenre", "genres", "topgenre", "artistgenres"], name),
    optional("subgenre", &["playlistsubgenre", "style", "subgenres"], name),
    optional(
        "year",
        &[
            "trackalbumreleasedate",
            "releasedate",
            "albumreleasedate",
            "released",
            "releasedyear",
            "releaseyear",
            "date",
        ],
        music_cells::put_year,
    ),
    optional("tempo", &["bpm", "beatsperminute"], music_cells::put_tempo),
    optional("key", &["musicalkey", "keysignature"], music_cells::put_key),
    optional("mode", &["musicalmode"], music_cells::put_mode),
    optional("energy", &[], share),
    optional("danceability", &[], share),
    optional("valence", &["positivity"], share),
    optional("acousticness", &[], share),
    optional("instrumentalness", &[], share),
    optional("liveness", &[], share),
    optional("speechiness", &[], share),
    optional("loudness", &["loudnessdb"], |cell, fields| cell.put_number(fields, -100.0..=20.0)),
    optional("popularity", &["trackpopularity", "songpopularity"], |cell, fields| {
        if let Some(popularity) = cell.whole_within(0..=100)? {
            cell.put(fields, popularity);
        }
        Ok(())
    }),
    optional(
        "durationMs",
        &[
            "duration",
            "length",
            "durationsec",
            "durationseconds",
            "durations",
            "durationmin",
            "lengthms",
            "lengthseconds",
            "trackdurationms",
        ],
        music_cells::put_duration,
    ),
    optional("moods", &["mood", "tags"], |cell, fields| {
        cell.put_list(fields, limits::MOODS, MOOD_CHARS)
    }),
    optional("description", &["lyricssummary", "summary", "trackdescription"], |cell, fields| {
        cell.put_text(fields, limits::DESCRIPTION_CHARS)
    }),
];

const fn optional(field: &'static str, synonyms: &'static [&'static str], read: Read) -> Column {
    Column { field, need: Need::Optional, synonyms, read }
}

fn name(cell: &Cell<'_>, fields: &mut Fields) -> Result<(), String> {
    cell.put_text(fields, limits::NAME_CHARS)
}

fn share(cell: &Cell<'_>, fields: &mut Fields) -> Result<(), String> {
    cell.put_share(fields)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::mapping::normal;
    use super::*;

    #[test]
    fn every_name_belongs_to_one_field_and_is_in_plain_form() {
        let mut names = HashSet::new();
        for column in SONG_COLUMNS {
            assert!(names.insert(normal(column.field)), "{}", column.field);
            for synonym in column.synonyms {
                assert_eq!(normal(synonym), *synonym);
                assert!(names.insert((*synonym).to_owned()), "{synonym}");
            }
        }
    }
}
