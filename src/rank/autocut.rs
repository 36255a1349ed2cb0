//! Autocut: where a list of scores should end, as Weaviate's `autocut` finds it.
//!
//! Draw the scores from the first (0) to the last (1) and a straight line between the two. Where the
//! scores have come further than the line, and at the next row no longer gain on it, they have just
//! dropped by more than usual: a group of rows ends before that row.

/// How many rows stand before the `drops`-th large drop; all of them where there are fewer drops.
///
/// Scores are best first. Lists of equal scores, and of fewer than three, are not cut.
pub fn kept(scores: &[f64], drops: usize) -> usize {
    let (Some(first), Some(last)) = (scores.first(), scores.last()) else { return 0 };
    let (fall, steps) = (first - last, as_f64(scores.len().saturating_sub(1)));
    if scores.len() < 3 || fall <= 0.0 || !fall.is_finite() || drops == 0 {
        return scores.len();
    }
    let lead: Vec<f64> = scores
        .iter()
        .enumerate()
        .map(|(index, score)| (first - score) / fall - as_f64(index) / steps)
        .collect();
    let is_peak = |index: &usize| {
        let after = lead.get(index + 1).copied().unwrap_or(f64::NEG_INFINITY);
        // The last row meets the line again, so only a drop that leads to it tells it apart.
        lead[*index] > lead[index - 1] && lead[*index] > after
    };
    (1..scores.len()).filter(is_peak).nth(drops - 1).unwrap_or(scores.len())
}

fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::kept;

    #[test]
    fn a_list_ends_before_its_first_or_second_large_drop() {
        let scores = [0.95, 0.94, 0.92, 0.51, 0.50, 0.49, 0.11, 0.10];
        assert_eq!(kept(&scores, 1), 3);
        assert_eq!(kept(&scores, 2), 6);
        assert_eq!(kept(&scores, 3), 8);
    }

    #[test]
    fn the_only_result_that_differs_is_cut_off() {
        assert_eq!(kept(&[0.9, 0.89, 0.88, 0.1], 1), 3);
        assert_eq!(kept(&[0.9, 0.2, 0.19, 0.18], 1), 1);
    }

    #[test]
    fn nothing_is_cut_where_no_drop_stands_out() {
        assert_eq!(kept(&[0.5, 0.5, 0.5], 1), 3);
        assert_eq!(kept(&[0.75, 0.5, 0.25, 0.0], 1), 4);
        assert_eq!(kept(&[0.9, 0.1], 1), 2);
        assert_eq!(kept(&[], 1), 0);
    }
}
