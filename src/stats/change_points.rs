//! Where a series of values changed its level.

use std::cell::RefCell;
use std::collections::HashMap;

use super::normal::normal_cdf;

/// Where a series changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangePoint {
    /// The first value after the change, by its index: the most likely one.
    pub first: usize,
    /// The value with which the change became certain, by its index.
    pub found: usize,
}

/// The probability that a series without a change shows one at any of 100 values in a row is
/// at most this.
pub const FALSE_ALARMS_IN_100: f64 = 0.01;

/// So many values since the last change can show another. Fewer cannot reach
/// `LEAST_SCORE`: the most extreme order of 20 values has p = 2 / C(20, 10), a score of 4.97.
pub const FEWEST_WITH_A_CHANGE: usize = 21;

/// A look takes so many values, the last ones.
const WINDOW: usize = 100;

/// A split is a change when -log10 of its p-value is more than this. Found by simulation of
/// 6 000 series in random order, with a look after each value: 0.4 % of them have a higher
/// score at any of the first 100 looks, and 0.9 % at any 100 looks later, when the window is
/// full. Ranks do not depend on the distribution of the values, so it holds for every one.
const LEAST_SCORE: f64 = 5.1;

/// Up to so many values on the smaller side the distribution is counted out.
const EXACT_UP_TO: usize = 20;

/// The changes of the level of a series, in its order.
///
/// It is a change-point model: after each value, every split of the values since the last
/// change in two is tested by the Mann-Whitney statistic, and the split with the smallest
/// p-value is a change if that is small enough; then the series begins anew there (Hawkins
/// and Deng, A nonparametric change-point control chart, Journal of Quality Technology 42,
/// 2010: 165-173; Ross, Tasoulis and Adams, Nonparametric monitoring of data streams for
/// changes in location and scale, Technometrics 53, 2011: 379-389). p-values stand in the
/// place of their standardized statistic, because the tails of a side with few values are
/// far from normal.
///
/// Assumes independent values of one continuous distribution, and nothing of its shape:
/// then the false alarms are [`FALSE_ALARMS_IN_100`] at most. E-divisive (Matteson and James,
/// Journal of the American Statistical Association 109, 2014: 334-345) would need more than
/// 10 000 permutations at each look for the same rate.
///
/// Equal values count half for either side, which makes a change less likely to be found.
pub fn change_points(values: &[f64]) -> Vec<ChangePoint> {
    let mut found = Vec::new();
    let mut start = 0;
    for end in 1..=values.len() {
        let from = start.max(end.saturating_sub(WINDOW));
        if end - from < FEWEST_WITH_A_CHANGE {
            continue;
        }
        let (split, score) = best_split(&values[from..end]);
        if score > LEAST_SCORE {
            start = from + split;
            found.push(ChangePoint { first: start, found: end - 1 });
        }
    }
    found
}

/// The split with the least p-value, and -log10 of that.
fn best_split(values: &[f64]) -> (usize, f64) {
    let mut best = (0, 0.0);
    let mut pairs = 0_i64;
    for split in 1..values.len() {
        pairs += moved(values, split - 1);
        let score = score(split, values.len() - split, pairs.unsigned_abs() as usize);
        if score > best.1 {
            best = (split, score);
        }
    }
    best
}

/// By how much twice the count of pairs in order (one of the left, a greater one of the
/// right; equal ones count half) changes when the value at `index` goes to the left.
fn moved(values: &[f64], index: usize) -> i64 {
    let value = values[index];
    let doubled = |lower: f64, upper: f64| match lower.total_cmp(&upper) {
        std::cmp::Ordering::Less => 2,
        std::cmp::Ordering::Equal => 1,
        std::cmp::Ordering::Greater => 0,
    };
    let before: i64 = values[..index].iter().map(|left| doubled(*left, value)).sum();
    let after: i64 = values[index + 1..].iter().map(|right| doubled(value, *right)).sum();
    after - before
}

