//! Searches at name servers over TCP circuits, where nothing gets lost.

use std::collections::HashMap;
use std::net::SocketAddrV4;
use std::ops::Range;
use std::time::Duration;

use crate::worker::floor::channel::{Channel, ChannelState};
use crate::worker::floor::circuit::Circuit;
use crate::worker::floor::guide::{Guide, Whom};
use crate::worker::floor::names::Names;
use crate::worker::floor::protocol::Protocol;

/// How long name servers may take before they are asked again.
const NAME_SERVER_TIMEOUT: Duration = Duration::from_secs(1);

/// PVs that a name server is asked for at once, where a message may ask for several.
const SEARCHES_TOGETHER: usize = 256;

/// Searches at name servers.
pub(in crate::worker) struct TcpLookup {
    /// The name servers.
    pub(in crate::worker) servers: Vec<SocketAddrV4>,
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
    /// Searches put there.
    searches: u64,
    /// Room for the PVs that are asked for together.
    asked: Vec<u32>,
}

impl TcpLookup {
    /// A lookup of `pvs` PVs at `servers`.
    pub(in crate::worker) fn new(servers: Vec<SocketAddrV4>, pvs: usize) -> TcpLookup {
        TcpLookup {
            circuits: vec![None; servers.len()],
            server_of: Vec::new(),
            guide: Guide::new(servers.len(), pvs),
            servers,
            wanted: 0..0,
            denials: HashMap::new(),
            finished: None,
            searches: 0,
            asked: Vec::with_capacity(SEARCHES_TOGETHER),
        }
    }

    /// Asks for `pvs` on `circuits`, by server, and no longer for what was asked
    /// before.
    pub(in crate::worker) fn want(&mut self, pvs: Range<u32>, circuits: Vec<Option<u16>>) {
        self.set_circuits(circuits);
        self.wanted = pvs.clone();
        self.finished = None;
        self.denials.clear();
        self.guide.want(pvs);
    }

    /// Asks everyone for what is not found among all PVs.
    pub(in crate::worker) fn want_again(
        &mut self,
        circuits: Vec<Option<u16>>,
        channels: &[Channel],
    ) {
        self.set_circuits(circuits);
        self.wanted = 0..channels.len() as u32;
        self.ask_everyone(channels);
    }

    /// How many searches were put into outputs.
    pub(in crate::worker) fn searches(&self) -> u64 {
        self.searches
    }

    /// Puts into the circuits' outputs what has room there.
    pub(in crate::worker) fn send<P: Protocol>(
        &mut self,
        now: Duration,
        names: &Names,
        channels: &[Channel],
        (protocol, circuits): (&mut P, &mut [Circuit<P>]),
    ) {
        if self.next_timeout().is_some_and(|timeout| now >= timeout) {
            self.ask_everyone(channels);
        }
        while let Some((first, whom)) = self.guide.next() {
            self.finished = None;
            let asked = match whom {
                Whom::Everyone => self.circuits.clone(),
                Whom::Server(server) => vec![self.circuits[usize::from(server)]],
            };
            let places = || asked.iter().flatten().map(|index| usize::from(*index));
            let must_wait = |circuit: &Circuit<P>| {
                circuit.is_full() || !(circuit.is_down() || circuit.is_ready())
            };
            if places().any(|index| must_wait(&circuits[index])) {
                return;
            }
            // What nobody waits for needs no word of those that do not have it.
            let is_awaited = |guide: &Guide, pv| whom != Whom::Everyone || guide.is_sample(pv);
            let awaited = is_awaited(&self.guide, first);
            self.asked.clear();
            while self.asked.len() < SEARCHES_TOGETHER
                && let Some((pv, next)) = self.guide.next()
                && next == whom
                && is_awaited(&self.guide, pv) == awaited
            {
                self.guide.asked();
                self.asked.push(pv);
            }
            let mut is_asked = false;
            for index in places() {
                if circuits[index].is_down() {
                    continue;
                }
                let (peer, output) = circuits[index].peer_and_output();
                protocol.search(peer, output, &self.asked, names, awaited);
                self.searches += self.asked.len() as u64;
                is_asked = true;
            }
            if !is_asked {
                self.asked.iter().for_each(|pv| self.guide.give_up(*pv));
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
    pub(in crate::worker) fn next_timeout(&self) -> Option<Duration> {
        (!self.wanted.is_empty()).then_some(self.finished? + NAME_SERVER_TIMEOUT)
    }

    /// Takes note that a PV was found on a circuit.
    pub(in crate::worker) fn found(&mut self, pv: u32, circuit: u16) {
        let server = self.server_of.get(usize::from(circuit)).copied().flatten();
        self.guide.found(pv, server);
        self.finished = None;
    }

    /// Takes note that the server of a circuit does not have a PV.
    pub(in crate::worker) fn not_found(&mut self, pv: u32) {
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
