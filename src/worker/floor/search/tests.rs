//! The search against a network and servers that are simulated.

use super::*;
use crate::channel_access::{
    CA_PROTO_SEARCH, CA_PROTO_VERSION, decode, encode_datagram_version, encode_search, search_bytes,
};
use crate::worker::floor::names::Names;

/// Datagrams as those of Channel Access.
#[derive(Debug)]
struct Plain;

impl Datagrams for Plain {
    const BYTES: usize = 1472;
    const SEARCHES: usize = 42;

    fn begin(&self, buffer: &mut Vec<u8>, sequence: u32) {
        encode_datagram_version(buffer, sequence);
    }

    fn search_bytes(name_bytes: usize) -> usize {
        search_bytes(name_bytes)
    }

    fn add(buffer: &mut Vec<u8>, cid: u32, name: &str) {
        encode_search(buffer, cid, name);
    }

    fn end(_buffer: &mut Vec<u8>, _searches: usize) {}

    fn answers(_datagram: &[u8], _sender: Ipv4Addr, _found: impl FnMut(u32, SocketAddrV4)) {}
}

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
    fn run(&mut self, search: &mut Search<Plain>, count: usize) -> Option<Duration> {
        let names = names(count);
        let target = (0..count as u32).filter(|pv| self.has(*pv)).count();
        search.want(0..count as u32);
        let mut now = Duration::ZERO;
        let mut server: VecDeque<Vec<u32>> = VecDeque::new();
        let mut server_ready = Duration::ZERO;
        let mut answers: Vec<(Duration, Vec<u32>)> = Vec::new();
        let mut buffer = Vec::new();
        while count - search.missing() < target {
            while search.next_datagram(now, &names, &mut buffer).is_some() {
                assert!(buffer.len() <= 1472);
                if !self.loses() && server.len() < self.server_holds {
                    server.push_back(searched(&buffer, &names));
                }
            }
            if let Some(datagram) = (server_ready <= now).then(|| server.pop_front()).flatten() {
                server_ready = now + MICROSECOND * 20;
                let served: Vec<u32> = datagram.into_iter().filter(|pv| self.has(*pv)).collect();
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
                        search.found(*pv, Some(0), now);
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
    let mut search = Search::new(Plain, 1, 10_000);
    World::new().run(&mut search, 10_000).unwrap();
    let statistics = search.statistics();
    assert_eq!((statistics.searches, statistics.resends), (10_000, 0));
    assert_eq!(statistics.datagrams, 10_000_usize.div_ceil(42) as u64);
    assert_eq!(statistics.largest_window, window::MAXIMUM_WINDOW as u64);
}

#[test]
fn datagrams_are_packed_to_their_limit() {
    let mut search = Search::new(Plain, 1, 100);
    search.settings.datagram_searches = usize::MAX;
    search.window = Window::new(usize::MAX);
    let names = names(100);
    search.want(0..100);
    let mut buffer = Vec::new();
    assert!(search.next_datagram(Duration::ZERO, &names, &mut buffer).is_some());
    let packed = searched(&buffer, &names).len() as u32;
    let next = search_bytes(names.get(packed).len());
    assert!(buffer.len() <= 1472 && buffer.len() + next > 1472);
}

#[test]
fn all_pvs_are_found_when_datagrams_are_lost() {
    for lost_per_million in [10_000, 100_000, 400_000] {
        let mut search = Search::new(Plain, 1, 10_000);
        let mut world = World { lost_per_million, ..World::new() };
        world.run(&mut search, 10_000).unwrap();
        assert_eq!(search.missing(), 0);
    }
}

#[test]
fn all_pvs_are_found_when_datagrams_are_reordered() {
    let mut search = Search::new(Plain, 1, 10_000);
    let mut world = World { jitter_us: 3000, lost_per_million: 50_000, ..World::new() };
    world.run(&mut search, 10_000).unwrap();
    assert_eq!(search.missing(), 0);
}

#[test]
fn a_server_that_holds_few_datagrams_is_not_flooded() {
    for server_holds in [1, 2, 8] {
        let mut search = Search::new(Plain, 1, 10_000);
        let mut world = World { server_holds, ..World::new() };
        world.run(&mut search, 10_000).unwrap();
        assert!(search.statistics().resends < 5000, "{:?}", search.statistics());
    }
}

#[test]
fn missing_pvs_hold_up_no_other() {
    let mut without = Search::new(Plain, 1, 10_000);
    let alone = World::new().run(&mut without, 10_000).unwrap();
    let mut search = Search::new(Plain, 1, 11_000);
    let mut world = World { serves: 10_000, ..World::new() };
    let beside = world.run(&mut search, 11_000).unwrap();
    assert_eq!(search.missing(), 1000);
    assert!(beside < alone + Duration::from_millis(100), "{beside:?} {alone:?}");
}

#[test]
fn a_missing_pv_in_every_datagram_holds_up_no_other() {
    let mut search = Search::new(Plain, 1, 10_000);
    let mut world = World { lacks_every: 5, ..World::new() };
    let beside = world.run(&mut search, 10_000).unwrap();
    assert_eq!(search.missing(), 2000);
    assert!(beside < Duration::from_millis(100), "{beside:?} {:?}", search.statistics());
}

#[test]
fn a_missing_pv_is_asked_for_ever_less_often() {
    let names = names(1);
    let mut search = Search::new(Plain, 1, 1);
    let mut buffer = Vec::new();
    search.want(0..1);
    let mut now = Duration::ZERO;
    let mut pauses = Vec::new();
    for _ in 0..8 {
        assert!(search.next_datagram(now, &names, &mut buffer).is_some());
        assert!(search.next_datagram(now, &names, &mut buffer).is_none());
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
    let mut search = Search::new(Plain, 1, 1);
    let mut buffer = Vec::new();
    search.want(0..1);
    assert!(search.next_datagram(Duration::ZERO, &names, &mut buffer).is_some());
    search.expire(FOREVER);
    assert!(search.found(0, Some(0), FOREVER));
    assert!(search.next_datagram(FOREVER, &names, &mut buffer).is_none());
    assert!(!search.found(0, Some(0), FOREVER));
    assert_eq!((search.missing(), search.statistics().duplicates), (0, 1));
}

#[test]
fn answers_nobody_asked_for_change_nothing() {
    let mut search = Search::new(Plain, 1, 2);
    assert!(!search.found(1, Some(0), Duration::ZERO));
    assert!(!search.found(2, Some(0), Duration::ZERO));
    assert_eq!(search.missing(), 0);
}

#[test]
fn a_pv_that_was_lost_is_sought_again_like_a_new_one() {
    let names = names(2);
    let mut search = Search::new(Plain, 1, 2);
    let mut buffer = Vec::new();
    search.want(0..2);
    assert!(search.next_datagram(Duration::ZERO, &names, &mut buffer).is_some());
    assert!(search.found(0, Some(0), MICROSECOND));
    search.want_again(0);
    // PV 1 is still on its way.
    search.want_again(1);
    assert_eq!(search.missing(), 2);
    assert!(search.next_datagram(MICROSECOND, &names, &mut buffer).is_some());
    assert_eq!(searched(&buffer, &names), [0]);
    assert!(search.next_datagram(MICROSECOND, &names, &mut buffer).is_none());
    assert!(search.found(0, Some(0), MICROSECOND) && search.found(1, Some(0), MICROSECOND));
    assert_eq!(search.missing(), 0);
}

#[test]
fn one_pv_after_another_can_be_sought() {
    let names = names(3);
    let mut search = Search::new(Plain, 1, 3);
    let mut buffer = Vec::new();
    for pv in 0..3 {
        search.want(pv..pv + 1);
        assert!(search.next_datagram(Duration::ZERO, &names, &mut buffer).is_some());
        assert_eq!(searched(&buffer, &names), [pv]);
        assert!(search.found(pv, Some(0), MICROSECOND));
    }
    search.want(0..3);
    assert!(search.next_datagram(Duration::ZERO, &names, &mut buffer).is_none());
}

/// Servers of equal size on a network that loses datagrams in both directions.
struct ManyServers {
    world: World,
    servers: u32,
    pvs: u32,
    /// PVs that lie near one another are on servers far from one another.
    is_interleaved: bool,
}

impl ManyServers {
    fn new(servers: u32, pvs: u32) -> ManyServers {
        ManyServers { world: World::new(), servers, pvs, is_interleaved: false }
    }

    fn search(&self) -> Search<Plain> {
        Search::new(Plain, self.servers as usize, self.pvs as usize)
    }

    fn home(&self, pv: u32) -> u32 {
        if self.is_interleaved { pv % self.servers } else { pv / (self.pvs / self.servers) }
    }

    /// The answers of a server to a datagram: end marks have the number of no PV.
    fn answers(&self, server: u32, datagram: &[u8], names: &Names) -> Vec<u32> {
        let mut rest = datagram;
        let mut answers = Vec::new();
        while let Ok(message) = decode(rest) {
            rest = &rest[message.length..];
            let end = message.payload.iter().position(|byte| *byte == 0).unwrap_or(0);
            let is_of = |pv: &u32| names.get(*pv).as_bytes() == &message.payload[..end];
            let cid = message.header.parameter_2;
            let pv = if cid < self.pvs { Some(cid) } else { (0..self.pvs).find(is_of) };
            let is_here = |pv: &u32| self.home(*pv) == server && self.world.has(*pv);
            answers.extend(pv.filter(is_here).map(|_| cid));
        }
        answers
    }

    /// Searches until all that exist are found, and says when that was.
    fn run(&mut self, search: &mut Search<Plain>) -> Option<Duration> {
        let names = names(self.pvs as usize);
        let target = (0..self.pvs).filter(|pv| self.world.has(*pv)).count();
        search.want(0..self.pvs);
        let mut now = Duration::ZERO;
        let mut answers: VecDeque<(Duration, u16, Vec<u32>)> = VecDeque::new();
        let mut buffer = Vec::new();
        while self.pvs as usize - search.missing() < target {
            while let Some(whom) = search.next_datagram(now, &names, &mut buffer) {
                assert!(buffer.len() <= 1472);
                let servers = match whom {
                    Whom::Everyone => 0..self.servers,
                    Whom::Server(server) => u32::from(server)..u32::from(server) + 1,
                };
                for server in servers {
                    if !self.world.loses() && !self.world.loses() {
                        let answer = self.answers(server, &buffer, &names);
                        answers.push_back((now + MICROSECOND * 50, server as u16, answer));
                    }
                }
            }
            now += MICROSECOND * 10;
            while answers.front().is_some_and(|(due, ..)| *due <= now) {
                let (_, server, pvs) = answers.pop_front()?;
                for pv in pvs {
                    search.found(pv, Some(server), now);
                }
            }
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
fn of_several_servers_mostly_the_one_that_has_a_pv_is_asked_and_no_timer_waited_for() {
    let mut servers = ManyServers::new(10, 10_000);
    let mut search = servers.search();
    let took = servers.run(&mut search).unwrap();
    let statistics = search.statistics();
    assert!(statistics.searches < 12_000, "{statistics:?}");
    assert_eq!((statistics.resends, statistics.timeouts, statistics.overtaken), (0, 0, 0));
    assert!(took < Duration::from_millis(4), "{took:?}");
}

#[test]
fn all_pvs_of_several_servers_are_found_when_datagrams_are_lost() {
    for (lost_per_million, is_interleaved) in [(10_000, false), (100_000, false), (100_000, true)] {
        let mut servers = ManyServers { is_interleaved, ..ManyServers::new(5, 5000) };
        servers.world.lost_per_million = lost_per_million;
        let mut search = servers.search();
        servers.run(&mut search).unwrap();
        assert_eq!(search.missing(), 0);
        assert!(search.statistics().resends > 0);
    }
}

#[test]
fn pvs_that_no_server_has_hold_up_no_other() {
    let mut servers = ManyServers::new(5, 5000);
    servers.world.lacks_every = 7;
    let mut search = servers.search();
    let took = servers.run(&mut search).unwrap();
    assert!(took < Duration::from_millis(200), "{took:?} {:?}", search.statistics());
    assert_eq!(search.missing(), 5000_usize.div_ceil(7));
}
