//! Spaces: changing the model while everything goes on.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kindred::embed::Embedder;
use kindred::model::{Filter, Scope, Viewer};
use kindred::service::{Paging, SimilarInput};
use kindred::worker::Worker;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::client::{Answer, Client};
use crate::support::database::lacks_server;
use crate::support::embedders::HalfEmbedder;
use crate::support::{PATIENCE, TestApp, at_once, catalogue, texts, user_id};

const HALF: &str = r#"createSpace(name: "half", backend: "static", model: "half-of-it""#;

/// A server that knows a second model, with embedded songs.
async fn with_half(songs: &[Value]) -> (TestApp, Arc<HalfEmbedder>, Vec<String>) {
    let half = HalfEmbedder::new();
    let app = TestApp::plan().model(half.clone()).start().await;
    let ids = app.songs(songs).await;
    (app, half, ids)
}

async fn mutate(client: &Client, mutation: &str) -> Answer {
    client.ask(&format!("mutation {{ {mutation} }}")).await
}

/// Makes the second space with everything in it.
async fn fill_half(app: &TestApp) {
    mutate(&app.as_admin(), &format!("{HALF}, kinds: [SONG]) {{ space {{ state }} }}"))
        .await
        .data();
    app.run_queue().await;
}

/// What a space says of its songs.
async fn songs_of(app: &TestApp, space: &str) -> Value {
    let query =
        "{ embeddingSpaces { name state activeFor holds { kind state isActive rows embedded pending
        failed progress textsPerSecond startedAt finishedAt index { state type } } } }";
    let answer = app.as_admin().ask(query).await;
    let spaces = answer["embeddingSpaces"].as_array().unwrap();
    let space = spaces.iter().find(|found| found["name"] == space).expect("the space is there");
    let held = space["holds"].as_array().unwrap();
    let mut songs = held.iter().find(|held| held["kind"] == "SONG").unwrap().clone();
    songs["space"] = space["state"].clone();
    songs
}

async fn answering(client: &Client) -> Value {
    let answer = client.ask("{ recommend(query: \"metal guitars\") { info { space } } }").await;
    answer["recommend"]["info"]["space"].clone()
}

#[tokio::test]
async fn a_model_is_changed_and_changed_back_and_the_old_one_dropped() {
    let (app, half, _) = with_half(&catalogue::songs()).await;
    let admin = app.as_admin();
    let own = app.services.embedder().description().model.clone();
    let create = format!("{HALF}) {{ space {{ name backend model dimensions state activeFor }} }}");
    let made = mutate(&admin, &create).await;
    let made = made["createSpace"]["space"].clone();
    assert_eq!(
        made,
        json!({ "name": "half", "backend": "static", "model": "half-of-it",
        "dimensions": 128, "state": "BUILDING", "activeFor": [] })
    );
    assert_eq!(songs_of(&app, "half").await["state"], "FILLING");
    app.run_queue().await;
    let songs = songs_of(&app, "half").await;
    assert_eq!(
        (&songs["rows"], &songs["embedded"], &songs["pending"]),
        (&json!(8), &json!(8), &json!(0))
    );
    assert_eq!((&songs["state"], &songs["progress"]), (&json!("CURRENT"), &json!(1.0)));
    assert!(songs["finishedAt"].is_string() && songs["startedAt"].is_string());
    assert_eq!(half.texts.load(Ordering::SeqCst), 8);

    // It answers by name before it answers for everybody.
    let named =
        "{ recommend(query: \"metal guitars\", space: \"half\") { info { space } nodes { id } } }";
    assert_eq!(app.anonymous().ask(named).await["recommend"]["info"]["space"], "half");
    assert_eq!(answering(&app.anonymous()).await, json!(own));

    let promoted =
        mutate(&admin, "promoteSpace(space: \"half\") { kinds spaces { name state activeFor } }")
            .await;
    assert_eq!(promoted["promoteSpace"]["kinds"].as_array().unwrap().len(), 6);
    assert_eq!(promoted["promoteSpace"]["spaces"][0]["state"], "ACTIVE");
    assert_eq!(answering(&app.anonymous()).await, "half");
    assert_eq!(songs_of(&app, &own).await["space"], "RETIRED");

    // The space before is still written to, so the way back loses nothing.
    app.songs(&[catalogue::song("Later", "A song about metal guitars that came later.")]).await;
    let back = mutate(&admin, "rollbackSpace { kinds spaces { name state } }").await;
    assert_eq!(back["rollbackSpace"]["spaces"], json!([{ "name": own, "state": "ACTIVE" }]));
    assert_eq!(answering(&app.anonymous()).await, json!(own));
    assert_eq!(songs_of(&app, &own).await["embedded"], 9);
    assert_eq!(songs_of(&app, "half").await["embedded"], 9);

    mutate(&admin, "dropSpace(space: \"half\") { name }").await.data();
    let left = admin.ask("{ embeddingSpaces { name } }").await;
    assert_eq!(left["embeddingSpaces"], json!([{ "name": own }]));
    let tables =
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 'song_embedding_%'";
    assert_eq!(app.rows(tables).await.len(), 1);
    mutate(&admin, "rollbackSpace { kinds }")
        .await
        .assert_error("INVALID_ARGUMENT", &["nothing was promoted"]);
    // The name is free again.
    fill_half(&app).await;
    assert_eq!(songs_of(&app, "half").await["embedded"], 9);
}

