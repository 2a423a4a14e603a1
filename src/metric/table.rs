//! The table of figures.

use std::sync::LazyLock;

use super::monitored::{mean_cpu_percent, memory_of_run, trusted};
use super::{Metric, Party, Percentile, Seen, Timed, Unit, default_get};
use crate::record::{FailureKind, FleetUse, Network, Record, Scenario};
use crate::scenario::{DEFINITIONS, Told, is_answer};
use crate::stats::{CONFIDENCE_WANTED, counted_once, growth, percentiles};
use crate::worker_protocol::{Mode, Stage};

/// Everything that is known of one figure.
#[derive(Debug)]
pub struct Row {
    /// Which figure.
    pub metric: Metric,
    /// Its name in files, limits, tables and on the command line.
    pub name: String,
    /// What it is counted in.
    pub unit: Unit,
    /// Which way is better.
    pub better: Better,
    /// Whether it is counted, so that one block decides, or else timed or sampled.
    pub exact: bool,
    /// How the figures of several blocks become one.
    pub pooled: Pooled,
    /// The scenarios that have it are those that tell of this; all of them when none.
    pub told: Option<Told>,
    /// How it is computed.
    pub source: Source,
    /// What is added to both sides before a ratio is taken: what does not matter to
    /// anybody, so that nothing against nearly nothing is no large change. 0 where every
    /// figure is far above it.
    pub negligible: f64,
    /// What it is, in one sentence.
    pub about: &'static str,
}

impl Row {
    /// Where it is measured, in the order of reports.
    pub fn scenarios(&self) -> Vec<Scenario> {
        let has = |tells: &[Told]| self.told.is_none_or(|told| tells.contains(&told));
        let measured = DEFINITIONS.iter().filter(|definition| has(definition.tells));
        measured.map(|definition| definition.scenario).collect()
    }
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// The less the better.
    Lower,
    /// The more the better.
    Higher,
    /// Neither: it tells what was done.
    Neither,
}

/// How the figures of several blocks become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooled {
    /// The interval around their median.
    Median,
    /// Their sum.
    Sum,
    /// The greatest.
    Greatest,
    /// The greatest, until there are enough blocks for an interval around the median: a
    /// peak was counted, so one block can show that it was low.
    Peak,
    /// The growths of the blocks, or with few blocks the widest interval of one's samples.
    Growth,
}

/// What a figure is computed from.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// The record of one worker.
    Record(fn(Metric, &Record) -> Option<f64>),
    /// The records of several counts of PVs, or of a search.
    Blocks,
    /// The end of a run.
    Run,
}

/// What nobody notices of memory, and of its growth in a minute.
const NEGLIGIBLE_BYTES: f64 = 1_048_576.0;

/// What nobody notices of the age of a value: an update takes as long to be on its way.
const NEGLIGIBLE_AGE_S: f64 = 1e-3;

/// All figures, in the order of reports.
pub fn rows() -> &'static [Row] {
    static ROWS: LazyLock<Vec<Row>> = LazyLock::new(all);
    &ROWS
}

fn all() -> Vec<Row> {
    let mut rows = of_stages();
    rows.extend(of_usage());
    rows.extend(of_failures());
    rows.extend(of_updates());
    rows.extend(of_network());
    rows.extend(of_servers());
    rows.extend(of_recovery());
    rows.extend(of_many_iocs());
    rows.push(Row {
        pooled: Pooled::Greatest,
        source: Source::Run,
        ..counted(
            Metric::ProcessesLeft,
            "processes left",
            None,
            none,
            "processes of the whole run that outlived it",
        )
    });
    rows
}

/// A row of what is timed or sampled.
fn sampled(
    metric: Metric,
    name: &str,
    unit: Unit,
    told: impl Into<Option<Told>>,
    of: fn(Metric, &Record) -> Option<f64>,
    about: &'static str,
) -> Row {
    Row {
        metric,
        name: name.to_owned(),
        unit,
        better: Better::Lower,
        exact: false,
        pooled: Pooled::Median,
        told: told.into(),
        source: Source::Record(of),
        negligible: 0.0,
        about,
    }
}

