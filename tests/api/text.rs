//! Full text: statistics, scores, prefixes, near words, languages.

use serde_json::{Value, json};

use crate::documents;
use crate::support::{TestApp, catalogue, texts, titles};

const SEARCH: &str = "query ($text: String!, $kinds: [Kind!]! = [SONG]) {
    hybridSearch(query: $text, kinds: $kinds, semanticRatio: 0, first: 50) {
        nodes { id title } edges { textScore highlights } info { complete } } }";

async fn found(app: &TestApp, text: &str) -> Vec<String> {
    let answer = app.anonymous().query(SEARCH, json!({ "text": text })).await;
    titles(&answer["hybridSearch"])
}

/// What the statistics say and a count from scratch does not, or the other way round.
async fn miscounted(app: &TestApp) -> Vec<Value> {
    app.rows(
        "WITH kept AS (SELECT kind, word, sum(rows)::bigint AS rows FROM (
                SELECT kind, word, rows FROM lexeme
                UNION ALL SELECT kind, word, rows FROM lexeme_change) AS added_up
                GROUP BY kind, word HAVING sum(rows) <> 0),
            counted AS (SELECT kind, word COLLATE \"C\" AS word, count(*) AS rows
                FROM content, unnest(tsvector_to_array(search)) AS word
                WHERE owner_id IS NULL AND deleted_at IS NULL GROUP BY 1, 2),
            kept_total AS (SELECT kind, language, owner_id, sum(rows)::bigint, sum(length)::bigint
                FROM lexeme_total GROUP BY 1, 2, 3 HAVING sum(rows) <> 0 OR sum(length) <> 0),
            counted_total AS (SELECT kind, language, owner_id, count(*), sum(length(search))
                FROM content WHERE deleted_at IS NULL GROUP BY 1, 2, 3)
        SELECT 'kept' AS by, k::text AS what FROM (TABLE kept EXCEPT TABLE counted) AS k
        UNION ALL SELECT 'counted', c::text FROM (TABLE counted EXCEPT TABLE kept) AS c
        UNION ALL SELECT 'kept', k::text FROM (TABLE kept_total EXCEPT TABLE counted_total) AS k
        UNION ALL SELECT 'counted', c::text FROM (TABLE counted_total EXCEPT TABLE kept_total) AS c",
    )
    .await
}

#[tokio::test]
async fn the_statistics_are_those_of_a_count_from_scratch_whatever_is_written() {
    let app = TestApp::start().await;
    let changes = [
        "UPDATE content SET title = title || ' encore' WHERE random() < 0.3",
        "UPDATE content SET deleted_at = now() WHERE random() < 0.3",
        "UPDATE content SET updated_at = now()",
        "UPDATE content SET deleted_at = NULL, body = body || ' again' WHERE random() < 0.3",
        "UPDATE content SET language = 'german' WHERE random() < 0.2",
        "INSERT INTO \"user\" (id, created_at, updated_at) VALUES
            ('00000000-0000-4000-8000-000000000001', now(), now()) ON CONFLICT DO NOTHING;
            UPDATE content SET owner_id = '00000000-0000-4000-8000-000000000001' WHERE random() < 0.2",
        "DELETE FROM content WHERE random() < 0.2",
        "BEGIN; DELETE FROM content; ROLLBACK; BEGIN",
        "UPDATE content SET owner_id = NULL WHERE random() < 0.5",
        "DELETE FROM \"user\"",
    ];
    for round in 0..2 {
        app.songs(&catalogue::many(60)).await;
        assert_eq!(miscounted(&app).await, Vec::<Value>::new());
        for change in changes {
            app.sql(change).await;
            assert_eq!(miscounted(&app).await, Vec::<Value>::new(), "after `{change}`");
        }
        // The second time the sums are there already.
        let services = app.services.clone();
        app.on_server(async move { services.maintain().await }).await.unwrap();
        let left = app.rows("SELECT * FROM lexeme_change").await;
        assert_eq!(left, Vec::<Value>::new(), "round {round}");
        assert_eq!(miscounted(&app).await, Vec::<Value>::new());
    }
    assert!(app.rows("SELECT * FROM lexeme").await.len() > 100);
    app.sql("DELETE FROM content").await;
    let services = app.services.clone();
    app.on_server(async move { services.maintain().await }).await.unwrap();
    let left = "SELECT word FROM lexeme UNION ALL SELECT kind FROM lexeme_total";
    assert_eq!(app.rows(left).await, Vec::<Value>::new());
}

#[tokio::test]
async fn for_one_word_the_rank_of_postgresql_is_the_sum_of_the_weights_of_its_places() {
    let app = TestApp::start().await;
    let rank = |vector: &str| {
        format!("SELECT ts_rank_cd('{{0.1, 0.4, 0.6, 1}}', {vector}, '''rain'''::tsquery) AS rank")
    };
    for (vector, sum) in [
        ("'rain:1A'::tsvector", 1.0),
        ("'rain:1A,2A,7B,9C,10C,30D song:2A'::tsvector", 3.5),
        ("'rainy:1A song:2'::tsvector", 0.0),
        ("array_to_tsvector('{song}') || to_tsvector('simple', repeat('rain ', 200))", 20.0),
    ] {
        let rows = app.rows(&rank(vector)).await;
        let rank = rows[0]["rank"].as_f64().unwrap();
        assert!((rank - sum).abs() < 1e-4, "{vector}: {rank}");
    }
}

