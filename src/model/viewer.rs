//! Who asks, and which rows that lets them see.

use uuid::Uuid;

/// Who sent a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Viewer {
    Anonymous,
    User(Uuid),
    Admin(Uuid),
}

impl Viewer {
    pub fn is_admin(self) -> bool {
        matches!(self, Self::Admin(_))
    }

    /// The id of a signed-in viewer.
    pub fn id(self) -> Option<Uuid> {
        match self {
            Self::Anonymous => None,
            Self::User(id) | Self::Admin(id) => Some(id),
        }
    }

    /// The rows this viewer may see; `anonymous_reads` opens the shared catalogue to everybody.
    pub fn scope(self, anonymous_reads: AnonymousReads) -> Scope {
        match (self, anonymous_reads) {
            (Self::Anonymous, AnonymousReads::Off) => Scope(Reach::Nothing),
            (Self::Anonymous, AnonymousReads::On) => Scope(Reach::Shared),
            (Self::User(id), _) => Scope(Reach::SharedAndOwn(id)),
            (Self::Admin(_), _) => Scope(Reach::Everything),
        }
    }
}

/// Whether requests without a token may read the shared catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnonymousReads {
    On,
    Off,
}

/// The rows that a query may touch. Every store function asks for one, and there are two ways to
/// get one: from a [`Viewer`], or [`Scope::system`] for work that nobody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope(Reach);

/// What a [`Scope`] opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    Nothing,
    Shared,
    SharedAndOwn(Uuid),
    Everything,
}

impl Scope {
    /// For the worker, migrations and the command line, which act for no viewer.
    pub fn system() -> Self {
        Self(Reach::Everything)
    }

    pub fn reach(self) -> Reach {
        self.0
    }
}