/// A row of what is counted.
fn counted(
    metric: Metric,
    name: &str,
    told: impl Into<Option<Told>>,
    of: fn(Metric, &Record) -> Option<f64>,
    about: &'static str,
) -> Row {
    Row {
        exact: true,
        pooled: Pooled::Greatest,
        negligible: 1.0,
        ..sampled(metric, name, Unit::Count, told, of, about)
    }
}

fn none(_: Metric, _: &Record) -> Option<f64> {
    None
}

fn of_stages() -> Vec<Row> {
    let mut rows = Vec::new();
    for timed in Timed::all() {
        let unit = if timed.is_per_pv() { Unit::SecondsPerPv } else { Unit::Seconds };
        let name = timed.name();
        rows.push(sampled(
            Metric::Time(timed),
            &name,
            unit,
            Told::Stages,
            stage_time,
            "wall time of the stage; connect begins with create",
        ));
        rows.push(sampled(
            Metric::Cpu(timed),
            &format!("{name} cpu"),
            unit,
            Told::Stages,
            stage_time,
            "CPU time of the worker in the stage",
        ));
        let is_each = timed.mode == Mode::Serial && timed.stage != Stage::Connect;
        for point in Percentile::ALL.into_iter().filter(|_| is_each) {
            rows.push(sampled(
                Metric::Each(timed, point),
                &format!("{name} {}", point.name()),
                Unit::Seconds,
                Told::Stages,
                single_pvs,
                "of the times of single PVs, where the worker timed each",
            ));
        }
    }
    rows.extend(default_get::stages().flat_map(of_default_get));
    rows.push(sampled(
        Metric::UnclaimedTime,
        "unclaimed time",
        Unit::Percent,
        None,
        |_, record| Some(100.0 * record.unclaimed()?.part()),
        "the part of the harness's wait for a worker's stages that no stage claims",
    ));
    rows.push(sampled(
        Metric::UnclaimedCpu,
        "unclaimed cpu",
        Unit::Seconds,
        None,
        |_, record| record.unclaimed_cpu_s(),
        "CPU time that the kernel counted in the stages and the worker does not claim",
    ));
    rows.push(Row {
        source: Source::Blocks,
        ..sampled(
            Metric::ConnectSlope,
            "connect slope",
            Unit::SecondsPerPv,
            Told::Stages,
            none,
            "time to connect one more PV, over all counts of PVs",
        )
    });
    rows
}

fn of_default_get(timed: Timed) -> impl Iterator<Item = Row> {
    Seen::ALL.into_iter().map(move |seen| {
        let (unit, better, about) = match seen {
            Seen::BytesSent => (
                Unit::BytesPerPv,
                Better::Neither,
                "bytes that the client sent over TCP for it; a plain request takes 16 over \
                 Channel Access, 17 over pvAccess",
            ),
            Seen::BytesReceived => (
                Unit::BytesPerPv,
                Better::Neither,
                "bytes that came over TCP since the values changed, updates of monitors included",
            ),
            Seen::MonitorsOpen => (
                Unit::CountPerPv,
                Better::Neither,
                "subscriptions to the PVs read that the server has afterwards",
            ),
            Seen::FromCache => (
                Unit::Percent,
                Better::Neither,
                "values that were outdated, or that the client cannot have asked for",
            ),
            Seen::Outdated => (
                Unit::Seconds,
                Better::Lower,
                "how long the server had held another value when the oldest was returned",
            ),
        };
        let name = format!("{} {}", timed.name(), seen.name());
        let row = sampled(
            Metric::DefaultGet(timed, seen),
            &name,
            unit,
            Told::Stages,
            default_get::of,
            about,
        );
        let negligible = if seen == Seen::Outdated { NEGLIGIBLE_AGE_S } else { 0.0 };
        Row { better, negligible, ..row }
    })
}

fn stage_time(metric: Metric, record: &Record) -> Option<f64> {
    match metric {
        Metric::Time(timed) => timed.of(record),
        Metric::Cpu(timed) => timed.cpu_of(record),
        _ => None,
    }
}

fn single_pvs(metric: Metric, record: &Record) -> Option<f64> {
    let Metric::Each(timed, point) = metric else { return None };
    let spread = percentiles(&counted_once(timed.each_ns_of(record)))?;
    Some(point.seconds_of(&spread))
}

fn of_usage() -> Vec<Row> {
    Party::ALL.into_iter().flat_map(of_one_side).collect()
}

