//! Puts the fields of an answer into the order of the query, as the specification asks for
//! ("Serialized Map Ordering"); async-graphql 7.2 writes them in the order in which they finish.

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, Selection, SelectionSet,
};
use async_graphql::{Name, Value};

/// The selections below each key of an object, in the order of the query.
type Fields<'a> = IndexMap<&'a Name, Vec<&'a SelectionSet>>;

/// The data of an answer in the order of the operation that was run.
pub fn as_asked(data: Value, document: &ExecutableDocument, operation: Option<&str>) -> Value {
    let selected = match &document.operations {
        DocumentOperations::Single(operation) => Some(operation),
        DocumentOperations::Multiple(operations) => match operation {
            Some(name) => operations.get(name),
            None => operations.values().next(),
        },
    };
    match selected {
        Some(operation) => ordered(data, &[&operation.node.selection_set.node], document),
        None => data,
    }
}

fn ordered(value: Value, sets: &[&SelectionSet], document: &ExecutableDocument) -> Value {
    match value {
        Value::List(items) => {
            Value::List(items.into_iter().map(|item| ordered(item, sets, document)).collect())
        }
        Value::Object(mut rest) => {
            let mut fields = Fields::new();
            for set in sets {
                collect(set, document, &mut fields);
            }
            let mut object = IndexMap::with_capacity(rest.len());
            for (key, sets) in fields {
                if let Some(value) = rest.swap_remove(key) {
                    object.insert(key.clone(), ordered(value, &sets, document));
                }
            }
            object.extend(rest);
            Value::Object(object)
        }
        Value::Null
        | Value::Number(_)
        | Value::String(_)
        | Value::Boolean(_)
        | Value::Binary(_)
        | Value::Enum(_) => value,
    }
}

/// Collects the keys of a selection; the guard has bounded how deep it nests.
fn collect<'a>(set: &'a SelectionSet, document: &'a ExecutableDocument, fields: &mut Fields<'a>) {
    for selection in &set.items {
        match &selection.node {
            Selection::Field(field) => {
                let below = fields.entry(&field.node.response_key().node).or_default();
                below.push(&field.node.selection_set.node);
            }
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                    collect(&fragment.node.selection_set.node, document, fields);
                }
            }
            Selection::InlineFragment(fragment) => {
                collect(&fragment.node.selection_set.node, document, fields);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::Value;
    use async_graphql::parser::parse_query;
    use serde_json::json;

    fn in_order(query: &str, data: serde_json::Value) -> String {
        let data = Value::from_json(data).unwrap();
        super::as_asked(data, &parse_query(query).unwrap(), None).to_string()
    }

    #[test]
    fn keys_follow_the_query_through_lists_aliases_and_fragments() {
        let query = "{ z: a { ...two one } list { c b } } fragment two on T { two one }";
        let data = json!({
            "list": [{ "b": 1, "c": 2 }, null],
            "z": { "one": 1, "two": 2 },
        });
        assert_eq!(in_order(query, data), "{z: {two: 2, one: 1}, list: [{c: 2, b: 1}, null]}");
    }

    #[test]
    fn selections_of_the_same_key_are_merged() {
        let query = "{ a { y } a { x } }";
        assert_eq!(in_order(query, json!({ "a": { "x": 1, "y": 2 } })), "{a: {y: 2, x: 1}}");
    }
}
