//! Systems that do not report a connection's bytes without privileges.

use super::{NetworkError, SocketBytes};

pub(super) fn socket_inodes(_pid: u32) -> Result<Vec<u64>, NetworkError> {
    Err(NetworkError::NotAvailable)
}

pub(super) fn all_connections() -> Result<Vec<SocketBytes>, NetworkError> {
    Err(NetworkError::NotAvailable)
}

pub(super) fn each_again(_connections: &[&SocketBytes]) -> Result<Vec<SocketBytes>, NetworkError> {
    Err(NetworkError::NotAvailable)
}
