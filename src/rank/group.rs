//! Many rows of one document to one result.

use std::collections::HashMap;

use uuid::Uuid;

use crate::model::hit::Hit;

/// Keeps the best row of each group and says how many rows it stands for. Hits are best first, before
/// and after.
pub fn best_of_each(hits: Vec<Hit>, group: impl Fn(&Hit) -> Uuid) -> Vec<Hit> {
    let mut places: HashMap<Uuid, usize> = HashMap::new();
    let mut best: Vec<Hit> = Vec::new();
    for hit in hits {
        let place = *places.entry(group(&hit)).or_insert(best.len());
        match best.get_mut(place) {
            Some(first) => first.group_size = first.group_size.map(|size| size + 1),
            None => best.push(Hit { group_size: Some(1), ..hit }),
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Kind, NodeId};

    #[test]
    fn the_best_of_each_group_stands_for_it() {
        let hit = |id: u128, score| Hit {
            score,
            ..crate::rank::unscored(NodeId { kind: Kind::Chunk, id: Uuid::from_u128(id) })
        };
        let hits = vec![hit(10, 0.9), hit(20, 0.8), hit(11, 0.7), hit(30, 0.6), hit(12, 0.5)];
        let grouped = best_of_each(hits, |hit| Uuid::from_u128(hit.id.id.as_u128() / 10));
        let seen: Vec<_> =
            grouped.iter().map(|hit| (hit.id.id.as_u128(), hit.group_size)).collect();
        assert_eq!(seen, [(10, Some(3)), (20, Some(1)), (30, Some(1))]);
    }
}
