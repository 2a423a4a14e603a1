//! Waits until the CPU use of client and server is steady.

use std::time::Duration;

use super::MonitorRun;
use crate::measure::session::PendingStages;
use crate::measure::stop::Stop;
use crate::measure::usage_recorder::UsageRecorder;
use crate::record::Steady;

/// The length of the windows over which CPU use is compared.
const WINDOW: Duration = Duration::from_secs(1);

/// This many consecutive windows must agree.
const WINDOWS: usize = 3;

/// Windows agree when each is within this fraction of their mean, …
const PART: f64 = 0.1;

/// … or within this many hundredths of a core.
const LITTLE: f64 = 0.02;

/// The figures begin after this time in any case.
pub(super) const LONGEST_TO_SETTLE: Duration = Duration::from_secs(6);

impl MonitorRun<'_, '_> {
    /// Waits until the CPU use of both sides agrees over several windows, at most for the
    /// longest time.
    pub(super) fn settle(
        &mut self,
        pending: &PendingStages,
        usage: &UsageRecorder,
    ) -> Result<Steady, Stop> {
        let mut loads = Vec::new();
        let mut after = Duration::ZERO;
        let mut before = usage.latest()?;
        while after < LONGEST_TO_SETTLE {
            self.meanwhile(pending, usage, WINDOW)?;
            after += WINDOW;
            let now = usage.latest()?;
            loads.push([0, 1].map(|side| {
                let (before, now) = before[side].zip(now[side])?;
                let wall_ns = now.at_ns.checked_sub(before.at_ns).filter(|ns| *ns > 0)?;
                Some(now.cpu_ns.saturating_sub(before.cpu_ns) as f64 / wall_ns as f64)
            }));
            before = now;
            if is_steady(&loads) {
                return Ok(Steady { reached: true, after_s: after.as_secs_f64() });
            }
        }
        Ok(Steady { reached: false, after_s: after.as_secs_f64() })
    }
}

/// Whether the last windows agree, for the client and for the server. Loads are in
/// cores; one that is not known agrees with nothing.
fn is_steady(loads: &[[Option<f64>; 2]]) -> bool {
    let Some(last) = loads.len().checked_sub(WINDOWS).map(|from| &loads[from..]) else {
        return false;
    };
    [0, 1].into_iter().all(|side| {
        let known: Option<Vec<f64>> = last.iter().map(|load| load[side]).collect();
        known.is_some_and(|loads| {
            let mean = loads.iter().sum::<f64>() / loads.len() as f64;
            loads.iter().all(|load| (load - mean).abs() <= LITTLE.max(PART * mean))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loads(client: &[f64], server: &[f64]) -> Vec<[Option<f64>; 2]> {
        client.iter().zip(server).map(|(client, server)| [Some(*client), Some(*server)]).collect()
    }

    #[test]
    fn three_windows_that_agree_on_both_sides_are_steady() {
        assert!(is_steady(&loads(&[0.5, 0.91, 0.95, 1.0], &[0.1, 0.3, 0.31, 0.3])));
        assert!(!is_steady(&loads(&[0.95, 1.0], &[0.3, 0.3])), "two are too few");
        assert!(!is_steady(&loads(&[0.5, 0.7, 0.9], &[0.3, 0.3, 0.3])), "the client rises");
        assert!(!is_steady(&loads(&[0.9, 0.9, 0.9], &[0.6, 0.3, 0.3])), "the server falls");
    }

    #[test]
    fn next_to_nothing_is_steady_whatever_its_parts() {
        assert!(is_steady(&loads(&[0.001, 0.02, 0.01], &[0.0, 0.0, 0.01])));
    }

    #[test]
    fn what_is_not_known_is_not_steady() {
        assert!(!is_steady(&[[Some(0.1), None]; 3]));
    }
}
