//! Gets that a worker makes while it collects updates.

use std::time::{Duration, Instant};

use super::client::{Client, StageError};
use super::clock::{nanoseconds, read};
use super::job::timeout_of;
use super::per_pv_times::PerPvTimes;
use crate::worker_protocol::{GetAttempt, Gets, Job, Mode};

/// Takes updates for `duration` and reads PVs meanwhile, one at a time and each with a
/// timeout of its own.
pub(super) fn collect_with_gets(
    client: &mut impl Client,
    job: &Job,
    duration: Duration,
    gets: &Gets,
) -> Result<Vec<GetAttempt>, StageError> {
    let (every, timeout) = (seconds(gets.every_s)?, seconds(gets.timeout_s)?);
    let whole = timeout_of(job)?;
    check_pvs(gets, job.pvs.len())?;
    let mut due = Instant::now();
    let end = due + duration;
    let mut attempts = Vec::new();
    for pv in gets.pvs.iter().cycle() {
        if due >= end {
            break;
        }
        client.take_updates(left_until(due))?;
        client.set_timeout(timeout);
        attempts.push(attempt(client, *pv));
        client.set_timeout(whole);
        due = (due + every).max(Instant::now());
    }
    client.take_updates(left_until(end))?;
    Ok(attempts)
}

fn attempt(client: &mut impl Client, pv: usize) -> GetAttempt {
    let mut times = PerPvTimes::new(Mode::Bulk, 1);
    let start_ns = now_ns();
    let got = client.get(Mode::Serial, &[pv], &mut times);
    let end_ns = now_ns();
    let got = got.map_err(|StageError(error)| error).and_then(|values| match values[..] {
        [value] if value.is_finite() => Ok(value),
        _ => Err(format!("it is {values:?}")),
    });
    let (value, error) = match got {
        Ok(value) => (Some(value), None),
        Err(error) => (None, Some(error)),
    };
    GetAttempt { pv, start_ns, end_ns, value, error }
}

fn check_pvs(gets: &Gets, pvs: usize) -> Result<(), StageError> {
    match gets.pvs.iter().find(|pv| **pv >= pvs) {
        Some(index) => Err(StageError(format!("PV index {index} is not in the job"))),
        None if gets.pvs.is_empty() => Err(StageError("gets of no PV".to_owned())),
        None => Ok(()),
    }
}

fn seconds(seconds: f64) -> Result<Duration, StageError> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|error| StageError(format!("gets with {seconds} s: {error}")))
}

fn left_until(moment: Instant) -> Duration {
    moment.saturating_duration_since(Instant::now())
}

fn now_ns() -> u64 {
    nanoseconds(read(libc::CLOCK_MONOTONIC))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::worker_protocol::{Monitor, Updates};

    /// PV 1 never answers, PV 2 has no number; every other PV's value is its index.
    struct Fake {
        timeout: Duration,
        taken: Duration,
    }

    impl Client for Fake {
        const APPROACH: &'static str = "fake";

        fn versions() -> BTreeMap<String, String> {
            BTreeMap::new()
        }

        fn new(_: &Job) -> Result<Fake, StageError> {
            Ok(Fake { timeout: Duration::from_secs(60), taken: Duration::ZERO })
        }

        fn create(&mut self) -> Result<(), StageError> {
            unreachable!()
        }

        fn connect(&mut self, _: Mode) -> Result<(), StageError> {
            unreachable!()
        }

        fn get(
            &mut self,
            mode: Mode,
            pvs: &[usize],
            _: &mut PerPvTimes,
        ) -> Result<Vec<f64>, StageError> {
            assert_eq!(mode, Mode::Serial);
            match pvs {
                [1] => {
                    std::thread::sleep(self.timeout);
                    Err(StageError("silent".to_owned()))
                }
                [2] => Ok(vec![f64::NAN]),
                pvs => Ok(pvs.iter().map(|pv| *pv as f64).collect()),
            }
        }

        fn put(
            &mut self,
            _: Mode,
            _: &[usize],
            _: &[f64],
            _: &mut PerPvTimes,
        ) -> Result<(), StageError> {
            unreachable!()
        }

        fn put_unconfirmed(&mut self, _: &[usize], _: &[f64]) -> Result<(), StageError> {
            unreachable!()
        }

        fn set_timeout(&mut self, timeout: Duration) {
            self.timeout = timeout;
        }

        fn subscribe(&mut self, _: Mode, _: &[usize], _: Monitor) -> Result<(), StageError> {
            unreachable!()
        }

        fn begin_collecting(&mut self) -> Result<(), StageError> {
            unreachable!()
        }

        fn take_updates(&mut self, duration: Duration) -> Result<(), StageError> {
            std::thread::sleep(duration);
            self.taken += duration;
            Ok(())
        }

        fn taken(&mut self) -> Result<Updates, StageError> {
            unreachable!()
        }

        fn disconnect(&mut self) -> Result<(), StageError> {
            unreachable!()
        }
    }

    fn job() -> Job {
        let pvs = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
        Job { pvs, timeout_s: 60.0, slowdown: None }
    }

    fn attempts(gets: &Gets) -> Result<Vec<GetAttempt>, String> {
        let mut client = Fake::new(&job()).unwrap();
        let collected = collect_with_gets(&mut client, &job(), Duration::from_millis(200), gets);
        if collected.is_ok() {
            assert_eq!(client.timeout, Duration::from_secs(60), "that of the job again");
        }
        collected.map_err(|StageError(error)| error)
    }

    #[test]
    fn pvs_are_read_in_turn_and_a_silent_one_has_its_own_timeout() {
        let gets = Gets { pvs: vec![3, 1, 2], every_s: 0.01, timeout_s: 0.03 };
        let attempts = attempts(&gets).unwrap();
        assert!(attempts.len() >= 3, "{attempts:?}");
        for (position, attempt) in attempts.iter().enumerate() {
            let expected =
                [(3, Some(3.0), None), (1, None, Some("silent")), (2, None, Some("it is [NaN]"))]
                    [position % 3];
            let seen = (attempt.pv, attempt.value, attempt.error.as_deref());
            assert_eq!(seen, expected);
            let took_ns = attempt.end_ns - attempt.start_ns;
            assert!(attempt.pv != 1 || took_ns >= 30_000_000, "{attempt:?}");
        }
        let between_ns = attempts[1].start_ns - attempts[0].start_ns;
        assert!(between_ns >= 10_000_000, "{attempts:?}");
    }

    #[test]
    fn gets_that_cannot_be_made_are_refused() {
        let refused = |pvs: &[usize], every_s, timeout_s| {
            attempts(&Gets { pvs: pvs.to_vec(), every_s, timeout_s }).unwrap_err()
        };
        assert_eq!(refused(&[], 1.0, 1.0), "gets of no PV");
        assert_eq!(refused(&[4], 1.0, 1.0), "PV index 4 is not in the job");
        assert!(refused(&[0], -1.0, 1.0).starts_with("gets with -1 s"));
        assert!(refused(&[0], 1.0, f64::NAN).starts_with("gets with NaN s"));
    }
}
