//! Takes the provider's answer apart. What is not as it should be is an error, never made up.

use async_openai::types::embeddings;

use crate::embed::{Error, normalized};

/// One vector per text in the order of the texts; `None` for one without a direction.
pub(super) fn vectors(
    data: Vec<embeddings::Embedding>,
    expected: usize,
    dimensions: usize,
) -> Result<Vec<Option<Vec<f32>>>, Error> {
    if data.len() != expected {
        return Err(Error::Count { expected, actual: data.len() });
    }
    let mut places: Vec<Option<Vec<f32>>> = vec![None; expected];
    for found in data {
        let index = usize::try_from(found.index).unwrap_or(usize::MAX);
        if let Some(place @ None) = places.get_mut(index) {
            *place = Some(found.embedding);
        }
    }
    // An index that is there twice, or is none of a text, leaves a place empty.
    let actual = places.iter().flatten().count();
    let full = places.into_iter().collect::<Option<Vec<_>>>();
    let full = full.ok_or(Error::Count { expected, actual })?;
    full.into_iter().map(|vector| normalized(vector, dimensions)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(index: u32, vector: &[f32]) -> embeddings::Embedding {
        let object = "embedding".to_owned();
        embeddings::Embedding { index, object, embedding: vector.to_vec() }
    }

    #[test]
    fn vectors_come_in_the_order_of_the_texts_at_length_one() {
        let rows = vec![row(1, &[0.0, 3.0]), row(0, &[2.0, 0.0]), row(2, &[0.0, 0.0])];
        let found = vectors(rows, 3, 2).unwrap();
        assert_eq!(found, [Some(vec![1.0, 0.0]), Some(vec![0.0, 1.0]), None]);
    }

    #[test]
    fn what_is_missing_twice_or_out_of_place_is_an_error() {
        for indexes in [&[0][..], &[0, 0], &[0, 2], &[0, 1, 1], &[0, u32::MAX]] {
            let rows = indexes.iter().map(|index| row(*index, &[1.0])).collect();
            let error = vectors(rows, 2, 1).unwrap_err();
            assert!(matches!(error, Error::Count { expected: 2, .. }), "{indexes:?}: {error}");
        }
    }

    #[test]
    fn numbers_that_make_no_vector_are_an_error() {
        let of = |vector: &[f32]| vectors(vec![row(0, vector)], 1, 2);
        assert!(matches!(of(&[1.0]), Err(Error::Dimensions { expected: 2, actual: 1 })));
        assert!(matches!(of(&[1.0, 0.0, 0.0]), Err(Error::Dimensions { expected: 2, actual: 3 })));
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
            assert!(matches!(of(&[bad, bad]), Err(Error::NotFinite)), "{bad}");
        }
    }
}