#[tokio::test]
async fn a_space_that_lacks_vectors_answers_only_when_forced() {
    let (app, half, _) = with_half(&catalogue::songs()).await;
    let admin = app.as_admin();
    mutate(&admin, &format!("{HALF}, backfill: false) {{ space {{ name }} }}")).await.data();
    app.run_queue().await;
    assert_eq!(half.texts.load(Ordering::SeqCst), 0, "nothing is spent before it is asked for");
    let songs = songs_of(&app, "half").await;
    assert_eq!((&songs["state"], &songs["startedAt"]), (&json!("EMPTY"), &Value::Null));
    let refused = mutate(&admin, "promoteSpace(space: \"half\", kinds: [SONG]) { kinds }").await;
    refused.assert_error(
        "INVALID_ARGUMENT",
        &["`half` lacks vectors of 8 of 8 rows of song", "force"],
    );

    // Filling, with rows in the queue that were written a moment ago.
    mutate(&admin, "backfillSpace(space: \"half\") { space { name } }").await.data();
    app.on_server({
        let services = app.services.clone();
        async move { services.feed_backfills().await }
    })
    .await
    .unwrap();
    assert_eq!(songs_of(&app, "half").await["pending"], 8);
    let refused = mutate(&admin, "promoteSpace(space: \"half\") { kinds }").await;
    refused.assert_error("INVALID_ARGUMENT", &["8 of 8 rows"]);
    mutate(&admin, "cancelBackfill(space: \"half\") { removed }").await.data();

    mutate(&admin, "promoteSpace(space: \"half\", kinds: [SONG], force: true) { kinds }")
        .await
        .data();
    assert_eq!(answering(&app.anonymous()).await, "half");
    // What answers is filled, whatever was canceled before.
    app.run_queue().await;
    let songs = songs_of(&app, "half").await;
    assert_eq!((&songs["state"], &songs["embedded"]), (&json!("CURRENT"), &json!(8)));
}

#[tokio::test]
async fn a_row_on_its_way_does_not_hold_up_a_promotion() {
    let (app, ..) = with_half(&catalogue::songs()).await;
    fill_half(&app).await;
    app.ingest(&[catalogue::song("New", "Just written.")], None).await;
    let songs = songs_of(&app, "half").await;
    assert_eq!(
        (&songs["rows"], &songs["embedded"], &songs["pending"]),
        (&json!(9), &json!(8), &json!(1))
    );
    mutate(&app.as_admin(), "promoteSpace(space: \"half\") { kinds }").await.data();
    // One that waits for longer does.
    app.sql("UPDATE content SET updated_at = now() - interval '1 hour'").await;
    let refused = mutate(&app.as_admin(), "rollbackSpace { kinds }").await;
    refused.assert_error("INVALID_ARGUMENT", &["lacks vectors of 1 of 9 rows of song"]);
    mutate(&app.as_admin(), "rollbackSpace(force: true) { kinds }").await.data();
}

#[tokio::test]
async fn a_backfill_that_was_canceled_goes_on_without_embedding_anything_twice() {
    let (app, half, _) = with_half(&catalogue::many(300)).await;
    let admin = app.as_admin();
    mutate(&admin, &format!("{HALF}, kinds: [SONG], textsPerSecond: 10) {{ space {{ name }} }}"))
        .await
        .data();
    let worker = Arc::new(Worker::new(app.services.clone()));
    app.on_server(async move { worker.run_once().await }).await.unwrap();
    let songs = songs_of(&app, "half").await;
    let queued = songs["pending"].as_i64().unwrap() + songs["embedded"].as_i64().unwrap();
    assert_eq!(queued, 100, "ten seconds of work are queued, not more");
    let canceled =
        mutate(&admin, "cancelBackfill(space: \"half\", kinds: [SONG]) { removed }").await;
    assert_eq!(canceled["cancelBackfill"]["removed"], songs["pending"]);
    // Nothing reaches it now.
    app.songs(&[catalogue::song("Meanwhile", "Written while nothing reached it.")]).await;
    let songs = songs_of(&app, "half").await;
    assert_eq!((&songs["state"], &songs["pending"]), (&json!("CANCELED"), &json!(0)));
    mutate(&admin, "backfillSpace(space: \"half\") { space { name } }").await.data();
    app.run_queue().await;
    let songs = songs_of(&app, "half").await;
    assert_eq!((&songs["state"], &songs["embedded"]), (&json!("CURRENT"), &json!(301)));
    assert_eq!(half.texts.load(Ordering::SeqCst), 301);
}

