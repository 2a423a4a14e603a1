//! The loop that drives all sockets: what is sent, and what has come.

use std::time::Duration;

use super::Session;
use crate::worker::client::StageError;
use crate::worker::wire::channel::ChannelState;
use crate::worker::wire::circuit::{Circuit, Piece};
use crate::worker::wire::lookup::{self, Lookup};
use crate::worker::wire::message::{self, Message};

/// Bytes waiting to be written on all circuits above which no search is sent.
const OUTPUT_BYTES: usize = 1 << 20;

/// How often a circuit is read before another gets its turn: a frame of a camera.
const READS_IN_A_TURN: usize = 16;

impl Session {
    /// Sends what may be sent, waits until something can be done but not beyond
    /// `deadline`, and takes what has come.
    pub(super) fn turn(&mut self, deadline: Duration) -> Result<(), StageError> {
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
                    if let Lookup::Tcp(tcp) = &mut self.lookup {
                        tcp.found(pv, circuit as u16);
                    }
                }
            }
            message::CA_PROTO_NOT_FOUND => {
                let is_ours = (header.parameter_2 as usize) < self.channels.len();
                if let Lookup::Tcp(tcp) = &mut self.lookup
                    && is_ours
                {
                    tcp.not_found(header.parameter_2);
                }
            }
            message::CA_PROTO_ERROR => return self.request_is_refused(circuit, message),
            // Nothing is to be done about CA_PROTO_VERSION and CA_PROTO_ECHO, nor
            // about CA_PROTO_ACCESS_RIGHTS: where a right is missing the server
            // refuses the request.
            _ => {}
        }
        Ok(())
    }
}
