//! The bundled model answers until a slower one has caught up, and while that one is away.

use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};

use crate::support::embedders::OtherModel;
use crate::support::{TestApp, catalogue, texts, titles};
use crate::worker::wait_for;

const STATIC: &str = "kindred-static-256";
const RECOMMEND: &str = "query ($text: String, $like: [Example!], $after: String, $space: String) {
    recommend(query: $text, like: $like, first: 3, after: $after, space: $space) {
        nodes { id title } edges { similarity } totalCount pageInfo { endCursor hasNextPage }
        info { space degraded } } }";
const HYBRID: &str = "query ($text: String!) { hybridSearch(query: $text, kinds: [SONG, JOB]) {
    nodes { title } edges { similarity } info { space degraded strategy } } }";

/// A server whose slower model answers for every kind, and that model.
async fn tiers() -> (TestApp, Arc<OtherModel>) {
    let slow: Arc<OnceLock<Arc<OtherModel>>> = Arc::default();
    let kept = slow.clone();
    let wrap = move |inner| kept.get_or_init(|| OtherModel::new(inner)).clone();
    let app = TestApp::plan().tiers(wrap).start().await;
    let slow = slow.get().unwrap().clone();
    (app, slow)
}

async fn recommend(app: &TestApp, variables: Value) -> Value {
    app.anonymous().query(RECOMMEND, variables).await["recommend"].clone()
}

/// Waits until the slower model answers; how full it is is asked every few seconds.
async fn caught_up(app: &TestApp) {
    wait_for(async || {
        recommend(app, json!({ "text": "metal" })).await["info"]["space"] == OtherModel::NAME
    })
    .await;
}