#[tokio::test]
async fn several_feeders_keep_one_rate_and_one_queue() {
    let (app, ..) = with_half(&catalogue::many(300)).await;
    let rate = "textsPerSecond: 20, kinds: [SONG]";
    mutate(&app.as_admin(), &format!("{HALF}, {rate}) {{ space {{ name }} }}")).await.data();
    let others = [
        app.services.clone(),
        app.services_with(app.services.embedder().clone()).await,
        app.services_with(app.services.embedder().clone()).await,
    ];
    for _ in 0..5 {
        let feeds =
            others.iter().cloned().map(|services| async move { services.feed_backfills().await });
        let feeds: Vec<_> = feeds.collect();
        for outcome in app.on_server(at_once(feeds)).await {
            outcome.unwrap();
        }
    }
    let tasks = app
        .rows("SELECT count(*) AS tasks, extract(epoch FROM max(run_at) - min(run_at))::float8 AS seconds,
            count(DISTINCT content_id) AS texts FROM embedding_task")
        .await;
    assert_eq!((&tasks[0]["tasks"], &tasks[0]["texts"]), (&json!(200), &json!(200)));
    let seconds = tasks[0]["seconds"].as_f64().unwrap();
    assert!((seconds - 199.0 / 20.0).abs() < 0.01, "{seconds}");
}

#[tokio::test]
async fn what_is_written_while_a_space_is_filled_reaches_both() {
    let (app, half, _) = with_half(&catalogue::many(60)).await;
    mutate(&app.as_admin(), &format!("{HALF}, kinds: [SONG]) {{ space {{ name }} }}")).await.data();
    let feed = app.services.clone();
    app.on_server(async move { feed.feed_backfills().await }).await.unwrap();
    // A new row, and one that was queued with another text.
    let mut changed = catalogue::many(1);
    changed[0]["description"] = "Another text by now.".into();
    app.ingest(&changed, None).await;
    app.ingest(&[catalogue::song("New", "Just written.")], None).await;
    app.run_queue().await;
    let wrong = "SELECT content.id FROM content CROSS JOIN embedding_space
        LEFT JOIN embedding ON embedding.content_id = content.id AND embedding.space_id = embedding_space.id
            AND embedding.source_hash = content.source_hash
        WHERE embedding.content_id IS NULL";
    assert_eq!(app.rows(wrong).await, Vec::<Value>::new());
    assert_eq!(half.texts.load(Ordering::SeqCst), 61);
}

#[tokio::test]
async fn a_cursor_of_the_space_before_is_refused() {
    let (app, ..) = with_half(&catalogue::songs()).await;
    fill_half(&app).await;
    let page = |after: &str| {
        format!(
            "{{ recommend(query: \"song\", first: 2, after: {after}) {{ pageInfo {{ endCursor }} }} }}"
        )
    };
    let first = app.anonymous().ask(&page("null")).await;
    let cursor = first["recommend"]["pageInfo"]["endCursor"].to_string();
    app.anonymous().ask(&page(&cursor)).await.data();
    mutate(&app.as_admin(), "promoteSpace(space: \"half\") { kinds }").await.data();
    app.anonymous().ask(&page(&cursor)).await.assert_error("INVALID_CURSOR", &["replaced space"]);
}

/// A list as a client got it: the space, and each id with its similarity.
type List = (String, Vec<(String, f64)>);

async fn list(client: &Client) -> List {
    let query = "{ recommend(query: \"metal guitars\", first: 50) { edges { similarity node { id } } info { space } } }";
    let answer = client.ask(query).await;
    let found = &answer["recommend"];
    let pair = |edge: &Value| {
        (edge["node"]["id"].as_str().unwrap().to_owned(), edge["similarity"].as_f64().unwrap())
    };
    let edges = found["edges"].as_array().unwrap().iter().map(pair).collect();
    (found["info"]["space"].as_str().unwrap().to_owned(), edges)
}

/// Waits on a state with a bound.
async fn wait_for(holds: impl AsyncFn() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("it never comes true");
}

/// What each space's own vectors say of the query.
async fn truth(app: &TestApp, half: &HalfEmbedder) -> HashMap<String, HashMap<String, f64>> {
    let own = app.services.embedder().clone();
    let models: [(&str, &dyn Embedder); 2] =
        [(&own.description().model.clone(), own.as_ref()), ("half", half)];
    let mut truth = HashMap::new();
    for (space, embedder) in models {
        let vector = embedder.embed_query("metal guitars").await.unwrap().vector.unwrap();
        let vector = pgvector::Vector::from(vector);
        let literal = format!(
            "[{}]",
            vector.as_slice().iter().map(f32::to_string).collect::<Vec<_>>().join(",")
        );
        let rows = app
            .rows(&format!(
                "SELECT 'song:' || content_id AS id, 1 - (embedding <=> '{literal}') AS similarity FROM embedding
                 JOIN embedding_space ON embedding_space.id = space_id WHERE name = '{space}'"
            ))
            .await;
        let similarity = |row: &Value| {
            (row["id"].as_str().unwrap().to_owned(), row["similarity"].as_f64().unwrap())
        };
        truth.insert(space.to_owned(), rows.iter().map(similarity).collect());
    }
    truth
}

#[tokio::test]
async fn promotions_under_load_cost_no_answer_and_mix_no_list() {
    let half = HalfEmbedder::new();
    let app = Arc::new(TestApp::plan().model(half.clone()).with_worker().start().await);
    app.songs(&catalogue::many(200)).await;
    fill_half(&app).await;
    wait_for(async || songs_of(&app, "half").await["state"] == "CURRENT").await;
    let done = Arc::new(AtomicBool::new(false));
    let searching: Vec<_> = (0..4)
        .map(|_| {
            let (client, done) = (app.anonymous(), done.clone());
            tokio::spawn(async move {
                let mut lists = Vec::new();
                while !done.load(Ordering::SeqCst) {
                    lists.push(list(&client).await);
                }
                lists
            })
        })
        .collect();
    let writing = tokio::spawn({
        let (app, done) = (app.clone(), done.clone());
        async move {
            let mut written = 0;
            while !done.load(Ordering::SeqCst) {
                let title = format!("Written {written}");
                app.ingest(&[catalogue::song(&title, "Metal guitars under load.")], None).await;
                written += 1;
            }
            written
        }
    });
    let admin = app.as_admin();
    for _ in 0..8 {
        mutate(&admin, "promoteSpace(space: \"half\") { kinds }").await.data();
        list(&app.anonymous()).await;
        mutate(&admin, "rollbackSpace { kinds }").await.data();
        list(&app.anonymous()).await;
    }
    done.store(true, Ordering::SeqCst);
    let mut lists = Vec::new();
    for client in searching {
        lists.extend(client.await.unwrap());
    }
    assert!(writing.await.unwrap() > 0);
    app.run_queue().await;
    let truth = truth(&app, &half).await;
    let mut answered = HashSet::new();
    for (space, edges) in &lists {
        answered.insert(space.clone());
        assert_eq!(edges.len(), 50);
        for (id, similarity) in edges {
            let expected = truth[space][id];
            assert!((similarity - expected).abs() < 1e-5, "{space} {id} {similarity} {expected}");
        }
    }
    assert_eq!(answered.len(), 2, "{} lists were all from one space", lists.len());
}

#[tokio::test]
async fn a_process_that_knows_an_older_state_answers_as_if_a_dropped_space_was_not_there() {
    let (app, _, ids) = with_half(&catalogue::songs()).await;
    mutate(&app.as_admin(), &format!("{HALF}) {{ space {{ name }} }}")).await.data();
    app.run_queue().await;
    let own = app.services.embedder().description().model.clone();
    let other = app.services_with(app.services.embedder().clone()).await;
    let similar = async |space: Option<&str>| {
        let input = SimilarInput {
            id: ids[2].parse().unwrap(),
            kind: None,
            filter: Filter::none(),
            min_similarity: None,
            paging: Paging::default(),
            space: space.map(str::to_owned),
        };
        let other = other.clone();
        let viewer = Viewer::Admin(user_id("admin"));
        app.on_server(async move { other.similar(viewer, &input).await }).await
    };
    // It has read the spaces, and takes the first one to be the one that answers.
    assert_eq!(similar(None).await.unwrap().info.space, Some(own.clone()));
    let admin = app.as_admin();
    mutate(&admin, "promoteSpace(space: \"half\") { kinds }").await.data();
    mutate(&admin, &format!("dropSpace(space: \"{own}\") {{ name }}")).await.data();
    assert_eq!(similar(None).await.unwrap().info.space.as_deref(), Some("half"));
    let error = similar(Some(&own)).await.unwrap_err();
    assert_eq!(error.code().as_str(), "INVALID_ARGUMENT");
    assert!(error.to_string().contains("is not there"), "{error}");
}

#[tokio::test]
async fn what_answers_cannot_be_dropped_or_canceled() {
    let (app, ..) = with_half(&catalogue::songs()).await;
    fill_half(&app).await;
    let admin = app.as_admin();
    mutate(&admin, "promoteSpace(space: \"half\", kinds: [SONG]) { kinds }").await.data();
    let own = app.services.embedder().description().model.clone();
    for space in ["half", &own] {
        let refused = mutate(&admin, &format!("dropSpace(space: \"{space}\") {{ name }}")).await;
        refused.assert_error("INVALID_ARGUMENT", &["answers for", "promote another space"]);
    }
    let refused =
        mutate(&admin, "cancelBackfill(space: \"half\", kinds: [SONG]) { removed }").await;
    refused.assert_error("INVALID_ARGUMENT", &["answers"]);
    assert_eq!(answering(&app.anonymous()).await, "half");
}

#[tokio::test]
async fn a_drop_waits_for_searches_and_holds_up_none() {
    if lacks_server("a_drop_waits_for_searches_and_holds_up_none") {
        return;
    }
    let (app, ..) = with_half(&catalogue::songs()).await;
    fill_half(&app).await;
    let db = app.services.db().clone();
    // Somebody reads the vectors of the space for a while.
    let reader = app
        .on_server(async move {
            let mut reader = db.begin(Scope::system()).await.unwrap();
            sqlx::query("SELECT count(*) FROM embedding").execute(&mut *reader).await.unwrap();
            reader
        })
        .await;
    let dropping = tokio::spawn({
        let admin = app.as_admin();
        async move { mutate(&admin, "dropSpace(space: \"half\") { name }").await }
    });
    for _ in 0..10 {
        let started = std::time::Instant::now();
        app.anonymous().ask("{ songs { nodes { embeddingStatus } } recommend(query: \"metal\") { nodes { id } } }").await.data();
        assert!(started.elapsed().as_millis() < 3_000);
    }
    assert!(!dropping.is_finished());
    app.on_server(async move { reader.rollback().await }).await.unwrap();
    dropping.await.unwrap().data();
}

#[tokio::test]
async fn a_plan_says_what_a_backfill_takes_and_spends_nothing() {
    let (app, half, _) = with_half(&catalogue::many(250)).await;
    mutate(
        &app.as_admin(),
        &format!("{HALF}, kinds: [SONG], backfill: false) {{ space {{ name }} }}"),
    )
    .await
    .data();
    let query = "{ planBackfill(space: \"half\") { rows unchanged tokens cost diskBytes seconds isMeasured sampleSize } }";
    let plan = app.as_admin().ask(query).await["planBackfill"].clone();
    assert_eq!(
        (&plan["rows"], &plan["unchanged"], &plan["sampleSize"]),
        (&json!(250), &json!(0), &json!(200))
    );
    assert_eq!((&plan["cost"], &plan["isMeasured"]), (&json!(0.0), &json!(true)));
    let bodies = app.rows("SELECT body FROM content").await;
    let counted = half.count_tokens(&texts(&json!(bodies), "body")).await.unwrap();
    let tokens = plan["tokens"].as_f64().unwrap();
    let exact: usize = counted.iter().sum();
    #[expect(clippy::cast_precision_loss, reason = "some thousand")]
    let error = (tokens / exact as f64 - 1.0).abs();
    assert!(error < 0.1, "{tokens} {exact}");
    let seconds = plan["seconds"].as_f64().unwrap();
    assert!(seconds > 0.0 && seconds < 60.0, "{seconds}");
    assert_eq!(app.rows("SELECT 1 FROM embedding_task").await.len(), 0);

    mutate(&app.as_admin(), "backfillSpace(space: \"half\") { space { name } }").await.data();
    app.run_queue().await;
    let after = app.as_admin().ask(query).await["planBackfill"].clone();
    assert_eq!((&after["unchanged"], &after["tokens"]), (&json!(250), &json!(0)));
    let sizes = app
        .rows("SELECT pg_total_relation_size(inhrelid)::float8 AS bytes FROM pg_inherits
            JOIN embedding_space ON pg_inherits.inhrelid::regclass::text = 'song_embedding_' || replace(id::text, '-', '')
            WHERE name = 'half'")
        .await;
    let (planned, actual) =
        (plan["diskBytes"].as_f64().unwrap(), sizes[0]["bytes"].as_f64().unwrap());
    // A few pages are more than the rows need at this size.
    assert!(planned / actual > 0.6 && planned / actual < 1.3, "{planned} {actual}");
}

#[tokio::test]
async fn spaces_are_compared_side_by_side() {
    let (app, ..) = with_half(&catalogue::many(100)).await;
    fill_half(&app).await;
    let query = "query ($queries: [String!]!, $to: String!, $first: Int!) { compareSpaces(queries: $queries, to: $to, first: $first) {
        from to meanOverlap meanRankCorrelation comparisons { query overlap rankCorrelation
        fromHits { id title similarity } toHits { id title similarity } } } }";
    let own = app.services.embedder().description().model.clone();
    let queries = json!(["sad love song", "club night"]);
    let same =
        app.as_admin().query(query, json!({ "queries": queries, "to": own, "first": 10 })).await;
    assert_eq!(same["compareSpaces"]["meanOverlap"], 1.0);
    assert_eq!(same["compareSpaces"]["meanRankCorrelation"], 1.0);
    let answer =
        app.as_admin().query(query, json!({ "queries": queries, "to": "half", "first": 10 })).await;
    let comparison = &answer["compareSpaces"];
    assert_eq!((&comparison["from"], &comparison["to"]), (&json!(own), &json!("half")));
    for (index, one) in comparison["comparisons"].as_array().unwrap().iter().enumerate() {
        assert_eq!(one["query"], queries[index]);
        let (left, right) = (texts(&one["fromHits"], "id"), texts(&one["toHits"], "id"));
        assert_eq!((left.len(), right.len()), (10, 10));
        let common = left.iter().filter(|id| right.contains(id)).count();
        #[expect(clippy::cast_precision_loss, reason = "at most ten")]
        let overlap = common as f64 / 10.0;
        assert!((one["overlap"].as_f64().unwrap() - overlap).abs() < 1e-9);
        let correlation = one["rankCorrelation"].as_f64().unwrap();
        assert!((-1.0..1.0).contains(&correlation), "{correlation}");
        let named = format!(
            "query ($q: String!) {{ recommend(query: $q, space: \"half\", first: 10) {{ nodes {{ id }} }} }}"
        );
        let found = app.as_admin().query(&named, json!({ "q": one["query"] })).await;
        assert_eq!(texts(&found["recommend"]["nodes"], "id"), right);
    }
    for (queries, first, words) in [
        (json!([]), 10, "holds 0 queries"),
        (json!(vec!["a"; 21]), 1, "holds 21 queries"),
        (json!(["a"]), 0, "between 1 and 100"),
        (json!(["a"]), 101, "between 1 and 100"),
        (json!([" "]), 10, "is empty"),
    ] {
        let variables = json!({ "queries": queries, "to": "half", "first": first });
        app.as_admin().query(query, variables).await.assert_error("INVALID_ARGUMENT", &[words]);
    }
}

