//! JSON files as people really send them.

use serde_json::{Value, json};

use super::{Error, Fault, Limits, Options, SONG_COLUMNS, Summary, open};

struct Read {
    rows: Vec<(u64, Value)>,
    reasons: Vec<String>,
    summary: Summary,
}

fn try_read(content: impl AsRef<[u8]>) -> Result<Read, Error> {
    let limits = Limits { row_bytes: 1 << 10, ..Limits::default() };
    let options = Options { limits, ..Options::new(SONG_COLUMNS) };
    let mut rows = open(content.as_ref(), "songs.json", &options)?;
    let (mut taken, mut reasons) = (Vec::new(), Vec::new());
    for row in rows.by_ref() {
        match row {
            Ok(row) => taken.push((row.line, Value::Object(row.fields))),
            Err(Fault::Rejected(reject)) => reasons.push(reject.to_string()),
            Err(Fault::Fatal(error)) => return Err(error),
        }
    }
    Ok(Read { rows: taken, reasons, summary: rows.summary() })
}

fn read(content: impl AsRef<[u8]>) -> Read {
    try_read(content).unwrap()
}

fn error(content: &str) -> String {
    try_read(content).err().unwrap().to_string()
}

#[test]
fn every_line_is_an_object_with_keys_as_in_csv() {
    let read = read(
        "{\"track_name\": \"Halo\", \"artists\": [\"Beyoncé\", \"Jay\"], \"bpm\": 79.98, \"id\": 7}\r\n\
         \n\
         {\"track_name\": 1989, \"key\": \"Am\", \"moods\": [\"calm\", null], \"energy\": null, \"x\": {}}",
    );
    let first =
        json!({ "title": "Halo", "band": "Beyoncé, Jay", "tempo": 79.98, "externalId": "7" });
    let second = json!({ "title": "1989", "key": "A", "mode": "MINOR", "moods": ["calm"] });
    assert_eq!(read.rows, [(1, first), (3, second)]);
    assert_eq!(read.summary.unmapped, ["x"]);
}

#[test]
fn a_line_that_is_no_json_is_rejected_with_its_place() {
    let read = read(
        "{\"title\": \"a\"}\n{\"title\": \"b\",}\n[1]\n{\"title\": \"\\ud800\"}\n{\"title\": \"c\"}\n",
    );
    assert_eq!(read.rows.len(), 2);
    assert_eq!(
        read.reasons[..2],
        [
            "line 2: the row is not valid JSON at line 2, column 15: trailing comma",
            "line 3: the row must be an object, but is an array"
        ]
    );
    assert!(read.reasons[2].starts_with("line 4: the row is not valid JSON at line 4"));
}

#[test]
fn an_array_of_objects_is_streamed() {
    let read = read(
        " [\n  {\"title\": \"a, ]\\\" }\",\n   \"moods\": [\"calm\"]},\n  {\"title\": \"b\"}{\"title\": \"c\"}, 7,\n  {\"title\": x},\n  {\"title\": \"d\"}\n]\n",
    );
    let titles: Vec<_> = read.rows.iter().map(|(line, row)| (*line, &row["title"])).collect();
    assert_eq!(titles[0], (2, &json!("a, ]\" }")));
    assert_eq!(titles[1..].iter().map(|(line, _)| *line).collect::<Vec<_>>(), [4, 4, 6]);
    assert_eq!(
        read.reasons,
        [
            "line 4: the row must be an object, but is a number",
            "line 5: the row is not valid JSON at line 5, column 13: expected value"
        ]
    );
}

#[test]
fn an_array_that_is_cut_off_says_so() {
    let read = read("[{\"title\": \"a\"},\n");
    assert_eq!(read.rows.len(), 1);
    assert_eq!(read.reasons, ["line 2: the array is not closed; the file may be cut off"]);
}

#[test]
fn a_string_without_its_quote_costs_one_element() {
    let read = read("[\n{\"title\": \"a\"},\n{\"title\": \"b},\n{\"title\": \"c\"}]");
    assert_eq!(read.rows.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 4]);
    assert_eq!(read.reasons.len(), 1);
    assert!(read.reasons[0].starts_with("line 3: the row is not valid JSON at line "));
}

#[test]
fn a_bracket_left_over_from_a_broken_element_does_not_end_the_array() {
    let read = read("[{\"title\": \"a\", \"moods\": [\"x,\n\"y\"\n]},\n{\"title\": \"b\"}]\n");
    assert_eq!(read.rows.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [4]);
}

#[test]
fn an_object_past_the_limit_is_rejected() {
    let long = format!("{{\"title\": \"{}\"}}", "x".repeat(5_000));
    for content in
        [format!("{{\"title\": \"a\"}}\n{long}\n"), format!("[{{\"title\": \"a\"}},\n{long}]")]
    {
        let read = read(content);
        assert_eq!(read.rows.len(), 1);
        assert_eq!(read.reasons, ["line 2: the row is longer than 1 KiB"]);
    }
}

#[test]
fn values_of_a_wrong_type_are_rejected_with_their_key() {
    let read = read(
        "{\"title\": \"a\", \"bpm\": {}}\n{\"title\": \"a\", \"mood\": [[]]}\n{\"title\": \"a\\u0000\"}\n{\"title\": null}\n{\"bpm\": 3}\n",
    );
    assert_eq!(
        read.reasons,
        [
            "line 1: `bpm` must not be an object",
            "line 2: `mood` must not hold objects or lists",
            "line 3: `title` holds a NUL character, which cannot be stored",
            "line 4: `title` must not be empty",
            "line 5: `title` must not be empty"
        ]
    );
}

#[test]
fn a_key_that_shows_up_late_is_still_read_or_listed() {
    let content = "{\"title\": \"a\"}\n".repeat(150)
        + "{\"title\": \"b\", \"bpm\": 90, \"shoe\": 1, \"name\": \"c\"}\n";
    let read = read(content);
    assert_eq!(read.rows[150].1, json!({ "title": "b", "tempo": 90.0 }));
    assert_eq!(read.summary.unmapped, ["name", "shoe"]);
}

#[test]
fn windows_1252_and_byte_order_marks_are_read_as_in_csv() {
    assert_eq!(read(b"{\"title\": \"Beyonc\xe9\"}").rows[0].1["title"], "Beyoncé");
    assert_eq!(read("\u{FEFF}[{\"title\": \"Zoé\"}]").rows[0].1["title"], "Zoé");
}

#[test]
fn a_file_without_objects_is_refused() {
    assert_eq!(error(""), "there are no rows: the file holds no object");
    assert_eq!(error("[ ]"), "there are no rows: the file holds no object");
    assert_eq!(
        error("{\n  \"title\": \"a\"\n}"),
        "there is no JSON object at the start of the file: line 1: the row is not valid JSON at line 1, column 1: EOF while parsing an object; write one object per line, or one array of objects"
    );
    assert_eq!(
        error("{\"songs\": []}"),
        "no column gives `title`; columns are `songs`; map one of them, as in `title=songs`"
    );
}
