//! Vectors that were made elsewhere, as clients send them.

use async_graphql::{ID, InputObject};

use crate::model::space::VectorDraft;

/// A vector for a row. Give `id` or `externalId`, and `sourceHash` or `sourceText`.
#[derive(InputObject)]
pub(in crate::graphql) struct VectorInput {
    /// Id of the row.
    id: Option<ID>,
    /// Your own id of the row.
    external_id: Option<String>,
    /// The vector, of any length above 0; as many numbers as the space has dimensions.
    vector: Vec<f64>,
    /// SHA-256 of the text that the vector was made of, in hexadecimal.
    source_hash: Option<String>,
    /// The text that the vector was made of: the `body` of the row as it is now.
    source_text: Option<String>,
}

impl From<VectorInput> for VectorDraft {
    fn from(input: VectorInput) -> Self {
        Self {
            id: input.id.map(|id| id.to_string()),
            external_id: input.external_id,
            vector: input.vector,
            source_hash: input.source_hash,
            source_text: input.source_text,
        }
    }
}
