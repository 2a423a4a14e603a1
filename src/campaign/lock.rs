//! One measurement at a time on a machine, whoever runs it.
//!
//! The lock is an exclusive `flock` of the root folder. Every user can open that and
//! nobody can replace it; nothing is written; and the kernel frees the lock however its
//! holder ends. Containers with a root folder of their own do not see each other.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::process::{LockHolder, descends_from, interrupted, lock_holder};

/// The variable that names another file to lock, or says `off`: for tests, and for
/// measurements that have processor cores of their own.
const LOCK_VARIABLE: &str = "EPICS_GAUGE_LOCK";

/// The folder that every user of the machine shares.
const OF_THE_MACHINE: &str = "/";

/// How often a waiting command tries again: rarely, so that it does not disturb the
/// measurement.
const TRY_AGAIN: Duration = Duration::from_millis(200);

/// A shorter wait is not worth a message.
const FIRST_MESSAGE: Duration = Duration::from_secs(1);

/// How often the message is repeated.
const NEXT_MESSAGE: Duration = Duration::from_secs(300);

/// What to do while another command measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfBusy {
    /// Wait until it has ended.
    Wait,
    /// Give up.
    GiveUp,
}

/// The held lock; dropping it frees it.
#[derive(Debug)]
pub struct MeasuringLock {
    /// None where the lock is off, and within a command that holds it.
    _file: Option<File>,
}

/// Why the lock could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another command measures, and this one does not wait.
    #[error(
        "another measurement runs on this machine: {holder}. Run this command when it has ended, \
         or without --no-wait. If both have processor cores of their own, set EPICS_GAUGE_LOCK \
         to a file of yours."
    )]
    Busy {
        /// The process that measures.
        holder: String,
    },
    /// The user interrupted the wait.
    #[error("interrupted")]
    Interrupted,
    /// The system has no lock on this path.
    #[error(
        "cannot lock {path}, so that no other measurement disturbs this one: {source}. Set \
         EPICS_GAUGE_LOCK to a file that you can write, or to `off`."
    )]
    CannotLock {
        /// The path.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// Takes the machine's measuring lock, or that of `EPICS_GAUGE_LOCK`. Blocks while
/// another command measures, unless `if_busy` says otherwise; `report` gets a message
/// after a second, and again every five minutes. A command that the holder itself
/// started does not wait for it.
///
/// # Errors
/// [`LockError`].
pub fn measuring_lock(
    if_busy: IfBusy,
    report: impl FnMut(&str),
) -> Result<MeasuringLock, LockError> {
    match place(std::env::var_os(LOCK_VARIABLE).map(PathBuf::from)) {
        Some(path) => lock_path(&path, if_busy, report),
        None => Ok(MeasuringLock { _file: None }),
    }
}

/// The path to lock, from the value of the variable.
fn place(asked: Option<PathBuf>) -> Option<PathBuf> {
    match asked {
        Some(asked) if asked == Path::new("off") => None,
        Some(asked) if !asked.as_os_str().is_empty() => Some(asked),
        _ => Some(PathBuf::from(OF_THE_MACHINE)),
    }
}

fn lock_path(
    path: &Path,
    if_busy: IfBusy,
    mut report: impl FnMut(&str),
) -> Result<MeasuringLock, LockError> {
    let cannot = |source| LockError::CannotLock { path: path.to_owned(), source };
    let file = opened(path).map_err(cannot)?;
    let began = Instant::now();
    let mut next_message = FIRST_MESSAGE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(MeasuringLock { _file: Some(file) }),
            Err(std::fs::TryLockError::WouldBlock) => {}
            Err(std::fs::TryLockError::Error(source)) => return Err(cannot(source)),
        }
        let holder = lock_holder(&file);
        if holder.as_ref().is_some_and(|holder| descends_from(holder.pid)) {
            return Ok(MeasuringLock { _file: None });
        }
        if if_busy == IfBusy::GiveUp {
            return Err(LockError::Busy { holder: named(holder.as_ref()) });
        }
        if interrupted() {
            return Err(LockError::Interrupted);
        }
        if began.elapsed() >= next_message {
            next_message += NEXT_MESSAGE;
            report(&format!(
                "waiting for another measurement on this machine to end: {}; two at once would \
                 disturb each other (--no-wait does not wait)",
                named(holder.as_ref())
            ));
        }
        thread::sleep(TRY_AGAIN);
    }
}

/// To read: a lock needs no more, and other users may not write.
fn opened(path: &Path) -> io::Result<File> {
    match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            File::options().read(true).append(true).create(true).open(path)
        }
        opened => opened,
    }
}

fn named(holder: Option<&LockHolder>) -> String {
    match holder {
        Some(holder) => holder.to_string(),
        None if cfg!(target_os = "linux") => {
            "a process that is not visible from here, such as one in another container".to_owned()
        }
        None => "a process that this system does not name".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_is_locked_unless_the_variable_names_something_else() {
        let place = |asked: &str| place(Some(PathBuf::from(asked)));
        assert_eq!(super::place(None), Some(PathBuf::from("/")));
        assert_eq!(place(""), Some(PathBuf::from("/")));
        assert_eq!(place("off"), None);
        assert_eq!(place("/tmp/mine"), Some(PathBuf::from("/tmp/mine")));
    }

    #[test]
    fn what_is_locked_for_the_machine_can_be_opened_by_everybody() {
        assert!(opened(Path::new(OF_THE_MACHINE)).is_ok());
    }

    #[test]
    fn a_second_lock_of_this_process_gives_up_or_waits_for_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = lock_path(&path, IfBusy::Wait, |_| panic!("nobody else is there")).unwrap();
        let second = lock_path(&path, IfBusy::GiveUp, |_| ());
        let message = second.unwrap_err().to_string();
        assert!(message.contains("--no-wait") && message.contains("EPICS_GAUGE_LOCK"), "{message}");
        if cfg!(target_os = "linux") {
            assert!(message.contains(&format!("process {}", std::process::id())), "{message}");
        }
        let waiting = thread::spawn(move || {
            let mut reported = Vec::new();
            lock_path(&path, IfBusy::Wait, |text| reported.push(text.to_owned())).map(|_| reported)
        });
        thread::sleep(FIRST_MESSAGE + 3 * TRY_AGAIN);
        drop(first);
        let reported = waiting.join().unwrap().unwrap();
        assert_eq!(reported.len(), 1, "{reported:?}");
        assert!(reported[0].starts_with("waiting for another measurement"), "{reported:?}");
    }

    #[test]
    fn a_path_that_cannot_be_locked_names_what_to_do() {
        let error = lock_path(Path::new("/proc/no/such"), IfBusy::Wait, |_| ()).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("/proc/no/such") && message.contains("`off`"), "{message}");
    }
}
