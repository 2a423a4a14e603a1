//! What sets one scenario apart, as data.

use crate::lookup::Lookup;
use crate::record::{Disturbance, Failure, FailureKind, Scenario};
use crate::worker_protocol::{Mode, Stage};

/// One scenario. Planning, measuring, judging and the command line read it; a scenario
/// over a model that exists takes its name and its definition, and nothing else.
#[derive(Debug)]
pub struct Definition {
    /// Its name.
    pub scenario: Scenario,
    /// What it asks, in a line.
    pub asks: &'static str,
    /// How it is measured.
    pub model: Model,
    /// The profiles that it is part of.
    pub part_of: PartOf,
    /// The sizes of the quick profile.
    pub quick: Sizes,
    /// Those of the full one.
    pub full: Sizes,
    /// By which lookups PVs are found where none is asked for.
    pub lookups: Lookups,
    /// How many seconds a monitor run lasts.
    pub seconds: f64,
    /// Whether its PVs are scalars or one camera.
    pub values: Values,
    /// What happens meanwhile, each in a configuration of its own; nothing when empty.
    pub disturbances: &'static [Disturbance],
    /// Failures that answer what is asked: so much was too much. With any of them a server
    /// that does not hold its rate is an answer too, and every worker gets an IOC of its own.
    pub answers: &'static [TooMuch],
    /// Whether figures of usage begin when CPU use is steady, with client and server on
    /// different cores.
    pub awaits_steady_state: bool,
    /// The groups of figures that its records have.
    pub figures: &'static [FigureGroup],
    /// What a user may vary.
    pub varies: &'static [Dimension],
    /// What is measured of it by comparisons and by the gate, unless given otherwise;
    /// none where it searches, or needs many IOCs.
    pub single: Option<Single>,
}

/// How something is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// Stages, one after another.
    Connect,
    /// Monitors on what the server updates at a rate.
    Monitor,
    /// A search over monitors, for the most PVs without a loss.
    Search,
    /// Stages, against many IOCs at once.
    ConnectToMany,
    /// One of the table of faults, all approaches against one server.
    Fault,
}

impl Model {
    /// Whether the server updates PVs at a rate.
    pub fn has_rate(self) -> bool {
        matches!(self, Model::Monitor | Model::Search)
    }
}

/// The profiles in which a scenario runs without being named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartOf {
    /// Quick and full.
    Quick,
    /// Full only.
    Full,
    /// None: it takes too much of a machine.
    None,
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Counts of PVs.
    pub pvs: &'static [usize],
    /// Updates of one PV per second.
    pub rates_hz: &'static [f64],
    /// Blocks of each configuration.
    pub blocks: usize,
    /// PVs are connected one at a time up to this many.
    pub serial_pvs: usize,
}

/// By which lookups PVs are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookups {
    /// By UDP.
    Usual,
    /// By UDP; so many PVs at once by name server too.
    BothOfBulk(usize),
    /// Each configuration by both.
    Both,
}

impl Lookups {
    /// Those of so many PVs that are connected in this mode.
    pub fn of(self, pvs: usize, mode: Mode) -> &'static [Lookup] {
        const USUAL: &[Lookup] = &[Lookup::Udp];
        match self {
            Lookups::Both => &Lookup::ALL,
            Lookups::BothOfBulk(count) if pvs == count && mode == Mode::Bulk => &Lookup::ALL,
            Lookups::Usual | Lookups::BothOfBulk(_) => USUAL,
        }
    }
}

/// What the PVs of monitors hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// Numbers.
    Scalars,
    /// Numbers, or frames where a size of frames is asked for.
    ScalarsOrFrames,
    /// Frames of one camera.
    Frames,
}

/// What one measurement takes.
#[derive(Debug, Clone, Copy)]
pub struct Single {
    /// PVs.
    pub pvs: usize,
    /// Updates of one PV per second.
    pub rate_hz: f64,
    /// Seconds of a monitor run.
    pub seconds: f64,
}

/// A failure by which a worker says that so much was too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMuch {
    /// How it failed.
    pub kind: FailureKind,
    /// Whether that counts only while it subscribes or collects.
    pub while_monitoring: bool,
}

impl TooMuch {
    fn is(self, failure: &Failure) -> bool {
        let is_monitoring = matches!(failure.stage, Some(Stage::Subscribe | Stage::Collect));
        self.kind == failure.kind && (is_monitoring || !self.while_monitoring)
    }
}

/// A group of figures, which the records of a scenario have or lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FigureGroup {
    /// Stages, timed.
    Stages,
    /// Usage and losses under a load.
    Loads,
    /// Updates, latencies and what the server counts.
    Updates,
    /// Growth, and bytes over the least, which a quiet machine and one load take.
    TimeSeries,
    /// How clients came back.
    Recovery,
    /// The end of a search.
    Capacity,
    /// Memory and searches for each PV of many IOCs.
    ManyIocs,
    /// What went wrong, and how clients came back.
    Faults,
}

/// What a user may vary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    /// How many PVs.
    Pvs,
    /// What goes wrong.
    Fault,
    /// How many IOCs.
    Iocs,
    /// In which order clients get the PVs of many IOCs.
    Order,
    /// One PV at a time or all at once.
    Mode,
    /// How PVs are found.
    Lookup,
    /// Updates per second.
    Rate,
    /// Monitors of one PV.
    Monitors,
    /// A published table.
    Table,
    /// The size of frames.
    Pixels,
    /// How long a monitor run lasts.
    Seconds,
    /// `EPICS_CA_MAX_ARRAY_BYTES`.
    ArrayBytes,
    /// How much memory a client may take.
    Memory,
}

impl Definition {
    /// Whether too much load is an answer here, not a failure.
    pub fn may_be_overloaded(&self) -> bool {
        !self.answers.is_empty()
    }

    /// Whether this failure answers what is asked.
    pub fn is_answered_by(&self, failure: &Failure) -> bool {
        // Known beforehand, so it was not tried.
        let is_known = matches!(failure.kind, FailureKind::Unable | FailureKind::LeftOut);
        is_known || self.answers.iter().any(|answer| answer.is(failure))
    }
}
