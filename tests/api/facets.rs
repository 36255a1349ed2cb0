//! Facets and totals: they count exactly what they say they count.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{TestApp, catalogue, texts};

const FACETS: &str = "facets(fields: [GENRE, MOOD, YEAR, KIND, LANGUAGE, TAG]) {
    field total missing distinct values { value count } }";

fn counts(facet: &Value) -> BTreeMap<String, i64> {
    let values = facet["values"].as_array().unwrap().iter();
    values
        .map(|value| {
            (value["value"].as_str().unwrap().to_owned(), value["count"].as_i64().unwrap())
        })
        .collect()
}

#[tokio::test]
async fn facets_of_a_hybrid_search_count_the_results_of_all_pages() {
    let app = TestApp::with_songs().await;
    let query = format!(
        "{{ hybridSearch(query: \"metal drums\", kinds: [SONG], semanticRatio: 0, first: 1) {{
            totalCount nodes {{ id }} {FACETS} }} }}"
    );
    let answer = app.anonymous().ask(&query).await;
    let page = &answer["hybridSearch"];
    let pages =
        "{ hybridSearch(query: \"metal drums\", kinds: [SONG], semanticRatio: 0, first: 50) {
        nodes { ... on Song { genre moods } } } }";
    let all = app.anonymous().ask(pages).await;
    let songs = all["hybridSearch"]["nodes"].as_array().unwrap();
    assert_eq!(page["totalCount"], songs.len());
    let (mut genres, mut moods) = (BTreeMap::new(), BTreeMap::new());
    for song in songs {
        *genres.entry(song["genre"].as_str().unwrap().to_owned()).or_insert(0) += 1;
        for mood in song["moods"].as_array().unwrap() {
            *moods.entry(mood.as_str().unwrap().to_owned()).or_insert(0) += 1;
        }
    }
    let facets = page["facets"].as_array().unwrap();
    assert_eq!(
        texts(&page["facets"], "field"),
        ["GENRE", "MOOD", "YEAR", "KIND", "LANGUAGE", "TAG"]
    );
    assert_eq!((counts(&facets[0]), counts(&facets[1])), (genres, moods));
    assert!(facets.iter().all(|facet| facet["total"] == songs.len()));
    assert_eq!(facets[3]["values"], json!([{ "value": "song", "count": songs.len() }]));
    assert_eq!((&facets[5]["values"], &facets[5]["missing"]), (&json!([]), &json!(songs.len())));
}

#[tokio::test]
async fn facets_of_other_searches_count_what_could_be_found() {
    let app = TestApp::with_songs().await;
    app.ingest(&[catalogue::song("Unembedded", "It has no vector yet.")], None).await;
    let query = format!(
        "{{ recommend(query: \"sleep\", first: 1, where: {{ song: {{ year: {{ lt: 1990 }} }} }}) {{
            totalCount {FACETS} }} }}"
    );
    let answer = app.anonymous().ask(&query).await;
    let page = &answer["recommend"];
    assert_eq!(page["totalCount"], 6);
    let genre = &page["facets"][0];
    assert_eq!(
        (&genre["total"], &genre["distinct"], &genre["missing"]),
        (&json!(6), &json!(3), &json!(0))
    );
    assert_eq!(
        counts(genre),
        [("bossa nova", 2), ("lullaby", 2), ("metal", 2)].map(|(v, n)| (v.to_owned(), n)).into()
    );
    let unknown = "{ recommend(query: \"sleep\", minSimilarity: 0.1) { totalCount facets(fields: [GENRE]) { total } } }";
    let answer = app.anonymous().ask(unknown).await;
    assert_eq!(answer["recommend"], json!({ "totalCount": null, "facets": null }));
}

#[tokio::test]
async fn the_most_frequent_values_are_listed_and_the_others_counted() {
    let app = TestApp::with_songs().await;
    let query =
        "query ($first: Int!) { hybridSearch(query: \"song\", kinds: [SONG], semanticRatio: 1) {
        facets(fields: [MOOD], first: $first) { distinct missing values { value count } } } }";
    let answer = app.anonymous().query(query, json!({ "first": 2 })).await;
    let mood = &answer["hybridSearch"]["facets"][0];
    assert_eq!(
        mood["values"],
        json!([{ "value": "calm", "count": 3 }, { "value": "aggressive", "count": 2 }])
    );
    assert_eq!((&mood["distinct"], &mood["missing"]), (&json!(6), &json!(1)));
    let answer = app.anonymous().query(query, json!({ "first": 101 })).await;
    answer.assert_error("INVALID_ARGUMENT", &["between 1 and 100, but is 101"]);
}

#[tokio::test]
async fn nobody_sees_the_rows_of_others_in_facets() {
    let app = TestApp::with_songs().await;
    app.songs_of(
        "ada",
        &[json!({ "externalId": "secret", "title": "Secret", "genre": "polka",
        "description": "Heavy metal drums." })],
    )
    .await;
    let query = "{ hybridSearch(query: \"metal\", kinds: [SONG]) { totalCount facets(fields: [GENRE]) { values { value } } } }";
    let genres = async |client: crate::support::client::Client| {
        let answer = client.ask(query).await;
        texts(&answer["hybridSearch"]["facets"][0]["values"], "value")
    };
    assert!(genres(app.as_user("ada")).await.contains(&"polka".to_owned()));
    assert!(!genres(app.as_user("bob")).await.contains(&"polka".to_owned()));
    assert!(!genres(app.anonymous()).await.contains(&"polka".to_owned()));
}
