//! Who may see and do what.

use serde_json::{Value, json};

use crate::documents::{STARS, guide, ingest_of, sections};
use crate::support::client::Client;
use crate::support::{TestApp, catalogue, texts, titles, user_id};

/// Every query, with and without what a stranger could learn from. `ID` stands for a row.
const QUERIES: [&str; 29] = [
    "songs(first: 100) { totalCount nodes { id title band body embeddingStatus } pageInfo { hasNextPage endCursor } }",
    "songs(first: 100, orderBy: { field: POPULARITY, direction: DESC }) { edges { cursor node { id } } }",
    "songs(where: { owned: true }) { totalCount nodes { id } }",
    "songs(where: { title: { contains: \"secret\" } }) { totalCount nodes { id } }",
    "songs(where: { song: { band: { eq: \"Bobs Secret Band\" } } }) { totalCount nodes { id } }",
    "songs(where: { not: { owned: false } }) { totalCount }",
    "songs(where: { or: [{ owned: true }, { externalId: { eq: \"secret-1\" } }] }) { totalCount }",
    "songs(first: 5) { nodes { id similar(first: 20) { totalCount nodes { id } pageInfo { hasNextPage } } } }",
    "recommend(query: \"secret heavy metal\", first: 100) { totalCount nodes { id } edges { score } }",
    "recommend(query: \"secret zanzibar\", first: 100, minSimilarity: 0.2) { nodes { id } }",
    "recommend(query: \"secret\", first: 3, diversity: 0.7) { nodes { id } }",
    "recommend(query: \"secret\", where: { owned: true }) { totalCount nodes { id } }",
    "recommend(forMe: true, first: 100) { nodes { id } info { strategy } }",
    "hybridSearch(query: \"secret zanzibar metal\", kinds: [SONG], first: 100) { nodes { id } edges { score textScore highlights } info { complete strategy } }",
    "hybridSearch(query: \"\\\"zanzibar rites\\\"\", kinds: [SONG], semanticRatio: 0) { nodes { id } }",
    "hybridSearch(query: \"lullaby -zanzibar\", kinds: [SONG]) { nodes { id } edges { score } }",
    "stats { pendingTasks failedTasks kinds { kind rows embedded space dimensions } }",
    "embeddingSpaces { name dimensions activeFor }",
    "node(id: \"ID\") { id }",
    "nodes(ids: [\"ID\"]) { id }",
    "similar(id: \"ID\") { totalCount nodes { id } }",
    "recommend(like: [{ id: \"ID\" }]) { nodes { id } }",
    "documents(first: 20) { totalCount nodes { id title externalId url tags summary body chunkCount chunks(first: 2) { totalCount nodes { id } } } pageInfo { hasNextPage endCursor } }",
    "documents(where: { document: { tags: [\"zanzibar\"] } }) { totalCount nodes { id } }",
    "documents(where: { owned: true }, orderBy: { field: UPDATED_AT }) { totalCount nodes { id } }",
    "documents(first: 5) { nodes { id similar(first: 20) { nodes { id } pageInfo { hasNextPage } } } }",
    "hybridSearch(query: \"secret zanzibar rites\", kinds: [CHUNK, DOCUMENT], first: 50) { nodes { id title } edges { score textScore highlights } info { complete strategy } }",
    "hybridSearch(query: \"zanzibar\", kinds: [CHUNK], where: { chunk: { document: { tags: [\"zanzibar\"] } } }) { nodes { id } }",
    "recommend(query: \"secret zanzibar\", kind: CHUNK, first: 50) { nodes { id } }",
];

/// What a viewer reads, with everything left out that differs from one time to the next.
async fn everything(viewer: &Client, id: &str) -> Vec<String> {
    let mut answers = Vec::new();
    for query in QUERIES {
        let answer = viewer.ask(&format!("{{ {} }}", query.replace("ID", id))).await;
        // As a value, because the order of fields means nothing.
        answers.push(format!("{query}\n{}", answer.body.to_string().replace(id, "ID")));
    }
    answers
}

