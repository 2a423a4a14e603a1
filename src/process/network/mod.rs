//! Bytes over a process's own TCP connections, as the kernel counts them.
//!
//! Channel Access carries all data over TCP; its searches and beacons go over
//! UDP and are not counted. Payload only: no headers, and bytes that were sent
//! again count once. Loopback counts like any other way.
//!
//! Processes of the same user can be looked at, without any privilege.

mod counter;
#[cfg(not(target_os = "linux"))]
mod elsewhere;
mod established;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod sock_diag;

#[cfg(not(target_os = "linux"))]
use elsewhere::{all_connections, each_again, socket_inodes};
#[cfg(target_os = "linux")]
use {
    linux::socket_inodes,
    sock_diag::{all_connections, each_again},
};

pub(super) use counter::Listing;
pub use counter::NetworkCounter;
pub use established::{Established, established};

use std::collections::BTreeSet;
use std::net::SocketAddr;

/// One TCP connection and what it has carried so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketBytes {
    /// The number by which a process's file descriptors name it; 0 when it was
    /// closed and still carries what is left.
    pub inode: u64,
    /// The kernel's own number for it, which is never used again.
    pub cookie: u64,
    /// This end.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
    /// Bytes received. The end of a connection counts as one byte.
    pub received_bytes: u64,
    /// Bytes sent, each once.
    pub sent_bytes: u64,
    /// Bytes that were sent another time; 0 on kernels before 4.19.
    pub sent_again_bytes: u64,
    /// Segments received, those without data too.
    pub received_segments: u64,
    /// Segments sent, those without data too.
    pub sent_segments: u64,
}

/// The sum over several connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NetworkBytes {
    /// Bytes received.
    pub received_bytes: u64,
    /// Bytes sent, each once.
    pub sent_bytes: u64,
    /// How many connections were seen, closed ones included.
    pub connections: usize,
}

/// Why a process's connections cannot be counted.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// There is no such process.
    #[error("process {pid} has ended")]
    Ended {
        /// The process.
        pid: u32,
    },
    /// Its descriptors cannot be read: it is another user's, or protects itself.
    #[error("cannot see the sockets of process {pid}: {reason}")]
    Forbidden {
        /// The process.
        pid: u32,
        /// What the system said.
        reason: String,
    },
    /// It is in a network namespace of its own, which the kernel does not show.
    #[error("process {pid} lives in another network namespace")]
    OtherNetwork {
        /// The process.
        pid: u32,
    },
    /// The kernel does not report it.
    #[error("the kernel does not report TCP connections: {0}")]
    Kernel(String),
    /// There is no way to ask on this system.
    #[error("network bytes of a process are not available on this system")]
    NotAvailable,
}

/// The connections that these processes hold now, each once, however many of
/// them share it. Listening sockets are no connections.
///
/// # Errors
/// When one of the processes has ended or may not be looked at, and where the
/// system does not report it.
pub fn socket_bytes(pids: &[u32]) -> Result<Vec<SocketBytes>, NetworkError> {
    let mut inodes = BTreeSet::new();
    for pid in pids {
        inodes.extend(socket_inodes(*pid)?);
    }
    let all = all_connections()?;
    Ok(all.into_iter().filter(|socket| inodes.contains(&socket.inode)).collect())
}
