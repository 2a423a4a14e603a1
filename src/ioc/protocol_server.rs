//! Servers in other languages, controlled by the server protocol
//! (`docs/server-protocol.md`).

mod conversation;
mod messages;
mod proof;

use std::collections::BTreeMap;
use std::time::Duration;

use super::builder::MAX_PVS;
use super::{Counted, IocError, Place, Server, Wanted};
use crate::lookup::Lookup;
use crate::process::{
    ArrayLimit, Command, Deadline, Peers, Ports, client_environment, server_environment,
};
use crate::protocol::Protocol;
use conversation::Conversation;
use messages::{FromServer, Hello, PROTOCOL_VERSION, Serve, ToServer};

/// The factor between the count of updates and the index in a PV's value.
const UPDATE_FACTOR: f64 = 1_048_576.0;

/// How long a server without PVs may take until it serves.
pub(super) const START_DEADLINE: Duration = Duration::from_secs(30);

/// How much longer it may take for each PV.
const START_DEADLINE_PER_PV: Duration = Duration::from_millis(1);

/// How long a command may take.
const COMMAND_DEADLINE: Duration = Duration::from_secs(30);

/// What kind of server it is.
#[derive(Debug, Clone)]
pub(super) struct ServerProgram {
    /// Its name in the catalogue, which its hello must carry.
    pub(super) name: String,
    /// The protocols that it must serve.
    pub(super) protocols: Vec<Protocol>,
    /// What starts it.
    pub(super) command: Command,
    /// What it is to hold.
    pub(super) wanted: Wanted,
    /// How long it may take until it serves, beside the time for its PVs.
    pub(super) start_deadline: Duration,
}

/// A running server that speaks the server protocol. Dropping it kills it and
/// removes its folder.
#[derive(Debug)]
pub(super) struct ProtocolServer {
    // Fields are dropped in this order: the process must be gone before its
    // folder and its ports are.
    conversation: Conversation,
    place: Place,
    program: ServerProgram,
    hello: Hello,
    /// The PV that a restart left out.
    missing: Option<usize>,
    scanning_hz: Option<f64>,
    /// How often each PV was updated when it was last certain.
    made: Vec<u64>,
}

impl ServerProgram {
    /// Starts the server; blocks until it serves, proved over the network.
    pub(super) fn start(self) -> Result<ProtocolServer, IocError> {
        if self.wanted.frame.is_some() {
            return Err(IocError::InvalidRequest(format!(
                "the server `{}` makes no frames",
                self.name
            )));
        }
        if self.wanted.pvs > MAX_PVS {
            return Err(IocError::InvalidRequest(format!(
                "{} PVs are more than one server is given; ask for at most {MAX_PVS}",
                self.wanted.pvs
            )));
        }
        let place = Place::take(self.wanted.reach().served())?;
        let (conversation, hello) = self.start_in(&place, None)?;
        let made = vec![0; self.wanted.pvs];
        Ok(ProtocolServer {
            conversation,
            place,
            program: self,
            hello,
            missing: None,
            scanning_hz: None,
            made,
        })
    }

    fn start_in(
        &self,
        place: &Place,
        without: Option<usize>,
    ) -> Result<(Conversation, Hello), IocError> {
        let pvs = u32::try_from(self.wanted.pvs).unwrap_or(u32::MAX);
        let deadline = Deadline::after(self.start_deadline + START_DEADLINE_PER_PV * pvs);
        let mut conversation = Conversation::start(&self.command_in(place))?;
        match self.serve(&mut conversation, place, without, &deadline) {
            Ok(hello) => Ok((conversation, hello)),
            Err(error) => Err(conversation.with_all_output(error)),
        }
    }

    fn command_in(&self, place: &Place) -> Command {
        self.command
            .clone()
            .cores(&self.wanted.cores)
            .folder(place.folder.path())
            .removed_with_harness(place.folder.path())
            .environment(server_environment(
                &place.ports,
                &Peers::default(),
                self.array_limit(),
                self.wanted.reach(),
            ))
    }

    fn array_limit(&self) -> ArrayLimit {
        self.wanted.max_array_bytes.map_or(ArrayLimit::RoomFor(0), ArrayLimit::Exactly)
    }