/// The score of every song for a set of words, counted by the definition of BM25 with fields.
async fn by_definition(app: &TestApp, words: &[&str]) -> Vec<(String, f64)> {
    let list: Vec<String> = words.iter().map(|word| format!("('{word}')")).collect();
    let statement = format!(
        "WITH live AS (SELECT * FROM content WHERE deleted_at IS NULL AND owner_id IS NULL AND kind = 'song'),
            average AS (SELECT avg(length(search)) AS length, count(*) AS rows FROM live),
            word (word) AS (VALUES {}),
            standing AS (SELECT live.id, live.title, word.word, length(live.search) AS length, sum(
                CASE weight WHEN 'A' THEN 1 WHEN 'B' THEN 0.6 ELSE 0.4 END) / 0.4 AS tf
                FROM live, unnest(live.search) AS place, unnest(weights) AS weight, word
                WHERE lexeme = word.word GROUP BY 1, 2, 3, 4),
            counted AS (SELECT word, count(*) AS rows FROM standing GROUP BY word)
        SELECT title, sum(ln(1 + (average.rows - counted.rows + 0.5) / (counted.rows + 0.5))
            * 2.2 * tf / (tf + 1.2 * (0.25 + 0.75 * standing.length / average.length)))::float8 AS score
        FROM standing JOIN counted USING (word), average GROUP BY id, title ORDER BY score DESC, id",
        list.join(", ")
    );
    let row =
        |row: &Value| (row["title"].as_str().unwrap().to_owned(), row["score"].as_f64().unwrap());
    app.rows(&statement).await.iter().map(row).collect()
}

#[tokio::test]
async fn the_text_score_is_bm25_over_weighted_fields() {
    let app = TestApp::with_songs().await;
    app.ingest(&[catalogue::song("Drums of Drums", "Heavy drums, drums and a bass.")], None).await;
    let answer = app.anonymous().query(SEARCH, json!({ "text": "heavy war drums" })).await;
    let page = &answer["hybridSearch"];
    let expected = by_definition(&app, &["heavi", "war", "drum"]).await;
    let (names, scores): (Vec<String>, Vec<f64>) = expected.into_iter().unzip();
    assert_eq!(titles(page), names);
    assert!(names.len() >= 4);
    for (edge, expected) in page["edges"].as_array().unwrap().iter().zip(scores) {
        let score = edge["textScore"].as_f64().unwrap();
        assert!((score - expected).abs() < 1e-4, "{score} and not {expected}");
    }
}

#[tokio::test]
async fn what_the_query_says_twice_counts_more() {
    let app = TestApp::start().await;
    app.songs(&[catalogue::song("One", "amber lake"), catalogue::song("Two", "cobalt lake")]).await;
    assert_eq!(found(&app, "amber amber cobalt").await, ["One", "Two"]);
    assert_eq!(found(&app, "amber cobalt cobalt").await, ["Two", "One"]);
}

#[tokio::test]
async fn stop_words_find_nothing_beside_other_words_and_everything_alone() {
    let app = TestApp::start().await;
    let who = catalogue::song("The Who", "A band.");
    app.songs(&[who, catalogue::song("Rain", "Water falls.")]).await;
    assert_eq!(found(&app, "the who").await, ["The Who"]);
    assert_eq!(found(&app, "who is it that makes the rain?").await, ["Rain"]);
    assert_eq!(found(&app, "\"the who\" rain").await, ["The Who"]);
}

#[tokio::test]
async fn a_beginning_with_a_star_finds_its_words() {
    let app = TestApp::with_songs().await;
    let mut lullabies = found(&app, "lull*").await;
    lullabies.sort();
    assert_eq!(lullabies, ["Cradle Song", "Sleep Little Baby"]);
    assert_eq!(found(&app, "carn* wareh*").await.len(), 2);
    assert_eq!(found(&app, "lull").await, Vec::<String>::new());
    assert_eq!(found(&app, "metal* -war").await, ["Steel Hammer"]);
}

#[tokio::test]
async fn a_mistyped_word_finds_what_was_meant_unless_it_is_a_word_itself() {
    let app = TestApp::with_songs().await;
    assert_eq!(found(&app, "wharehouse").await, ["Warehouse Machine"]);
    assert_eq!(found(&app, "carnvial").await, ["Carnival Morning"]);
    assert_eq!(found(&app, "Warehouse carnvial").await, ["Warehouse Machine", "Carnival Morning"]);
    app.songs(&[catalogue::song("Carnvial", "So it was printed.")]).await;
    assert_eq!(found(&app, "carnvial").await, ["Carnvial"]);
    assert_eq!(found(&app, "zzzzzzzz").await, Vec::<String>::new());
}

