//! Comparisons drawn anew from measured pairs.

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{MetricRates, Outcomes, PairsUsed, Pool, Redrawn};
use crate::judge::comparison::{Change, Decision, Pairs, Rule, as_fraction, decide};
use crate::stats::bootstrap_interval;

/// Pairs that are drawn as one run.
const RUN: usize = 4;

/// Draws `experiments` whole comparisons from a pool and judges each by the rule.
/// None from a pool without pairs or metrics, or without experiments.
///
/// Pairs are drawn with replacement, four neighbours at a time, from wherever in
/// the pool, whose end is joined to its beginning so that every pair is as likely:
/// the circular block bootstrap (Politis and Romano, in Exploring the Limits of
/// Bootstrap, 1992: 263-270). Neighbours stay together since the machine drifts:
/// what lasts for up to about four pairs is kept, slower drift is mixed up.
///
/// A pool of fewer pairs than a comparison uses holds each several times. See
/// [`Pool::centred`] for what that does, and take pools of some hundred.
pub fn redraw(pool: &Pool, rule: &Rule, experiments: usize, seed: u64) -> Option<Redrawn> {
    if pool.pairs.is_empty() || pool.metrics.is_empty() || experiments == 0 {
        return None;
    }
    let mut random = StdRng::seed_from_u64(seed);
    let comparisons: Vec<Vec<Decision>> =
        (0..experiments).map(|_| decide(&comparison(pool, rule, &mut random), rule)).collect();
    let pairs = PairsUsed::of(comparisons.iter().map(|decisions| used(decisions, rule)));
    Some(Redrawn {
        label: pool.label.clone(),
        slowdown: pool.slowdown,
        measured_pairs: pool.pairs.len(),
        seconds_per_pair: pool.seconds_per_pair,
        metrics: metric_rates(pool, rule, &comparisons, seed),
        family: outcomes(comparisons.iter().map(Vec::as_slice)),
        pairs,
        seconds_median: pairs.median as f64 * pool.seconds_per_pair,
        seconds_in_95_of_100: pairs.in_95_of_100 as f64 * pool.seconds_per_pair,
    })
}

/// As many pairs as a comparison can use, whether it will or not.
fn comparison(pool: &Pool, rule: &Rule, random: &mut StdRng) -> Vec<Pairs> {
    let count = rule.screen + rule.looks.last().copied().unwrap_or(0);
    let mut rows = Vec::with_capacity(count + RUN);
    while rows.len() < count {
        let start = random.random_range(0..pool.pairs.len());
        rows.extend((start..start + RUN).map(|at| at % pool.pairs.len()));
    }
    let of = |metric: usize, rows: &[usize]| {
        rows.iter().map(|row| pool.pairs[*row][metric]).collect::<Vec<f64>>()
    };
    let named = pool.metrics.iter().enumerate();
    named
        .map(|(metric, name)| Pairs {
            metric: *name,
            screened: of(metric, &rows[..rule.screen]),
            fresh: of(metric, &rows[rule.screen..count]),
        })
        .collect()
}

fn metric_rates(
    pool: &Pool,
    rule: &Rule,
    comparisons: &[Vec<Decision>],
    seed: u64,
) -> Vec<MetricRates> {
    let named = pool.metrics.iter().enumerate();
    named
        .filter_map(|(metric, name)| {
            let of_it = || comparisons.iter().map(|decisions| &decisions[metric..=metric]);
            let pool_bias = as_fraction(bootstrap_interval(&pool.of(metric), 0.95, seed)?);
            Some(MetricRates {
                metric: *name,
                outcomes: outcomes(of_it()),
                pairs: PairsUsed::of(of_it().map(|decisions| used(decisions, rule))),
                pool_bias,
                bias_holds_zero: pool_bias.low <= 0.0 && 0.0 <= pool_bias.high,
            })
        })
        .collect()
}

