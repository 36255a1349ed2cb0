//! The size of a selection set, found bottom-up so that a fragment is measured once.

use std::collections::HashMap;

use async_graphql::parser::types::{Field, Selection, SelectionSet};

use super::cost::{self, Arguments, Costs};

/// How large a selection set is when its fragments are expanded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Measure {
    /// Fields above one another; `__schema` and `__type` count as one.
    pub(super) depth: usize,
    /// Selection sets inside one another, those of fragments included.
    pub(super) nesting: usize,
    pub(super) fields: usize,
    /// The fields of the outermost level alone.
    pub(super) root_fields: usize,
    pub(super) aliases: usize,
    pub(super) directives: usize,
    /// Lists of the introspection types inside one another.
    lists: usize,
    /// The same, where `__schema` or `__type` is above them.
    pub(super) introspection: usize,
    pub(super) has_introspection: bool,
    /// Whether a field of the outermost level is more than `__typename` and introspection.
    pub(super) reads_data: bool,
    pub(super) costs: Costs,
}

impl Measure {
    /// Puts another selection beside this one.
    pub(super) fn add(&mut self, other: &Self) {
        self.depth = self.depth.max(other.depth);
        self.nesting = self.nesting.max(other.nesting);
        self.fields = self.fields.saturating_add(other.fields);
        self.root_fields = self.root_fields.saturating_add(other.root_fields);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.directives = self.directives.saturating_add(other.directives);
        self.lists = self.lists.max(other.lists);
        self.introspection = self.introspection.max(other.introspection);
        self.has_introspection |= other.has_introspection;
        self.reads_data |= other.reads_data;
        self.costs.add(other.costs);
    }

    fn below_fragment(mut self, directives: usize) -> Self {
        self.nesting += 1;
        self.directives = self.directives.saturating_add(directives);
        self
    }
}

/// Measures selection sets with what is known of the fragments they spread.
pub(super) struct Ruler<'a> {
    pub(super) arguments: Arguments<'a>,
    pub(super) fragments: HashMap<&'a str, Measure>,
}

impl Ruler<'_> {
    /// Recurses once per brace of one definition, which the scan has bounded.
    pub(super) fn selection_set(&self, set: &SelectionSet) -> Measure {
        let mut sum = Measure::default();
        for selection in &set.items {
            sum.add(&match &selection.node {
                Selection::Field(field) => self.field(&field.node),
                Selection::FragmentSpread(spread) => self
                    .fragments
                    .get(spread.node.fragment_name.node.as_str())
                    .copied()
                    .unwrap_or_default()
                    .below_fragment(spread.node.directives.len()),
                Selection::InlineFragment(fragment) => self
                    .selection_set(&fragment.node.selection_set.node)
                    .below_fragment(fragment.node.directives.len()),
            });
        }
        sum
    }

    fn field(&self, field: &Field) -> Measure {
        let name = field.name.node.as_str();
        let leaf = field.selection_set.node.items.is_empty();
        let below = self.selection_set(&field.selection_set.node);
        let is_introspection = matches!(name, "__schema" | "__type");
        Measure {
            depth: if is_introspection { 1 } else { below.depth + 1 },
            nesting: if leaf { 0 } else { below.nesting + 1 },
            fields: below.fields.saturating_add(1),
            root_fields: 1,
            aliases: below.aliases.saturating_add(usize::from(field.alias.is_some())),
            directives: below.directives.saturating_add(field.directives.len()),
            lists: below.lists + usize::from(is_introspection_list(name)),
            introspection: if is_introspection { below.lists } else { below.introspection },
            has_introspection: is_introspection || below.has_introspection,
            reads_data: !name.starts_with("__"),
            costs: cost::of_field(field, below.costs, &self.arguments),
        }
    }
}

/// The lists through which introspection can go in circles.
fn is_introspection_list(name: &str) -> bool {
    matches!(name, "fields" | "interfaces" | "possibleTypes" | "inputFields")
}
