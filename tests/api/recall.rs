//! The HNSW index: it loses next to nothing, and filters lose no rows.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::support::database::server_url;
use crate::support::{TestApp, catalogue, texts};

/// How many rows are indexed; the embedded engine takes long to build an index.
fn rows() -> usize {
    if server_url().is_some() { 1_500 } else { 150 }
}

async fn indexed() -> (TestApp, Vec<String>) {
    let exact = if server_url().is_some() { "20" } else { "4" };
    let settings = ["--index-rows", "100", "--exact-search-rows", exact];
    let app = TestApp::plan().with(&settings).start().await;
    let ids = app.songs(&catalogue::many(rows())).await;
    (app, ids)
}

/// For each of some songs the similarities of its ten nearest, compared one by one.
async fn exact(app: &TestApp, condition: &str) -> HashMap<String, Vec<f64>> {
    let statement = format!(
        "SELECT 'song:' || seed.content_id AS id, array_agg(1 - near.distance ORDER BY near.distance) AS nearest
         FROM (SELECT embedding.content_id, embedding.embedding FROM embedding JOIN content ON content.id = content_id
             WHERE substr(external_id, 6)::int % 25 = 0) AS seed
         CROSS JOIN LATERAL (SELECT other.embedding <=> seed.embedding AS distance
             FROM embedding AS other JOIN song ON song.content_id = other.content_id
             WHERE other.content_id <> seed.content_id AND {condition}
             ORDER BY distance LIMIT 10) AS near
         GROUP BY seed.content_id"
    );
    let rows = app.rows(&statement).await;
    let similarities = |row: &Value| {
        let list = row["nearest"].as_array().unwrap().iter();
        (row["id"].as_str().unwrap().to_owned(), list.map(|s| s.as_f64().unwrap()).collect())
    };
    rows.iter().map(similarities).collect()
}

/// The share of the true nearest that the API finds, and the strategies it says it used.
async fn recall(app: &TestApp, condition: &str, filter: &Value) -> (f64, Vec<String>) {
    let t = std::time::Instant::now();
    let truth = exact(app, condition).await;
    println!("exact {:?}", t.elapsed());
    // A seed that is the only match has no neighbor.
    assert!(truth.len() + 1 >= rows() / 25);
    let query =
        "query ($id: ID!, $where: ContentFilter) { similar(id: $id, where: $where, first: 10) {
        edges { similarity } info { strategy } } }";
    let (mut found, mut wanted, mut strategies) = (0, 0, Vec::new());
    for (id, nearest) in truth {
        let answer = app.as_admin().query(query, json!({ "id": id, "where": filter })).await;
        let page = &answer["similar"];
        let edges = page["edges"].as_array().unwrap();
        assert_eq!(edges.len(), nearest.len(), "rows are lost under {filter}");
        let last = nearest.last().copied().unwrap_or(0.0) - 1e-6;
        found += edges.iter().filter(|edge| edge["similarity"].as_f64().unwrap() >= last).count();
        wanted += nearest.len();
        strategies.push(page["info"]["strategy"].as_str().unwrap().to_owned());
    }
    strategies.sort();
    strategies.dedup();
    #[expect(clippy::cast_precision_loss, reason = "counts of a few hundred")]
    let recall = found as f64 / wanted as f64;
    (recall, strategies)
}

#[tokio::test]
async fn the_index_finds_what_comparing_everything_finds_under_every_filter() {
    let (app, _) = indexed().await;
    let cases = [
        ("true", json!({}), "HNSW"),
        ("popularity < 50", json!({ "song": { "popularity": { "lt": 50 } } }), "HNSW"),
        ("popularity < 5", json!({ "song": { "popularity": { "lt": 5 } } }), "HNSW"),
        ("energy < 0.005", json!({ "song": { "energy": { "lt": 0.005 } } }), "EXACT"),
        ("year > 2100", json!({ "song": { "year": { "gt": 2100 } } }), "EXACT"),
    ];
    for (condition, filter, expected) in cases {
        if condition == "year > 2100" {
            let query = "query ($where: ContentFilter) { recommend(query: \"love\", where: $where) { nodes { id } } }";
            let answer = app.as_admin().query(query, json!({ "where": filter })).await;
            assert_eq!(answer["recommend"]["nodes"], json!([]));
            continue;
        }
        let (recall, strategies) = recall(&app, condition, &filter).await;
        println!("recall@10 {recall:.4} where {condition}, by {strategies:?}");
        assert!(recall >= 0.98, "{recall} where {condition}");
        // Of few rows the index proposes too few, and then all are compared.
        if server_url().is_some() {
            assert!(strategies.contains(&expected.to_owned()), "{strategies:?} where {condition}");
        }
    }
    let answer = app.as_admin().ask("{ stats { kinds { kind hasIndex } } }").await;
    let kinds = answer["stats"]["kinds"].as_array().unwrap();
    for kind in kinds {
        assert_eq!(kind["hasIndex"], kind["kind"] == "SONG");
    }
}

#[tokio::test]
async fn pages_behind_an_index_neither_repeat_nor_skip() {
    let (app, ids) = indexed().await;
    for list in ["recommend(PAGE, query: \"sad love song\")", "similar(PAGE, id: \"ID\")"] {
        let list = list.replace("ID", &ids[9]);
        let page = async |first: usize, after: Value| {
            let field = list.replace("PAGE", "first: $first, after: $after");
            let query = format!(
                "query ($first: Int!, $after: String) {{ list: {field} {{
                    nodes {{ id }} pageInfo {{ endCursor }} info {{ strategy }} }} }}"
            );
            let variables = json!({ "first": first, "after": after });
            let answer = app.anonymous().query(&query, variables).await;
            answer.data()["list"].clone()
        };
        let whole = page(100, Value::Null).await;
        assert_eq!(whole["info"]["strategy"], "HNSW");
        let mut walked = Vec::new();
        let mut after = Value::Null;
        while walked.len() < 70 {
            let next = page(10, after).await;
            walked.extend(texts(&next["nodes"], "id"));
            after = next["pageInfo"]["endCursor"].clone();
        }
        assert_eq!(walked, texts(&whole["nodes"], "id")[..70], "{list}");
    }
}

#[tokio::test]
async fn a_row_that_comes_in_later_is_found_through_the_index() {
    let settings = ["--index-rows", "50", "--exact-search-rows", "20"];
    let app = TestApp::plan().with(&settings).start().await;
    app.songs(&catalogue::demo()[..100]).await;
    let song = catalogue::song("Zeppelin", "Hindenburg airship disaster over Lakehurst.");
    let ids = app.songs(&[song]).await;
    let query = "{ recommend(query: \"Hindenburg airship disaster over Lakehurst\", first: 1) {
        nodes { id } info { strategy } } }";
    let answer = app.anonymous().ask(query).await;
    assert_eq!(answer["recommend"]["info"]["strategy"], "HNSW");
    assert_eq!(texts(&answer["recommend"]["nodes"], "id"), ids);
}
