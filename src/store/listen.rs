//! Hears from other processes that tasks were queued.

use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};

use super::task::CHANNEL;
use super::{Db, Result, Server};
use crate::model::Scope;

/// How long to wait for the connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection of its own that hears when tasks are queued. It takes none from the pool.
pub struct Listener(PgListener);

/// Begins to listen; `None` on the embedded engine, which has no other processes and only one connection.
///
/// Behind `PgBouncer` in transaction mode nothing may ever be heard, so nobody may rely on it.
pub async fn listen(db: &Db, scope: Scope) -> Result<Option<Listener>> {
    match db.server() {
        Server::Embedded => return Ok(None),
        Server::External => {}
    }
    let options = db.sql(scope).connect_options();
    // The library wants a pool to connect again from.
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(PATIENCE)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_lazy_with(options.as_ref().clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.ignore_pool_close_event(true);
    listener.listen(CHANNEL).await?;
    Ok(Some(Listener(listener)))
}

impl Listener {
    /// Returns when something was queued, or may have been while the connection was lost.
    pub async fn heard(&mut self, _scope: Scope) -> Result<()> {
        self.0.try_recv().await?;
        Ok(())
    }
}
