//! Plain types that every layer may use. No I/O, no framework.

pub mod boost;
mod causes;
pub mod clock;
pub mod content;
pub mod cursor;
pub mod document;
pub mod facet;
pub mod feedback;
pub mod field;
pub mod filter;
pub mod hit;
pub mod ids;
pub mod judgment;
pub mod kind;
pub mod language;
pub mod limits;
pub mod music;
pub mod song;
pub mod space;
pub mod stats;
pub mod stop_words;
pub mod text_query;
pub mod viewer;

pub use causes::with_causes;
pub use clock::Clock;
pub use content::{Content, Detail};
pub use cursor::Cursor;
pub use filter::Filter;
pub use hit::Hit;
pub use ids::NodeId;
pub use kind::Kind;
pub use space::Space;
pub use viewer::{Scope, Viewer};
