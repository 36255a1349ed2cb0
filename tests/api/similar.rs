//! `similar`, on its own and nested.

use serde_json::{Value, json};

use crate::support::{TestApp, catalogue, texts, titles};

const SIMILAR: &str = "query ($id: ID!, $first: Int! = 10, $after: String) {
    similar(id: $id, first: $first, after: $after) { totalCount nodes { id title }
        edges { cursor similarity } pageInfo { hasNextPage endCursor }
        info { complete degraded strategy } } }";

#[tokio::test]
async fn the_most_similar_song_comes_first_and_the_song_itself_never() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    for (song, expected) in [(0, "Cradle Song"), (2, "Steel Hammer"), (5, "Beach of Rio")] {
        let answer = app.anonymous().query(SIMILAR, json!({ "id": ids[song] })).await;
        let page = &answer["similar"];
        assert_eq!(titles(page)[0], expected);
        assert_eq!(page["totalCount"], 7);
        assert_eq!(page["nodes"].as_array().unwrap().len(), 7);
        assert!(!texts(&page["nodes"], "id").contains(&ids[song]));
    }
}

#[tokio::test]
async fn a_nested_list_is_the_beginning_of_the_list_itself() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    let nested = "{ songs(orderBy: { field: TITLE }, first: 8) { nodes { id similar(first: 3) {
        nodes { id title } edges { cursor similarity } pageInfo { hasNextPage endCursor } } } } }";
    let answer = app.anonymous().ask(nested).await;
    let songs = answer["songs"]["nodes"].as_array().unwrap();
    assert_eq!(songs.len(), ids.len());
    for song in songs {
        let direct = app.anonymous().query(SIMILAR, json!({ "id": song["id"], "first": 3 })).await;
        let (nested, direct) = (&song["similar"], &direct["similar"]);
        for field in ["nodes", "edges", "pageInfo"] {
            assert_eq!(nested[field], direct[field], "{field}");
        }
    }
}

#[tokio::test]
async fn a_nested_list_goes_on_with_its_cursor() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    let nested = "query ($id: ID!) { node(id: $id) { ... on Song {
        similar(first: 3) { nodes { id } pageInfo { endCursor } } } } }";
    let answer = app.anonymous().query(nested, json!({ "id": ids[2] })).await;
    let begin = &answer["node"]["similar"];
    let after = &begin["pageInfo"]["endCursor"];
    let variables = json!({ "id": ids[2], "first": 4, "after": after });
    let rest = app.anonymous().query(SIMILAR, variables).await;
    let mut both = texts(&begin["nodes"], "id");
    both.extend(texts(&rest["similar"]["nodes"], "id"));
    let all = app.anonymous().query(SIMILAR, json!({ "id": ids[2] })).await;
    assert_eq!(both, texts(&all["similar"]["nodes"], "id"));
}

#[tokio::test]
async fn conditions_and_a_least_similarity_narrow_the_list() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    let query = "query ($id: ID!, $least: Float, $where: ContentFilter) {
        similar(id: $id, minSimilarity: $least, where: $where) { nodes { title }
            edges { similarity } } }";
    let calm = json!({ "song": { "energy": { "lt": 0.5 } } });
    let answer = app.anonymous().query(query, json!({ "id": ids[2], "where": calm })).await;
    let mut found = titles(&answer["similar"]);
    found.sort();
    assert_eq!(found, ["Beach of Rio", "Carnival Morning", "Cradle Song", "Sleep Little Baby"]);
    let answer = app.anonymous().query(query, json!({ "id": ids[2], "least": 0.999 })).await;
    assert_eq!(answer["similar"]["nodes"], json!([]));
}

#[tokio::test]
async fn a_song_that_waits_for_its_vector_has_no_similar_songs_yet() {
    let app = TestApp::with_songs().await;
    let new = app.ingest(&[catalogue::song("New", "A brand new song.")], None).await;
    let answer = app.anonymous().query(SIMILAR, json!({ "id": new[0] })).await;
    let page = &answer["similar"];
    assert_eq!(page["nodes"], json!([]));
    assert_eq!(page["info"]["complete"], false);
    assert_eq!(page["info"]["degraded"], true);
    app.run_queue().await;
    let answer = app.anonymous().query(SIMILAR, json!({ "id": new[0] })).await;
    assert_eq!(answer["similar"]["nodes"].as_array().unwrap().len(), 8);
}

#[tokio::test]
async fn a_song_that_waits_for_its_vector_does_not_spoil_a_list_of_similar_songs() {
    let app = TestApp::with_songs().await;
    app.ingest(&[catalogue::song("New", "A brand new song.")], None).await;
    let query = "{ songs(first: 20) { nodes { title embeddingStatus similar(first: 2) {
        nodes { id } } } } }";
    let answer = app.anonymous().ask(query).await;
    let songs = answer["songs"]["nodes"].as_array().unwrap();
    let similar = |song: &Value| song["similar"]["nodes"].as_array().unwrap().len();
    for song in songs {
        let is_new = song["title"] == "New";
        assert_eq!(similar(song), if is_new { 0 } else { 2 }, "{song}");
        assert_eq!(song["embeddingStatus"], if is_new { "PENDING" } else { "READY" });
    }
}

#[tokio::test]
async fn an_id_that_names_nothing_is_not_there_whatever_its_kind() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    let other_kind = ids[0].replace("song:", "job:");
    let unknown = "song:00000000-0000-0000-0000-000000000000";
    for id in [other_kind.as_str(), unknown] {
        let answer = app.anonymous().query(SIMILAR, json!({ "id": id })).await;
        answer.assert_error("NOT_FOUND", &[id]);
    }
    for id in ["", "song", "song:", "song:7", "planet:00000000-0000-0000-0000-000000000000"] {
        let answer = app.anonymous().query(SIMILAR, json!({ "id": id })).await;
        answer.assert_error("INVALID_ID", &[id]);
    }
}
