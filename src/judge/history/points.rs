//! The points of a history: each figure of each run.

use std::collections::BTreeMap;

use super::{Nature, Point, Series, VersionsFrom};
use crate::judge::cell::CellKey;
use crate::judge::figures::interval;
use crate::judge::worker_figures::{FigureUnit, worker_figures};
use crate::judge::{Capacity, Scaling, capacities, scaling};
use crate::record::{Load, Record, RunRecords, Scenario};
use crate::scenario::{self, is_answer};
use crate::stats::Interval;
use crate::worker_protocol::Mode;

/// The figures of workers that have a history beside those of stages, in the order
/// of reports.
const OF_MONITORS_AND_FLEETS: [&str; 7] = [
    "client cpu",
    "server cpu",
    "client memory peak",
    "latency p99",
    UPDATES_LOST,
    "client memory per PV",
    "searches per PV",
];

const UPDATES_LOST: &str = "updates lost";
const WORKERS_FAILED: &str = "workers failed";
const CONNECT_SLOPE: &str = "connect slope";
const CAPACITY: &str = "PVs without loss";

/// All series, in the order of scenarios, servers, cells and metrics, then of the
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
fn order(series: &Series) -> (usize, String, bool, usize, u64, String, usize) {
    let CellKey { scenario, server, pvs, mode, load, fleet } = &series.cell;
    let scenario = scenario::ALL.iter().position(|(name, _)| name == scenario);
    let rate_mhz = load.map_or(0, |load| (1e3 * load.rate_hz) as u64);
    let rest = format!("{fleet:?} {:?}", load.map(|load| Load { rate_hz: 0.0, ..load }));
    let metric = OF_MONITORS_AND_FLEETS.iter().position(|name| *name == series.metric);
    let is_serial = *mode == Mode::Serial;
    let last = match series.metric.as_str() {
        CONNECT_SLOPE => usize::MAX - 1,
        WORKERS_FAILED => usize::MAX,
        _ => metric.unwrap_or(0),
    };
    (scenario.unwrap_or(usize::MAX), server.clone(), is_serial, *pvs, rate_mhz, rest, last)
}

/// The figures of one run, each a series of one point.
fn of_run(run: &RunRecords) -> Vec<Series> {
    let first: Vec<Record> =
        run.records.iter().filter(|record| !record.confirms).cloned().collect();
    let run = &RunRecords { records: first, ..run.clone() };
    let mut all = of_workers(run);
    all.extend(scaling(run).iter().map(of_slope));
    all.extend(capacities(run).iter().map(|found| of_capacity(run, found)));
    all
}

/// What the workers of one approach in one cell gave, metric by metric.
#[derive(Default)]
struct Given {
    values: Vec<(String, FigureUnit, Vec<f64>)>,
    workers: usize,
    failed: usize,
}

fn of_workers(run: &RunRecords) -> Vec<Series> {
    let mut cells: Vec<(CellKey, BTreeMap<usize, Given>)> = Vec::new();
    for record in run.records.iter().filter(|record| record.scenario != Scenario::Capacity) {
        let key = CellKey::of(record);
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
        let mut metrics: Vec<&str> = Vec::new();
        for (name, _, _) in approaches.values().flat_map(|given| &given.values) {
            if !metrics.contains(&name.as_str()) {
                metrics.push(name);
            }
        }
        for metric in metrics.into_iter().chain([WORKERS_FAILED]) {
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
        for figure in worker_figures(record).into_iter().filter(|one| has_history(record, one)) {
            match self.values.iter_mut().find(|(name, _, _)| *name == figure.metric) {
                Some((_, _, values)) => values.push(figure.value),
                None => self.values.push((figure.metric, figure.unit, vec![figure.value])),
            }
        }
    }

    fn series(&self, cell: &CellKey, metric: &str, approach: &str) -> Option<Series> {
        let of = |unit, nature, figure| Series {
            cell: cell.clone(),
            metric: metric.to_owned(),
            unit,
            nature,
            approach: approach.to_owned(),
            points: vec![Point { run: 0, figure, open_above: false }],
            last_change: None,
        };
        if metric == WORKERS_FAILED {
            let failed = Interval::exact(self.failed as f64, self.workers);
            return Some(of(FigureUnit::Count, Nature::Losses, failed));
        }
        let (_, unit, values) = self.values.iter().find(|(name, _, _)| name == metric)?;
        if metric == UPDATES_LOST {
            let lost = Interval::exact(values.iter().sum(), values.len());
            return Some(of(*unit, Nature::Losses, lost));
        }
        Some(of(*unit, Nature::Measured, interval(values.iter().copied())?))
    }
}

/// Stages per PV, and the import, which users wait for; and what is listed above.
fn has_history(record: &Record, figure: &crate::judge::worker_figures::WorkerFigure) -> bool {
    let is_stage = figure.unit == FigureUnit::SecondsPerPv || figure.metric == "import";
    match record.scenario {
        // Of so many loads the losses tell; the rest is in each run's own report.
        Scenario::Scale => figure.metric == UPDATES_LOST,
        Scenario::Connect | Scenario::Fleet if is_stage => true,
        _ => OF_MONITORS_AND_FLEETS.contains(&figure.metric.as_str()),
    }
}

fn of_slope(scaling: &Scaling) -> Series {
    let cell = CellKey {
        scenario: Scenario::Connect,
        server: scaling.server.clone(),
        pvs: scaling.most_pvs,
        mode: Mode::Bulk,
        load: None,
        fleet: None,
    };
    Series {
        cell,
        metric: CONNECT_SLOPE.to_owned(),
        unit: FigureUnit::SecondsPerPv,
        nature: Nature::Measured,
        approach: scaling.approach.clone(),
        points: vec![Point { run: 0, figure: scaling.slope_s, open_above: false }],
        last_change: None,
    }
}

fn of_capacity(run: &RunRecords, found: &Capacity) -> Series {
    let is_probe = |record: &&Record| {
        let rate_hz = record.load.map(|load| load.rate_hz);
        (record.scenario, &record.server, &record.approach, rate_hz)
            == (Scenario::Capacity, &found.server, &found.approach, Some(found.rate_hz))
    };
    let load = run.records.iter().find(is_probe).and_then(|record| record.load);
    let most = found.lossless_pvs.unwrap_or(0) as f64;
    let least = found.lossy_pvs.map(|pvs| pvs as f64);
    let figure = Interval {
        low: most,
        high: least.unwrap_or(most),
        ..Interval::exact(most, found.confirmed)
    };
    Series {
        cell: CellKey {
            scenario: Scenario::Capacity,
            server: found.server.clone(),
            pvs: 0,
            mode: Mode::Bulk,
            load,
            fleet: None,
        },
        metric: CAPACITY.to_owned(),
        unit: FigureUnit::Count,
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
