//! Kindred's tables as SeaORM models, one file per table. Only `store` of the main crate uses them.

pub mod active_space;
pub mod chunk;
pub mod chunk_embedding;
pub mod content;
pub mod document;
pub mod document_embedding;
pub mod embedding_space;
pub mod embedding_task;
pub mod entry;
pub mod entry_embedding;
pub mod feedback;
pub mod job;
pub mod job_embedding;
pub mod sample;
pub mod sample_embedding;
pub mod song;
pub mod song_embedding;
pub mod space_kind;
pub mod usage;
pub mod user;
