//! What a field costs, by its name: the guard runs before the schema is asked.

use std::convert::Infallible;

use async_graphql::Value;
use async_graphql::parser::types::{Field, OperationDefinition};

/// The largest page that is summed up; the resolver refuses a larger one in its own words.
const LARGEST_LIST: u64 = 100;
/// The page size of a connection that is not in the list.
const UNKNOWN_PAGE: u64 = 20;

/// How many elements a field returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    /// One object, or a connection: `first` or this many elements below `edges` and `nodes`.
    Page(u64),
    /// A list of objects: as many as this argument says or holds, or else this many.
    List(&'static str, u64),
    /// A scalar that costs as much as its own query.
    Scalar,
}

/// The cost of a field before its children, and how often those are paid for.
#[derive(Debug, Clone, Copy)]
struct Price {
    field: &'static str,
    /// The argument that tells this field from another one of the same name.
    given: Option<&'static str>,
    base: u64,
    size: Size,
}

const ONE: Size = Size::Page(UNKNOWN_PAGE);

const fn price(field: &'static str, base: u64, size: Size) -> Price {
    Price { field, given: None, base, size }
}

const fn priced_with(given: &'static str, field: &'static str, base: u64, size: Size) -> Price {
    Price { field, given: Some(given), base, size }
}

/// Every new field that searches, counts, or returns a list of objects gets its price here.
///
/// Where a name is listed twice, the first line whose argument is given counts.
const PRICES: &[Price] = &[
    price("recommend", 10, Size::Page(5)),
    priced_with("id", "similar", 10, Size::Page(10)),
    price("similar", 10, Size::Page(5)),
    // A cross-encoder reads up to 100 texts.
    priced_with("rerank", "hybridSearch", 100, Size::Page(10)),
    price("hybridSearch", 10, Size::Page(10)),
    price("clusters", 50, Size::List("k", 20)),
    price("songs", 2, Size::Page(20)),
    price("documents", 2, Size::Page(20)),
    price("samples", 2, Size::Page(20)),
    price("entries", 2, Size::Page(20)),
    price("jobs", 2, Size::Page(20)),
    price("chunks", 1, Size::Page(20)),
    price("stats", 5, ONE),
    priced_with("ids", "nodes", 2, Size::List("ids", 20)),
    price("node", 1, ONE),
    price("totalCount", 5, Size::Scalar),
    price("chunkCount", 1, Size::Scalar),
    price("embeddingSpaces", 2, Size::List("first", 10)),
    price("holds", 3, Size::List("first", 6)),
    price("spaces", 0, Size::List("first", 6)),
    price("planBackfill", 50, ONE),
    price("compareSpaces", 10, Size::List("queries", 20)),
    price("comparisons", 0, Size::List("first", 1)),
    price("fromHits", 0, Size::List("first", 10)),
    price("toHits", 0, Size::List("first", 10)),
    price("judgments", 2, Size::Page(20)),
    price("evaluate", 100, Size::List("queries", 50)),
    price("modes", 0, Size::List("first", 5)),
    price("createSpace", 20, ONE),
    price("promoteSpace", 20, ONE),
    price("rollbackSpace", 20, ONE),
    price("dropSpace", 20, ONE),
    price("failedTasks", 2, Size::List("first", 20)),
    price("usage", 2, Size::List("first", 30)),
    price("vectors", 2, Size::Scalar),
    price("kinds", 0, Size::List("first", 6)),
    price("tables", 0, Size::List("first", 100)),
    price("examples", 0, Size::List("first", 10)),
    price("neighbors", 1, Size::List("first", 10)),
    price("boosts", 0, Size::List("first", 5)),
    price("facets", 5, Size::List("fields", 11)),
    price("values", 0, Size::List("first", 20)),
    price("rows", 0, Size::List("first", 250)),
    price("signUp", 200, ONE),
    price("logIn", 200, ONE),
    price("__schema", 300, ONE),
    price("__type", 50, ONE),
];

/// The fields that have a price, some twice; a test compares them with the schema.
pub fn priced_fields() -> impl Iterator<Item = &'static str> {
    PRICES.iter().map(|price| price.field)
}

/// The priced fields that are plain lists; the others are connections, objects or scalars.
pub fn priced_lists() -> impl Iterator<Item = &'static str> {
    PRICES.iter().filter(|price| matches!(price.size, Size::List(..))).map(|price| price.field)
}

/// A sum over a selection set whose `edges` and `nodes` are paid once per element of the page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) once: u64,
    pub(super) each: u64,
}

impl Sum {
    /// The sum below a field whose page has this many elements.
    fn page(self, elements: u64) -> u64 {
        self.once.saturating_add(self.each.saturating_mul(elements))
    }

    /// The sum at the root or below an element, where a page size is unknown.
    pub(super) fn total(self) -> u64 {
        self.page(UNKNOWN_PAGE)
    }

    pub(super) fn add(&mut self, other: Self) {
        self.once = self.once.saturating_add(other.once);
        self.each = self.each.saturating_add(other.each);
    }
}

/// What the guard adds up: work, and values in the answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Costs {
    pub(super) cost: Sum,
    pub(super) nodes: Sum,
}

impl Costs {
    pub(super) fn add(&mut self, other: Self) {
        self.cost.add(other.cost);
        self.nodes.add(other.nodes);
    }
}

