//! What a job asks for, as the libraries take it.

use std::ffi::CString;
use std::time::Duration;

use super::client::StageError;
use crate::worker_protocol::Job;

/// So much that no stage needs it, and little enough to be added to any time.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(u32::MAX as u64);

/// How long a stage of `job` may take.
pub(super) fn timeout_of(job: &Job) -> Result<Duration, StageError> {
    match Duration::try_from_secs_f64(job.timeout_s) {
        Ok(timeout) => Ok(timeout.min(LONGEST_TIMEOUT)),
        Err(error) => Err(StageError(format!("timeout of {} s: {error}", job.timeout_s))),
    }
}

/// The PV names of `job` as C has them.
pub(super) fn c_names(job: &Job) -> Result<Vec<CString>, StageError> {
    job.pvs
        .iter()
        .map(|name| {
            CString::new(name.as_str())
                .map_err(|error| StageError(format!("PV name {name:?}: {error}")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(timeout_s: f64, name: &str) -> Job {
        Job { pvs: vec![name.to_owned()], timeout_s, slowdown: None }
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
}
