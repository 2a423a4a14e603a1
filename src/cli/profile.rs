//! What a run measures: the sizes of a profile, of which every option replaces
//! its part.

mod fleet;
mod scale;

use std::time::Duration;

use epics_gauge::ioc::{MAX_PVS, Servers};
use epics_gauge::measure::{Cell, Plan, this_machine};
use epics_gauge::record::{Load, Pixels, Scenario};
use epics_gauge::worker_protocol::Mode;
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::Failure;
use super::arguments::{Profile, RunArguments};

/// The write-ups' camera.
pub(super) const USUAL_PIXELS: Pixels = Pixels { width: 680, height: 480 };

/// Makes a load that monitors watch for so many seconds, unless the user said how
/// many.
type LoadOf<'a> = &'a dyn Fn(f64) -> Load;

/// Scenarios with monitors.
const MONITORED: &[Scenario] = &[
    Scenario::Waveform,
    Scenario::Scalars,
    Scenario::Capacity,
    Scenario::Scale,
    Scenario::Disturbed,
];

/// Scenarios that stop a client which takes too much memory.
const WITH_MEMORY_LIMIT: &[Scenario] = &[
    Scenario::Waveform,
    Scenario::Scalars,
    Scenario::Capacity,
    Scenario::Scale,
    Scenario::Disturbed,
    Scenario::Fleet,
];

/// Options that mean something to these scenarios only.
const OPTIONS: [(&str, fn(&RunArguments) -> bool, &[Scenario]); 10] = [
    (
        "--pvs",
        |said| !said.pvs.is_empty(),
        &[
            Scenario::Connect,
            Scenario::Scalars,
            Scenario::Capacity,
            Scenario::Scale,
            Scenario::Disturbed,
            Scenario::Fleet,
        ],
    ),
    ("--iocs", |said| said.iocs.is_some(), &[Scenario::Fleet]),
    ("--mode", |said| !said.modes.is_empty(), &[Scenario::Connect]),
    ("--rate", |said| !said.rates.is_empty(), MONITORED),
    ("--monitors", |said| !said.monitors.is_empty(), &[Scenario::Scale]),
    ("--table", |said| !said.tables.is_empty(), &[Scenario::Scale]),
    ("--pixels", |said| said.pixels.is_some(), &[Scenario::Waveform, Scenario::Disturbed]),
    ("--seconds", |said| said.seconds.is_some(), MONITORED),
    ("--array-bytes", |said| said.array_bytes.is_some(), MONITORED),
    ("--most-memory", |said| said.most_memory.is_some(), WITH_MEMORY_LIMIT),
];

/// Everything that is to be measured.
///
/// # Errors
/// When an option means nothing to the scenarios that are run, or leaves one
/// of them without anything to measure.
pub(super) fn plan(arguments: &RunArguments, servers: &Servers) -> Result<Plan, Failure> {
    let wanted: Vec<Scenario> =
        Scenario::ALL.into_iter().filter(|scenario| is_wanted(arguments, *scenario)).collect();
    check_options(arguments, &wanted)?;
    check_pvs(arguments, &wanted)?;
    let mut planned = Vec::new();
    for scenario in wanted {
        let cells = on_servers(arguments, servers, cells(arguments, scenario)?)?;
        if cells.is_empty() {
            return Err(Failure::usage(format!(
                "nothing to measure in {scenario}: serial mode is for up to 1000 PVs (--profile full) \
                 or 10 (quick); ask for fewer --pvs"
            )));
        }
        planned.extend(cells);
    }
    Ok(Plan {
        cells: planned,
        seed: arguments.seed.unwrap_or_else(random_seed),
        timeout: arguments.timeout.map(Duration::from_secs_f64),
        most_memory_bytes: match arguments.most_memory {
            Some(mebibytes) => u64::from(mebibytes) << 20,
            None => this_machine().memory_bytes / 4,
        },
        first_block: 0,
        confirms: false,
    })
}

/// Short, so that it is easily typed again.
pub(super) fn random_seed() -> u64 {
    u64::from(StdRng::from_os_rng().random::<u32>())
}

fn check_options(arguments: &RunArguments, wanted: &[Scenario]) -> Result<(), Failure> {
    for (option, is_said, scenarios) in OPTIONS {
        if is_said(arguments) && !scenarios.iter().any(|name| wanted.contains(name)) {
            return Err(Failure::usage(format!(
                "{option} means nothing to {}; it is for {}",
                names(wanted),
                names(scenarios)
            )));
        }
    }
    Ok(())
}

/// More PVs than one IOC holds are for fleets.
fn check_pvs(arguments: &RunArguments, wanted: &[Scenario]) -> Result<(), Failure> {
    let most = arguments.pvs.iter().copied().max().unwrap_or(0);
    if most <= MAX_PVS || wanted.iter().all(|name| *name == Scenario::Fleet) {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "--pvs {most}: one IOC holds at most {MAX_PVS} PVs here; for more name only the scenario \
         {}",
        Scenario::Fleet
    )))
}

fn names(scenarios: &[Scenario]) -> String {
    scenarios.iter().map(|scenario| scenario.name()).collect::<Vec<_>>().join(", ")
}

