//! Recommendations where there is nothing to go by.

use super::as_limit;
use super::recommend::Plan;
use crate::model::content::{ContentOrder, Direction, OrderField};
use crate::model::filter::NumberField;
use crate::model::hit::{Hit, HitPage, SearchInfo, SearchStrategy, Why};
use crate::service::page::Order;
use crate::service::{Result, Services};
use crate::store::content;

impl Services {
    /// Nothing to go by. For a person without history: what is popular and new. For a text of which
    /// the model knows no word: nothing.
    pub(super) async fn without_steering(&self, plan: &Plan<'_>) -> Result<HitPage> {
        if !plan.input.for_me {
            return Ok(plan.page.cut(Vec::new(), Order::ByScore, plan.info(SearchStrategy::Exact)));
        }
        let popularity = OrderField::Number(NumberField::Popularity);
        let list = content::List {
            kind: plan.input.kind,
            filter: &plan.input.filter,
            order: ContentOrder { by: popularity, direction: Direction::Desc },
            after: None,
            limit: as_limit(plan.page.reach() + plan.exclude.len()),
        };
        let ids = content::list(&self.db, plan.scope, &list).await?;
        let wanted = ids.into_iter().filter(|id| !plan.exclude.contains(&id.id));
        let hits = wanted.map(|id| Hit {
            id,
            score: 0.0,
            similarity: None,
            text_score: None,
            highlights: Vec::new(),
            group_size: None,
            why: Why::default(),
        });
        let info = SearchInfo { space: None, ..plan.info(SearchStrategy::ColdStart) };
        Ok(plan.page.cut(hits.collect(), Order::AsPicked, info))
    }
}
