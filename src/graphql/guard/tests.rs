//! What the guard lets through and what it refuses.

use std::fmt::Write;
use std::thread;

use serde_json::{Value, json};

use super::*;

fn run(query: &str) -> Result<Accepted, Rejection> {
    check(query, None, &Value::Null, &Limits::default())
}

fn cost(query: &str) -> u64 {
    run(query).unwrap().cost
}

fn refusal(query: &str) -> (Code, String) {
    let rejection = run(query).unwrap_err();
    (rejection.code, rejection.message)
}

fn bomb(levels: usize) -> String {
    let mut query = "{ ...f0 } ".to_owned();
    for level in 0..levels {
        let next = level + 1;
        let _ = write!(query, "fragment f{level} on Query {{ ...f{next} ...f{next} }} ");
    }
    query + &format!("fragment f{levels} on Query {{ __typename }}")
}

#[test]
fn ordinary_pages_pass() {
    let scalars = "id title band genre year mood tempo key url kind";
    assert_eq!(cost(&format!("{{ recommend(first: 100) {{ nodes {{ {scalars} }} }} }}")), 110);
    assert_eq!(
        cost(
            "{ recommend(first: 10) { edges { score node { title similar(first: 5) { nodes { title } } } } } }"
        ),
        10 + 10 * (1 + 1 + 10 + 5)
    );
    assert_eq!(cost("{ recommend { nodes { similar { nodes { id } } } } }"), 10 + 5 * (1 + 10 + 5));
    assert_eq!(cost("{ similar(id: \"song:1\") { nodes { id } } }"), 10 + 10);
    assert_eq!(cost("{ clusters(kind: SONG) { size } }"), 50 + 20);
    assert_eq!(cost("{ nodes(ids: [\"a\", \"b\"]) { id } }"), 2 + 2);
    assert_eq!(cost("{ stats { songs documents } }"), 5);
    assert_eq!(
        cost("{ songs(first: 10) { totalCount pageInfo { hasNextPage } nodes { id } } }"),
        2 + 5 + 1 + 10
    );
    assert_eq!(cost("{ __typename }"), 0);
    assert_eq!(
        run("{ songs(first: 3) { totalCount nodes { id title } } }").unwrap().nodes,
        1 + 1 + 3 * 3
    );
}

#[test]
fn the_full_introspection_query_passes() {
    let query = include_str!("introspection.graphql");
    let accepted =
        check(query, Some("IntrospectionQuery"), &Value::Null, &Limits::default()).unwrap();
    assert!(accepted.is_introspection_only && accepted.has_introspection);
    assert!(!run("{ a: __typename songs { totalCount } }").unwrap().is_introspection_only);
    assert!(!run("{ __typename }").unwrap().has_introspection);
}

#[test]
fn introspection_in_circles_is_refused() {
    let circle =
        "{ __schema { types { fields { type { interfaces { possibleTypes { name } } } } } } }";
    let message = "the query has 3 introspection lists in one another; at most 2 are allowed";
    assert_eq!(refusal(circle), (Code::QueryTooComplex, message.to_owned()));
    let hidden = "{ __type(name: \"A\") { ...a } } fragment a on __Type { fields { type { ...b } } } \
                  fragment b on __Type { fields { type { ...c } } } fragment c on __Type { inputFields { name } }";
    assert_eq!(refusal(hidden), (Code::QueryTooComplex, message.to_owned()));
}

#[test]
fn a_page_size_may_be_a_variable_a_default_or_nonsense() {
    let query = "query q($first: Int = 7) { songs(first: $first) { nodes { id } } }";
    let cost = |variables: Value| check(query, None, &variables, &Limits::default()).unwrap().cost;
    assert_eq!(cost(Value::Null), 2 + 7);
    assert_eq!(cost(json!({ "first": 3 })), 2 + 3);
    assert_eq!(cost(json!({ "first": null })), 2 + 20);
    for nonsense in [json!(-1), json!(i32::MAX), json!("3"), json!(2.5), json!({}), json!(true)] {
        assert_eq!(cost(json!({ "first": nonsense })), 2 + 100);
    }
    let query = "query q($ids: [ID!]! = [1, 2, 3]) { nodes(ids: $ids) { id } }";
    let cost = |variables: Value| check(query, None, &variables, &Limits::default()).unwrap().cost;
    assert_eq!(cost(Value::Null), 2 + 3);
    assert_eq!(cost(json!({ "ids": vec!["a"; 500] })), 2 + 100);
}

