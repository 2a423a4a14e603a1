//! From measured pools to what is known of the judge on this machine.

use super::pools::Pool;
use crate::judge::pair_metrics::{family, side_figures};
use crate::judge::{self, Calibration, Rule};
use crate::metric::Metric;
use crate::record::Machine;
use crate::stats::median;
use crate::worker_protocol::InjectedSlowdown;

/// What is computed where nothing can be injected: B so much slower, as a fraction.
const COMPUTED: [f64; 5] = [0.05, 0.1, 0.25, 0.5, 1.0];

/// How many comparisons are drawn, and by which seed.
#[derive(Debug, Clone, Copy)]
pub struct Draws {
    /// Comparisons from each pool.
    pub experiments: usize,
    /// The seed.
    pub seed: u64,
}

/// A slowdown in words: `5 %`, `50 us per PV`, or `alike`.
pub fn label(slowdown: Option<InjectedSlowdown>) -> String {
    let Some(InjectedSlowdown { fraction, per_pv_s }) = slowdown else { return "alike".to_owned() };
    match per_pv_s > 0.0 {
        true => format!("{:.0} us per PV", 1e6 * per_pv_s),
        false => format!("{:.0} %", 100.0 * fraction),
    }
}

/// How often a comparison of this one metric is wrong, from pools of which one has no
/// slowdown. With no other pool, slowdowns are computed from that one. None when a pool has
/// no whole pair. `seconds_per_pair` is what a pair
/// took while the pools were measured.
pub fn calibration_of(
    pools: &[Pool],
    metric: Metric,
    rule: &Rule,
    draws: Draws,
    seconds_per_pair: f64,
    (machine, date): (&Machine, &str),
) -> Option<Calibration> {
    let described = |pool: &Pool| judge::Pool {
        label: label(pool.slowdown),
        slowdown: slowdown(pool, metric),
        metrics: vec![metric],
        pairs: family(&pool.records, &[metric])
            .into_iter()
            .flat_map(|pairs| pairs.screened)
            .map(|ratio| vec![ratio])
            .collect(),
        seconds_per_pair,
    };
    let alike = described(pools.iter().find(|pool| pool.slowdown.is_none())?);
    let injected = pools.iter().filter(|pool| pool.slowdown.is_some()).map(described);
    let mut slowed: Vec<judge::Pool> = injected.collect();
    if slowed.is_empty() {
        slowed = COMPUTED.map(|slowdown| alike.shifted(slowdown)).into();
    }
    let machine = format!("{}, {} cores, {}", machine.model, machine.cores, machine.system);
    judge::calibrate(
        &alike,
        &slowed,
        rule,
        draws.experiments,
        draws.seed,
        (machine, date.to_owned()),
    )
}

/// The part by which B was to be slower: seconds per PV as a part of what A took.
fn slowdown(pool: &Pool, metric: Metric) -> f64 {
    let Some(slowdown) = pool.slowdown else { return 0.0 };
    let alone = median(&side_figures(&pool.records, metric, false).a);
    slowdown.fraction + if alone > 0.0 { slowdown.per_pv_s / alone } else { 0.0 }
}