fn of_one_side(party: Party) -> Vec<Row> {
    let row = |metric, what: &str, unit, told, about| {
        sampled(metric, &format!("{}{what}", party.name()), unit, Some(told), of_side, about)
    };
    let growth = match party {
        Party::Client => "growth".to_owned(),
        Party::Server => "server growth".to_owned(),
    };
    vec![
        row(
            Metric::CpuUse(party),
            " cpu",
            Unit::PercentOfACore,
            Told::Loads,
            "CPU time over wall time while monitors run",
        ),
        Row {
            pooled: Pooled::Peak,
            negligible: NEGLIGIBLE_BYTES,
            ..row(
                Metric::Memory(party),
                " memory",
                Unit::Bytes,
                Told::Loads,
                "the most resident memory less what was held after the warm-up",
            )
        },
        row(
            Metric::MemoryPeak(party),
            " memory peak",
            Unit::Bytes,
            Told::Loads,
            "the most resident memory, descendants included",
        ),
        row(
            Metric::MemoryAtStart(party),
            " memory at start",
            Unit::Bytes,
            Told::Loads,
            "resident memory after the warm-up",
        ),
        row(
            Metric::MemoryAtEnd(party),
            " memory at end",
            Unit::Bytes,
            Told::Loads,
            "resident memory when the server stops making updates",
        ),
        Row {
            pooled: Pooled::Growth,
            negligible: NEGLIGIBLE_BYTES,
            name: growth,
            ..row(
                Metric::Growth(party),
                "",
                Unit::BytesPerMinute,
                Told::Courses,
                "how fast resident memory grows after the warm-up",
            )
        },
        row(
            Metric::BytesSent(party),
            " network sent",
            Unit::Bytes,
            Told::Loads,
            "bytes sent over the TCP connections, from sampling",
        ),
        row(
            Metric::BytesReceived(party),
            " network received",
            Unit::Bytes,
            Told::Loads,
            "bytes received over the TCP connections, from sampling",
        ),
    ]
}

fn of_side(metric: Metric, record: &Record) -> Option<f64> {
    let monitored = trusted(record)?;
    let held = |party: Party| memory_of_run(monitored, party.usage(monitored));
    let most = |party: Party| {
        // The samples have its descendants too, its own peak is exact.
        let sampled = held(party).iter().map(|(_, bytes)| *bytes).max()?;
        Some(sampled.max(party.usage(monitored).peak_rss_bytes))
    };
    match metric {
        Metric::CpuUse(party) => mean_cpu_percent(monitored, party.usage(monitored)),
        Metric::Memory(party) => Some(most(party)?.saturating_sub(held(party).first()?.1) as f64),
        Metric::MemoryPeak(party) => most(party).map(|bytes| bytes as f64),
        Metric::MemoryAtStart(party) => held(party).first().map(|(_, bytes)| *bytes as f64),
        Metric::MemoryAtEnd(party) => held(party).last().map(|(_, bytes)| *bytes as f64),
        Metric::Growth(party) => Some(growth(&held(party), CONFIDENCE_WANTED)?.median),
        Metric::BytesSent(party) => {
            let samples = &party.usage(monitored).network;
            Some(samples.last()?.sent_bytes.checked_sub(samples.first()?.sent_bytes)? as f64)
        }
        Metric::BytesReceived(party) => {
            let samples = &party.usage(monitored).network;
            let (first, last) = (samples.first()?, samples.last()?);
            Some(last.received_bytes.checked_sub(first.received_bytes)? as f64)
        }
        _ => None,
    }
}

fn of_failures() -> Vec<Row> {
    let row = |metric, name, of, about| Row {
        pooled: Pooled::Sum,
        ..counted(metric, name, None, of, about)
    };
    vec![
        row(
            Metric::ValuesWrong,
            "values wrong",
            |_, record| Some(f64::from(u8::from(is_wrong(record)))),
            "workers that brought a value or an update that the server never made so",
        ),
        row(
            Metric::WorkersFailed,
            "workers failed",
            |_, record| Some(f64::from(u8::from(has_failed(record)))),
            "workers that failed in another way",
        ),
    ]
}

