//! A scripted worker and server: a conversation with them needs no process and no network and,
//! because they have their own clock, no time.

use std::cell::{Cell as Slot, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};

use super::session::{Session, Timeouts};
use super::stop::Stop;
use super::transport::{Line, Transport, WorkerEvent};
use super::{PlannedConfiguration, connect, driven::Driven, monitor, single};
use crate::approach::Catalogue;
use crate::ioc::{Counted, IocError, Server};
use crate::lookup::Lookup;
use crate::process::{NetworkBytes, ProcessError, ProcessTime};
use crate::record::{Failure, Record, Scenario};
use crate::scenario::{pv_name, reads};
use crate::worker_protocol::{Mode, PROTOCOL_VERSION, Stage, StageCommand, ToWorker};

pub(super) const PVS: usize = 20;

/// How long each honest stage takes, and its CPU time.
pub(super) const SPAN_NS: u64 = 100_000_000;
pub(super) const CPU_NS: u64 = 60_000_000;

/// How long the last get in bulk takes.
pub(super) const LONG_SPAN_NS: u64 = 3 * SPAN_NS;

/// What the harness waits beyond that.
pub(super) const BESIDE_NS: u64 = 200_000;

/// The worker's clock at its start.
const START_NS: u64 = 5_000_000_000;

const MS: u64 = 1_000_000;

/// The process id in the worker's hello.
const WORKER: u32 = 7;

/// How long an honest request takes.
const REQUEST_BYTES: u64 = 16;

/// What a worker does with the honest answer to a stage, or with its hello.
pub(super) type Tamper = Box<dyn FnMut(&str, Option<&StageCommand>, Value) -> Vec<Says>>;

