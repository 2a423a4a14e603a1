//! Shows that a floor is a lower bound: compares what it sends with what the protocol requires,
//! and its time with a replay of the same bytes, and measures how busy the server is.
//!
//! All of it goes over one TCP circuit, with the IOC as its own name server: datagrams may
//! be lost and sent again, so a conversation over UDP is not the same twice.

mod recorder;
mod replay;
mod required;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use serde::Serialize;

use self::recorder::{Recorded, Recorder};
pub use self::required::Traffic;
use super::Candidate;
use super::session::{Session, Timeouts};
use super::stop::{Stop, failed};
use crate::ioc::{Server, Servers, Wanted};
use crate::lookup::Lookup;
use crate::process::{ProcessClock, interrupted, monotonic_ns};
use crate::protocol::Protocol;
use crate::record::{Failure, FailureKind};
use crate::scenario::pv_name;
use crate::worker_protocol::{Content, Mode, Monitor, Stage, StageCommand};

/// The stages that are shown, in their order. During the last one the server updates every PV
/// once.
const SHOWN: [Stage; 5] =
    [Stage::Connect, Stage::Get, Stage::GetAgain, Stage::Subscribe, Stage::Collect];

/// How long updates are collected: so long, and so much longer for each PV. A server needs a
/// tenth of it.
const COLLECTING: Duration = Duration::from_secs(1);
const COLLECTING_OF_A_PV: Duration = Duration::from_micros(50);

/// How long the worker has to begin collecting before the server makes updates.
const HEAD_START: Duration = Duration::from_millis(100);

/// The time and CPU time of one stage.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Took {
    /// From the first byte to the last; of updates from the moment when the server was asked
    /// to make them to the arrival of the last.
    pub seconds: f64,
    /// CPU time of the client; 0 of a replay, which is this process.
    pub client_cpu_s: f64,
    /// CPU time of the server.
    pub server_cpu_s: f64,
}

/// One stage of a floor.
#[derive(Debug, Clone, Serialize)]
pub struct ShownStage {
    /// The stage.
    pub stage: Stage,
    /// What the floor sent, counted by a relay.
    pub sent: Traffic,
    /// What the protocol requires a client to send.
    pub required: Traffic,
    /// What the server sent.
    pub received: Traffic,
    /// What the protocol requires the server to send for updates with their time stamps;
    /// none of other stages, whose answers are the server's affair.
    pub required_to_receive: Option<Traffic>,
    /// The floor, by block.
    pub floor: Vec<Took>,
    /// The replay of the same bytes, by block.
    pub replayed: Vec<Took>,
}

/// The result for one floor.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    /// Its name.
    pub approach: String,
    /// The server.
    pub server: String,
    /// How many PVs.
    pub pvs: usize,
    /// By stage: connect, get, get again, subscribe, collect.
    pub stages: Vec<ShownStage>,
}

/// Measures one floor over `blocks` blocks of fresh IOCs; blocks until the end. None when
/// interrupted.
///
/// # Errors
/// When the floor or the server failed.
pub fn show(
    floor: &Candidate,
    servers: &Servers,
    server: &str,
    (pvs, blocks): (usize, usize),
    mut report: impl FnMut(usize),
) -> Result<Option<Shown>, Failure> {
    let showing = Showing { floor, servers, server, pvs };
    match showing.show(blocks, &mut report) {
        Ok(shown) => Ok(Some(shown)),
        Err(Stop::Interrupted) => Ok(None),
        Err(Stop::Failed(failure)) => Err(failure),
    }
}

struct Showing<'a> {
    floor: &'a Candidate,
    servers: &'a Servers,
    server: &'a str,
    pvs: usize,
}

