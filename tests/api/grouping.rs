//! `groupByDocument` and the chunks beside a result.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::documents::ingest;
use crate::support::TestApp;
use crate::support::why::{EDGES, assert_scores_hold};

/// A paragraph that is a chunk of its own under the shortest chunks.
fn paragraph(topic: &str, number: usize) -> String {
    format!("{topic} number {number} is told here at length, with enough words to stand alone.")
}

fn document(title: &str, topic: &str, paragraphs: usize) -> Value {
    let body: Vec<String> = (1..=paragraphs).map(|number| paragraph(topic, number)).collect();
    json!({ "externalId": title, "title": title, "body": body.join("\n\n"), "tags": [title] })
}

async fn with_documents(documents: &[Value]) -> TestApp {
    let app = TestApp::start().await;
    let short = "mutation { configureSpace(space: \"kindred-static-256\", chunkTokens: 20, chunkOverlap: 0) {
        space { chunkTokens } } }";
    app.as_admin().ask(short).await.data();
    for rows in documents.chunks(50) {
        assert_eq!(ingest(&app, json!(rows)).await["ingestDocuments"]["rejected"], 0);
    }
    app.run_queue().await;
    app
}

async fn grouped(app: &TestApp, arguments: &str) -> Value {
    let query = format!(
        "{{ hybridSearch({arguments}, groupByDocument: true) {{ totalCount {EDGES}
            groups: edges {{ groupSize node {{ kind ... on Chunk {{ position document {{ title }} }}
                ... on Document {{ externalId }} }}
                neighbors(before: 2, after: 1) {{ position document {{ title }} }} }}
            facets(fields: [TAG]) {{ total values {{ value count }} }}
            info {{ complete }} pageInfo {{ hasNextPage endCursor }} }} }}"
    );
    app.anonymous().ask(&query).await["hybridSearch"].clone()
}

fn document_of(edge: &Value) -> String {
    let node = &edge["node"];
    let title = node["document"]["title"].as_str().or(node["externalId"].as_str());
    title.unwrap_or_else(|| panic!("no document: {edge}")).to_owned()
}

