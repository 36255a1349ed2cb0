//! Where a page stands in its list.

use async_graphql::SimpleObject;

/// Where a page stands in its list.
#[derive(SimpleObject)]
pub(in crate::graphql) struct PageInfo {
    /// Whether a page follows this one.
    has_next_page: bool,
    /// Whether a page came before this one.
    has_previous_page: bool,
    /// Cursor of the first row of the page.
    start_cursor: Option<String>,
    /// Cursor of the last row: pass it as `after` to get the next page.
    end_cursor: Option<String>,
}

impl PageInfo {
    pub(in crate::graphql) fn new(has_next: bool, has_previous: bool, cursors: &[String]) -> Self {
        Self {
            has_next_page: has_next,
            has_previous_page: has_previous,
            start_cursor: cursors.first().cloned(),
            end_cursor: cursors.last().cloned(),
        }
    }
}
