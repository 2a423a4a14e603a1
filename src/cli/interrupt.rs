//! Ctrl-C: the first ends every wait and keeps what was measured, the second
//! ends the program.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

use super::exit::Exit;

/// From now on signals that ask to stop are obeyed in order.
pub(super) fn listen() -> io::Result<()> {
    let asked = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        flag::register_conditional_shutdown(
            signal,
            i32::from(Exit::Interrupted.code()),
            Arc::clone(&asked),
        )?;
        let asked = Arc::clone(&asked);
        // SAFETY: the handler only stores to atomics, which is
        // async-signal-safe.
        unsafe {
            low_level::register(signal, move || {
                asked.store(true, Ordering::SeqCst);
                epics_gauge::process::interrupt();
            })?;
        }
    }
    Ok(())
}