#[tokio::test]
async fn each_document_is_one_result_that_stands_for_its_chunks() {
    let app = with_documents(&[
        document("Bread", "Sourdough bread", 5),
        document("Ice", "Glacier ice", 3),
        document("Stars", "Telescope starlight", 2),
    ])
    .await;
    let plain = "{ hybridSearch(query: \"sourdough bread\", first: 50) { nodes { ... on Chunk { document { title } } } } }";
    let answer = app.anonymous().ask(plain).await;
    let mut chunks: BTreeMap<String, i64> = BTreeMap::new();
    for node in answer["hybridSearch"]["nodes"].as_array().unwrap() {
        *chunks.entry(node["document"]["title"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    assert!(chunks["Bread"] >= 5);
    let page = grouped(&app, "query: \"sourdough bread\"").await;
    assert_scores_hold(page["edges"].as_array().unwrap(), true);
    let groups = page["groups"].as_array().unwrap();
    assert_eq!((&page["totalCount"], groups.len()), (&json!(3), 3));
    assert_eq!(document_of(&groups[0]), "Bread");
    let sizes: BTreeMap<String, i64> = groups
        .iter()
        .map(|edge| (document_of(edge), edge["groupSize"].as_i64().unwrap()))
        .collect();
    assert_eq!(sizes, chunks);
    assert!(groups.iter().all(|edge| edge["node"]["kind"] == "CHUNK"));
    // Facets count the results, of which each document is one.
    assert_eq!(page["facets"][0]["total"], 3);
    assert_eq!(page["facets"][0]["values"][0]["count"], 1);
}

#[tokio::test]
async fn the_chunks_beside_a_result_are_those_of_its_document_in_order() {
    let app = with_documents(&[
        document("Bread", "Sourdough bread", 8),
        document("Ice", "Glacier ice", 8),
    ])
    .await;
    let page = grouped(&app, "query: \"glacier ice number 5\"").await;
    for edge in page["groups"].as_array().unwrap() {
        let own = edge["node"]["position"].as_i64().unwrap();
        let beside = edge["neighbors"].as_array().unwrap();
        let positions: Vec<i64> =
            beside.iter().map(|chunk| chunk["position"].as_i64().unwrap()).collect();
        let count = app
            .rows("SELECT count(*) AS count FROM chunk GROUP BY document_id LIMIT 1")
            .await[0]["count"]
            .as_i64()
            .unwrap();
        let expected: Vec<i64> = (own - 2..=own + 1)
            .filter(|place| *place != own && (0..count).contains(place))
            .collect();
        assert_eq!(positions, expected);
        assert!(beside.iter().all(|chunk| chunk["document"]["title"] == document_of(edge)));
    }
    let songs = TestApp::with_songs().await;
    let query =
        "{ hybridSearch(query: \"metal\", kinds: [SONG]) { edges { neighbors { position } } } }";
    let answer = songs.anonymous().ask(query).await;
    assert_eq!(answer["hybridSearch"]["edges"][0]["neighbors"], json!([]));
    let query = "{ hybridSearch(query: \"ice\") { edges { neighbors(before: 6) { position } } } }";
    let answer = app.anonymous().ask(query).await;
    answer.assert_error("INVALID_ARGUMENT", &["`before`", "between 0 and 5, but is 6"]);
}

#[tokio::test]
async fn pages_count_documents_and_show_none_twice() {
    let documents: Vec<Value> =
        (0..25).map(|n| document(&format!("Ice {n:02}"), "Glacier ice", 3)).collect();
    let app = with_documents(&documents).await;
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = grouped(&app, &format!("query: \"glacier\", first: 10{after}")).await;
        let groups = page["groups"].as_array().unwrap();
        seen.extend(groups.iter().map(document_of));
        if page["pageInfo"]["hasNextPage"] == false {
            assert_eq!(groups.len(), 5);
            break;
        }
        assert_eq!(groups.len(), 10);
        after = format!(", after: {}", page["pageInfo"]["endCursor"]);
    }
    assert_eq!((seen.len(), seen.iter().collect::<BTreeSet<_>>().len()), (25, 25));
}

#[tokio::test]
async fn one_long_document_does_not_fill_the_page() {
    // More chunks than a pool holds, all better than anything else.
    let mut documents = vec![document("Long", "Glacier ice", 260)];
    documents
        .extend((0..12).map(|n| document(&format!("Short {n}"), "Warm valley below a glacier", 1)));
    let app = with_documents(&documents).await;
    let plain =
        "{ hybridSearch(query: \"glacier ice\", first: 10) { totalCount info { complete } } }";
    let plain = app.anonymous().ask(plain).await;
    assert_eq!(plain["hybridSearch"]["info"]["complete"], false);
    let page = grouped(&app, "query: \"glacier ice\", first: 10").await;
    assert_eq!(page["groups"].as_array().unwrap().len(), 10);
    assert_eq!((&page["totalCount"], &page["info"]["complete"]), (&json!(13), &json!(true)));
}

#[tokio::test]
async fn a_document_and_its_chunks_are_one_group() {
    let app = with_documents(&[
        document("Bread", "Sourdough bread", 4),
        document("Ice", "Glacier ice", 4),
    ])
    .await;
    let page = grouped(&app, "query: \"glacier ice\", kinds: [DOCUMENT, CHUNK]").await;
    let groups = page["groups"].as_array().unwrap();
    let titles: Vec<String> = groups.iter().map(document_of).collect();
    assert_eq!(titles, ["Ice", "Bread"]);
    let rows = app
        .rows("SELECT count(*) AS count FROM content WHERE kind IN ('document', 'chunk') AND title = 'Ice'")
        .await;
    assert_eq!(groups[0]["groupSize"], rows[0]["count"]);
}