fn is_wanted(arguments: &RunArguments, name: Scenario) -> bool {
    match arguments.profile {
        _ if !arguments.scenarios.is_empty() => {
            arguments.scenarios.iter().any(|one| one == name.name())
        }
        Profile::Quick => [Scenario::Connect, Scenario::Waveform].contains(&name),
        // Up to a million PVs: by name only.
        Profile::Full => name != Scenario::Fleet,
    }
}

/// Cells without a server are for all that are wanted. Frames are made by some
/// servers only.
fn on_servers(
    arguments: &RunArguments,
    servers: &Servers,
    cells: Vec<Cell>,
) -> Result<Vec<Cell>, Failure> {
    let is_usual = servers.all().iter().filter(|kind| kind.is_usual);
    let usual: Vec<String> = is_usual.map(|kind| kind.name.clone()).collect();
    let wanted = if arguments.servers.is_empty() { &usual } else { &arguments.servers };
    let mut placed = Vec::new();
    for cell in cells {
        if !cell.server.is_empty() {
            placed.push(cell);
            continue;
        }
        for server in wanted {
            let has_frames = servers.get(server).is_none_or(|kind| kind.has_frames);
            if cell.load.is_some_and(|load| load.pixels.is_some()) && !has_frames {
                return Err(Failure::usage(format!(
                    "the server {server} makes no frames, which {} needs; name other scenarios or \
                     servers",
                    cell.scenario
                )));
            }
            placed.push(cell.on(server));
        }
    }
    Ok(placed)
}

fn cells(arguments: &RunArguments, scenario: Scenario) -> Result<Vec<Cell>, Failure> {
    let is_full = arguments.profile == Profile::Full;
    let said_blocks = arguments.blocks.map(|blocks| blocks as usize);
    let blocks = said_blocks.unwrap_or(if is_full { 5 } else { 1 });
    let load = |seconds: f64| Load {
        rate_hz: 0.0,
        seconds: arguments.seconds.unwrap_or(seconds),
        pixels: None,
        array_bytes: arguments.array_bytes,
        disturbance: None,
        monitors: 1,
        idle_pvs: 0,
    };
    Ok(match scenario {
        Scenario::Fleet => fleet::cells(arguments, said_blocks.unwrap_or(1))?,
        Scenario::Scale => scale::cells(arguments, &load, said_blocks.unwrap_or(1))?,
        Scenario::Waveform => {
            let load =
                Load { pixels: Some(arguments.pixels.unwrap_or(USUAL_PIXELS)), ..load(10.0) };
            let usual: &[f64] = if is_full { &[10.0, 120.0] } else { &[120.0] };
            Plan::monitors(scenario, &[1], &rates(arguments, usual), load, blocks)
        }
        Scenario::Scalars => {
            let rates = rates(arguments, &[10.0, 100.0, 1000.0]);
            Plan::monitors(scenario, &pvs(arguments, &[1, 10, 100]), &rates, load(5.0), blocks)
        }
        Scenario::Capacity => {
            let most = pvs(arguments, &[1000]).into_iter().max().unwrap_or(1000);
            let rates = rates(arguments, &[10.0, 100.0, 1000.0]);
            // Each search measures afresh what it finds.
            Plan::monitors(scenario, &[most], &rates, load(3.0), said_blocks.unwrap_or(1))
        }
        Scenario::Disturbed => {
            let load = Load { pixels: arguments.pixels, ..load(25.0) };
            let pvs = match arguments.pixels {
                Some(_) => vec![1],
                None => pvs(arguments, &[100]),
            };
            Plan::disturbed(&pvs, &rates(arguments, &[10.0]), load, said_blocks.unwrap_or(1))
        }
        Scenario::Connect => connect(arguments, said_blocks),
    })
}

fn connect(arguments: &RunArguments, said_blocks: Option<usize>) -> Vec<Cell> {
    let (usual_blocks, most_serial) = match arguments.profile {
        Profile::Quick => (5, 10),
        Profile::Full => (15, 1_000),
    };
    let modes: Vec<Mode> = if arguments.modes.is_empty() {
        vec![Mode::Bulk, Mode::Serial]
    } else {
        arguments.modes.iter().copied().map(Mode::from).collect()
    };
    let pvs = pvs(arguments, &[1, 100, 1_000, 10_000]);
    Plan::connect(&pvs, &modes, most_serial, said_blocks.unwrap_or(usual_blocks))
}

/// The counts that were asked, or else the usual ones.
fn pvs(arguments: &RunArguments, usual: &[usize]) -> Vec<usize> {
    let mut pvs = if arguments.pvs.is_empty() { usual.to_vec() } else { arguments.pvs.clone() };
    pvs.sort_unstable();
    pvs.dedup();
    pvs
}

fn rates(arguments: &RunArguments, usual: &[f64]) -> Vec<f64> {
    let mut rates =
        if arguments.rates.is_empty() { usual.to_vec() } else { arguments.rates.clone() };
    rates.sort_by(f64::total_cmp);
    rates.dedup();
    rates
}
