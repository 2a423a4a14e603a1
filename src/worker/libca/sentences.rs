//! What is said in the same words by every approach that uses libca: time
//! limits, names, and what was not finished in time.

use std::ffi::CString;
use std::time::Duration;

use crate::worker::StageError;
use crate::worker_protocol::Job;

/// So much that no stage needs it, and little enough to be added to any time.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(u32::MAX as u64);

/// How long a stage of `job` may take.
pub(in crate::worker) fn timeout_of(job: &Job) -> Result<Duration, StageError> {
    match Duration::try_from_secs_f64(job.timeout_s) {
        Ok(timeout) => Ok(timeout.min(LONGEST_TIMEOUT)),
        Err(error) => Err(StageError(format!("timeout of {} s: {error}", job.timeout_s))),
    }
}

/// The PV names of `job` as C has them.
pub(in crate::worker) fn c_names(job: &Job) -> Result<Vec<CString>, StageError> {
    job.pvs
        .iter()
        .map(|name| {
            CString::new(name.as_str())
                .map_err(|error| StageError(format!("PV name {name:?}: {error}")))
        })
        .collect()
}

/// `missing` of `all` PVs are not `what` (connected, read, …), `first` among
/// them, although `after` has passed.
pub(in crate::worker) fn unfinished(
    missing: usize,
    all: usize,
    what: &str,
    after: Duration,
    first: &str,
) -> StageError {
    let after = after.as_secs_f64();
    StageError(format!("{missing} of {all} PVs not {what} after {after} s, first {first}"))
}

/// Why libca drops every update of so many bytes, if it does: it only says so
/// once, on stderr. `variable` looks an environment variable up.
pub(in crate::worker) fn why_dropped(
    bytes: usize,
    variable: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    let grows = variable("EPICS_CA_AUTO_ARRAY_BYTES").unwrap_or_default();
    if grows.is_empty() || grows.eq_ignore_ascii_case("yes") {
        return None;
    }
    let most: usize = variable("EPICS_CA_MAX_ARRAY_BYTES")?.trim().parse().ok()?;
    (bytes > most).then(|| {
        format!(
            "its {bytes} bytes are more than EPICS_CA_MAX_ARRAY_BYTES={most}, \
             and EPICS_CA_AUTO_ARRAY_BYTES={grows}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(timeout_s: f64, name: &str) -> Job {
        Job { pvs: vec![name.to_owned()], timeout_s, handicap: None }
    }

    #[test]
    fn what_is_unfinished_is_counted_and_the_first_named() {
        let StageError(said) =
            unfinished(3, 10_000, "connected", Duration::from_secs(5), "gauge:7");
        assert_eq!(said, "3 of 10000 PVs not connected after 5 s, first gauge:7");
    }

    #[test]
    fn a_timeout_that_is_no_time_is_refused_and_an_endless_one_is_shortened() {
        assert!(timeout_of(&job(-1.0, "a")).is_err());
        assert!(timeout_of(&job(f64::NAN, "a")).is_err());
        assert_eq!(timeout_of(&job(1e18, "a")).unwrap(), LONGEST_TIMEOUT);
    }

    #[test]
    fn a_name_that_c_cannot_have_is_refused() {
        assert!(c_names(&job(1.0, "gauge\0:1")).is_err());
        assert!(c_names(&job(1.0, "gauge:1")).is_ok());
    }

    #[test]
    fn an_array_is_dropped_when_it_is_too_large_and_may_not_grow() {
        let dropped = |bytes, grows: &'static str| {
            why_dropped(bytes, move |name| match name {
                "EPICS_CA_AUTO_ARRAY_BYTES" => Some(grows.to_owned()),
                _ => Some("16384".to_owned()),
            })
        };
        let why = "its 652800 bytes are more than EPICS_CA_MAX_ARRAY_BYTES=16384, \
                   and EPICS_CA_AUTO_ARRAY_BYTES=NO";
        assert_eq!(dropped(652_800, "NO").as_deref(), Some(why));
        assert_eq!(dropped(16_384, "NO"), None);
        assert_eq!(dropped(652_800, "Yes"), None);
        assert_eq!(why_dropped(652_800, |_| None), None);
    }
}