/// What a worker does.
pub(super) enum Says {
    Answer(Value),
    /// The answer without a request to the server.
    FromCache(Value),
    Text(&'static str),
    Log(&'static str),
    Exits(i32),
    DiesOf(i32),
}

/// Every answer changed by `change`, which gets the stage, the mode and the answer.
pub(super) fn changed(change: impl Fn(&str, Mode, &mut Value) + 'static) -> Tamper {
    Box::new(move |stage, command, mut answer| {
        change(stage, command.map_or(Mode::Bulk, |command| command.mode), &mut answer);
        vec![Says::Answer(answer)]
    })
}

/// What the server holds: the worker looks into it too.
#[derive(Default)]
struct Held {
    updates: u64,
    put: BTreeMap<usize, f64>,
}

impl Held {
    fn made(&self, pv: usize) -> f64 {
        pv as f64 + self.updates as f64 * crate::scenario::PROCESSED_FACTOR
    }

    fn value(&self, pv: usize) -> f64 {
        self.put.get(&pv).copied().unwrap_or_else(|| self.made(pv))
    }
}

/// How a whole connect scenario with such a worker ends, and its record.
pub(super) struct Outcome {
    pub(super) record: Record,
    pub(super) failure: Option<Failure>,
    pub(super) log: String,
}

/// Drives the worker through the connect scenario in bulk mode.
pub(super) fn connect_with(tamper: Tamper, honest_puts: bool) -> Outcome {
    with(
        tamper,
        honest_puts,
        PlannedConfiguration::new(Scenario::Connect, PVS, Mode::Bulk, None, 1),
    )
}

/// Drives the worker through a scenario.
pub(super) fn with(tamper: Tamper, honest_puts: bool, planned: PlannedConfiguration) -> Outcome {
    let held = Rc::new(RefCell::new(Held::default()));
    let worker = Worker::new(tamper, honest_puts, Rc::clone(&held));
    let timeouts = Timeouts::new(Some(Duration::from_secs(2)), Duration::ZERO);
    let session = Session::over(Box::new(worker), timeouts);
    let approach = Catalogue::built_in().get("libca").unwrap().clone();
    let mut record = single::empty_record(&planned, "libca");
    let mut server = Scripted { held };
    let mut driven = Driven::new(&approach, session, &mut server, &mut record);
    let names = (0..planned.pvs).map(pv_name).collect();
    let outcome = driven.handshake(planned.mode, names).and_then(|hello| match planned.load {
        None => connect::run(&mut driven, &planned, &hello),
        Some(load) => {
            let given = monitor::Given {
                most_memory_bytes: u64::MAX,
                protocol: approach.protocol,
                cores: None,
            };
            monitor::run(&mut driven, &planned, load, given, &hello)
        }
    });
    let log = driven.session.log();
    let failure = match outcome {
        Ok(()) => None,
        Err(Stop::Failed(failure)) => Some(failure),
        Err(Stop::Interrupted) => panic!("nobody interrupts"),
    };
    Outcome { record, failure, log }
}

struct Worker {
    tamper: Tamper,
    honest_puts: bool,
    held: Rc<RefCell<Held>>,
    now_ns: Slot<u64>,
    cpu_ns: u64,
    pvs: usize,
    sent_bytes: u64,
    says: VecDeque<(u64, WorkerEvent)>,
}

impl Worker {
    fn new(tamper: Tamper, honest_puts: bool, held: Rc<RefCell<Held>>) -> Worker {
        let now_ns = Slot::new(0);
        let says = VecDeque::new();
        let (cpu_ns, pvs, sent_bytes) = (30 * MS, 0, 0);
        let mut worker =
            Worker { tamper, honest_puts, held, now_ns, cpu_ns, pvs, sent_bytes, says };
        let hello = json!({
            "message": "hello", "protocol": PROTOCOL_VERSION, "approach": "libca", "pid": WORKER,
            "versions": {}, "modes": ["serial", "bulk"],
            "stages":
                ["context", "create", "connect", "get", "put", "get-default", "subscribe"],
            "import": {"start_ns": START_NS, "end_ns": START_NS + 20 * MS, "cpu_ns": 20 * MS},
        });
        worker.say_at(40 * MS, "hello", None, hello);
        worker
    }

    fn say_at(&mut self, at_ns: u64, stage: &str, command: Option<&StageCommand>, honest: Value) {
        for says in (self.tamper)(stage, command, honest) {
            let at = Duration::from_nanos(at_ns);
            let heard = match says {
                Says::Answer(answer) => WorkerEvent::Answer(Line { text: answer.to_string(), at }),
                Says::FromCache(answer) => {
                    self.sent_bytes -= asked_bytes(command);
                    WorkerEvent::Answer(Line { text: answer.to_string(), at })
                }
                Says::Text(text) => WorkerEvent::Answer(Line { text: text.to_owned(), at }),
                Says::Log(line) => WorkerEvent::Log(line.to_owned()),
                Says::Exits(code) => WorkerEvent::Ended(ExitStatus::from_raw(code << 8)),
                Says::DiesOf(signal) => WorkerEvent::Ended(ExitStatus::from_raw(signal)),
            };
            self.says.push_back((at_ns, heard));
        }
    }

    /// Works on a command from now on, or from the end of the one before.
    fn work(&mut self, command: &StageCommand) {
        let free_ns = self.says.back().map_or(0, |(at_ns, _)| *at_ns).max(self.now_ns.get());
        let usual_ns = match (command.stage, command.mode) {
            (Stage::GetAgain, Mode::Bulk) => LONG_SPAN_NS,
            _ => SPAN_NS,
        };
        let took_ns = usual_ns.max((command.seconds.unwrap_or(0.0) * 1e9) as u64);
        let start_ns = START_NS + free_ns + BESIDE_NS / 2;
        self.cpu_ns += CPU_NS;
        self.sent_bytes += asked_bytes(Some(command));
        let mut answer = json!({
            "message": "done", "stage": command.stage, "mode": command.mode,
            "start_ns": start_ns, "end_ns": start_ns + took_ns, "cpu_ns": CPU_NS,
        });
        let meant = command.pvs.clone().unwrap_or_else(|| (0..self.pvs).collect());
        match command.stage {
            stage if reads(stage) => {
                let held = self.held.borrow();
                let values: Vec<f64> = meant.iter().map(|pv| held.value(*pv)).collect();
                answer["values"] = json!(values);
            }
            Stage::Put if self.honest_puts => {
                let values = command.values.clone().unwrap_or_default();
                self.held.borrow_mut().put.extend(meant.iter().copied().zip(values));
            }
            Stage::Collect => answer["updates"] = json!({"runs": [], "latencies": []}),
            _ => {}
        }
        let is_timed = matches!(command.mode, Mode::Serial)
            && (reads(command.stage) || command.stage == Stage::Put);
        if is_timed {
            answer["each_ns"] = json!(vec![SPAN_NS / 2; meant.len()]);
        }
        let at_ns = free_ns + took_ns + BESIDE_NS;
        self.say_at(at_ns, command.stage.name(), Some(command), answer);
    }
}

/// What an honest worker sends for a command that names its PVs.
fn asked_bytes(command: Option<&StageCommand>) -> u64 {
    let asking = command.filter(|command| reads(command.stage));
    let pvs = asking.and_then(|command| command.pvs.as_ref()).map_or(0, Vec::len);
    REQUEST_BYTES * pvs as u64
}

impl Transport for Worker {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.now_ns.get())
    }