    fn serve(
        &self,
        conversation: &mut Conversation,
        place: &Place,
        without: Option<usize>,
        deadline: &Deadline,
    ) -> Result<Hello, IocError> {
        let hello = match conversation.hear(deadline, "say hello")? {
            FromServer::Hello(hello) => hello,
            other => return Err(conversation.garbage(&format!("`{}` before hello", other.name()))),
        };
        self.check_hello(conversation, &hello)?;
        if let Some(rate_hz) = self.wanted.rate_hz {
            self.check_rate(&hello, rate_hz)?;
        }
        let identity = place.identity();
        conversation.say(&ToServer::Serve(Serve {
            pvs: self.wanted.pvs,
            identity: identity.clone(),
            without,
            rate_hz: self.wanted.rate_hz,
            records: self.wanted.database.as_ref().map(|database| database.text.clone()),
            access_rules: self.wanted.database.as_ref().map(|one| one.access_rules.clone()),
        }))?;
        match conversation.hear(deadline, "serve")? {
            FromServer::Ready(ready) => {
                proof::prove(&ready, &self.protocols, place, deadline)?;
                Ok(hello)
            }
            FromServer::Failed(failed) => Err(conversation.refused(failed.error)),
            other => Err(conversation.garbage(&format!("`{}` instead of ready", other.name()))),
        }
    }

    fn check_hello(&self, conversation: &mut Conversation, hello: &Hello) -> Result<(), IocError> {
        if hello.protocol != PROTOCOL_VERSION {
            return Err(conversation.garbage(&format!(
                "it speaks version {} of the protocol, this harness version {PROTOCOL_VERSION}",
                hello.protocol
            )));
        }
        if hello.server != self.name {
            return Err(conversation.garbage(&format!(
                "it says hello as `{}`, but was started as `{}`",
                hello.server, self.name
            )));
        }
        Ok(())
    }

    fn check_rate(&self, hello: &Hello, rate_hz: f64) -> Result<(), IocError> {
        match &hello.rates_hz {
            Some(rates_hz) if !rates_hz.contains(&rate_hz) => {
                Err(IocError::InvalidRequest(format!(
                    "the server `{}` cannot update at {rate_hz} Hz; its rates are {rates_hz:?}",
                    self.name
                )))
            }
            _ => Ok(()),
        }
    }
}

impl ProtocolServer {
    fn ask(&mut self, command: &ToServer, what: &str) -> Result<FromServer, IocError> {
        // What came before was not an answer to this.
        self.conversation.log()?;
        self.conversation.say(command)?;
        match self.conversation.hear(&Deadline::after(COMMAND_DEADLINE), what)? {
            FromServer::Failed(failed) => Err(IocError::InvalidRequest(format!(
                "the server `{}` cannot {what}: {}",
                self.program.name, failed.error
            ))),
            answer => Ok(answer),
        }
    }

    fn ask_to(&mut self, command: &ToServer, what: &str) -> Result<(), IocError> {
        match self.ask(command, what)? {
            FromServer::Done(_) => Ok(()),
            other => Err(self.unfit(&other, what)),
        }
    }

    /// The error for an answer that is not one to what was asked.
    fn unfit(&mut self, answer: &FromServer, what: &str) -> IocError {
        self.conversation.garbage(&format!("it was to {what}, but says `{}`", answer.name()))
    }

    fn check_index(&self, index: usize) -> Result<(), IocError> {
        let pvs = self.program.wanted.pvs;
        if index < pvs {
            return Ok(());
        }
        Err(IocError::InvalidRequest(format!(
            "there is no gauge:{index}: the server has {pvs} PVs"
        )))
    }
}

impl Server for ProtocolServer {
    fn pid(&self) -> u32 {
        self.hello.pid
    }

    fn versions(&self) -> BTreeMap<String, String> {
        self.hello.versions.clone()
    }

    fn environment_by(&self, lookup: Lookup) -> Vec<(String, String)> {
        let (arrays, reach) = (self.program.array_limit(), self.program.wanted.reach());
        client_environment(&self.place.ports, lookup, arrays, reach)
    }

    fn ports(&self) -> Option<&Ports> {
        Some(&self.place.ports)
    }

    fn expected_value(&self, index: usize) -> f64 {
        let made = self.made.get(index).copied().unwrap_or(0);
        index as f64 + UPDATE_FACTOR * made as f64
    }

