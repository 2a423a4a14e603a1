//! Injected slowdowns: a worker takes as much more time and CPU time as was ordered, inside
//! of what it times, and only where PVs are treated.

use std::time::Duration;

use epics_gauge::approach::Catalogue;
use epics_gauge::ioc::SoftIoc;
use epics_gauge::process::{Child, Deadline, Event};
use epics_gauge::python_site::{Missing, PythonSite};
use epics_gauge::worker_protocol::{Done, InjectedSlowdown, Mode, Stage, StageCommand};

use super::support::{WorkerDriver, program};

const PVS: usize = 100;

/// Workers with and without a slowdown in turns; the least of each counts, which
/// other work on the machine disturbs least.
const TURNS: usize = 3;

/// Milliseconds that a stage took, and those of CPU time.
#[derive(Debug, Clone, Copy)]
struct Cost {
    wall_ms: f64,
    cpu_ms: f64,
}

impl Cost {
    fn of(done: &Done) -> Cost {
        let ms = |nanoseconds: u64| nanoseconds as f64 / 1e6;
        Cost { wall_ms: ms(done.end_ns - done.start_ns), cpu_ms: ms(done.cpu_ns) }
    }

    fn least(self, other: Cost) -> Cost {
        let (wall_ms, cpu_ms) = (self.wall_ms.min(other.wall_ms), self.cpu_ms.min(other.cpu_ms));
        Cost { wall_ms, cpu_ms }
    }
}

/// What some stages cost at least, by their order, without and with the slowdown.
fn in_turns(
    approach: &str,
    pvs: usize,
    slowdown: InjectedSlowdown,
    commands: &[StageCommand],
) -> Vec<(Cost, Cost)> {
    let ioc = SoftIoc::builder().pvs(pvs).start().unwrap();
    let once = |slowdown: Option<InjectedSlowdown>| {
        let mut worker = WorkerDriver::start(approach, ioc.client_environment());
        worker.job_with(pvs, slowdown);
        commands.iter().map(move |command| Cost::of(&worker.run(command).unwrap()))
    };
    let least = |one: Vec<(Cost, Cost)>, other: Vec<(Cost, Cost)>| {
        let both = one.into_iter().zip(other);
        both.map(|(one, other)| (one.0.least(other.0), one.1.least(other.1))).collect()
    };
    (0..TURNS).map(|_| once(None).zip(once(Some(slowdown))).collect()).reduce(least).unwrap()
}

/// A native worker, a Python one with threads and one with coroutines.
const WORKERS: [&str; 3] = ["libca", "pyepics", "aioca"];

#[test]
fn cpu_time_ordered_for_each_pv_is_burnt_once_in_every_stage_that_treats_pvs() {
    const ORDERED_MS: f64 = PVS as f64;
    let slowdown = InjectedSlowdown { fraction: 0.0, per_pv_s: 1e-3 };
    for approach in WORKERS {
        let mut stages = vec![Stage::Context, Stage::Connect, Stage::Get, Stage::Put];
        // aioca creates in `connect`.
        if approach != "aioca" {
            stages.insert(1, Stage::Create);
        }
        let commands: Vec<StageCommand> = stages.iter().map(|stage| bulk(*stage)).collect();
        let costs = in_turns(approach, PVS, slowdown, &commands);
        for (stage, (plain, slowed)) in stages.into_iter().zip(costs) {
            let added_ms = slowed.cpu_ms - plain.cpu_ms;
            let says = format!("{approach}, {stage}: {plain:?}, slowed {slowed:?}");
            if matches!(stage, Stage::Context | Stage::Create) {
                assert!(added_ms < 0.5 * ORDERED_MS, "{says}");
                continue;
            }
            assert!((0.8 * ORDERED_MS..1.5 * ORDERED_MS).contains(&added_ms), "{says}");
            assert!(slowed.wall_ms > 0.8 * ORDERED_MS, "{says}");
        }
    }
}

#[test]
fn a_fraction_makes_time_and_cpu_time_longer_by_that_part() {
    // Connecting one by one is mostly waiting for the library's search timer, so
    // time and CPU time are seen apart. In bulk mode a slow `create` would hide some
    // of that.
    const FEW_PVS: usize = 5;
    let slowdown = InjectedSlowdown { fraction: 4.0, per_pv_s: 0.0 };
    let commands = [bulk(Stage::Context), StageCommand::new(Stage::Connect, Mode::Serial)];
    for approach in WORKERS {
        let (plain, slowed) = in_turns(approach, FEW_PVS, slowdown, &commands)[1];
        let says = format!("{approach}: {plain:?}, slowed {slowed:?}");
        assert!((3.0..8.0).contains(&(slowed.wall_ms / plain.wall_ms)), "{says}");
        assert!((3.0..8.0).contains(&(slowed.cpu_ms / plain.cpu_ms)), "{says}");
    }
}

fn bulk(stage: Stage) -> StageCommand {
    let mut command = StageCommand::new(stage, Mode::Bulk);
    command.values = (stage == Stage::Put).then(|| vec![1.5; PVS]);
    command
}

#[test]
fn a_slowdown_that_cannot_be_obeyed_is_not_of_the_protocol() {
    for approach in ["wire", "caproto"] {
        for wrong in [
            r#"{"fraction":-0.1}"#,
            r#"{"per_pv_s":-1}"#,
            r#"{"fraction":"much"}"#,
            r#"{"per_pv_s":1e999}"#,
            r#"{"slowness":1}"#,
            "5",
        ] {
            let job = format!(r#"{{"message":"job","pvs":[],"timeout_s":1,"slowdown":{wrong}}}"#);
            assert_eq!(exit_code_after_wrong(approach, &job), Some(65), "{approach}: {wrong}");
        }
    }
}

#[test]
fn a_worker_takes_the_name_that_a_slowdown_had_before() {
    for approach in ["wire", "caproto"] {
        let job = |slowdown: &str| {
            format!(r#"{{"message":"job","pvs":[],"timeout_s":1,"handicap":{slowdown}}}"#)
        };
        let wrong = job(r#"{"fraction":-1}"#);
        assert_eq!(exit_code_after_wrong(approach, &wrong), Some(65), "{approach}");
        let mut worker = given(approach, &job(r#"{"fraction":0.1}"#));
        worker.close_stdin();
        assert_eq!(exit_code(&mut worker), Some(0), "{approach}");
    }
}

/// How a worker ends by itself that gets this wrong line. Its stdin stays open: the end of
/// that would end it too.
fn exit_code_after_wrong(approach: &str, line: &str) -> Option<i32> {
    exit_code(&mut given(approach, line))
}

/// A worker that gets this line and no other.
fn given(approach: &str, line: &str) -> Child {
    let catalogue = Catalogue::built_in();
    let found = catalogue.get(approach).unwrap();
    let site = match found.needs_python_site() {
        true => PythonSite::install(|_| ()),
        false => Err(Missing("no Python was asked for".to_owned())),
    };
    let worker = found.command(&program(), &site).unwrap().start().unwrap();
    worker.write_line(line);
    worker
}

fn exit_code(worker: &mut Child) -> Option<i32> {
    let deadline = Deadline::after(Duration::from_secs(60));
    loop {
        if let Event::Ended(status) = worker.next_event(&deadline, "end").unwrap() {
            return status.code();
        }
    }
}