#[test]
fn an_unknown_field_is_priced_by_what_it_selects() {
    assert_eq!(cost("{ fresh { nodes { id } } }"), 1 + 20);
    assert_eq!(cost("{ fresh(first: 30) { edges { node { id } } } }"), 1 + 30 * 2);
    assert_eq!(cost("{ fresh(first: 30) { id } }"), 1 + 30);
    assert_eq!(cost("{ fresh { id } }"), 1);
}

#[test]
fn too_much_work_is_refused_with_its_cost() {
    assert_eq!(
        refusal("{ recommend(first: 100) { nodes { similar(first: 100) { nodes { id } } } } }"),
        (
            Code::QueryTooComplex,
            "the query costs 11110; at most 1000 is allowed; ask for fewer results with `first` or for fewer fields"
                .to_owned()
        )
    );
    let scalars: String = (0..101).fold(String::new(), |list, index| list + &format!(" s{index}"));
    assert_eq!(
        refusal(&format!("{{ songs(first: 100) {{ nodes {{ {scalars} }} }} }}")),
        (
            Code::QueryTooComplex,
            "the query asks for up to 10201 values; at most 10000 are allowed; ask for fewer results with `first` or for fewer fields"
                .to_owned()
        )
    );
}

#[test]
fn skipping_a_field_does_not_make_it_cheaper() {
    assert_eq!(cost("{ recommend @skip(if: true) { nodes @include(if: false) { id } } }"), 10 + 5);
}

#[test]
fn shape_limits_pass_exactly_and_refuse_one_more() {
    let nested =
        |depth: usize| format!("{{ {} a {} }}", "a {".repeat(depth - 1), "}".repeat(depth - 1));
    let aliases =
        |count: usize| (0..count).fold("{ o {".to_owned(), |q, i| q + &format!(" x{i}: a")) + "} }";
    let directives = |count: usize| format!("{{ a {} }}", "@skip(if: true) ".repeat(count));
    let roots = |count: usize| format!("{{ {} }}", "a ".repeat(count));
    let fields = |count: usize| {
        format!("{{ o {{ {} }} }}", "...f ".repeat((count - 1) / 9))
            + "fragment f on O { a b c d e f g h i }"
    };
    let ok = [nested(12), aliases(30), directives(50), roots(20), fields(1_000)];
    for query in ok {
        assert!(run(&query).is_ok(), "{query}: {:?}", run(&query));
    }
    let refused = [nested(13), aliases(31), directives(51), roots(21), fields(1_009)]
        .map(|query| refusal(&query));
    let complex = |message: &str| (Code::QueryTooComplex, message.to_owned());
    assert_eq!(
        refused,
        [
            (Code::QueryTooDeep, "the query is 13 fields deep; at most 12 are allowed".to_owned()),
            complex("the query has 31 aliases; at most 30 are allowed"),
            complex("the query has 51 directives; at most 50 are allowed"),
            complex("the query has 21 root fields; at most 20 are allowed"),
            complex("the query has 1009 fields with its fragments; at most 1000 are allowed"),
        ]
    );
}

#[test]
fn a_fragment_bomb_is_refused_wherever_it_is() {
    for levels in 10..=30 {
        assert_eq!(run(&bomb(levels)).unwrap_err().code, Code::QueryTooComplex, "{levels}");
        let aside = bomb(levels).replacen('{', "query small { __typename } query big {", 1);
        let rejection = check(&aside, Some("small"), &Value::Null, &Limits::default()).unwrap_err();
        assert_eq!(rejection.code, Code::QueryTooComplex, "{levels}");
    }
    assert_eq!(run(&bomb(40)).unwrap_err().code, Code::QueryTooDeep);
}

#[test]
fn many_operations_share_one_budget_of_fields() {
    let query = (0..20)
        .fold(String::new(), |query, index| query + &format!("query q{index} {{ ...f }} "))
        + &format!("fragment f on Query {{ o {{ {} }} }}", "a ".repeat(60));
    let rejection = check(&query, Some("q0"), &Value::Null, &Limits::default()).unwrap_err();
    assert_eq!(
        rejection.message,
        "the query has 1220 fields in all its operations; at most 1000 are allowed"
    );
}

