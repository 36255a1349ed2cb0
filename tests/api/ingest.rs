//! `ingestSongs`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use kindred::worker::Worker;
use serde_json::{Value, json};

use crate::support::client::Answer;
use crate::support::embedders::FlakyEmbedder;
use crate::support::{TestApp, at_once, catalogue, texts, titles, user_id};

const INGEST: &str = "mutation ($rows: [SongInput!]!, $mode: IngestMode! = UPSERT, $owner: ID) {
    ingestSongs(rows: $rows, mode: $mode, ownerId: $owner) {
        created updated unchanged duplicates rejected
        rows { index status id externalId field message } } }";

async fn ingest(app: &TestApp, mode: &str, rows: Value) -> Answer {
    app.as_admin().query(INGEST, json!({ "rows": rows, "mode": mode })).await
}

fn counts(answer: &Answer) -> [i64; 5] {
    let payload = &answer["ingestSongs"];
    ["created", "updated", "unchanged", "duplicates", "rejected"]
        .map(|field| payload[field].as_i64().unwrap())
}

#[tokio::test]
async fn each_row_says_what_became_of_it() {
    let app = TestApp::start().await;
    let row = |id: &str, title: &str| json!({ "externalId": id, "title": title });
    ingest(&app, "UPSERT", json!([row("a", "A"), row("b", "B")])).await;
    let rows = json!([row("a", "A"), row("b", "Other"), row("c", "C"), row("c", "Again"),
        row("d", " "), { "externalId": "e", "title": "E", "energy": 1.5 }]);
    let answer = ingest(&app, "UPSERT", rows).await;
    assert_eq!(counts(&answer), [1, 1, 1, 1, 2]);
    let rows = &answer["ingestSongs"]["rows"];
    let expected = ["UNCHANGED", "UPDATED", "CREATED", "DUPLICATE", "REJECTED", "REJECTED"];
    assert_eq!(texts(rows, "status"), expected);
    assert_eq!(texts(rows, "externalId"), ["a", "b", "c", "c", "d", "e"]);
    for (index, row) in rows.as_array().unwrap().iter().enumerate() {
        assert_eq!(row["index"], index);
        assert_eq!(row["id"].is_null(), index > 2, "{row}");
        assert_eq!(row["message"].is_null(), index < 3, "{row}");
    }
    assert_eq!(rows[4]["field"], "title");
    assert_eq!(rows[5]["field"], "energy");
    let message = rows[5]["message"].as_str().unwrap();
    assert!(message.contains("from 0 to 1") && message.contains("1.5"), "{message}");
}

#[tokio::test]
async fn insert_only_writes_new_rows_and_update_only_present_ones() {
    let app = TestApp::start().await;
    let row = |id: &str, title: &str| json!({ "externalId": id, "title": title });
    assert_eq!(counts(&ingest(&app, "UPDATE", json!([row("a", "A")])).await), [0, 0, 0, 0, 1]);
    assert_eq!(counts(&ingest(&app, "INSERT", json!([row("a", "A")])).await), [1, 0, 0, 0, 0]);
    let answer = ingest(&app, "INSERT", json!([row("a", "Z"), row("b", "B")])).await;
    assert_eq!(counts(&answer), [1, 0, 0, 0, 1]);
    let answer = ingest(&app, "UPDATE", json!([row("a", "AA"), row("n", "N")])).await;
    assert_eq!(counts(&answer), [0, 1, 0, 0, 1]);
    let answer =
        app.anonymous().ask("{ songs(orderBy: { field: TITLE }) { nodes { title } } }").await;
    assert_eq!(titles(&answer["songs"]), ["AA", "B"]);
}

#[tokio::test]
async fn an_update_keeps_the_id_and_forgets_what_is_not_sent() {
    let app = TestApp::start().await;
    let full = json!({ "externalId": "a", "title": "A", "band": "Band", "year": 1999 });
    let first = ingest(&app, "UPSERT", json!([full])).await;
    let second = ingest(&app, "UPSERT", json!([{ "externalId": "a", "title": "A" }])).await;
    let id = |answer: &Answer| answer["ingestSongs"]["rows"][0]["id"].clone();
    assert_eq!(id(&first), id(&second));
    let answer = app.anonymous().ask("{ songs { nodes { band year } } }").await;
    assert_eq!(answer["songs"]["nodes"], json!([{ "band": null, "year": null }]));
}

