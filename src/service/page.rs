//! Lists to pages.

use std::collections::HashMap;

use super::{Error, Result};
use crate::model::Cursor;
use crate::model::hit::{Hit, HitPage, SearchInfo, best_first};
use crate::model::limits;
use crate::store::search::Reads;

/// Which page of a list is wanted.
#[derive(Debug, Clone)]
pub(super) struct Page {
    pub first: usize,
    pub after: Option<Cursor>,
    pub fingerprint: u64,
}

impl Page {
    /// Checks the bounds of a page and that its cursor belongs to this very query.
    pub(super) fn new(
        first: i32,
        max: usize,
        after: Option<&str>,
        fingerprint: u64,
    ) -> Result<Self> {
        let wanted = usize::try_from(first).unwrap_or(0);
        if wanted == 0 || wanted > max {
            let problem = format!("must be between 1 and {max}, but is {first}");
            return Err(Error::invalid("first", problem));
        }
        let after = after.map(Cursor::decode).transpose()?;
        if after.is_some_and(|cursor| cursor.fingerprint != fingerprint) {
            return Err(Error::ForeignCursor);
        }
        let page = Self { first: wanted, after, fingerprint };
        if page.position() + wanted > limits::SEARCH_DEPTH {
            let problem = format!("reaches beyond the first {} results", limits::SEARCH_DEPTH);
            return Err(Error::invalid("after", problem));
        }
        Ok(page)
    }

    /// How many results stand before the page.
    pub(super) fn position(&self) -> usize {
        self.after.map_or(0, |cursor| usize::try_from(cursor.position).unwrap_or(usize::MAX / 2))
    }

    /// How many results a list must have to fill the page and to know whether another follows.
    /// A few more than that, because rows may have come in since the page before.
    pub(super) fn reach(&self) -> usize {
        let slack = if self.after.is_some() { 20 } else { 0 };
        self.position() + self.first + 1 + slack
    }

    /// The first page is shown almost whole, so its rows are read with the search; of a deeper one only the
    /// end is.
    pub(super) fn reads(&self) -> Reads {
        match self.after {
            None => Reads::Rows,
            Some(_) => Reads::Ids,
        }
    }

    /// Cuts the page out of a list that begins at its start.
    ///
    /// The page begins behind the cursor's row; if that row is gone, behind its score, or behind
    /// its place where the list is not ordered by score.
    pub(super) fn cut(&self, mut hits: Vec<Hit>, order: Order, info: SearchInfo) -> HitPage {
        let start = self.after.map_or(0, |cursor| {
            let by_id = hits.iter().position(|hit| hit.id.id == cursor.id).map(|index| index + 1);
            by_id.unwrap_or_else(|| match order {
                Order::ByScore => hits.partition_point(|hit| {
                    best_first((hit.score, hit.id.id), (cursor.score, cursor.id)).is_le()
                }),
                Order::AsPicked => self.position().min(hits.len()),
            })
        });
        let has_next_page = hits.len() > start + self.first;
        let hits: Vec<Hit> = hits.drain(start..(start + self.first).min(hits.len())).collect();
        let cursors = hits.iter().enumerate().map(|(index, hit)| {
            let position = u32::try_from(self.position() + index + 1).unwrap_or(u32::MAX);
            let fingerprint = self.fingerprint;
            Cursor { fingerprint, position, score: hit.score, id: hit.id.id }.encode()
        });
        HitPage {
            cursors: cursors.collect(),
            contents: HashMap::new(),
            hits,
            has_next_page,
            has_previous_page: self.after.is_some(),
            ranked: None,
            info,
        }
    }
}

/// What decides the order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Score, best first, then id.
    ByScore,
    /// Something that looks at the rows before, such as diversity.
    AsPicked,
}
