//! The points of a history: each figure of each run.

use std::collections::BTreeMap;

use super::{Nature, Point, Series, VersionsFrom};
use crate::judge::failed::FailedApproaches;
use crate::judge::figures::interval;
use crate::judge::scaling::scaling;
use crate::judge::{Capacity, Scaling, capacities};
use crate::metric::{Metric, Party, Percentile, rows};
use crate::record::{Load, Record, RunRecords, Scenario};
use crate::scenario::{Configuration, Model, definition, is_answer};
use crate::stats::Interval;
use crate::worker_protocol::{Mode, Stage};

/// The figures of monitors and of many IOCs that have a history, in the order of reports.
const OF_MONITORS_AND_FLEETS: [Metric; 7] = [
    Metric::CpuUse(Party::Client),
    Metric::CpuUse(Party::Server),
    Metric::MemoryPeak(Party::Client),
    Metric::Latency(Percentile::P99),
    Metric::UpdatesLost,
    Metric::ClientMemoryPerPv,
    Metric::SearchesPerPv,
];

/// All series, in the order of scenarios, servers, configurations and metrics, then of the
/// catalogue. Of losses and failures only those that have some.
pub(super) fn series(runs: &[&RunRecords]) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    for (index, run) in runs.iter().enumerate() {
        for mut own in of_run(run) {
            own.points[0].run = index;
            let is_same = |other: &&mut Series| {
                other.metric == own.metric
                    && other.approach == own.approach
                    && other.cell == own.cell
            };
            match all.iter_mut().find(is_same) {
                Some(known) => known.points.append(&mut own.points),
                None => all.push(own),
            }
        }
    }
    all.retain(|one| {
        one.nature != Nature::Losses || one.points.iter().any(|point| point.figure.median > 0.0)
    });
    // What a later run has first is put where it belongs; else the order stays.
    all.sort_by_cached_key(order);
    all
}

/// Sorted by what can be compared without a floating point number.
fn order(series: &Series) -> (Scenario, String, bool, usize, u64, String, usize) {
    let Configuration { scenario, server, pvs, mode, lookup, load, fleet } = &series.cell;

    let rate_mhz = load.map_or(0, |load| (1e3 * load.rate_hz) as u64);
    let after_usual = u8::from(!lookup.is_usual());
    let rest =
        format!("{fleet:?} {after_usual} {:?}", load.map(|load| Load { rate_hz: 0.0, ..load }));
    let metric = OF_MONITORS_AND_FLEETS.iter().position(|one| *one == series.metric);
    let is_serial = *mode == Mode::Serial;
    let last = match series.metric {
        Metric::ConnectSlope => usize::MAX - 1,
        Metric::WorkersFailed => usize::MAX,
        _ => metric.unwrap_or(0),
    };
    (*scenario, server.clone(), is_serial, *pvs, rate_mhz, rest, last)
}

/// The figures of one run, each a series of one point.
fn of_run(run: &RunRecords) -> Vec<Series> {
    let first: Vec<Record> =
        run.records.iter().filter(|record| !record.confirms).cloned().collect();
    let run = &RunRecords { records: first, ..run.clone() };
    let mut all = of_workers(run);
    all.extend(scaling(run, &FailedApproaches::of(&run.records)).iter().map(of_slope));
    all.extend(capacities(run).iter().map(|found| of_capacity(run, found)));
    all
}

/// What the workers of one approach in one configuration gave, metric by metric.
#[derive(Default)]
struct Given {
    values: Vec<(Metric, Vec<f64>)>,
    workers: usize,
    failed: usize,
}

fn of_workers(run: &RunRecords) -> Vec<Series> {
    let mut cells: Vec<(Configuration, BTreeMap<usize, Given>)> = Vec::new();
    let is_search = |record: &&Record| definition(record.scenario).model == Model::Search;
    for record in run.records.iter().filter(|record| !is_search(record)) {
        let key = Configuration::of(record);
        let place = run.run.approaches.iter().position(|facts| facts.name == record.approach);
        let Some(place) = place else { continue };
        let at = cells.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
            cells.push((key, BTreeMap::new()));
            cells.len() - 1
        });
        cells[at].1.entry(place).or_default().add(record);
    }
    let mut all = Vec::new();
    for (cell, approaches) in &cells {
        let mut metrics: Vec<Metric> = Vec::new();
        for (metric, _) in approaches.values().flat_map(|given| &given.values) {
            if !metrics.contains(metric) {
                metrics.push(*metric);
            }
        }
        for metric in metrics.into_iter().chain([Metric::WorkersFailed]) {
            for (place, given) in approaches {
                let approach = &run.run.approaches[*place].name;
                all.extend(given.series(cell, metric, approach));
            }
        }
    }
    all
}

