//! Circuits that a cut leaves open on either side.

use std::collections::HashSet;
use std::net::SocketAddr;

use super::workers::Workers;
use crate::ioc::Server;
use crate::link::LinkKind;
use crate::process::{Established, established};
use crate::record::CircuitsLeft;

/// The circuits of every worker, in the order of workers; none of one whose circuits the
/// system does not report.
pub(super) struct Circuits(Vec<Option<Vec<Established>>>);

impl Circuits {
    /// Those of now.
    pub(super) fn of(workers: &mut Workers) -> Circuits {
        let of_one = |worker: &mut super::workers::FaultWorker| established(worker.hello()?.pid);
        Circuits(workers.all().iter_mut().map(of_one).collect())
    }

    /// What is left of these circuits now, beside the new ones, in the order of workers.
    pub(super) fn left(&self, workers: &mut Workers, ioc: &dyn Server) -> Vec<CircuitsLeft> {
        let now = Circuits::of(workers);
        let is_seen_through = ioc.link().is_none_or(|link| link.kind() == LinkKind::Namespaces);
        // A relay has circuits of its own to the server.
        let served = if is_seen_through { established(ioc.pid()) } else { None };
        let left = |(before, now): (&Option<Vec<Established>>, &Option<Vec<Established>>)| match (
            before, now,
        ) {
            (Some(before), Some(now)) => left_of(before, now, served.as_deref()),
            _ => CircuitsLeft::default(),
        };
        self.0.iter().zip(&now.0).map(left).collect()
    }
}

/// A client needs no more circuits than before; a server has none that its client has left.
fn left_of(
    before: &[Established],
    now: &[Established],
    served: Option<&[Established]>,
) -> CircuitsLeft {
    let living: HashSet<SocketAddr> = now.iter().map(|one| one.local).collect();
    let left_by_client: HashSet<SocketAddr> =
        before.iter().map(|one| one.local).filter(|local| !living.contains(local)).collect();
    let is_left = |one: &&Established| left_by_client.contains(&one.remote);
    CircuitsLeft {
        client: Some(now.len().saturating_sub(before.len())),
        server: served.map(|served| served.iter().filter(is_left).count()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn circuit(local: u16, remote: u16) -> Established {
        let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        Established { local: at(local), remote: at(remote) }
    }

    #[test]
    fn a_server_that_keeps_the_circuit_of_before_and_a_client_that_has_two_are_seen() {
        let before = [circuit(1000, 5064)];
        let now = [circuit(1001, 5064)];
        let forgotten = [circuit(5064, 1001), circuit(5064, 7777)];
        let none = CircuitsLeft { client: Some(0), server: Some(0) };
        assert_eq!(left_of(&before, &now, Some(&forgotten)), none);
        let kept = [circuit(5064, 1000), circuit(5064, 1001)];
        assert_eq!(left_of(&before, &now, Some(&kept)).server, Some(1));
        let both = [before[0], now[0]];
        let two = CircuitsLeft { client: Some(1), server: Some(0) };
        assert_eq!(left_of(&before, &both, Some(&kept)), two, "the client still has both");
        assert_eq!(left_of(&before, &now, None).server, None);
    }
}
