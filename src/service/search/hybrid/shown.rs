//! What only the results of one page show.

use uuid::Uuid;

use super::{Highlights, Plan};
use crate::model::NodeId;
use crate::model::hit::HitPage;
use crate::service::{Result, Services};
use crate::store::content;
use crate::store::text::{self, Terms};

/// Marks round a found word inside PostgreSQL; nothing a person writes contains them.
const MARKS: (&str, &str) = ("\u{1}", "\u{2}");

impl Services {
    /// Reads the rows of a page and, at the same time, extracts of their texts.
    pub(super) async fn show(
        &self,
        plan: &Plan<'_>,
        terms: &Terms,
        page: &mut HitPage,
    ) -> Result<()> {
        let ids: Vec<NodeId> = page.hits.iter().map(|hit| hit.id).collect();
        let rows = content::by_ids(&self.db, plan.scope, &ids);
        let (rows, extracts) = tokio::join!(rows, self.extracts(plan, terms, page));
        page.contents = rows?;
        for (id, extract) in extracts? {
            if let Some(hit) = page.hits.iter_mut().find(|hit| hit.id.id == id) {
                hit.highlights.push(escaped(&extract));
            }
        }
        Ok(())
    }

    async fn extracts(
        &self,
        plan: &Plan<'_>,
        terms: &Terms,
        page: &HitPage,
    ) -> Result<Vec<(Uuid, String)>> {
        let found_by_text = page.hits.iter().filter(|hit| hit.text_score.is_some());
        let ids: Vec<Uuid> = found_by_text.map(|hit| hit.id.id).collect();
        if ids.is_empty() || plan.input.highlights == Highlights::Unwanted {
            return Ok(Vec::new());
        }
        Ok(text::highlights(&self.db, plan.scope, &ids, terms, MARKS).await?)
    }
}

/// An extract as HTML: everything a person wrote is escaped, found words are in `<mark>`.
fn escaped(extract: &str) -> String {
    let mut html = String::with_capacity(extract.len() + 16);
    for letter in extract.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            '\u{1}' => html.push_str("<mark>"),
            '\u{2}' => html.push_str("</mark>"),
            other => html.push(other),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_extract_is_harmless_html() {
        let html = super::escaped("<script>\u{1}rock\u{2} & 'roll'");
        assert_eq!(html, "&lt;script&gt;<mark>rock</mark> &amp; &#39;roll&#39;");
    }
}
