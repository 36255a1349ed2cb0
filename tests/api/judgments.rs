//! Judgements: `recordJudgment`, `removeJudgment`, `judgments`, `evaluate`.

use serde_json::{Value, json};

use crate::documents::{guide, ingest};
use crate::support::TestApp;
use crate::support::catalogue::song;
use crate::support::client::Client;

const RECORD: &str = "mutation ($query: String!, $id: ID!, $grade: Int!) {
    recordJudgment(query: $query, id: $id, grade: $grade) { query id grade judgedAt } }";
const REMOVE: &str =
    "mutation ($query: String!, $id: ID!) { removeJudgment(query: $query, id: $id) }";
const EVALUATE: &str =
    "query ($kinds: [Kind!]!, $k: Int! = 10, $queries: Int! = 50, $space: String) {
    evaluate(kinds: $kinds, k: $k, queries: $queries, space: $space) { space k queries judgments
        modes { mode fusion semanticRatio isDefault ndcg map mrr recall } } }";
const LIST: &str = "query ($query: String, $first: Int! = 20, $after: String) {
    judgments(query: $query, first: $first, after: $after) {
        nodes { query id grade } pageInfo { hasNextPage hasPreviousPage endCursor } } }";

async fn judge(admin: &Client, query: &str, id: &str, grade: i32) {
    let variables = json!({ "query": query, "id": id, "grade": grade });
    let answer = admin.query(RECORD, variables).await;
    assert_eq!(answer["recordJudgment"]["grade"], grade, "{}", answer.text);
}

/// Three songs, each with a word of its own, and their ids.
async fn animals(app: &TestApp) -> Vec<String> {
    let songs = [
        song("Aardvark", "An aardvark digs."),
        song("Beaver", "A beaver builds."),
        song("Camel", "A camel walks."),
    ];
    let ids = app.ingest(&songs, None).await;
    app.run_queue().await;
    ids
}

fn mode<'a>(evaluation: &'a Value, name: &str) -> &'a Value {
    let modes = evaluation["modes"].as_array().unwrap();
    modes.iter().find(|mode| mode["mode"] == name).unwrap()
}

fn assert_near(figure: &Value, expected: f64) {
    let value = figure.as_f64().unwrap();
    assert!((value - expected).abs() < 1e-4, "{value} is not {expected}");
}

#[tokio::test]
async fn figures_are_what_one_computes_by_hand() {
    let app = TestApp::start().await;
    let admin = app.as_admin();
    let ids = animals(&app).await;
    // Words find the aardvark alone: of the first query that is the better answer of two, of the second
    // one no answer.
    judge(&admin, "aardvark", &ids[0], 3).await;
    judge(&admin, "aardvark", &ids[1], 1).await;
    judge(&admin, "an aardvark", &ids[0], 0).await;
    judge(&admin, "an aardvark", &ids[2], 1).await;
    let answer = admin.query(EVALUATE, json!({ "kinds": ["SONG"] })).await;
    let evaluation = &answer["evaluate"];
    assert_eq!((&evaluation["queries"], &evaluation["judgments"]), (&json!(2), &json!(4)));
    assert_eq!(
        (&evaluation["k"], &evaluation["space"]),
        (&json!(10), &json!("kindred-static-256"))
    );
    let text = mode(evaluation, "TEXT");
    // 3 / (3 + 1 / log2(3)), and 0.
    assert_near(&text["ndcg"], 0.826_227 / 2.0);
    assert_near(&text["map"], 0.25);
    assert_near(&text["mrr"], 0.5);
    assert_near(&text["recall"], 0.25);
    // Meaning finds every song.
    assert_near(&mode(evaluation, "VECTORS")["recall"], 1.0);
    let modes = evaluation["modes"].as_array().unwrap();
    let hybrid: Vec<_> = modes.iter().filter(|mode| mode["mode"] == "HYBRID").collect();
    assert_eq!(hybrid.len(), 3);
    assert_eq!(modes.iter().filter(|mode| mode["isDefault"] == true).count(), 1);
    assert!(hybrid.iter().all(|mode| mode["fusion"].is_string()));
    for mode in hybrid {
        assert_near(&mode["recall"], 1.0);
    }
}

#[tokio::test]
async fn a_judged_document_is_found_by_any_of_its_chunks_once() {
    let app = TestApp::start().await;
    let admin = app.as_admin();
    let other = json!({ "externalId": "o", "title": "Other", "body": "Nothing about ice." });
    let payload = ingest(&app, json!([guide(), other])).await;
    app.run_queue().await;
    let rows = &payload["ingestDocuments"]["rows"];
    let guide = rows[0]["id"].as_str().unwrap();
    judge(&admin, "glaciers and bread and starlight", guide, 1).await;
    let answer = admin.query(EVALUATE, json!({ "kinds": ["CHUNK"] })).await;
    for mode in answer["evaluate"]["modes"].as_array().unwrap() {
        for figure in ["ndcg", "map", "mrr", "recall"] {
            assert_near(&mode[figure], 1.0);
        }
    }
}

