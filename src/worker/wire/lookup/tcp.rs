//! Searches at name servers over TCP circuits, where nothing gets lost.

use std::collections::HashMap;
use std::net::SocketAddrV4;
use std::ops::Range;
use std::time::Duration;

use crate::worker::wire::channel::{Channel, ChannelState};
use crate::worker::wire::circuit::Circuit;
use crate::worker::wire::guide::{Guide, Whom};
use crate::worker::wire::message;
use crate::worker::wire::names::Names;

/// How long name servers may take before they are asked again.
const NAME_SERVER_PATIENCE: Duration = Duration::from_secs(1);

/// Searches at name servers.
pub(in crate::worker::wire) struct TcpLookup {
    /// The name servers.
    pub(in crate::worker::wire) servers: Vec<SocketAddrV4>,
    /// By server: its circuit, once wanted and if there is one.
    circuits: Vec<Option<u16>>,
    /// By circuit: the server, if it is one of the name servers.
    server_of: Vec<Option<u16>>,
    guide: Guide,
    wanted: Range<u32>,
    /// Which server a sample is not at, counted.
    denials: HashMap<u32, usize>,
    /// When all that may be asked had been put into the circuits' outputs.
    finished: Option<Duration>,
    /// Search messages put there.
    searches: u64,
}

impl TcpLookup {
    /// A lookup of `pvs` PVs at `servers`.
    pub(in crate::worker::wire) fn new(servers: Vec<SocketAddrV4>, pvs: usize) -> TcpLookup {
        TcpLookup {
            circuits: vec![None; servers.len()],
            server_of: Vec::new(),
            guide: Guide::new(servers.len(), pvs),
            servers,
            wanted: 0..0,
            denials: HashMap::new(),
            finished: None,
            searches: 0,
        }
    }

    /// Asks for `pvs` on `circuits`, by server, and no longer for what was asked
    /// before.
    pub(in crate::worker::wire) fn want(&mut self, pvs: Range<u32>, circuits: Vec<Option<u16>>) {
        self.set_circuits(circuits);
        self.wanted = pvs.clone();
        self.finished = None;
        self.denials.clear();
        self.guide.want(pvs);
    }

    /// Asks everyone for what is not found among all PVs.
    pub(in crate::worker::wire) fn want_again(
        &mut self,
        circuits: Vec<Option<u16>>,
        channels: &[Channel],
    ) {
        self.set_circuits(circuits);
        self.wanted = 0..channels.len() as u32;
        self.ask_everyone(channels);
    }

    /// How many search messages were put into outputs.
    pub(in crate::worker::wire) fn searches(&self) -> u64 {
        self.searches
    }

    /// Puts into the circuits' outputs what has room there.
    pub(in crate::worker::wire) fn send(
        &mut self,
        now: Duration,
        names: &Names,
        channels: &[Channel],
        circuits: &mut [Circuit],
    ) {
        if self.next_timeout().is_some_and(|timeout| now >= timeout) {
            self.ask_everyone(channels);
        }
        while let Some((pv, whom)) = self.guide.next() {
            self.finished = None;
            let asked = match whom {
                Whom::Everyone => self.circuits.as_slice(),
                Whom::Server(server) => &self.circuits[usize::from(server)..][..1],
            };
            let places = || asked.iter().flatten().map(|index| usize::from(*index));
            if places().any(|index| circuits[index].is_full()) {
                return;
            }
            self.guide.asked();
            // What nobody waits for needs no word of those that do not have it.
            let is_awaited = whom != Whom::Everyone || self.guide.is_sample(pv);
            let encode =
                if is_awaited { message::encode_search_with_reply } else { message::encode_search };
            let mut is_asked = false;
            for index in places() {
                let circuit = &mut circuits[index];
                if !circuit.is_down() {
                    encode(circuit.output(), pv, names.get(pv));
                    self.searches += 1;
                    is_asked = true;
                }
            }
            if !is_asked {
                self.guide.give_up(pv);
            }
        }
        self.finished.get_or_insert(now);
    }

    fn set_circuits(&mut self, circuits: Vec<Option<u16>>) {
        let most = circuits.iter().flatten().max();
        self.server_of = vec![None; most.map_or(0, |most| usize::from(*most) + 1)];
        for (circuit, server) in circuits.iter().zip(0..) {
            if let Some(circuit) = circuit {
                self.server_of[usize::from(*circuit)] = Some(server);
            }
        }
        self.circuits = circuits;
    }

    /// Asks everyone for what is not found, if anything.
    fn ask_everyone(&mut self, channels: &[Channel]) {
        let is_missing = |pv: &u32| channels[*pv as usize].state == ChannelState::NotFound;
        let missing: Vec<u32> = self.wanted.clone().filter(is_missing).collect();
        if missing.is_empty() {
            self.wanted = 0..0;
        }
        self.finished = None;
        self.denials.clear();
        self.guide.want_of_everyone(missing.into_iter());
    }

    /// When [`TcpLookup::send`] has something to send again, at the earliest.
    pub(in crate::worker::wire) fn next_timeout(&self) -> Option<Duration> {
        (!self.wanted.is_empty()).then_some(self.finished? + NAME_SERVER_PATIENCE)
    }

    /// Takes note that a PV was found on a circuit.
    pub(in crate::worker::wire) fn found(&mut self, pv: u32, circuit: u16) {
        let server = self.server_of.get(usize::from(circuit)).copied().flatten();
        self.guide.found(pv, server);
        self.finished = None;
    }

    /// Takes note that the server of a circuit does not have a PV.
    pub(in crate::worker::wire) fn not_found(&mut self, pv: u32) {
        self.finished = None;
        if !self.guide.is_sample(pv) {
            self.guide.missed(pv);
            return;
        }
        let denials = self.denials.entry(pv).or_default();
        *denials += 1;
        if *denials >= self.circuits.iter().flatten().count() {
            self.guide.give_up(pv);
        }
    }
}
