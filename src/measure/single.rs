//! One worker against one server, from its start to its record.

use std::time::Duration;

use super::driver::{Worker, blame_ioc};
use super::lookup::Environment;
use super::plan::Bounds;
use super::session::Timeouts;
use super::stop::Stop;
use super::{Candidate, PlannedConfiguration, connect, cores, linked, monitor};
use crate::ioc::{MixedRates, Server, Wanted, WantedLink};
use crate::process::Command;
use crate::record::{Cores, Failure, FailureKind, FaultRun, Record};
use crate::scenario::{CLOSE_HZ, FRAME_PV, FaultCourse, FaultDefinition, MixedLoad, pv_name};
use crate::worker_protocol::Mode;

/// The record of a worker that has not started.
pub(super) fn empty_record(planned: &PlannedConfiguration, approach: &str) -> Record {
    Record {
        scenario: planned.scenario,
        server: planned.server.clone(),
        pvs: planned.pvs,
        mode: planned.mode,
        lookup: planned.lookup,
        load: planned.load,
        many_iocs: planned.many_iocs,
        fault: planned
            .fault
            .map(|fault| Box::new(FaultRun { name: fault.name.to_owned(), ..FaultRun::default() })),
        approach: approach.to_owned(),
        ..Record::default()
    }
}

/// The command that starts the worker of `candidate`.
pub(super) fn command_of(candidate: &Candidate) -> Result<&Command, Stop> {
    candidate.command.as_ref().map_err(|missing| {
        Stop::Failed(Failure {
            kind: FailureKind::Missing,
            stage: None,
            message: missing.to_string(),
        })
    })
}

/// Runs one worker against `ioc`. Fills `record` up to the end or the failure, and `log` with
/// what the worker prints on stderr.
pub(super) fn measure(
    candidate: &Candidate,
    ioc: &mut dyn Server,
    planned: &PlannedConfiguration,
    bounds: Bounds,
    record: &mut Record,
    log: &mut String,
) -> Result<(), Stop> {
    let command = command_of(candidate)?;
    let environment = Environment::of(&candidate.approach, ioc, planned)?;
    record.server_versions = ioc.versions();
    let timeouts = Timeouts::new(bounds.timeout, usual_timeout(planned));
    let given = monitor::Given {
        most_memory_bytes: bounds.most_memory_bytes,
        protocol: candidate.approach.protocol,
        cores: cores_of(planned),
    };
    let worker = Worker {
        approach: &candidate.approach,
        command: linked::across(ioc, command.clone())
            .environment(environment.variables.clone())
            .cores(given.cores.as_ref().map_or(&[], |cores| &cores.client)),
        timeouts,
    };
    let pvs = match planned.load.and_then(|load| load.pixels) {
        Some(_) => vec![FRAME_PV.to_owned()],
        None => (0..planned.pvs).map(pv_name).collect(),
    };
    linked::begin(ioc);
    let mut origin_ns = 0;
    let driving = worker.drive(ioc, record, |driven| {
        let hello = driven.handshake(planned.mode, pvs)?;
        origin_ns = hello.import.start_ns;
        match planned.load {
            None => connect::run(driven, planned, &hello),
            Some(load) => monitor::run(driven, planned, load, given, &hello),
        }
    });
    linked::note(ioc, record, origin_ns);
    blame_ioc(driving.and_then(|driving| driving.end(log)), ioc)
}

/// What the server of a configuration holds.
pub(super) fn wanted(planned: &PlannedConfiguration) -> Wanted {
    let frame = planned.load.and_then(|load| load.pixels);
    let mixed = mixed_load(planned);
    let pvs = mixed.map_or(planned.pvs, |mixed| mixed.slow_pvs + mixed.fast_pvs);
    Wanted {
        pvs: pvs + planned.load.map_or(0, |load| load.idle_pvs),
        rate_hz: rate_hz(planned),
        frame: frame
            .map(|pixels| (pixels.width, pixels.height))
            .or(mixed.map(|mixed| mixed.pixels)),
        mixed: mixed.map(rates_of),
        max_array_bytes: planned.load.and_then(|load| load.array_bytes),
        put_records: planned.fault.is_some_and(FaultDefinition::needs_records),
        database: None,
        cores: cores_of(planned).map_or(Vec::new(), |cores| cores.server),
        link: wanted_link(planned),
        hosts: None,
    }
}

fn mixed_load(planned: &PlannedConfiguration) -> Option<MixedLoad> {
    match planned.fault?.course {
        FaultCourse::Mixed(mixed) => Some(mixed),
        _ => None,
    }
}

/// The rates of a mixed load, as a server takes them.
pub(super) fn rates_of(mixed: MixedLoad) -> MixedRates {
    let MixedLoad { slow_pvs, slow_hz, fast_hz, frames_hz, .. } = mixed;
    MixedRates { slow_pvs, slow_hz, fast_hz, frames_hz }
}

/// The link between server and clients.
fn wanted_link(planned: &PlannedConfiguration) -> Option<WantedLink> {
    Some(WantedLink { conditions: planned.conditions()?, seed: planned.link_seed })
}

/// The rate at which the server will be asked to update.
fn rate_hz(planned: &PlannedConfiguration) -> Option<f64> {
    match planned.fault.map(|fault| fault.course) {
        Some(FaultCourse::Monitored(course)) => Some(course.rate_hz),
        Some(FaultCourse::Close(_)) => Some(CLOSE_HZ),
        _ => planned.load.map(|load| load.rate_hz),
    }
}

/// The cores of client and server, where they must not share any.
fn cores_of(planned: &PlannedConfiguration) -> Option<Cores> {
    planned.waits_for_steady_state().then(cores::apart).flatten()
}

/// How long a stage may take without a timeout by the user: about three times what the slowest
/// known approach needs. Connecting one by one costs libca's search timer, about 30 ms per PV.
fn usual_timeout(planned: &PlannedConfiguration) -> Duration {
    let per_pv = match planned.mode {
        Mode::Bulk => Duration::from_millis(5),
        Mode::Serial => Duration::from_millis(100),
    };
    let subscriptions = planned.load.map_or(0, |load| planned.pvs * load.monitors);
    let times = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Duration::from_secs(20)
        + per_pv * times(planned.pvs)
        + Duration::from_micros(200) * times(subscriptions)
}
