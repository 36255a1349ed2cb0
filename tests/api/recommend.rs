//! `recommend`.

use serde_json::{Value, json};

use crate::support::{TestApp, catalogue, texts, titles};

#[tokio::test]
async fn a_text_finds_the_songs_it_describes() {
    let app = TestApp::with_songs().await;
    let query = "query ($text: String!) { recommend(query: $text, first: 2) { nodes { title } } }";
    for (text, expected) in [
        ("a lullaby for a sleeping baby", ["Cradle Song", "Sleep Little Baby"]),
        ("heavy metal with distorted guitars", ["Demons of War", "Steel Hammer"]),
        ("Brazilian beach and sun", ["Beach of Rio", "Carnival Morning"]),
    ] {
        let answer = app.anonymous().query(query, json!({ "text": text })).await;
        let mut found = titles(&answer["recommend"]);
        found.sort();
        assert_eq!(found, expected, "{text}");
    }
}
