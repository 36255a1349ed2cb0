//! The list `songs`: filters, orders, pages.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{TestApp, catalogue, texts, titles};

const FILTERED: &str = "query ($where: ContentFilter) {
    songs(where: $where, first: 100) { totalCount nodes { externalId } } }";

async fn assert_finds(app: &TestApp, filter: &Value, expected: &[&str]) {
    let answer = app.anonymous().query(FILTERED, json!({ "where": filter })).await;
    let found: BTreeSet<String> =
        texts(&answer["songs"]["nodes"], "externalId").into_iter().collect();
    let expected: BTreeSet<String> = expected.iter().map(|id| (*id).to_owned()).collect();
    assert_eq!(found, expected, "{filter}");
    assert_eq!(answer["songs"]["totalCount"], expected.len(), "{filter}");
}

#[tokio::test]
async fn every_condition_lets_exactly_its_songs_through() {
    let app = TestApp::with_songs().await;
    let song = |condition: Value| json!({ "song": condition });
    let cases: Vec<(Value, &[&str])> = vec![
        (song(json!({ "genre": { "eq": "METAL" } })), &["metal", "thrash"]),
        (
            song(json!({ "genre": { "in": ["Techno", "lullaby"] } })),
            &["lullaby", "cradle", "techno"],
        ),
        (song(json!({ "genre": { "contains": "NOVA" } })), &["bossa", "samba"]),
        (song(json!({ "genre": { "contains": "%" } })), &[]),
        (song(json!({ "band": { "eq": "iron skull" } })), &["metal", "thrash"]),
        (song(json!({ "album": { "eq": "Cradle" } })), &["lullaby", "cradle"]),
        (song(json!({ "key": { "eq": "C#" } })), &["bossa"]),
        (song(json!({ "key": { "eq": "Db" } })), &["bossa"]),
        (song(json!({ "mode": "MAJOR" })), &["lullaby", "cradle", "bossa"]),
        (song(json!({ "year": { "gte": 1962, "lt": 1986 } })), &["bossa", "samba"]),
        (song(json!({ "year": { "eq": 1986 } })), &["metal"]),
        (song(json!({ "tempo": { "gt": 190 } })), &["metal"]),
        (song(json!({ "tempo": { "gte": 190, "lte": 200 } })), &["metal", "thrash"]),
        (song(json!({ "energy": { "lte": 0.08 } })), &["lullaby", "cradle"]),
        (song(json!({ "danceability": { "gt": 0.9 } })), &["techno"]),
        (song(json!({ "valence": { "gt": 0.6 } })), &["bossa", "samba"]),
        (song(json!({ "instrumentalness": { "gt": 0.5 } })), &["techno"]),
        (song(json!({ "popularity": { "lt": 20 } })), &["lullaby"]),
        (song(json!({ "durationMs": { "gte": 300_000 } })), &["metal", "techno"]),
        (song(json!({ "moods": ["Calm", "dark"] })), &["lullaby", "cradle", "bossa", "metal"]),
        (song(json!({ "moods": [] })), &[]),
        (json!({ "title": { "contains": "song" } }), &["cradle"]),
        (json!({ "externalId": { "in": ["bare", "metal", "nowhere"] } }), &["bare", "metal"]),
        (
            json!({ "createdAt": { "gt": "2000-01-01T00:00:00Z" }, "externalId": { "eq": "bare" } }),
            &["bare"],
        ),
        (json!({ "updatedAt": { "lt": "2000-01-01T00:00:00Z" } }), &[]),
        (json!({ "owned": true }), &[]),
    ];
    for (filter, expected) in cases {
        assert_finds(&app, &filter, expected).await;
    }
}

#[tokio::test]
async fn conditions_are_joined_by_and_or_and_not() {
    let app = TestApp::with_songs().await;
    let metal = json!({ "song": { "genre": { "eq": "metal" } } });
    let old = json!({ "song": { "year": { "lt": 1987 } } });
    let all = ["lullaby", "cradle", "metal", "thrash", "bossa", "samba", "techno", "bare"];
    assert_finds(&app, &json!({}), &all).await;
    assert_finds(&app, &json!({ "and": [metal, old] }), &["metal"]).await;
    assert_finds(&app, &json!({ "and": [] }), &all).await;
    assert_finds(&app, &json!({ "or": [] }), &[]).await;
    let either = json!({ "or": [metal, { "externalId": { "eq": "bare" } }] });
    assert_finds(&app, &either, &["metal", "thrash", "bare"]).await;
    // What has no genre is no metal either.
    let not = ["lullaby", "cradle", "bossa", "samba", "techno", "bare"];
    assert_finds(&app, &json!({ "not": metal }), &not).await;
    assert_finds(&app, &json!({ "not": { "not": metal } }), &["metal", "thrash"]).await;
    let nested =
        json!({ "and": [{ "not": { "or": [metal, old] } }, { "song": { "tempo": { "gt": 1 } } }] });
    assert_finds(&app, &nested, &["techno"]).await;
}

