//! An injected slowdown, inside of what is timed, as a slower library would have it:
//! from it the harness learns which slowdowns it finds. The Python twin is
//! `python/epics_gauge/worker/slowdown.py`.

use std::thread;
use std::time::Duration;

use super::clock::Clock;
use crate::worker_protocol::{InjectedSlowdown, Stage};

/// By how much a sleep may last too long; that much of the time is spun away
/// instead. Linux wakes a thread about 60 µs late.
const LATE: Duration = Duration::from_micros(100);

/// What one stage takes more than its work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Slowdown {
    /// Of the time, and of the CPU time, that the work took.
    fraction: f64,
    /// CPU time whatever the work took.
    fixed: Duration,
}

impl Slowdown {
    /// What the job orders for a stage that treats `pvs` PVs; nothing for stages
    /// that treat none, and for those of monitors.
    pub(super) fn of_stage(
        slowdown: Option<InjectedSlowdown>,
        stage: Stage,
        pvs: usize,
    ) -> Option<Slowdown> {
        let InjectedSlowdown { fraction, per_pv_s } = slowdown?;
        let fixed_s = match stage {
            Stage::Import | Stage::Context | Stage::Subscribe | Stage::Collect => return None,
            // `connect` comes after it and is charged for the same PVs.
            Stage::Create => 0.0,
            _ => per_pv_s * pvs as f64,
        };
        Some(Slowdown { fraction, fixed: seconds(fixed_s) })
    }

    /// Spends it, after work that began at `started`: first asleep, then on the CPU,
    /// whose last turns make up for a sleep that ended too early or too late.
    pub(super) fn apply(self, started: &Clock) {
        let worked = Clock::now();
        let burnt = self.more_than(worked.cpu.saturating_sub(started.cpu));
        let spent = self.more_than(worked.wall.saturating_sub(started.wall));
        thread::sleep(spent.saturating_sub(burnt).saturating_sub(LATE));
        loop {
            let now = Clock::now();
            let is_burnt = now.cpu.saturating_sub(worked.cpu) >= burnt;
            if is_burnt && now.wall.saturating_sub(worked.wall) >= spent {
                return;
            }
        }
    }

    /// What comes on top of `used`.
    fn more_than(self, used: Duration) -> Duration {
        seconds(used.as_secs_f64() * self.fraction).saturating_add(self.fixed)
    }
}

/// A time that no clock can show is as long as can be.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDERED: Option<InjectedSlowdown> =
        Some(InjectedSlowdown { fraction: 0.5, per_pv_s: 0.001 });

    fn fixed(stage: Stage) -> Option<Duration> {
        Slowdown::of_stage(ORDERED, stage, 20).map(|slowdown| slowdown.fixed)
    }

    #[test]
    fn without_an_order_no_stage_is_slowed() {
        assert!(Stage::ALL.iter().all(|stage| Slowdown::of_stage(None, *stage, 20).is_none()));
    }

    #[test]
    fn stages_that_treat_pvs_are_slowed_and_a_connection_is_charged_once() {
        let free = [Stage::Import, Stage::Context, Stage::Subscribe, Stage::Collect];
        assert!(free.iter().all(|stage| fixed(*stage).is_none()));
        assert_eq!(fixed(Stage::Create), Some(Duration::ZERO));
        for stage in [Stage::Connect, Stage::Get, Stage::GetAgain, Stage::Put, Stage::Readback] {
            assert_eq!(fixed(stage), Some(Duration::from_millis(20)), "{stage}");
        }
    }

    #[test]
    fn what_comes_on_top_is_a_part_of_what_was_used_and_the_fixed_time() {
        let slowdown = Slowdown { fraction: 0.05, fixed: Duration::from_millis(3) };
        assert_eq!(slowdown.more_than(Duration::from_millis(100)), Duration::from_millis(8));
        let endless = Slowdown { fraction: 1e300, fixed: Duration::MAX };
        assert_eq!(endless.more_than(Duration::from_secs(1)), Duration::MAX);
    }
}
