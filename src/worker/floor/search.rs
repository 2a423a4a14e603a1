//! Which searches to put on the network and when; no I/O and no clock.
//!
//! Searches travel in datagrams that may be lost, on the way there or back, when
//! a socket's receive buffer is full. Like TCP, the search keeps a window of
//! unanswered datagrams (`window`). Unlike TCP, an answer may never come, because
//! nobody has the PV: a PV that was not answered [`DOUBTFUL_AFTER`] times is asked
//! for aside of the window, ever less often, and holds up no other PV.
//!
//! With several servers a [`Guide`] says whom to ask. A datagram to one of them
//! ends in a search for a PV that this server is known to have, the end mark: rsrv
//! answers in order and is silent about what it does not have, so the answer to the
//! end mark says that whatever else was not answered is not there.
//!
//! A moment is a [`Duration`] since any fixed origin.

mod filling;
mod flight;
mod round_trip;
mod statistics;
mod window;

pub(super) use self::statistics::SearchStatistics;

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::Range;
use std::time::Duration;

use self::flight::Flight;
use self::round_trip::RoundTrip;
use self::window::Window;
use super::guide::{Guide, Whom};

/// A datagram is lost when this many sent after it were answered.
const REORDERED_BY_LESS_THAN: u64 = 3;
/// A PV that was sent this often without an answer may not exist.
const DOUBTFUL_AFTER: u8 = 3;
/// Datagrams of doubtful PVs unanswered at once.
const DOUBTFUL_WINDOW: usize = 4;
/// Datagrams to each of several servers unanswered at once: all of those may
/// answer at the same time.
const WINDOW_OF_EVERYONE: usize = 16;

/// Per PV: not asked for yet. Smaller numbers are the index of a [`Flight`].
const UNSENT: u32 = u32::MAX;
/// Per PV: lost, or missed where it was asked for, and not asked for again yet.
const QUEUED: u32 = u32::MAX - 1;
/// Per PV: answered.
const FOUND: u32 = u32::MAX - 2;

/// The datagrams of a protocol.
pub(in crate::worker) trait Datagrams {
    /// The most bytes in one.
    const BYTES: usize;

    /// The most searches in one.
    const SEARCHES: usize;

    /// Begins a datagram.
    fn begin(&self, buffer: &mut Vec<u8>, sequence: u32);

    /// Bytes that a name of so many takes.
    fn search_bytes(name_bytes: usize) -> usize;

    /// Appends the search for a PV; the answer repeats `cid`.
    fn add(buffer: &mut Vec<u8>, cid: u32, name: &str);

    /// Ends a datagram with so many searches.
    fn end(buffer: &mut Vec<u8>, searches: usize);

    /// Calls `found` with each PV that a datagram answers, by its `cid`, and the server
    /// that has it. What is not of the protocol is left out.
    fn answers(datagram: &[u8], sender: Ipv4Addr, found: impl FnMut(u32, SocketAddrV4));
}

/// What a search is made for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    /// The most bytes in a datagram.
    pub(super) datagram_bytes: usize,
    /// The most searches in a datagram.
    pub(super) datagram_searches: usize,
    /// How many servers are asked.
    pub(super) servers: usize,
}

/// The search for the PVs of one job.
#[derive(Debug)]
pub(super) struct Search<D> {
    datagrams: D,
    settings: Settings,
    /// Per PV: the index of its latest flight, or a state.
    state: Vec<u32>,
    /// Per PV: how often it was sent since it was last known where it is not.
    sends: Vec<u8>,
    fresh: Range<u32>,
    /// With several servers.
    guide: Option<Guide>,
    again: VecDeque<u32>,
    doubtful: VecDeque<u32>,
    /// The datagrams on their way, and free places.
    flights: Vec<Flight>,
    in_flight: usize,
    doubtful_in_flight: usize,
    window: Window,
    sequence: u64,
    round_trip: RoundTrip,
    missing: usize,
    statistics: SearchStatistics,
}

impl<D: Datagrams> Search<D> {
    /// A search among `pvs` PVs at so many servers, none of them wanted yet.
    pub(super) fn new(datagrams: D, servers: usize, pvs: usize) -> Search<D> {
        let settings =
            Settings { datagram_bytes: D::BYTES, datagram_searches: D::SEARCHES, servers };
        Search {
            datagrams,
            settings,
            state: vec![UNSENT; pvs],
            sends: vec![0; pvs],
            fresh: 0..0,
            guide: (settings.servers > 1).then(|| Guide::new(settings.servers, pvs)),
            again: VecDeque::new(),
            doubtful: VecDeque::new(),
            flights: Vec::new(),
            in_flight: 0,
            doubtful_in_flight: 0,
            window: Window::new(settings.datagram_searches),
            sequence: 0,
            round_trip: RoundTrip::among(settings.servers),
            missing: 0,
            statistics: SearchStatistics::default(),
        }
    }

    /// Adds the PVs of `pvs` that were never asked for to those that are sought.
    /// Whatever was added before must have been sent.
    pub(super) fn want(&mut self, pvs: Range<u32>) {
        debug_assert!(self.fresh.is_empty());
        let range = pvs.start as usize..pvs.end as usize;
        self.missing += self.state[range].iter().filter(|state| **state == UNSENT).count();
        match &mut self.guide {
            None => self.fresh = pvs,
            Some(guide) => guide.want(pvs),
        }
    }

    /// Seeks a PV again that was found and is lost since. It counts as one that
    /// was never asked for, so that it is soon asked for several times.
    pub(super) fn want_again(&mut self, pv: u32) {
        if self.state[pv as usize] == FOUND {
            self.state[pv as usize] = QUEUED;
            self.sends[pv as usize] = 0;
            self.again.push_back(pv);
            self.missing += 1;
        }
    }

