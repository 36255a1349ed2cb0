//! Public files as they were published, where `KINDRED_TEST_DATA` names the folder that has them.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use super::support::{Place, Server};

/// Lines that are taken, so that the test stays quick.
const LINES: usize = 3_000;

/// The first lines of a file; `None` where it is not there.
fn head(file: &str) -> Option<Vec<u8>> {
    let folder = PathBuf::from(std::env::var_os("KINDRED_TEST_DATA")?);
    let bytes = fs::read(folder.join("songs").join(file)).ok()?;
    Some(bytes.split_inclusive(|byte| *byte == b'\n').take(LINES).flatten().copied().collect())
}

#[test]
fn songs_as_published_are_taken_completely() {
    let Some(bytes) = head("spotify_songs.csv") else {
        println!("skipped: KINDRED_TEST_DATA names no folder with songs/spotify_songs.csv");
        return;
    };
    let place = Place::new();
    let _server = Server::start(&place, &[]);
    let file = place.file("spotify_songs.csv", bytes);
    let result = place.run(&["ingest", "songs", &file, "--json"]).with_code(0).json();
    assert_eq!((&result["rejected"], &result["failedToEmbed"]), (&json!(0), &json!(0)));
    let number = |name: &str| result[name].as_i64().unwrap();
    assert_eq!(number("created") + number("merged"), number("read"));
    for (field, column) in
        [("title", "track_name"), ("tempo", "tempo"), ("year", "track_album_release_date")]
    {
        assert_eq!(result["columns"][field], column);
    }
    assert_eq!(place.songs(), (number("created"), number("created")));
    let again = place.run(&["ingest", "songs", &file, "--json"]).with_code(0).json();
    assert_eq!((&again["created"], &again["updated"]), (&json!(0), &json!(0)));
    assert_eq!(again["unchanged"], result["created"]);
}

#[test]
fn a_file_in_windows_1252_is_read_as_it_was_meant() {
    let Some(bytes) = head("spotify_songs_windows1252.csv") else {
        println!(
            "skipped: KINDRED_TEST_DATA names no folder with songs/spotify_songs_windows1252.csv"
        );
        return;
    };
    let place = Place::new();
    let _server = Server::start(&place, &[]);
    let file = place.file("songs.csv", bytes);
    let result = place.run(&["ingest", "songs", &file, "--json"]);
    let result = result.json();
    assert_eq!(result["encoding"], "windows-1252");
    assert_eq!(result["failedToEmbed"], 0);
    let number = |name: &str| result[name].as_i64().unwrap();
    assert_eq!(number("created") + number("merged") + number("rejected"), number("read"));
    assert_eq!(place.songs(), (number("created"), number("created")));
    // The file has no id column: a song is known by its title, band and album.
    let again = place.run(&["ingest", "songs", &file, "--json"]).json();
    assert_eq!((&again["created"], &again["updated"]), (&json!(0), &json!(0)));
}
