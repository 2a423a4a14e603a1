//! What a run measures: the sizes of a profile, of which every option replaces
//! its part.

pub(super) mod many_iocs;
mod scale;

use std::time::Duration;

use epics_gauge::ioc::{MAX_PVS, Servers};
use epics_gauge::lookup::Lookup;
use epics_gauge::measure::{Plan, PlannedConfiguration, this_machine};
use epics_gauge::record::{Load, Pixels, Scenario};
use epics_gauge::scenario::{
    DEFINITIONS, Definition, Dimension, FAULTS, FAULTS_OF_PROFILES, FaultCourse, FaultDefinition,
    Model, PartOf, STORM_APPROACHES, Sizes, Values, definition, fault,
};
use epics_gauge::worker_protocol::Mode;
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::Failure;
use super::arguments::{Profile, RunArguments};

/// The write-ups' camera.
pub(super) const USUAL_PIXELS: Pixels = Pixels { width: 680, height: 480 };

/// Makes a load of a monitor run of so many seconds, unless the user gave how
/// many.
type LoadOf<'a> = &'a dyn Fn(f64) -> Load;

/// Options that mean something to the scenarios that vary so.
const OPTIONS: [(&str, fn(&RunArguments) -> bool, Dimension); 13] = [
    ("--fault", |given| !given.faults.is_empty(), Dimension::Fault),
    ("--pvs", |given| !given.pvs.is_empty(), Dimension::Pvs),
    ("--iocs", |given| given.iocs.is_some(), Dimension::Iocs),
    ("--in-order", |given| given.in_order, Dimension::Order),
    ("--mode", |given| !given.modes.is_empty(), Dimension::Mode),
    ("--lookup", |given| !given.lookups.is_empty(), Dimension::Lookup),
    ("--rate", |given| !given.rates.is_empty(), Dimension::Rate),
    ("--monitors", |given| !given.monitors.is_empty(), Dimension::Monitors),
    ("--table", |given| !given.tables.is_empty(), Dimension::Table),
    ("--pixels", |given| given.pixels.is_some(), Dimension::Pixels),
    ("--seconds", |given| given.seconds.is_some(), Dimension::Seconds),
    ("--array-bytes", |given| given.array_bytes.is_some(), Dimension::ArrayBytes),
    ("--most-memory", |given| given.most_memory.is_some(), Dimension::Memory),
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
        let configurations =
            by_lookups(arguments, scenario, configurations(arguments, servers, scenario)?);
        let configurations = on_servers(arguments, servers, configurations)?;
        if configurations.is_empty() {
            return Err(Failure::usage(format!(
                "nothing to measure in {scenario}: serial mode is for up to 1000 PVs (--profile full) \
                 or 10 (quick); ask for fewer --pvs"
            )));
        }
        planned.extend(configurations);
    }
    Ok(Plan {
        configurations: planned,
        seed: arguments.seed.unwrap_or_else(random_seed),
        timeout: arguments.timeout.map(Duration::from_secs_f64),
        most_memory_bytes: match arguments.most_memory {
            Some(mebibytes) => u64::from(mebibytes) << 20,
            None => this_machine().memory_bytes / 4,
        },
        first_block: 0,
        confirms: false,
        done: Vec::new(),
    })
}

/// Short, so that it is easily typed again.
pub(super) fn random_seed() -> u64 {
    u64::from(StdRng::from_os_rng().random::<u32>())
}

fn check_options(arguments: &RunArguments, wanted: &[Scenario]) -> Result<(), Failure> {
    for (option, is_said, dimension) in OPTIONS {
        let varying: Vec<Scenario> = DEFINITIONS
            .iter()
            .filter(|definition| definition.varies.contains(&dimension))
            .map(|definition| definition.scenario)
            .collect();
        if is_said(arguments) && !varying.iter().any(|name| wanted.contains(name)) {
            return Err(Failure::usage(format!(
                "{option} means nothing to {}; it is for {}",
                names(wanted),
                names(&varying)
            )));
        }
    }
    Ok(())
}

