//! `songs`.

use async_graphql::{Context, Object};

use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::input::filter::ContentFilter;
use crate::graphql::input::order::SongOrder;
use crate::graphql::object::song::SongConnection;
use crate::model::Kind;
use crate::model::content::{ContentOrder, Direction, OrderField};
use crate::service::ListInput;

#[derive(Default)]
pub(in crate::graphql) struct SongQuery;

#[Object]
impl SongQuery {
    /// Songs in an order of your choice, without searching.
    async fn songs(
        &self,
        ctx: &Context<'_>,
        #[graphql(name = "where", desc = "Conditions on the songs.")] narrowed: Option<
            ContentFilter,
        >,
        #[graphql(desc = "The order; default is by `CREATED_AT`, newest first.")] order_by: Option<
            SongOrder,
        >,
        #[graphql(desc = "How many songs, from 1 to 100.", default = 20)] first: i32,
        #[graphql(desc = "`endCursor` of the page before.")] after: Option<String>,
    ) -> Result<SongConnection> {
        let newest = ContentOrder { by: OrderField::CreatedAt, direction: Direction::Desc };
        let filter = ContentFilter::condition(narrowed)?;
        let order = order_by.map_or(newest, Into::into);
        let input = ListInput { kind: Kind::Song, filter, order, first, after };
        let page = ctx.services().list(ctx.viewer(), &input).await?;
        Ok(SongConnection::new(page, input.filter))
    }
}