#[tokio::test]
async fn a_song_without_an_id_of_its_own_is_known_by_title_band_and_album() {
    let app = TestApp::start().await;
    let song = json!({ "title": "Nameless", "band": "B", "album": "A" });
    assert_eq!(counts(&ingest(&app, "UPSERT", json!([song])).await), [1, 0, 0, 0, 0]);
    assert_eq!(counts(&ingest(&app, "UPSERT", json!([song])).await), [0, 0, 1, 0, 0]);
    let other = json!({ "title": "Nameless", "band": "B" });
    assert_eq!(counts(&ingest(&app, "UPSERT", json!([other])).await), [1, 0, 0, 0, 0]);
}

#[tokio::test]
async fn text_that_did_not_change_is_never_embedded_twice() {
    let app = TestApp::start().await;
    let counting = FlakyEmbedder::counting(app.services.embedder().clone());
    let services = app.services_with(counting.clone()).await;
    let embed = async || {
        let worker = Worker::new(services.clone());
        app.on_server(async move { worker.run_until_idle().await }).await.unwrap();
        counting.texts.swap(0, Ordering::SeqCst)
    };
    app.ingest(&catalogue::songs(), None).await;
    assert_eq!(embed().await, 8);
    let mut songs = catalogue::songs();
    app.ingest(&songs, None).await;
    assert_eq!(embed().await, 0);
    // The popularity is no part of the text.
    songs[0]["popularity"] = 99.into();
    songs[1]["description"] = "Something else entirely.".into();
    let answer = ingest(&app, "UPSERT", Value::from(songs)).await;
    assert_eq!(counts(&answer), [0, 2, 6, 0, 0]);
    assert_eq!(embed().await, 1);
}

#[tokio::test]
async fn an_edit_that_is_taken_back_before_it_was_embedded_costs_nothing() {
    let app = TestApp::start().await;
    app.songs(&catalogue::songs()).await;
    let counting = FlakyEmbedder::counting(app.services.embedder().clone());
    let services = app.services_with(counting.clone()).await;
    let mut songs = catalogue::songs();
    songs[0]["description"] = "For a moment.".into();
    app.ingest(&songs[..1], None).await;
    app.ingest(&catalogue::songs()[..1], None).await;
    let worker = Worker::new(services);
    app.on_server(async move { worker.run_until_idle().await }).await.unwrap();
    let answer = app.as_admin().ask("{ stats { pendingTasks failedTasks } }").await;
    assert_eq!(answer["stats"], json!({ "pendingTasks": 0, "failedTasks": 0 }));
    let status = "{ songs(first: 100) { nodes { embeddingStatus } } }";
    let answer = app.anonymous().ask(status).await;
    let statuses = texts(&answer["songs"]["nodes"], "embeddingStatus");
    assert!(statuses.iter().all(|status| status == "READY"), "{statuses:?}");
}

#[tokio::test]
async fn a_deleted_song_comes_back_when_it_is_sent_again() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    let delete = "mutation ($id: ID!) { softDelete(ids: [$id]) { ids } }";
    app.as_admin().query(delete, json!({ "id": ids[2] })).await.data();
    let answer = ingest(&app, "UPSERT", json!([catalogue::songs()[2]])).await;
    assert_eq!(counts(&answer), [0, 1, 0, 0, 0]);
    assert_eq!(answer["ingestSongs"]["rows"][0]["id"], ids[2].as_str());
    app.run_queue().await;
    let query =
        "{ recommend(query: \"demons of war, brutal heavy metal\", first: 1) { nodes { id } } }";
    let answer = app.anonymous().ask(query).await;
    assert_eq!(texts(&answer["recommend"]["nodes"], "id"), [ids[2].clone()]);
}

#[tokio::test]
async fn an_external_id_belongs_to_its_owner() {
    let app = TestApp::start().await;
    let row = json!([{ "externalId": "same", "title": "Shared" }]);
    ingest(&app, "INSERT", row).await.data();
    for name in ["ada", "bob"] {
        let rows = json!([{ "externalId": "same", "title": name }]);
        let variables = json!({ "rows": rows, "mode": "INSERT", "owner": user_id(name) });
        let answer = app.as_admin().query(INGEST, variables).await;
        assert_eq!(counts(&answer), [1, 0, 0, 0, 0]);
    }
    let answer = app.as_user("ada").ask("{ songs { nodes { title } } }").await;
    let mut found = titles(&answer["songs"]);
    found.sort();
    assert_eq!(found, ["Shared", "ada"]);
}