const IMPORT: &str = "mutation ($rows: [VectorInput!]!, $space: String!) { importVectors(space: $space, rows: $rows) {
    imported rejected rows { index status id message } } }";

/// The ids, external ids and texts of all rows.
async fn bodies(app: &TestApp) -> Vec<(String, String, String)> {
    let rows = app
        .rows("SELECT 'song:' || id AS id, external_id, body FROM content ORDER BY external_id")
        .await;
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    rows.iter().map(|row| (text(row, "id"), text(row, "external_id"), text(row, "body"))).collect()
}

fn vector(length: usize) -> Vec<f64> {
    (0..length).map(|place| if place % 2 == 0 { 3.0 } else { -1.5 }).collect()
}

#[tokio::test]
async fn vectors_that_fit_are_taken_and_others_are_named() {
    let (app, half, _) = with_half(&catalogue::songs()).await;
    let admin = app.as_admin();
    mutate(&admin, &format!("{HALF}, kinds: [SONG]) {{ space {{ name }} }}")).await.data();
    let feed = app.services.clone();
    app.on_server(async move { feed.feed_backfills().await }).await.unwrap();
    let bodies = bodies(&app).await;
    let good = vector(128);
    let hash = |text: &str| hex::encode(Sha256::digest(text));
    let rows = json!([
        { "id": bodies[0].0, "vector": good, "sourceText": bodies[0].2 },
        { "externalId": bodies[1].1, "vector": good, "sourceHash": hash(&bodies[1].2) },
        { "id": bodies[2].0, "vector": good, "sourceText": "Another text." },
        { "id": bodies[3].0, "vector": vector(256), "sourceText": bodies[3].2 },
        { "id": bodies[4].0, "vector": vec![0.0; 128], "sourceText": bodies[4].2 },
        { "id": "song:00000000-0000-0000-0000-000000000000", "vector": good, "sourceText": "a" },
        { "id": bodies[0].0, "vector": good, "sourceText": bodies[0].2 },
        { "vector": good, "sourceText": "a" },
        { "id": bodies[5].0, "externalId": "x", "vector": good, "sourceText": "a" },
        { "id": bodies[5].0, "vector": good },
        { "id": bodies[5].0, "vector": good, "sourceHash": "zz'; DROP TABLE content; --" },
        { "id": "document:00000000-0000-0000-0000-000000000000", "vector": good, "sourceText": "a" },
        { "id": "' OR 1=1", "vector": good, "sourceText": "a" },
        { "externalId": "nobody\u{0}", "vector": good, "sourceText": "a" },
        { "id": bodies[6].0, "vector": vec![1e300; 128], "sourceText": bodies[6].2 },
    ]);
    let answer = admin.query(IMPORT, json!({ "space": "half", "rows": rows })).await;
    let payload = &answer["importVectors"];
    assert_eq!((&payload["imported"], &payload["rejected"]), (&json!(3), &json!(12)), "{payload}");
    let words = [
        "",
        "",
        "made of another text",
        "256 dimensions",
        "has no direction",
        "is not there",
        "earlier in this request",
        "either `id` or `externalId`",
        "either `id` or `externalId`",
        "either `sourceHash` or `sourceText`",
        "64 hexadecimal digits",
        "is no song",
        "is not an id",
        "NUL",
        "",
    ];
    for (row, words) in payload["rows"].as_array().unwrap().iter().zip(words) {
        assert_eq!(row["status"], if words.is_empty() { "IMPORTED" } else { "REJECTED" }, "{row}");
        assert!(row["message"].as_str().unwrap_or("").contains(words), "{words}: {row}");
    }
    // They have unit length, and their tasks are gone: only the others are embedded.
    let lengths = app
        .rows("SELECT vector_norm(embedding) AS norm FROM embedding JOIN embedding_space ON id = space_id WHERE name = 'half'")
        .await;
    assert!(
        lengths.iter().all(|row| (row["norm"].as_f64().unwrap() - 1.0).abs() < 1e-6),
        "{lengths:?}"
    );
    assert_eq!(lengths.len(), 3);
    assert_eq!(songs_of(&app, "half").await["pending"], 5);
    app.run_queue().await;
    assert_eq!(half.texts.load(Ordering::SeqCst), 5);
    assert_eq!(songs_of(&app, "half").await["state"], "CURRENT");
}