#[tokio::test]
async fn nobody_learns_words_or_languages_of_another_persons_rows() {
    let app = TestApp::with_songs().await;
    app.songs_of("ada", &[catalogue::song("Xylophonic", "A secret zeppelinesque tune.")]).await;
    for text in ["xylophonik", "xylophonic", "xyloph*", "zeppelinesqe"] {
        let variables = json!({ "text": text });
        let answer = app.as_user("bob").query(SEARCH, variables).await;
        assert_eq!(titles(&answer["hybridSearch"]), Vec::<String>::new(), "{text}");
    }
    let answer = app.as_user("ada").query(SEARCH, json!({ "text": "xylophonic" })).await;
    assert_eq!(titles(&answer["hybridSearch"]), ["Xylophonic"]);
    let answer = app.as_user("ada").query(SEARCH, json!({ "text": "xyloph*" })).await;
    assert_eq!(titles(&answer["hybridSearch"]), ["Xylophonic"]);
}

#[tokio::test]
async fn every_document_is_read_in_its_own_language() {
    let app = TestApp::start().await;
    let document = |title: &str, body: &str, language: &str| json!({ "externalId": title, "title": title, "body": body, "language": language });
    let rows = json!([
        document("Tiere", "Die Katzen schlafen in den Häusern.", "de"),
        document("Pets", "The cats were running through houses.", "en"),
        document("Chats", "Les chats dormaient dans les maisons.", "fr"),
    ]);
    documents::ingest(&app, rows).await.data();
    for (text, title) in [
        ("Katze", "Tiere"),
        ("haus", "Tiere"),
        ("run", "Pets"),
        ("house", "Pets"),
        ("dormir", "Chats"),
        ("\"den häusern\"", "Tiere"),
        ("\"les maisons\"", "Chats"),
        ("\"were running\" -chats", "Pets"),
    ] {
        let variables = json!({ "text": text, "kinds": ["CHUNK"] });
        let answer = app.anonymous().query(SEARCH, variables).await;
        assert_eq!(titles(&answer["hybridSearch"]), [title], "{text}");
        let highlight = &answer["hybridSearch"]["edges"][0]["highlights"][0];
        assert!(highlight.as_str().unwrap().contains("<mark>"), "{text}: {highlight}");
    }
}

#[tokio::test]
async fn two_extracts_of_a_long_text_are_marked_and_harmless() {
    let app = TestApp::start().await;
    let filler = "Nothing of note happens in this long passage of text. ".repeat(20);
    let body = format!(
        "A <img src=x onerror=alert('x')> zither plays <script>alert(1)</script>. {filler} Then the zither ends."
    );
    let row = json!([{ "externalId": "z", "title": "Z", "body": body }]);
    documents::ingest(&app, row).await.data();
    let variables = json!({ "text": "zither", "kinds": ["DOCUMENT"] });
    let answer = app.anonymous().query(SEARCH, variables).await;
    let highlights = &answer["hybridSearch"]["edges"][0]["highlights"];
    let highlights: Vec<&str> =
        highlights.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    assert_eq!(highlights.len(), 2, "{highlights:?}");
    assert!(highlights.iter().all(|text| text.contains("<mark>zither</mark>")), "{highlights:?}");
    let html = highlights.concat();
    assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
}

#[tokio::test]
async fn nothing_that_is_typed_is_an_error() {
    let app = TestApp::with_songs().await;
    let pieces = [
        "'",
        "\"",
        "\\",
        "*",
        ":*",
        "-",
        "&",
        "|",
        "!",
        "(",
        ")",
        "<->",
        "<2>",
        "a",
        "metal",
        "drum*",
        "''",
        "-\"",
        "$1",
        "%",
        "\u{1}",
        "\u{3}",
        "ß",
        "ﷺ",
        "🎸",
        "\u{300}",
        "\u{202e}",
        " ",
        "\t",
        ",",
        "x:AB",
        "don't",
        "1e9",
        "-1",
        "http://a.b/c?d=e",
        "a@b.c",
        "<b>",
        "--",
        "/*",
        ";",
        "{}",
        "U&'\\0'",
    ];
    // A small generator of its own, so that a failure can be repeated.
    let mut state = 7_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(state >> 33).unwrap() % below
    };
    for _ in 0..150 {
        let count = 1 + next(8);
        let text: String = (0..count).map(|_| pieces[next(pieces.len())]).collect();
        if text.trim().is_empty() {
            continue;
        }
        let answer = app.anonymous().query(SEARCH, json!({ "text": text })).await;
        assert!(answer["hybridSearch"]["nodes"].is_array(), "{text:?}");
    }
    let long = "rock & \"roll\" -x* ".repeat(100);
    let answer = app.anonymous().query(SEARCH, json!({ "text": long })).await;
    assert_eq!(texts(&answer["hybridSearch"]["nodes"], "title"), Vec::<String>::new());
}
