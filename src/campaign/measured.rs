//! From the `[[measure]]` tables of a limits file, and the environment, to a gate.

use std::env;
use std::fs;
use std::path::Path;

use super::{Gate, candidates};
use crate::approach::{Approach, Catalogue};
use crate::ioc::Servers;
use crate::judge::{Limits, Measured};
use crate::measure::{Plan, PlannedConfiguration};
use crate::python_site::{Missing, PythonSite};
use crate::record::Load;
use crate::scenario::definition;
use crate::worker_protocol::Mode;

/// The variable with a limits file that replaces the built-in one.
const LIMITS: &str = "EPICS_GAUGE_LIMITS";

/// The variable with a file of approaches beside the built-in ones.
const APPROACHES: &str = "EPICS_GAUGE_APPROACHES";

/// The gate of the limits file `EPICS_GAUGE_LIMITS`, or else of the built-in one, with the
/// approaches of `EPICS_GAUGE_APPROACHES` beside the built-in ones. `program` is epics-gauge;
/// `folder` holds records. Downloads the Python packages if necessary, and blocks meanwhile.
///
/// # Errors
/// The first error in the files, with its line and the likely correction.
pub fn gate_of(program: &Path, folder: &Path) -> Result<Gate, String> {
    let mut catalogue = Catalogue::built_in();
    if let Some(file) = env::var_os(APPROACHES) {
        catalogue.add_file(Path::new(&file)).map_err(|error| error.to_string())?;
    }
    let servers = Servers::built_in(Err(Missing("not looked for yet".to_owned())));
    let limits = limits(&catalogue, &servers)?;
    let configurations: Vec<PlannedConfiguration> =
        limits.measured.iter().flat_map(|one| configurations(one, &catalogue)).collect();
    let takes = |approach: &&Approach| {
        configurations.iter().any(|planned| {
            let is_meant = approach.is_usual || planned.approaches.contains(&approach.name);
            is_meant && planned.takes(approach, servers.get(&planned.server))
        })
    };
    let approaches: Vec<Approach> = catalogue.all().iter().filter(takes).cloned().collect();
    let needs_site = approaches.iter().any(Approach::needs_python_site)
        || configurations
            .iter()
            .any(|planned| servers.get(&planned.server).is_some_and(|kind| kind.needs_python_site));
    let site = match needs_site {
        true => PythonSite::install(|_| ()),
        false => Err(Missing("nobody asked for the Python packages".to_owned())),
    };
    let candidates = candidates(&approaches, program, &site);
    Ok(Gate::new(limits, configurations, servers.with_site(site), candidates, folder))
}

fn limits(catalogue: &Catalogue, servers: &Servers) -> Result<Limits, String> {
    let Some(file) = env::var_os(LIMITS) else { return Ok(Limits::built_in()) };
    let path = Path::new(&file);
    let name = path.display().to_string();
    let text = fs::read_to_string(path).map_err(|error| format!("cannot read {name}: {error}"))?;
    let limits = Limits::parse(&text, &name).map_err(|error| error.to_string())?;
    let approaches: Vec<&str> = catalogue.all().iter().map(|one| one.name.as_str()).collect();
    let servers: Vec<&str> = servers.all().iter().map(|kind| kind.name.as_str()).collect();
    limits.check_approaches(&approaches).map_err(|error| error.to_string())?;
    limits.check_servers(&servers).map_err(|error| error.to_string())?;
    Ok(limits)
}

/// The configurations of one `[[measure]]`, always with the floor of each protocol: limits over
/// the floor need it.
fn configurations(measured: &Measured, catalogue: &Catalogue) -> Vec<PlannedConfiguration> {
    let mut approaches = measured.approaches.clone();
    if !approaches.is_empty() {
        let floors = catalogue.all().iter().filter(|approach| approach.floor);
        approaches.extend(floors.map(|floor| floor.name.clone()));
    }
    let definition = definition(measured.scenario);
    let (pvs, blocks) = (&measured.pvs, measured.blocks);
    let plain = if definition.model.has_rate() {
        let load = Load {
            pixels: measured.pixels,
            ..Load::of_scalars(measured.rate_hz, measured.seconds)
        };
        Plan::monitors(definition, pvs, &[measured.rate_hz], load, blocks)
    } else {
        Plan::connect(measured.scenario, pvs, &[Mode::Bulk], 0, blocks)
    };
    let placed = |planned: PlannedConfiguration| {
        let planned = planned.on(&measured.server).only(approaches.clone());
        measured.lookups.iter().map(|lookup| planned.clone().by(*lookup)).collect::<Vec<_>>()
    };
    plain.into_iter().flat_map(placed).collect()
}
