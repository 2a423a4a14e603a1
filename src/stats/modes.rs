//! Whether figures fall into two groups, of which a median would be neither.

/// One group of figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mode {
    /// The median of the group.
    pub median: f64,
    /// How many figures it has.
    pub count: usize,
}

/// The lower group is at most this part of the upper one.
const APART: f64 = 0.5;

/// Two groups of at least two figures each, the upper at least twice the lower, and the gap
/// between them wider than either group; none where there are no such groups. The figures
/// are positive.
///
/// With five figures of one normal distribution whose standard deviation is 10 % of its
/// mean this never happens: the gap alone would be five standard deviations.
pub fn two_modes(figures: &[f64]) -> Option<[Mode; 2]> {
    let mut sorted: Vec<f64> = figures.iter().copied().filter(|figure| *figure > 0.0).collect();
    sorted.sort_by(f64::total_cmp);
    let width = |group: &[f64]| group.last().zip(group.first()).map_or(0.0, |(b, a)| b - a);
    (2..sorted.len().saturating_sub(1))
        .map(|at| sorted.split_at(at))
        .filter(|(low, high)| low[low.len() - 1] <= APART * high[0])
        .filter(|(low, high)| high[0] - low[low.len() - 1] > width(low).max(width(high)))
        .max_by(|(_, a), (_, b)| b[0].total_cmp(&a[0]))
        .map(|(low, high)| [mode(low), mode(high)])
}

fn mode(group: &[f64]) -> Mode {
    Mode { median: super::median(group), count: group.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_groups_are_told_apart_with_their_medians() {
        let [low, high] = two_modes(&[1300.0, 97.0, 1290.0, 95.0, 1330.0]).unwrap();
        assert_eq!((low.median, low.count), (96.0, 2));
        assert_eq!((high.median, high.count), (1300.0, 3));
    }

    #[test]
    fn one_group_a_single_outlier_or_a_slope_are_no_two_modes() {
        assert_eq!(two_modes(&[90.0, 95.0, 97.0, 101.0, 110.0]), None);
        assert_eq!(two_modes(&[95.0, 97.0, 98.0, 99.0, 1300.0]), None);
        assert_eq!(two_modes(&[10.0, 20.0, 40.0, 80.0, 160.0]), None);
        assert_eq!(two_modes(&[1.0, 2.0, 3.0]), None);
        assert_eq!(two_modes(&[0.0, 0.0, 5.0, 6.0]), None);
    }
}
