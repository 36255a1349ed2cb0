//! Boosts, autocut and diversity in `hybridSearch`.

use serde_json::{Value, json};

use crate::support::why::{EDGES, assert_scores_hold};
use crate::support::{TestApp, catalogue, titles};

async fn edges(app: &TestApp, arguments: &str) -> Vec<Value> {
    let query = format!(
        "{{ hybridSearch(kinds: [SONG], first: 20, {arguments}) {{ {EDGES} totalCount }} }}"
    );
    let answer = app.anonymous().ask(&query).await;
    answer["hybridSearch"]["edges"].as_array().unwrap().clone()
}

fn order(edges: &[Value]) -> Vec<&str> {
    edges.iter().map(|edge| edge["node"]["title"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_number_lifts_what_has_more_of_it_and_says_so() {
    let app = TestApp::with_songs().await;
    let plain = edges(&app, "query: \"lullaby for a baby\"").await;
    assert_eq!(plain[0]["why"]["boosts"], json!([]));
    let boost = "boosts: [{ number: { field: POPULARITY, weight: 1 } }]";
    let boosted = edges(&app, &format!("query: \"lullaby for a baby\", {boost}")).await;
    assert_scores_hold(&boosted, true);
    let place = |edges: &[Value], title| order(edges).iter().position(|t| *t == title).unwrap();
    let popular = "Warehouse Machine";
    assert!(place(&boosted, popular) < place(&plain, popular));
    let edge = &boosted[place(&boosted, popular)];
    assert_eq!(edge["why"]["boosts"][0]["number"], "POPULARITY");
    assert_eq!(edge["why"]["boosts"][0]["value"], 1.0);
    // The song of which nothing is known keeps its place without being punished.
    let bare = &boosted[place(&boosted, "Untitled")]["why"]["boosts"][0];
    assert_eq!((&bare["value"], &bare["contribution"]), (&Value::Null, &json!(0.0)));
}

#[tokio::test]
async fn a_weight_means_the_same_in_every_fusion() {
    let app = TestApp::with_songs().await;
    for fusion in ["RECIPROCAL_RANK", "WEIGHTED", "RELATIVE_SCORE"] {
        let arguments = format!("query: \"heavy metal war drums\", fusion: {fusion}");
        let plain = edges(&app, &arguments).await;
        let boost = "boosts: [{ number: { field: POPULARITY, weight: 0.5 } }]";
        let boosted = edges(&app, &format!("{arguments}, {boost}")).await;
        assert_scores_hold(&boosted, true);
        let most = |edge: &Value| edge["why"]["boosts"][0]["contribution"].as_f64().unwrap();
        let most = boosted.iter().map(most).fold(0.0, f64::max);
        let best = plain[0]["score"].as_f64().unwrap();
        assert!((most - 0.5 * best).abs() < 1e-9, "{fusion}: {most} of {best}");
    }
}

#[tokio::test]
async fn recency_lifts_what_is_new() {
    let app = TestApp::with_songs().await;
    app.sql(
        "UPDATE content SET created_at = now() - interval '30 days' WHERE title = 'Cradle Song'; \
         UPDATE content SET created_at = now() - interval '300 days' WHERE title = 'Sleep Little Baby'",
    )
    .await;
    let boost = "boosts: [{ recency: { weight: 1, halfLifeDays: 30 } }]";
    let boosted = edges(&app, &format!("query: \"lullaby sleep baby night\", {boost}")).await;
    assert_scores_hold(&boosted, true);
    let value = |title: &str| {
        let edge = boosted.iter().find(|edge| edge["node"]["title"] == title).unwrap();
        assert_eq!(edge["why"]["boosts"][0]["time"], "CREATED_AT");
        edge["why"]["boosts"][0]["value"].as_f64().unwrap()
    };
    assert!((value("Cradle Song") - 0.5).abs() < 0.001);
    assert!(value("Sleep Little Baby") < 0.001);
    assert!(value("Beach of Rio") > 0.99);
}

#[tokio::test]
async fn autocut_keeps_the_songs_that_stand_out() {
    let app = TestApp::with_songs().await;
    let text = "query: \"a lullaby for a baby who should sleep at night\", semanticRatio: 1";
    let all = edges(&app, text).await;
    let cut = edges(&app, &format!("{text}, autocut: 1")).await;
    assert_eq!(cut.len(), 2, "{:?}", order(&cut));
    assert_eq!(order(&cut), order(&all)[..2]);
    let query = format!(
        "{{ hybridSearch(kinds: [SONG], {text}, autocut: 1) {{ totalCount nodes {{ id }} }} }}"
    );
    let answer = app.anonymous().ask(&query).await;
    assert_eq!(answer["hybridSearch"]["totalCount"], 2);
}

#[tokio::test]
async fn diversity_puts_songs_that_are_alike_apart_in_every_fusion() {
    let app = TestApp::with_songs().await;
    for fusion in ["RECIPROCAL_RANK", "WEIGHTED"] {
        let arguments = format!("query: \"heavy metal guitars drums\", fusion: {fusion}");
        let plain = edges(&app, &arguments).await;
        let mut metal = order(&plain)[..2].to_vec();
        metal.sort_unstable();
        assert_eq!(metal, ["Demons of War", "Steel Hammer"], "{fusion}");
        let diverse = edges(&app, &format!("{arguments}, diversity: 0.7")).await;
        assert_eq!(order(&diverse)[0], order(&plain)[0]);
        assert!(!metal.contains(&order(&diverse)[1]), "{fusion}: {:?}", order(&diverse));
        assert_eq!(diverse.len(), 8);
        assert_scores_hold(&diverse, true);
        assert!(diverse.iter().all(|edge| edge["why"]["diversity"].as_f64().unwrap() <= 0.0));
    }
}

#[tokio::test]
async fn pages_of_a_boosted_and_diversified_list_join() {
    let app = TestApp::start().await;
    app.songs(&catalogue::many(120)).await;
    let query = "query ($after: String) { hybridSearch(query: \"live at the stadium\", kinds: [SONG], first: 25,
        after: $after, diversity: 0.3, boosts: [{ number: { field: POPULARITY, scale: LOG, weight: 0.3 } },
        { recency: { field: UPDATED_AT, weight: 0.1 } }]) {
        edges { cursor node { id title } score } nodes { title } totalCount info { complete } pageInfo { endCursor hasNextPage } } }";
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let answer = app.anonymous().query(query, json!({ "after": after })).await;
        let page = &answer["hybridSearch"];
        assert_eq!((&page["totalCount"], &page["info"]["complete"]), (&json!(120), &json!(true)));
        let ids = page["edges"].as_array().unwrap().iter();
        seen.extend(ids.map(|edge| edge["node"]["id"].as_str().unwrap().to_owned()));
        if page["pageInfo"]["hasNextPage"] == false {
            assert!(!titles(page).is_empty());
            break;
        }
        assert_eq!(titles(page).len(), 25);
        after = page["pageInfo"]["endCursor"].clone();
    }
    let mut distinct = seen.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!((seen.len(), distinct.len()), (120, 120));
}

#[tokio::test]
async fn what_cannot_be_boosted_or_cut_is_said() {
    let app = TestApp::start().await;
    let number = "{ number: { field: POPULARITY, weight: 0.1 } }";
    let cases = [
        ("boosts: [{}]".to_owned(), "exactly one"),
        (format!("boosts: [{}]", [number; 6].join(" ")), "6 boosts; 5 are allowed"),
        ("boosts: [{ number: { field: YEAR, weight: 1.5 } }]".to_owned(), "1.5"),
        (
            "boosts: [{ recency: { weight: 0.1, halfLifeDays: 0 } }]".to_owned(),
            "half-life of 0 days",
        ),
        ("autocut: 0".to_owned(), "between 1 and 20, but is 0"),
        ("diversity: 1.01".to_owned(), "1.01"),
        ("semanticRatio: 0, minSimilarity: 0.1".to_owned(), "`semanticRatio` above 0"),
    ];
    for (arguments, word) in cases {
        let query = format!("{{ hybridSearch(query: \"x\", {arguments}) {{ nodes {{ id }} }} }}");
        app.anonymous().ask(&query).await.assert_error("INVALID_ARGUMENT", &[word]);
    }
}
