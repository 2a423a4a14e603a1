//! One measurement at a time on a machine.

use std::fs::File;
use std::io;

/// Waits until nobody else on this machine measures, and keeps it so until the
/// answer is dropped. Users who may not open each other's files do not see each
/// other.
///
/// # Errors
/// When the lock file in the system's temporary folder cannot be written.
pub fn measuring_alone() -> io::Result<File> {
    let path = std::env::temp_dir().join("epics-gauge-measuring.lock");
    let lock = File::options().create(true).append(true).open(path)?;
    lock.lock()?;
    Ok(lock)
}
