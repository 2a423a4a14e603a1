//! IOCs that are started before they are needed.

use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

use super::{Builder, IocError, SoftIoc};
use crate::process::ProcessError;

/// How many IOCs are started at the same time. Each mostly sleeps, but loads its database
/// definition in some 50 ms of CPU time.
const AT_ONCE: usize = 16;

/// IOCs of one kind, some of them always ready: [`Builder::pool`]. Dropping it ends those
/// that nobody took.
#[derive(Debug)]
pub struct Pool {
    ready: Receiver<Result<SoftIoc, IocError>>,
}

impl Pool {
    pub(super) fn of(builder: Builder, ready: usize) -> Pool {
        let ready = ready.max(1);
        // Those that the threads hold are ready too.
        let threads = ready.min(AT_ONCE);
        let (sender, receiver) = mpsc::sync_channel(ready - threads);
        for _ in 0..threads {
            let (builder, sender) = (builder.clone(), sender.clone());
            thread::spawn(move || fill(&builder, &sender));
        }
        Pool { ready: receiver }
    }

    /// An IOC that nobody else has; blocks only while none is ready.
    ///
    /// # Errors
    /// Those of [`Builder::start`].
    pub fn take(&self) -> Result<SoftIoc, IocError> {
        self.ready.recv().unwrap_or_else(|_| Err(ProcessError::Interrupted.into()))
    }
}

/// Starts IOCs until nobody can take one any more.
fn fill(builder: &Builder, ready: &SyncSender<Result<SoftIoc, IocError>>) {
    loop {
        if ready.send(builder.start()).is_err() {
            return;
        }
    }
}
