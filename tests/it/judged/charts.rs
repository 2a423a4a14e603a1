//! What the charts of a page show of literal records.

use epics_gauge::record::{
    LatencyOverTime, Load, Losses, Monitored, PvLosses, Record, RunRecords, SlowestPv,
};
use epics_gauge::report::Format;
use epics_gauge::worker_protocol::LatencySlice;

use super::monitors::monitored;
use super::{BLOCKS, FAST, FLOOR, PVS, Speed, monitors, rendered, run_of, run_with};

/// The figure of the page with this id.
fn figure(page: &str, id: &str) -> String {
    let (_, rest) = page.split_once(&format!("<figure id=\"{id}\"")).unwrap_or_else(|| {
        panic!("no figure {id}");
    });
    rest.split_once("</figure>").unwrap().0.to_owned()
}

/// The same with a tenth of the PVs beside.
fn with_a_tenth_of_the_pvs(mut run: RunRecords) -> RunRecords {
    let fewer = run.records.iter().cloned().map(|mut record| {
        record.pvs = PVS / 10;
        for sample in record.samples.iter_mut().filter(|sample| sample.pvs == PVS) {
            sample.pvs = PVS / 10;
            sample.start_ns /= 10;
            sample.end_ns /= 10;
        }
        record
    });
    let fewer: Vec<Record> = fewer.collect();
    run.records.extend(fewer);
    run
}

#[test]
fn every_block_is_a_light_point_and_the_crossing_with_the_budget_is_drawn() {
    let slow = Speed { connect: 3e-4, ..FAST };
    let run = run_of(&[("wire", FLOOR), ("libca", FAST), ("aioca", slow)]);
    let page = rendered(&with_a_tenth_of_the_pvs(run), Format::Html);
    let figure = figure(&page, "connect-cost-softioc");
    let (drawings, approaches, counts) = (2, 3, 2);
    let singles = figure.matches("class=\"single ").count();
    assert_eq!(singles, drawings * approaches * counts * BLOCKS);
    assert!(figure.contains("fastest + 1 s"), "{figure}");
    let tip = "aioca takes 1 s longer than libca from 3 320 (3 260 to 3 390) PVs on";
    assert_eq!(figure.matches(tip).count(), drawings, "{figure}");
}

#[test]
fn what_no_approach_reaches_is_not_drawn() {
    let run = run_of(&[("wire", FLOOR), ("libca", FAST), ("aioca", FAST)]);
    let page = rendered(&with_a_tenth_of_the_pvs(run), Format::Html);
    assert!(!figure(&page, "connect-cost-softioc").contains("fastest + 1 s"));
}

#[test]
fn the_pvs_that_lost_most_updates_are_drawn_with_when() {
    let load = Load::of_scalars(100.0, 60.0);
    let lossy = Monitored {
        received: 7101,
        losses: Some(Losses {
            pvs: 3,
            most: vec![PvLosses { pv: "gauge:7".to_owned(), lost: 98, first_s: 2.1, last_s: 2.5 }],
            course_ns: vec![(2_100_000_000, 100)],
        }),
        ..monitored()
    };
    let of = |approach, monitored| Record {
        pvs: 10,
        ..monitors::record("scalars", approach, load, monitored)
    };
    let records = vec![of("wire", monitored()), of("aioca", lossy)];
    let page = rendered(&run_with(&["wire", "aioca"], records), Format::Html);
    let figure = figure(&page, "lossy-pvs-scalars-10-pvs-at-100-hz");
    assert!(figure.contains("aioca, gauge:7: 98 updates lost"), "{figure}");
    assert!(figure.contains("aioca lost updates of 3 PVs"), "{figure}");
}

/// A second between slices from 1 s before the figures on, one of them with this latency.
fn late_once(late_slice: usize, max_ns: i64, median_pv_ns: i64) -> Monitored {
    let start_ns = |slice: usize| slice as u64 * monitors::SECOND_NS;
    let longest_ns = |slice| if slice == late_slice { max_ns } else { 200_000 };
    let slice = |at| LatencySlice {
        start_ns: start_ns(at),
        count: 1000,
        p50_ns: 100_000,
        p99_ns: 150_000,
        max_ns: longest_ns(at),
    };
    let slowest = SlowestPv {
        pv: "gauge:7".to_owned(),
        longest_ns: (0..20).map(|at| (start_ns(at), longest_ns(at))).collect(),
    };
    Monitored {
        start_ns: start_ns(1),
        latency_over_time: Some(LatencyOverTime {
            slice_ns: monitors::SECOND_NS,
            slices: (0..20).map(slice).collect(),
            median_pv_ns,
            slowest_pvs: vec![slowest],
        }),
        ..monitored()
    }
}

fn of_ten_scalars(records: [(&str, Monitored); 2]) -> String {
    let load = Load::of_scalars(100.0, 60.0);
    let names = records.each_ref().map(|(approach, _)| *approach);
    let records = records.map(|(approach, monitored)| Record {
        pvs: 10,
        ..monitors::record("scalars", approach, load, monitored)
    });
    rendered(&run_with(&names, records.into()), Format::Html)
}

#[test]
fn latency_over_time_is_drawn_of_each_approach_and_of_pvs_that_differ() {
    let alike = late_once(3, 900_000, 880_000);
    let page = of_ten_scalars([("wire", alike), ("aioca", late_once(5, 33_000_000, 200_000))]);
    let approaches = figure(&page, "latency-over-time-scalars-10-pvs-at-100-hz");
    assert!(approaches.contains("wire 900 µs at 2.0 s, aioca 33 ms at 4.0 s"), "{approaches}");
    assert!(approaches.contains("aioca from 4 s on: 1 000 updates"), "{approaches}");
    assert!(approaches.contains("wire from -1 s on"), "the warm-up is left out");
    let pvs = figure(&page, "slowest-pvs-scalars-10-pvs-at-100-hz");
    assert!(pvs.contains("aioca, gauge:7 33 ms at 4.0 s (median PV 200 µs)"), "{pvs}");
    assert!(!pvs.contains("wire"), "{pvs}");
}

#[test]
fn without_latency_over_time_nothing_is_drawn() {
    let page = of_ten_scalars([("wire", monitored()), ("aioca", monitored())]);
    for id in ["latency-over-time-", "slowest-pvs-"] {
        assert!(!page.contains(&format!("<figure id=\"{id}")), "{id}");
    }
}
