//! The scenarios.

use super::definition::{
    Definition, Dimension, FigureGroup, Lookups, Model, PartOf, Single, Sizes, TooMuch, Values,
};
use crate::record::{Disturbance, FailureKind, Scenario};

/// Sizes of a scenario without a rate.
const fn connected(pvs: &'static [usize], blocks: usize, serial_pvs: usize) -> Sizes {
    Sizes { pvs, rates_hz: &[], blocks, serial_pvs }
}

/// Sizes of a scenario with monitors.
const fn monitored(pvs: &'static [usize], rates_hz: &'static [f64], blocks: usize) -> Sizes {
    Sizes { pvs, rates_hz, blocks, serial_pvs: 0 }
}

/// So many updates that the client's memory is not enough.
const TOO_MUCH_MEMORY: TooMuch =
    TooMuch { kind: FailureKind::TooMuchMemory, while_monitoring: false };

const RATES_HZ: &[f64] = &[10.0, 100.0, 1000.0];

/// All scenarios, in the order of reports.
pub static DEFINITIONS: [Definition; 8] = [
    Definition {
        scenario: Scenario::Connect,
        asks: "connect, get, get again and put, one by one and in bulk; ordinary gets",
        model: Model::Connect,
        part_of: PartOf::Quick,
        quick: connected(&[1, 100, 1_000, 10_000], 5, 10),
        full: connected(&[1, 100, 1_000, 10_000], 15, 1_000),
        lookups: Lookups::BothOfBulk(10_000),
        seconds: 0.0,
        values: Values::Scalars,
        disturbances: &[],
        answers: &[],
        awaits_steady_state: false,
        figures: &[FigureGroup::Stages],
        varies: &[Dimension::Pvs, Dimension::Mode, Dimension::Lookup],
        single: Some(Single { pvs: 1000, rate_hz: 0.0, seconds: 0.0 }),
    },
    Definition {
        scenario: Scenario::Waveform,
        asks: "a monitor on frames of a camera, every frame checked",
        model: Model::Monitor,
        part_of: PartOf::Quick,
        quick: monitored(&[1], &[120.0], 1),
        full: monitored(&[1], &[10.0, 120.0], 5),
        lookups: Lookups::Usual,
        seconds: 6.0,
        values: Values::Frames,
        disturbances: &[],
        answers: &[],
        awaits_steady_state: false,
        figures: &[FigureGroup::Loads, FigureGroup::Updates, FigureGroup::TimeSeries],
        varies: &[
            Dimension::Rate,
            Dimension::Pixels,
            Dimension::Lookup,
            Dimension::Seconds,
            Dimension::ArrayBytes,
            Dimension::Memory,
        ],
        single: Some(Single { pvs: 1, rate_hz: 120.0, seconds: 3.0 }),
    },
    Definition {
        scenario: Scenario::Scalars,
        asks: "monitors on many PVs at a rate, every update counted",
        model: Model::Monitor,
        part_of: PartOf::Full,
        quick: monitored(&[1, 10, 100], RATES_HZ, 1),
        full: monitored(&[1, 10, 100], RATES_HZ, 5),
        lookups: Lookups::Usual,
        seconds: 5.0,
        values: Values::Scalars,
        disturbances: &[],
        answers: &[],
        awaits_steady_state: false,
        figures: &[FigureGroup::Loads, FigureGroup::Updates, FigureGroup::TimeSeries],
        varies: &[
            Dimension::Pvs,
            Dimension::Rate,
            Dimension::Lookup,
            Dimension::Seconds,
            Dimension::ArrayBytes,
            Dimension::Memory,
        ],
        single: Some(Single { pvs: 100, rate_hz: 100.0, seconds: 3.0 }),
    },
    Definition {
        scenario: Scenario::Capacity,
        asks: "the most PVs at a rate that arrive without loss, by search",
        model: Model::Search,
        part_of: PartOf::Full,
        // Each search measures afresh what it finds.
        quick: monitored(&[1000], RATES_HZ, 1),
        full: monitored(&[1000], RATES_HZ, 1),
        lookups: Lookups::Usual,
        seconds: 3.0,
        values: Values::Scalars,
        disturbances: &[],
        answers: &[TOO_MUCH_MEMORY],
        awaits_steady_state: false,
        figures: &[FigureGroup::Capacity],
        varies: &[
            Dimension::Pvs,
            Dimension::Rate,
            Dimension::Lookup,
            Dimension::Seconds,
            Dimension::ArrayBytes,
            Dimension::Memory,
        ],
        single: None,
    },
    Definition {
        scenario: Scenario::Scale,
        asks: "servers against clients: PVs x rate x monitors, every update counted",
        model: Model::Monitor,
        part_of: PartOf::Full,
        quick: monitored(&[1, 10, 100], &[10.0], 1),
        full: monitored(&[1, 10, 100], &[10.0], 1),
        lookups: Lookups::Usual,
        seconds: 20.0,
        values: Values::Scalars,
        disturbances: &[],
        // Also too much to subscribe to, or to collect.
        answers: &[
            TOO_MUCH_MEMORY,
            TooMuch { kind: FailureKind::TimedOut, while_monitoring: true },
            TooMuch { kind: FailureKind::StageFailed, while_monitoring: true },
        ],
        awaits_steady_state: true,
        figures: &[FigureGroup::Loads, FigureGroup::Updates],
        varies: &[
            Dimension::Pvs,
            Dimension::Rate,
            Dimension::Monitors,
            Dimension::Table,
            Dimension::Lookup,
            Dimension::Seconds,
            Dimension::ArrayBytes,
            Dimension::Memory,
        ],
        single: Some(Single { pvs: 100, rate_hz: 10.0, seconds: 5.0 }),
    },
    Definition {
        scenario: Scenario::Recovery,
        asks: "monitors while the client stalls, the IOC restarts, a PV disappears",
        model: Model::Monitor,
        part_of: PartOf::Full,
        quick: monitored(&[100], &[10.0], 1),
        full: monitored(&[100], &[10.0], 1),
        lookups: Lookups::Usual,
        seconds: 25.0,
        values: Values::ScalarsOrFrames,
        disturbances: &Disturbance::ALL,
        answers: &[],
        awaits_steady_state: false,
        figures: &[FigureGroup::Updates, FigureGroup::Recovery],
        varies: &[
            Dimension::Pvs,
            Dimension::Rate,
            Dimension::Pixels,
            Dimension::Lookup,
            Dimension::Seconds,
            Dimension::ArrayBytes,
            Dimension::Memory,
        ],
        single: Some(Single { pvs: 100, rate_hz: 10.0, seconds: 25.0 }),
    },
    Definition {
        scenario: Scenario::ManyIocs,
        asks: "connect up to a million PVs on a hundred IOCs: time, memory, searches per PV",
        model: Model::ConnectToMany,
        part_of: PartOf::None,
        quick: connected(&[10_000, 100_000], 1, 0),
        full: connected(&[10_000, 100_000, 1_000_000], 1, 0),
        lookups: Lookups::Both,
        seconds: 0.0,
        values: Values::Scalars,
        disturbances: &[],
        answers: &[],
        awaits_steady_state: false,
        figures: &[FigureGroup::ManyIocs],
        varies: &[
            Dimension::Pvs,
            Dimension::Iocs,
            Dimension::Order,
            Dimension::Lookup,
            Dimension::Memory,
        ],
        single: None,
    },
    Definition {
        scenario: Scenario::Faults,
        asks: "a frozen or restarted IOC, churn, close, slow callbacks, bursts and puts",
        model: Model::Fault,
        part_of: PartOf::Quick,
        // Each fault has its own PVs and rate; profiles take some of them.
        quick: connected(&[], 1, 0),
        full: connected(&[], 1, 0),
        lookups: Lookups::Usual,
        seconds: 0.0,
        values: Values::Scalars,
        disturbances: &[],
        answers: &[],
        awaits_steady_state: false,
        figures: &[FigureGroup::Faults],
        varies: &[Dimension::Fault, Dimension::Lookup],
        single: None,
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{gated, singles};
    use crate::worker_protocol::Mode;

    #[test]
    fn a_gate_measures_what_is_brief_and_a_comparison_what_searches_for_nothing() {
        let gated: Vec<Scenario> = gated().map(|(definition, _)| definition.scenario).collect();
        assert_eq!(gated, [Scenario::Connect, Scenario::Waveform, Scenario::Scalars]);
        let compared: Vec<Scenario> =
            singles().map(|(definition, _)| definition.scenario).collect();
        assert_eq!(compared, [&gated[..], &[Scenario::Scale, Scenario::Recovery]].concat());
    }

    #[test]
    fn only_many_pvs_in_bulk_are_connected_by_both_lookups() {
        let of = |scenario: Scenario, pvs, mode| {
            let own = DEFINITIONS.iter().find(|one| one.scenario == scenario).unwrap();
            own.lookups.of(pvs, mode).len()
        };
        assert_eq!(of(Scenario::Connect, 10_000, Mode::Bulk), 2);
        assert_eq!(of(Scenario::Connect, 1_000, Mode::Bulk), 1);
        assert_eq!(of(Scenario::Connect, 50_000, Mode::Bulk), 1);
        assert_eq!(of(Scenario::Connect, 10_000, Mode::Serial), 1);
        assert_eq!(of(Scenario::Scalars, 10_000, Mode::Bulk), 1);
        assert_eq!(of(Scenario::ManyIocs, 100, Mode::Bulk), 2);
    }

    #[test]
    fn every_scenario_has_one_definition_in_the_order_of_reports() {
        let defined = DEFINITIONS.each_ref().map(|definition| definition.scenario);
        assert_eq!(defined, Scenario::ALL);
    }
}
