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
