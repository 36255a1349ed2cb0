//! The operations and fragments of a query, each measured once and held against the limits.

use std::collections::HashMap;

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, FragmentDefinition, FragmentSpread,
    OperationDefinition, Selection, SelectionSet,
};
use async_graphql::{Pos, Positioned};

use super::cost::Arguments;
use super::measure::{Measure, Ruler};
use super::rejection::{Code, Rejection};
use super::{Limits, shown};

/// The operation that a request runs.
///
/// Without a name there must be only one operation.
pub(super) fn selected<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a Positioned<OperationDefinition>, Rejection> {
    let invalid = |message| Err(Rejection::new(Code::ValidationFailed, message));
    match (&document.operations, name) {
        (DocumentOperations::Single(operation), None) => Ok(operation),
        (DocumentOperations::Single(_), Some(name)) => {
            invalid(format!("unknown operation `{}`; the only operation has no name", shown(name)))
        }
        (DocumentOperations::Multiple(operations), Some(name)) => match operations.get(name) {
            Some(operation) => Ok(operation),
            None => invalid(format!(
                "unknown operation `{}`; the query has {}",
                shown(name),
                operation_names(document)
            )),
        },
        (DocumentOperations::Multiple(operations), None) => {
            let mut all = operations.values();
            match (all.next(), all.next()) {
                (Some(only), None) => Ok(only),
                _ => invalid(format!(
                    "`operationName` must choose one of the operations {}",
                    operation_names(document)
                )),
            }
        }
    }
}

/// The first names in the order of the query.
fn operation_names(document: &ExecutableDocument) -> String {
    let mut names: Vec<(Pos, &str)> = document
        .operations
        .iter()
        .filter_map(|(name, operation)| Some((operation.pos, name?.as_str())))
        .collect();
    names.sort_unstable();
    let more = if names.len() > 5 { " and more" } else { "" };
    let names: Vec<String> =
        names.iter().take(5).map(|(_, name)| format!("`{}`", shown(name))).collect();
    names.join(", ") + more
}

/// Measures every operation, because the schema walks them all, and returns the one to run.
///
/// Only that one is priced: its variables are known and it alone is run.
pub(super) fn measure(
    document: &ExecutableDocument,
    run: &Positioned<OperationDefinition>,
    variables: &serde_json::Value,
    limits: &Limits,
) -> Result<Measure, Rejection> {
    let arguments = Arguments { variables, operation: &run.node };
    let mut ruler =
        Ruler { arguments, fragments: HashMap::with_capacity(document.fragments.len()) };
    for (name, fragment) in in_order(document)? {
        let mut measure = ruler.selection_set(&fragment.node.selection_set.node);
        measure.directives = measure.directives.saturating_add(fragment.node.directives.len());
        ruler.fragments.insert(name, measure);
    }
    let mut all_fields = 0_usize;
    let mut measured = Measure::default();
    for (_, operation) in document.operations.iter() {
        let measure = measure_operation(&ruler, &operation.node);
        check_shape(&measure, limits).map_err(|rejection| rejection.at(operation.pos))?;
        all_fields = all_fields.saturating_add(measure.fields);
        if std::ptr::eq(operation, run) {
            measured = measure;
        }
    }
    within(all_fields, limits.fields, "fields in all its operations")?;
    check_costs(&measured, limits).map_err(|rejection| rejection.at(run.pos))?;
    Ok(measured)
}

fn measure_operation(ruler: &Ruler<'_>, operation: &OperationDefinition) -> Measure {
    let mut measure = ruler.selection_set(&operation.selection_set.node);
    let of_variables =
        operation.variable_definitions.iter().map(|variable| variable.node.directives.len());
    let directives = of_variables.sum::<usize>() + operation.directives.len();
    measure.directives = measure.directives.saturating_add(directives);
    measure
}

fn check_shape(measure: &Measure, limits: &Limits) -> Result<(), Rejection> {
    if measure.depth > limits.depth {
        let message = format!(
            "the query is {} fields deep; at most {} are allowed",
            measure.depth, limits.depth
        );
        return Err(Rejection::new(Code::QueryTooDeep, message));
    }
    if measure.nesting > limits.nesting {
        let message = format!(
            "the query nests {} selections with its fragments; at most {} are allowed",
            measure.nesting, limits.nesting
        );
        return Err(Rejection::new(Code::QueryTooDeep, message));
    }
    within(measure.fields, limits.fields, "fields with its fragments")?;
    within(measure.root_fields, limits.root_fields, "root fields")?;
    within(measure.aliases, limits.aliases, "aliases")?;
    within(measure.directives, limits.directives, "directives")?;
    within(measure.introspection, limits.introspection_lists, "introspection lists in one another")
}