/// -log10 of the two-sided p-value of twice the Mann-Whitney statistic of so many values on
/// either side (Annals of Mathematical Statistics 18, 1947: 50-60).
fn score(left: usize, right: usize, doubled: usize) -> f64 {
    let (fewer, more) = (left.min(right), left.max(right));
    // Half a pair is rounded away from the end, to the greater p-value.
    let pairs = doubled.min(2 * left * right - doubled).div_ceil(2);
    let p = match fewer <= EXACT_UP_TO {
        true => so_few_pairs(fewer, more, pairs),
        false => {
            let product = (fewer * more) as f64;
            let deviation = (product * (fewer + more + 1) as f64 / 12.0).sqrt();
            normal_cdf((pairs as f64 + 0.5 - product / 2.0) / deviation)
        }
    };
    -(2.0 * p).min(1.0).log10()
}

/// The probability of so many pairs in order or fewer, when every order of the values is
/// equally likely.
fn so_few_pairs(fewer: usize, more: usize, pairs: usize) -> f64 {
    thread_local! {
        static KNOWN: RefCell<HashMap<(usize, usize), Vec<f64>>> = RefCell::default();
    }
    KNOWN.with_borrow_mut(|known| {
        let distribution = known.entry((fewer, more)).or_insert_with(|| distribution(fewer, more));
        distribution.get(pairs).copied().unwrap_or(1.0)
    })
}

