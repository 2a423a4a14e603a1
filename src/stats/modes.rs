//! Whether figures fall into two groups, of which a median would be neither.

/// One group of figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mode {
    /// The median of the group.
    pub median: f64,
    /// How many figures it has.
    pub count: usize,
}

/// The greatest figure of the lower group is at most this part of the least of the upper one.
/// With one half, five figures of a log-normal distribution that scatter by half of their
/// size would be called two groups in 6 % of the cases; so much blocks do scatter here.
const APART: f64 = 1.0 / 3.0;

/// Two groups of at least two figures each, the upper at least three times the lower, and the
/// gap between them wider than either group; none where there are no such groups. The figures
/// are positive.
///
/// Five or more figures of one distribution are called two groups in less than 1 % of the
/// cases: simulated for normal ones whose standard deviation is up to 30 % of the mean, and
/// for log-normal ones whose logarithm has one of up to 0.5.
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
    use super::super::proportion_interval;
    use super::super::simulated::normal;
    use super::*;
    use rand::{SeedableRng, rngs::StdRng};

    #[test]
    fn two_groups_are_found_with_their_medians() {
        let [low, high] = two_modes(&[1300.0, 97.0, 1290.0, 95.0, 1330.0]).unwrap();
        assert_eq!((low.median, low.count), (96.0, 2));
        assert_eq!((high.median, high.count), (1300.0, 3));
    }

    /// Figures of one distribution, by standard normal ones.
    type Distribution = fn(f64) -> f64;

    /// The widest for which the claim holds.
    const NORMAL: Distribution = |normal| 1.0 + 0.3 * normal;
    const LOG_NORMAL: Distribution = |normal| (0.5 * normal).exp();

    const EXPERIMENTS: usize = 20_000;

    fn found(random: &mut StdRng, draw: impl Fn(&mut StdRng) -> Vec<f64>) -> usize {
        (0..EXPERIMENTS).filter(|_| two_modes(&draw(random)).is_some()).count()
    }

    #[test]
    fn figures_of_one_distribution_are_called_two_groups_in_less_than_one_of_a_hundred_cases() {
        let mut random = StdRng::seed_from_u64(14);
        for (count, of) in [(5, NORMAL), (5, LOG_NORMAL), (15, NORMAL), (15, LOG_NORMAL)] {
            let alarms =
                found(&mut random, |random| (0..count).map(|_| of(normal(random))).collect());
            let (_, most) = proportion_interval(alarms, EXPERIMENTS, 0.95);
            assert!(most < 0.01, "{alarms} of {EXPERIMENTS} with {count} figures");
        }
    }

    /// What caproto does: 97 µs per PV in some blocks, 1300 µs in the others, each by 10 %.
    #[test]
    fn two_groups_that_scatter_are_found() {
        let mut random = StdRng::seed_from_u64(15);
        for (low, high) in [(2, 3), (3, 2), (5, 10)] {
            let figures = |random: &mut StdRng| {
                let centres = [vec![97.0; low], vec![1300.0; high]].concat();
                centres.into_iter().map(|centre| centre * (0.1 * normal(random)).exp()).collect()
            };
            let found = found(&mut random, figures);
            assert!(1000 * found >= 999 * EXPERIMENTS, "{low} and {high}: {found}");
        }
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
