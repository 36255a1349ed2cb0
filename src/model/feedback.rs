//! What a person did with content.

/// Something a person did, which says how well content suits them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Like,
    Dislike,
    Play,
    View,
}

impl Action {
    pub const ALL: [Self; 4] = [Self::Like, Self::Dislike, Self::Play, Self::View];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Like => "like",
            Self::Dislike => "dislike",
            Self::Play => "play",
            Self::View => "view",
        }
    }

    /// How much it says about a person's taste; a dislike pulls away.
    pub fn weight(self) -> f64 {
        match self {
            Self::Like => 1.0,
            Self::Play => 0.5,
            Self::View => 0.1,
            Self::Dislike => -1.0,
        }
    }
}
