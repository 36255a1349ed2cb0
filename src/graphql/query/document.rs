//! `documents`.

use async_graphql::{Context, Object};

use crate::graphql::context::ContextExt;
use crate::graphql::error::Result;
use crate::graphql::input::filter::ContentFilter;
use crate::graphql::input::order::DocumentOrder;
use crate::graphql::object::document::DocumentConnection;
use crate::model::Kind;
use crate::model::content::{ContentOrder, Direction, OrderField};
use crate::service::ListInput;

#[derive(Default)]
pub(in crate::graphql) struct DocumentQuery;

#[Object]
impl DocumentQuery {
    /// Documents in an order of your choice, without searching.
    async fn documents(
        &self,
        ctx: &Context<'_>,
        #[graphql(name = "where", desc = "Conditions on the documents.")] narrowed: Option<
            ContentFilter,
        >,
        #[graphql(desc = "The order; default is by `CREATED_AT`, newest first.")] order_by: Option<
            DocumentOrder,
        >,
        #[graphql(desc = "How many documents, from 1 to 100.", default = 20)] first: i32,
        #[graphql(desc = "`endCursor` of the page before.")] after: Option<String>,
    ) -> Result<DocumentConnection> {
        let newest = ContentOrder { by: OrderField::CreatedAt, direction: Direction::Desc };
        let filter = ContentFilter::condition(narrowed)?;
        let order = order_by.map_or(newest, Into::into);
        let input = ListInput { kind: Kind::Document, filter, order, first, after };
        let page = ctx.services().list(ctx.viewer(), &input).await?;
        Ok(DocumentConnection::new(page, input.filter))
    }
}