#[test]
fn fragments_must_be_known_used_and_free_of_circles() {
    let invalid = |message: &str| (Code::ValidationFailed, message.to_owned());
    assert_eq!(refusal("{ ...a }"), invalid("fragment `a` is not defined"));
    assert_eq!(refusal("{ b } fragment a on Query { b }"), invalid("fragment `a` is never used"));
    assert_eq!(
        refusal("{ ...a } fragment a on Query { ...a }"),
        invalid("fragment `a` spreads itself")
    );
    let circle =
        "{ ...a } fragment a on Query { b { ...c } } fragment c on B { ... on B { ...a } }";
    assert_eq!(refusal(circle), invalid("fragment `a` spreads itself"));
}

#[test]
fn the_operation_is_chosen_by_name() {
    let two = "query b { x } mutation a { y }";
    let choose = |query: &str, name| check(query, name, &Value::Null, &Limits::default());
    assert_eq!(choose(two, Some("a")).unwrap().operation, OperationType::Mutation);
    assert_eq!(choose("query b { x }", None).unwrap().operation, OperationType::Query);
    for (query, name, message) in [
        (two, None, "`operationName` must choose one of the operations `b`, `a`"),
        (two, Some("c"), "unknown operation `c`; the query has `b`, `a`"),
        ("{ x }", Some("c"), "unknown operation `c`; the only operation has no name"),
    ] {
        assert_eq!(choose(query, name).unwrap_err().message, message);
    }
}

/// Documents at exactly the nesting limit, in every form that the parser recurses into.
fn deepest_documents() -> Vec<String> {
    let wrap = |open: &str, middle: &str, close: &str, times: usize| {
        open.repeat(times) + middle + &close.repeat(times)
    };
    let inside = |value: String| format!("{{ a(b: {value}) }}");
    let variable = |of: String| format!("query({of}) {{ a }}");
    let chain = (0..31).fold(String::new(), |query, index| {
        query + &format!("fragment f{index} on Q {{ ...f{} }} ", index + 1)
    });
    vec![
        inside(wrap("[", "1", "]", 30)),
        inside(wrap("{a:", "1", "}", 30)),
        inside(wrap("[{a:", "$v", "}]", 15)),
        format!("{{ a @skip(if: {}) }}", wrap("[", "1", "]", 30)),
        variable(format!("$v: {}", wrap("[", "Int", "]", 31))),
        variable(format!("$v: Int = {}", wrap("[", "1", "]", 31))),
        variable(format!("$v: Int = {}", wrap("{a:", "1", "}", 31))),
        variable(format!("$v: Int @a(b: {})", wrap("[", "1", "]", 30))),
        wrap("{a", "{a}", "}", 31),
        wrap("{...", "{a}", "}", 31),
        wrap("{... on Q", "{a}", "}", 31),
        wrap("{...@a", "{a}", "}", 31),
        wrap("{a @b(c: [1])", "{a(b: {c: 1})}", "}", 29),
        chain + "fragment f31 on Q { a } { ...f0 }",
    ]
}

#[test]
fn the_deepest_documents_fit_a_small_stack() {
    for kilobytes in [2_048, 512] {
        let checks = thread::Builder::new().stack_size(kilobytes * 1_024).spawn(|| {
            let limits = Limits { depth: 100, ..Limits::default() };
            for query in deepest_documents() {
                let accepted = check(&query, None, &Value::Null, &limits);
                assert!(accepted.is_ok(), "{query}: {accepted:?}");
                let cut = query.trim_end_matches(['}', ']', ')', ' ']);
                let refused = check(cut, None, &Value::Null, &limits).unwrap_err();
                assert_eq!(refused.code, Code::ParseFailed, "{cut}");
            }
        });
        checks.unwrap().join().unwrap();
    }
}

#[test]
fn one_more_level_is_refused_in_every_form() {
    for (open, close) in [("[", "]"), ("{a:", "}")] {
        for levels in [31, 1_000, 2_500] {
            let value = open.repeat(levels) + "1" + &close.repeat(levels);
            let rejection = run(&format!("{{ a(b: {value}) }}")).unwrap_err();
            assert_eq!(rejection.code, Code::QueryTooDeep, "{open} {levels}");
        }
    }
    for open in ["{a", "{...", "query($v: [[", "((((("] {
        let refused = run(&open.repeat(200)).unwrap_err();
        assert_eq!(refused.code, Code::QueryTooDeep, "{open}");
    }
    assert_eq!(run(&"[".repeat(100_000)).unwrap_err().code, Code::QueryTooLarge);
}
