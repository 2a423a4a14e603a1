//! The loop that drives all sockets: what is sent, and what has come.

use std::io;
use std::net::SocketAddrV4;
use std::time::Duration;

use super::{Hears, Session};
use crate::worker::client::StageError;
use crate::worker::floor::channel::ChannelState;
use crate::worker::floor::circuit::{Circuit, Piece};
use crate::worker::floor::lookup::Lookup;
use crate::worker::floor::protocol::{Header, SilenceTimeouts};

/// Bytes waiting to be written on all circuits above which no search is sent.
const OUTPUT_BYTES: usize = 1 << 20;

/// How often a circuit is read before another gets its turn: a frame of a camera.
const READS_IN_A_TURN: usize = 16;

impl<P: Hears> Session<P> {
    /// Sends what may be sent, waits until something can be done but not beyond
    /// `deadline`, and takes what has come.
    pub(super) fn turn(&mut self, deadline: Duration) -> Result<(), StageError> {
        let silence_timeout = self.give_up_silent_circuits()?;
        let begin_timeout = self.open_silent_circuits_again()?;
        self.seek_losses(deadline);
        let lookup_timeout = self.send_searches();
        let alive_timeout = self.keep_alive();
        for circuit in 0..self.circuits.len() {
            if let Err(error) = self.circuits[circuit].flush() {
                self.circuit_is_down(circuit, &error)?;
            }
        }
        let timeouts =
            [lookup_timeout, alive_timeout, silence_timeout, begin_timeout, self.losses.due];
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
                let asked = (&mut self.protocol, self.circuits.as_mut_slice());
                tcp.send(now, &self.names, &self.channels, asked);
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
            let now = self.now();
            self.circuits[circuit].hear(now);
            let mut input = std::mem::take(self.circuits[circuit].input());
            let mut result = Ok(());
            while result.is_ok() {
                result = match input.next_piece() {
                    Ok(None) => break,
                    Ok(Some(piece)) => P::take(self, circuit, &piece, deadline),
                    Err(why) => Err(StageError(format!("{}: {why}", self.server(circuit)))),
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

    /// Asks after servers that are silent, and gives up those that stay so; says when
    /// that is next. Only while updates are taken: other stages have timeouts of their own.
    fn give_up_silent_circuits(&mut self) -> Result<Option<Duration>, StageError> {
        if !self.losses.are_borne {
            return Ok(None);
        }
        let now = self.now();
        let SilenceTimeouts { ask_after, gone_after, .. } = self.silence_timeouts;
        let mut next = None;
        for index in 0..self.circuits.len() {
            let circuit = &mut self.circuits[index];
            if circuit.is_down() {
                continue;
            }
            let asked = ask_after.map(|after| circuit.heard() + after);
            if asked.is_some_and(|asked| now >= asked) {
                circuit.ask_after_server();
            }
            let gone = circuit.heard() + gone_after;
            if now >= gone {
                self.circuit_is_down(index, &io::ErrorKind::TimedOut.into())?;
                continue;
            }
            let due = asked.filter(|_| !circuit.is_asked()).unwrap_or(gone);
            next = Some(next.map_or(due, |next: Duration| next.min(due)));
        }
        Ok(next)
    }

    /// Opens circuits again whose servers have not begun; says when that is next.
    fn open_silent_circuits_again(&mut self) -> Result<Option<Duration>, StageError> {
        let now = self.now();
        for index in 0..self.circuits.len() {
            let circuit = &mut self.circuits[index];
            if circuit.begins().is_some_and(|due| now >= due)
                && let Err(error) = circuit.open_again(now)
            {
                self.circuit_is_down(index, &error)?;
            }
        }
        Ok(self.circuits.iter().filter_map(Circuit::begins).min())
    }

    /// Lets every server know that this client is there, if it is time for that; says when
    /// it is next.
    fn keep_alive(&mut self) -> Option<Duration> {
        let period = self.silence_timeouts.keep_alive?;
        let now = self.now();
        if now >= self.kept_alive + period {
            self.kept_alive = now;
            for circuit in self.circuits.iter_mut().filter(|circuit| circuit.is_ready()) {
                let (peer, output) = circuit.peer_and_output();
                P::keep_alive(peer, output);
            }
        }
        Some(self.kept_alive + period)
    }

    /// The server of a circuit.
    pub(in crate::worker) fn server(&self, circuit: usize) -> SocketAddrV4 {
        self.circuits[circuit].address()
    }

    /// The server's number of a PV's channel, if it is connected.
    pub(in crate::worker) fn channel_number(&self, pv: u32) -> Option<u32> {
        let channel = self.channels.get(pv as usize)?;
        (channel.state == ChannelState::Connected).then_some(channel.sid)
    }

    /// The name of a PV of this job.
    pub(in crate::worker) fn name(&self, pv: u32) -> &str {
        self.names.get(pv)
    }

    /// What is known of the server of a circuit and where requests to it are put, with
    /// what the protocol keeps of the job.
    pub(in crate::worker) fn parts(
        &mut self,
        circuit: usize,
    ) -> (&mut P::Peer, &mut Vec<u8>, &mut P) {
        let (peer, output) = self.circuits[circuit].peer_and_output();
        (peer, output, &mut self.protocol)
    }

    /// A message that this client has no use for, of which only a part has come.
    pub(in crate::worker) fn too_long(
        &self,
        circuit: usize,
        piece: &Piece<'_, P::Header>,
    ) -> StageError {
        let (server, header) = (self.server(circuit), piece.header);
        let (command, bytes) = (header.command(), header.payload_bytes());
        StageError(format!("{server} sends a message {command} of {bytes} bytes"))
    }
}
