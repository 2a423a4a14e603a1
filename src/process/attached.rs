//! A command of the user's own that shares this process's terminal and process group, and
//! goes with this process all the same.

use std::io;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// A running command. Dropping it kills it and all its descendants.
#[derive(Debug)]
pub struct AttachedChild {
    supervisor: std::process::Child,
    /// Its end is the end of the command.
    _control: UnixStream,
    pid: u32,
}

impl AttachedChild {
    pub(super) fn around(
        supervisor: std::process::Child,
        control: UnixStream,
        pid: u32,
    ) -> AttachedChild {
        AttachedChild { supervisor, _control: control, pid }
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When the system does not report it.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.supervisor.try_wait()
    }

    /// Sends the command a signal.
    pub fn signal(&self, number: libc::c_int) {
        if let Ok(pid) = libc::pid_t::try_from(self.pid) {
            // SAFETY: only sends a signal; the supervisor has not waited for the command as
            // long as it lives itself.
            unsafe { libc::kill(pid, number) };
        }
    }

    /// The exit code as a shell gives it: 128 and the number of the signal that ended it.
    pub fn exit_code(status: ExitStatus) -> u8 {
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
        code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
    }
}

impl Drop for AttachedChild {
    fn drop(&mut self) {
        if matches!(self.supervisor.try_wait(), Ok(None)) {
            self.signal(libc::SIGKILL);
            let _ = self.supervisor.wait();
        }
    }
}