#[tokio::test]
async fn what_a_row_may_hold_is_bounded_and_said() {
    let app = TestApp::start().await;
    let long = "x".repeat(501);
    let moods: Vec<String> = (0..21).map(|n| n.to_string()).collect();
    let cases = [
        (json!({ "title": long }), "title", "501"),
        (json!({ "title": "\u{0}" }), "title", "NUL"),
        (json!({ "title": "x", "band": long }), "band", "500"),
        (json!({ "title": "x", "band": "a\u{0}b" }), "band", "NUL"),
        (json!({ "title": "x", "externalId": long }), "externalId", "500"),
        (json!({ "title": "x", "description": "y".repeat(10_001) }), "description", "10001"),
        (json!({ "title": "x", "moods": moods }), "moods", "21"),
        (json!({ "title": "x", "key": "H" }), "key", "`H`"),
        (json!({ "title": "x", "year": 3000 }), "year", "3000"),
        (json!({ "title": "x", "tempo": 0 }), "tempo", "above 0"),
        (json!({ "title": "x", "tempo": 1e300 }), "tempo", "1000"),
        (json!({ "title": "x", "popularity": -1 }), "popularity", "-1"),
        (json!({ "title": "x", "loudness": 21 }), "loudness", "21"),
        (json!({ "title": "x", "durationMs": -5 }), "durationMs", "-5"),
    ];
    let rows: Vec<&Value> = cases.iter().map(|(row, _, _)| row).collect();
    let answer = ingest(&app, "UPSERT", json!(rows)).await;
    for (row, (_, field, word)) in
        answer["ingestSongs"]["rows"].as_array().unwrap().iter().zip(&cases)
    {
        assert_eq!(row["status"], "REJECTED", "{row}");
        assert_eq!(row["field"], *field);
        assert!(row["message"].as_str().unwrap().contains(word), "{row}");
    }
}

#[tokio::test]
async fn a_request_holds_from_1_to_250_rows() {
    let app = TestApp::start().await;
    let rows = |count: usize| -> Vec<Value> {
        (0..count).map(|n| json!({ "externalId": n.to_string(), "title": "x" })).collect()
    };
    ingest(&app, "UPSERT", json!([])).await.assert_error("INVALID_ARGUMENT", &["0 rows", "250"]);
    let answer = ingest(&app, "UPSERT", json!(rows(251))).await;
    answer.assert_error("INVALID_ARGUMENT", &["251", "250"]);
    assert_eq!(counts(&ingest(&app, "UPSERT", json!(rows(250))).await), [250, 0, 0, 0, 0]);
}

#[tokio::test]
async fn an_owner_that_is_no_uuid_is_refused() {
    let app = TestApp::start().await;
    let variables = json!({ "rows": [{ "title": "x" }], "owner": "ada" });
    let answer = app.as_admin().query(INGEST, variables).await;
    answer.assert_error("INVALID_ARGUMENT", &["`ownerId`", "`ada`"]);
}

#[tokio::test]
async fn the_same_song_sent_by_many_at_once_is_written_once() {
    let app = Arc::new(TestApp::start().await);
    let row = json!([{ "externalId": "race", "title": "Race" }]);
    let requests = (0..12).map(|_| {
        let (app, row) = (app.clone(), row.clone());
        async move { counts(&ingest(&app, "UPSERT", row).await) }
    });
    let all = at_once(requests).await;
    assert_eq!(all.iter().filter(|counts| counts[0] == 1).count(), 1, "{all:?}");
    assert_eq!(all.iter().filter(|counts| counts[2] == 1).count(), 11, "{all:?}");
    let answer = app.anonymous().ask("{ songs { totalCount } }").await;
    assert_eq!(answer["songs"]["totalCount"], 1);
}

#[tokio::test]
async fn rows_in_any_order_from_many_at_once_never_dead_lock() {
    let app = Arc::new(TestApp::start().await);
    let requests = (0..6).map(|round| {
        let app = app.clone();
        async move {
            let mut rows: Vec<Value> = (0..40)
                .map(|n| json!({ "externalId": n.to_string(), "title": format!("{round} {n}") }))
                .collect();
            if round % 2 == 0 {
                rows.reverse();
            }
            ingest(&app, "UPSERT", json!(rows)).await
        }
    });
    for answer in at_once(requests).await {
        assert_eq!(counts(&answer)[4], 0);
    }
    app.run_queue().await;
    let answer = app.as_admin().ask("{ stats { pendingTasks failedTasks } }").await;
    assert_eq!(answer["stats"], json!({ "pendingTasks": 0, "failedTasks": 0 }));
}