/// More PVs than one IOC holds are for the scenario of many IOCs.
fn check_pvs(arguments: &RunArguments, wanted: &[Scenario]) -> Result<(), Failure> {
    let most = arguments.pvs.iter().copied().max().unwrap_or(0);
    let has_many_iocs = |name: &Scenario| definition(*name).model == Model::ConnectToMany;
    if most <= MAX_PVS || wanted.iter().all(has_many_iocs) {
        return Ok(());
    }
    let large: Vec<Scenario> = Scenario::ALL.into_iter().filter(has_many_iocs).collect();
    Err(Failure::usage(format!(
        "--pvs {most}: one IOC holds at most {MAX_PVS} PVs here; for more name only the scenario \
         {}",
        names(&large)
    )))
}

fn names(scenarios: &[Scenario]) -> String {
    scenarios.iter().map(|scenario| scenario.name()).collect::<Vec<_>>().join(", ")
}

fn is_wanted(arguments: &RunArguments, name: Scenario) -> bool {
    match arguments.profile {
        _ if !arguments.scenarios.is_empty() => {
            arguments.scenarios.iter().any(|one| one.parse() == Ok(name))
        }
        Profile::Quick => definition(name).part_of == PartOf::Quick,
        Profile::Full => definition(name).part_of != PartOf::None,
    }
}

/// Each configuration by the lookups that were asked for, or else by those of the definition.
fn by_lookups(
    arguments: &RunArguments,
    scenario: Scenario,
    configurations: Vec<PlannedConfiguration>,
) -> Vec<PlannedConfiguration> {
    let definition = definition(scenario);
    let mut asked = arguments.lookups.clone();
    asked.sort_unstable();
    asked.dedup();
    let is_asked = !asked.is_empty() && definition.varies.contains(&Dimension::Lookup);
    let lookups = |planned: &PlannedConfiguration| match is_asked {
        true => &asked[..],
        false => definition.lookups.of(planned.pvs, planned.mode),
    };
    // What a lookup changes is how PVs connect: beside the usual one it takes no more.
    let is_beside = |lookup: &Lookup| !is_asked && !lookup.is_usual();
    let by_each = |planned: PlannedConfiguration| {
        if planned.fault.is_some() {
            // Its own: that of its name server may be what goes away.
            return vec![planned];
        }
        let by = |lookup: &Lookup| {
            let planned = planned.clone().by(*lookup);
            if is_beside(lookup) { planned.brief() } else { planned }
        };
        lookups(&planned).iter().map(by).collect::<Vec<_>>()
    };
    configurations.into_iter().flat_map(by_each).collect()
}

/// Configurations without a server are for all that are wanted. Frames are made by some
/// servers only.
fn on_servers(
    arguments: &RunArguments,
    servers: &Servers,
    configurations: Vec<PlannedConfiguration>,
) -> Result<Vec<PlannedConfiguration>, Failure> {
    let is_usual = servers.all().iter().filter(|kind| kind.is_usual);
    let usual: Vec<String> = is_usual.map(|kind| kind.name.clone()).collect();
    let wanted = if arguments.servers.is_empty() { &usual } else { &arguments.servers };
    let mut placed = Vec::new();
    for planned in configurations {
        if !planned.server.is_empty() {
            placed.push(planned);
            continue;
        }
        for server in wanted {
            let has_frames = servers.get(server).is_none_or(|kind| kind.has_frames);
            if planned.load.is_some_and(|load| load.pixels.is_some()) && !has_frames {
                return Err(Failure::usage(format!(
                    "the server {server} makes no frames, which {} needs; name other scenarios or \
                     servers",
                    planned.scenario
                )));
            }
            if planned.fault.is_none_or(|fault| can_serve(servers, server, fault)) {
                placed.push(planned.on(server));
            }
        }
    }
    Ok(placed)
}

/// Only softIocs have the records of slow and refused puts, and update at several rates.
fn can_serve(servers: &Servers, server: &str, fault: &FaultDefinition) -> bool {
    let Some(kind) = servers.get(server) else { return true };
    let is_soft_ioc_needed = fault.needs_soft_ioc() || fault.needs_mixed_rates();
    (!is_soft_ioc_needed || kind.has_shell) && (!fault.needs_mixed_rates() || kind.has_frames)
}

