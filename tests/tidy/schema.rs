//! `schema.graphql` is what the program serves, described and priced.

use std::collections::BTreeSet;
use std::fs;

use async_graphql::Positioned;
use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, FieldDefinition, InputValueDefinition, Type, TypeDefinition, TypeKind,
    TypeSystemDefinition,
};
use kindred::graphql::guard::{priced_fields, priced_lists};

use super::assert_tidy;
use super::source::{self, read};

const PATH: &str = "schema.graphql";
const UPDATE: &str = "UPDATE_SCHEMA=1 cargo test --test tidy schema";

fn types(sdl: &str) -> Vec<TypeDefinition> {
    let document = parse_schema(sdl).expect("the schema is well-formed");
    let definitions = document.definitions.into_iter();
    definitions
        .filter_map(|definition| match definition {
            TypeSystemDefinition::Type(definition) => Some(definition.node),
            TypeSystemDefinition::Schema(_) | TypeSystemDefinition::Directive(_) => None,
        })
        .collect()
}

fn fields(kind: &TypeKind) -> &[Positioned<FieldDefinition>] {
    match kind {
        TypeKind::Object(object) => &object.fields,
        TypeKind::Interface(interface) => &interface.fields,
        TypeKind::Scalar | TypeKind::Union(_) | TypeKind::Enum(_) | TypeKind::InputObject(_) => &[],
    }
}

/// Everything in the schema says what it is.
fn described(sdl: &str) -> Vec<String> {
    let mut silent = Vec::new();
    for definition in types(sdl) {
        let name = definition.name.node.as_str();
        let mut check = |place: String, description: Option<&Positioned<String>>| {
            if description.is_none_or(|text| text.node.trim().is_empty()) {
                silent.push(format!("{place} has no description"));
            }
        };
        check(format!("`{name}`"), definition.description.as_ref());
        for field in fields(&definition.kind) {
            let place = format!("`{name}.{}`", field.node.name);
            check(place.clone(), field.node.description.as_ref());
            for argument in &field.node.arguments {
                let InputValueDefinition { name, description, .. } = &argument.node;
                check(format!("the argument `{name}` of {place}"), description.as_ref());
            }
        }
        match &definition.kind {
            TypeKind::Enum(values) => {
                for value in &values.values {
                    let place = format!("`{name}.{}`", value.node.value);
                    check(place, value.node.description.as_ref());
                }
            }
            TypeKind::InputObject(input) => {
                for field in &input.fields {
                    let place = format!("`{name}.{}`", field.node.name);
                    check(place, field.node.description.as_ref());
                }
            }
            TypeKind::Scalar
            | TypeKind::Object(_)
            | TypeKind::Interface(_)
            | TypeKind::Union(_) => {}
        }
    }
    silent
}

/// Types, fields, arguments and values stand in the order of their names.
fn sorted(sdl: &str) -> Vec<String> {
    let types = types(sdl);
    let mut lists = vec![("the types".to_owned(), names(types.iter().map(|t| &t.name)))];
    for definition in &types {
        let name = definition.name.node.as_str();
        let members = fields(&definition.kind);
        lists
            .push((format!("the fields of `{name}`"), names(members.iter().map(|f| &f.node.name))));
        for field in members {
            let place = format!("the arguments of `{name}.{}`", field.node.name);
            lists.push((place, names(field.node.arguments.iter().map(|a| &a.node.name))));
        }
        if let TypeKind::InputObject(input) = &definition.kind {
            let place = format!("the fields of `{name}`");
            lists.push((place, names(input.fields.iter().map(|f| &f.node.name))));
        }
        if let TypeKind::Enum(values) = &definition.kind {
            let place = format!("the values of `{name}`");
            lists.push((place, names(values.values.iter().map(|v| &v.node.value))));
        }
    }
    let unsorted = lists.into_iter().filter(|(_, names)| !names.is_sorted());
    unsorted.map(|(place, names)| format!("{place} are not sorted: {}", names.join(", "))).collect()
}

