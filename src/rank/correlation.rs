//! How well one list of numbers follows another.
//!
//! Pearson 1896, "Regression, Heredity and Panmixia"; Spearman 1904, "The Proof and Measurement of
//! Association between Two Things". Values that are equal share the mean of their places, as Kendall
//! 1945, "The Treatment of Ties in Ranking Problems", has it.

/// Pearson's r, from -1 to 1: covariance over the product of the standard deviations.
///
/// `None` where it is not defined: lists of different lengths or of fewer than two numbers, a list whose
/// numbers are all equal, and a number that is not finite.
pub fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.len() != b.len() || a.len() < 2 || a.iter().chain(b).any(|value| !value.is_finite()) {
        return None;
    }
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut covariance, mut variance_a, mut variance_b) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a - mean_a, b - mean_b);
        covariance += a * b;
        variance_a += a * a;
        variance_b += b * b;
    }
    let product = variance_a.sqrt() * variance_b.sqrt();
    (product > 0.0).then(|| (covariance / product).clamp(-1.0, 1.0))
}

/// Spearman's rho, from -1 to 1: Pearson's r of the places. `None` as in [`pearson`].
pub fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.iter().chain(b).any(|value| !value.is_finite()) {
        return None;
    }
    pearson(&places(a), &places(b))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / as_f64(values.len())
}

/// The place of each number in ascending order, from 1; equal numbers share the mean of their places.
fn places(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut places = vec![0.0; values.len()];
    let mut before = 0;
    // `-0.0` and `0.0` are one value, although they have an order.
    #[expect(clippy::float_cmp, reason = "a tie is equality, not nearness")]
    for tied in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let place = as_f64(2 * before + tied.len() + 1) / 2.0;
        for index in tied {
            places[*index] = place;
        }
        before += tied.len();
    }
    places
}

fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(actual: Option<f64>, expected: f64) {
        let actual = actual.expect("the lists have a correlation");
        assert!((actual - expected).abs() < 1e-12, "{actual} is not {expected}");
    }

    #[test]
    fn a_line_correlates_fully_whatever_its_slope() {
        let x = [1.0, 2.0, 3.0, 4.0];
        assert_near(pearson(&x, &[10.0, 20.0, 30.0, 40.0]), 1.0);
        assert_near(pearson(&x, &[7.0, 5.0, 3.0, 1.0]), -1.0);
    }

    #[test]
    fn a_curve_that_only_rises_has_a_full_rank_correlation_and_a_lower_linear_one() {
        let x = [1.0, 2.0, 3.0, 4.0];
        let y = [1.0, 8.0, 27.0, 64.0];
        assert_near(spearman(&x, &y), 1.0);
        // 104 / sqrt(5 * 2390)
        assert_near(pearson(&x, &y), 104.0 / (5.0_f64 * 2_390.0).sqrt());
    }

    #[test]
    fn equal_numbers_share_the_mean_of_their_places() {
        assert_eq!(places(&[5.0, 1.0, 5.0, 0.0, 5.0]), [4.0, 2.0, 4.0, 1.0, 4.0]);
        assert_eq!(places(&[0.0, -0.0]), [1.5, 1.5]);
        // Places 1, 2.5, 2.5, 4 against 1, 3, 2, 4: 4.5 / sqrt(4.5 * 5).
        let tied = spearman(&[1.0, 2.0, 2.0, 3.0], &[1.0, 3.0, 2.0, 4.0]);
        assert_near(tied, 4.5 / (4.5_f64 * 5.0).sqrt());
    }

    #[test]
    fn what_has_no_correlation_gives_none() {
        assert_eq!(pearson(&[], &[]), None);
        assert_eq!(spearman(&[1.0], &[1.0]), None);
        assert_eq!(pearson(&[1.0, 2.0], &[1.0]), None);
        assert_eq!(spearman(&[1.0, 2.0], &[3.0, 3.0]), None);
        assert_eq!(spearman(&[1.0, f64::NAN], &[1.0, 2.0]), None);
        assert_eq!(pearson(&[1.0, f64::INFINITY], &[1.0, 2.0]), None);
    }
}
