//! Sections of a document, put together where they fit into one piece.

use std::ops::Range;

use super::Piece;
use super::clean::has_words;
use super::outline::{Heading, Outline};
use super::segments::Segments;

/// Outermost sections that each get pieces of their own; a document with more is a list, and its entries
/// go together as they fit.
const OWN_SECTIONS: usize = 1_000;

/// The document itself, as the section around all others.
const ROOT: usize = 0;

/// Sections in the order of the text; those within a section follow it.
pub(super) struct Sections<'a> {
    outline: &'a Outline,
    segments: Segments<'a>,
    all: Vec<Section<'a>>,
    pieces: Vec<Piece>,
}

#[derive(Debug)]
struct Section<'a> {
    heading: Option<&'a Heading>,
    parent: usize,
    /// The first section behind it that is not within it.
    next: usize,
}

/// Neighbors that become one piece.
struct Run {
    range: Range<usize>,
    /// The section, if it is one alone.
    section: Option<usize>,
}

impl<'a> Sections<'a> {
    pub(super) fn new(outline: &'a Outline, segments: Segments<'a>) -> Self {
        let count = outline.headings.len() + 1;
        let mut sections = vec![Section { heading: None, parent: ROOT, next: count }];
        let mut open = vec![ROOT];
        let level = |sections: &[Section<'_>], index: usize| {
            sections[index].heading.map_or(0, |heading| heading.level)
        };
        for heading in &outline.headings {
            let index = sections.len();
            while let Some(last) = open.pop_if(|last| level(&sections, *last) >= heading.level) {
                sections[last].next = index;
            }
            let parent = open.last().copied().unwrap_or(ROOT);
            sections.push(Section { heading: Some(heading), parent, next: count });
            open.push(index);
        }
        Self { outline, segments, all: sections, pieces: Vec::new() }
    }

    pub(super) fn pieces(mut self) -> Vec<Piece> {
        self.cut_parts(ROOT);
        self.pieces
    }

    /// One piece, if all of it fits; calls itself through `cut_parts` at most as deep as headings go.
    fn cut(&mut self, index: usize) {
        let below = self.body(index)..self.end(index);
        if !has_words(&self.outline.text[below.clone()]) {
            // Nothing stands below this heading, so it is not said by any other piece.
            self.settle(self.all[index].parent, self.start(index)..below.end);
        } else if self.segments.seems_to_fit(&below) {
            self.settle(index, below);
        } else {
            self.cut_parts(index);
        }
    }

    /// The text of the section itself and the sections within it, as many together as fit.
    fn cut_parts(&mut self, index: usize) {
        let children = self.children(index);
        let may_join = index != ROOT || children.len() > OWN_SECTIONS;
        let own_end = children.first().map_or(self.end(index), |first| self.start(*first));
        let mut run = Run { range: self.body(index)..own_end, section: None };
        for child in children {
            let range = self.start(child)..self.end(child);
            let joined = run.range.start..range.end;
            let is_empty = !has_words(&self.outline.text[run.range.clone()]);
            if may_join && !is_empty && self.segments.seems_to_fit(&joined) {
                run = Run { range: joined, section: None };
            } else {
                self.close(index, run);
                run = Run { range, section: Some(child) };
            }
        }
        self.close(index, run);
    }

    fn close(&mut self, parent: usize, run: Run) {
        match run.section {
            Some(section) => self.cut(section),
            None => self.settle(parent, run.range),
        }
    }

    fn settle(&mut self, index: usize, range: Range<usize>) {
        let texts = self.segments.cut(range);
        let headings = self.headings(index);
        let piece = |text| Piece { headings: headings.clone(), text };
        self.pieces.extend(texts.into_iter().map(piece));
    }

    fn children(&self, index: usize) -> Vec<usize> {
        let next = |child: &usize| self.all.get(*child).map(|section| section.next);
        let end = self.all[index].next;
        std::iter::successors(Some(index + 1), next).take_while(|child| *child < end).collect()
    }

    fn start(&self, index: usize) -> usize {
        self.all[index].heading.map_or(0, |heading| heading.start)
    }

    fn body(&self, index: usize) -> usize {
        self.all[index].heading.map_or(0, |heading| heading.body)
    }

    fn end(&self, index: usize) -> usize {
        let next = self.all.get(self.all[index].next);
        let heading = next.and_then(|next| next.heading);
        heading.map_or(self.outline.text.len(), |heading| heading.start)
    }

    fn headings(&self, index: usize) -> Vec<String> {
        let mut headings = Vec::new();
        let mut at = index;
        while let Some(heading) = self.all[at].heading {
            headings.push(heading.title.clone());
            at = self.all[at].parent;
        }
        headings.reverse();
        headings
    }
}
