//! Wishes that rows with some property stand higher.

use super::filter::{NumberField, TimeField};

/// One wish. Weights are from -1 to 1 and say how much of the best score it adds at most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Boost {
    /// The newer the better: a row that is `half_life_days` old gets half of the boost.
    Recency { field: TimeField, half_life_days: f64, weight: f64 },
    /// The more the better, from the lowest to the highest number of the rows that are ranked.
    Number { field: NumberField, scale: BoostScale, weight: f64 },
}

impl Boost {
    pub fn weight(self) -> f64 {
        match self {
            Self::Recency { weight, .. } | Self::Number { weight, .. } => weight,
        }
    }

    pub fn field(self) -> BoostField {
        match self {
            Self::Recency { field, .. } => BoostField::Time(field),
            Self::Number { field, .. } => BoostField::Number(field),
        }
    }
}

/// What a boost looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BoostField {
    Time(TimeField),
    Number(NumberField),
}

/// How a number becomes a boost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoostScale {
    Linear,
    /// By the logarithm of the number plus one, for counts; numbers below 0 are 0.
    Log,
}