fn configurations(
    arguments: &RunArguments,
    servers: &Servers,
    scenario: Scenario,
) -> Result<Vec<PlannedConfiguration>, Failure> {
    let definition = definition(scenario);
    let sizes = match arguments.profile {
        Profile::Quick => definition.quick,
        Profile::Full => definition.full,
    };
    let blocks = arguments.blocks.map_or(sizes.blocks, |blocks| blocks as usize);
    let sizes = Sizes { blocks, ..sizes };
    Ok(match definition.model {
        Model::Connect => connect(arguments, scenario, sizes),
        Model::Fault => planned_faults(arguments, blocks)?,
        Model::ConnectToMany => many_iocs::configurations(arguments, servers, sizes)?,
        Model::Monitor if definition.varies.contains(&Dimension::Table) => {
            let load = |seconds| load(arguments, definition, seconds);
            scale::configurations(arguments, &load, sizes)?
        }
        Model::Monitor | Model::Search => monitored(arguments, definition, sizes),
    })
}

fn load(arguments: &RunArguments, definition: &Definition, seconds: f64) -> Load {
    let pixels = match definition.values {
        Values::Scalars => None,
        Values::ScalarsOrFrames => arguments.pixels,
        Values::Frames => Some(arguments.pixels.unwrap_or(USUAL_PIXELS)),
    };
    let array_bytes = arguments.array_bytes;
    Load { pixels, array_bytes, ..Load::of_scalars(0.0, arguments.seconds.unwrap_or(seconds)) }
}

fn monitored(
    arguments: &RunArguments,
    definition: &Definition,
    sizes: Sizes,
) -> Vec<PlannedConfiguration> {
    let load = load(arguments, definition, definition.seconds);
    let pvs = match load.pixels {
        // The camera is one PV.
        Some(_) => vec![1],
        None => pvs(arguments, sizes.pvs),
    };
    let pvs = match definition.model {
        // A search goes up to the most.
        Model::Search => pvs.into_iter().max().into_iter().collect(),
        _ => pvs,
    };
    Plan::monitors(definition, &pvs, &rates(arguments, sizes.rates_hz), load, sizes.blocks)
}

fn connect(
    arguments: &RunArguments,
    scenario: Scenario,
    sizes: Sizes,
) -> Vec<PlannedConfiguration> {
    let modes: Vec<Mode> = if arguments.modes.is_empty() {
        vec![Mode::Bulk, Mode::Serial]
    } else {
        arguments.modes.iter().copied().map(Mode::from).collect()
    };
    let pvs = pvs(arguments, sizes.pvs);
    let mut configurations = Plan::connect(scenario, &pvs, &modes, sizes.serial_pvs, sizes.blocks);
    if arguments.pvs.is_empty() && arguments.modes.is_empty() {
        // All of one PV at once is one at a time: a profile does it once.
        configurations.retain(|planned| planned.pvs > 1 || planned.mode == Mode::Serial);
    }
    configurations
}

/// Storms are for some approaches, unless the user names others.
fn planned_faults(
    arguments: &RunArguments,
    blocks: usize,
) -> Result<Vec<PlannedConfiguration>, Failure> {
    let limited = |planned: PlannedConfiguration| {
        let is_storm =
            planned.fault.is_some_and(|fault| matches!(fault.course, FaultCourse::Storm { .. }));
        match is_storm && arguments.approaches.is_empty() {
            true => planned.only(STORM_APPROACHES.map(str::to_owned).to_vec()),
            false => planned,
        }
    };
    Ok(Plan::faults(&faults(arguments)?, blocks).into_iter().map(limited).collect())
}

/// The faults that were named, or else the usual ones; beside other scenarios those of
/// every profile.
fn faults(arguments: &RunArguments) -> Result<Vec<&'static FaultDefinition>, Failure> {
    match &arguments.faults[..] {
        [] if arguments.scenarios.is_empty() => {
            let is_taken = |fault: &&FaultDefinition| FAULTS_OF_PROFILES.contains(&fault.name);
            Ok(FAULTS.iter().filter(is_taken).collect())
        }
        [] => Ok(FAULTS.iter().filter(|fault| fault.is_usual).collect()),
        named => {
            let of = |name: &String| fault(name).map_err(Failure::usage);
            let named: Vec<&FaultDefinition> = named.iter().map(of).collect::<Result<_, _>>()?;
            Ok(FAULTS.iter().filter(|fault| named.contains(fault)).collect())
        }
    }
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
