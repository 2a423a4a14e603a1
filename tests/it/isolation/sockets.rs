//! Which sockets a process holds, from `/proc`.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

/// One internet socket of a process.
#[derive(Debug, Clone)]
pub(crate) struct Socket {
    pub(crate) protocol: &'static str,
    pub(crate) local: SocketAddr,
    pub(crate) peer: SocketAddr,
}

/// The internet sockets of a process, as they are now.
pub(crate) fn sockets(pid: u32) -> Vec<Socket> {
    let inodes = inodes(pid);
    let mut found = Vec::new();
    for protocol in ["udp", "tcp", "udp6", "tcp6"] {
        let table = fs::read_to_string(format!("/proc/{pid}/net/{protocol}")).unwrap_or_default();
        for line in table.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if inodes.iter().any(|inode| inode == fields[9]) {
                found.push(Socket {
                    protocol,
                    local: address(fields[1]),
                    peer: address(fields[2]),
                });
            }
        }
    }
    found
}

fn inodes(pid: u32) -> Vec<String> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let targets = entries.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    targets
        .filter_map(|target| {
            let target = target.to_str()?;
            Some(target.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect()
}

/// `0100007F:1F90`: each group of eight digits is a number in the byte order
/// of the machine, the port is in reading order.
fn address(text: &str) -> SocketAddr {
    let (ip, port) = text.split_once(':').unwrap();
    let bytes: Vec<u8> = (0..ip.len() / 8)
        .flat_map(|group| u32::from_str_radix(&ip[group * 8..][..8], 16).unwrap().to_ne_bytes())
        .collect();
    let port = u16::from_str_radix(port, 16).unwrap();
    match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(bytes) => (Ipv4Addr::from(bytes), port).into(),
        Err(_) => (Ipv6Addr::from(<[u8; 16]>::try_from(bytes.as_slice()).unwrap()), port).into(),
    }
}
