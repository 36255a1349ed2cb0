//! `hybridSearch`.

use serde_json::{Value, json};

use crate::support::why::{EDGES, assert_scores_hold};
use crate::support::{TestApp, catalogue, texts, titles};

const SEARCH: &str = "query ($text: String!, $ratio: Float, $fusion: Fusion, $least: Float) {
    hybridSearch(query: $text, kinds: [SONG], semanticRatio: $ratio, fusion: $fusion,
        minSimilarity: $least, first: 20) {
        nodes { title } edges { similarity textScore highlights }
        info { strategy complete degraded space } } }";

async fn found(app: &TestApp, text: &str, ratio: f64) -> Vec<String> {
    let answer = app.anonymous().query(SEARCH, json!({ "text": text, "ratio": ratio })).await;
    titles(&answer["hybridSearch"])
}

#[tokio::test]
async fn a_word_finds_every_song_that_has_it_in_any_form() {
    let app = TestApp::with_songs().await;
    assert_eq!(found(&app, "Warehouse", 0.0).await, ["Warehouse Machine"]);
    let mut sleeping = found(&app, "sleep", 0.0).await;
    sleeping.sort();
    assert_eq!(sleeping, ["Cradle Song", "Sleep Little Baby"]);
}

#[tokio::test]
async fn a_question_needs_only_one_of_its_words_to_occur() {
    let app = TestApp::with_songs().await;
    let text = "which of the songs you know would be good for the carnival in Venice?";
    assert_eq!(found(&app, text, 0.0).await[0], "Carnival Morning");
}

#[tokio::test]
async fn a_phrase_must_occur_and_what_follows_a_minus_must_not() {
    let app = TestApp::with_songs().await;
    assert_eq!(found(&app, "\"pounding drums\"", 0.0).await, ["Steel Hammer"]);
    assert_eq!(found(&app, "\"drums pounding\"", 0.0).await, Vec::<String>::new());
    assert_eq!(found(&app, "metal -war", 0.0).await, ["Steel Hammer"]);
    assert_eq!(found(&app, "metal -\"pounding drums\"", 0.0).await, ["Demons of War"]);
}

#[tokio::test]
async fn phrases_and_exclusions_hold_for_what_meaning_finds_too() {
    let app = TestApp::with_songs().await;
    for ratio in [0.0, 0.5, 1.0] {
        assert_eq!(found(&app, "\"pounding drums\" metal", ratio).await, ["Steel Hammer"]);
        let without = found(&app, "metal -war", ratio).await;
        assert_eq!(without[0], "Steel Hammer");
        assert!(!without.contains(&"Demons of War".to_owned()), "{ratio}: {without:?}");
    }
}

#[tokio::test]
async fn what_looks_like_an_operator_is_a_word() {
    let app = TestApp::with_songs().await;
    let texts = [
        "metal & | ! ( ) <-> :* drums",
        "'); DROP TABLE content; --",
        "a' OR 'x'='x",
        "\\ \\' metal\\",
        "\"",
        "- -- \"\" -\"\"",
        "%%%___",
        "<script>alert(1)</script>",
        "\u{1}\u{2}metal\u{2}\u{1}",
        "🎸🎸🎸",
        "ﷺ ́́́ \u{202e}latem",
    ];
    for text in texts {
        for ratio in [0.0, 0.5, 1.0] {
            let variables = json!({ "text": text, "ratio": ratio });
            let answer = app.anonymous().query(SEARCH, variables).await;
            assert!(answer["hybridSearch"]["nodes"].is_array(), "{text}");
        }
    }
}

#[tokio::test]
async fn words_alone_need_no_vector_and_meaning_alone_needs_no_word() {
    let app = TestApp::with_songs().await;
    let words = app.anonymous().query(SEARCH, json!({ "text": "lullaby", "ratio": 0 })).await;
    let page = &words["hybridSearch"];
    assert_eq!(page["info"]["strategy"], "FULL_TEXT");
    assert_eq!(page["info"]["space"], Value::Null);
    assert_eq!(page["nodes"].as_array().unwrap().len(), 2);
    let meaning = app.anonymous().query(SEARCH, json!({ "text": "lullaby", "ratio": 1 })).await;
    let page = &meaning["hybridSearch"];
    assert_eq!(page["info"]["strategy"], "EXACT");
    assert_eq!(page["nodes"].as_array().unwrap().len(), 8);
    for edge in page["edges"].as_array().unwrap() {
        assert_eq!(edge["textScore"], Value::Null);
        assert_eq!(edge["highlights"], json!([]));
    }
}

