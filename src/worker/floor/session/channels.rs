//! Channels and the circuits that they are on.

use std::io;
use std::net::SocketAddrV4;
use std::ops::Range;
use std::time::Duration;

use super::{Hears, Session};
use crate::worker::client::StageError;
use crate::worker::floor::channel::ChannelState;
use crate::worker::floor::circuit::Circuit;
use crate::worker::floor::lookup::Lookup;

impl<P: Hears> Session<P> {
    /// Adds PVs to those that are looked up; opens circuits to name servers.
    pub(super) fn want(
        &mut self,
        pvs: &Range<usize>,
        deadline: Duration,
    ) -> Result<(), StageError> {
        let range = pvs.start as u32..pvs.end as u32;
        let servers = match &mut self.lookup {
            Lookup::Udp(udp) => {
                udp.search.want(range);
                return Ok(());
            }
            Lookup::Tcp(tcp) => tcp.servers.clone(),
        };
        let mut circuits = Vec::with_capacity(servers.len());
        for server in servers {
            circuits.push(Some(self.circuit_to(server, deadline)?));
        }
        if let Lookup::Tcp(tcp) = &mut self.lookup {
            tcp.want(range, circuits);
        }
        Ok(())
    }

    /// Asks `server` for the channel of a PV, over a new circuit if need be.
    pub(super) fn create_channel(
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
        let circuit = &mut self.circuits[usize::from(circuit)];
        if circuit.is_ready() {
            let (peer, output) = circuit.peer_and_output();
            P::create_channel(peer, output, pv, self.names.get(pv));
        }
        Ok(())
    }

    pub(super) fn circuit_to(
        &mut self,
        server: SocketAddrV4,
        deadline: Duration,
    ) -> Result<u16, StageError> {
        if let Some((address, circuit)) = self.latest
            && address == server
        {
            return Ok(circuit);
        }
        let circuit = match self.circuit_of.get(&server) {
            Some(circuit) => *circuit,
            None => {
                let timeout = deadline.saturating_sub(self.now()).max(Duration::from_millis(1));
                let circuit = Circuit::open(server, timeout, self.now())
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

    /// Asks a server that has become ready for the channels that were put off.
    pub(in crate::worker) fn circuit_is_ready(&mut self, circuit: usize) {
        let (peer, output) = self.circuits[circuit].peer_and_output();
        for (pv, channel) in (0..).zip(&self.channels) {
            let is_put_off = channel.state == ChannelState::Asked;
            if is_put_off && usize::from(channel.circuit) == circuit {
                P::create_channel(peer, output, pv, self.names.get(pv));
            }
        }
    }

    /// Takes a name server's word that a server has a PV.
    pub(in crate::worker) fn found_by_name_server(
        &mut self,
        circuit: usize,
        pv: u32,
        server: SocketAddrV4,
        deadline: Duration,
    ) -> Result<(), StageError> {
        let channel = self.channels.get(pv as usize);
        if channel.is_some_and(|channel| channel.state == ChannelState::NotFound) {
            self.create_channel(pv, server, deadline)?;
            if let Lookup::Tcp(tcp) = &mut self.lookup {
                tcp.found(pv, circuit as u16);
            }
        }
        Ok(())
    }

    /// Takes a name server's word that it does not know a PV.
    pub(in crate::worker) fn denied_by_name_server(&mut self, pv: u32) {
        let is_ours = (pv as usize) < self.channels.len();
        if let Lookup::Tcp(tcp) = &mut self.lookup
            && is_ours
        {
            tcp.not_found(pv);
        }
    }

    /// Takes the answer to the request for a channel.
    pub(in crate::worker) fn settle(
        &mut self,
        circuit: usize,
        pv: u32,
        state: ChannelState,
        sid: u32,
    ) {
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
        self.record_state(pv, true);
        self.subscribe_again(pv);
    }

    /// The server has taken a channel away.
    pub(in crate::worker) fn channel_is_lost(
        &mut self,
        circuit: usize,
        pv: u32,
    ) -> Result<(), StageError> {
        let Some(channel) = self.channels.get_mut(pv as usize) else {
            return Ok(());
        };
        self.connected -= usize::from(channel.state == ChannelState::Connected);
        channel.state = ChannelState::Lost;
        self.protocol.forget(pv);
        self.record_state(pv, false);
        if self.losses.are_borne {
            self.lose([pv]);
            return Ok(());
        }
        let (name, server) = (self.names.get(pv), self.circuits[circuit].address());
        Err(StageError(format!("{server} has taken {name} away")))
    }

    pub(super) fn circuit_is_down(
        &mut self,
        circuit: usize,
        error: &io::Error,
    ) -> Result<(), StageError> {
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
                self.protocol.forget(pv);
                lost.push(pv);
            }
        }
        lost.iter().for_each(|pv| self.record_state(*pv, false));
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
