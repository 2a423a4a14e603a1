//! One job's sockets and channels, the stages, and the loop that drives them.

mod monitors;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddrV4;
use std::ops::Range;
use std::time::{Duration, Instant};

use super::address::{self, Destinations};
use super::channel::{Channel, ChannelState, why_not_connected};
use super::circuit::{Circuit, Piece};
use super::lookup::{self, TcpLookup, UdpLookup};
use super::message::{self, Message};
use super::names::Names;
use super::request::Requests;
use super::search::SearchStatistics;
use super::socket::Waiting;
use super::subscriptions::Subscriptions;
use crate::protocol::{Job, Mode};
use crate::worker::StageError;

/// Bytes waiting to be written on all circuits above which no search is sent.
const OUTPUT_BYTES: usize = 1 << 20;

/// How often a circuit is read before another gets its turn: a frame of a camera.
const READS_IN_A_TURN: usize = 16;

/// Longer names count as invalid, as `unreasonablePVNameSize` of `caProto.h`.
const UNREASONABLE_PV_NAME_SIZE: usize = 500;

/// The state of one job.
pub(super) struct Session {
    names: Names,
    timeout: Duration,
    user: String,
    host: String,
    /// The origin of all moments.
    origin: Instant,
    lookup: Lookup,
    channels: Vec<Channel>,
    connected: usize,
    refused: usize,
    circuits: Vec<Circuit>,
    circuit_of: HashMap<SocketAddrV4, u16>,
    /// The circuit of the latest answer, which mostly is that of the next.
    latest: Option<(SocketAddrV4, u16)>,
    requests: Requests,
    next_ioid: u32,
    subscriptions: Option<Subscriptions>,
    losses: Losses,
    waiting: Waiting,
    /// Room for the PVs answered in one turn.
    found: Vec<(u32, SocketAddrV4)>,
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

/// How servers are found.
enum Lookup {
    Udp(Box<UdpLookup>),
    Tcp(TcpLookup),
}

impl Session {
    /// Reads the environment and opens the UDP socket; sends nothing.
    pub(super) fn new(job: &Job, receive_buffer: Option<usize>) -> Result<Session, StageError> {
        let timeout = Duration::try_from_secs_f64(job.timeout_s)
            .map_err(|error| StageError(format!("timeout of {} s: {error}", job.timeout_s)))?;
        let destinations =
            address::destinations(|name| std::env::var(name).ok()).map_err(StageError)?;
        job.pvs.iter().try_for_each(|name| check_name(name))?;
        let names: Names = job.pvs.iter().collect();
        let lookup = match destinations {
            Destinations::NameServers(servers) => Lookup::Tcp(TcpLookup::new(servers)),
            Destinations::Servers(servers) => UdpLookup::new(servers, names.len(), receive_buffer)
                .map(|lookup| Lookup::Udp(Box::new(lookup)))
                .map_err(|error| StageError(format!("cannot open a UDP socket: {error}")))?,
        };
        Ok(Session {
            channels: vec![Channel::NEW; names.len()],
            names,
            timeout,
            user: user_name(),
            host: host_name(),
            origin: Instant::now(),
            lookup,
            connected: 0,
            refused: 0,
            circuits: Vec::new(),
            circuit_of: HashMap::new(),
            latest: None,
            requests: Requests::none(),
            next_ioid: 0,
            subscriptions: None,
            losses: Losses::default(),
            waiting: Waiting::default(),
            found: Vec::new(),
        })
    }

    /// What the search over UDP has done.
    pub(super) fn search_statistics(&self) -> SearchStatistics {
        match &self.lookup {
            Lookup::Udp(udp) => udp.search.statistics(),
            Lookup::Tcp(_) => SearchStatistics::default(),
        }
    }

    /// Searches for all PVs and makes their channels.
    pub(super) fn connect(&mut self, mode: Mode) -> Result<(), StageError> {
        let deadline = self.now().saturating_add(self.timeout);
        let all = self.channels.len();
        match mode {
            Mode::Bulk => self.connect_pvs(0..all, deadline),
            Mode::Serial => (0..all).try_for_each(|pv| self.connect_pvs(pv..pv + 1, deadline)),
        }
    }

