//! Monitors of all approaches at once while something happens to their server.

use std::time::Duration;

use super::analysis::{Absence, Arrived, Course, Instance, analyse};
use super::circuits::Circuits;
use super::workers::{Asked, FaultWorker, Workers};
use crate::ioc::{Counted, IocError, Server};
use crate::measure::stop::{Stop, failed};
use crate::process::link::Link;
use crate::process::monotonic_ns;
use crate::record::FailureKind;
use crate::scenario::{Fault, Happening, MonitoredFault};
use crate::worker_protocol::{Content, Gets, Mode, Monitor, Reported, Stage, StageCommand};

/// The workers' turn to begin collecting before the server begins to update.
const HEAD_START: Duration = Duration::from_millis(200);

/// What is on its way when the server stops has this long to arrive.
const DRAIN: Duration = Duration::from_millis(1500);

/// Workers collect this much longer than the rest is planned to take, and this much longer
/// for each start of a server.
const SPARE: Duration = Duration::from_secs(1);
const IOC_START: Duration = Duration::from_secs(2);

/// A get every second, each of another PV, which gives up after two.
const GET_EVERY_S: f64 = 1.0;
pub(super) const GET_TIMEOUT_S: f64 = 2.0;

/// Gets go to so many PVs in turn.
const PVS_TO_GET: usize = 10;

/// Not more room for updates is asked for.
const MOST_ROOM: f64 = 2e6;

/// No update follows on the one before, so that each comes with the time of its arrival.
const NEVER_THE_NEXT: f64 = 1.0;

/// Subscribes, lets it happen, and looks at what arrived.
pub(super) fn run(
    workers: &mut Workers,
    ioc: &mut dyn Server,
    pvs: usize,
    fault: &MonitoredFault,
) -> Result<(), Stop> {
    workers.ask(|worker| {
        worker.require(&[Stage::Subscribe])?;
        check_callback(worker, fault)?;
        let mut commands = worker.plain(&[Stage::Context, Stage::Create, Stage::Connect]);
        commands.push(subscribe(pvs, fault));
        Ok(commands)
    })?;
    if workers.is_empty() {
        return Ok(());
    }
    let counted_before = ioc.counted()?;
    let circuits = fault.cuts_link().then(|| Circuits::of(workers));
    let asked = workers.begin(|worker| Ok(vec![collect(worker, pvs, fault)]))?;
    let course =
        Happenings { workers: &mut *workers, ioc: &mut *ioc, asked: &asked, fault }.take(pvs)?;
    let merged = merged_since(ioc, fault, &counted_before)?;
    let answers = workers.finish(asked)?;
    let mut left = circuits.map_or(Vec::new(), |before| before.left(workers, &*ioc)).into_iter();
    let arrived: Vec<Option<Arrived>> = workers
        .all()
        .iter()
        .zip(answers)
        .map(|(worker, answers)| Some(Arrived::of(answers?.pop()?.done, reports_states(worker))))
        .collect();
    let analysed = analyse(&course, &arrived);
    for (worker, own) in workers.all().iter_mut().zip(analysed) {
        let circuits_left = left.next();
        let Some(mut own) = own else { continue };
        own.circuits_left = circuits_left;
        if let Some(updates) = &mut own.updates {
            updates.server_merged = merged;
        }
        own.name = std::mem::take(&mut worker.fault().name);
        *worker.fault() = own;
    }
    Ok(())
}

/// A worker of an older protocol cannot be slowed.
fn check_callback(worker: &FaultWorker, fault: &MonitoredFault) -> Result<(), Stop> {
    let is_old = worker.hello().is_some_and(|hello| hello.protocol < 5);
    if !is_old || fault.callback.is_zero() {
        return Ok(());
    }
    let message = "its worker speaks protocol 4 or older, which has no slow callbacks";
    Err(failed(FailureKind::Unable, None, message))
}

fn reports_states(worker: &FaultWorker) -> bool {
    worker.hello().is_some_and(|hello| hello.reports.contains(&Reported::States))
}

fn subscribe(pvs: usize, fault: &MonitoredFault) -> StageCommand {
    let room = (fault.rate_hz * pvs as f64 * longest(fault).as_secs_f64()).min(MOST_ROOM) as usize;
    let monitor = Monitor {
        content: Content::Scalars,
        step: NEVER_THE_NEXT,
        room: room + pvs,
        monitors: 1,
        callback_s: (!fault.callback.is_zero()).then_some(fault.callback.as_secs_f64()),
        frames: 0,
        may_be_silent: false,
    };
    StageCommand { monitor: Some(monitor), ..StageCommand::new(Stage::Subscribe, Mode::Bulk) }
}

fn collect(worker: &FaultWorker, pvs: usize, fault: &MonitoredFault) -> StageCommand {
    let can_get = worker.hello().is_some_and(|hello| hello.reports.contains(&Reported::Gets));
    let step = (pvs / PVS_TO_GET).max(1);
    let gets = (fault.has_gets && can_get).then(|| Gets {
        pvs: (0..pvs).step_by(step).collect(),
        every_s: GET_EVERY_S,
        timeout_s: GET_TIMEOUT_S,
    });
    let seconds = Some(longest(fault).as_secs_f64());
    StageCommand { seconds, gets, ..StageCommand::new(Stage::Collect, Mode::Bulk) }
}

