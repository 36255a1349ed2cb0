//! What holds for every query: no panic, the scan of a slow reference, the sums of a naive walk.

use std::fmt::Write;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// A token and what it does to the number of open brackets.
fn soup() -> impl Strategy<Value = Vec<(String, i8)>> {
    let flat = prop_oneof![
        Just("...".to_owned()),
        "[!$&:=@|]",
        "[_a-zA-Z][_a-zA-Z0-9]{0,3}",
        "-?(0|[1-9][0-9]{0,2})(\\.[0-9]{1,2})?([eE][+-]?[0-9])?",
        "\"([a{(\\[#é]|\\\\[\"\\\\n]){0,6}\"",
        "\"\"\"([a{(\\[# \n]|\\\\\"\"\"){0,6}\"\"\"",
    ];
    let token = prop_oneof![
        3 => flat.prop_map(|text| (text, 0)),
        2 => "[({\\[]".prop_map(|text| (text, 1)),
        1 => "[)}\\]]".prop_map(|text| (text, -1)),
    ];
    prop::collection::vec(token, 0..200)
}

fn slow_reference(tokens: &[(String, i8)], limits: &Limits) -> Option<Code> {
    let mut open = 0_i64;
    for (index, (_, step)) in tokens.iter().enumerate() {
        if index >= limits.tokens {
            return Some(Code::QueryTooLarge);
        }
        open = (open + i64::from(*step)).max(0);
        if open > i64::try_from(limits.nesting).unwrap() {
            return Some(Code::QueryTooDeep);
        }
    }
    None
}

/// A selection of a generated document.
#[derive(Debug, Clone)]
enum Pick {
    Leaf(&'static str),
    Field(&'static str, Option<u64>, Vec<Pick>),
    Inline(Vec<Pick>),
    Spread(usize),
}

fn pick() -> impl Strategy<Value = Pick> {
    let leaf = prop_oneof![
        prop::sample::select(vec!["title", "totalCount", "songs", "__typename"])
            .prop_map(Pick::Leaf),
        (0..4_usize).prop_map(Pick::Spread),
    ];
    let names =
        vec!["recommend", "similar", "songs", "edges", "nodes", "node", "info", "clusters", "rows"];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let inside = prop::collection::vec(inner, 1..4);
        let field =
            (prop::sample::select(names.clone()), prop::option::of(1..120_u64), inside.clone());
        prop_oneof![
            4 => field.prop_map(|(name, first, inside)| Pick::Field(name, first, inside)),
            1 => inside.prop_map(Pick::Inline),
        ]
    })
}

/// Writes picks; a spread leads only to a later fragment, so that there are no circles.
fn write(picks: &[Pick], after: usize, count: usize) -> String {
    let one = |pick: &Pick| match pick {
        Pick::Leaf(name) => (*name).to_owned(),
        Pick::Field(name, None, inside) => format!("{name} {{ {} }}", write(inside, after, count)),
        Pick::Field(name, Some(first), inside) => {
            format!("{name}(first: {first}) {{ {} }}", write(inside, after, count))
        }
        Pick::Inline(inside) => format!("... {{ {} }}", write(inside, after, count)),
        Pick::Spread(to) if after + to < count => format!("...f{}", after + to),
        Pick::Spread(_) => "title".to_owned(),
    };
    picks.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// Expands every fragment and adds up from the top, each field as often as it is in the answer.
struct Naive<'a> {
    fragments: &'a [Vec<Pick>],
    cost: u64,
    nodes: u64,
    fields: usize,
    depth: usize,
}