/// Whether the worker brought what the server never made so.
pub fn is_wrong(record: &Record) -> bool {
    let is_wrong = |kind| matches!(kind, FailureKind::WrongValue | FailureKind::WrongUpdate);
    record.failure.as_ref().is_some_and(|failure| is_wrong(failure.kind))
}

/// Whether the worker failed in another way, which is not an answer.
pub fn has_failed(record: &Record) -> bool {
    record.failure.is_some() && !is_wrong(record) && !is_answer(record)
}

fn of_updates() -> Vec<Row> {
    let count = |metric, name, of, about| counted(metric, name, Told::Updates, of, about);
    let mut rows = vec![
        Row {
            better: Better::Higher,
            ..sampled(
                Metric::UpdatesMade,
                "updates made",
                Unit::Hertz,
                Told::Updates,
                |_, record| Some(trusted(record)?.made_hz),
                "updates of one PV per second that the server made",
            )
        },
        Row {
            better: Better::Neither,
            ..count(
                Metric::UpdatesExpected,
                "updates expected",
                |_, record| Some(trusted(record)?.expected as f64),
                "updates that were to arrive, the first of each subscription included",
            )
        },
        Row {
            better: Better::Higher,
            ..count(
                Metric::UpdatesReceived,
                "updates received",
                |_, record| Some(trusted(record)?.received as f64),
                "different updates that arrived",
            )
        },
        Row {
            pooled: Pooled::Sum,
            told: Some(Told::Loads),
            ..count(
                Metric::UpdatesLost,
                "updates lost",
                |_, record| Some(trusted(record)?.lost() as f64),
                "updates that the server made and that did not arrive",
            )
        },
        count(
            Metric::UpdatesLate,
            "updates late",
            |_, record| Some(trusted(record)?.late as f64),
            "of the lost, those made after the last that arrived",
        ),
        count(
            Metric::UpdatesRepeated,
            "updates repeated",
            |_, record| Some(trusted(record)?.repeated as f64),
            "frames that arrived once more right after themselves",
        ),
    ];
    rows.extend(Percentile::ALL.into_iter().map(|point| {
        let name = format!("latency {}", point.name());
        let about = "of the time from the server's time stamp to the callback";
        sampled(Metric::Latency(point), &name, Unit::Seconds, Told::Updates, latency, about)
    }));
    rows
}

fn latency(metric: Metric, record: &Record) -> Option<f64> {
    let Metric::Latency(point) = metric else { return None };
    Some(point.seconds_of(&percentiles(&trusted(record)?.latencies)?))
}

fn of_network() -> Vec<Row> {
    let bytes =
        |metric, name, of, about| sampled(metric, name, Unit::Bytes, Told::Updates, of, about);
    vec![
        bytes(
            Metric::ClientBytesReceived,
            "client bytes received",
            |_, record| Some(network(record)?.received_bytes as f64),
            "bytes over the client's circuits, from the first update to the last",
        ),
        bytes(
            Metric::ClientBytesSent,
            "client bytes sent",
            |_, record| Some(network(record)?.sent_bytes as f64),
            "bytes that the client sent meanwhile",
        ),
        Row {
            better: Better::Neither,
            ..bytes(
                Metric::LeastBytes,
                "least bytes",
                |_, record| Some(network(record)?.least_bytes? as f64),
                "the least bytes that the updates received can take",
            )
        },
        counted(
            Metric::BytesOverLeast,
            "bytes over least",
            Told::Courses,
            bytes_over_least,
            "whole bytes per update more than the protocol needs",
        ),
    ]
}

fn network(record: &Record) -> Option<&Network> {
    trusted(record)?.network.as_ref()
}

fn bytes_over_least(_: Metric, record: &Record) -> Option<f64> {
    let (network, received) = (network(record)?, trusted(record)?.received);
    let over = network.received_bytes.saturating_sub(network.least_bytes?);
    Some((over / received.max(1)) as f64)
}

