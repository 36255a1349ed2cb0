//! Whose turn it is: lanes are served round and round, so that none waits behind another.

use crate::store::lease::Lane;

/// Remembers which lane was served last.
#[derive(Debug, Default)]
pub(super) struct Rotation {
    last: Option<Lane>,
}

impl Rotation {
    /// Lanes in the order of their turns; they come sorted.
    pub(super) fn in_turn(&self, mut lanes: Vec<Lane>) -> Vec<Lane> {
        if let Some(last) = self.last {
            let next = lanes.partition_point(|lane| *lane <= last);
            lanes.rotate_left(next);
        }
        lanes
    }

    pub(super) fn served(&mut self, lane: Lane) {
        self.last = Some(lane);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::model::Kind;
    use crate::store::lease::Origin;

    fn lane(space: u128, kind: Kind) -> Lane {
        Lane { space_id: Uuid::from_u128(space), kind, origin: Origin::Queued }
    }

    #[test]
    fn every_lane_has_its_turn_before_one_has_its_second() {
        let lanes = [lane(1, Kind::Song), lane(1, Kind::Job), lane(2, Kind::Song)];
        let mut rotation = Rotation::default();
        let turns: Vec<Lane> = (0..6)
            .map(|_| {
                let lane = rotation.in_turn(lanes.to_vec())[0];
                rotation.served(lane);
                lane
            })
            .collect();
        assert_eq!(turns[..3], lanes);
        assert_eq!(turns[3..], lanes);
    }

    #[test]
    fn a_lane_that_appears_is_next_unless_others_waited_longer() {
        let (full, fresh) = (lane(1, Kind::Song), lane(2, Kind::Song));
        let mut rotation = Rotation::default();
        rotation.served(full);
        assert_eq!(rotation.in_turn(vec![full]), [full]);
        assert_eq!(rotation.in_turn(vec![full, fresh]), [fresh, full]);
        rotation.served(fresh);
        assert_eq!(rotation.in_turn(vec![full, fresh]), [full, fresh]);
    }
}
