//! Which rows a viewer sees. This is the only place that says so.

use sqlx::{Postgres, QueryBuilder};

use crate::model::Scope;
use crate::model::viewer::Reach;

/// Adds the condition on the table that is called `content` in the statement.
///
/// It begins with `AND` and leaves out soft-deleted rows.
pub(super) fn push(query: &mut QueryBuilder<Postgres>, scope: Scope) {
    query.push(" AND content.deleted_at IS NULL");
    push_reach(query, scope);
}

/// As [`push`], but soft-deleted rows stay in: to restore or purge them.
pub(super) fn push_with_deleted(query: &mut QueryBuilder<Postgres>, scope: Scope) {
    push_reach(query, scope);
}

fn push_reach(query: &mut QueryBuilder<Postgres>, scope: Scope) {
    match scope.reach() {
        Reach::Nothing => {
            query.push(" AND false");
        }
        Reach::Shared => {
            query.push(" AND content.owner_id IS NULL");
        }
        Reach::SharedAndOwn(user) => {
            query
                .push(" AND (content.owner_id IS NULL OR content.owner_id = ")
                .push_bind(user)
                .push(")");
        }
        Reach::Everything => {}
    }
}