#[tokio::test]
async fn rows_are_found_by_meaning_as_soon_as_they_are_written() {
    let (app, slow) = tiers().await;
    let ids = app.ingest(&catalogue::songs(), None).await;
    let by_static = json!({ "space": STATIC, "degraded": false });
    let answer =
        recommend(&app, json!({ "text": "brutal metal with screaming and war drums" })).await;
    assert_eq!(answer["info"], by_static);
    assert_eq!(answer["nodes"][0]["title"], "Demons of War");
    assert_eq!(answer["totalCount"], 8);
    let answer = app
        .anonymous()
        .query(HYBRID, json!({ "text": "brutal metal with screaming and war drums" }))
        .await;
    assert_eq!(answer["hybridSearch"]["info"]["space"], STATIC);
    assert_eq!(titles(&answer["hybridSearch"])[0], "Demons of War");
    let similar = "query ($id: ID!) { similar(id: $id, first: 2) { nodes { title } info { space } }
        node(id: $id) { ... on Song { similar(first: 1) { nodes { title } info { space } } } } }";
    let answer = app.anonymous().query(similar, json!({ "id": ids[2] })).await;
    assert_eq!(answer["similar"]["info"]["space"], STATIC);
    assert_eq!(titles(&answer["similar"])[0], "Steel Hammer");
    assert_eq!(answer["node"]["similar"]["info"]["space"], STATIC);
    assert_eq!(titles(&answer["node"]["similar"]), ["Steel Hammer"]);
    // Examples are compared in the space that answers.
    let answer = recommend(&app, json!({ "like": [{ "id": ids[2] }] })).await;
    assert_eq!(answer["info"], by_static);
    assert_eq!(answer["nodes"][0]["title"], "Steel Hammer");
    assert_eq!(slow.calls.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_slower_model_answers_once_it_has_caught_up() {
    let (app, _) = tiers().await;
    app.ingest(&catalogue::demo()[..100], None).await;
    let space = async || recommend(&app, json!({ "text": "metal" })).await["info"]["space"].clone();
    assert_eq!(space().await, STATIC);
    app.run_queue().await;
    caught_up(&app).await;
    let named = recommend(&app, json!({ "text": "metal", "space": STATIC })).await;
    assert_eq!(named["info"]["space"], STATIC);
    // A few rows that it lacks do not turn it away.
    app.ingest(&[catalogue::song("One More", "Metal.")], None).await;
    assert_eq!(space().await, OtherModel::NAME);
    assert_eq!(
        recommend(&app, json!({ "text": "metal" })).await["totalCount"],
        100,
        "rows of the space that answers"
    );
}

#[tokio::test]
async fn an_edit_has_its_new_vector_in_the_transaction_that_writes_it() {
    let (app, _) = tiers().await;
    app.songs(&catalogue::songs()).await;
    let edit = json!({ "externalId": "metal", "title": "Demons of War",
        "description": "Bagpipes over the misty Highlands of Scotland." });
    app.ingest(&[edit], None).await;
    let stale = "SELECT name FROM content JOIN embedding ON content_id = content.id
        JOIN embedding_space ON embedding_space.id = embedding.space_id
        WHERE embedding.source_hash <> content.source_hash";
    assert_eq!(app.rows(stale).await, [json!({ "name": OtherModel::NAME })]);
    let variables = json!({ "text": "scottish bagpipes in the highlands", "space": STATIC });
    assert_eq!(recommend(&app, variables).await["nodes"][0]["title"], "Demons of War");
    let queued =
        "SELECT name FROM embedding_task JOIN embedding_space ON embedding_space.id = space_id";
    assert_eq!(app.rows(queued).await, [json!({ "name": OtherModel::NAME })]);
}

#[tokio::test]
async fn while_the_slower_model_is_away_the_bundled_one_answers_and_says_so() {
    let (app, slow) = tiers().await;
    let ids = app.songs(&catalogue::songs()).await;
    caught_up(&app).await;
    slow.set_away(true);
    let stands_in = json!({ "space": STATIC, "degraded": true });
    let answer =
        recommend(&app, json!({ "text": "brutal metal with screaming and war drums" })).await;
    assert_eq!(answer["info"], stands_in);
    assert_eq!(answer["nodes"][0]["title"], "Demons of War");
    assert_eq!(answer["totalCount"], 8);
    // A text and an example are one list, so both are of the bundled model.
    let variables = json!({ "text": "heavy metal", "like": [{ "id": ids[2] }] });
    let answer = recommend(&app, variables).await;
    assert_eq!(answer["info"], stands_in);
    assert_eq!(answer["nodes"][0]["title"], "Steel Hammer");
    let answer = app
        .anonymous()
        .query(HYBRID, json!({ "text": "brutal metal with screaming and war drums" }))
        .await;
    let info = json!({ "space": STATIC, "degraded": true, "strategy": "EXACT" });
    assert_eq!(answer["hybridSearch"]["info"], info);
    assert_eq!(titles(&answer["hybridSearch"])[0], "Demons of War");
    // What needs no model is answered as always.
    let answer = recommend(&app, json!({ "like": [{ "id": ids[2] }] })).await;
    assert_eq!(answer["info"], json!({ "space": OtherModel::NAME, "degraded": false }));
    // Whoever names the space means it.
    let variables = json!({ "text": "something new", "space": OtherModel::NAME });
    let answer = app.anonymous().query(RECOMMEND, variables).await;
    answer.assert_error("EMBEDDER_UNAVAILABLE", &["did not answer"]);
}

#[tokio::test]
async fn a_cursor_leads_on_in_its_own_space_or_nowhere() {
    let (app, slow) = tiers().await;
    app.songs(&catalogue::songs()).await;
    caught_up(&app).await;
    let page = recommend(&app, json!({ "text": "metal" })).await;
    // Two pages of the bundled model fit together, although the usual space is another one.
    slow.set_away(true);
    let first = recommend(&app, json!({ "text": "quiet" })).await;
    let after = first["pageInfo"]["endCursor"].clone();
    let second = recommend(&app, json!({ "text": "quiet", "after": after })).await;
    assert_eq!(second["info"], json!({ "space": STATIC, "degraded": true }));
    let mut ids = [texts(&first["nodes"], "id"), texts(&second["nodes"], "id")].concat();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6);
    // The slower model falls behind: its page is not continued in the other space.
    app.ingest(&catalogue::demo()[..100], None).await;
    wait_for(async || recommend(&app, json!({ "text": "metal" })).await["info"]["space"] == STATIC)
        .await;
    let after = page["pageInfo"]["endCursor"].clone();
    let variables = json!({ "text": "metal", "after": after });
    app.anonymous().query(RECOMMEND, variables).await.assert_error("INVALID_CURSOR", &[]);
}

#[tokio::test]
async fn the_bundled_space_holds_every_kind_and_is_filled_where_rows_were_there_before() {
    let app = TestApp::with_songs().await;
    let other = OtherModel::new(app.services.embedder().clone());
    // As if the database had begun with the slower model.
    app.sql("DELETE FROM space_kind").await;
    let tiers = kindred::service::Tiers::StaticFirst;
    let settings = kindred::service::Settings { tiers, ..crate::support::settings() };
    app.services_of(other, settings).await;
    let states = app
        .rows(
            "SELECT kind, space_kind.state FROM space_kind JOIN embedding_space ON id = space_id
            WHERE name = 'kindred-static-256' ORDER BY kind",
        )
        .await;
    let states = texts(&states.into(), "state");
    // In the order of the names: chunk, document, entry, job, sample, song.
    assert_eq!(states, ["current", "current", "current", "current", "current", "filling"]);
}
