//! CSV files as people really send them.

use encoding_rs::UTF_8;
use serde_json::{Value, json};

use super::{Error, Fault, Limits, Options, Reject, SONG_COLUMNS, Summary, open};

const KIB: usize = 1 << 10;

fn options() -> Options {
    let limits = Limits { row_bytes: KIB, reread_bytes: 100 << 10 };
    Options { limits, ..Options::new(SONG_COLUMNS) }
}

struct Read {
    rows: Vec<(u64, Value)>,
    rejects: Vec<Reject>,
    summary: Summary,
}

impl Read {
    fn titles(&self) -> Vec<&str> {
        self.rows.iter().filter_map(|(_, row)| row["title"].as_str()).collect()
    }

    fn reasons(&self) -> Vec<String> {
        self.rejects.iter().map(Reject::to_string).collect()
    }
}

fn read_with(content: impl AsRef<[u8]>, options: &Options) -> Result<Read, Error> {
    let mut rows = open(content.as_ref(), "songs.csv", options)?;
    let (mut taken, mut rejects) = (Vec::new(), Vec::new());
    for row in rows.by_ref() {
        match row {
            Ok(row) => taken.push((row.line, Value::Object(row.fields))),
            Err(Fault::Rejected(reject)) => rejects.push(reject),
            Err(Fault::Fatal(error)) => return Err(error),
        }
    }
    Ok(Read { rows: taken, rejects, summary: rows.summary() })
}

fn read(content: impl AsRef<[u8]>) -> Read {
    read_with(content, &options()).unwrap()
}

fn error(content: impl AsRef<[u8]>) -> String {
    read_with(content, &options()).err().unwrap().to_string()
}

#[test]
fn a_row_becomes_fields_of_the_api() {
    let read = read(
        "track_id,track_name,track_artist,key,mode,tempo,duration_ms,playlist_name,released,energy,moods\r\n\
         7x, Halo ,Beyoncé,6,1,79.98,261640,Pop Remix,2008-11-18,0.72,calm;warm\r\n",
    );
    let fields = json!({
        "externalId": "7x", "title": "Halo", "band": "Beyoncé", "key": "F#", "mode": "MAJOR",
        "tempo": 79.98, "durationMs": 261_640, "year": 2008, "energy": 0.72,
        "moods": ["calm", "warm"],
    });
    assert_eq!(read.rows, [(2, fields)]);
    assert_eq!(read.summary.unmapped, ["playlist_name"]);
    assert_eq!((read.summary.delimiter, read.summary.encoding), (Some(','), "UTF-8"));
}

#[test]
fn a_mode_of_its_own_outweighs_the_mode_of_the_key() {
    let read = read("mode,title,key\n1,A,Am\n,B,Am\n");
    assert_eq!(read.rows[0].1["mode"], "MAJOR");
    assert_eq!(read.rows[1].1["mode"], "MINOR");
}

#[test]
fn the_delimiter_is_found_in_the_header() {
    for (delimiter, content) in [
        (',', "title,band\na,b"),
        (';', "title;band, the;genre\na;b;c"),
        ('\t', "title\tband\na\tb"),
        ('|', "\ntitle|band\na|b"),
        (',', "title\na"),
        (';', "\"title\";\"a, b, c, d\"\na;b"),
    ] {
        let read = read(content);
        assert_eq!((read.summary.delimiter, read.titles()), (Some(delimiter), vec!["a"]));
    }
}

#[test]
fn quoted_fields_may_hold_line_breaks_quotes_and_delimiters() {
    let read = read("title,description\r\n\"a, \"\"b\"\"\",\"one\r\ntwo\"\r\n12\" mix,c\r\n");
    assert_eq!(read.titles(), ["a, \"b\"", "12\" mix"]);
    assert_eq!(read.rows[0].1["description"], "one\r\ntwo");
    assert_eq!((read.rows[0].0, read.rows[1].0), (2, 4));
}

#[test]
fn line_endings_of_every_system_are_read() {
    for content in ["title\na\n\nb", "title\r\na\r\n\r\nb\r\n", "title\ra\r\rb\r"] {
        assert_eq!(read(content).titles(), ["a", "b"], "{content:?}");
    }
}

#[test]
fn a_row_with_an_open_quote_costs_no_other_row() {
    let read = read("title,band\na,b\n\"open,c\nd,e\nf,g");
    assert_eq!(read.titles(), ["a", "d", "f"]);
    assert_eq!(
        read.reasons(),
        ["line 3: a quote opened in line 3 is not closed before the end of the file"]
    );
    assert_eq!(read.rejects[0].raw, "\"open,c");
}

#[test]
fn an_open_quote_is_given_up_at_the_limit() {
    let content = format!("title,band\n\"open,c\n{}", "d,e\n".repeat(400));
    let read = read(content);
    assert_eq!(read.rows.len(), 400);
    let reason = "line 2: a quote opened in line 2 is not closed within 1 KiB";
    assert_eq!(read.reasons(), [reason]);
}

#[test]
fn an_open_quote_that_a_later_row_closes_is_noticed() {
    let read = read("title,band\n\"open,c\nd,\"e\"\nf,g\n\"open,c\n\"h\",i\n");
    assert_eq!(read.titles(), ["d", "f", "h"]);
    assert_eq!(
        read.reasons(),
        [
            "line 2: a quote opened here runs on to line 3, where the row has 1 columns, but the header has 2",
            "line 5: a quote opened here runs on to line 6 and is closed within a text"
        ]
    );
}

