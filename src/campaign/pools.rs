//! Measures many pairs of an approach against itself and against itself slowed. From them the
//! judge computes its error rates.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use crate::measure::PairRunner;
use crate::record::{Failure, Record, Side};
use crate::worker_protocol::InjectedSlowdown;

const fn slower_by(fraction: f64) -> InjectedSlowdown {
    InjectedSlowdown { fraction, per_pv_s: 0.0 }
}

const fn slower_per_pv_by(per_pv_s: f64) -> InjectedSlowdown {
    InjectedSlowdown { fraction: 0.0, per_pv_s }
}

/// The slowdowns that a calibration injects: parts, and seconds per PV.
pub const INJECTED: [InjectedSlowdown; 7] = [
    slower_by(0.02),
    slower_by(0.05),
    slower_by(0.10),
    slower_by(0.20),
    slower_per_pv_by(10e-6),
    slower_per_pv_by(50e-6),
    slower_per_pv_by(100e-6),
];

/// Pairs of one slowdown; side B was slowed.
#[derive(Debug, Clone, PartialEq)]
pub struct Pool {
    /// The injected slowdown; none where both sides were the same.
    pub slowdown: Option<InjectedSlowdown>,
    /// The records of both sides, in the order in which they ran.
    pub records: Vec<Record>,
}

/// Measures `rounds` rounds of one pair for each of `pools`, in random order; the first side
/// alternates between rounds. Blocks until the end. Calls `report` with each record and its
/// worker's stderr.
///
/// Returns the pairs; fewer when the user stopped it.
///
/// # Errors
/// The failure of the first worker that failed, or the first error of `report`.
pub fn measure_pools<E: From<Failure>>(
    pairs: &mut PairRunner<'_>,
    slowdowns: &[Option<InjectedSlowdown>],
    rounds: usize,
    seed: u64,
    mut report: impl FnMut(&Record, &str) -> Result<(), E>,
) -> Result<Vec<Pool>, E> {
    let mut random = StdRng::seed_from_u64(seed);
    let empty =
        |slowdown: &Option<InjectedSlowdown>| Pool { slowdown: *slowdown, records: Vec::new() };
    let mut pools: Vec<Pool> = slowdowns.iter().map(empty).collect();
    for round in 0..rounds {
        let first = if round % 2 == 0 { Side::A } else { Side::B };
        let mut order: Vec<usize> = (0..pools.len()).collect();
        order.shuffle(&mut random);
        for pool in order {
            let pool = &mut pools[pool];
            pairs.set_slowdown(Side::B, pool.slowdown);
            let Some(pair) = pairs.next(first, false) else { return Ok(pools) };
            for (record, log) in pair {
                report(&record, &log)?;
                if let Some(failure) = record.failure {
                    return Err(failure.into());
                }
                pool.records.push(record);
            }
        }
    }
    Ok(pools)
}