fn secrets() -> Vec<Value> {
    let band = "Bobs Secret Band";
    let secret = |n: u32, text: &str| {
        json!({ "externalId": format!("secret-{n}"), "title": format!("Secret Zanzibar {n}"),
            "band": band, "popularity": 100, "description": text })
    };
    vec![
        secret(1, "Heavy metal about the zanzibar rites, lullaby for nobody."),
        secret(2, "Secret zanzibar metal with distorted guitars."),
        secret(3, "A secret lullaby for a sleeping baby."),
    ]
}

fn secret_documents() -> Value {
    let text = "The secret zanzibar rites are about heavy metal and lullabies.";
    let mut rows = vec![sections("secret-1", &[("Zanzibar", text), ("Rites", text)])];
    rows[0]["tags"] = json!(["zanzibar"]);
    rows.push(json!({ "externalId": "secret-2", "body": format!("# Secret\n\n{text}") }));
    json!(rows)
}

/// Bob's songs, documents and chunks: an id of each kind.
async fn bobs_rows(app: &TestApp) -> Vec<String> {
    let song = app.ingest(&secrets(), Some(user_id("bob"))).await.remove(0);
    let document = ingest_of(app, Some("bob"), secret_documents()).await.remove(0);
    let chunks = "{ documents { nodes { chunks { nodes { id } } } } }";
    let answer = app.as_user("bob").ask(chunks).await;
    let document_chunks = &answer["documents"]["nodes"][0]["chunks"]["nodes"];
    vec![song, document, texts(document_chunks, "id").remove(0)]
}

const UNKNOWN: &str = "song:00000000-0000-0000-0000-000000000000";

#[tokio::test]
async fn rows_of_another_person_change_nothing_that_a_viewer_can_read() {
    let app = TestApp::start().await;
    app.songs(&catalogue::songs()).await;
    let own = [json!({ "externalId": "own", "title": "Adas Own", "description": "Heavy metal." })];
    app.songs_of("ada", &own).await;
    ingest_of(&app, None, json!([guide()])).await;
    ingest_of(&app, Some("ada"), json!([sections("own", &[STARS])])).await;
    app.run_queue().await;
    let viewers = [app.anonymous(), app.as_user("ada"), app.as_user("eve")];
    let unknown = ["song", "document", "chunk"].map(|kind| UNKNOWN.replace("song", kind));
    let mut before = Vec::new();
    for viewer in &viewers {
        for id in &unknown {
            before.push(everything(viewer, id).await);
        }
    }
    let ids = bobs_rows(&app).await;
    app.run_queue().await;
    // The id of a row that is another's answers as one of a row that is not there.
    for (viewer, before) in viewers.iter().zip(before.chunks(3)) {
        for ids in [&unknown[..], &ids[..]] {
            for (id, before) in ids.iter().zip(before) {
                let after = everything(viewer, id).await;
                for (before, after) in before.iter().zip(&after) {
                    assert_eq!(before, after);
                }
            }
        }
    }
}

#[tokio::test]
async fn rows_of_another_person_stay_hidden_while_they_wait_to_be_embedded() {
    let app = TestApp::start().await;
    app.songs(&catalogue::songs()).await;
    let ada = app.as_user("ada");
    let before = everything(&ada, UNKNOWN).await;
    bobs_rows(&app).await;
    assert_eq!(before, everything(&ada, UNKNOWN).await);
}

#[tokio::test]
async fn rows_of_another_person_stay_hidden_behind_an_index() {
    let app =
        TestApp::plan().with(&["--index-rows", "10", "--exact-search-rows", "2"]).start().await;
    app.songs(&catalogue::demo()[..40]).await;
    let ada = app.as_user("ada");
    let ids = app.songs_of("bob", &secrets()).await;
    for id in [UNKNOWN, &ids[1]] {
        for answer in everything(&ada, id).await {
            assert!(ids.iter().all(|id| !answer.contains(id.as_str())), "{answer}");
            let (query, answer) = answer.split_once('\n').unwrap();
            assert!(!answer.to_lowercase().contains("zanzibar"), "{query} {answer}");
        }
    }
    let nested = "{ songs(first: 30) { nodes { similar(first: 20) { nodes { id } } } } }";
    let answer = ada.ask(nested).await;
    for song in answer["songs"]["nodes"].as_array().unwrap() {
        let found = texts(&song["similar"]["nodes"], "id");
        assert_eq!(found.len(), 20);
        assert!(found.iter().all(|id| !ids.contains(id)));
    }
}

