//! Who this client says it is, and what names it takes.

use std::io;

use crate::worker::client::StageError;

/// Longer names count as invalid, as `unreasonablePVNameSize` of `caProto.h`.
const UNREASONABLE_PV_NAME_SIZE: usize = 500;

/// Refuses a name that cannot be put into a message or that servers ignore.
pub(super) fn check_name(name: &str) -> Result<(), StageError> {
    if name.is_empty() || name.len() > UNREASONABLE_PV_NAME_SIZE || name.contains('\0') {
        return Err(StageError(format!("{name:?} cannot be the name of a PV")));
    }
    Ok(())
}

/// The name that servers receive for access security.
pub(in crate::worker) fn user_name() -> String {
    let name = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    name.unwrap_or_else(|_| "unknown".to_owned())
}

/// The name of this host that servers receive for access security.
pub(in crate::worker) fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let name = name.or_else(|_| std::env::var("HOSTNAME").map_err(io::Error::other));
    name.map_or_else(|_| "localhost".to_owned(), |name| name.trim().to_owned())
}
