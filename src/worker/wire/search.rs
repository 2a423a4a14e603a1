//! Which searches to put on the network and when; no I/O and no clock.
//!
//! Searches travel in datagrams that may be lost, on the way there or back, when
//! a socket's receive buffer is full. Like TCP, the search keeps a window of
//! unanswered datagrams: it grows while all are answered and is halved when one
//! is lost, and what was lost is sent again. Unlike TCP, an answer may never
//! come, because nobody has the PV: a PV that was not answered
//! [`DOUBTFUL_AFTER`] times is asked for aside of the window, ever less often,
//! and holds up no other PV.
//!
//! A moment is a [`Duration`] since any fixed origin.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use super::message;
use super::names::Names;

/// Datagrams unanswered at once before anything is known of the server.
const FIRST_WINDOW: f64 = 4.0;
/// The most datagrams unanswered at once. With Linux's default receive buffer
/// of 212 992 bytes a socket holds 92 datagrams of up to 1500 bytes (2304 bytes
/// each, with the kernel's overhead).
const MAXIMUM_WINDOW: f64 = 64.0;
/// The fewest searches in a full datagram; there are fewer than fit when
/// datagrams get lost although only one is unanswered.
const MINIMUM_SEARCHES: usize = 4;
/// A datagram is lost when this many sent after it were answered.
const REORDERED_BY_LESS_THAN: u64 = 3;
/// The time-out before any round trip was measured.
const FIRST_TIMEOUT: Duration = Duration::from_millis(25);
/// No time-out is shorter: a busy machine's scheduler answers that late.
const MINIMUM_TIMEOUT: Duration = Duration::from_millis(4);
/// No time-out is longer, however often a PV was asked for.
const MAXIMUM_TIMEOUT: Duration = Duration::from_millis(500);
/// A PV that was sent this often without an answer may not exist.
const DOUBTFUL_AFTER: u8 = 3;
/// Datagrams of doubtful PVs unanswered at once.
const DOUBTFUL_WINDOW: usize = 4;

/// Per PV: not asked for yet. Smaller numbers are the index of a [`Flight`].
const UNSENT: u32 = u32::MAX;
/// Per PV: lost, and waiting to be sent again.
const QUEUED: u32 = u32::MAX - 1;
/// Per PV: answered.
const FOUND: u32 = u32::MAX - 2;

/// What a search is made for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    /// The most bytes in a datagram.
    pub(super) datagram_bytes: usize,
    /// The most searches in a datagram.
    pub(super) datagram_searches: usize,
    /// Whether answers come in the order of the searches, but for little. Not so
    /// when several servers are asked: then only a time-out tells a loss.
    pub(super) is_answered_in_order: bool,
}

/// What a search has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SearchStatistics {
    /// Datagrams made, each sent to every destination.
    pub datagrams: u64,
    /// Searches in those datagrams.
    pub searches: u64,
    /// Searches among them for a PV that had been asked for before.
    pub resends: u64,
    /// Datagrams found lost because later ones were answered.
    pub overtaken: u64,
    /// Datagrams found lost because their time was over.
    pub timeouts: u64,
    /// Answers for a PV that had been answered before.
    pub duplicates: u64,
    /// The most datagrams that were unanswered at once.
    pub largest_window: u64,
}

/// The search for the PVs of one job.
#[derive(Debug)]
pub(super) struct Search {
    settings: Settings,
    /// Per PV: the index of its latest flight, or a state.
    state: Vec<u32>,
    /// Per PV: how often it was sent.
    sends: Vec<u8>,
    fresh: Range<u32>,
    again: VecDeque<u32>,
    doubtful: VecDeque<u32>,
    /// The datagrams on their way, and free places.
    flights: Vec<Flight>,
    in_flight: usize,
    doubtful_in_flight: usize,
    /// How many datagrams may be unanswered at once.
    window: f64,
    /// Up to here the window doubles in a round trip; from here it grows by one.
    doubles_below: f64,
    /// How many searches a datagram may hold.
    searches: usize,
    /// Flights with a lower number say nothing new: the window was halved since.
    halved_at: u64,
    sequence: u64,
    round_trip: RoundTrip,
    missing: usize,
    statistics: SearchStatistics,
}

