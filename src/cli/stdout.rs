//! Data on stdout.

use std::io::{self, Write};

use super::Failure;

/// Writes `text`. A reader that has seen enough (`| head`) is no failure.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::unmeasured(format!("cannot write to stdout: {error}")))
        }
        _ => Ok(()),
    }
}