impl Naive<'_> {
    fn walk(&mut self, picks: &[Pick], after: usize, times: u64, page: u64, depth: usize) {
        for pick in picks {
            match pick {
                Pick::Leaf(name) => self.leaf(name, times, depth),
                Pick::Field(name, first, inside) => {
                    let times =
                        if matches!(*name, "edges" | "nodes") { times * page } else { times };
                    self.field(name, *first, inside, after, times, depth);
                }
                Pick::Inline(inside) => self.walk(inside, after, times, page, depth),
                Pick::Spread(to) if after + to < self.fragments.len() => {
                    let inside = self.fragments[after + to].clone();
                    self.walk(&inside, after + to + 1, times, page, depth);
                }
                Pick::Spread(_) => self.leaf("title", times, depth),
            }
        }
    }

    fn leaf(&mut self, name: &str, times: u64, depth: usize) {
        self.cost += if name == "totalCount" { 5 * times } else { 0 };
        self.nodes += times;
        self.fields += 1;
        self.depth = self.depth.max(depth);
    }

    fn field(
        &mut self,
        name: &str,
        first: Option<u64>,
        inside: &[Pick],
        after: usize,
        times: u64,
        depth: usize,
    ) {
        let has_elements = self.has_elements(inside, after);
        let first = first.map(|first| first.min(100));
        let (base, page, list) = match name {
            "recommend" | "similar" => (10, first.unwrap_or(5), None),
            "songs" => (2, first.unwrap_or(20), None),
            "clusters" => (50, 20, Some(20)),
            "rows" => (0, 20, Some(first.unwrap_or(250))),
            "info" | "edges" | "nodes" if first.is_some() && !has_elements => (1, 20, first),
            _ => (1, first.unwrap_or(20), None),
        };
        let elements = times * list.unwrap_or(1);
        self.cost += base * times + list.map_or(0, |list| list * times);
        self.nodes += elements;
        self.fields += 1;
        self.walk(inside, after, elements, page, depth + 1);
    }

    fn has_elements(&self, picks: &[Pick], after: usize) -> bool {
        picks.iter().any(|pick| match pick {
            Pick::Field(name, _, _) => matches!(*name, "edges" | "nodes"),
            Pick::Inline(inside) => self.has_elements(inside, after),
            Pick::Spread(to) => self
                .fragments
                .get(after + to)
                .is_some_and(|inside| self.has_elements(inside, after + to + 1)),
            Pick::Leaf(_) => false,
        })
    }
}

proptest! {
    #[test]
    fn the_guard_never_panics(query in "\\PC{0,200}", name in prop::option::of("[a-c]")) {
        let _ = check(&query, name.as_deref(), &Value::Null, &Limits::default());
    }

    #[test]
    fn the_guard_never_panics_on_almost_graphql(
        parts in prop::collection::vec("[{}()\\[\\]a-c\"\\\\.:$@!=#\n0-9 é-]{1,4}|on |fragment |query |\"\"\"|\\.\\.\\.", 0..60),
    ) {
        let _ = check(&parts.concat(), None, &Value::Null, &Limits::default());
    }

    #[test]
    fn the_scan_agrees_with_a_count_of_tokens(
        tokens in soup(),
        gaps in prop::collection::vec("[ ,\t\r\n]|#[a{\"é]{0,3}\n|\u{feff}", 200),
        limits in (1..220_usize, 1..40_usize),
    ) {
        let limits = Limits { tokens: limits.0, nesting: limits.1, ..Limits::default() };
        let query: String = tokens.iter().zip(&gaps).flat_map(|((token, _), gap)| [token.as_str(), gap]).collect();
        let comment = |gap: &String| gap.starts_with('#').then(|| (gap.clone(), 0));
        let counted: Vec<(String, i8)> =
            tokens.iter().zip(&gaps).flat_map(|(token, gap)| [Some(token.clone()), comment(gap)]).flatten().collect();
        let verdict = scan::scan(&query, &limits).err().map(|rejection| rejection.code);
        prop_assert_eq!(verdict, slow_reference(&counted, &limits), "{}", query);
    }

    #[test]
    fn the_memoised_sums_equal_those_of_a_naive_walk(
        operation in prop::collection::vec(pick(), 1..4),
        fragments in prop::collection::vec(prop::collection::vec(pick(), 1..4), 0..4),
    ) {
        let mut operation = operation;
        operation.extend((0..fragments.len()).map(Pick::Spread));
        let mut query = format!("{{ {} }}", write(&operation, 0, fragments.len()));
        for (index, picks) in fragments.iter().enumerate() {
            let _ = write!(query, " fragment f{index} on F {{ {} }}", write(picks, index + 1, fragments.len()));
        }
        let limits = Limits {
            tokens: usize::MAX, query_bytes: usize::MAX, depth: usize::MAX, fields: usize::MAX,
            root_fields: usize::MAX, cost: u64::MAX, nodes: u64::MAX, ..Limits::default()
        };
        let document = parser::parse_query(&query).unwrap();
        let selected = document::selected(&document, None).unwrap();
        let measured = document::measure(&document, selected, &Value::Null, &limits).unwrap();
        let mut naive = Naive { fragments: &fragments, cost: 0, nodes: 0, fields: 0, depth: 0 };
        naive.walk(&operation, 0, 1, 20, 1);
        prop_assert_eq!(measured.costs.cost.total(), naive.cost, "{}", query);
        prop_assert_eq!(measured.costs.nodes.total(), naive.nodes, "{}", query);
        prop_assert_eq!((measured.fields, measured.depth), (naive.fields, naive.depth), "{}", query);
        prop_assert!(check(&query, None, &Value::Null, &limits).is_ok());
    }
}