#[test]
fn a_file_of_open_quotes_does_not_take_quadratic_time() {
    let content = format!("title,band\n{}", "x\"y,\"z\"\"\n".repeat(2_000));
    let error = error(content);
    assert_eq!(
        error,
        "too many quotes are left open, the first in line 2; check how the file writes quotes"
    );
}

#[test]
fn a_field_past_the_limit_is_rejected_and_reading_goes_on() {
    let long = "x".repeat(10 << 20);
    let options = Options::new(SONG_COLUMNS);
    for (content, reason) in [
        (format!("title\na\n{long}\nb"), "line 3: the row is longer than 1 MiB"),
        (
            format!("title\na\n\"{long}\"\nb"),
            "line 3: a quote opened in line 3 is not closed within 1 MiB",
        ),
    ] {
        let read = read_with(content, &options).unwrap();
        assert_eq!((read.titles(), read.reasons()), (vec!["a", "b"], vec![reason.to_owned()]));
        assert_eq!(read.rejects[0].raw.len(), 1 << 20);
    }
}

#[test]
fn a_row_of_another_width_is_rejected_with_both_counts() {
    let read = read("title,band\na\nb,c,d\n,\ne,f");
    assert_eq!(read.titles(), ["e"]);
    assert_eq!(
        read.reasons(),
        [
            "line 2: the row has 1 columns, but the header has 2",
            "line 3: the row has 3 columns, but the header has 2"
        ]
    );
    assert_eq!(read.rejects[1].raw, "b,c,d");
}

#[test]
fn windows_1252_is_read_row_by_row() {
    let mut content = b"title,band\nplain,ascii\n".to_vec();
    content.extend("utf8,Tiësto\n".as_bytes());
    content.extend(b"latin,Beyonc\xe9 \x80\n");
    let read = read(content);
    let bands: Vec<_> = read.rows.iter().map(|(_, row)| row["band"].as_str().unwrap()).collect();
    assert_eq!(bands, ["ascii", "Tiësto", "Beyoncé €"]);
    assert_eq!((read.summary.encoding, read.summary.recoded_rows), ("windows-1252", 1));
}

#[test]
fn windows_1252_behind_a_long_plain_start_is_still_read() {
    let mut content = b"title,band\n".to_vec();
    content.extend(b"plain,ascii\n".repeat(10_000));
    content.extend(b"last,Beyonc\xe9");
    let read = read(content);
    assert_eq!(read.rows.last().unwrap().1["band"], "Beyoncé");
    assert_eq!(read.summary.encoding, "UTF-8");
}

#[test]
fn a_rejected_row_shows_its_own_characters() {
    let read = read(b"title,energy\nBeyonc\xe9,7");
    assert_eq!(read.rejects[0].raw, "Beyoncé,7");
    assert_eq!(read.reasons(), ["line 2: `energy` must be between 0 and 1, but is `7`"]);
    assert_eq!(read.rejects[0].column.as_deref(), Some("energy"));
}

#[test]
fn bytes_that_are_not_in_the_wanted_encoding_are_rejected() {
    let options = Options { encoding: Some(UTF_8), ..options() };
    let read = read_with(b"title\na\nBeyonc\xe9", &options).unwrap();
    assert_eq!(read.titles(), ["a"]);
    assert_eq!(read.reasons(), ["line 3: the row is not valid UTF-8 from byte 7 on"]);
}

#[test]
fn byte_order_marks_are_no_part_of_the_first_column() {
    let utf16: Vec<u8> =
        "\u{FEFF}title\tband\r\nZoé\tb\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(read(utf16).titles(), ["Zoé"]);
    assert_eq!(read("\u{FEFF}\"title\",band\nZoé,b").titles(), ["Zoé"]);
}

#[test]
fn values_that_cannot_be_stored_are_rejected_with_their_column() {
    let long = "é".repeat(501);
    let read = read(format!("track_name,band\na\0b,c\n,d\n{long},e\nf,g\n"));
    assert_eq!(read.titles(), ["f"]);
    assert_eq!(
        read.reasons(),
        [
            "line 2: `track_name` holds a NUL character, which cannot be stored",
            "line 3: `track_name` must not be empty",
            "line 4: `track_name` has 501 characters; 500 are allowed"
        ]
    );
}

#[test]
fn what_is_not_known_is_left_out() {
    let read = read("title,band,tempo,key,energy,year,loudness\nNA,,0,-1,NA,0,null\n");
    assert_eq!(read.rows, [(2, json!({ "title": "NA" }))]);
}

#[test]
fn a_file_without_rows_or_title_is_refused() {
    assert_eq!(error(""), "there are no rows: the file is empty");
    assert_eq!(error("\u{FEFF}\n\n"), "there are no rows: the file is empty");
    assert_eq!(
        error("title,band\n\n"),
        "there are no rows: the file has a header and nothing else"
    );
    assert_eq!(
        error("tune,band\na,b"),
        "no column gives `title`; columns are `tune`, `band`; map one of them, as in `title=tune`"
    );
    assert!(error("\"title,band\na,b").starts_with("the header cannot be read: a quote"));
}

#[test]
fn a_mapping_by_the_caller_is_used() {
    let mapping = vec![("name".to_owned(), "tune".to_owned())];
    let options = Options { mapping, ..options() };
    let read = read_with("tune,title\na,b", &options).unwrap();
    assert_eq!(read.titles(), ["a"]);
    assert_eq!(read.summary.mapping, [("title", "tune".to_owned())]);
    assert_eq!(read.summary.header.as_deref(), Some("tune,title"));
}