#[tokio::test]
async fn judging_again_replaces_and_removing_forgets() {
    let app = TestApp::start().await;
    let admin = app.as_admin();
    let ids = animals(&app).await;
    judge(&admin, "digging animals", &ids[0], 2).await;
    judge(&admin, " digging animals ", &ids[0], 10).await;
    let listed = admin.ask("{ judgments { nodes { query id grade } } }").await;
    let expected = json!([{ "query": "digging animals", "id": ids[0], "grade": 10 }]);
    assert_eq!(listed["judgments"]["nodes"], expected);
    let named = json!({ "query": "digging animals", "id": ids[0] });
    assert_eq!(admin.query(REMOVE, named.clone()).await["removeJudgment"], true);
    assert_eq!(admin.query(REMOVE, named).await["removeJudgment"], false);
    let listed = admin.ask("{ judgments { nodes { id } } }").await;
    assert_eq!(listed["judgments"]["nodes"], json!([]));
}

#[tokio::test]
async fn pages_of_judgements_neither_repeat_nor_skip() {
    let app = TestApp::start().await;
    let admin = app.as_admin();
    let ids = animals(&app).await;
    for number in 0..4 {
        for id in &ids {
            judge(&admin, &format!("query {number}"), id, number).await;
        }
    }
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let variables = json!({ "first": 5, "after": after });
        let page = admin.query(LIST, variables).await["judgments"].clone();
        seen.extend(page["nodes"].as_array().unwrap().clone());
        assert_eq!(page["pageInfo"]["hasPreviousPage"], !after.is_null());
        after = page["pageInfo"]["endCursor"].clone();
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
    }
    let mut expected = Vec::new();
    for number in (0..4).rev() {
        for id in ids.iter().rev() {
            expected.push(json!({ "query": format!("query {number}"), "id": id, "grade": number }));
        }
    }
    assert_eq!(seen, expected);
    let of_one = admin.query(LIST, json!({ "query": "query 2" })).await;
    assert_eq!(of_one["judgments"]["nodes"].as_array().unwrap().len(), 3);
    let foreign = json!({ "query": "query 2", "after": after });
    admin.query(LIST, foreign).await.assert_error("INVALID_CURSOR", &[]);
}

#[tokio::test]
async fn only_administrators_judge_and_measure() {
    let app = TestApp::start().await;
    let ids = animals(&app).await;
    let judgment = json!({ "query": "digging", "id": ids[0], "grade": 1 });
    let removal = json!({ "query": "digging", "id": ids[0] });
    for (viewer, code) in [(app.anonymous(), "UNAUTHENTICATED"), (app.as_user("ada"), "FORBIDDEN")]
    {
        viewer.query(RECORD, judgment.clone()).await.assert_error(code, &[]);
        viewer.query(REMOVE, removal.clone()).await.assert_error(code, &[]);
        viewer.query(LIST, json!({})).await.assert_error(code, &[]);
        viewer.query(EVALUATE, json!({ "kinds": ["SONG"] })).await.assert_error(code, &[]);
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_with_its_value_and_its_bounds() {
    let app = TestApp::start().await;
    let admin = app.as_admin();
    let ids = animals(&app).await;
    let record = async |query: &str, id: &str, grade: i32| {
        admin.query(RECORD, json!({ "query": query, "id": id, "grade": grade })).await
    };
    record("digging", &ids[0], 11).await.assert_error("INVALID_ARGUMENT", &["`grade`", "11", "10"]);
    record("digging", &ids[0], -1).await.assert_error("INVALID_ARGUMENT", &["`grade`", "-1"]);
    record("  ", &ids[0], 1).await.assert_error("INVALID_ARGUMENT", &["`query`"]);
    record(&"x".repeat(2_001), &ids[0], 1)
        .await
        .assert_error("INVALID_ARGUMENT", &["2001", "2000"]);
    record("digging", "song", 1).await.assert_error("INVALID_ID", &["`song`"]);
    let unknown = "song:00000000-0000-0000-0000-000000000000";
    record("digging", unknown, 1).await.assert_error("NOT_FOUND", &[unknown]);

    let evaluate = async |variables: Value| admin.query(EVALUATE, variables).await;
    let answer = evaluate(json!({ "kinds": ["SONG"] })).await;
    answer.assert_error("INVALID_ARGUMENT", &["`kinds`", "no judgements", "recordJudgment"]);
    judge(&admin, "digging", &ids[0], 1).await;
    for (variables, words) in [
        (json!({ "kinds": ["SONG"], "k": 0 }), ["`k`", "between 1 and 100"]),
        (json!({ "kinds": ["SONG"], "queries": 201 }), ["`queries`", "201"]),
        (json!({ "kinds": [] }), ["`kinds`", "empty"]),
    ] {
        evaluate(variables).await.assert_error("INVALID_ARGUMENT", &words);
    }
    let answer = evaluate(json!({ "kinds": ["SONG"], "space": "nowhere" })).await;
    answer.assert_error("INVALID_ARGUMENT", &["nowhere"]);
}

#[tokio::test]
async fn judgements_of_deleted_rows_wait_until_they_are_restored() {
    let app = TestApp::start().await;
    let admin = app.as_admin();
    let ids = animals(&app).await;
    judge(&admin, "beaver", &ids[1], 1).await;
    judge(&admin, "camel", &ids[2], 1).await;
    let run = async || {
        let answer = admin.query(EVALUATE, json!({ "kinds": ["SONG"] })).await;
        answer["evaluate"]["queries"].clone()
    };
    assert_eq!(run().await, 2);
    let change = |verb: &str| format!("mutation {{ {verb}(ids: [\"{}\"]) {{ ids }} }}", ids[1]);
    admin.ask(&change("softDelete")).await.data();
    assert_eq!(run().await, 1);
    admin.ask(&change("restore")).await.data();
    assert_eq!(run().await, 2);
}
