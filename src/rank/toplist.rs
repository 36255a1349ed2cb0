//! How alike two lists of best results are.
//!
//! The overlap is the share of the longer list that both have. The correlation is Kendall's tau for
//! lists that do not hold the same items, with the neutral penalty of one half: Fagin, Kumar and
//! Sivakumar, "Comparing top k lists", SIAM Journal on Discrete Mathematics 17 (2003). Of every two
//! items of the union, lists disagree by 1 if they order them differently, where an item that a list
//! lacks comes after all it has, and by one half if one list says nothing of their order. With the
//! sum `K` over all `P` pairs, the correlation is `1 - 2 K / P`.

use uuid::Uuid;

/// The share of the longer list that both have, from 0 to 1; 1 for two empty lists.
pub fn overlap(a: &[Uuid], b: &[Uuid]) -> f64 {
    let longer = a.len().max(b.len());
    if longer == 0 {
        return 1.0;
    }
    let common = a.iter().filter(|id| b.contains(id)).count();
    as_f64(common) / as_f64(longer)
}

/// Kendall's tau over the union: 1 for the same list, -1 for the reverse one, about -0.5 for lists
/// without a common item; `None` for two empty lists.
pub fn correlation(a: &[Uuid], b: &[Uuid]) -> Option<f64> {
    let extra = b.iter().filter(|id| !a.contains(id));
    let union: Vec<(Option<usize>, Option<usize>)> =
        a.iter().chain(extra).map(|id| (place(a, *id), place(b, *id))).collect();
    match union.len() {
        0 => return None,
        // One item has no order.
        1 => return Some(if a.len() == b.len() { 1.0 } else { 0.0 }),
        _ => {}
    }
    let (mut penalty, mut pairs) = (0.0, 0_usize);
    for (index, first) in union.iter().enumerate() {
        for second in &union[index + 1..] {
            pairs += 1;
            penalty += disagreement(order(first.0, second.0), order(first.1, second.1));
        }
    }
    Some(1.0 - 2.0 * penalty / as_f64(pairs))
}

/// What two lists say of two items: which comes first, or nothing.
fn disagreement(a: Option<bool>, b: Option<bool>) -> f64 {
    match (a, b) {
        (Some(a), Some(b)) if a == b => 0.0,
        (Some(_), Some(_)) => 1.0,
        (None, _) | (_, None) => 0.5,
    }
}

/// Whether the first item stands before the second; unknown where the list has neither.
fn order(first: Option<usize>, second: Option<usize>) -> Option<bool> {
    match (first, second) {
        (Some(first), Some(second)) => Some(first < second),
        (Some(_), None) => Some(true),
        (None, Some(_)) => Some(false),
        (None, None) => None,
    }
}

fn place(list: &[Uuid], id: Uuid) -> Option<usize> {
    list.iter().position(|other| *other == id)
}

#[expect(clippy::cast_precision_loss, reason = "lists have at most some hundred items")]
fn as_f64(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(ids: &[u128]) -> Vec<Uuid> {
        ids.iter().map(|id| Uuid::from_u128(*id)).collect()
    }

    fn tau(a: &[u128], b: &[u128]) -> f64 {
        let (a, b) = (list(a), list(b));
        let tau = correlation(&a, &b).unwrap();
        let mirrored = correlation(&b, &a).unwrap();
        assert!((tau - mirrored).abs() < 1e-12, "{tau} {mirrored}");
        tau
    }

    #[test]
    fn overlap_is_the_share_of_the_longer_list() {
        assert!((overlap(&list(&[1, 2, 3, 4]), &list(&[4, 9, 1])) - 0.5).abs() < 1e-12);
        assert!((overlap(&[], &[]) - 1.0).abs() < 1e-12);
        assert!(overlap(&list(&[1]), &[]).abs() < 1e-12);
    }

    #[test]
    fn correlation_is_kendalls_tau_where_lists_hold_the_same() {
        assert!((tau(&[1, 2, 3], &[1, 2, 3]) - 1.0).abs() < 1e-12);
        assert!((tau(&[1, 2, 3], &[3, 2, 1]) + 1.0).abs() < 1e-12);
        // One of three pairs is swapped.
        assert!((tau(&[1, 2, 3], &[2, 1, 3]) - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn correlation_counts_items_that_one_list_lacks() {
        // Pairs: 12 agree, 13 agree, 14 agree, 23 (3 lacks in b) agree, 24 agree, 34 disagree.
        assert!((tau(&[1, 2, 3], &[1, 2, 4]) - (1.0 - 2.0 / 6.0)).abs() < 1e-12);
        // Nothing in common: k² pairs disagree, the others are half known.
        assert!((tau(&[1, 2], &[3, 4]) - (1.0 - 2.0 * 5.0 / 6.0)).abs() < 1e-12);
        assert_eq!(correlation(&[], &[]), None);
    }
}
