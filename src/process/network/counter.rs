//! The sum over connections that come and go.

use std::collections::{BTreeMap, BTreeSet};

use super::{NetworkBytes, NetworkError, SocketBytes, all_connections, each_again, socket_inodes};

/// With more connections than these it is cheaper to list all of the machine.
const MOST_ASKED_SINGLY: usize = 64;

/// Adds up the connections of changing processes over time.
///
/// A connection that is closed between two reads counts with what it had carried
/// at the last read that saw it; one that is opened and closed between two reads
/// is not seen. So read it while what matters is still open.
#[derive(Debug, Default)]
pub struct NetworkCounter {
    seen: BTreeMap<u64, SocketBytes>,
    /// The cookies of those that the kernel still knew at the last read.
    open: BTreeSet<u64>,
    /// The inodes of sockets that were no connections: UDP, listening.
    others: BTreeSet<u64>,
}

impl NetworkCounter {
    /// A counter that has seen nothing yet.
    pub fn new() -> NetworkCounter {
        NetworkCounter::default()
    }

    /// All bytes that the connections of these processes have carried, those
    /// included that were seen in reads before. Processes that have ended are
    /// left out. Looks at every socket; costs some milliseconds of CPU time.
    ///
    /// # Errors
    /// When a process may not be looked at, and where the system does not report it.
    pub fn read(&mut self, pids: &[u32]) -> Result<NetworkBytes, NetworkError> {
        self.read_with(pids, &mut Listing::default(), true)
    }

    /// Like [`NetworkCounter::read`], but lists the machine's connections only
    /// when needed, and once for all who share the listing. Unless `anew`, a
    /// socket that was no connection before is not looked at again.
    pub(in crate::process) fn read_with(
        &mut self,
        pids: &[u32],
        listing: &mut Listing,
        anew: bool,
    ) -> Result<NetworkBytes, NetworkError> {
        let inodes = inodes_of_living(pids)?;
        if anew {
            self.others.clear();
        }
        if !anew && self.open.len() <= MOST_ASKED_SINGLY {
            let open: Vec<&SocketBytes> =
                self.open.iter().filter_map(|cookie| self.seen.get(cookie)).collect();
            let answers = each_again(&open)?;
            self.note(&inodes, &answers);
            if self.knows(&inodes) {
                return Ok(self.total());
            }
        }
        self.note(&inodes, listing.connections()?);
        let connections: BTreeSet<u64> = self.open_inodes();
        self.others = inodes.difference(&connections).copied().collect();
        Ok(self.total())
    }

    /// A connection that was seen stays known by its cookie: what it still sends
    /// after the process closed it counts too.
    fn note(&mut self, inodes: &BTreeSet<u64>, connections: &[SocketBytes]) {
        self.open.clear();
        for socket in connections {
            if inodes.contains(&socket.inode) || self.seen.contains_key(&socket.cookie) {
                self.open.insert(socket.cookie);
                self.seen.insert(socket.cookie, socket.clone());
            }
        }
    }

    fn knows(&self, inodes: &BTreeSet<u64>) -> bool {
        let connections = self.open_inodes();
        inodes.iter().all(|inode| connections.contains(inode) || self.others.contains(inode))
    }

    fn open_inodes(&self) -> BTreeSet<u64> {
        self.open.iter().filter_map(|cookie| Some(self.seen.get(cookie)?.inode)).collect()
    }

    fn total(&self) -> NetworkBytes {
        NetworkBytes {
            received_bytes: self.seen.values().map(|socket| socket.received_bytes).sum(),
            sent_bytes: self.seen.values().map(|socket| socket.sent_bytes).sum(),
            connections: self.seen.len(),
        }
    }
}

/// All connections of the machine, listed when first needed: the kernel walks
/// its whole table for it.
#[derive(Debug, Default)]
pub(in crate::process) struct Listing(Option<Vec<SocketBytes>>);

impl Listing {
    fn connections(&mut self) -> Result<&[SocketBytes], NetworkError> {
        let listed = match self.0.take() {
            Some(listed) => listed,
            None => all_connections()?,
        };
        Ok(self.0.insert(listed))
    }
}

fn inodes_of_living(pids: &[u32]) -> Result<BTreeSet<u64>, NetworkError> {
    let mut inodes = BTreeSet::new();
    for pid in pids {
        match socket_inodes(*pid) {
            Ok(found) => inodes.extend(found),
            Err(NetworkError::Ended { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(inodes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(inode: u64, cookie: u64, bytes: u64) -> SocketBytes {
        SocketBytes {
            inode,
            cookie,
            local: ([127, 0, 0, 1], 1).into(),
            remote: ([127, 0, 0, 1], 2).into(),
            received_bytes: bytes,
            sent_bytes: 10 * bytes,
            sent_again_bytes: 0,
            received_segments: 1,
            sent_segments: 1,
        }
    }

    #[test]
    fn a_closed_connection_counts_with_what_was_last_seen() {
        let mut counter = NetworkCounter::new();
        let inodes = BTreeSet::from([5, 6]);
        counter.note(&inodes, &[socket(5, 1, 100), socket(6, 2, 1), socket(7, 3, 999)]);
        assert_eq!(counter.total().received_bytes, 101);
        // One was closed by its process and goes on, the other is gone.
        counter.note(&BTreeSet::new(), &[socket(0, 1, 150)]);
        let expected = NetworkBytes { received_bytes: 151, sent_bytes: 1510, connections: 2 };
        assert_eq!(counter.total(), expected);
    }

    #[test]
    fn an_inode_that_is_neither_a_connection_nor_known_as_none_asks_for_a_listing() {
        let mut counter = NetworkCounter::new();
        let inodes = BTreeSet::from([5, 6]);
        counter.note(&inodes, &[socket(5, 1, 100)]);
        assert!(!counter.knows(&inodes));
        counter.others.insert(6);
        assert!(counter.knows(&inodes));
        // Closed, and the number given to another socket.
        counter.note(&inodes, &[]);
        assert!(!counter.knows(&inodes));
    }

    #[test]
    fn a_number_that_is_used_again_is_another_connection() {
        let mut counter = NetworkCounter::new();
        let inodes = BTreeSet::from([5]);
        counter.note(&inodes, &[socket(5, 1, 100)]);
        counter.note(&inodes, &[socket(5, 2, 7)]);
        assert_eq!(counter.total().received_bytes, 107);
        assert_eq!(counter.open, BTreeSet::from([2]));
    }
}