#[tokio::test]
async fn imports_that_are_no_imports_are_refused_as_a_whole() {
    let (app, ..) = with_half(&catalogue::songs()).await;
    fill_half(&app).await;
    let body = bodies(&app).await.remove(0);
    let row = |vector: Value| json!({ "id": body.0, "vector": vector, "sourceText": body.2 });
    let good = row(json!(vector(128)));
    let admin = app.as_admin();
    for rows in [json!([]), json!(vec![row(json!([1.0])); 251])] {
        let refused = admin.query(IMPORT, json!({ "space": "half", "rows": rows })).await;
        refused.assert_error("INVALID_ARGUMENT", &["1 to 250 are allowed"]);
    }
    let unknown = admin.query(IMPORT, json!({ "space": "nowhere", "rows": [good] })).await;
    unknown.assert_error("INVALID_ARGUMENT", &["`nowhere` is not there", "`half`"]);
    // What is no number never gets as far.
    for vector in [json!([null]), json!(["1"]), json!(null), json!(["NaN"])] {
        let refused = admin.query(IMPORT, json!({ "space": "half", "rows": [row(vector)] })).await;
        assert!(
            refused.body["errors"].is_array() && refused.body["data"].is_null(),
            "{}",
            refused.text
        );
    }
    app.anonymous().assert_served().await;
}