#[tokio::test]
async fn people_see_the_shared_catalogue_and_their_own_rows_and_administrators_all() {
    let app = TestApp::start().await;
    app.songs(&catalogue::songs()[..2]).await;
    app.songs_of("ada", &[catalogue::song("Adas", "")]).await;
    app.songs_of("bob", &[catalogue::song("Bobs", ""), catalogue::song("Bobs other", "")]).await;
    let query = "{ songs(orderBy: { field: TITLE }) { totalCount nodes { title } }
        stats { kinds { kind rows embedded } } }";
    for (viewer, expected) in [
        (app.anonymous(), vec!["Cradle Song", "Sleep Little Baby"]),
        (app.as_user("ada"), vec!["Adas", "Cradle Song", "Sleep Little Baby"]),
        (app.as_user("bob"), vec!["Bobs", "Bobs other", "Cradle Song", "Sleep Little Baby"]),
        (app.as_admin(), vec!["Adas", "Bobs", "Bobs other", "Cradle Song", "Sleep Little Baby"]),
    ] {
        let answer = viewer.ask(query).await;
        assert_eq!(titles(&answer["songs"]), expected);
        assert_eq!(answer["songs"]["totalCount"], expected.len());
        let kinds = answer["stats"]["kinds"].as_array().unwrap();
        let songs = kinds.iter().find(|kind| kind["kind"] == "SONG").unwrap();
        assert_eq!(
            (&songs["rows"], &songs["embedded"]),
            (&json!(expected.len()), &json!(expected.len()))
        );
    }
}

#[tokio::test]
async fn the_id_of_another_persons_document_opens_none_of_its_chunks() {
    let app = TestApp::start().await;
    let document = bobs_rows(&app).await.remove(1);
    let query = "query ($id: ID!) { hybridSearch(query: \"zanzibar\", kinds: [CHUNK],
        where: { chunk: { documentIds: [$id] } }) { nodes { id } } }";
    let found = async |viewer: Client| {
        let answer = viewer.query(query, json!({ "id": document })).await;
        answer["hybridSearch"]["nodes"].as_array().unwrap().len()
    };
    assert_eq!(found(app.as_user("bob")).await, 2);
    assert_eq!((found(app.as_user("ada")).await, found(app.anonymous()).await), (0, 0));
}

#[tokio::test]
async fn a_stolen_cursor_is_refused() {
    let app = TestApp::start().await;
    app.songs(&catalogue::songs()).await;
    app.songs_of("bob", &secrets()).await;
    let lists = [
        "songs(PAGE)",
        "recommend(PAGE, query: \"metal\")",
        "hybridSearch(PAGE, query: \"metal\", kinds: [SONG])",
    ];
    for list in lists {
        let page = list.replace("PAGE", "first: 2");
        let query = format!("{{ list: {page} {{ pageInfo {{ endCursor }} }} }}");
        let answer = app.as_user("bob").ask(&query).await;
        let cursor = answer["list"]["pageInfo"]["endCursor"].as_str().unwrap();
        let page = list.replace("PAGE", &format!("first: 2, after: \"{cursor}\""));
        let query = format!("{{ list: {page} {{ nodes {{ id }} }} }}");
        for thief in [app.as_user("ada"), app.anonymous(), app.as_admin()] {
            thief.ask(&query).await.assert_error("INVALID_CURSOR", &["cursor"]);
        }
    }
}

