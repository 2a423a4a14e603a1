//! Shows that a floor is one: what it sends against what the protocol requires, how busy
//! the server is meanwhile, and how long the same bytes take when they are only replayed.
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

/// The stages that are shown, as they follow on one another. While the last one collects,
/// every PV is updated once.
const SHOWN: [Stage; 5] =
    [Stage::Connect, Stage::Get, Stage::GetAgain, Stage::Subscribe, Stage::Collect];

/// How long updates are collected: so long, and so much longer for each PV. A server needs a
/// tenth of it.
const COLLECTING: Duration = Duration::from_secs(1);
const COLLECTING_OF_A_PV: Duration = Duration::from_micros(50);

/// The worker's turn to begin collecting before updates are made.
const HEAD_START: Duration = Duration::from_millis(100);

/// What one stage took.
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
    /// Which.
    pub stage: Stage,
    /// What the floor sent, as a third party counted it.
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

/// What is shown of one floor.
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

/// Shows one floor over `blocks` blocks of fresh IOCs; blocks for as long as that takes.
/// None when interrupted.
///
/// # Errors
/// When the floor or the server failed.
pub fn show(
    floor: &Candidate,
    servers: &Servers,
    server: &str,
    (pvs, blocks): (usize, usize),
    mut tell: impl FnMut(usize),
) -> Result<Option<Shown>, Failure> {
    let showing = Showing { floor, servers, server, pvs };
    match showing.show(blocks, &mut tell) {
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
    fn show(&self, blocks: usize, tell: &mut impl FnMut(usize)) -> Result<Shown, Stop> {
        let recorded = self.record()?;
        let mut floor = Vec::new();
        let mut replayed = Vec::new();
        for block in 0..blocks {
            if interrupted() {
                return Err(Stop::Interrupted);
            }
            tell(block);
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
        let stages = stages.map(|(at, (spoken, stage))| ShownStage {
            stage,
            sent: spoken.sent(protocol),
            required: required::required(protocol, stage, self.names()),
            received: spoken.received(protocol),
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

    /// What the floor says and hears, through a relay that writes it down.
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

    /// What the floor takes.
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

    /// What the server takes for the same bytes.
    fn replay(&self, recorded: &Recorded) -> Result<Vec<Took>, Stop> {
        let mut server = self.start()?;
        let address = self.address(&server.environment_by(Lookup::NameServer))?;
        let mut clock = clock(&*server)?;
        let mut replay = replay::Replay::start(address).map_err(|error| of_socket(&error))?;
        let stages = recorded.stages.iter().zip(SHOWN).map(|(spoken, stage)| {
            let before = cpu_s(&mut clock)?;
            let taken = match stage {
                Stage::Collect => replay.listen(spoken, || Ok(server.tick()?))?,
                _ => replay.play(spoken).map_err(|error| of_socket(&error))?,
            };
            let server_cpu_s = cpu_s(&mut clock)? - before;
            Ok(Took { seconds: taken.as_secs_f64(), client_cpu_s: 0.0, server_cpu_s })
        });
        stages.collect()
    }

    /// Takes the floor through all stages; `after` gets the seconds and the CPU time of
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

    /// Takes the floor through one stage; gives how long that took, and its CPU time.
    fn ask(&self, session: &mut Session, stage: Stage) -> Result<(u64, u64), Stop> {
        let monitor = (stage == Stage::Subscribe).then(|| Monitor {
            content: Content::Scalars,
            // No update follows the one before by so little: each one is reported with its time.
            step: 1.0,
            room: 3 * self.pvs,
            monitors: 1,
            callback_s: None,
        });
        let command = StageCommand { monitor, ..StageCommand::new(stage, Mode::Bulk) };
        let done = session.stages(&[command], &mut || Ok(()))?.remove(0).done;
        Ok((done.end_ns.saturating_sub(done.start_ns), done.cpu_ns))
    }

    /// Lets every PV be updated once while the floor collects; gives how long it took until
    /// the last update had arrived, and the floor's CPU time.
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
