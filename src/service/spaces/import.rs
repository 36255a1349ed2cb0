//! Vectors that somebody has paid for already.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::embed;
use crate::model::ids::MalformedId;
use crate::model::space::{ImportOutcome, VectorDraft};
use crate::model::{Kind, NodeId, Scope, Space, Viewer, limits};
use crate::service::commit;
use crate::service::{Error, Result, Services};
use crate::store::Tx;
use crate::store::space_import::{self, Import};

/// Bytes of a SHA-256 hash.
const HASH_BYTES: usize = 32;

/// Vectors for rows of one kind.
#[derive(Debug, Clone)]
pub struct ImportInput {
    pub space: String,
    pub kind: Kind,
    /// Whose external ids are meant; `None` is the shared catalogue.
    pub owner: Option<Uuid>,
    pub rows: Vec<VectorDraft>,
}

/// Which row a vector belongs to.
enum RowName {
    Id(NodeId),
    ExternalId(String),
}

/// A vector that keeps to the rules.
struct Checked {
    index: usize,
    row: RowName,
    vector: Vec<f32>,
    source_hash: Vec<u8>,
}

impl Services {
    /// Takes vectors for the present texts of rows; what does not fit is reported and stops nothing.
    /// The good ones are written together.
    pub async fn import_vectors(
        &self,
        viewer: Viewer,
        input: ImportInput,
    ) -> Result<Vec<ImportOutcome>> {
        let scope = self.administering(viewer)?;
        let (count, most) = (input.rows.len(), limits::IMPORT_ROWS);
        if count == 0 || count > most {
            let problem = format!("holds {count} rows; 1 to {most} are allowed");
            return Err(Error::invalid("rows", problem));
        }
        let space = self.space_for(input.kind, Some(&input.space)).await?;
        let mut outcomes = vec![ImportOutcome { id: None, problem: None }; count];
        let mut checked = Vec::with_capacity(count);
        for (index, draft) in input.rows.into_iter().enumerate() {
            match check(index, draft, &space, input.kind) {
                Ok(row) => checked.push(row),
                Err(problem) => outcomes[index].problem = Some(problem),
            }
        }
        let mut tx = self.db.begin(scope).await?;
        let owner = input.owner;
        let imports = matching(&mut tx, scope, input.kind, owner, checked, &mut outcomes).await?;
        if !imports.is_empty() {
            let now = self.clock.now();
            space_import::write(&mut tx, scope, &space, input.kind, &imports, now).await?;
        }
        commit(tx).await?;
        Ok(outcomes)
    }
}

/// The vectors whose rows are there with the very text that they were made of.
async fn matching(
    tx: &mut Tx,
    scope: Scope,
    kind: Kind,
    owner: Option<Uuid>,
    checked: Vec<Checked>,
    outcomes: &mut [ImportOutcome],
) -> Result<Vec<Import>> {
    let names: Vec<&str> = checked
        .iter()
        .filter_map(|row| match &row.row {
            RowName::ExternalId(name) => Some(name.as_str()),
            RowName::Id(_) => None,
        })
        .collect();
    let known = match names.is_empty() {
        true => HashMap::new(),
        false => space_import::ids_by_external_id(tx, scope, kind, owner, &names).await?,
    };
    let id_of = |row: &RowName| match row {
        RowName::Id(id) => Some(id.id),
        RowName::ExternalId(name) => known.get(name).copied(),
    };
    let ids: Vec<Uuid> = checked.iter().filter_map(|row| id_of(&row.row)).collect();
    let hashes = space_import::hashes_by_id(tx, scope, kind, &ids).await?;
    let (mut imports, mut seen) = (Vec::with_capacity(checked.len()), HashSet::new());
    for Checked { index, row, vector, source_hash } in checked {
        let found = id_of(&row).and_then(|id| Some((id, hashes.get(&id)?)));
        let Some((content_id, present)) = found else {
            outcomes[index].problem = Some(format!("{} is not there", shown(&row)));
            continue;
        };
        outcomes[index].id = Some(NodeId { kind, id: content_id });
        outcomes[index].problem = if *present != source_hash {
            let (given, present) = (hex::encode(source_hash), hex::encode(present));
            Some(format!("was made of another text: its hash is {given}, the row's is {present}"))
        } else if !seen.insert(content_id) {
            Some(format!("{} has a vector earlier in this request; that one counts", shown(&row)))
        } else {
            imports.push(Import { content_id, vector, source_hash });
            None
        };
    }
    Ok(imports)
}

