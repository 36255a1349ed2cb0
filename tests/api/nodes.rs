//! `node` and `nodes`.

use serde_json::{Value, json};

use crate::support::{TestApp, catalogue};

const NODE: &str = "query ($id: ID!) { node(id: $id) { id ... on Song { title band kind } } }";
const NODES: &str = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }";

#[tokio::test]
async fn an_id_gives_its_row_and_an_unknown_one_nothing() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    let answer = app.anonymous().query(NODE, json!({ "id": ids[2] })).await;
    let expected =
        json!({ "id": ids[2], "title": "Demons of War", "band": "Iron Skull", "kind": "SONG" });
    assert_eq!(answer["node"], expected);
    let unknown = "song:00000000-0000-0000-0000-000000000000".to_owned();
    for id in [unknown, ids[2].replace("song:", "document:")] {
        let answer = app.anonymous().query(NODE, json!({ "id": id })).await;
        assert_eq!(answer["node"], Value::Null);
    }
}

#[tokio::test]
async fn ids_give_their_rows_in_the_order_of_the_ids() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    let unknown = "song:00000000-0000-0000-0000-000000000000";
    let asked = json!([ids[3], unknown, ids[0], ids[3], ids[0].replace("song:", "job:")]);
    let answer = app.anonymous().query(NODES, json!({ "ids": asked })).await;
    let expected = json!([{ "id": ids[3] }, null, { "id": ids[0] }, { "id": ids[3] }, null]);
    assert_eq!(answer["nodes"], expected);
    let answer = app.anonymous().query(NODES, json!({ "ids": [] })).await;
    assert_eq!(answer["nodes"], json!([]));
}

#[tokio::test]
async fn a_malformed_id_is_named_and_cut_short() {
    let app = TestApp::start().await;
    let long = "x".repeat(5_000);
    let texts = [
        "",
        "song:",
        ":",
        "song:zz",
        "00000000-0000-0000-0000-000000000000",
        "song:00000000000000000000000000000000",
        "SONG:00000000-0000-0000-0000-000000000000",
        "song:{00000000-0000-0000-0000-00000000000}",
        "song:00000000-0000-0000-0000-000000000000 ",
        "song:'; DROP TABLE content",
        "söng:\u{0}",
        &long,
    ];
    for text in texts {
        let answer = app.anonymous().query(NODE, json!({ "id": text })).await;
        answer.assert_error("INVALID_ID", &["song:"]);
        assert!(answer.message().len() < 400, "{}", answer.message());
        let answer = app.anonymous().query(NODES, json!({ "ids": [text] })).await;
        answer.assert_error("INVALID_ID", &[]);
    }
}

#[tokio::test]
async fn more_than_a_hundred_ids_are_refused() {
    let app = TestApp::start().await;
    let ids: Vec<String> =
        (0..101).map(|n| format!("song:00000000-0000-0000-0000-000000000{n:03}")).collect();
    let answer = app.anonymous().query(NODES, json!({ "ids": ids })).await;
    answer.assert_error("INVALID_ARGUMENT", &["101", "100"]);
    let answer = app.anonymous().query(NODES, json!({ "ids": ids[..100] })).await;
    assert_eq!(answer["nodes"].as_array().unwrap().len(), 100);
}