    fn tick(&mut self) -> Result<(), IocError> {
        if let Some(rate) = self.scanning_hz {
            let message = format!("the PVs are updated at {rate} Hz: no tick is needed");
            return Err(IocError::InvalidRequest(message));
        }
        self.ask_to(&ToServer::Tick, "update all PVs")?;
        for (index, made) in self.made.iter_mut().enumerate() {
            *made += u64::from(Some(index) != self.missing);
        }
        Ok(())
    }

    fn start_scanning(&mut self, rate_hz: f64) -> Result<(), IocError> {
        self.program.check_rate(&self.hello, rate_hz)?;
        self.stop_scanning()?;
        self.ask_to(&ToServer::Scan { rate_hz }, "start updating")?;
        self.scanning_hz = Some(rate_hz);
        Ok(())
    }

    fn stop_scanning(&mut self) -> Result<(), IocError> {
        if self.scanning_hz.is_none() {
            return Ok(());
        }
        self.ask_to(&ToServer::StopScan, "stop updating")?;
        self.scanning_hz = None;
        self.made = self.processed()?;
        Ok(())
    }

    fn processed(&mut self) -> Result<Vec<u64>, IocError> {
        let what = "report its counts of updates";
        match self.ask(&ToServer::Made, what)? {
            FromServer::Made(made) if made.counts.len() == self.program.wanted.pvs => {
                Ok(made.counts)
            }
            FromServer::Made(made) => {
                let (counts, pvs) = (made.counts.len(), self.program.wanted.pvs);
                Err(self.conversation.garbage(&format!("{counts} counts for {pvs} PVs")))
            }
            other => Err(self.unfit(&other, what)),
        }
    }

    fn stored_value(&mut self, index: usize) -> Result<f64, IocError> {
        self.check_index(index)?;
        let what = "report a value";
        match self.ask(&ToServer::Value { pv: index }, what)? {
            FromServer::Value(value) => Ok(value.value),
            other => Err(self.unfit(&other, what)),
        }
    }

    fn frame_count(&mut self) -> Result<u64, IocError> {
        Err(IocError::InvalidRequest(format!("the server `{}` makes no frames", self.program.name)))
    }

    fn counted(&mut self) -> Result<Counted, IocError> {
        let what = "report its counters";
        match self.ask(&ToServer::Counters, what)? {
            FromServer::Counters(counters) => Ok(Counted {
                subscriptions: counters.subscriptions,
                merged_updates: counters.merged_updates,
                scan_overruns: counters.scan_overruns,
                callback_overflows: counters.callback_overflows,
                sent_bytes: None,
                overloads: self.conversation.log()?.counts(),
            }),
            other => Err(self.unfit(&other, what)),
        }
    }

    fn command(&mut self, command: &str) -> Result<String, IocError> {
        let what = format!("run `{command}`");
        match self.ask(&ToServer::Shell { command: command.to_owned() }, &what)? {
            FromServer::Printed(printed) => Ok(printed.text),
            other => Err(self.unfit(&other, &what)),
        }
    }

    fn check(&mut self) -> Result<(), IocError> {
        self.conversation.log().map(drop)
    }

    fn pause(&self) {
        self.conversation.pause();
    }

    fn resume(&self) {
        self.conversation.resume();
    }

    fn crash(&mut self) {
        self.conversation.kill();
    }

    fn restart(&mut self, without: Option<usize>) -> Result<(), IocError> {
        if let Some(index) = without {
            self.check_index(index)?;
        }
        self.conversation.kill();
        (self.conversation, self.hello) = self.program.start_in(&self.place, without)?;
        self.missing = without;
        self.scanning_hz = None;
        self.made = vec![0; self.program.wanted.pvs];
        Ok(())
    }

    fn stop(self: Box<Self>) {
        self.conversation.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::ProcessError;

    #[test]
    fn a_server_that_never_serves_is_reported_with_everything_that_it_printed() {
        let program = ServerProgram {
            name: "mine".to_owned(),
            protocols: vec![Protocol::Ca],
            command: Command::new("sh").arguments(["-c", "echo I am thinking >&2; sleep 60"]),
            wanted: Wanted::default(),
            start_deadline: Duration::from_millis(500),
        };
        let error = program.start().unwrap_err();
        let IocError::Process(ProcessError::TimedOut { what, output, .. }) = &error else {
            panic!("{error:?}")
        };
        assert_eq!(what, "say hello");
        assert_eq!(output.trim(), "I am thinking");
    }
}