    /// Reads the values of `pvs`.
    pub(super) fn get(&mut self, mode: Mode, pvs: &[usize]) -> Result<Vec<f64>, StageError> {
        let deadline = self.now().saturating_add(self.timeout);
        let mut read = |pvs: &[usize]| {
            let requests = self.begin(message::CA_PROTO_READ_NOTIFY, pvs.len());
            self.request(requests, pvs, deadline, |output, sid, ioid, _| {
                message::encode_read(output, sid, ioid);
            })
        };
        match mode {
            Mode::Bulk => read(pvs),
            Mode::Serial => {
                let mut values = Vec::with_capacity(pvs.len());
                for pv in pvs.chunks(1) {
                    values.extend(read(pv)?);
                }
                Ok(values)
            }
        }
    }

    /// Writes `values` to `pvs`, each confirmed by the server.
    pub(super) fn put(
        &mut self,
        mode: Mode,
        pvs: &[usize],
        values: &[f64],
    ) -> Result<(), StageError> {
        let deadline = self.now().saturating_add(self.timeout);
        let mut write = |pvs: &[usize], values: &[f64]| {
            let requests = self.begin(message::CA_PROTO_WRITE_NOTIFY, pvs.len());
            self.request(requests, pvs, deadline, |output, sid, ioid, position| {
                message::encode_write(output, sid, ioid, values[position]);
            })
        };
        match mode {
            Mode::Bulk => write(pvs, values).map(drop),
            Mode::Serial => pvs
                .chunks(1)
                .zip(values.chunks(1))
                .try_for_each(|(pv, value)| write(pv, value).map(drop)),
        }
    }

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// A stage ends when every PV is connected or refused.
    fn connect_pvs(&mut self, pvs: Range<usize>, deadline: Duration) -> Result<(), StageError> {
        let is_settled = |channel: &&Channel| {
            matches!(channel.state, ChannelState::Connected | ChannelState::Refused)
        };
        let settled = self.channels[pvs.clone()].iter().filter(is_settled).count();
        let target = self.connected + self.refused + pvs.len() - settled;
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

    /// Numbers the requests of a stage.
    fn begin(&mut self, command: u16, count: usize) -> Requests {
        let requests = Requests::new(command, self.next_ioid, count);
        self.next_ioid = requests.ioid(count);
        requests
    }

    /// Sends one request for each PV and waits for all answers; `encode` gets the
    /// output, the channel, the request's number and its position.
    fn request(
        &mut self,
        requests: Requests,
        pvs: &[usize],
        deadline: Duration,
        encode: impl Fn(&mut Vec<u8>, u32, u32, usize),
    ) -> Result<Vec<f64>, StageError> {
        self.check_connected(pvs)?;
        self.requests = requests;
        let mut sent = 0;
        while self.requests.unanswered() > 0 {
            while let Some(pv) = pvs.get(sent) {
                let channel = self.channels[*pv];
                let circuit = &mut self.circuits[usize::from(channel.circuit)];
                if circuit.is_full() {
                    break;
                }
                encode(circuit.output(), channel.sid, self.requests.ioid(sent), sent);
                sent += 1;
            }
            if self.now() >= deadline {
                let why = format!("no answer after {} s", self.timeout.as_secs_f64());
                return Err(self.unanswered(pvs, &why));
            }
            self.turn(deadline).map_err(|StageError(why)| self.unanswered(pvs, &why))?;
        }
        if let Some((count, position, why)) = self.requests.failure() {
            return Err(self.failed(pvs, count, position, why));
        }
        Ok(std::mem::replace(&mut self.requests, Requests::none()).into_values())
    }

    fn check_connected(&self, pvs: &[usize]) -> Result<(), StageError> {
        let is_not = |pv: &&usize| self.channels[**pv].state != ChannelState::Connected;
        match pvs.iter().find(is_not) {
            None => Ok(()),
            Some(pv) => Err(StageError(format!("{} is not connected", self.names.get(*pv as u32)))),
        }
    }

    fn unanswered(&self, pvs: &[usize], why: &str) -> StageError {
        let first = (0..pvs.len()).find(|position| !self.requests.is_answered(*position));
        self.failed(pvs, self.requests.unanswered(), first.unwrap_or(0), why)
    }

    fn failed(&self, pvs: &[usize], count: usize, position: usize, why: &str) -> StageError {
        let done = if self.requests.are_writes() { "written" } else { "read" };
        let first = self.names.get(pvs[position] as u32);
        StageError(format!("{count} of {} PVs not {done}, first {first}: {why}", pvs.len()))
    }

    /// Adds PVs to those that are looked up; opens circuits to name servers.
    fn want(&mut self, pvs: &Range<usize>, deadline: Duration) -> Result<(), StageError> {
        let range = pvs.start as u32..pvs.end as u32;
        if let Lookup::Udp(udp) = &mut self.lookup {
            udp.search.want(range);
            return Ok(());
        }
        let Lookup::Tcp(TcpLookup { servers, .. }) = &self.lookup else {
            return Ok(());
        };
        let circuits = servers
            .clone()
            .into_iter()
            .map(|server| self.circuit_to(server, deadline))
            .collect::<Result<_, _>>()?;
        if let Lookup::Tcp(tcp) = &mut self.lookup {
            tcp.want(range, circuits);
        }
        Ok(())
    }

    /// Sends what may be sent, waits until something can be done but not beyond
    /// `deadline`, and takes what has come.
    fn turn(&mut self, deadline: Duration) -> Result<(), StageError> {
        self.seek_losses(deadline);
        let lookup_timeout = self.send_searches();
        for circuit in 0..self.circuits.len() {
            if let Err(error) = self.circuits[circuit].flush() {
                self.circuit_is_down(circuit, &error)?;
            }
        }
        let timeouts = [lookup_timeout, self.losses.due];
        let until = timeouts.into_iter().flatten().fold(deadline, Duration::min);
        let is_searching = self.wait(until)?;
        if is_searching {
            if self.waiting.is_readable(0) {
                self.receive_answers(deadline)?;
            } else if let Lookup::Udp(udp) = &mut self.lookup {
                udp.search.expire(self.origin.elapsed());
            }
        }
        // Circuits that were opened since have no place among those waited for.
        for place in usize::from(is_searching)..self.waiting.len() {
            let circuit = self.waiting.token(place);
            if self.waiting.is_writable(place) {
                self.circuits[circuit].unblock();
            }
            if self.waiting.is_readable(place) {
                self.receive_messages(circuit, deadline)?;
            }
        }
        Ok(())
    }

    /// Says when searches are to be sent again.
    fn send_searches(&mut self) -> Option<Duration> {
        let now = self.now();
        match &mut self.lookup {
            Lookup::Udp(udp) if udp.search.missing() == 0 => None,
            Lookup::Udp(udp) => {
                if self.circuits.iter().map(Circuit::queued_bytes).sum::<usize>() < OUTPUT_BYTES {
                    udp.send(now, &self.names);
                }
                udp.search.next_timeout()
            }
            Lookup::Tcp(tcp) => {
                tcp.send(now, &self.names, &self.channels, &mut self.circuits);
                tcp.next_timeout()
            }
        }
    }

    /// Waits for all sockets; says whether the first is that of the search.
    fn wait(&mut self, until: Duration) -> Result<bool, StageError> {
        self.waiting.clear();
        let mut is_searching = false;
        if let Lookup::Udp(udp) = &self.lookup
            && udp.search.missing() > 0
        {
            self.waiting.add(&udp.socket, false, 0);
            is_searching = true;
        }
        for (index, circuit) in self.circuits.iter().enumerate() {
            if !circuit.is_down() {
                self.waiting.add(circuit, circuit.is_blocked(), index);
            }
        }
        self.waiting
            .wait(until.saturating_sub(self.now()))
            .map_err(|error| StageError(format!("cannot wait for sockets: {error}")))?;
        Ok(is_searching)
    }

    fn receive_answers(&mut self, deadline: Duration) -> Result<(), StageError> {
        let now = self.now();
        let mut found = std::mem::take(&mut self.found);
        if let Lookup::Udp(udp) = &mut self.lookup {
            udp.receive(now, |pv, server| found.push((pv, server)));
        }
        let result =
            found.drain(..).try_for_each(|(pv, server)| self.create_channel(pv, server, deadline));
        self.found = found;
        result
    }

    /// Reads while there is more, but for so long only that other circuits get
    /// their turn.
    fn receive_messages(&mut self, circuit: usize, deadline: Duration) -> Result<(), StageError> {
        for _ in 0..READS_IN_A_TURN {
            let may_have_more = match self.circuits[circuit].read() {
                Ok(may_have_more) => may_have_more,
                Err(error) => return self.circuit_is_down(circuit, &error),
            };
            let mut input = std::mem::take(self.circuits[circuit].input());
            let mut result = Ok(());
            while let (Ok(()), Some(piece)) = (&result, input.next_piece()) {
                result = match piece {
                    Piece::Message(message) => self.take(circuit, &message, deadline),
                    Piece::Part(part) => self.take_part(circuit, &part),
                };
            }
            *self.circuits[circuit].input() = input;
            result?;
            if !may_have_more {
                break;
            }
        }
        Ok(())
    }

    fn take(
        &mut self,
        circuit: usize,
        message: &Message<'_>,
        deadline: Duration,
    ) -> Result<(), StageError> {
        let header = &message.header;
        match header.command {
            message::CA_PROTO_EVENT_ADD => return self.take_update(circuit, message),
            message::CA_PROTO_READ_NOTIFY | message::CA_PROTO_WRITE_NOTIFY => {
                self.requests.answer(message);
            }
            message::CA_PROTO_CREATE_CHAN => {
                self.settle(
                    circuit,
                    header.parameter_1,
                    ChannelState::Connected,
                    header.parameter_2,
                );
            }
            message::CA_PROTO_CREATE_CH_FAIL => {
                self.settle(circuit, header.parameter_1, ChannelState::Refused, 0);
            }
            message::CA_PROTO_SERVER_DISCONN => {
                return self.channel_is_lost(circuit, header.parameter_1);
            }
            message::CA_PROTO_SEARCH => {
                let server = lookup::server(header, *self.circuits[circuit].address().ip());
                let pv = header.parameter_2;
                let channel = self.channels.get(pv as usize);
                if channel.is_some_and(|channel| channel.state == ChannelState::NotFound) {
                    self.create_channel(pv, server, deadline)?;
                }
            }
            message::CA_PROTO_ERROR => return self.request_is_refused(circuit, message),
            // Nothing is to be done about CA_PROTO_VERSION, CA_PROTO_ECHO and
            // CA_PROTO_NOT_FOUND, nor about CA_PROTO_ACCESS_RIGHTS: where a right
            // is missing the server refuses the request.
            _ => {}
        }
        Ok(())
    }

    /// Asks `server` for the channel of a PV, over a new circuit if need be.
    fn create_channel(
        &mut self,
        pv: u32,
        server: SocketAddrV4,
        deadline: Duration,
    ) -> Result<(), StageError> {
        let circuit = match self.circuit_to(server, deadline) {
            Ok(circuit) => circuit,
            Err(_) if self.losses.are_borne => {
                self.lose([pv]);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let channel = &mut self.channels[pv as usize];
        channel.circuit = circuit;
        channel.state = ChannelState::Asked;
        let output = self.circuits[usize::from(circuit)].output();
        message::encode_create_channel(output, pv, self.names.get(pv));
        Ok(())
    }

    fn circuit_to(&mut self, server: SocketAddrV4, deadline: Duration) -> Result<u16, StageError> {
        if let Some((address, circuit)) = self.latest
            && address == server
        {
            return Ok(circuit);
        }
        let circuit = match self.circuit_of.get(&server) {
            Some(circuit) => *circuit,
            None => {
                let timeout = deadline.saturating_sub(self.now()).max(Duration::from_millis(1));
                let circuit = Circuit::open(server, &self.user, &self.host, timeout)
                    .map_err(|error| StageError(format!("cannot connect to {server}: {error}")))?;
                let index = u16::try_from(self.circuits.len())
                    .map_err(|_| StageError("more than 65536 servers".to_owned()))?;
                self.circuits.push(circuit);
                self.circuit_of.insert(server, index);
                index
            }
        };
        self.latest = Some((server, circuit));
        Ok(circuit)
    }

    /// Takes the answer to the request for a channel.
    fn settle(&mut self, circuit: usize, pv: u32, state: ChannelState, sid: u32) {
        let Some(channel) = self.channels.get_mut(pv as usize) else {
            return;
        };
        if channel.state != ChannelState::Asked || usize::from(channel.circuit) != circuit {
            return;
        }
        channel.state = state;
        channel.sid = sid;
        if state == ChannelState::Refused {
            self.refused += 1;
            return;
        }
        self.connected += 1;
        self.subscribe_again(pv);
    }

    fn channel_is_lost(&mut self, circuit: usize, pv: u32) -> Result<(), StageError> {
        let Some(channel) = self.channels.get_mut(pv as usize) else {
            return Ok(());
        };
        self.connected -= usize::from(channel.state == ChannelState::Connected);
        channel.state = ChannelState::Lost;
        if self.losses.are_borne {
            self.lose([pv]);
            return Ok(());
        }
        let (name, server) = (self.names.get(pv), self.circuits[circuit].address());
        Err(StageError(format!("{server} has taken {name} away")))
    }

    /// Takes a server's word that a request failed.
    fn request_is_refused(
        &mut self,
        circuit: usize,
        message: &Message<'_>,
    ) -> Result<(), StageError> {
        let server = self.circuits[circuit].address();
        let status = message::status_in_words(message.header.parameter_2);
        let Some((request, text)) = message::decode_error(message.payload) else {
            return Err(StageError(format!("{server} reports {status}")));
        };
        let why = format!("{server} reports {status}: {text}");
        if self.requests.refuse(request.command, request.parameter_2, why.clone()) {
            return Ok(());
        }
        if request.command == message::CA_PROTO_EVENT_ADD
            && (request.parameter_2 as usize) < self.channels.len()
        {
            let name = self.names.get(request.parameter_2);
            return Err(StageError(format!("the subscription to {name}: {why}")));
        }
        Err(StageError(why))
    }

    fn circuit_is_down(&mut self, circuit: usize, error: &io::Error) -> Result<(), StageError> {
        let server = self.circuits[circuit].address();
        self.circuits[circuit].down();
        self.circuit_of.remove(&server);
        self.latest = None;
        let mut lost = Vec::new();
        for (pv, channel) in (0..).zip(&mut self.channels) {
            let is_settled = channel.state == ChannelState::Connected;
            if usize::from(channel.circuit) == circuit
                && (is_settled || channel.state == ChannelState::Asked)
            {
                self.connected -= usize::from(is_settled);
                channel.state = ChannelState::Lost;
                lost.push(pv);
            }
        }
        if self.losses.are_borne {
            self.lose(lost);
            return Ok(());
        }
        let why = match error.kind() {
            io::ErrorKind::UnexpectedEof => "closed by the server".to_owned(),
            _ => error.to_string(),
        };
        Err(StageError(format!("circuit to {server}: {why}")))
    }
}

/// Refuses a name that cannot be put into a message or that servers ignore.
fn check_name(name: &str) -> Result<(), StageError> {
    if name.is_empty() || name.len() > UNREASONABLE_PV_NAME_SIZE || name.contains('\0') {
        return Err(StageError(format!("{name:?} cannot be the name of a PV")));
    }
    Ok(())
}

/// The name that servers are told for access security.
fn user_name() -> String {
    let name = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    name.unwrap_or_else(|_| "unknown".to_owned())
}

/// The name of this host that servers are told for access security.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let name = name.or_else(|_| std::env::var("HOSTNAME").map_err(io::Error::other));
    name.map_or_else(|_| "localhost".to_owned(), |name| name.trim().to_owned())
}