#[tokio::test]
async fn new_songs_are_found_by_their_words_before_they_have_a_vector() {
    let app = TestApp::with_songs().await;
    app.ingest(&[catalogue::song("Zeppelin", "Zydeco accordion.")], None).await;
    assert_eq!(found(&app, "zydeco", 0.0).await, ["Zeppelin"]);
    assert!(found(&app, "zydeco", 0.5).await.contains(&"Zeppelin".to_owned()));
}

#[tokio::test]
async fn in_every_fusion_the_parts_add_up_and_both_legs_beat_one() {
    let app = TestApp::with_songs().await;
    for fusion in ["RECIPROCAL_RANK", "WEIGHTED", "RELATIVE_SCORE"] {
        for ratio in [0.0, 0.3, 0.5, 1.0] {
            let query = format!(
                "{{ hybridSearch(query: \"heavy metal guitars and war drums\", kinds: [SONG],
                    fusion: {fusion}, semanticRatio: {ratio}, first: 20) {{ {EDGES} }} }}"
            );
            let answer = app.anonymous().ask(&query).await;
            let edges = answer["hybridSearch"]["edges"].as_array().unwrap();
            assert_scores_hold(edges, true);
            if ratio < 1.0 {
                assert_eq!(edges[0]["node"]["title"], "Demons of War", "{fusion} {ratio}");
            }
        }
    }
}

#[tokio::test]
async fn highlights_mark_what_was_found_and_escape_what_a_person_wrote() {
    let app = TestApp::start().await;
    let text = "<img src=x onerror=alert(1)> & \"thunder\" road";
    app.songs(&[catalogue::song("<b>Bold</b>", text)]).await;
    let answer = app.anonymous().query(SEARCH, json!({ "text": "thunder", "ratio": 0 })).await;
    let html = answer["hybridSearch"]["edges"][0]["highlights"][0].as_str().unwrap();
    assert!(html.contains("<mark>thunder</mark>"), "{html}");
    let plain = html.replace("<mark>", "").replace("</mark>", "");
    assert!(!plain.contains(['<', '>', '"']), "{html}");
}

#[tokio::test]
async fn a_text_of_nothing_but_stop_words_is_answered() {
    let app = TestApp::with_songs().await;
    app.songs(&[catalogue::song("The The", "To be or not to be.")]).await;
    let answer = app.anonymous().query(SEARCH, json!({ "text": "to be or not to be" })).await;
    assert_eq!(titles(&answer["hybridSearch"])[0], "The The");
    let answer = app.anonymous().query(SEARCH, json!({ "text": "the of and" })).await;
    assert!(answer["hybridSearch"]["nodes"].is_array());
}

#[tokio::test]
async fn nothing_less_similar_than_asked_for_is_found_even_by_its_words() {
    let app = TestApp::with_songs().await;
    let variables = json!({ "text": "baby metal", "least": 0.9 });
    let answer = app.anonymous().query(SEARCH, variables).await;
    assert_eq!(answer["hybridSearch"]["nodes"], json!([]));
    let variables = json!({ "text": "baby metal", "least": -1.0 });
    let answer = app.anonymous().query(SEARCH, variables).await;
    assert_eq!(answer["hybridSearch"]["nodes"].as_array().unwrap().len(), 8);
}

#[tokio::test]
async fn a_space_has_a_ranking_of_its_own_until_it_is_reset() {
    let app = TestApp::with_songs().await;
    let weights = async || {
        let answer = app
            .anonymous()
            .ask("{ hybridSearch(query: \"heavy metal\", kinds: [SONG]) { edges { score why { semantic { weight } text { weight contribution } } } } }")
            .await;
        answer["hybridSearch"]["edges"][0].clone()
    };
    let before = weights().await;
    let configure = "mutation ($ratio: Float, $fusion: Fusion) { configureSpace(space: \"kindred-static-256\",
        semanticRatio: $ratio, fusion: $fusion) { space { name semanticRatio fusion chunkTokens } } }";
    let set = json!({ "ratio": 0.25, "fusion": "RECIPROCAL_RANK" });
    let answer = app.as_admin().query(configure, set).await;
    let space = json!({ "name": "kindred-static-256", "semanticRatio": 0.25, "fusion": "RECIPROCAL_RANK", "chunkTokens": null });
    assert_eq!(answer["configureSpace"]["space"], space);
    let after = weights().await;
    assert_eq!(after["why"]["semantic"]["weight"], 0.25);
    assert!((after["why"]["text"]["contribution"].as_f64().unwrap() - 0.75 / 61.0).abs() < 1e-12);

    // What is not named stays, also where it is a variable that is not given.
    let chunks = "mutation ($tokens: Int, $ratio: Float) { configureSpace(space: \"kindred-static-256\",
        chunkTokens: $tokens, semanticRatio: $ratio) { space { semanticRatio fusion chunkTokens } } }";
    let answer = app.as_admin().query(chunks, json!({ "tokens": 300 })).await;
    let space = json!({ "semanticRatio": 0.25, "fusion": "RECIPROCAL_RANK", "chunkTokens": 300 });
    assert_eq!(answer["configureSpace"]["space"], space);

    let reset = "mutation { configureSpace(space: \"kindred-static-256\", reset: [FUSION, SEMANTIC_RATIO]) {
        space { semanticRatio fusion chunkTokens } } }";
    let answer = app.as_admin().ask(reset).await;
    let space = json!({ "semanticRatio": null, "fusion": null, "chunkTokens": 300 });
    assert_eq!(answer["configureSpace"]["space"], space);
    assert_eq!(weights().await, before);

    let wrong = json!({ "ratio": 1.5 });
    app.as_admin().query(configure, wrong.clone()).await.assert_error("INVALID_ARGUMENT", &["1.5"]);
    assert_eq!(app.as_user("ada").query(configure, wrong).await.code(), "FORBIDDEN");
}