    /// How many PVs are sought and not found.
    pub(super) fn missing(&self) -> usize {
        self.missing
    }

    /// What was done so far.
    pub(super) fn statistics(&self) -> SearchStatistics {
        self.statistics
    }

    /// Takes note that a PV was answered by a server, if it is one of those that are
    /// asked; false when that is no news.
    pub(super) fn found(&mut self, pv: u32, server: Option<u16>, now: Duration) -> bool {
        let Some(state) = self.state.get_mut(pv as usize) else {
            self.take_end_mark(pv, now);
            return false;
        };
        let flight = match *state {
            UNSENT => return false,
            FOUND => {
                self.statistics.duplicates += 1;
                return false;
            }
            flight => flight,
        };
        *state = FOUND;
        self.missing -= 1;
        if let Some(guide) = &mut self.guide {
            guide.found(pv, server);
        }
        if flight != QUEUED {
            self.answered(flight as usize, now);
        }
        true
    }

    /// When [`Search::expire`] is to be called, if no answer comes before.
    pub(super) fn next_timeout(&self) -> Option<Duration> {
        self.flights.iter().filter(|flight| flight.is_used()).map(|flight| flight.deadline).min()
    }

    /// Counts as lost what should have been answered by `now`.
    pub(super) fn expire(&mut self, now: Duration) {
        for place in 0..self.flights.len() {
            let flight = &self.flights[place];
            if flight.is_used() && flight.deadline <= now {
                self.statistics.timeouts += 1;
                self.lost(place);
            }
        }
    }

    /// Takes one answer to a flight: the first says that it has arrived, the last
    /// that it is over.
    fn answered(&mut self, place: usize, now: Duration) {
        let flight = &mut self.flights[place];
        let is_first_answer = !flight.has_arrived;
        flight.has_arrived = true;
        flight.unanswered -= 1;
        let is_over = flight.unanswered == 0;
        if is_first_answer {
            self.arrived(place, now);
        }
        if is_over {
            self.land(place);
        }
    }

    fn arrived(&mut self, place: usize, now: Duration) {
        let Flight { whom, sequence, sent_at, is_first, .. } = self.flights[place];
        if is_first {
            self.round_trip.measured(now.saturating_sub(sent_at));
        }
        self.window.grow();
        // One server answers in order, but for little. Of several, each does: what
        // everyone was asked for is lost only when its time is over.
        if whom != Whom::Everyone || self.guide.is_none() {
            self.resend_overtaken(whom, sequence);
        }
    }

    /// A datagram of which a part was answered is overtaken by the next: a server
    /// answers one after the other.
    fn resend_overtaken(&mut self, whom: Whom, answered: u64) {
        for place in 0..self.flights.len() {
            let flight = &self.flights[place];
            let margin = if flight.has_arrived { 1 } else { REORDERED_BY_LESS_THAN };
            let is_overtaken = flight.whom == whom && flight.sequence + margin <= answered;
            if flight.is_used() && !flight.is_doubtful && is_overtaken {
                self.statistics.overtaken += 1;
                self.lost(place);
            }
        }
    }

    /// Takes the answer to an end mark: what the server was asked for before and has
    /// not answered is not there.
    fn take_end_mark(&mut self, cid: u32, now: Duration) {
        let is_marked = |flight: &Flight| flight.is_used() && flight.end_mark == Some(cid);
        let Some(place) = self.flights.iter().position(is_marked) else {
            return;
        };
        if !std::mem::replace(&mut self.flights[place].has_arrived, true) {
            self.arrived(place, now);
        }
        let pvs = std::mem::take(&mut self.flights[place].pvs);
        for pv in &pvs {
            if self.state[*pv as usize] == place as u32 {
                self.state[*pv as usize] = QUEUED;
                self.sends[*pv as usize] = 0;
                self.statistics.misses += 1;
                if let Some(guide) = &mut self.guide {
                    guide.missed(*pv);
                }
            }
        }
        self.flights[place].pvs = pvs;
        self.land(place);
    }

    /// Queues again what was not answered. The window is halved only if nothing
    /// was: else the datagram did arrive, and the rest may not exist.
    fn lost(&mut self, place: usize) {
        let Flight { whom, has_arrived, is_doubtful, sequence, .. } = self.flights[place];
        let pvs = std::mem::take(&mut self.flights[place].pvs);
        for pv in &pvs {
            if self.state[*pv as usize] == place as u32 {
                self.state[*pv as usize] = QUEUED;
                self.queue_lost(*pv, whom);
            }
        }
        self.flights[place].pvs = pvs;
        if !has_arrived && !is_doubtful {
            self.window.halve(sequence, self.sequence);
        }
        self.land(place);
    }

    /// Whoever was asked is asked again, and everyone for what is doubtful.
    fn queue_lost(&mut self, pv: u32, whom: Whom) {
        let is_doubtful = self.sends[pv as usize] >= DOUBTFUL_AFTER;
        if let (Whom::Server(server), Some(guide), false) = (whom, &mut self.guide, is_doubtful) {
            guide.ask_again(pv, server);
            return;
        }
        if let Some(guide) = &mut self.guide {
            guide.give_up(pv);
        }
        if is_doubtful { &mut self.doubtful } else { &mut self.again }.push_back(pv);
    }

    fn land(&mut self, place: usize) {
        let flight = &mut self.flights[place];
        flight.pvs.clear();
        *if flight.is_doubtful { &mut self.doubtful_in_flight } else { &mut self.in_flight } -= 1;
    }
}

#[cfg(test)]
mod tests;