fn of_servers() -> Vec<Row> {
    let count = |metric, name, of, about| counted(metric, name, Told::Updates, of, about);
    vec![
        Row {
            better: Better::Neither,
            ..count(
                Metric::ServerSubscriptions,
                "server subscriptions",
                |_, record| of_counter(record, |server| server.subscriptions),
                "subscriptions to the scenario's PVs, as the server counts them",
            )
        },
        Row {
            told: Some(Told::Loads),
            ..count(
                Metric::Subscriptions,
                "subscriptions",
                |_, record| {
                    let asked = (record.pvs * record.load?.monitors) as f64;
                    let counted = of_counter(record, |server| server.subscriptions)?;
                    Some((counted - asked).abs())
                },
                "how far the server's count of subscriptions is from what was asked for",
            )
        },
        count(
            Metric::ScanOverruns,
            "server scan overruns",
            |_, record| of_counter(record, |server| server.scan_overruns),
            "scans that took longer than their period",
        ),
        count(
            Metric::MergedUpdates,
            "server merged updates",
            |_, record| of_counter(record, |server| server.merged_updates),
            "updates that the server replaced or dropped in its queues",
        ),
        count(
            Metric::CallbackOverflows,
            "server callback overflows",
            |_, record| of_counter(record, |server| server.callback_overflows),
            "requests that found a callback queue full",
        ),
    ]
}

fn of_counter(
    record: &Record,
    counter: fn(&crate::record::ServerCounters) -> Option<u64>,
) -> Option<f64> {
    counter(&trusted(record)?.server_counters).map(|count| count as f64)
}

fn of_recovery() -> Vec<Row> {
    let count = |metric, name, of, about| counted(metric, name, Told::Recovery, of, about);
    vec![
        Row {
            better: Better::Neither,
            ..count(
                Metric::PvsWanted,
                "PVs wanted back",
                |_, record| Some(trusted(record)?.recovery?.wanted as f64),
                "PVs that were to send updates again",
            )
        },
        Row {
            better: Better::Higher,
            ..count(
                Metric::PvsRecovered,
                "PVs recovered",
                |_, record| Some(trusted(record)?.recovery?.recovered as f64),
                "PVs that did",
            )
        },
        count(
            Metric::PvsLeftBehind,
            "PVs left behind",
            |_, record| {
                let recovery = trusted(record)?.recovery?;
                Some(recovery.wanted.saturating_sub(recovery.recovered) as f64)
            },
            "PVs that stayed away after a fault",
        ),
        sampled(
            Metric::Recovery,
            "slowest recovery",
            Unit::Seconds,
            Told::Recovery,
            |_, record| trusted(record)?.recovery?.slowest_s,
            "from the end of a fault to the first update of the last PV that recovered",
        ),
        Row {
            better: Better::Higher,
            source: Source::Blocks,
            ..counted(
                Metric::Capacity,
                "PVs without loss",
                Told::Capacity,
                none,
                "the most PVs that arrive without loss, from a search",
            )
        },
    ]
}

fn of_many_iocs() -> Vec<Row> {
    vec![
        sampled(
            Metric::ClientMemoryPerPv,
            "client memory per PV",
            Unit::BytesPerPv,
            Told::ManyIocs,
            |_, record| grown(record, |used| used.client_bytes),
            "resident memory that the client took for each PV",
        ),
        sampled(
            Metric::ServersMemoryPerPv,
            "servers memory per PV",
            Unit::BytesPerPv,
            Told::ManyIocs,
            // Later clients are served from memory that the first one made the IOCs take.
            |_, record| grown(record, |used| used.servers_bytes.filter(|_| used.is_first_client)),
            "resident memory that all IOCs together took for each PV",
        ),
        sampled(
            Metric::SearchesPerPv,
            "searches per PV",
            Unit::CountPerPv,
            Told::ManyIocs,
            |_, record| {
                let searches = record.fleet_use.as_ref()?.searches?;
                Some(searches.sent / record.pvs.max(1) as f64)
            },
            "searches that the client sent, repeats counted",
        ),
    ]
}

fn grown(record: &Record, held: fn(&FleetUse) -> Option<(u64, u64)>) -> Option<f64> {
    let (before, after) = held(record.fleet_use.as_deref()?)?;
    Some(after.saturating_sub(before) as f64 / record.pvs.max(1) as f64)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_row_has_a_name_of_its_own_that_reads_back() {
        let mut seen = HashSet::new();
        for row in rows() {
            assert!(seen.insert(&row.name), "{} twice", row.name);
            assert_eq!(row.name.parse(), Ok(row.metric));
            assert_eq!(row.metric.name(), row.name);
        }
    }
}
