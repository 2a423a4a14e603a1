//! Requests and their answers.

use std::time::Duration;

use super::Session;
use crate::worker::client::StageError;
use crate::worker::wire::channel::ChannelState;
use crate::worker::wire::message::{self, Message};
use crate::worker::wire::request::Requests;

impl Session {
    /// Numbers the requests of a stage.
    pub(super) fn begin(&mut self, command: u16, count: usize) -> Requests {
        let requests = Requests::new(command, self.next_ioid, count);
        self.next_ioid = requests.ioid(count);
        requests
    }

    /// Sends one request for each PV and waits for all answers; `encode` gets the
    /// output, the channel, the request's number and its position.
    pub(super) fn request(
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
        StageError(format!("{count} of {} PVs not {done}, first {first}: {why}", pvs.len()))
    }

    /// Takes a server's word that a request failed.
    pub(super) fn request_is_refused(
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
            && let Some(pv) = self.pv_of_subscription(request.parameter_2)
        {
            let name = self.names.get(pv);
            return Err(StageError(format!("the subscription to {name}: {why}")));
        }
        Err(StageError(why))
    }
}