#[tokio::test]
async fn hostile_arguments_are_named_and_change_nothing() {
    let (app, ..) = with_half(&catalogue::songs()).await;
    let admin = app.as_admin();
    let create = "mutation ($name: String!, $backend: String!, $model: String, $dimensions: Int, $kinds: [Kind!], $rate: Int) {
        createSpace(name: $name, backend: $backend, model: $model, dimensions: $dimensions, kinds: $kinds,
        textsPerSecond: $rate) { space { name } } }";
    let good = json!({ "name": "x", "backend": "static" });
    let cases = [
        ("name", json!("a'; DROP TABLE content; --"), "`name` must be 1 to 100"),
        ("name", json!("a\"b"), "`name` must be"),
        ("name", json!(""), "`name` must be"),
        ("name", json!("x".repeat(101)), "`name` must be"),
        ("name", json!("kindred-static-256"), "is taken"),
        ("backend", json!("magic"), "`magic` is not a backend"),
        ("backend", json!("static'"), "is not a backend"),
        ("model", json!("nothing-like-it"), "`nothing-like-it` is not a static model"),
        ("dimensions", json!(4_001), "between 1 and 4000"),
        ("dimensions", json!(0), "between 1 and 4000"),
        ("dimensions", json!(-1), "between 1 and 4000"),
        ("dimensions", json!(255), "256"),
        ("kinds", json!([]), "`kinds` is empty"),
        ("rate", json!(0), "between 1 and 1000000"),
        ("rate", json!(1_000_001), "between 1 and 1000000"),
    ];
    for (field, value, words) in cases {
        let mut variables = good.clone();
        variables[field] = value;
        admin.query(create, variables).await.assert_error("INVALID_ARGUMENT", &[words]);
    }
    mutate(&admin, &format!("{HALF}, kinds: [SONG]) {{ space {{ name }} }}")).await.data();
    for refused in [
        "backfillSpace(space: \"half\", kinds: [JOB]) { space { name } }",
        "promoteSpace(space: \"half\", kinds: [SONG, JOB]) { kinds }",
        "promoteSpace(space: \"half\", kinds: []) { kinds }",
        "rollbackSpace(kinds: [SONG]) { kinds }",
        "backfillSpace(space: \"half\", textsPerSecond: -1) { space { name } }",
        "dropSpace(space: \"' OR '1'='1\") { name }",
        "promoteSpace(space: \"half'; DROP TABLE content\") { kinds }",
    ] {
        assert_eq!(mutate(&admin, refused).await.code(), "INVALID_ARGUMENT", "{refused}");
    }
    let other = "{ recommend(query: \"a\", kind: DOCUMENT, space: \"half\") { nodes { id } } }";
    admin.ask(other).await.assert_error("INVALID_ARGUMENT", &["holds no document"]);
    let left = admin.ask("{ embeddingSpaces { name } stats { kinds { kind } } }").await;
    assert_eq!(texts(&left["embeddingSpaces"], "name"), ["kindred-static-256", "half"]);
}

