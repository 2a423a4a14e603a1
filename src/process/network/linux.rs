//! Which sockets a process holds, from `/proc`.

use std::fs;
use std::io;

use super::NetworkError;

/// The inodes of the sockets that a process has open, of any kind.
pub(super) fn socket_inodes(pid: u32) -> Result<Vec<u64>, NetworkError> {
    let failed = |error: io::Error| explained(pid, &error);
    if fs::read_link(format!("/proc/{pid}/ns/net")).map_err(failed)?
        != fs::read_link("/proc/self/ns/net").map_err(failed)?
    {
        return Err(NetworkError::OtherNetwork { pid });
    }
    let mut inodes = Vec::new();
    for descriptor in fs::read_dir(format!("/proc/{pid}/fd")).map_err(failed)? {
        match fs::read_link(descriptor.map_err(failed)?.path()) {
            Ok(target) => inodes.extend(target.to_str().and_then(socket_inode)),
            // It was closed between listing and reading it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(inodes)
}

/// `socket:[INODE]`
fn socket_inode(target: &str) -> Option<u64> {
    target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

fn explained(pid: u32, error: &io::Error) -> NetworkError {
    // A process that ended but was not waited for has no descriptors to read.
    let ended = matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH));
    match ended {
        true => NetworkError::Ended { pid },
        false => NetworkError::Forbidden { pid, reason: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sockets_have_a_socket_inode() {
        assert_eq!(socket_inode("socket:[4711]"), Some(4711));
        assert_eq!(socket_inode("pipe:[4711]"), None);
        assert_eq!(socket_inode("/tmp/socket:[1]"), None);
    }
}
