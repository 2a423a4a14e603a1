//! Which TCP connections of a process are established, in whatever network namespace it lives.

use std::net::SocketAddr;

/// One established connection of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Established {
    /// The process's end.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
}

/// Those of the process `pid`; none when there is no such process, or the system does not
/// report them.
pub fn established(pid: u32) -> Option<Vec<Established>> {
    #[cfg(target_os = "linux")]
    {
        use std::collections::HashSet;

        use procfs::net::TcpState;
        use procfs::process::{FDTarget, Process};

        let process = Process::new(i32::try_from(pid).ok()?).ok()?;
        let descriptors = process.fd().ok()?.flatten();
        let own: HashSet<u64> = descriptors
            .filter_map(|one| match one.target {
                FDTarget::Socket(inode) => Some(inode),
                _ => None,
            })
            .collect();
        let all = process.tcp().ok()?.into_iter().chain(process.tcp6().ok().unwrap_or_default());
        let is_own = |entry: &procfs::net::TcpNetEntry| {
            entry.state == TcpState::Established && own.contains(&entry.inode)
        };
        let connection = |entry: procfs::net::TcpNetEntry| Established {
            local: entry.local_address,
            remote: entry.remote_address,
        };
        Some(all.filter(is_own).map(connection).collect())
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = pid;
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn both_ends_of_a_connection_are_seen_while_it_is_open() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let local = client.local_addr().unwrap();
        let ends = || {
            let all = established(std::process::id()).unwrap();
            all.iter().filter(|one| one.local == local || one.remote == local).count()
        };
        assert_eq!(ends(), 2);
        drop((client, server));
        assert_eq!(ends(), 0);
        assert_eq!(established(u32::MAX), None);
    }
}
