//! The HNSW index: it loses next to nothing, and filters lose no rows.

use std::collections::HashMap;

use kindred::service::{IndexPolicy, Settings};
use serde_json::{Value, json};

use crate::support::database::{lacks_server, server_url};
use crate::support::{PATIENCE, TestApp, catalogue, settings, texts};

/// What an index over bits finds at least of the ten nearest.
const BITS_RECALL: f64 = 0.95;

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

/// The indexed songs, after a process that wants bits from 1,000 rows on has looked after them. The
/// server itself does not: it searches by what is there.
async fn over_bits() -> (TestApp, Vec<String>) {
    let (app, ids) = indexed().await;
    let built = IndexPolicy { binary_rows: Some(1_000), index_rows: 100, ..settings().index };
    let settings = Settings { index: built, ..settings() };
    let other = app.services_of(app.services.embedder().clone(), settings).await;
    app.on_server(async move { other.maintain().await }).await.unwrap();
    (app, ids)
}

/// The HNSW indexes of the songs, without the name of the leaf.
async fn indexes(app: &TestApp) -> Vec<String> {
    let statement = "SELECT regexp_replace(indexrelname, '.*_([a-z]+_idx)$', '\\1') AS name
        FROM pg_stat_user_indexes JOIN pg_class ON pg_class.oid = indexrelid
        JOIN pg_am ON pg_am.oid = relam WHERE amname = 'hnsw' ORDER BY 1";
    app.rows(statement).await.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}

/// The type of the index of the songs, as the API shows it.
async fn shown(app: &TestApp) -> Value {
    let query = "{ embeddingSpaces { holds { kind index { state type } } } }";
    let answer = app.as_admin().ask(query).await;
    let held = answer["embeddingSpaces"][0]["holds"].as_array().unwrap();
    held.iter().find(|held| held["kind"] == "SONG").unwrap()["index"].clone()
}

#[tokio::test]
async fn an_index_over_bits_finds_what_comparing_everything_finds_under_every_filter() {
    if lacks_server("an_index_over_bits_finds_what_comparing_everything_finds_under_every_filter") {
        return;
    }
    let (app, _) = over_bits().await;
    assert_eq!(indexes(&app).await, ["bit_idx"]);
    assert_eq!(shown(&app).await, json!({ "state": "READY", "type": "hnsw(binary)" }));
    let cases = [
        ("true", json!({})),
        ("popularity < 50", json!({ "song": { "popularity": { "lt": 50 } } })),
        ("popularity < 5", json!({ "song": { "popularity": { "lt": 5 } } })),
    ];
    for (condition, filter) in cases {
        let (recall, strategies) = recall(&app, condition, &filter).await;
        println!("recall@10 {recall:.4} where {condition}, by {strategies:?}");
        assert!(recall >= BITS_RECALL, "{recall} where {condition}");
        assert!(strategies.contains(&"HNSW".to_owned()), "{strategies:?} where {condition}");
    }
}

#[tokio::test]
async fn what_bits_propose_is_put_in_order_in_full_precision() {
    if lacks_server("what_bits_propose_is_put_in_order_in_full_precision") {
        return;
    }
    let (app, ids) = over_bits().await;
    let query = "query ($id: ID!) { similar(id: $id, first: 50) {
        edges { similarity node { id } } info { strategy } } }";
    let variables = json!({ "id": ids[0] });
    let answer = app.as_admin().query(query, variables.clone()).await;
    assert_eq!(answer["similar"]["info"]["strategy"], "HNSW");
    let edges = answer["similar"]["edges"].as_array().unwrap();
    let seed = ids[0].strip_prefix("song:").unwrap();
    let statement = format!(
        "SELECT 'song:' || near.content_id AS id, 1 - (near.embedding <=> seed.embedding) AS similarity
         FROM embedding AS near JOIN embedding AS seed ON seed.content_id = '{seed}'"
    );
    let exact: HashMap<String, f64> = app
        .rows(&statement)
        .await
        .iter()
        .map(|row| (row["id"].as_str().unwrap().to_owned(), row["similarity"].as_f64().unwrap()))
        .collect();
    let similarities: Vec<f64> =
        edges.iter().map(|edge| edge["similarity"].as_f64().unwrap()).collect();
    assert!(similarities.is_sorted_by(|one, next| one >= next), "{similarities:?}");
    for (edge, similarity) in edges.iter().zip(&similarities) {
        let of = exact[edge["node"]["id"].as_str().unwrap()];
        assert!((of - similarity).abs() < 1e-6, "{of} is not {similarity}");
    }
    // Asked for each of several rows, it is the same list.
    let each =
        "query ($id: ID!) { node(id: $id) { ... on Song { similar(first: 5) { nodes { id } } } } }";
    let answer = app.as_admin().query(each, variables).await;
    let nearest: Vec<_> = edges[..5].iter().map(|edge| edge["node"].clone()).collect();
    assert_eq!(answer["node"]["similar"]["nodes"], json!(nearest));
    assert_asked(&app).await;
}

/// Searches until the server has counted that the only index is asked.
async fn assert_asked(app: &TestApp) {
    let query = "{ recommend(query: \"love\") { nodes { id } info { strategy } } }";
    let scans = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname LIKE '%\\_bit\\_idx'";
    let wait = async {
        loop {
            let answer = app.anonymous().ask(query).await;
            assert_eq!(answer["recommend"]["info"]["strategy"], "HNSW");
            if app.rows(scans).await[0]["idx_scan"].as_i64().unwrap() > 0 {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the index over bits is never asked");
}

#[tokio::test]
async fn without_the_option_an_index_over_numbers_replaces_the_one_over_bits() {
    if lacks_server("without_the_option_an_index_over_numbers_replaces_the_one_over_bits") {
        return;
    }
    let (app, _) = over_bits().await;
    app.run_queue().await;
    assert_eq!(indexes(&app).await, ["hnsw_idx"]);
    assert_eq!(shown(&app).await, json!({ "state": "READY", "type": "hnsw(halfvec)" }));
    let answer = app.anonymous().ask("{ recommend(query: \"love\") { info { strategy } } }").await;
    assert_eq!(answer["recommend"]["info"]["strategy"], "HNSW");
}
