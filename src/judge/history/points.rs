//! The figures of a run that have a history.

use std::collections::BTreeMap;

use super::{RunFigure, VersionsOf};
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
const OF_MONITORS_AND_MANY_IOCS: [Metric; 7] = [
    Metric::CpuUse(Party::Client),
    Metric::CpuUse(Party::Server),
    Metric::MemoryPeak(Party::Client),
    Metric::Latency(Percentile::P99),
    Metric::UpdatesLost,
    Metric::ClientMemoryPerPv,
    Metric::SearchesPerPv,
];

/// All figures, in the order of scenarios, servers, configurations and metrics, then of
/// the catalogue.
pub(super) fn figures(run: &RunRecords) -> Vec<RunFigure> {
    let first: Vec<Record> =
        run.records.iter().filter(|record| !record.confirms).cloned().collect();
    let run = &RunRecords { records: first, ..run.clone() };
    let mut all = of_workers(run);
    all.extend(scaling(run, &FailedApproaches::of(&run.records)).iter().map(of_slope));
    all.extend(capacities(run).iter().map(|found| of_capacity(run, found)));
    // What is not a number cannot be written, and says nothing.
    all.retain(|one| one.figure.median.is_finite());
    all.sort_by_cached_key(order);
    all
}

/// Sorted by what can be compared without a floating point number.
pub(super) fn order(figure: &RunFigure) -> (Scenario, String, bool, usize, u64, String, usize) {
    let Configuration { scenario, server, pvs, mode, lookup, load, many_iocs, fault } =
        &figure.configuration;

    let rate_mhz = load.map_or(0, |load| (1e3 * load.rate_hz) as u64);
    let after_usual = u8::from(!lookup.is_usual());
    let rest = format!(
        "{many_iocs:?} {fault:?} {after_usual} {:?}",
        load.map(|load| Load { rate_hz: 0.0, ..load })
    );
    let metric = OF_MONITORS_AND_MANY_IOCS.iter().position(|one| *one == figure.metric);
    let is_serial = *mode == Mode::Serial;
    let last = match figure.metric {
        Metric::ConnectSlope => usize::MAX - 1,
        Metric::WorkersFailed => usize::MAX,
        _ => metric.unwrap_or(0),
    };
    (*scenario, server.clone(), is_serial, *pvs, rate_mhz, rest, last)
}

/// What the workers of one approach in one configuration gave, metric by metric.
#[derive(Default)]
struct Given {
    values: Vec<(Metric, Vec<f64>)>,
    workers: usize,
    failed: usize,
}

fn of_workers(run: &RunRecords) -> Vec<RunFigure> {
    let mut configurations: Vec<(Configuration, BTreeMap<usize, Given>)> = Vec::new();
    let is_search = |record: &&Record| definition(record.scenario).model == Model::Search;
    for record in run.records.iter().filter(|record| !is_search(record)) {
        let key = Configuration::of(record);
        let place = run.run.approaches.iter().position(|facts| facts.name == record.approach);
        let Some(place) = place else { continue };
        let at = configurations.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
            configurations.push((key, BTreeMap::new()));
            configurations.len() - 1
        });
        configurations[at].1.entry(place).or_default().add(record);
    }
    let mut all = Vec::new();
    for (configuration, approaches) in &configurations {
        let mut metrics: Vec<Metric> = Vec::new();
        for (metric, _) in approaches.values().flat_map(|given| &given.values) {
            if !metrics.contains(metric) {
                metrics.push(*metric);
            }
        }
        for metric in metrics.into_iter().chain([Metric::WorkersFailed]) {
            for (place, given) in approaches {
                let approach = &run.run.approaches[*place].name;
                all.extend(given.figure(configuration, metric, approach));
            }
        }
    }
    all
}

impl Given {
    fn add(&mut self, record: &Record) {
        self.workers += 1;
        self.failed += usize::from(record.failure.is_some() && !is_answer(record));
        // Many IOCs that were not all connected have no cost.
        if record.many_iocs.is_some() && record.failure.is_some() {
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

    fn figure(
        &self,
        configuration: &Configuration,
        metric: Metric,
        approach: &str,
    ) -> Option<RunFigure> {
        let of = |figure| RunFigure {
            configuration: configuration.clone(),
            metric,
            approach: approach.to_owned(),
            figure,
            open_above: false,
        };
        if metric == Metric::WorkersFailed {
            return Some(of(Interval::exact(self.failed as f64, self.workers)));
        }
        let (_, values) = self.values.iter().find(|(known, _)| *known == metric)?;
        if metric == Metric::UpdatesLost {
            return Some(of(Interval::exact(values.iter().sum(), values.len())));
        }
        Some(of(interval(values.iter().copied())?))
    }
}

/// Stages per PV, and the import, which users wait for; and what is listed above.
fn has_history(record: &Record, metric: Metric) -> bool {
    let is_stage =
        matches!(metric, Metric::Time(timed) if timed.is_per_pv() || timed.stage == Stage::Import);
    let definition = definition(record.scenario);
    match definition.model.has_rate() {
        // A matrix of its own shows them.
        _ if definition.model == Model::Fault => false,
        // Of so many loads only the losses are shown; the rest is in each run's own report.
        true if definition.may_be_overloaded() => metric == Metric::UpdatesLost,
        false if is_stage => true,
        _ => OF_MONITORS_AND_MANY_IOCS.contains(&metric),
    }
}

fn of_slope(scaling: &Scaling) -> RunFigure {
    let configuration = Configuration {
        scenario: Scenario::Connect,
        server: scaling.server.clone(),
        pvs: scaling.most_pvs,
        mode: Mode::Bulk,
        lookup: scaling.lookup,
        load: None,
        many_iocs: None,
        fault: None,
    };
    RunFigure {
        configuration,
        metric: Metric::ConnectSlope,
        approach: scaling.approach.clone(),
        figure: scaling.slope_s,
        open_above: false,
    }
}

fn of_capacity(run: &RunRecords, found: &Capacity) -> RunFigure {
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
    RunFigure {
        configuration: Configuration {
            scenario: Scenario::Capacity,
            server: found.server.clone(),
            pvs: 0,
            mode: Mode::Bulk,
            lookup: found.lookup,
            load,
            many_iocs: None,
            fault: None,
        },
        metric: Metric::Capacity,
        approach: found.approach.clone(),
        figure,
        open_above: least.is_none(),
    }
}

/// What approaches and servers say that they are made of. What the softIoc is made of, its
/// run reports.
pub(super) fn versions(run: &RunRecords) -> Vec<VersionsOf> {
    let mut known: BTreeMap<&str, &BTreeMap<String, String>> = BTreeMap::new();
    for record in &run.records {
        let sides =
            [(&record.approach, &record.versions), (&record.server, &record.server_versions)];
        for (of, versions) in sides.into_iter().filter(|(_, versions)| !versions.is_empty()) {
            known.entry(of).or_insert(versions);
        }
    }
    let in_words = |(of, versions): (&str, &BTreeMap<String, String>)| VersionsOf {
        of: of.to_owned(),
        versions: versions.iter().map(|(name, version)| format!("{name} {version}")).collect(),
    };
    known.into_iter().map(in_words).collect()
}
