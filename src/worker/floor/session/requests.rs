//! Requests and their answers.

use std::time::Duration;

use super::{Hears, Session};
use crate::units::counted_of;
use crate::worker::client::StageError;
use crate::worker::floor::channel::ChannelState;
use crate::worker::floor::circuit::Circuit;
use crate::worker::floor::protocol::Request;
use crate::worker::floor::request::Requests;

impl<P: Hears> Session<P> {
    /// Sends one request for each PV, to write `values` if there are any, and waits for
    /// all answers.
    pub(super) fn request(
        &mut self,
        pvs: &[usize],
        values: Option<&[f64]>,
        deadline: Duration,
    ) -> Result<Vec<f64>, StageError> {
        self.check_connected(pvs)?;
        self.requests = Requests::new(values.is_some(), pvs.len());
        self.protocol.begin(pvs, values.is_some());
        let mut sent = 0;
        while self.requests.unanswered() > 0 {
            while let Some(pv) = pvs.get(sent) {
                let channel = self.channels[*pv];
                let circuit = &mut self.circuits[usize::from(channel.circuit)];
                if circuit.is_full() {
                    break;
                }
                let (peer, output) = circuit.peer_and_output();
                let value = values.map(|values| values[sent]);
                let (pv, position) = (*pv as u32, sent as u32);
                let request = Request { pv, sid: channel.sid, position, value };
                if let Err(why) = self.protocol.request(peer, output, &request) {
                    self.requests.answer(sent, Err(why));
                }
                sent += 1;
            }
            if self.now() >= deadline {
                let why = format!("no answer after {} s", self.timeout.as_secs_f64());
                return Err(self.unanswered(pvs, &why));
            }
            self.turn(deadline).map_err(|StageError(why)| self.unanswered(pvs, &why))?;
            // Where that is no error of the stage, there is still nobody to answer.
            if self.losses_are_borne() {
                self.check_connected(pvs)?;
            }
        }
        if let Some((count, position, why)) = self.requests.failure() {
            return Err(self.failed(pvs, count, position, why));
        }
        Ok(std::mem::replace(&mut self.requests, Requests::none()).into_values())
    }

    /// Writes `values` to `pvs` without waiting for an answer, but until the system has
    /// taken all.
    pub(super) fn write_unconfirmed(
        &mut self,
        pvs: &[usize],
        values: &[f64],
    ) -> Result<(), StageError> {
        self.check_connected(pvs)?;
        for (pv, value) in pvs.iter().zip(values) {
            let channel = self.channels[*pv];
            let circuit = &mut self.circuits[usize::from(channel.circuit)];
            let (peer, output) = circuit.peer_and_output();
            P::write_unconfirmed(peer, output, channel.sid, *value);
        }
        let deadline = self.now().saturating_add(self.timeout);
        while self.circuits.iter().any(|circuit| circuit.queued_bytes() > 0) {
            if self.now() >= deadline {
                return Err(self.failed(pvs, pvs.len(), 0, "the server takes nothing"));
            }
            // Blocks only where the system takes no more.
            self.turn(if self.circuits.iter().any(Circuit::is_blocked) {
                deadline
            } else {
                Duration::ZERO
            })?;
        }
        Ok(())
    }

    pub(super) fn check_connected(&self, pvs: &[usize]) -> Result<(), StageError> {
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
        let pvs = counted_of(count, pvs.len(), "PV");
        StageError(format!("{pvs} not {done}, first {first}: {why}"))
    }
}
