//! `list`: what this build knows.

use epics_gauge::judge::{
    BUDGET, LEAK_BYTES_PER_MINUTE, LEAK_DERIVATION, LIMITS, Measure, PVS_LEFT_BEHIND,
};
use epics_gauge::scenario;
use epics_gauge::units::grouped;

use super::arguments::{ListArguments, Listed};
use super::exit::Exit;
use super::stdout::print;
use super::{Failure, catalogue};

pub(super) fn run(arguments: &ListArguments) -> Result<Exit, Failure> {
    let mut lines = String::new();
    match arguments.what {
        Listed::Approaches => {
            for approach in catalogue(arguments.approaches_file.as_deref())?.all() {
                lines += &format!("{:<12} {}\n", approach.name, approach.description);
            }
        }
        Listed::Servers => {
            lines += &format!("{:<12} calc records in EPICS Base's softIoc\n", "softioc");
        }
        Listed::Scenarios => {
            for (name, description) in scenario::ALL {
                lines += &format!("{name:<12} {description}\n");
            }
        }
        Listed::Limits => lines += &limits(),
    }
    print(&lines)?;
    Ok(Exit::Good)
}

fn limits() -> String {
    let mut lines = String::new();
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
        lines += &format!(
            "{what:<40} {most:e} s per PV over the floor and over the fastest: {}\n",
            limit.derivation
        );
    }
    lines += &format!(
        "{:<40} {} MB per minute: {LEAK_DERIVATION}\n",
        "growth of memory while monitors watch",
        LEAK_BYTES_PER_MINUTE / 1e6
    );
    lines + &format!("{:<40} {PVS_LEFT_BEHIND} PVs\n", "PVs that stay away after a disturbance")
}