    fn send(&mut self, line: &str) {
        match serde_json::from_str(line).unwrap() {
            ToWorker::Job(job) => self.pvs = job.pvs.len(),
            ToWorker::Stage(command) => self.work(&command),
        }
    }

    fn next_event(&mut self, until: Duration) -> Result<Option<WorkerEvent>, ProcessError> {
        let until_ns = until.as_nanos() as u64;
        let is_due = self.says.front().is_some_and(|(at_ns, _)| *at_ns <= until_ns);
        let heard = if is_due { self.says.pop_front() } else { None };
        let now_ns = heard.as_ref().map_or(until_ns, |(at_ns, _)| *at_ns);
        self.now_ns.set(now_ns.max(self.now_ns.get()));
        Ok(heard.map(|(_, heard)| heard))
    }

    fn times(&mut self) -> Option<ProcessTime> {
        Some(ProcessTime { cpu_ns: self.cpu_ns, delayed_ns: 0 })
    }

    fn delayed_ns(&self) -> u64 {
        0
    }

    fn network(&mut self, worker: u32) -> Option<NetworkBytes> {
        assert_eq!(worker, WORKER, "the process that says hello is asked for");
        let (sent_bytes, received_bytes) = (self.sent_bytes, 0);
        Some(NetworkBytes { received_bytes, sent_bytes, connections: 1 })
    }

    fn pause(&self) {}

    fn resume(&self) {}

    fn pid(&self) -> u32 {
        std::process::id()
    }

    fn close(&mut self) {}

    fn ended_early(&self, status: ExitStatus) -> ProcessError {
        ProcessError::Ended { command: "scripted".to_owned(), status, output: String::new() }
    }

    fn timed_out(&self, allowed: Duration, what: &str) -> ProcessError {
        ProcessError::TimedOut {
            command: "scripted".to_owned(),
            what: what.to_owned(),
            seconds: allowed.as_secs_f64(),
            output: String::new(),
        }
    }
}

struct Scripted {
    held: Rc<RefCell<Held>>,
}

impl Server for Scripted {
    fn pid(&self) -> u32 {
        std::process::id()
    }

    fn environment_by(&self, _: Lookup) -> Vec<(String, String)> {
        Vec::new()
    }

    fn expected_value(&self, index: usize) -> f64 {
        self.held.borrow().made(index)
    }

    fn tick(&mut self) -> Result<(), IocError> {
        let mut held = self.held.borrow_mut();
        held.put.clear();
        held.updates += 1;
        Ok(())
    }

    fn start_scanning(&mut self, _: f64) -> Result<(), IocError> {
        Ok(())
    }

    fn stop_scanning(&mut self) -> Result<(), IocError> {
        Ok(())
    }

    fn processed(&mut self) -> Result<Vec<u64>, IocError> {
        Ok(vec![self.held.borrow().updates; PVS])
    }

    fn stored_value(&mut self, index: usize) -> Result<f64, IocError> {
        Ok(self.held.borrow().value(index))
    }

    fn frame_count(&mut self) -> Result<u64, IocError> {
        Ok(0)
    }

    fn counted(&mut self) -> Result<Counted, IocError> {
        Ok(Counted::default())
    }

    fn check(&mut self) -> Result<(), IocError> {
        Ok(())
    }

    fn pause(&self) {}

    fn resume(&self) {}

    fn crash(&mut self) {}

    fn restart(&mut self, _: Option<usize>) -> Result<(), IocError> {
        Ok(())
    }

    fn stop(self: Box<Self>) {}
}