/// The probabilities of up to half of all pairs in order, summed from none on. The counts
/// are the coefficients of the Gaussian binomial, the product over i of
/// (1 - q^(more + i)) / (1 - q^i); each factor is scaled by i / (more + i), so that they add
/// up to 1.
fn distribution(fewer: usize, more: usize) -> Vec<f64> {
    let mut chances = vec![0.0; fewer * more / 2 + 1];
    chances[0] = 1.0;
    for factor in 1..=fewer {
        let over = more + factor;
        for pairs in (over..chances.len()).rev() {
            chances[pairs] -= chances[pairs - over];
        }
        for pairs in factor..chances.len() {
            chances[pairs] += chances[pairs - factor];
        }
        let scale = factor as f64 / over as f64;
        chances.iter_mut().for_each(|chance| *chance *= scale);
    }
    let mut sum = 0.0;
    for chance in &mut chances {
        sum += *chance;
        *chance = sum;
    }
    chances
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;
    use crate::stats::normal_quantile;
    use crate::stats::simulated::{normal, student_3};

    /// Runs without a change before one comes.
    const BEFORE: usize = 50;

    /// Scatter of a run's figure, as a part of it.
    const NOISE: f64 = 0.04;

    #[test]
    fn the_distribution_is_that_of_all_orders() {
        // 2 and 3 values: 10 orders, with 0 to 6 pairs 1 1 2 2 2 1 1 of them.
        let half = distribution(2, 3);
        for (found, expected) in half.iter().zip([0.1, 0.2, 0.4, 0.6]) {
            assert!((found - expected).abs() < 1e-12, "{half:?}");
        }
        // C(55, 5) orders, of which one has no pair.
        assert!((distribution(5, 50)[0] * 3_478_761.0 - 1.0).abs() < 1e-9);
    }

    #[test]
    fn beyond_the_exact_distribution_p_is_hardly_different() {
        let (few, more) = (EXACT_UP_TO + 1, 40);
        let exact = distribution(few, more);
        for pairs in [150, 200, 300] {
            let exact = -(2.0 * exact[pairs]).log10();
            let approximated = score(few, more, 2 * pairs);
            assert!((exact - approximated).abs() < 0.5, "{exact} against {approximated}");
        }
    }

    #[test]
    fn a_step_is_found_where_it_is_and_what_went_up_comes_down() {
        let level = |value: f64| (0..20).map(move |at| value + 0.001 * f64::from(at * 7 % 20));
        let values: Vec<f64> = level(1.0).chain(level(1.2)).chain(level(1.0)).collect();
        let first: Vec<usize> = change_points(&values).iter().map(|one| one.first).collect();
        assert_eq!(first, [20, 40]);
    }

    #[test]
    fn what_is_equal_or_short_has_no_change() {
        assert_eq!(change_points(&[]), []);
        assert_eq!(change_points(&[1.0; 300]), []);
        assert_eq!(change_points(&[1.0, 1.0, 1.0, 9.0, 9.0, 9.0, 9.0, 9.0]), []);
    }

    /// In how many of so many series something is the case, as a part.
    fn part(series: usize, mut is_so: impl FnMut(&mut StdRng) -> bool) -> f64 {
        let mut random = StdRng::seed_from_u64(7);
        (0..series).filter(|_| is_so(&mut random)).count() as f64 / series as f64
    }

    /// Whether a change that begins after [`BEFORE`] values is found within so many, and
    /// nothing before; `level` is the value at so many values from there.
    fn is_found(
        within: usize,
        noise: f64,
        level: impl Fn(usize) -> f64,
        random: &mut StdRng,
    ) -> bool {
        let value = |at: usize| at.checked_sub(BEFORE).map_or(1.0, &level);
        let values: Vec<f64> =
            (0..BEFORE + within).map(|at| value(at) + noise * normal(random)).collect();
        change_points(&values).first().is_some_and(|change| change.found >= BEFORE)
    }

    #[test]
    fn less_than_1_percent_of_series_of_100_without_a_change_show_one() {
        let alarms = |value: fn(&mut StdRng) -> f64| {
            part(1_000, |random| {
                let values: Vec<f64> = (0..100).map(|_| value(random)).collect();
                !change_points(&values).is_empty()
            })
        };
        for alarms in [alarms(normal), alarms(student_3)] {
            assert!(alarms <= FALSE_ALARMS_IN_100, "{alarms}");
        }
    }

    #[test]
    fn a_longer_series_has_its_share_of_false_alarms() {
        let alarms = part(500, |random| {
            let values: Vec<f64> = (0..300).map(|_| normal(random)).collect();
            !change_points(&values).is_empty()
        });
        assert!(alarms <= 3.0 * FALSE_ALARMS_IN_100, "{alarms}");
    }

    /// Runs of 15 blocks (`--profile full`) whose blocks scatter by 4 %: their medians
    /// scatter by the square root of pi / 2 / 15 of that.
    #[test]
    fn a_step_of_5_percent_at_4_percent_noise_of_blocks_is_found_within_5_runs() {
        let of_medians = NOISE * (std::f64::consts::FRAC_PI_2 / 15.0).sqrt();
        let found = part(500, |random| is_found(5, of_medians, |_| 1.05, random));
        assert!(found >= 0.95, "{found}");
    }

    /// docs/over-time.md has the proof: a method with the allowed false alarms that knows all
    /// but when the change comes finds so many of them at most.
    #[test]
    fn no_method_finds_a_third_of_steps_of_5_percent_at_4_percent_noise_within_5_runs() {
        let alarms_in_a_window = FALSE_ALARMS_IN_100 * 5.0 / 100.0;
        let shift = 5.0_f64.sqrt() * 0.05 / NOISE;
        let most = normal_cdf(shift - normal_quantile(1.0 - alarms_in_a_window));
        assert!((most - 0.31).abs() < 0.01, "{most}");
    }

    /// No method can do it within 5.
    #[test]
    fn a_step_of_5_percent_at_4_percent_noise_of_whole_runs_takes_20_to_40() {
        let found = |within| part(300, |random| is_found(within, NOISE, |_| 1.05, random));
        let (in_20, in_40) = (found(20), found(40));
        assert!(in_20 >= 0.5 && in_40 >= 0.8, "{in_20}, {in_40}");
    }

    #[test]
    fn a_creep_of_1_percent_a_run_over_10_runs_is_found() {
        let creep = |since: usize| 1.0 + 0.01 * (since + 1).min(10) as f64;
        let found = part(500, |random| is_found(20, NOISE, creep, random));
        assert!(found >= 0.95, "{found}");
    }
}
