//! Which indexes a search over many rows asks.

use serde_json::{Value, json};

use crate::support::database::lacks_server;
use crate::support::{PATIENCE, TestApp};

const SETTINGS: [&str; 4] = ["--index-rows", "5000", "--exact-search-rows", "2000"];

/// A document with 8,000 parts of some sixty words each, most of them common, with vectors.
const PARTS: &str = "
    WITH document AS (INSERT INTO content
            (id, kind, external_id, title, body, source_hash, created_at, updated_at)
        VALUES ('00000000-0000-7000-8000-000000000000', 'document', 'all', 'All', '', sha256(''), now(), now())
        RETURNING id)
    INSERT INTO document (content_id) SELECT id FROM document;
    INSERT INTO content (id, kind, external_id, title, body, source_hash, created_at, updated_at)
    SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(part), 12, '0'))::uuid, 'chunk', 'all#' || part, 'All',
        (SELECT string_agg('word' || floor(power(random(), 3) * 3000)::int, ' ')
            FROM generate_series(1, 60) WHERE part > 0),
        sha256(part::text::bytea), now(), now()
    FROM generate_series(1, 8000) AS part;
    INSERT INTO chunk (content_id, document_id, position)
    SELECT id, '00000000-0000-7000-8000-000000000000', row_number() OVER (ORDER BY id) - 1
    FROM content WHERE kind = 'chunk';
    INSERT INTO embedding (content_id, kind, space_id, embedding, source_hash, created_at)
    SELECT content.id, 'chunk', active_space.space_id, (SELECT array_agg(random() - 0.5)
            FROM generate_series(1, 256) WHERE content.id IS NOT NULL)::vector(256), content.source_hash, now()
    FROM content JOIN active_space ON active_space.kind = 'chunk' WHERE content.kind = 'chunk';
    ANALYZE content";

/// How often each index of words and of vectors was asked.
async fn asked(app: &TestApp) -> Vec<i64> {
    let scans = "SELECT idx_scan FROM pg_stat_user_indexes
        WHERE indexrelname = 'content_search_idx' OR indexrelname LIKE 'chunk\\_embedding%hnsw\\_idx'
        ORDER BY indexrelname";
    app.rows(scans).await.iter().map(|row| row["idx_scan"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn a_hybrid_search_over_many_chunks_asks_both_indexes() {
    if lacks_server("a_hybrid_search_over_many_chunks_asks_both_indexes") {
        return;
    }
    let app = TestApp::plan().with(&SETTINGS).start().await;
    app.sql(PARTS).await;
    app.run_queue().await;
    let before = asked(&app).await;
    assert_eq!(before.len(), 2, "one index of words and one of vectors");
    let query =
        "query ($text: String!) { hybridSearch(query: $text, kinds: [CHUNK], semanticRatio: 0.5) {
        nodes { id } edges { similarity textScore } info { strategy } } }";
    let text = json!({ "text": "which part has word2900, word70 and word1400 in it?" });
    let wait = async {
        loop {
            let answer = app.anonymous().query(query, text.clone()).await;
            let page = &answer["hybridSearch"];
            assert_eq!(page["info"]["strategy"], "HNSW");
            assert_eq!(page["nodes"].as_array().unwrap().len(), 10);
            let has_words = |edge: &&Value| edge["textScore"].is_number();
            assert!(page["edges"].as_array().unwrap().iter().any(|edge| has_words(&edge)));
            // The server counts with a delay.
            if asked(&app).await.iter().zip(&before).all(|(now, before)| now > before) {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("an index is never asked");
}

#[tokio::test]
async fn a_narrow_filter_over_common_words_costs_no_row_its_place() {
    if lacks_server("a_narrow_filter_over_common_words_costs_no_row_its_place") {
        return;
    }
    let app = TestApp::start().await;
    app.sql(PARTS).await;
    app.sql(
        "UPDATE content SET external_id = 'few#' || external_id WHERE kind = 'chunk'
            AND (body LIKE '%word0 %' OR body LIKE '%word1 %' OR body LIKE '%word3 %') AND id IN (
            SELECT id FROM content WHERE kind = 'chunk' ORDER BY id LIMIT 60)",
    )
    .await;
    let few = app.rows("SELECT id FROM content WHERE external_id LIKE 'few#%'").await;
    assert!(few.len() >= 10, "{}", few.len());
    let query =
        "{ hybridSearch(query: \"word0 word1 word3\", kinds: [CHUNK], semanticRatio: 0, first: 100,
        where: { externalId: { contains: \"few#\" } }) { nodes { id } info { complete } } }";
    let answer = app.anonymous().ask(query).await;
    assert_eq!(answer["hybridSearch"]["nodes"].as_array().unwrap().len(), few.len());
    assert_eq!(answer["hybridSearch"]["info"]["complete"], true);
    let query = "{ hybridSearch(query: \"word0 word1 word3\", kinds: [CHUNK], semanticRatio: 0, first: 10) {
        nodes { id } info { complete } } }";
    let answer = app.anonymous().ask(query).await;
    assert_eq!(answer["hybridSearch"]["nodes"].as_array().unwrap().len(), 10);
    assert_eq!(answer["hybridSearch"]["info"]["complete"], false);
}
