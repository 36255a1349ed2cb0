//! `recordFeedback`, and recommendations for a person.

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::why::{EDGES, assert_scores_hold};
use crate::support::{TestApp, catalogue, texts, titles};

const FOR_ME: &str = "query ($seen: Boolean! = false) {
    recommend(forMe: true, excludeSeen: $seen, first: 10) {
        nodes { id title } info { strategy space } totalCount } }";

async fn record(person: &Client, id: &str, action: &str) {
    let mutation = format!("mutation ($id: ID!) {{ recordFeedback(id: $id, action: {action}) }}");
    let answer = person.query(&mutation, json!({ "id": id })).await;
    assert_eq!(answer["recordFeedback"], true);
}

#[tokio::test]
async fn a_person_without_history_gets_what_is_popular_and_is_told() {
    let app = TestApp::with_songs().await;
    let answer = app.as_user("ada").ask(FOR_ME).await;
    let page = &answer["recommend"];
    assert_eq!(page["info"], json!({ "strategy": "COLD_START", "space": null }));
    assert_eq!(titles(page)[..3], ["Warehouse Machine", "Demons of War", "Steel Hammer"]);
}

#[tokio::test]
async fn what_a_person_likes_decides_what_they_are_recommended() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    let (ada, bob) = (app.as_user("ada"), app.as_user("bob"));
    record(&ada, &ids[0], "LIKE").await;
    record(&bob, &ids[2], "PLAY").await;
    let first = async |person: &Client, seen: bool| {
        let answer = person.query(FOR_ME, json!({ "seen": seen })).await;
        assert_ne!(answer["recommend"]["info"]["strategy"], "COLD_START");
        titles(&answer["recommend"])[0].clone()
    };
    assert_eq!(first(&ada, true).await, "Cradle Song");
    assert_eq!(first(&bob, true).await, "Steel Hammer");
    assert_eq!(first(&ada, false).await, "Sleep Little Baby");
}

#[tokio::test]
async fn what_a_person_dislikes_pushes_away() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    let ada = app.as_user("ada");
    record(&ada, &ids[4], "LIKE").await;
    record(&ada, &ids[2], "DISLIKE").await;
    let answer = ada.query(FOR_ME, json!({ "seen": true })).await;
    let found = titles(&answer["recommend"]);
    assert_eq!(found[0], "Carnival Morning");
    assert!(!found.contains(&"Demons of War".to_owned()));
    assert_eq!(found.last().map(String::as_str), Some("Steel Hammer"));
}

#[tokio::test]
async fn what_was_seen_is_left_out_on_request() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    let ada = app.as_user("ada");
    for id in &ids[..3] {
        record(&ada, id, "VIEW").await;
    }
    let query = "{ recommend(query: \"music\", excludeSeen: true, first: 100) { nodes { id } } }";
    let answer = ada.ask(query).await;
    let found = texts(&answer["recommend"]["nodes"], "id");
    assert_eq!(found.len(), 5);
    assert!(ids[..3].iter().all(|id| !found.contains(id)));
}

#[tokio::test]
async fn a_person_who_only_dislikes_is_still_answered() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    let ada = app.as_user("ada");
    record(&ada, &ids[2], "DISLIKE").await;
    let answer = ada.query(FOR_ME, json!({ "seen": true })).await;
    let found = titles(&answer["recommend"]);
    assert_eq!(found.len(), 7);
    assert_eq!(found.last().map(String::as_str), Some("Steel Hammer"));
}

#[tokio::test]
async fn a_history_that_is_gone_is_a_cold_start_again() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    let ada = app.as_user("ada");
    record(&ada, &ids[2], "LIKE").await;
    let purge = "mutation ($id: ID!) { purge(ids: [$id]) { ids } }";
    app.as_admin().query(purge, json!({ "id": ids[2] })).await.data();
    let answer = ada.ask(FOR_ME).await;
    assert_eq!(answer["recommend"]["info"]["strategy"], "COLD_START");
}

#[tokio::test]
async fn doing_the_same_again_only_renews_its_time() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    let ada = app.as_user("ada");
    for _ in 0..3 {
        record(&ada, &ids[0], "LIKE").await;
    }
    record(&ada, &ids[0], "PLAY").await;
    let rows = app.rows("SELECT action FROM feedback ORDER BY action").await;
    assert_eq!(rows, [json!({ "action": "like" }), json!({ "action": "play" })]);
}

#[tokio::test]
async fn what_is_long_ago_counts_less() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    let ada = app.as_user("ada");
    record(&ada, &ids[2], "LIKE").await;
    app.sql("UPDATE feedback SET created_at = created_at - interval '300 days'").await;
    record(&ada, &ids[0], "LIKE").await;
    let answer = ada.query(FOR_ME, json!({ "seen": true })).await;
    assert_eq!(titles(&answer["recommend"])[0], "Cradle Song");
}

#[tokio::test]
async fn the_parts_of_a_recommendation_for_me_add_up() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    let ada = app.as_user("ada");
    for (id, action) in ids.iter().zip(["LIKE", "PLAY", "DISLIKE", "VIEW"]) {
        record(&ada, id, action).await;
    }
    for strategy in ["AVERAGE", "BEST_SCORE", "SUM"] {
        let query =
            format!("{{ recommend(forMe: true, strategy: {strategy}, first: 8) {{ {EDGES} }} }}");
        let answer = ada.ask(&query).await;
        assert_scores_hold(answer["recommend"]["edges"].as_array().unwrap(), true);
    }
}

#[tokio::test]
async fn feedback_needs_a_token_and_a_row() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    let mutation = "mutation ($id: ID!) { recordFeedback(id: $id, action: LIKE) }";
    let answer = app.anonymous().query(mutation, json!({ "id": ids[0] })).await;
    answer.assert_error("UNAUTHENTICATED", &["token"]);
    let unknown = "song:00000000-0000-0000-0000-000000000000";
    let answer = app.as_user("ada").query(mutation, json!({ "id": unknown })).await;
    answer.assert_error("NOT_FOUND", &[unknown]);
    let answer = app.as_user("ada").query(mutation, json!({ "id": "nonsense" })).await;
    answer.assert_error("INVALID_ID", &["`nonsense`"]);
    assert_eq!(app.rows("SELECT id FROM feedback").await, Vec::<Value>::new());
}