#[tokio::test]
async fn a_cursor_of_another_ranking_is_refused() {
    let app = TestApp::with_songs().await;
    let query = "query ($after: String, $ratio: Float) { hybridSearch(query: \"heavy metal\", kinds: [SONG],
        first: 2, after: $after, semanticRatio: $ratio) { pageInfo { endCursor } } }";
    let answer = app.anonymous().query(query, json!({ "ratio": 0.4 })).await;
    let after = &answer["hybridSearch"]["pageInfo"]["endCursor"];
    let same = app.anonymous().query(query, json!({ "ratio": 0.4, "after": after })).await;
    assert!(same["hybridSearch"]["pageInfo"]["endCursor"].is_string());
    let other = app.anonymous().query(query, json!({ "ratio": 0.5, "after": after })).await;
    assert_eq!(other.code(), "INVALID_CURSOR");
}

#[tokio::test]
async fn a_pool_that_was_cut_says_so_and_knows_the_score_of_every_row_in_it() {
    let app = TestApp::start().await;
    app.songs(&catalogue::many(450)).await;
    let query = format!(
        "{{ hybridSearch(query: \"acoustic piano ballad\", kinds: [SONG], first: 20, fusion: WEIGHTED) {{
            {EDGES} totalCount info {{ complete degraded strategy }} }} }}"
    );
    let answer = app.anonymous().ask(&query).await;
    let page = &answer["hybridSearch"];
    assert_eq!(page["info"], json!({ "complete": false, "degraded": false, "strategy": "EXACT" }));
    assert!((200..450).contains(&page["totalCount"].as_i64().unwrap()));
    let edges = page["edges"].as_array().unwrap();
    assert_scores_hold(edges, true);
    for edge in edges {
        assert!(edge["why"]["semantic"]["value"].is_number(), "{edge:#}");
    }
}

#[tokio::test]
async fn chunks_are_searched_unless_other_kinds_are_named() {
    let app = TestApp::with_songs().await;
    let answer = app.anonymous().ask("{ hybridSearch(query: \"metal\") { nodes { id } } }").await;
    assert_eq!(answer["hybridSearch"]["nodes"], json!([]));
    let query = "{ hybridSearch(query: \"metal\", kinds: [CHUNK, SONG, JOB]) { nodes { kind } } }";
    let answer = app.anonymous().ask(query).await;
    let kinds = texts(&answer["hybridSearch"]["nodes"], "kind");
    assert!(!kinds.is_empty() && kinds.iter().all(|kind| kind == "SONG"));
}

#[tokio::test]
async fn what_cannot_be_searched_is_said() {
    let app = TestApp::start().await;
    let cases = [
        ("hybridSearch(query: \"\")", "`query`"),
        ("hybridSearch(query: \"  \\n \")", "`query`"),
        ("hybridSearch(query: \"x\", kinds: [])", "`kinds`"),
        ("hybridSearch(query: \"x\", semanticRatio: 1.1)", "1.1"),
        ("hybridSearch(query: \"x\", semanticRatio: -0.1)", "-0.1"),
        ("hybridSearch(query: \"x\", space: \"mars\")", "`mars`"),
        ("hybridSearch(query: \"x\", first: 0)", "between 1 and 100"),
    ];
    for (field, word) in cases {
        let answer = app.anonymous().ask(&format!("{{ {field} {{ nodes {{ id }} }} }}")).await;
        answer.assert_error("INVALID_ARGUMENT", &[word]);
    }
}
