//! Scenarios as data: what is asked of a server and an approach.

mod configuration;
mod definition;
mod definitions;
mod fault_table;
mod faults;
pub mod published;

use crate::record::{Load, Record};
pub use crate::record::{Scenario, least_update_bytes};
use crate::worker_protocol::{Mode, Stage};
pub(crate) use configuration::word;
pub use configuration::{Configuration, Words};
pub use definition::{
    Definition, Dimension, FigureGroup, Lookups, Model, PartOf, Single, Sizes, TooMuch, Values,
};
pub use definitions::DEFINITIONS;
pub use fault_table::{
    CLOSE_HZ, CloseWhen, DEAD_WINDOW, FAULTS, FAULTS_OF_PROFILES, FaultCourse, FaultDefinition,
    MixedLoad, MonitoredFault, PutKind, REFUSING_PV, SLOW_PUT, SLOW_PV, STORM_APPROACHES, SharedBy,
    UnknownFault, fault, is_dead,
};
pub use faults::{Course, Fault, Happening, RunLength, course};

/// A server that makes fewer than this part of its updates has given way itself,
/// in a search for a capacity.
pub const RATE_HELD_IN_SEARCH: f64 = 0.98;

/// The server that is not named where there is no other.
pub const USUAL_SERVER: &str = "softioc";

/// What sets `scenario` apart.
pub fn definition(scenario: Scenario) -> &'static Definition {
    let own = DEFINITIONS.iter().find(|definition| definition.scenario == scenario);
    own.unwrap_or_else(|| unreachable!("{scenario} is defined: a test holds it"))
}

/// The scenarios that two can be compared in: what searches, or needs many IOCs, is none of
/// them.
pub fn singles() -> impl Iterator<Item = (&'static Definition, Single)> {
    DEFINITIONS.iter().filter_map(|definition| Some((definition, definition.single?)))
}

/// Those of them that a gate measures: none that waits for faults or for a steady state.
pub fn gated() -> impl Iterator<Item = (&'static Definition, Single)> {
    let is_brief = |definition: &Definition| {
        definition.disturbances.is_empty() && !definition.awaits_steady_state
    };
    singles().filter(move |(definition, _)| is_brief(definition))
}

/// Gets and puts go to one PV of this many: a high-level application reads 1 %
/// of the PVs that it connects.
const PVS_PER_SAMPLED_PV: usize = 100;

/// Not more than this many PVs are read or written one at a time.
const MOST_SAMPLED_PVS: usize = 100;

/// Which PVs a step treats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All PVs of the job.
    All,
    /// 1 % of them, spread evenly: [`sampled_pvs`].
    Sampled,
}

/// What a step asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Make the context.
    Context,
    /// Create and connect all PVs.
    Connect,
    /// Let all records process once, then read: the values must be the new ones.
    Get(Which),
    /// The same once more; a cached or stale answer has the wrong value.
    GetAgain(Which),
    /// Write new values to the sampled PVs, confirmed, then read them back.
    PutAndReadBack,
    /// Let all records process once, then read the sampled PVs by the library's ordinary
    /// get: a value from a cache is an answer.
    GetDefault,
    /// The same once more: what the first one opened may answer now.
    GetDefaultAgain,
}

/// One step: an action in a mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What.
    pub action: Action,
    /// One PV at a time or all at once.
    pub mode: Mode,
}

/// The steps of the connect scenario for a configuration that connects in `mode`.
///
/// A bulk configuration reads and writes in both modes, so that the figures of one PV at
/// a time stand beside those of all at once for the same connections. A brief one
/// stops after the first sampled get, which proves that the connections are real.
pub fn connect_steps(mode: Mode, brief: bool) -> Vec<Step> {
    let step = |action, mode| Step { action, mode };
    let mut steps = vec![
        step(Action::Context, Mode::Bulk),
        step(Action::Connect, mode),
        step(Action::Get(Which::Sampled), Mode::Serial),
    ];
    if brief {
        return steps;
    }
    steps.extend([
        step(Action::GetAgain(Which::Sampled), Mode::Serial),
        step(Action::PutAndReadBack, Mode::Serial),
    ]);
    if mode == Mode::Bulk {
        steps.extend([
            step(Action::Get(Which::All), Mode::Bulk),
            step(Action::GetAgain(Which::All), Mode::Bulk),
            step(Action::PutAndReadBack, Mode::Bulk),
        ]);
    }
    // Last: what they leave open would disturb the others.
    steps.extend([
        step(Action::GetDefault, Mode::Serial),
        step(Action::GetDefaultAgain, Mode::Serial),
    ]);
    steps
}

/// The indices of the sampled PVs among `pvs`: 1 %, at least 1, at most 100.
pub fn sampled_pvs(pvs: usize) -> Vec<usize> {
    let count = (pvs / PVS_PER_SAMPLED_PV).clamp(1, MOST_SAMPLED_PVS).min(pvs);
    (0..count).map(|number| number * pvs / count).collect()
}

/// The name of the PV with this index, on every server of this crate.
pub fn pv_name(index: usize) -> String {
    format!("gauge:{index}")
}

/// The name of the PV that sends frames.
pub const FRAME_PV: &str = "gauge:frame";

/// How much greater the value of a PV of [`pv_name`] is after it was processed
/// once more: the greatest index of a PV is below it.
pub const PROCESSED_FACTOR: f64 = 1_048_576.0;

/// Whether a worker failed in a way that answers what is asked: as the definition of its
/// scenario says, and where an approach was known beforehand to be unable.
pub fn is_answer(record: &Record) -> bool {
    let definition = definition(record.scenario);
    record.failure.as_ref().is_some_and(|failure| definition.is_answered_by(failure))
}

/// Whether one server makes all updates of a load, so that their time stamps mean
/// something: one that was restarted sends values with time stamps of long ago first.
pub fn has_one_server(load: &Load) -> bool {
    load.disturbance.is_none_or(|disturbance| course(disturbance).server_starts() == 0)
}

/// Which stages read values.
pub fn reads(stage: Stage) -> bool {
    let is_of_connected = matches!(stage, Stage::Get | Stage::GetAgain | Stage::Readback);
    is_of_connected || reads_by_default(stage) || reads_shared(stage)
}

/// Which stages read values in a forked process or in several threads.
pub fn reads_shared(stage: Stage) -> bool {
    matches!(stage, Stage::GetForked | Stage::GetThreads)
}

/// Which stages read values by a library's ordinary get.
pub fn reads_by_default(stage: Stage) -> bool {
    matches!(stage, Stage::GetDefault | Stage::GetDefaultAgain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_percent_is_sampled_but_at_least_one_and_at_most_a_hundred() {
        let counts: Vec<usize> =
            [1, 99, 200, 10_000, 1_000_000].map(|pvs| sampled_pvs(pvs).len()).to_vec();
        assert_eq!(counts, [1, 1, 2, 100, 100]);
    }

    #[test]
    fn sampled_pvs_are_different_and_in_range() {
        let sampled = sampled_pvs(10_000);
        assert!(sampled.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(sampled.iter().all(|index| *index < 10_000));
    }
}
