//! What a run measures: the sizes of a profile, of which every option replaces
//! its part.

use std::time::Duration;

use epics_gauge::measure::{Cell, Plan, this_machine};
use epics_gauge::protocol::Mode;
use epics_gauge::record::{Load, Pixels};
use epics_gauge::scenario::{self, CAPACITY, CONNECT, DISTURBED, SCALARS, WAVEFORM};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::Failure;
use super::arguments::{Profile, RunArguments};

/// The write-ups' camera.
const USUAL_PIXELS: Pixels = Pixels { width: 680, height: 480 };

/// Options that mean something to these scenarios only.
const OPTIONS: [(&str, fn(&RunArguments) -> bool, &[&str]); 7] = [
    ("--pvs", |said| !said.pvs.is_empty(), &[CONNECT, SCALARS, CAPACITY, DISTURBED]),
    ("--mode", |said| !said.modes.is_empty(), &[CONNECT]),
    ("--rate", |said| !said.rates.is_empty(), &[WAVEFORM, SCALARS, CAPACITY, DISTURBED]),
    ("--pixels", |said| said.pixels.is_some(), &[WAVEFORM, DISTURBED]),
    ("--seconds", |said| said.seconds.is_some(), &[WAVEFORM, SCALARS, CAPACITY, DISTURBED]),
    ("--array-bytes", |said| said.array_bytes.is_some(), &[WAVEFORM, SCALARS, CAPACITY, DISTURBED]),
    ("--most-memory", |said| said.most_memory.is_some(), &[WAVEFORM, SCALARS, CAPACITY, DISTURBED]),
];

/// Everything that is to be measured.
///
/// # Errors
/// When an option means nothing to the scenarios that are run, or leaves one
/// of them without anything to measure.
pub(super) fn plan(arguments: &RunArguments) -> Result<Plan, Failure> {
    let wanted: Vec<&str> = scenario::ALL
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| is_wanted(arguments, name))
        .collect();
    check_options(arguments, &wanted)?;
    let mut planned = Vec::new();
    for name in wanted {
        let cells = cells(arguments, name);
        if cells.is_empty() {
            return Err(Failure::usage(format!(
                "nothing to measure in {name}: serial mode is for up to 1000 PVs (--profile full) \
                 or 10 (quick); ask for fewer --pvs"
            )));
        }
        planned.extend(cells);
    }
    Ok(Plan {
        cells: planned,
        seed: arguments.seed.unwrap_or_else(|| u64::from(StdRng::from_os_rng().random::<u32>())),
        timeout: arguments.timeout.map(Duration::from_secs_f64),
        most_memory_bytes: match arguments.most_memory {
            Some(mebibytes) => u64::from(mebibytes) << 20,
            None => this_machine().memory_bytes / 4,
        },
    })
}

fn check_options(arguments: &RunArguments, wanted: &[&str]) -> Result<(), Failure> {
    for (option, is_said, scenarios) in OPTIONS {
        if is_said(arguments) && !scenarios.iter().any(|name| wanted.contains(name)) {
            return Err(Failure::usage(format!(
                "{option} means nothing to {}; it is for {}",
                wanted.join(", "),
                scenarios.join(", ")
            )));
        }
    }
    Ok(())
}

fn is_wanted(arguments: &RunArguments, name: &str) -> bool {
    match arguments.profile {
        _ if !arguments.scenarios.is_empty() => arguments.scenarios.iter().any(|one| one == name),
        Profile::Quick => [CONNECT, WAVEFORM].contains(&name),
        Profile::Full => true,
    }
}

fn cells(arguments: &RunArguments, name: &str) -> Vec<Cell> {
    let is_full = arguments.profile == Profile::Full;
    let said_blocks = arguments.blocks.map(|blocks| blocks as usize);
    let blocks = said_blocks.unwrap_or(if is_full { 5 } else { 1 });
    let load = |seconds: f64| Load {
        rate_hz: 0.0,
        seconds: arguments.seconds.unwrap_or(seconds),
        pixels: None,
        array_bytes: arguments.array_bytes,
        disturbance: None,
    };
    match name {
        WAVEFORM => {
            let load =
                Load { pixels: Some(arguments.pixels.unwrap_or(USUAL_PIXELS)), ..load(10.0) };
            let usual: &[f64] = if is_full { &[10.0, 120.0] } else { &[120.0] };
            Plan::monitors(name, &[1], &rates(arguments, usual), load, blocks)
        }
        SCALARS => {
            let rates = rates(arguments, &[10.0, 100.0, 1000.0]);
            Plan::monitors(name, &pvs(arguments, &[1, 10, 100]), &rates, load(5.0), blocks)
        }
        CAPACITY => {
            let most = pvs(arguments, &[1000]).into_iter().max().unwrap_or(1000);
            let rates = rates(arguments, &[10.0, 100.0, 1000.0]);
            // Each search measures afresh what it finds.
            Plan::monitors(name, &[most], &rates, load(3.0), said_blocks.unwrap_or(1))
        }
        DISTURBED => {
            let load = Load { pixels: arguments.pixels, ..load(25.0) };
            let pvs = match arguments.pixels {
                Some(_) => vec![1],
                None => pvs(arguments, &[100]),
            };
            Plan::disturbed(&pvs, &rates(arguments, &[10.0]), load, said_blocks.unwrap_or(1))
        }
        _ => connect(arguments, said_blocks),
    }
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