#[tokio::test]
async fn a_condition_that_says_nothing_or_too_much_is_refused() {
    let app = TestApp::start().await;
    let many: Vec<String> = (0..101).map(|index| index.to_string()).collect();
    let conditions: Vec<Value> = (0..101).map(|_| json!({ "owned": false })).collect();
    let cases = [
        (json!({ "title": {} }), "`where`"),
        (json!({ "song": { "year": {} } }), "`where`"),
        (json!({ "createdAt": {} }), "`where`"),
        (json!({ "title": { "in": many } }), "101"),
        (json!({ "song": { "moods": many } }), "101"),
        (json!({ "and": conditions }), "100"),
        (json!({ "title": { "eq": "a\u{0}b" } }), "NUL"),
        (json!({ "title": { "contains": "x".repeat(2_001) } }), "2000"),
        (json!({ "song": { "key": { "eq": "H" } } }), "`H`"),
        (json!({ "song": { "key": { "contains": "C" } } }), "`key`"),
    ];
    for (filter, word) in cases {
        let answer = app.anonymous().query(FILTERED, json!({ "where": filter })).await;
        answer.assert_error("INVALID_ARGUMENT", &[word]);
    }
}

#[tokio::test]
async fn moods_with_a_nul_character_are_refused() {
    let app = TestApp::start().await;
    let filter = json!({ "song": { "moods": ["a\u{0}"] } });
    let answer = app.anonymous().query(FILTERED, json!({ "where": filter })).await;
    answer.assert_error("INVALID_ARGUMENT", &["NUL"]);
}

#[tokio::test]
async fn every_order_goes_both_ways_and_songs_without_the_value_come_last() {
    let app = TestApp::with_songs().await;
    let fields = [
        ("TITLE", "title"),
        ("BAND", "band"),
        ("YEAR", "year"),
        ("TEMPO", "tempo"),
        ("ENERGY", "energy"),
        ("DANCEABILITY", "danceability"),
        ("VALENCE", "valence"),
        ("POPULARITY", "popularity"),
        ("DURATION_MS", "durationMs"),
    ];
    for (order, field) in fields {
        for direction in ["ASC", "DESC"] {
            let query = format!(
                "{{ songs(orderBy: {{ field: {order}, direction: {direction} }}) {{
                    nodes {{ {field} }} }} }}"
            );
            let answer = app.anonymous().ask(&query).await;
            let nodes = answer["songs"]["nodes"].as_array().unwrap();
            assert_eq!(nodes.len(), 8);
            let mut values: Vec<&Value> = nodes.iter().map(|node| &node[field]).collect();
            let missing = values.iter().position(|value| value.is_null()).unwrap_or(8);
            assert!(values[missing..].iter().all(|value| value.is_null()), "{order}");
            values.truncate(missing);
            let is_before = |a: &&Value, b: &&Value| match (a.as_f64(), b.as_f64()) {
                (Some(a), Some(b)) => a <= b,
                _ => a.as_str() <= b.as_str(),
            };
            if direction == "DESC" {
                values.reverse();
            }
            assert!(values.is_sorted_by(is_before), "{order} {direction}: {values:?}");
        }
    }
}

#[tokio::test]
async fn the_newest_songs_come_first_unless_another_order_is_asked_for() {
    let app = TestApp::start().await;
    for title in ["one", "two", "three"] {
        app.ingest(&[catalogue::song(title, "")], None).await;
    }
    let answer = app.anonymous().ask("{ songs { nodes { title } } }").await;
    assert_eq!(titles(&answer["songs"]), ["three", "two", "one"]);
}

#[tokio::test]
async fn every_field_of_a_song_comes_back_as_it_went_in() {
    let app = TestApp::start().await;
    let song = json!({ "externalId": "full", "title": "  Full  ", "band": "Band", "album": "Album",
        "genre": "genre", "subgenre": "sub", "year": 1999, "tempo": 120.5, "key": "Bb",
        "mode": "MINOR", "energy": 0.1, "danceability": 0.2, "valence": 0.3, "acousticness": 0.4,
        "instrumentalness": 0.5, "liveness": 0.6, "speechiness": 0.7, "loudness": -7.5,
        "popularity": 42, "durationMs": 180_000, "moods": ["Sad", "ünïcode 🎵"],
        "description": "Line one\nline two" });
    app.songs(std::slice::from_ref(&song)).await;
    let fields = song.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    let query =
        format!("{{ songs {{ nodes {{ {fields} kind body deletedAt embeddingStatus }} }} }}");
    let answer = app.anonymous().ask(&query).await;
    let found = &answer["songs"]["nodes"][0];
    for (name, value) in song.as_object().unwrap() {
        let expected = match name.as_str() {
            "title" => json!("Full"),
            "key" => json!("A#"),
            "moods" => json!(["sad", "ünïcode 🎵"]),
            _ => value.clone(),
        };
        assert_eq!(found[name], expected, "{name}");
    }
    assert_eq!(found["kind"], "SONG");
    assert_eq!(found["deletedAt"], Value::Null);
    assert_eq!(found["embeddingStatus"], "READY");
    assert!(found["body"].as_str().unwrap().contains("Full"));
}

#[tokio::test]
async fn songs_that_come_in_meanwhile_neither_repeat_nor_hide_others() {
    let app = TestApp::with_songs().await;
    let page = "query ($after: String) { songs(first: 3, after: $after,
        orderBy: { field: YEAR, direction: DESC }) { nodes { externalId }
        pageInfo { hasNextPage endCursor } } }";
    let mut found = Vec::new();
    let mut after = Value::Null;
    for round in 0..10 {
        let answer = app.anonymous().query(page, json!({ "after": after })).await;
        let songs = &answer["songs"];
        found.extend(texts(&songs["nodes"], "externalId"));
        if songs["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = songs["pageInfo"]["endCursor"].clone();
        // Comes before everything that was seen.
        let early =
            json!({ "externalId": format!("early-{round}"), "title": "Early", "year": 2050 });
        app.ingest(&[early], None).await;
    }
    assert_eq!(found.len(), 8, "{found:?}");
    assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), 8);
}
