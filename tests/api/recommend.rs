//! `recommend`.

use serde_json::{Value, json};

use crate::support::why::{EDGES, assert_scores_hold};
use crate::support::{TestApp, catalogue, texts, titles};

const BY_TEXT: &str =
    "query ($text: String!) { recommend(query: $text, first: 2) { nodes { title } } }";

#[tokio::test]
async fn a_text_finds_the_songs_it_describes() {
    let app = TestApp::with_songs().await;
    for (text, expected) in [
        ("a lullaby for a sleeping baby", ["Cradle Song", "Sleep Little Baby"]),
        ("heavy metal with distorted guitars", ["Demons of War", "Steel Hammer"]),
        ("Brazilian beach and sun", ["Beach of Rio", "Carnival Morning"]),
    ] {
        let answer = app.anonymous().query(BY_TEXT, json!({ "text": text })).await;
        let mut found = titles(&answer["recommend"]);
        found.sort();
        assert_eq!(found, expected, "{text}");
    }
}

#[tokio::test]
async fn five_songs_are_recommended_unless_the_query_says_otherwise() {
    let app = TestApp::with_songs().await;
    let answer = app
        .anonymous()
        .ask("{ recommend(query: \"music\") { nodes { id } totalCount pageInfo { hasNextPage } } }")
        .await;
    let page = &answer["recommend"];
    assert_eq!(page["nodes"].as_array().unwrap().len(), 5);
    assert_eq!(page["totalCount"], 8);
    assert_eq!(page["pageInfo"]["hasNextPage"], true);
}

#[tokio::test]
async fn the_operator_sets_the_default_and_the_most() {
    let limits = ["--default-recommendation-limit", "2", "--max-recommendation-limit", "3"];
    let app = TestApp::plan().with(&limits).start().await;
    app.songs(&catalogue::songs()).await;
    let answer = app.anonymous().ask("{ recommend(query: \"music\") { nodes { id } } }").await;
    assert_eq!(answer["recommend"]["nodes"].as_array().unwrap().len(), 2);
    let answer =
        app.anonymous().ask("{ recommend(query: \"music\", first: 4) { nodes { id } } }").await;
    answer.assert_error("INVALID_ARGUMENT", &["`first`", "between 1 and 3", "4"]);
}

#[tokio::test]
async fn a_liked_song_pulls_its_like_and_is_not_recommended_itself() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    let query = "query ($like: [Example!]) {
        recommend(like: $like, first: 100) { totalCount nodes { id title } } }";
    for (liked, expected) in [(2, "Steel Hammer"), (0, "Cradle Song"), (4, "Carnival Morning")] {
        let like = json!({ "like": [{ "id": ids[liked] }] });
        let answer = app.anonymous().query(query, like).await;
        let page = &answer["recommend"];
        assert_eq!(titles(page)[0], expected);
        assert_eq!(page["totalCount"], 7);
        assert!(!texts(&page["nodes"], "id").contains(&ids[liked]));
    }
}

#[tokio::test]
async fn an_avoided_song_pushes_its_like_down() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    let query = "query ($avoid: [Example!]) {
        recommend(query: \"loud guitars and drums\", avoid: $avoid, first: 100)
            { nodes { title } } }";
    let plain = app.anonymous().query(query, json!({})).await;
    let avoiding = app.anonymous().query(query, json!({ "avoid": [{ "id": ids[2] }] })).await;
    let place = |page: &Value| titles(page).iter().position(|title| title == "Steel Hammer");
    assert!(place(&plain["recommend"]) < place(&avoiding["recommend"]));
}

#[tokio::test]
async fn under_every_strategy_and_diversity_the_parts_add_up_to_the_score() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    for strategy in ["AVERAGE", "BEST_SCORE", "SUM"] {
        for diversity in [0.0, 0.3, 1.0] {
            let query = format!(
                "query ($like: [Example!], $avoid: [Example!]) {{
                    recommend(query: \"guitar\", like: $like, avoid: $avoid, first: 5,
                        strategy: {strategy}, diversity: {diversity}) {{ {EDGES} }} }}"
            );
            let examples = json!({
                "like": [{ "id": ids[2], "weight": 2.0 }, { "id": ids[4] }],
                "avoid": [{ "id": ids[6], "weight": 0.5 }],
            });
            let answer = app.anonymous().query(&query, examples).await;
            let edges = answer["recommend"]["edges"].as_array().unwrap();
            assert_eq!(edges.len(), 5, "{strategy} {diversity}");
            assert_scores_hold(edges, diversity == 0.0);
        }
    }
}

#[tokio::test]
async fn by_text_alone_the_score_is_the_similarity() {
    let app = TestApp::with_songs().await;
    let query = format!("{{ recommend(query: \"heavy metal\", first: 8) {{ {EDGES} }} }}");
    let answer = app.anonymous().ask(&query).await;
    let edges = answer["recommend"]["edges"].as_array().unwrap();
    assert_scores_hold(edges, true);
    for edge in edges {
        let (score, similarity) = (edge["score"].as_f64(), edge["similarity"].as_f64().unwrap());
        assert_eq!(score, Some(similarity));
        let percent = edge["similarityPercent"].as_f64().unwrap();
        assert!((percent - f64::midpoint(1.0, similarity) * 100.0).abs() <= 0.051, "{edge}");
        assert!((edge["distance"].as_f64().unwrap() - (1.0 - similarity)).abs() < 1e-9);
    }
}