/// The costs of one field with everything below it.
pub(super) fn of_field(field: &Field, below: Costs, arguments: &Arguments<'_>) -> Costs {
    let price = price_of(field, below);
    let leaf = field.selection_set.node.items.is_empty();
    let (cost, nodes) = match price.size {
        Size::Scalar => (price.base, 1),
        Size::Page(_) | Size::List(..) if leaf => (0, 1),
        Size::Page(default) => {
            let page = arguments.size(field, "first").unwrap_or(default);
            let nodes = below.nodes.page(page).saturating_add(1);
            (below.cost.page(page).saturating_add(price.base), nodes)
        }
        Size::List(argument, default) => {
            let list = arguments.size(field, argument).unwrap_or(default);
            let times = |sum: Sum| sum.total().saturating_add(1).saturating_mul(list);
            (times(below.cost).saturating_add(price.base), times(below.nodes))
        }
    };
    let sum = |value| {
        if is_element(field) { Sum { once: 0, each: value } } else { Sum { once: value, each: 0 } }
    };
    Costs { cost: sum(cost), nodes: sum(nodes) }
}

/// `edges` and `nodes` of a connection; the lookup `nodes(ids:)` is a field of its own.
fn is_element(field: &Field) -> bool {
    let name = field.name.node.as_str();
    name == "edges" || (name == "nodes" && field.get_argument("ids").is_none())
}

/// The price of a field; an unknown one with `first` but no `edges` or `nodes` is a list.
fn price_of(field: &Field, below: Costs) -> Price {
    let name = field.name.node.as_str();
    let unknown = if field.get_argument("first").is_some() && below.nodes.each == 0 {
        price("", 1, Size::List("first", UNKNOWN_PAGE))
    } else {
        price("", 1, ONE)
    };
    PRICES
        .iter()
        .find(|price| {
            price.field == name
                && price.given.is_none_or(|given| field.get_argument(given).is_some())
        })
        .copied()
        .unwrap_or(unknown)
}

/// The variables of a request with the defaults of the operation that runs.
pub(super) struct Arguments<'a> {
    pub(super) variables: &'a serde_json::Value,
    pub(super) operation: &'a OperationDefinition,
}

impl Arguments<'_> {
    /// How many elements an argument asks for: its number, or the length of its list.
    ///
    /// What is out of range or no number counts as the largest page; `null` as not given.
    fn size(&self, field: &Field, argument: &str) -> Option<u64> {
        let given = field.arguments.iter().filter(|(name, _)| name.node == argument);
        given
            .filter_map(|(_, value)| {
                let value = value.node.clone().into_const_with(|name| Ok(self.variable(&name)));
                let Ok::<_, Infallible>(value) = value;
                elements(&value)
            })
            .max()
    }

    /// The value of a variable, or as much of it as its size needs.
    fn variable(&self, name: &str) -> Value {
        if let Some(value) = self.variables.get(name) {
            return outline(value);
        }
        let definitions = self.operation.variable_definitions.iter();
        definitions
            .map(|definition| &definition.node)
            .find(|definition| definition.name.node == name)
            .and_then(|definition| definition.default_value.as_ref())
            .map_or(Value::Null, |value| outline_default(&value.node))
    }
}

fn outline(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Number(number) => Value::Number(number.clone()),
        serde_json::Value::Array(items) => list_of(items.len()),
        serde_json::Value::Bool(_)
        | serde_json::Value::String(_)
        | serde_json::Value::Object(_) => Value::Boolean(true),
    }
}

fn outline_default(value: &Value) -> Value {
    match value {
        Value::Null => Value::Null,
        Value::Number(number) => Value::Number(number.clone()),
        Value::List(items) => list_of(items.len()),
        Value::String(_)
        | Value::Boolean(_)
        | Value::Binary(_)
        | Value::Enum(_)
        | Value::Object(_) => Value::Boolean(true),
    }
}

fn list_of(length: usize) -> Value {
    let most = usize::try_from(LARGEST_LIST).unwrap_or(usize::MAX);
    Value::List(vec![Value::Null; length.min(most)])
}

fn elements(value: &Value) -> Option<u64> {
    let elements = match value {
        Value::Null => return None,
        Value::Number(number) => number.as_u64().unwrap_or(LARGEST_LIST),
        Value::List(items) => u64::try_from(items.len()).unwrap_or(LARGEST_LIST),
        Value::String(_)
        | Value::Boolean(_)
        | Value::Binary(_)
        | Value::Enum(_)
        | Value::Object(_) => LARGEST_LIST,
    };
    Some(elements.clamp(1, LARGEST_LIST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_price_is_hidden_by_an_earlier_one() {
        for (index, price) in PRICES.iter().enumerate() {
            let hidden = PRICES[..index].iter().any(|earlier| {
                earlier.field == price.field
                    && earlier.given.is_none_or(|given| price.given == Some(given))
            });
            assert!(!hidden, "`{}` is listed after a line that always comes first", price.field);
        }
    }

    #[test]
    fn plain_lists_are_told_from_pages() {
        assert!(priced_lists().all(|list| priced_fields().any(|field| field == list)));
        assert!(priced_lists().any(|field| field == "clusters"));
        assert!(priced_lists().all(|field| field != "recommend"));
    }

    #[test]
    fn sums_saturate_instead_of_wrapping() {
        let mut sum = Sum { once: u64::MAX, each: u64::MAX };
        sum.add(sum);
        assert_eq!((sum.total(), sum.page(2)), (u64::MAX, u64::MAX));
    }
}