/// A datagram that was sent.
#[derive(Debug, Default)]
struct Flight {
    /// Empty in a free place.
    pvs: Vec<u32>,
    unanswered: usize,
    sequence: u64,
    sent_at: Duration,
    deadline: Duration,
    is_doubtful: bool,
    /// None of its PVs was sent before, so its answer times a round trip.
    is_first: bool,
}

impl Flight {
    fn has_arrived(&self) -> bool {
        self.unanswered < self.pvs.len()
    }
}

impl Search {
    /// A search among `pvs` PVs, none of them wanted yet.
    pub(super) fn new(settings: Settings, pvs: usize) -> Search {
        Search {
            settings,
            state: vec![UNSENT; pvs],
            sends: vec![0; pvs],
            fresh: 0..0,
            again: VecDeque::new(),
            doubtful: VecDeque::new(),
            flights: Vec::new(),
            in_flight: 0,
            doubtful_in_flight: 0,
            window: FIRST_WINDOW,
            doubles_below: MAXIMUM_WINDOW,
            searches: settings.datagram_searches,
            halved_at: 0,
            sequence: 0,
            round_trip: RoundTrip::default(),
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
        self.fresh = pvs;
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

    /// Puts the next datagram into `buffer`, or says that none is to be sent
    /// before an answer or the next time-out.
    pub(super) fn next_datagram(
        &mut self,
        now: Duration,
        names: &Names,
        buffer: &mut Vec<u8>,
    ) -> bool {
        // An empty datagram comes of queues whose PVs were all found meanwhile.
        (self.in_flight < self.window as usize && self.fill(false, now, names, buffer))
            || (self.doubtful_in_flight < DOUBTFUL_WINDOW && self.fill(true, now, names, buffer))
    }

    /// Takes note that a PV was answered; false when that is no news.
    pub(super) fn found(&mut self, pv: u32, now: Duration) -> bool {
        let Some(state) = self.state.get_mut(pv as usize) else {
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
        if flight != QUEUED {
            self.answered(flight as usize, now);
        }
        true
    }

    /// When [`Search::expire`] is to be called, if no answer comes before.
    pub(super) fn next_timeout(&self) -> Option<Duration> {
        self.flights
            .iter()
            .filter(|flight| !flight.pvs.is_empty())
            .map(|flight| flight.deadline)
            .min()
    }

    /// Counts as lost what should have been answered by `now`.
    pub(super) fn expire(&mut self, now: Duration) {
        for place in 0..self.flights.len() {
            let flight = &self.flights[place];
            if !flight.pvs.is_empty() && flight.deadline <= now {
                self.statistics.timeouts += 1;
                self.lost(place);
            }
        }
    }

    fn fill(
        &mut self,
        is_doubtful: bool,
        now: Duration,
        names: &Names,
        buffer: &mut Vec<u8>,
    ) -> bool {
        buffer.clear();
        let place = self.free_place();
        let mut flight = std::mem::take(&mut self.flights[place]);
        let mut most_sends = 0;
        message::encode_datagram_version(buffer, self.sequence as u32);
        while flight.pvs.len() < self.searches {
            let Some(pv) = self.peek(is_doubtful) else {
                break;
            };
            let name = names.get(pv);
            let bytes = buffer.len() + message::search_bytes(name.len());
            if bytes > self.settings.datagram_bytes && !flight.pvs.is_empty() {
                break;
            }
            self.pop(is_doubtful);
            message::encode_search(buffer, pv, name);
            flight.pvs.push(pv);
            self.state[pv as usize] = place as u32;
            let sends = &mut self.sends[pv as usize];
            most_sends = most_sends.max(*sends);
            *sends = sends.saturating_add(1);
            self.statistics.resends += u64::from(*sends > 1);
        }
        let is_sent = !flight.pvs.is_empty();
        if is_sent {
            flight.unanswered = flight.pvs.len();
            flight.sequence = self.sequence;
            flight.sent_at = now;
            flight.deadline = now + self.round_trip.timeout(most_sends);
            flight.is_doubtful = is_doubtful;
            flight.is_first = most_sends == 0;
            self.sequence += 1;
            self.statistics.datagrams += 1;
            self.statistics.searches += flight.pvs.len() as u64;
            let in_flight =
                if is_doubtful { &mut self.doubtful_in_flight } else { &mut self.in_flight };
            *in_flight += 1;
            let unanswered = (self.in_flight + self.doubtful_in_flight) as u64;
            self.statistics.largest_window = self.statistics.largest_window.max(unanswered);
        }
        self.flights[place] = flight;
        is_sent
    }

    fn free_place(&mut self) -> usize {
        self.flights.iter().position(|flight| flight.pvs.is_empty()).unwrap_or_else(|| {
            self.flights.push(Flight::default());
            self.flights.len() - 1
        })
    }

    /// The next PV to send. What is new comes before what was lost, which may not
    /// exist.
    fn peek(&mut self, is_doubtful: bool) -> Option<u32> {
        if !is_doubtful {
            while !self.fresh.is_empty() && self.state[self.fresh.start as usize] != UNSENT {
                self.fresh.start += 1;
            }
            if !self.fresh.is_empty() {
                return Some(self.fresh.start);
            }
        }
        let queue = if is_doubtful { &mut self.doubtful } else { &mut self.again };
        while let Some(pv) = queue.front() {
            if self.state[*pv as usize] == QUEUED {
                return Some(*pv);
            }
            queue.pop_front();
        }
        None
    }

    /// Takes what [`Search::peek`] showed.
    fn pop(&mut self, is_doubtful: bool) {
        if is_doubtful {
            self.doubtful.pop_front();
        } else if self.fresh.is_empty() {
            self.again.pop_front();
        } else {
            self.fresh.start += 1;
        }
    }

    /// Takes one answer to a flight: the first says that it has arrived, the last
    /// that it is over.
    fn answered(&mut self, place: usize, now: Duration) {
        let flight = &mut self.flights[place];
        let is_first_answer = flight.unanswered == flight.pvs.len();
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
        let Flight { sequence, sent_at, is_first, .. } = self.flights[place];
        if is_first {
            self.round_trip.measured(now.saturating_sub(sent_at));
        }
        self.window += if self.window < self.doubles_below { 1.0 } else { 1.0 / self.window };
        self.window = self.window.min(MAXIMUM_WINDOW);
        if self.window >= 2.0 {
            self.searches = (self.searches * 2).min(self.settings.datagram_searches);
        }
        if self.settings.is_answered_in_order {
            self.resend_overtaken(sequence);
        }
    }

    /// A datagram of which a part was answered is overtaken by the next: a server
    /// answers one after the other.
    fn resend_overtaken(&mut self, answered: u64) {
        for place in 0..self.flights.len() {
            let flight = &self.flights[place];
            let margin = if flight.has_arrived() { 1 } else { REORDERED_BY_LESS_THAN };
            let is_overtaken = flight.sequence + margin <= answered;
            if !flight.pvs.is_empty() && !flight.is_doubtful && is_overtaken {
                self.statistics.overtaken += 1;
                self.lost(place);
            }
        }
    }

    /// Queues again what was not answered. The window is halved only if nothing
    /// was: else the datagram did arrive, and the rest may not exist.
    fn lost(&mut self, place: usize) {
        let flight = &mut self.flights[place];
        let pvs = std::mem::take(&mut flight.pvs);
        let is_all_lost = flight.unanswered == pvs.len();
        for pv in &pvs {
            let state = &mut self.state[*pv as usize];
            if *state == place as u32 {
                *state = QUEUED;
                let is_doubtful = self.sends[*pv as usize] >= DOUBTFUL_AFTER;
                if is_doubtful { &mut self.doubtful } else { &mut self.again }.push_back(*pv);
            }
        }
        flight.pvs = pvs;
        if is_all_lost && !flight.is_doubtful && flight.sequence >= self.halved_at {
            self.halve();
        }
        self.land(place);
    }

    fn halve(&mut self) {
        if self.window < 2.0 {
            self.searches = (self.searches / 2).max(MINIMUM_SEARCHES);
        }
        self.window = (self.window / 2.0).max(1.0);
        self.doubles_below = self.window;
        self.halved_at = self.sequence;
    }

    fn land(&mut self, place: usize) {
        let flight = &mut self.flights[place];
        flight.pvs.clear();
        *if flight.is_doubtful { &mut self.doubtful_in_flight } else { &mut self.in_flight } -= 1;
    }
}

/// The round trip of a datagram, smoothed as in RFC 6298.
#[derive(Debug, Default)]
struct RoundTrip {
    /// The mean and the mean deviation, once measured.
    smoothed: Option<(Duration, Duration)>,
}

impl RoundTrip {
    fn measured(&mut self, sample: Duration) {
        self.smoothed = Some(match self.smoothed {
            None => (sample, sample / 2),
            Some((mean, deviation)) => {
                ((mean * 7 + sample) / 8, (deviation * 3 + mean.abs_diff(sample)) / 4)
            }
        });
    }

    /// How long to wait for the answer of a PV that was sent `sends` times
    /// before.
    fn timeout(&self, sends: u8) -> Duration {
        let first = match self.smoothed {
            None => FIRST_TIMEOUT,
            Some((mean, deviation)) => (mean + deviation * 4).max(MINIMUM_TIMEOUT),
        };
        (first * (1 << sends.min(16))).min(MAXIMUM_TIMEOUT)
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::{CA_PROTO_SEARCH, CA_PROTO_VERSION, decode};
    use super::*;

    const SETTINGS: Settings =
        Settings { datagram_bytes: 1472, datagram_searches: 42, is_answered_in_order: true };
    const MICROSECOND: Duration = Duration::from_micros(1);
    const FOREVER: Duration = Duration::from_secs(60);

    fn names(count: usize) -> Names {
        (0..count).map(|index| format!("gauge:{index}")).collect()
    }

    /// The PVs searched for in a datagram, which is checked on the way.
    fn searched(datagram: &[u8], names: &Names) -> Vec<u32> {
        let mut rest = datagram;
        let mut pvs = Vec::new();
        while !rest.is_empty() {
            let message = decode(rest).unwrap();
            if rest.len() == datagram.len() {
                assert_eq!(message.header.command, CA_PROTO_VERSION);
            } else {
                assert_eq!(message.header.command, CA_PROTO_SEARCH);
                let pv = message.header.parameter_2;
                let name = names.get(pv).as_bytes();
                assert_eq!(&message.payload[..=name.len()], [name, b"\0"].concat());
                pvs.push(pv);
            }
            rest = &rest[message.length..];
        }
        pvs
    }

    /// A network and a server that answers every PV below `serves`.
    struct World {
        random: u64,
        /// Of a million datagrams, how many are lost in each direction.
        lost_per_million: u64,
        /// How many datagrams wait at the server before more are dropped.
        server_holds: usize,
        /// The greatest delay of a datagram on the way, beside the service.
        jitter_us: u64,
        serves: u32,
        /// Of the PVs below `serves` every so manyth does not exist, if not 0.
        lacks_every: u32,
    }

    impl World {
        fn new() -> World {
            World {
                random: 1,
                lost_per_million: 0,
                server_holds: 1000,
                jitter_us: 0,
                serves: u32::MAX,
                lacks_every: 0,
            }
        }

        fn random_below(&mut self, limit: u64) -> u64 {
            self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (self.random >> 33) % limit.max(1)
        }

        fn has(&self, pv: u32) -> bool {
            pv < self.serves && (self.lacks_every == 0 || !pv.is_multiple_of(self.lacks_every))
        }

        fn loses(&mut self) -> bool {
            self.random_below(1_000_000) < self.lost_per_million
        }

        /// Runs a search for `count` PVs until all that are served are found,
        /// and says when that was.
        fn run(&mut self, search: &mut Search, count: usize) -> Option<Duration> {
            let names = names(count);
            let target = (0..count as u32).filter(|pv| self.has(*pv)).count();
            search.want(0..count as u32);
            let mut now = Duration::ZERO;
            let mut server: VecDeque<Vec<u32>> = VecDeque::new();
            let mut server_ready = Duration::ZERO;
            let mut answers: Vec<(Duration, Vec<u32>)> = Vec::new();
            let mut buffer = Vec::new();
            while count - search.missing() < target {
                while search.next_datagram(now, &names, &mut buffer) {
                    assert!(buffer.len() <= 1472);
                    if !self.loses() && server.len() < self.server_holds {
                        server.push_back(searched(&buffer, &names));
                    }
                }
                if let Some(datagram) = (server_ready <= now).then(|| server.pop_front()).flatten()
                {
                    server_ready = now + MICROSECOND * 20;
                    let served: Vec<u32> =
                        datagram.into_iter().filter(|pv| self.has(*pv)).collect();
                    if !self.loses() {
                        let delay = 30 + self.random_below(self.jitter_us + 1);
                        answers.push((now + MICROSECOND * delay as u32, served));
                    }
                }
                now += MICROSECOND * 5;
                answers.retain(|(due, pvs)| {
                    let is_due = *due <= now;
                    if is_due {
                        for pv in pvs {
                            search.found(*pv, now);
                        }
                    }
                    !is_due
                });
                if search.next_timeout().is_some_and(|timeout| timeout <= now) {
                    search.expire(now);
                }
                if now > FOREVER {
                    return None;
                }
            }
            Some(now)
        }
    }

    #[test]
    fn without_loss_every_pv_is_searched_once_in_full_datagrams() {
        let mut search = Search::new(SETTINGS, 10_000);
        World::new().run(&mut search, 10_000).unwrap();
        let statistics = search.statistics();
        assert_eq!((statistics.searches, statistics.resends), (10_000, 0));
        assert_eq!(statistics.datagrams, 10_000_usize.div_ceil(42) as u64);
        assert_eq!(statistics.largest_window, MAXIMUM_WINDOW as u64);
    }

    #[test]
    fn datagrams_are_packed_to_their_limit() {
        let settings = Settings { datagram_searches: usize::MAX, ..SETTINGS };
        let mut search = Search::new(settings, 100);
        let names = names(100);
        search.want(0..100);
        let mut buffer = Vec::new();
        assert!(search.next_datagram(Duration::ZERO, &names, &mut buffer));
        let packed = searched(&buffer, &names).len() as u32;
        let next = message::search_bytes(names.get(packed).len());
        assert!(buffer.len() <= 1472 && buffer.len() + next > 1472);
    }

    #[test]
    fn all_pvs_are_found_when_datagrams_are_lost() {
        for lost_per_million in [10_000, 100_000, 400_000] {
            let mut search = Search::new(SETTINGS, 10_000);
            let mut world = World { lost_per_million, ..World::new() };
            world.run(&mut search, 10_000).unwrap();
            assert_eq!(search.missing(), 0);
        }
    }

    #[test]
    fn all_pvs_are_found_when_datagrams_are_reordered() {
        let mut search = Search::new(SETTINGS, 10_000);
        let mut world = World { jitter_us: 3000, lost_per_million: 50_000, ..World::new() };
        world.run(&mut search, 10_000).unwrap();
        assert_eq!(search.missing(), 0);
    }

    #[test]
    fn a_server_that_holds_few_datagrams_is_not_flooded() {
        for server_holds in [1, 2, 8] {
            let mut search = Search::new(SETTINGS, 10_000);
            let mut world = World { server_holds, ..World::new() };
            world.run(&mut search, 10_000).unwrap();
            assert!(search.statistics().resends < 5000, "{:?}", search.statistics());
        }
    }

    #[test]
    fn missing_pvs_hold_up_no_other() {
        let mut without = Search::new(SETTINGS, 10_000);
        let alone = World::new().run(&mut without, 10_000).unwrap();
        let mut search = Search::new(SETTINGS, 11_000);
        let mut world = World { serves: 10_000, ..World::new() };
        let beside = world.run(&mut search, 11_000).unwrap();
        assert_eq!(search.missing(), 1000);
        assert!(beside < alone + Duration::from_millis(100), "{beside:?} {alone:?}");
    }

    #[test]
    fn a_missing_pv_in_every_datagram_holds_up_no_other() {
        let mut search = Search::new(SETTINGS, 10_000);
        let mut world = World { lacks_every: 5, ..World::new() };
        let beside = world.run(&mut search, 10_000).unwrap();
        assert_eq!(search.missing(), 2000);
        assert!(beside < Duration::from_millis(100), "{beside:?} {:?}", search.statistics());
    }

    #[test]
    fn a_missing_pv_is_asked_for_ever_less_often() {
        let names = names(1);
        let mut search = Search::new(SETTINGS, 1);
        let mut buffer = Vec::new();
        search.want(0..1);
        let mut now = Duration::ZERO;
        let mut pauses = Vec::new();
        for _ in 0..8 {
            assert!(search.next_datagram(now, &names, &mut buffer));
            assert!(!search.next_datagram(now, &names, &mut buffer));
            let next = search.next_timeout().unwrap();
            pauses.push((next - now).as_millis());
            now = next;
            search.expire(now);
        }
        assert_eq!(pauses, [25, 50, 100, 200, 400, 500, 500, 500]);
    }

    #[test]
    fn an_answer_that_comes_after_the_timeout_counts() {
        let names = names(1);
        let mut search = Search::new(SETTINGS, 1);
        let mut buffer = Vec::new();
        search.want(0..1);
        assert!(search.next_datagram(Duration::ZERO, &names, &mut buffer));
        search.expire(FOREVER);
        assert!(search.found(0, FOREVER));
        assert!(!search.next_datagram(FOREVER, &names, &mut buffer));
        assert!(!search.found(0, FOREVER));
        assert_eq!((search.missing(), search.statistics().duplicates), (0, 1));
    }

    #[test]
    fn answers_nobody_asked_for_change_nothing() {
        let mut search = Search::new(SETTINGS, 2);
        assert!(!search.found(1, Duration::ZERO));
        assert!(!search.found(2, Duration::ZERO));
        assert_eq!(search.missing(), 0);
    }

    #[test]
    fn a_pv_that_was_lost_is_sought_again_like_a_new_one() {
        let names = names(2);
        let mut search = Search::new(SETTINGS, 2);
        let mut buffer = Vec::new();
        search.want(0..2);
        assert!(search.next_datagram(Duration::ZERO, &names, &mut buffer));
        assert!(search.found(0, MICROSECOND));
        search.want_again(0);
        // PV 1 is still on its way.
        search.want_again(1);
        assert_eq!(search.missing(), 2);
        assert!(search.next_datagram(MICROSECOND, &names, &mut buffer));
        assert_eq!(searched(&buffer, &names), [0]);
        assert!(!search.next_datagram(MICROSECOND, &names, &mut buffer));
        assert!(search.found(0, MICROSECOND) && search.found(1, MICROSECOND));
        assert_eq!(search.missing(), 0);
    }

    #[test]
    fn one_pv_after_another_can_be_sought() {
        let names = names(3);
        let mut search = Search::new(SETTINGS, 3);
        let mut buffer = Vec::new();
        for pv in 0..3 {
            search.want(pv..pv + 1);
            assert!(search.next_datagram(Duration::ZERO, &names, &mut buffer));
            assert_eq!(searched(&buffer, &names), [pv]);
            assert!(search.found(pv, MICROSECOND));
        }
        search.want(0..3);
        assert!(!search.next_datagram(Duration::ZERO, &names, &mut buffer));
    }
}