fn shown(row: &RowName) -> String {
    match row {
        RowName::Id(id) => format!("`{id}`"),
        RowName::ExternalId(name) => {
            let name: String = name.chars().take(limits::NAME_CHARS).collect();
            format!("`{name}`")
        }
    }
}

/// Checks what can be checked without the row.
fn check(
    index: usize,
    draft: VectorDraft,
    space: &Space,
    kind: Kind,
) -> std::result::Result<Checked, String> {
    let row = row_name(draft.id, draft.external_id, kind)?;
    let source_hash = source_hash(draft.source_hash, draft.source_text)?;
    let vector = match embed::normalized(scaled(&draft.vector), space.dimensions) {
        Ok(Some(vector)) => vector,
        Ok(None) => return Err("`vector` has no direction: its length is 0".to_owned()),
        Err(embed::Error::Dimensions { expected, actual }) => {
            return Err(format!(
                "`vector` has {actual} dimensions; those of `{}` have {expected}",
                space.name
            ));
        }
        // The only other thing that is checked.
        Err(_) => return Err("`vector` holds a number that is not finite".to_owned()),
    };
    Ok(Checked { index, row, vector, source_hash })
}

fn row_name(
    id: Option<String>,
    external_id: Option<String>,
    kind: Kind,
) -> std::result::Result<RowName, String> {
    match (id, external_id) {
        (Some(id), None) => {
            let id: NodeId = id.parse().map_err(|error: MalformedId| error.to_string())?;
            match id.kind == kind {
                true => Ok(RowName::Id(id)),
                false => Err(format!("`{id}` is no {kind}")),
            }
        }
        (None, Some(name)) if name.contains('\0') => {
            Err("`externalId` holds a NUL character".to_owned())
        }
        (None, Some(name)) => Ok(RowName::ExternalId(name)),
        (Some(_), Some(_)) | (None, None) => Err("needs either `id` or `externalId`".to_owned()),
    }
}

fn source_hash(hash: Option<String>, text: Option<String>) -> std::result::Result<Vec<u8>, String> {
    match (hash, text) {
        (None, Some(text)) => Ok(Sha256::digest(&text).to_vec()),
        (Some(hash), None) => {
            let bytes = hex::decode(&hash).ok().filter(|bytes| bytes.len() == HASH_BYTES);
            bytes.ok_or_else(|| {
                let shown: String = hash.chars().take(80).collect();
                format!(
                    "`sourceHash` must be {} hexadecimal digits, but is `{shown}`",
                    2 * HASH_BYTES
                )
            })
        }
        (Some(_), Some(_)) | (None, None) => {
            Err("needs either `sourceHash` or `sourceText`".to_owned())
        }
    }
}

/// Single precision, scaled so that the largest number is 1: no sum of squares overflows.
fn scaled(vector: &[f64]) -> Vec<f32> {
    let largest = vector.iter().fold(0.0, |largest: f64, number| largest.max(number.abs()));
    let scale = if largest > 0.0 { largest } else { 1.0 };
    #[expect(clippy::cast_possible_truncation, reason = "vectors are stored in single precision")]
    let scaled = vector.iter().map(|number| (number / scale) as f32).collect();
    scaled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_any_size_keep_their_direction() {
        for size in [1e-300, 1e-30, 1.0, 1e30, 1e300] {
            let unit = embed::normalized(scaled(&[3.0 * size, -4.0 * size]), 2).unwrap().unwrap();
            assert!((unit[0] - 0.6).abs() < 1e-6 && (unit[1] + 0.8).abs() < 1e-6, "{size}");
        }
        assert!(embed::normalized(scaled(&[0.0, 0.0]), 2).unwrap().is_none());
        assert!(embed::normalized(scaled(&[f64::INFINITY, 1.0]), 2).is_err());
    }
}
