//! Clients that go away, and databases that do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use serde_json::json;
use sqlx::{Connection, PgConnection};

use crate::support::database::{lacks_server, server_url};
use crate::support::{PATIENCE, TestApp, at_once, catalogue, texts};

/// A connection of the test's own, beside those of the program.
async fn outside() -> PgConnection {
    PgConnection::connect(&server_url().unwrap()).await.unwrap()
}

#[tokio::test]
async fn what_was_acknowledged_is_there_however_many_clients_went_away() {
    let app = Arc::new(TestApp::with_songs().await);
    let seed = 20_261_121;
    println!("seed {seed}");
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let mutation = "mutation ($id: String!) {
        ingestSongs(rows: [{ externalId: $id, title: $id }]) { created } }";
    let mut acknowledged = Vec::new();
    for round in 0..60 {
        let leaving = (0..5).map(|n| {
            let (app, wait) = (app.clone(), Duration::from_micros(random.random_range(0..20_000)));
            async move {
                let (query, variables) = match n % 3 {
                    0 => (mutation, json!({ "id": format!("left-{round}-{n}") })),
                    1 => ("{ recommend(query: \"metal\") { nodes { id } } }", json!({})),
                    _ => ("{ songs { nodes { similar { nodes { id } } } } }", json!({})),
                };
                let admin = app.as_admin();
                drop(tokio::time::timeout(wait, admin.query(query, variables)).await);
            }
        });
        let stays = async {
            let id = format!("stays-{round}");
            let answer = app.as_admin().query(mutation, json!({ "id": id })).await;
            if answer.status == 503 {
                return None;
            }
            assert_eq!(answer["ingestSongs"]["created"], 1);
            Some(id)
        };
        let (_, stays) = tokio::join!(at_once(leaving), stays);
        acknowledged.extend(stays);
    }
    assert!(acknowledged.len() > 30);
    let stored = app.rows("SELECT external_id FROM content").await;
    let stored: Vec<String> = texts(&stored.into(), "external_id");
    let lost: Vec<_> = acknowledged.iter().filter(|id| !stored.contains(id)).collect();
    assert!(lost.is_empty(), "{lost:?} were acknowledged and are not there");
    if let Some(database) = &app.database {
        let mut outside = outside().await;
        let idle = "SELECT count(*) FROM pg_stat_activity
            WHERE datname = $1 AND state LIKE 'idle in transaction%'";
        let started = Instant::now();
        loop {
            let open: i64 =
                sqlx::query_scalar(idle).bind(database).fetch_one(&mut outside).await.unwrap();
            if open == 0 {
                break;
            }
            assert!(started.elapsed() < PATIENCE, "{open} transactions stay open");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Ends every connection of the program to its database.
async fn cut_off(outside: &mut PgConnection, database: &str) {
    let statement = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = $1 AND pid <> pg_backend_pid()";
    let ended: i64 = sqlx::query_scalar(statement).bind(database).fetch_one(outside).await.unwrap();
    assert!(ended > 0);
}

#[tokio::test]
async fn the_server_recovers_when_its_connections_are_cut() {
    if lacks_server("the_server_recovers_when_its_connections_are_cut") {
        return;
    }
    let app = TestApp::with_songs().await;
    let mut outside = outside().await;
    for _ in 0..3 {
        app.anonymous().ask("{ songs { totalCount } }").await.data();
        cut_off(&mut outside, app.database.as_ref().unwrap()).await;
        let started = Instant::now();
        loop {
            let answer = app.anonymous().ask("{ songs { totalCount } }").await;
            if answer.body["errors"].is_null() {
                break;
            }
            assert_eq!((answer.status.as_u16(), answer.code()), (503, "DATABASE_UNAVAILABLE"));
            assert!(started.elapsed() < PATIENCE, "it does not come back");
        }
    }
}

#[tokio::test]
async fn while_the_database_is_away_that_is_said_and_afterwards_all_is_well() {
    if lacks_server("while_the_database_is_away_that_is_said_and_afterwards_all_is_well") {
        return;
    }
    let app = TestApp::with_songs().await;
    let mut outside = outside().await;
    let database = app.database.clone().unwrap();
    let allow = |yes: bool| format!("ALTER DATABASE {database} ALLOW_CONNECTIONS {yes}");
    sqlx::query(sqlx::AssertSqlSafe(allow(false))).execute(&mut outside).await.unwrap();
    cut_off(&mut outside, &database).await;
    let queries = [
        "{ songs { totalCount } }",
        "{ recommend(query: \"metal\") { nodes { id } } }",
        "{ stats { pendingTasks } }",
        "mutation { ingestSongs(rows: [{ title: \"x\" }]) { created } }",
    ];
    for query in queries {
        let answer = app.as_admin().ask(query).await;
        assert_eq!(answer.status, 503, "{query}: {}", answer.text);
        answer.assert_error("DATABASE_UNAVAILABLE", &["the database did not answer"]);
    }
    assert_eq!(app.anonymous().get("/health/ready").await.status, 503);
    assert_eq!(app.anonymous().get("/health").await.status, 503);
    assert_eq!(app.anonymous().get("/health/live").await.status, 200);
    app.anonymous().assert_served().await;
    sqlx::query(sqlx::AssertSqlSafe(allow(true))).execute(&mut outside).await.unwrap();
    let answer = app.as_admin().ask("{ songs { totalCount } }").await;
    assert_eq!(answer["songs"]["totalCount"], 8);
    assert_eq!(app.anonymous().get("/health/ready").await.status, 200);
    app.run_queue().await;
}

/// Transactions of a database so far. The program's own connection tells its count first.
async fn transactions(app: &TestApp, outside: &mut PgConnection) -> i64 {
    app.rows("SELECT pg_stat_force_next_flush() IS NULL AS flushed").await;
    app.rows("SELECT 1 AS flushes").await;
    let statement = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = $1";
    sqlx::query_scalar(statement)
        .bind(app.database.as_ref().unwrap())
        .fetch_one(outside)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_request_that_is_refused_costs_the_database_nothing() {
    if lacks_server("a_request_that_is_refused_costs_the_database_nothing") {
        return;
    }
    let one_connection = ["--db-max-pool-size", "1", "--env", "production"];
    let app = TestApp::plan().with(&one_connection).start().await;
    app.songs(&catalogue::songs()).await;
    let mut outside = outside().await;
    // Other processes of the server, such as autovacuum, may add to a count, never take away.
    let mut extra = i64::MAX;
    for _ in 0..4 {
        let before = transactions(&app, &mut outside).await;
        let calibrated = transactions(&app, &mut outside).await - before;
        let start = before + calibrated;
        refused(&app).await;
        let after = transactions(&app, &mut outside).await;
        extra = extra.min(after - start - calibrated);
        if extra == 0 {
            break;
        }
    }
    assert_eq!(extra, 0, "transactions for refused requests");
}

/// A thousand requests, none of which may be run.
async fn refused(app: &TestApp) {
    let deep = format!("{}{}", "{ a ".repeat(40), "}".repeat(40));
    let costly = "{ songs(first: 100) { nodes { similar(first: 100) { nodes { similar(first: 100) { nodes { id } } } } } } }";
    for round in 0..125 {
        let (admin, anonymous) = (app.as_admin(), app.anonymous());
        let answers = [
            app.with_token("not.a.token").ask("{ songs { totalCount } }").await,
            app.with_token("bad").ask("mutation { retryFailedTasks }").await,
            admin.ask(&deep).await,
            admin.ask(costly).await,
            admin.ask("{ nope }").await,
            admin.raw(b"[]".to_vec()).await,
            anonymous.ask("{ songs { totalCount } stats { pendingTasks } }").await,
            app.as_user("ada").ask("mutation { retryFailedTasks }").await,
        ];
        for answer in answers {
            assert!(answer.body["errors"].is_array(), "{round}: {}", answer.text);
        }
    }
}
