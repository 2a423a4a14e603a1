//! One job's sockets and channels, the stages, and the loop that drives them.

mod channels;
mod monitors;
mod requests;
mod turn;

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddrV4;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::address::{self, Destinations};
use super::channel::{Channel, ChannelState, why_not_connected};
use super::circuit::{Circuit, Piece};
use super::identity::check_name;
use super::lookup::{Lookup, TcpLookup, UdpLookup};
use super::names::Names;
use super::protocol::{Protocol, SilenceTimeouts};
use super::request::Requests;
use super::search::SearchStatistics;
use super::socket::Waiting;
use super::subscriptions::Subscriptions;
use crate::worker::client::{Asker, Client, StageError, stages_without};
use crate::worker::per_pv_times::PerPvTimes;
use crate::worker_protocol::{Job, Mode, Monitor, Stage, Updates};

/// The state of one job.
pub(in crate::worker) struct Session<P: Protocol> {
    /// What the protocol keeps of the job.
    pub(in crate::worker) protocol: P,
    /// The requests of the stage.
    pub(in crate::worker) requests: Requests,
    names: Names,
    timeout: Duration,
    /// The origin of all moments.
    origin: Instant,
    destinations: Destinations,
    silence_timeouts: SilenceTimeouts,
    lookup: Lookup<P::Datagrams>,
    channels: Vec<Channel>,
    connected: usize,
    refused: usize,
    circuits: Vec<Circuit<P>>,
    circuit_of: HashMap<SocketAddrV4, u16>,
    /// The circuit of the latest answer, which mostly is that of the next.
    latest: Option<(SocketAddrV4, u16)>,
    subscriptions: Option<Subscriptions>,
    losses: Losses,
    /// When the servers last heard that this client is there.
    kept_alive: Duration,
    waiting: Waiting,
    /// Searches and datagrams that were reported already.
    counted: [u64; 2],
    /// Room for the PVs answered in one turn.
    found: Vec<(u32, SocketAddrV4)>,
}

/// A protocol that understands what servers say.
pub(in crate::worker) trait Hears: Protocol {
    /// Takes what a circuit brought.
    ///
    /// # Errors
    /// When it is not of the protocol, or says that something failed.
    fn take(
        session: &mut Session<Self>,
        circuit: usize,
        piece: &Piece<'_, Self::Header>,
        deadline: Duration,
    ) -> Result<(), StageError>;
}

/// What was lost and is to be sought again.
#[derive(Default)]
struct Losses {
    /// A loss is no error of the stage.
    are_borne: bool,
    pvs: Vec<u32>,
    /// When they are to be sought.
    due: Option<Duration>,
}

impl<P: Hears> Client for Session<P> {
    const APPROACH: &'static str = P::APPROACH;

    fn versions() -> BTreeMap<String, String> {
        P::versions()
    }

    /// `create` is joint with `connect`: the first thing to be done for a PV is
    /// to encode its search, and when that happens is up to the window.
    fn stages() -> Vec<Stage> {
        let mut stages = stages_without(&[Stage::Create]);
        stages.retain(|stage| P::WRITES_UNCONFIRMED || *stage != Stage::PutUnconfirmed);
        stages
    }

    fn asker() -> Option<Box<dyn Asker>> {
        P::asker()
    }

    /// Reads the environment and opens the UDP socket; sends nothing.
    fn new(job: &Job) -> Result<Session<P>, StageError> {
        Session::open(job, |name| std::env::var(name).ok())
    }

    fn create(&mut self) -> Result<(), StageError> {
        Ok(())
    }

    /// Searches for all PVs and makes their channels.
    fn connect(&mut self, mode: Mode) -> Result<(), StageError> {
        let deadline = self.now().saturating_add(self.timeout);
        let all = self.channels.len();
        match mode {
            Mode::Bulk => self.connect_pvs(0..all, deadline),
            Mode::Serial => (0..all).try_for_each(|pv| self.connect_pvs(pv..pv + 1, deadline)),
        }
    }

    fn connect_without(&mut self, absent: &[usize]) -> Result<Vec<usize>, StageError> {
        let deadline = self.now().saturating_add(self.timeout);
        let all = self.channels.len();
        self.connect_but(0..all, absent.len(), deadline)?;
        let is_down = |pv: &usize| self.channels[*pv].state != ChannelState::Connected;
        Ok((0..all).filter(is_down).collect())
    }

    /// Reads the values of `pvs`.
    fn get(
        &mut self,
        mode: Mode,
        pvs: &[usize],
        times: &mut PerPvTimes,
    ) -> Result<Vec<f64>, StageError> {
        let deadline = self.now().saturating_add(self.timeout);
        let mut read = |pvs: &[usize]| self.request(pvs, None, deadline);
        match mode {
            Mode::Bulk => read(pvs),
            Mode::Serial => {
                let mut values = Vec::with_capacity(pvs.len());
                for pv in pvs.chunks(1) {
                    values.extend(read(pv)?);
                    times.mark();
                }
                Ok(values)
            }
        }
    }

    /// Writes `values` to `pvs`, each confirmed by the server.
    fn put(
        &mut self,
        mode: Mode,
        pvs: &[usize],
        values: &[f64],
        times: &mut PerPvTimes,
    ) -> Result<(), StageError> {
        let deadline = self.now().saturating_add(self.timeout);
        let mut write = |pvs: &[usize], values: &[f64]| self.request(pvs, Some(values), deadline);
        match mode {
            Mode::Bulk => write(pvs, values).map(drop),
            Mode::Serial => pvs.chunks(1).zip(values.chunks(1)).try_for_each(|(pv, value)| {
                write(pv, value)?;
                times.mark();
                Ok(())
            }),
        }
    }

