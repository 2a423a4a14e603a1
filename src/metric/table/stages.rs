//! Rows of stages: their wall time and CPU time, and what no stage claims.

use super::{Row, Source, default_gets, none, sampled};
use crate::metric::{Metric, Percentile, Timed, Unit};
use crate::record::Record;
use crate::scenario::FigureGroup;
use crate::stats::{counted_once, percentiles};
use crate::worker_protocol::{Mode, Stage};

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for timed in Timed::all() {
        let unit = if timed.is_per_pv() { Unit::SecondsPerPv } else { Unit::Seconds };
        let name = timed.name();
        rows.push(sampled(
            Metric::Time(timed),
            &name,
            unit,
            FigureGroup::Stages,
            stage_time,
            "wall time of the stage; connect begins with create",
        ));
        rows.push(sampled(
            Metric::Cpu(timed),
            &format!("{name} cpu"),
            unit,
            FigureGroup::Stages,
            stage_time,
            "CPU time of the worker in the stage",
        ));
        let is_each = timed.mode == Mode::Serial && timed.stage != Stage::Connect;
        for point in Percentile::ALL.into_iter().filter(|_| is_each) {
            rows.push(sampled(
                Metric::Each(timed, point),
                &format!("{name} {}", point.name()),
                Unit::Seconds,
                FigureGroup::Stages,
                single_pvs,
                "of the times of single PVs, where the worker timed each",
            ));
        }
    }
    rows.extend(default_gets::rows());
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
            FigureGroup::Stages,
            none,
            "time to connect one more PV, over all counts of PVs",
        )
    });
    rows
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