fn names<'a>(names: impl Iterator<Item = &'a Positioned<async_graphql::Name>>) -> Vec<String> {
    names.map(|name| name.node.to_string()).collect()
}

/// The guard knows the price of every connection and of every list of objects.
fn priced(sdl: &str, prices: &[&str], lists: &[&str]) -> Vec<String> {
    let types = types(sdl);
    let composite: BTreeSet<&str> = types
        .iter()
        .filter(|definition| {
            matches!(
                definition.kind,
                TypeKind::Object(_) | TypeKind::Interface(_) | TypeKind::Union(_)
            )
        })
        .map(|definition| definition.name.node.as_str())
        .collect();
    let mut missing = Vec::new();
    for definition in &types {
        let owner = definition.name.node.as_str();
        for Positioned { node: field, .. } in fields(&definition.kind) {
            let (named, is_list) = unwrapped(&field.ty.node);
            let name = field.name.node.as_str();
            // Paid by the connection, once per element of the page.
            let is_element = owner.ends_with("Connection") && ["edges", "nodes"].contains(&name);
            if !composite.contains(named) || is_element {
                continue;
            }
            if is_list && !lists.contains(&name) {
                missing.push(format!("`{owner}.{name}` is a list of `{named}` without a price"));
            } else if named.ends_with("Connection") && !prices.contains(&name) {
                missing.push(format!("`{owner}.{name}` is a connection without a price"));
            }
        }
    }
    missing
}

/// The named type below lists, and whether there are any.
fn unwrapped(ty: &Type) -> (&str, bool) {
    match &ty.base {
        BaseType::Named(name) => (name.as_str(), false),
        BaseType::List(inner) => (unwrapped(inner).0, true),
    }
}

#[test]
fn schema_graphql_is_what_the_program_serves() {
    let current = kindred::graphql::sdl();
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(source::root().join(PATH), &current).unwrap();
    }
    let written = read(PATH).unwrap_or_default();
    let differing = written.lines().zip(current.lines()).position(|(old, new)| old != new);
    let line = differing.unwrap_or(written.lines().count().min(current.lines().count())) + 1;
    assert!(written == current, "{PATH} is not current from line {line} on; run `{UPDATE}`");
}

#[test]
fn schema_is_described_throughout() {
    assert_tidy(&described(&kindred::graphql::sdl()));
}

#[test]
fn schema_is_sorted() {
    assert_tidy(&sorted(&kindred::graphql::sdl()));
}

#[test]
fn schema_has_a_price_for_every_list_of_objects() {
    let (prices, lists): (Vec<_>, Vec<_>) = (priced_fields().collect(), priced_lists().collect());
    let missing = priced(&kindred::graphql::sdl(), &prices, &lists);
    assert!(
        missing.is_empty(),
        "\n{}\nadd them to PRICES in src/graphql/guard/cost.rs\n",
        missing.join("\n")
    );
}

#[test]
fn what_is_not_described_is_found() {
    let sdl = "type Query { a(b: Int): Int } enum E { F } input I { g: Int } scalar S";
    assert_eq!(described(sdl).len(), 8);
    let good = r#""q" type Query { "a" a("b" b: Int): Int } "e" enum E { "f" F } "i" input I { "g" g: Int }"#;
    assert!(described(good).is_empty());
    assert_eq!(described(r#""" scalar S"#), ["`S` has no description"]);
}

#[test]
fn what_is_not_sorted_is_found() {
    let sdl = "type B { b: Int a(d: Int c: Int): Int } type A { a: Int } enum E { Z Y } input I { b: Int a: Int }";
    assert_eq!(sorted(sdl).len(), 5);
    assert!(sorted("type A { a: Int b: Int } type B { a: Int }").is_empty());
}

#[test]
fn a_list_without_a_price_is_found() {
    let sdl = "type Query { songs: SongConnection tags: [Tag!]! names: [String!]! one: Tag } \
        type SongConnection { nodes: [Tag!]! total: Int } type Tag { a: Int }";
    assert_eq!(priced(sdl, &[], &[]).len(), 2);
    assert!(priced(sdl, &["songs", "tags"], &["tags"]).is_empty());
}