    fn subscribe(&mut self, mode: Mode, pvs: &[usize], monitor: Monitor) -> Result<(), StageError> {
        self.subscribe_to(mode, pvs, monitor)
    }

    fn begin_collecting(&mut self) -> Result<(), StageError> {
        self.begin_to_collect()
    }

    fn take_updates(&mut self, duration: Duration) -> Result<(), StageError> {
        self.take_updates_for(duration)
    }

    fn taken(&mut self) -> Result<Updates, StageError> {
        self.take_log()
    }

    /// Writes `values` to `pvs` and waits until the system has taken all.
    fn put_unconfirmed(&mut self, pvs: &[usize], values: &[f64]) -> Result<(), StageError> {
        self.write_unconfirmed(pvs, values)
    }

    fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Closes all circuits: a server ends with a circuit whatever was on it.
    fn disconnect(&mut self) -> Result<(), StageError> {
        self.lookup = lookup_at::<P>(&self.destinations, self.names.len())?;
        self.protocol = P::new(self.names.len());
        self.requests = Requests::none();
        self.channels.fill(Channel::NEW);
        (self.connected, self.refused) = (0, 0);
        self.circuits.clear();
        self.circuit_of.clear();
        self.latest = None;
        self.subscriptions = None;
        self.losses = Losses::default();
        self.counted = [0; 2];
        Ok(())
    }

    /// What was counted since the last call: search messages and, over UDP, their
    /// datagrams.
    fn counters(&mut self) -> BTreeMap<String, u64> {
        let sent = match &self.lookup {
            Lookup::Udp(udp) => {
                let SearchStatistics { searches, datagrams, .. } = udp.search.statistics();
                [searches, datagrams]
            }
            Lookup::Tcp(tcp) => [tcp.searches(), 0],
        };
        let before = std::mem::replace(&mut self.counted, sent);
        let counters = ["searches", "datagrams"].into_iter().zip(sent).zip(before);
        counters
            .map(|((name, sent), before)| (name.to_owned(), sent - before))
            .filter(|(_, count)| *count > 0)
            .collect()
    }
}

impl<P: Hears> Session<P> {
    /// The client of a job where the environment variables are such.
    ///
    /// # Errors
    /// When they name no server, or a name is none.
    pub(in crate::worker) fn open(
        job: &Job,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Session<P>, StageError> {
        let timeout = Duration::try_from_secs_f64(job.timeout_s)
            .map_err(|error| StageError(format!("timeout of {} s: {error}", job.timeout_s)))?;
        let destinations = address::destinations(&P::VARIABLES, &variable).map_err(StageError)?;
        job.pvs.iter().try_for_each(|name| check_name(name))?;
        let names: Names = job.pvs.iter().collect();
        Ok(Session {
            silence_timeouts: P::silence_timeouts(address::timeout(&P::VARIABLES, &variable)),
            lookup: lookup_at::<P>(&destinations, names.len())?,
            destinations,
            protocol: P::new(names.len()),
            requests: Requests::none(),
            channels: vec![Channel::NEW; names.len()],
            names,
            timeout,
            origin: Instant::now(),
            connected: 0,
            refused: 0,
            circuits: Vec::new(),
            circuit_of: HashMap::new(),
            latest: None,
            subscriptions: None,
            losses: Losses::default(),
            kept_alive: Duration::ZERO,
            waiting: Waiting::default(),
            counted: [0; 2],
            found: Vec::new(),
        })
    }

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// A stage ends when every PV is connected or refused.
    fn connect_pvs(&mut self, pvs: Range<usize>, deadline: Duration) -> Result<(), StageError> {
        self.connect_but(pvs, 0, deadline)
    }

    /// A stage ends when all PVs but so many, which no server has, are connected or refused.
    fn connect_but(
        &mut self,
        pvs: Range<usize>,
        absent: usize,
        deadline: Duration,
    ) -> Result<(), StageError> {
        let is_settled = |channel: &&Channel| {
            matches!(channel.state, ChannelState::Connected | ChannelState::Refused)
        };
        let settled = self.channels[pvs.clone()].iter().filter(is_settled).count();
        let target = self.connected + self.refused + pvs.len().saturating_sub(settled + absent);
        self.want(&pvs, deadline)?;
        while self.connected + self.refused < target {
            if self.now() >= deadline {
                let trouble = match &self.lookup {
                    Lookup::Udp(udp) => udp.trouble(),
                    Lookup::Tcp(_) => None,
                };
                let trouble = trouble.map_or(String::new(), |trouble| format!(" ({trouble})"));
                let after = format!(" after {} s{trouble}", self.timeout.as_secs_f64());
                return Err(self.not_connected(pvs, &after));
            }
            self.turn(deadline).map_err(|StageError(error)| {
                self.not_connected(pvs.clone(), &format!(" ({error})"))
            })?;
        }
        if self.refused > 0 { Err(self.not_connected(pvs, "")) } else { Ok(()) }
    }

    fn not_connected(&self, pvs: Range<usize>, after: &str) -> StageError {
        StageError(why_not_connected(&self.channels, &self.names, pvs, after))
    }
}

/// A lookup of `pvs` PVs that has found none; opens the UDP socket where there is one.
fn lookup_at<P: Protocol>(
    destinations: &Destinations,
    pvs: usize,
) -> Result<Lookup<P::Datagrams>, StageError> {
    match destinations.clone() {
        Destinations::NameServers(servers) => {
            Ok(Lookup::Tcp(Box::new(TcpLookup::new(servers, pvs))))
        }
        Destinations::Servers(servers) => UdpLookup::new(servers, pvs, P::datagrams)
            .map(|lookup| Lookup::Udp(Box::new(lookup)))
            .map_err(|error| StageError(format!("cannot open a UDP socket: {error}"))),
    }
}