#[tokio::test]
async fn diversity_puts_a_copy_behind_something_else() {
    let app = TestApp::with_songs().await;
    let query = "query ($diversity: Float!) {
        recommend(query: \"heavy metal with distorted guitars and drums\", first: 2,
            diversity: $diversity) { nodes { genre: id ... on Song { style: genre } } } }";
    let styles = async |diversity: f64| {
        let answer = app.anonymous().query(query, json!({ "diversity": diversity })).await;
        texts(&answer["recommend"]["nodes"], "style")
    };
    assert_eq!(styles(0.0).await, ["metal", "metal"]);
    let diverse = styles(0.9).await;
    assert_ne!(diverse[0], diverse[1]);
}

#[tokio::test]
async fn nothing_less_similar_than_asked_for_is_recommended() {
    let app = TestApp::with_songs().await;
    let query = "query ($least: Float) {
        recommend(query: \"heavy metal guitars\", minSimilarity: $least, first: 100)
            { totalCount edges { similarity } } }";
    let all = app.anonymous().query(query, json!({})).await;
    let similarities: Vec<f64> = all["recommend"]["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| edge["similarity"].as_f64().unwrap())
        .collect();
    assert!(similarities.is_sorted_by(|a, b| a >= b));
    let least = similarities[3] - 1e-9;
    let some = app.anonymous().query(query, json!({ "least": least })).await;
    assert_eq!(some["recommend"]["edges"].as_array().unwrap().len(), 4);
    assert_eq!(some["recommend"]["totalCount"], Value::Null);
}

#[tokio::test]
async fn a_condition_narrows_the_recommendations() {
    let app = TestApp::with_songs().await;
    let query = "{ recommend(query: \"a lullaby for a baby\", first: 10,
        where: { song: { genre: { eq: \"Metal\" }, year: { gte: 1987 } } })
        { totalCount nodes { title } info { strategy complete degraded space tookMs } } }";
    let answer = app.anonymous().ask(query).await;
    let page = &answer["recommend"];
    assert_eq!(titles(page), ["Steel Hammer"]);
    assert_eq!(page["totalCount"], 1);
    assert_eq!(page["info"]["strategy"], "EXACT");
    assert_eq!(page["info"]["complete"], true);
    assert_eq!(page["info"]["degraded"], false);
    assert!(page["info"]["space"].is_string());
}

#[tokio::test]
async fn a_recommendation_without_anything_to_go_by_is_refused() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    let known = &ids[0];
    let cases = [
        ("recommend", "INVALID_ARGUMENT", "`query`"),
        ("recommend(like: [])", "INVALID_ARGUMENT", "`query`"),
        ("recommend(query: \"x\", diversity: 1.5)", "INVALID_ARGUMENT", "1.5"),
        ("recommend(query: \"x\", minSimilarity: -2)", "INVALID_ARGUMENT", "-2"),
        ("recommend(query: \"x\", space: \"mars\")", "INVALID_ARGUMENT", "`mars`"),
        ("recommend(forMe: true)", "UNAUTHENTICATED", "token"),
        ("recommend(query: \"x\", excludeSeen: true)", "UNAUTHENTICATED", "token"),
        ("recommend(like: [{ id: \"KNOWN\", weight: 0 }])", "INVALID_ARGUMENT", "weight"),
        ("recommend(like: [{ id: \"KNOWN\", weight: -1 }])", "INVALID_ARGUMENT", "weight"),
        ("recommend(like: [{ id: \"nonsense\" }])", "INVALID_ID", "`nonsense`"),
        (
            "recommend(like: [{ id: \"song:00000000-0000-0000-0000-000000000000\" }])",
            "NOT_FOUND",
            "song:00000000",
        ),
        (
            "recommend(like: [{ id: \"KNOWN\" }], avoid: [{ id: \"KNOWN\" }], strategy: SUM)",
            "INVALID_ARGUMENT",
            "cancels",
        ),
    ];
    for (field, code, word) in cases {
        let query = format!("{{ {} {{ nodes {{ id }} }} }}", field.replace("KNOWN", known));
        let answer = app.anonymous().ask(&query).await;
        answer.assert_error(code, &[word]);
    }
}

#[tokio::test]
async fn more_than_fifty_examples_are_refused() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    let query = "query ($like: [Example!]) { recommend(like: $like) { nodes { id } } }";
    let like: Vec<Value> = (0..51).map(|_| json!({ "id": ids[0] })).collect();
    let answer = app.anonymous().query(query, json!({ "like": like })).await;
    answer.assert_error("INVALID_ARGUMENT", &["51", "50"]);
    let answer = app.anonymous().query(query, json!({ "like": like[..50] })).await;
    assert_eq!(answer["recommend"]["nodes"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn the_text_of_a_song_does_not_matter_when_another_kind_is_asked_for() {
    let app = TestApp::with_songs().await;
    let query = "{ recommend(query: \"heavy metal\", kind: JOB) { totalCount nodes { id } } }";
    let answer = app.anonymous().ask(query).await;
    assert_eq!(answer["recommend"], json!({ "totalCount": 0, "nodes": [] }));
}
