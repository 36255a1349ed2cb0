//! The tables themselves, and the way back from them.

use kindred::store;
use serde_json::Value;
use sqlx::{Connection, Executor, PgConnection, Row};

use crate::support::TestApp;
use crate::support::database::Database;

#[tokio::test]
async fn every_foreign_key_has_an_index_and_says_what_deleting_does() {
    let app = TestApp::start().await;
    let missing = app
        .rows(
            "SELECT conrelid::regclass::text AS on_table, conname::text AS name FROM pg_constraint AS fk
             WHERE contype = 'f' AND conparentid = 0 AND (confdeltype = 'a' OR NOT EXISTS (
                 SELECT 1 FROM pg_index WHERE indrelid = fk.conrelid AND indpred IS NULL
                 AND (indkey::int2[])[0:cardinality(fk.conkey) - 1] @> fk.conkey))",
        )
        .await;
    assert_eq!(missing, Vec::<Value>::new());
}

#[tokio::test]
async fn every_constraint_and_index_is_named_after_its_table() {
    let app = TestApp::start().await;
    let strange = app
        .rows(
            "SELECT conrelid::regclass::text AS on_table, conname::text AS name FROM pg_constraint
             JOIN pg_class ON pg_class.oid = conrelid
             WHERE connamespace = current_schema()::regnamespace AND contype IN ('p', 'u', 'f', 'c')
             AND relname NOT LIKE 'seaql%' AND NOT relispartition
             AND conname !~ ('^' || relname || '_.*(pkey|key|fkey|check)$')
             AND conname !~ ('^' || relname || '_pkey$')
             UNION ALL
             SELECT tablename::text, indexname::text FROM pg_indexes
             WHERE schemaname = current_schema() AND tablename NOT LIKE 'seaql%'
             AND indexname !~ ('^' || tablename || '_.*(pkey|key|idx)$')",
        )
        .await;
    assert_eq!(strange, Vec::<Value>::new());
}

#[tokio::test]
async fn every_table_has_a_primary_key_and_every_time_a_zone() {
    let app = TestApp::start().await;
    let bare = app
        .rows(
            "SELECT relname::text FROM pg_class
             WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
             AND NOT EXISTS (SELECT 1 FROM pg_index WHERE indrelid = pg_class.oid AND indisprimary)
             UNION ALL
             SELECT table_name || '.' || column_name FROM information_schema.columns
             WHERE table_schema = current_schema() AND data_type = 'timestamp without time zone'",
        )
        .await;
    assert_eq!(bare, Vec::<Value>::new());
}

/// A database that the test migrates by itself, and the options to reach it.
struct Migrated {
    options: store::Options,
    _embedded: Option<kindred::dev::EmbeddedDatabase>,
    _database: Database,
}

fn migrated() -> Migrated {
    let database = Database::create();
    let embedded = match database.url() {
        Some(_) => None,
        None => Some(kindred::dev::EmbeddedDatabase::start(database.folder()).unwrap()),
    };
    let url = database.url().or_else(|| embedded.as_ref().map(kindred::dev::EmbeddedDatabase::url));
    let options = store::Options {
        url: url.unwrap().into(),
        min_connections: 1,
        max_connections: 1,
        command_timeout: std::time::Duration::from_secs(30),
        server: match embedded {
            Some(_) => store::Server::Embedded,
            None => store::Server::External,
        },
    };
    Migrated { options, _embedded: embedded, _database: database }
}

/// Everything that migrations make, as text.
async fn inventory(options: &store::Options) -> Vec<String> {
    use secrecy::ExposeSecret;
    let mut connection = PgConnection::connect(options.url.expose_secret()).await.unwrap();
    connection.execute("SET client_min_messages = error").await.unwrap();
    let rows = sqlx::query(
        "SELECT 'column ' || table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable
             FROM information_schema.columns WHERE table_schema = 'public'
         UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public'
         UNION ALL SELECT 'constraint ' || conname || ' ' || pg_get_constraintdef(oid)
             FROM pg_constraint WHERE connamespace = 'public'::regnamespace
         UNION ALL SELECT 'search ' || cfgname FROM pg_ts_config WHERE cfgnamespace = 'public'::regnamespace
         UNION ALL SELECT 'dictionary ' || dictname FROM pg_ts_dict WHERE dictnamespace = 'public'::regnamespace
         ORDER BY 1",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    let all = rows.iter().map(|row| row.get::<String, _>(0)).collect();
    connection.close().await.unwrap();
    all
}

#[test]
fn migrations_go_up_and_down_and_up_again_to_the_same_tables() {
    // Made before the runtime and dropped after it, because making a database blocks.
    let migrated = migrated();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let options = &migrated.options;
        store::rollback_all(options).await.unwrap();
        let left = inventory(options).await;
        assert!(left.iter().all(|line| line.contains("seaql_migrations")), "{left:#?}");
        store::migrate(options).await.unwrap();
        let first = inventory(options).await;
        assert!(first.iter().any(|line| line.starts_with("column content.id ")), "{first:#?}");
        // A second time changes nothing.
        store::migrate(options).await.unwrap();
        assert_eq!(inventory(options).await, first);
        store::rollback_all(options).await.unwrap();
        assert_eq!(inventory(options).await, left);
        store::migrate(options).await.unwrap();
        assert_eq!(inventory(options).await, first);
    });
}

#[tokio::test]
async fn no_vector_without_direction_can_be_stored() {
    let app = TestApp::with_songs().await;
    let db = app.services.db().clone();
    let outcome = app
        .on_server(async move {
            let mut tx = db.begin(kindred::model::Scope::system()).await.unwrap();
            let zero = pgvector::Vector::from(vec![0.0_f32; 256]);
            sqlx::query("UPDATE embedding SET embedding = $1").bind(zero).execute(&mut *tx).await
        })
        .await;
    let error = outcome.unwrap_err();
    let constraint = error.as_database_error().and_then(|error| error.constraint());
    assert_eq!(constraint, Some("embedding_not_zero_check"));
}
