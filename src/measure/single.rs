//! One worker against one server, from its start to its record.

use std::time::Duration;

use super::driven::Driven;
use super::session::{Session, Timeouts};
use super::stop::{Stop, of_ioc};
use super::{Candidate, Cell, connect, cores, monitor};
use crate::ioc::{Server, Wanted};
use crate::process::Command;
use crate::record::{Cores, Failure, FailureKind, Record};
use crate::scenario::{FRAME_PV, pv_name};
use crate::worker_protocol::Mode;

/// A dying IOC closes its sockets some time before its process is gone.
const EXIT_GRACE: Duration = Duration::from_millis(200);

/// How long a worker may take, and what it may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// How long one stage may take; by the count of PVs when not given.
    pub(super) timeout: Option<Duration>,
    /// A client that holds more memory while monitors watch is stopped.
    pub(super) most_memory_bytes: u64,
}

/// The record of a worker that has not begun.
pub(super) fn empty_record(cell: &Cell, approach: &str) -> Record {
    Record {
        scenario: cell.scenario,
        server: cell.server.clone(),
        pvs: cell.pvs,
        mode: cell.mode,
        load: cell.load,
        fleet: cell.fleet,
        approach: approach.to_owned(),
        ..Record::default()
    }
}

/// What starts the worker of `candidate`.
pub(super) fn command_of(candidate: &Candidate) -> Result<&Command, Stop> {
    candidate.command.as_ref().map_err(|missing| {
        Stop::Failed(Failure {
            kind: FailureKind::Missing,
            stage: None,
            message: missing.to_string(),
        })
    })
}

/// Runs one worker against `ioc`; fills `record` as far as it gets and `log` with
/// what the worker printed on stderr.
pub(super) fn measure(
    candidate: &Candidate,
    ioc: &mut dyn Server,
    cell: &Cell,
    bounds: Bounds,
    record: &mut Record,
    log: &mut String,
) -> Result<(), Stop> {
    command_of(candidate)?;
    record.server_versions = ioc.versions();
    let timeouts = Timeouts::new(bounds.timeout, usual_timeout(cell));
    let given = monitor::Given {
        most_memory_bytes: bounds.most_memory_bytes,
        protocol: candidate.approach.protocol,
        cores: cores_of(cell),
    };
    match drive(candidate, ioc, cell, timeouts, given, record, log) {
        Err(Stop::Failed(failure)) => {
            // Whatever the worker says: an IOC that died is the reason.
            std::thread::sleep(EXIT_GRACE);
            ioc.check().map_err(|error| of_ioc(&error, failure.stage))?;
            Err(Stop::Failed(failure))
        }
        outcome => outcome,
    }
}

/// What the server of a cell is to hold.
pub(super) fn wanted(cell: &Cell) -> Wanted {
    let frame = cell.load.and_then(|load| load.pixels);
    Wanted {
        pvs: cell.pvs + cell.load.map_or(0, |load| load.idle_pvs),
        rate_hz: cell.load.map(|load| load.rate_hz),
        frame: frame.map(|pixels| (pixels.width, pixels.height)),
        max_array_bytes: cell.load.and_then(|load| load.array_bytes),
        cores: cores_of(cell).map_or(Vec::new(), |cores| cores.server),
    }
}

/// The cores of client and server, where those are to be kept apart.
fn cores_of(cell: &Cell) -> Option<Cores> {
    cell.waits_for_steady_state().then(cores::apart).flatten()
}

/// Runs one worker; fills `record` as far as it gets and `log` with what the
/// worker printed on stderr.
fn drive(
    candidate: &Candidate,
    ioc: &mut dyn Server,
    cell: &Cell,
    timeouts: Timeouts,
    given: monitor::Given,
    record: &mut Record,
    log: &mut String,
) -> Result<(), Stop> {
    let cores = given.cores.as_ref().map_or(&[][..], |cores| &cores.client);
    let command = command_of(candidate)?.clone().environment(ioc.client_environment()).cores(cores);
    let session = Session::start(&command, timeouts)?;
    let mut driven = Driven::new(&candidate.approach, session, ioc, record);
    let pvs = match cell.load.and_then(|load| load.pixels) {
        Some(_) => vec![FRAME_PV.to_owned()],
        None => (0..cell.pvs).map(pv_name).collect(),
    };
    let outcome = driven.handshake(cell.mode, pvs).and_then(|hello| match cell.load {
        None => connect::run(&mut driven, cell, &hello),
        Some(load) => monitor::run(&mut driven, cell, load, given, &hello),
    });
    *log = match outcome {
        Ok(()) => driven.session.end(),
        Err(_) => driven.session.log(),
    };
    outcome
}

/// How long a stage may take, unless the user said it: some three times what the
/// slowest known approach needs. Connecting one by one costs libca's search timer
/// for each PV, some 30 ms.
fn usual_timeout(cell: &Cell) -> Duration {
    let per_pv = match cell.mode {
        Mode::Bulk => Duration::from_millis(5),
        Mode::Serial => Duration::from_millis(100),
    };
    let subscriptions = cell.load.map_or(0, |load| cell.pvs * load.monitors);
    let times = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Duration::from_secs(20)
        + per_pv * times(cell.pvs)
        + Duration::from_micros(200) * times(subscriptions)
}