impl Given {
    fn add(&mut self, record: &Record) {
        self.workers += 1;
        self.failed += usize::from(record.failure.is_some() && !is_answer(record));
        // A fleet that was not connected to its end has no cost.
        if record.fleet.is_some() && record.failure.is_some() {
            return;
        }
        for metric in rows().iter().map(|row| row.metric) {
            let Some(figure) = metric.of(record).filter(|_| has_history(record, metric)) else {
                continue;
            };
            match self.values.iter_mut().find(|(known, _)| *known == metric) {
                Some((_, values)) => values.push(figure),
                None => self.values.push((metric, vec![figure])),
            }
        }
    }

    fn series(&self, cell: &Configuration, metric: Metric, approach: &str) -> Option<Series> {
        let of = |nature, figure| Series {
            cell: cell.clone(),
            metric,
            unit: metric.unit(),
            nature,
            approach: approach.to_owned(),
            points: vec![Point { run: 0, figure, open_above: false }],
            last_change: None,
        };
        if metric == Metric::WorkersFailed {
            let failed = Interval::exact(self.failed as f64, self.workers);
            return Some(of(Nature::Losses, failed));
        }
        let (_, values) = self.values.iter().find(|(known, _)| *known == metric)?;
        if metric == Metric::UpdatesLost {
            let lost = Interval::exact(values.iter().sum(), values.len());
            return Some(of(Nature::Losses, lost));
        }
        Some(of(Nature::Measured, interval(values.iter().copied())?))
    }
}

/// Stages per PV, and the import, which users wait for; and what is listed above.
fn has_history(record: &Record, metric: Metric) -> bool {
    let is_stage =
        matches!(metric, Metric::Time(timed) if timed.is_per_pv() || timed.stage == Stage::Import);
    let definition = definition(record.scenario);
    match definition.model.has_rate() {
        // Of so many loads the losses tell; the rest is in each run's own report.
        true if definition.may_be_overloaded() => metric == Metric::UpdatesLost,
        false if is_stage => true,
        _ => OF_MONITORS_AND_FLEETS.contains(&metric),
    }
}

fn of_slope(scaling: &Scaling) -> Series {
    let cell = Configuration {
        scenario: Scenario::Connect,
        server: scaling.server.clone(),
        pvs: scaling.most_pvs,
        mode: Mode::Bulk,
        lookup: scaling.lookup,
        load: None,
        fleet: None,
    };
    Series {
        cell,
        metric: Metric::ConnectSlope,
        unit: Metric::ConnectSlope.unit(),
        nature: Nature::Measured,
        approach: scaling.approach.clone(),
        points: vec![Point { run: 0, figure: scaling.slope_s, open_above: false }],
        last_change: None,
    }
}

fn of_capacity(run: &RunRecords, found: &Capacity) -> Series {
    let is_probe = |record: &&Record| {
        let rate_hz = record.load.map(|load| load.rate_hz);
        (record.scenario, &record.server, &record.approach, rate_hz, record.lookup)
            == (
                Scenario::Capacity,
                &found.server,
                &found.approach,
                Some(found.rate_hz),
                found.lookup,
            )
    };
    let probe = run.records.iter().find(is_probe);
    let load = probe.and_then(|record| record.load);
    let most = found.lossless_pvs.unwrap_or(0) as f64;
    let least = found.lossy_pvs.map(|pvs| pvs as f64);
    let figure = Interval {
        low: most,
        high: least.unwrap_or(most),
        ..Interval::exact(most, found.confirmed)
    };
    Series {
        cell: Configuration {
            scenario: Scenario::Capacity,
            server: found.server.clone(),
            pvs: 0,
            mode: Mode::Bulk,
            lookup: found.lookup,
            load,
            fleet: None,
        },
        metric: Metric::Capacity,
        unit: Metric::Capacity.unit(),
        nature: Nature::Searched,
        approach: found.approach.clone(),
        points: vec![Point { run: 0, figure, open_above: least.is_none() }],
        last_change: None,
    }
}

/// What approaches and servers say that they are made of, at first and where it
/// changed. What the softIoc is made of, its run tells.
pub(super) fn versions(runs: &[&RunRecords]) -> Vec<VersionsFrom> {
    let mut all: Vec<VersionsFrom> = Vec::new();
    for (index, run) in runs.iter().enumerate() {
        let mut told: BTreeMap<&str, &BTreeMap<String, String>> = BTreeMap::new();
        for record in &run.records {
            let sides =
                [(&record.approach, &record.versions), (&record.server, &record.server_versions)];
            for (of, versions) in sides.into_iter().filter(|(_, versions)| !versions.is_empty()) {
                told.entry(of).or_insert(versions);
            }
        }
        for (of, versions) in told {
            let versions: Vec<String> =
                versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
            let last = all.iter().rev().find(|known| known.of == of);
            if last.is_none_or(|last| last.versions != versions) {
                all.push(VersionsFrom { of: of.to_owned(), run: index, versions });
            }
        }
    }
    all
}
