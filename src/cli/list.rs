//! `list`: what this build knows.

use epics_gauge::approach::Catalogue;
use epics_gauge::judge::{BUDGET, LIMITS, Measure};
use epics_gauge::scenario;
use epics_gauge::units::grouped;

use super::Failure;
use super::arguments::{ListArguments, Listed};
use super::exit::Exit;

pub(super) fn run(arguments: &ListArguments) -> Result<Exit, Failure> {
    match arguments.what {
        Listed::Approaches => {
            let mut catalogue = Catalogue::built_in();
            if let Some(file) = &arguments.approaches_file {
                catalogue.add_file(file).map_err(Failure::usage)?;
            }
            for approach in catalogue.all() {
                println!("{:<12} {}", approach.name, approach.description);
            }
        }
        Listed::Servers => println!("{:<12} calc records in EPICS Base's softIoc", "softioc"),
        Listed::Scenarios => println!(
            "{:<12} connect, get, get again and put, one by one and in bulk",
            scenario::CONNECT
        ),
        Listed::Limits => limits(),
    }
    Ok(Exit::Good)
}

fn limits() {
    for limit in &LIMITS {
        let what = match limit.measure {
            Measure::Figure(metric, 1) => metric.name(),
            Measure::Figure(metric, least) => {
                format!("{} from {} PVs on", metric.name(), grouped(least))
            }
            Measure::ConnectSlope(least) => {
                format!("connect slope, up to {} PVs or more", grouped(least))
            }
        };
        let most = (limit.per_pv)(&BUDGET);
        println!(
            "{what:<40} {most:e} s per PV over the floor and over the fastest: {}",
            limit.derivation
        );
    }
}