#[tokio::test]
async fn spaces_are_for_administrators() {
    let (app, ..) = with_half(&catalogue::songs()).await;
    fill_half(&app).await;
    let row = "{ id: \"song:1\", vector: [1], sourceText: \"a\" }";
    let requests = [
        format!("mutation {{ {HALF}) {{ space {{ name }} }} }}"),
        "mutation { backfillSpace(space: \"half\") { space { name } } }".to_owned(),
        "mutation { cancelBackfill(space: \"half\") { removed } }".to_owned(),
        "mutation { promoteSpace(space: \"half\") { kinds } }".to_owned(),
        "mutation { rollbackSpace { kinds } }".to_owned(),
        "mutation { dropSpace(space: \"half\") { name } }".to_owned(),
        format!("mutation {{ importVectors(space: \"half\", rows: [{row}]) {{ imported }} }}"),
        "{ planBackfill(space: \"half\") { rows } }".to_owned(),
        "{ compareSpaces(queries: [\"a\"], to: \"half\") { meanOverlap } }".to_owned(),
        "{ embeddingSpaces { holds { rows } } }".to_owned(),
    ];
    for request in requests {
        assert_eq!(app.as_user("eve").ask(&request).await.code(), "FORBIDDEN", "{request}");
        assert_eq!(app.anonymous().ask(&request).await.code(), "UNAUTHENTICATED", "{request}");
    }
    assert_eq!(songs_of(&app, "half").await["embedded"], 8);
    // Rows that somebody owns stay hidden in the new space as well.
    app.songs_of("bob", &[catalogue::song("Bobs", "Metal guitars of bob.")]).await;
    mutate(&app.as_admin(), "promoteSpace(space: \"half\") { kinds }").await.data();
    let query = "{ recommend(query: \"metal guitars of bob\", first: 20) { nodes { title } info { space } } }";
    for (viewer, sees) in
        [(app.as_user("bob"), true), (app.as_user("eve"), false), (app.anonymous(), false)]
    {
        let found = viewer.ask(query).await;
        assert_eq!(found["recommend"]["info"]["space"], "half");
        assert_eq!(texts(&found["recommend"]["nodes"], "title").contains(&"Bobs".to_owned()), sees);
    }
}