fn outcomes<'a>(comparisons: impl Iterator<Item = &'a [Decision]>) -> Outcomes {
    let changes: Vec<Vec<Change>> =
        comparisons.map(|decisions| decisions.iter().map(Decision::change).collect()).collect();
    Outcomes::count(changes.iter().map(Vec::as_slice))
}

/// Pairs until the last of these metrics was decided or given up.
fn used(decisions: &[Decision], rule: &Rule) -> usize {
    let look = decisions.iter().filter_map(|decision| decision.look).max();
    rule.screen + look.unwrap_or(0)
}

impl PairsUsed {
    fn of(counts: impl Iterator<Item = usize>) -> PairsUsed {
        let mut counts: Vec<usize> = counts.collect();
        counts.sort_unstable();
        let at = |share: f64| counts[((counts.len() as f64 * share).ceil() as usize).max(1) - 1];
        PairsUsed { median: at(0.5), in_95_of_100: at(0.95) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(pairs: Vec<Vec<f64>>) -> Pool {
        let count = pairs.first().map_or(0, Vec::len);
        let metrics = crate::metric::rows().iter().take(count).map(|row| row.metric).collect();
        Pool { label: String::new(), slowdown: 0.0, metrics, pairs, seconds_per_pair: 2.0 }
    }

    #[test]
    fn neighbours_and_the_metrics_of_one_pair_stay_together() {
        let numbered = pool((0..30).map(|at| vec![f64::from(at), f64::from(at) + 100.0]).collect());
        let rule = Rule::default();
        let drawn = comparison(&numbered, &rule, &mut StdRng::seed_from_u64(1));
        assert_eq!((drawn[0].screened.len(), drawn[0].fresh.len()), (12, 192));
        for run in drawn[0].fresh.chunks(4) {
            assert!(run.windows(2).all(|two| (two[0] + 1.0) % 30.0 == two[1]), "{run:?}");
        }
        let apart = drawn[0].fresh.iter().zip(&drawn[1].fresh);
        assert!(apart.clone().all(|(one, other)| other - one == 100.0));
    }

    #[test]
    fn every_pair_is_drawn_as_often_also_the_first_and_the_last() {
        let numbered = pool((0..10).map(|at| vec![f64::from(at)]).collect());
        let mut random = StdRng::seed_from_u64(2);
        let mut times = [0_i32; 10];
        for _ in 0..500 {
            for pair in &comparison(&numbered, &Rule::default(), &mut random)[0].fresh {
                times[*pair as usize] += 1;
            }
        }
        assert!(times.iter().all(|times| (times - 9600).abs() < 600), "{times:?}");
    }

    #[test]
    fn one_seed_gives_one_result_and_an_empty_pool_none() {
        let noisy = pool((0..40).map(|at| vec![f64::from(at * 17 % 40) / 200.0 - 0.1]).collect());
        let rule = Rule::default();
        let once = redraw(&noisy, &rule, 50, 1);
        assert_eq!(once, redraw(&noisy, &rule, 50, 1));
        assert_ne!(once, redraw(&noisy, &rule, 50, 2));
        assert_eq!(redraw(&pool(vec![]), &rule, 50, 1), None);
        assert_eq!(redraw(&noisy, &rule, 0, 1), None);
    }

    #[test]
    fn sure_pairs_are_decided_with_as_few_as_can_be_and_cost_their_seconds() {
        let slow = pool((0..40).map(|at| vec![0.2 + f64::from(at) / 1000.0]).collect());
        let redrawn = redraw(&slow, &Rule::default(), 100, 1).unwrap();
        assert_eq!(redrawn.family.regressed.hits, 100);
        assert_eq!((redrawn.pairs.median, redrawn.seconds_median), (24, 48.0));
        assert!(!redrawn.metrics[0].bias_holds_zero);
        let alike = redraw(&slow.centred(), &Rule::default(), 100, 1).unwrap();
        assert_eq!(alike.family.no_difference.hits, 100);
        assert_eq!((alike.pairs.median, alike.metrics[0].bias_holds_zero), (12, true));
    }
}
