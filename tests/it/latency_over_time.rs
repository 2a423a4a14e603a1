//! Latency of updates over the time of a monitor run: who was late, with which PV, and
//! when.

use std::fs::read_to_string;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use epics_gauge::ioc::SoftIoc;
use epics_gauge::scenario::pv_name;
use epics_gauge::worker_protocol::{Content, Mode};
use serde_json::Value;

use crate::monitors_python::several::{begin_collecting, connected, subscribe};
use crate::support::{Gauge, at_once};

const LATE_NS: i64 = 300_000_000;

/// An approach whose library is late with two updates of one PV.
fn approaches() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).display();
    format!(
        "[approach.late]\nhello = 'pyepics'\ncommand = ['{{python}}', \
         '{root}/tests/it/workers/late_worker.py', '{root}/src/worker/python/main.py', \
         '--site', '{{site}}', 'pyepics']\n"
    )
}

/// How many of these latencies are late ones.
fn late(slices: &Value, latency: impl Fn(&Value) -> &Value) -> usize {
    let all = slices.as_array().unwrap().iter();
    all.filter(|slice| latency(slice).as_i64().unwrap() >= LATE_NS).count()
}

/// The rows of `late` with one of the late ones.
fn late_rows(csv: &str) -> usize {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let columns = reader.headers().unwrap().clone();
    let column = |name: &str| columns.iter().position(|one| one == name).unwrap();
    let (approach, metric, value) = (column("approach"), column("metric"), column("value"));
    let rows = reader.records().map(Result::unwrap);
    rows.filter(|row| &row[approach] == "late" && &row[metric] == "longest latency")
        .filter(|row| row[value].parse::<f64>().unwrap() * 1e9 >= LATE_NS as f64)
        .count()
}

#[test]
fn two_late_updates_of_a_pv_are_seen_there_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    std::fs::write(&file, approaches()).unwrap();
    let gauge = Gauge::run(
        "scalars --approach wire,late --pvs 10 --rate 2 --seconds 4 --blocks 1 --fresh-blocks 0 \
         --approaches",
    );
    let ran = gauge.argument(&file).finish();
    let run = ran.out.path().join("run");
    let report: Value =
        serde_json::from_str(&read_to_string(run.join("report.json")).unwrap()).unwrap();
    let rows = report["judgement"]["monitors"][0]["rows"].as_array().unwrap();
    let series = |approach: &str| {
        let row = rows.iter().find(|row| row["approach"] == approach).unwrap();
        &row["latency_series"]
    };
    let (late_one, wire) = (series("late"), series("wire"));
    assert_eq!(late(&late_one["slices"], |slice| &slice["max_ns"]), 2, "{late_one}");
    assert_eq!(late_one["pvs_differ"], true);
    let slowest = late_one["slowest_pvs"].as_array().unwrap();
    assert_eq!(slowest[0]["pv"], "gauge:9", "{late_one}");
    assert_eq!(late(&slowest[0]["over_time"], |slice| &slice[1]), 2, "{late_one}");
    for other in &slowest[1..] {
        assert_eq!(late(&other["over_time"], |slice| &slice[1]), 0, "{late_one}");
    }
    assert_eq!(late(&wire["slices"], |slice| &slice["max_ns"]), 0, "{wire}");
    let page = read_to_string(run.join("report.html")).unwrap();
    assert!(page.contains("<figure id=\"latency-over-time-scalars-10-pvs-at-2-hz\""));
    assert!(page.contains("<figure id=\"slowest-pvs-scalars-10-pvs-at-2-hz\""));
    assert!(page.contains("late, gauge:9 30"), "the longest latency is not in the summary");
    assert_eq!(late_rows(&read_to_string(run.join("records.csv")).unwrap()), 2);
}

/// A worker that is stopped is late with what the server made meanwhile.
#[test]
fn every_kind_of_worker_is_late_when_it_is_stopped_and_only_then() {
    at_once(&["wire", "libca", "epics-ca", "pyepics", "aioca"], |&approach| {
        let mut ioc = SoftIoc::builder().pvs(5).may_scan_at(10.0).start().unwrap();
        let mut worker = connected(approach, &ioc, (0..5).map(pv_name).collect(), Mode::Bulk);
        worker.run(&subscribe(Content::Scalars, Mode::Bulk)).unwrap();
        begin_collecting(&worker, 4.0);
        sleep(Duration::from_millis(200));
        ioc.start_scanning(10.0).unwrap();
        sleep(Duration::from_millis(1000));
        let stopped_ns = worker.stopped_for(Duration::from_millis(700));
        sleep(Duration::from_millis(1000));
        ioc.stop_scanning().unwrap();
        let updates = worker.finish().unwrap().updates.unwrap();
        let series = updates.latency_over_time.unwrap();
        let longest = series.slices.iter().max_by_key(|slice| slice.max_ns).unwrap();
        assert!((500_000_000..1_500_000_000).contains(&longest.max_ns), "{approach}: {series:?}");
        let since_ns = stopped_ns + 700_000_000 - series.slice_ns;
        assert!(
            (since_ns..since_ns + 500_000_000).contains(&longest.start_ns),
            "{approach}: stopped at {stopped_ns} ns, {series:?}"
        );
        let before =
            series.slices.iter().filter(|slice| slice.start_ns + series.slice_ns < stopped_ns);
        assert!(before.clone().count() > 3, "{approach}: {series:?}");
        assert!(before.clone().all(|slice| slice.max_ns < 400_000_000), "{approach}: {series:?}");
        let (latest, _) = updates.latencies.last().unwrap();
        assert_eq!(*latest, longest.max_ns, "{approach}");
    });
}