#[tokio::test]
async fn feedback_on_another_persons_row_is_refused_and_steers_nothing() {
    let app = TestApp::start().await;
    app.songs(&catalogue::songs()).await;
    let ids = app.songs_of("bob", &secrets()).await;
    let ada = app.as_user("ada");
    let record = "mutation ($id: ID!) { recordFeedback(id: $id, action: LIKE) }";
    for id in [ids[0].as_str(), UNKNOWN] {
        let answer = ada.query(record, json!({ "id": id })).await;
        answer.assert_error("NOT_FOUND", &[id, "is not there"]);
    }
    // A row that was shared when Ada liked it, and is Bob's now, is no part of her taste any more.
    let shared = app.songs(&[catalogue::song("Moved", "Zanzibar rites.")]).await;
    ada.query(record, json!({ "id": shared[0] })).await.data();
    app.sql("UPDATE content SET owner_id = (SELECT owner_id FROM content WHERE external_id = 'secret-1') WHERE title = 'Moved'").await;
    let answer = ada
        .ask("{ recommend(forMe: true) { info { strategy } edges { why { examples { id } } } } }")
        .await;
    assert_eq!(answer["recommend"]["info"]["strategy"], "COLD_START");
}

#[tokio::test]
async fn only_administrators_change_the_catalogue() {
    let app = TestApp::start().await;
    let ids = app.songs(&catalogue::songs()).await;
    let own = app.songs_of("ada", &[catalogue::song("Own", "")]).await;
    let mutations = [
        "ingestSongs(rows: [{ title: \"x\" }]) { created }".to_owned(),
        "ingestDocuments(rows: [{ body: \"x\" }]) { created }".to_owned(),
        format!(
            "ingestSongs(rows: [{{ title: \"x\" }}], ownerId: \"{}\") {{ created }}",
            user_id("ada")
        ),
        format!("softDelete(ids: [\"{}\"]) {{ ids }}", ids[0]),
        format!("restore(ids: [\"{}\"]) {{ ids }}", ids[0]),
        format!("purge(ids: [\"{}\"]) {{ ids }}", own[0]),
        "embedMissing(kind: SONG)".to_owned(),
        "retryFailedTasks".to_owned(),
    ];
    for mutation in mutations {
        let mutation = format!("mutation {{ {mutation} }}");
        app.as_user("ada").ask(&mutation).await.assert_error("FORBIDDEN", &["administrators"]);
        app.anonymous().ask(&mutation).await.assert_error("UNAUTHENTICATED", &["token"]);
    }
    let answer = app.as_admin().ask("{ songs { totalCount } }").await;
    assert_eq!(answer["songs"]["totalCount"], 9);
}

#[tokio::test]
async fn in_production_reading_needs_a_token_and_introspection_an_administrator() {
    let app = TestApp::plan().with(&["--env", "production"]).start().await;
    app.songs(&catalogue::songs()).await;
    for query in QUERIES {
        let answer = app.anonymous().ask(&format!("{{ {} }}", query.replace("ID", UNKNOWN))).await;
        assert_eq!(answer.code(), "UNAUTHENTICATED", "{query}: {}", answer.text);
        assert_eq!(answer.status, 401, "{query}");
    }
    app.anonymous().assert_served().await;
    let answer = app.as_user("ada").ask("{ songs { totalCount } }").await;
    assert_eq!(answer["songs"]["totalCount"], 8);
    for query in ["{ __schema { queryType { name } } }", "{ __type(name: \"Song\") { name } }"] {
        for viewer in [app.anonymous(), app.as_user("ada")] {
            viewer.ask(query).await.assert_error("FORBIDDEN", &["introspection"]);
        }
        app.as_admin().ask(query).await.data();
    }
    let answer = app.as_user("ada").ask("{ song { id } }").await;
    assert_eq!(answer.code(), "VALIDATION_FAILED");
    assert!(!answer.message().contains("songs"), "a name is suggested: {}", answer.message());
    for (viewer, status) in
        [(app.anonymous(), 404), (app.as_user("ada"), 404), (app.as_admin(), 200)]
    {
        assert_eq!(viewer.get("/graphiql").await.status, status);
    }
}

#[tokio::test]
async fn in_production_a_missing_or_short_secret_keeps_the_server_from_starting() {
    use kindred::auth;
    for secret in ["", "short", &"x".repeat(31)] {
        assert!(auth::parse(secret).is_err());
    }
    assert!(auth::parse(&"x".repeat(32)).is_ok());
}
