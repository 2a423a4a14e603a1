//! A mark in the environment of everything that this process starts, by which
//! whatever outlives it is found.

use std::sync::OnceLock;
#[cfg(feature = "cli")]
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

#[cfg(feature = "cli")]
use super::Deadline;

/// The variable that carries the mark. Daemons inherit it however they detach.
pub(super) const VARIABLE: &str = "GAUGE_STARTED_BY";

#[cfg(feature = "cli")]
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// This process's own mark.
pub(super) fn mark() -> &'static str {
    static MARK: OnceLock<String> = OnceLock::new();
    MARK.get_or_init(|| {
        let random: u64 = StdRng::from_os_rng().random();
        format!("{}-{random:016x}", std::process::id())
    })
}

/// How many processes that this one started, or that those started, are still
/// there; blocks for up to `grace` until there is none, for the dying take a
/// moment. None where the system does not show environments (it does on Linux).
///
/// Processes of other users are not seen; this process starts none.
#[cfg(feature = "cli")]
pub fn processes_left(grace: Duration) -> Option<usize> {
    let deadline = Deadline::after(grace);
    loop {
        let left = count()?;
        if left == 0 || deadline.remaining().is_zero() {
            return Some(left);
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

#[cfg(all(feature = "cli", target_os = "linux"))]
fn count() -> Option<usize> {
    let processes = procfs::process::all_processes().ok()?;
    let is_marked = |process: procfs::process::Process| {
        let environment = process.environ().ok()?;
        (environment.get(std::ffi::OsStr::new(VARIABLE))? == mark()).then_some(())
    };
    Some(processes.flatten().filter_map(is_marked).count())
}

#[cfg(all(feature = "cli", not(target_os = "linux")))]
fn count() -> Option<usize> {
    None
}