fn check_costs(measure: &Measure, limits: &Limits) -> Result<(), Rejection> {
    let advice = "ask for fewer results with `first` or for fewer fields";
    let cost = measure.costs.cost.total();
    if cost > limits.cost {
        let message =
            format!("the query costs {cost}; at most {} is allowed; {advice}", limits.cost);
        return Err(Rejection::new(Code::QueryTooComplex, message));
    }
    let nodes = measure.costs.nodes.total();
    if nodes > limits.nodes {
        let message = format!(
            "the query asks for up to {nodes} values; at most {} are allowed; {advice}",
            limits.nodes
        );
        return Err(Rejection::new(Code::QueryTooComplex, message));
    }
    Ok(())
}

fn within(count: usize, most: usize, what: &str) -> Result<(), Rejection> {
    if count <= most {
        return Ok(());
    }
    let message = format!("the query has {count} {what}; at most {most} are allowed");
    Err(Rejection::new(Code::QueryTooComplex, message))
}

type Fragment<'a> = (&'a str, &'a Positioned<FragmentDefinition>);

/// How far the walk over fragments has come with one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Visit {
    Open,
    Done,
}

/// All fragments, each after those it spreads; refuses unknown, circular and unused ones.
fn in_order(document: &ExecutableDocument) -> Result<Vec<Fragment<'_>>, Rejection> {
    let mut visits = HashMap::with_capacity(document.fragments.len());
    let mut order = Vec::with_capacity(document.fragments.len());
    for (_, operation) in document.operations.iter() {
        let mut spreads = Vec::new();
        collect_spreads(&operation.node.selection_set.node, &mut spreads);
        for spread in spreads {
            visit(document, spread, &mut visits, &mut order)?;
        }
    }
    match document.fragments.iter().find(|(name, _)| !visits.contains_key(name.as_str())) {
        Some((name, fragment)) => Err(invalid("is never used", name, fragment.pos)),
        None => Ok(order),
    }
}

/// Depth-first with its own stack: a chain of fragments can be as long as the query.
fn visit<'a>(
    document: &'a ExecutableDocument,
    first: &'a Positioned<FragmentSpread>,
    visits: &mut HashMap<&'a str, Visit>,
    order: &mut Vec<Fragment<'a>>,
) -> Result<(), Rejection> {
    let mut open: Vec<(Option<Fragment<'a>>, Vec<&'a Positioned<FragmentSpread>>)> =
        vec![(None, vec![first])];
    while let Some((fragment, spreads)) = open.last_mut() {
        let Some(spread) = spreads.pop() else {
            if let Some(done) = *fragment {
                visits.insert(done.0, Visit::Done);
                order.push(done);
            }
            open.pop();
            continue;
        };
        let name = spread.node.fragment_name.node.as_str();
        match visits.get(name) {
            Some(Visit::Done) => {}
            Some(Visit::Open) => return Err(invalid("spreads itself", name, spread.pos)),
            None => {
                let Some(fragment) = document.fragments.get(name) else {
                    return Err(invalid("is not defined", name, spread.pos));
                };
                visits.insert(name, Visit::Open);
                let mut spreads = Vec::new();
                collect_spreads(&fragment.node.selection_set.node, &mut spreads);
                open.push((Some((name, fragment)), spreads));
            }
        }
    }
    Ok(())
}

fn collect_spreads<'a>(set: &'a SelectionSet, spreads: &mut Vec<&'a Positioned<FragmentSpread>>) {
    for selection in &set.items {
        match &selection.node {
            Selection::Field(field) => collect_spreads(&field.node.selection_set.node, spreads),
            Selection::FragmentSpread(spread) => spreads.push(spread),
            Selection::InlineFragment(fragment) => {
                collect_spreads(&fragment.node.selection_set.node, spreads);
            }
        }
    }
}

fn invalid(problem: &str, name: &str, pos: Pos) -> Rejection {
    Rejection::new(Code::ValidationFailed, format!("fragment `{}` {problem}", shown(name))).at(pos)
}