impl Showing<'_> {
    fn show(&self, blocks: usize, report: &mut impl FnMut(usize)) -> Result<Shown, Stop> {
        let recorded = self.record()?;
        let mut floor = Vec::new();
        let mut replayed = Vec::new();
        for block in 0..blocks {
            if interrupted() {
                return Err(Stop::Interrupted);
            }
            report(block);
            // In turn, so that the machine's drift meets both alike.
            for is_floor in if block % 2 == 0 { [true, false] } else { [false, true] } {
                match is_floor {
                    true => floor.push(self.measure()?),
                    false => replayed.push(self.replay(&recorded)?),
                }
            }
        }
        let of = |blocks: &[Vec<Took>], at: usize| blocks.iter().map(|took| took[at]).collect();
        let protocol = self.floor.approach.protocol;
        let stages = recorded.stages.iter().zip(SHOWN).enumerate();
        let stages = stages.map(|(at, (bytes, stage))| ShownStage {
            stage,
            sent: bytes.sent(protocol),
            required: required::required(protocol, stage, self.names()),
            received: bytes.received(protocol),
            required_to_receive: required::to_receive(protocol, stage, self.pvs),
            floor: of(&floor, at),
            replayed: of(&replayed, at),
        });
        Ok(Shown {
            approach: self.floor.approach.name.clone(),
            server: self.server.to_owned(),
            pvs: self.pvs,
            stages: stages.collect(),
        })
    }

    fn names(&self) -> impl Iterator<Item = String> {
        (0..self.pvs).map(pv_name)
    }

    /// A server whose records have left the alarm that they begin with: the first update
    /// of each would say so.
    fn start(&self) -> Result<Box<dyn Server>, Stop> {
        let wanted = Wanted { pvs: self.pvs, ..Wanted::default() };
        let mut server = self.servers.start(self.server, &wanted)?;
        server.tick()?;
        Ok(server)
    }

    /// Records the floor's conversation through a relay.
    fn record(&self) -> Result<Recorded, Stop> {
        let mut server = self.start()?;
        let environment = server.environment_by(Lookup::NameServer);
        let address = self.address(&environment)?;
        let recorder = Recorder::start(address).map_err(|error| of_socket(&error))?;
        let environment = asking(environment, self.variable(), recorder.address());
        let mut stages = Vec::new();
        self.converse(&mut *server, environment, |_| {
            stages.push(recorder.stage());
            Ok(())
        })?;
        Ok(Recorded { stages })
    }

    /// Measures the floor.
    fn measure(&self) -> Result<Vec<Took>, Stop> {
        let mut server = self.start()?;
        let environment = server.environment_by(Lookup::NameServer);
        let mut clock = clock(&*server)?;
        let mut took = Vec::new();
        let mut cpu_before = cpu_s(&mut clock)?;
        self.converse(&mut *server, environment, |(seconds, client_cpu_s)| {
            let cpu = cpu_s(&mut clock)?;
            took.push(Took { seconds, client_cpu_s, server_cpu_s: cpu - cpu_before });
            cpu_before = cpu;
            Ok(())
        })?;
        Ok(took)
    }

    /// Measures the server with a replay of the same bytes.
    fn replay(&self, recorded: &Recorded) -> Result<Vec<Took>, Stop> {
        let mut server = self.start()?;
        let address = self.address(&server.environment_by(Lookup::NameServer))?;
        let mut clock = clock(&*server)?;
        let mut replay = replay::Replay::start(address).map_err(|error| of_socket(&error))?;
        let stages = recorded.stages.iter().zip(SHOWN).map(|(bytes, stage)| {
            let before = cpu_s(&mut clock)?;
            let taken = match stage {
                Stage::Collect => replay.listen(bytes, || Ok(server.tick()?))?,
                _ => replay.play(bytes).map_err(|error| of_socket(&error))?,
            };
            let server_cpu_s = cpu_s(&mut clock)? - before;
            Ok(Took { seconds: taken.as_secs_f64(), client_cpu_s: 0.0, server_cpu_s })
        });
        stages.collect()
    }

    /// Drives the floor through all stages; calls `after` with the seconds and the CPU time of
    /// each.
    fn converse(
        &self,
        server: &mut dyn Server,
        environment: Vec<(String, String)>,
        mut after: impl FnMut((f64, f64)) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let command = self
            .floor
            .command
            .as_ref()
            .map_err(|missing| failed(FailureKind::Missing, None, missing))?;
        let command = command.clone().environment(environment);
        let usual = Duration::from_secs(20) + Duration::from_millis(1) * self.pvs as u32;
        let mut session = Session::start(&command, Timeouts::new(None, usual))?;
        session.hello()?;
        session.job(self.names().collect(), None);
        self.ask(&mut session, Stage::Context)?;
        for stage in SHOWN {
            let (took_ns, cpu_ns) = match stage {
                Stage::Collect => self.collect(&mut session, server)?,
                _ => self.ask(&mut session, stage)?,
            };
            after((took_ns as f64 / 1e9, cpu_ns as f64 / 1e9))?;
        }
        session.end();
        Ok(())
    }

    /// Drives the floor through one stage; returns its time and CPU time.
    fn ask(&self, session: &mut Session, stage: Stage) -> Result<(u64, u64), Stop> {
        let monitor = (stage == Stage::Subscribe).then(|| Monitor {
            content: Content::Scalars,
            // No update follows the one before by so little: each one is reported with its time.
            step: 1.0,
            room: 3 * self.pvs,
            monitors: 1,
            callback_s: None,
            frames: 0,
            may_be_silent: false,
        });
        let command = StageCommand { monitor, ..StageCommand::new(stage, Mode::Bulk) };
        let done = session.stages(&[command], &mut || Ok(()))?.remove(0).done;
        Ok((done.end_ns.saturating_sub(done.start_ns), done.cpu_ns))
    }

    /// Updates every PV once while the floor collects; returns the time until the last update
    /// arrived, and the floor's CPU time.
    fn collect(&self, session: &mut Session, server: &mut dyn Server) -> Result<(u64, u64), Stop> {
        let pvs = u32::try_from(self.pvs).unwrap_or(u32::MAX);
        let command = StageCommand {
            seconds: Some((COLLECTING + COLLECTING_OF_A_PV * pvs).as_secs_f64()),
            ..StageCommand::new(Stage::Collect, Mode::Bulk)
        };
        let pending = session.begin(&[command]);
        session.meanwhile(&pending, HEAD_START, &mut || Ok(()))?;
        let asked_ns = monotonic_ns();
        server.tick()?;
        let done = session.finish(pending, &mut || Ok(server.check()?))?.remove(0).done;
        let runs = done.updates.map(|updates| updates.runs).unwrap_or_default();
        let arrived: Vec<u64> =
            runs.iter().map(|run| run.start_ns).filter(|at_ns| *at_ns >= asked_ns).collect();
        if arrived.len() != self.pvs {
            let message = format!("{} of {} updates arrived", arrived.len(), self.pvs);
            return Err(failed(FailureKind::WrongUpdate, Some(Stage::Collect), message));
        }
        let last_ns = arrived.into_iter().max().unwrap_or(asked_ns);
        Ok((last_ns - asked_ns, done.cpu_ns))
    }

    fn variable(&self) -> &'static str {
        match self.floor.approach.protocol {
            Protocol::Ca => "EPICS_CA_NAME_SERVERS",
            Protocol::Pva => "EPICS_PVA_NAME_SERVERS",
        }
    }

    fn address(&self, environment: &[(String, String)]) -> Result<SocketAddrV4, Stop> {
        let named = environment.iter().find(|(name, _)| name == self.variable());
        named.and_then(|(_, address)| address.parse().ok()).ok_or_else(|| {
            failed(FailureKind::Ioc, None, "the server has no address as a name server")
        })
    }
}

/// The same with another name server. Servers answer searches with their port, and clients
/// take the address of who answered: the relay has the server's port at another address.
fn asking(
    environment: Vec<(String, String)>,
    variable: &str,
    server: SocketAddrV4,
) -> Vec<(String, String)> {
    let mut environment: BTreeMap<String, String> = environment.into_iter().collect();
    environment.insert(variable.to_owned(), server.to_string());
    environment.into_iter().collect()
}

/// Where the relay listens: another address of loopback.
const RELAY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

fn clock(server: &dyn Server) -> Result<ProcessClock, Stop> {
    ProcessClock::of(server.pid()).ok_or_else(ended)
}

fn cpu_s(clock: &mut ProcessClock) -> Result<f64, Stop> {
    Ok(clock.read().ok_or_else(ended)?.cpu_ns as f64 / 1e9)
}

fn ended() -> Stop {
    failed(FailureKind::Ioc, None, "the server has ended")
}

fn of_socket(error: &io::Error) -> Stop {
    failed(FailureKind::Ioc, None, format!("the conversation with the server: {error}"))
}