/// How long workers collect.
fn longest(fault: &MonitoredFault) -> Duration {
    let starts = IOC_START * u32::try_from(fault.server_starts()).unwrap_or(u32::MAX);
    HEAD_START + fault.lasts() + starts + DRAIN + SPARE
}

/// What the server merged or dropped; a server that was started again counts anew.
fn merged_since(
    ioc: &mut dyn Server,
    fault: &MonitoredFault,
    before: &Counted,
) -> Result<Option<u64>, Stop> {
    match fault.server_starts() {
        0 => Ok(ioc.counted()?.since(before).merged_updates),
        _ => Ok(None),
    }
}

/// Lets it happen.
struct Happenings<'a> {
    workers: &'a mut Workers,
    ioc: &'a mut dyn Server,
    asked: &'a Asked,
    fault: &'a MonitoredFault,
}

impl Happenings<'_> {
    fn take(mut self, pvs: usize) -> Result<Course, Stop> {
        self.wait(HEAD_START)?;
        let mut course = Course {
            pvs,
            missing: self.fault.missing_pv(),
            rate_hz: self.fault.rate_hz,
            start_ns: monotonic_ns(),
            end_ns: 0,
            absences: Vec::new(),
            instances: vec![Instance::default()],
            get_timeout_s: GET_TIMEOUT_S,
        };
        self.ioc.start_scanning(self.fault.rate_hz)?;
        let mut passed = Duration::ZERO;
        for fault in self.fault.faults {
            self.wait(fault.at.saturating_sub(passed))?;
            self.carry_out(fault, &mut course)?;
            passed = fault.at + fault.lasts;
        }
        if let Some(updates_for) = self.fault.updates_for {
            self.wait(updates_for.saturating_sub(passed))?;
            self.stop_scanning(&mut course)?;
        }
        self.wait(self.fault.then)?;
        if self.fault.updates_for.is_none() {
            self.stop_scanning(&mut course)?;
        }
        self.wait(DRAIN)?;
        course.end_ns = monotonic_ns();
        Ok(course)
    }

    fn carry_out(&mut self, fault: &Fault, course: &mut Course) -> Result<(), Stop> {
        match fault.what {
            // Clients are many here, and each its own.
            Happening::ClientStopped => Ok(()),
            Happening::ServerStopped => {
                let from_ns = monotonic_ns();
                self.ioc.pause();
                let waited = self.wait(fault.lasts);
                let until_ns = monotonic_ns();
                self.ioc.resume();
                waited?;
                let served_ns = until_ns;
                course.absences.push(Absence { from_ns, until_ns, served_ns, is_kill: false });
                Ok(())
            }
            Happening::LinkCut(direction) => {
                let from_ns = monotonic_ns();
                self.link()?.cut(direction).map_err(IocError::from)?;
                let waited = self.wait(fault.lasts);
                let until_ns = monotonic_ns();
                self.link()?.restore().map_err(IocError::from)?;
                waited?;
                let served_ns = until_ns;
                course.absences.push(Absence { from_ns, until_ns, served_ns, is_kill: false });
                Ok(())
            }
            Happening::ServerKilled { .. }
            | Happening::ServerMoved
            | Happening::ServerRetyped { .. } => {
                self.stop_scanning(course)?;
                let from_ns = monotonic_ns();
                self.ioc.crash();
                self.wait(fault.lasts)?;
                let until_ns = monotonic_ns();
                self.start_again(fault.what)?;
                let served_ns = monotonic_ns();
                self.ioc.start_scanning(self.fault.rate_hz)?;
                course.absences.push(Absence { from_ns, until_ns, served_ns, is_kill: true });
                course.instances.push(Instance { from_ns: until_ns, ..Instance::default() });
                Ok(())
            }
        }
    }

    fn start_again(&mut self, what: Happening) -> Result<(), Stop> {
        match what {
            Happening::ServerMoved => self.ioc.move_to_spare_ports()?,
            Happening::ServerRetyped { pv } => self.ioc.restart_retyped(pv)?,
            Happening::ServerKilled { without } => self.ioc.restart(without)?,
            _ => {}
        }
        Ok(())
    }

    fn link(&self) -> Result<&Link, Stop> {
        let none = || failed(FailureKind::Ioc, None, "there is no link to cut");
        self.ioc.link().ok_or_else(none)
    }

    /// Stops the updates, and notes how many this instance made.
    fn stop_scanning(&mut self, course: &mut Course) -> Result<(), Stop> {
        let scanned_until_ns = monotonic_ns();
        self.ioc.stop_scanning()?;
        let mut last = self.ioc.processed()?;
        last.truncate(course.pvs);
        if let Some(instance) = course.instances.last_mut() {
            (instance.last, instance.scanned_until_ns) = (last, scanned_until_ns);
        }
        Ok(())
    }

    fn wait(&mut self, duration: Duration) -> Result<(), Stop> {
        self.workers.meanwhile(self.asked, duration)
    }
}
