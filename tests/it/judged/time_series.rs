//! CPU and memory in the course of time, from literal records.

use epics_gauge::judge::{TimeSeries, time_series};
use epics_gauge::record::{Monitored, Record, RunRecords, Usage, UsageSample};

use super::judge;
use super::monitors::{SECOND_NS, load, monitored, record, usage, waveform};

/// Those of the configuration with one PV.
fn of_one_pv(run: &RunRecords) -> Vec<TimeSeries> {
    let judgement = judge(run);
    time_series(
        run,
        judgement.monitors.iter().find(|configuration| configuration.pvs == 1).unwrap(),
    )
}

/// A monitor run of `aioca`, which used so many per cent of a core.
fn monitor_run(percent: u64, block: usize) -> Record {
    let client = usage(percent, 0);
    Record { block, ..record("waveform", "aioca", load(), Monitored { client, ..monitored() }) }
}

/// The moments, and the values in whole numbers.
fn rounded(course: &[(f64, f64)]) -> Vec<(f64, i64)> {
    course.iter().map(|(at_s, value)| (*at_s, value.round() as i64)).collect()
}

#[test]
fn each_row_of_a_configuration_has_the_course_of_its_first_block() {
    let mut run = waveform(monitored());
    run.records.retain(|record| record.approach != "aioca");
    run.records.extend([
        monitor_run(40, 2),
        monitor_run(30, 1),
        Record { confirms: true, ..monitor_run(50, 0) },
        Record { pvs: 2, ..monitor_run(60, 0) },
    ]);
    let time_series = of_one_pv(&run);
    let names: Vec<&str> = time_series.iter().map(|course| course.approach.as_str()).collect();
    assert_eq!(names, ["wire", "libca", "aioca"]);
    let of_a_minute = |percent| -> Vec<(f64, i64)> {
        (0..60).map(|second| (f64::from(second), percent)).collect()
    };
    for (course, percent) in time_series.iter().zip([5, 20, 30]) {
        assert_eq!(rounded(&course.client_cpu), of_a_minute(percent), "{}", course.approach);
        assert_eq!(rounded(&course.server_cpu), of_a_minute(10), "{}", course.approach);
    }
}

#[test]
fn a_course_begins_where_the_figures_do_and_has_no_window_under_half_a_second() {
    let (start_ns, end_ns) = (10 * SECOND_NS, 12 * SECOND_NS);
    let client = usage(20, 10);
    let time_series = of_one_pv(&waveform(Monitored { start_ns, end_ns, client, ..monitored() }));
    let aioca = time_series.last().unwrap();
    assert_eq!(rounded(&aioca.client_cpu), [(0.0, 20), (0.5, 20), (1.0, 20), (1.5, 20)]);
    let held: Vec<(f64, f64)> = (0..=4)
        .map(|half| (f64::from(half) / 2.0, f64::from((50 << 20) + 100 + 5 * half)))
        .collect();
    assert_eq!(aioca.client_bytes, held);
}

#[test]
fn memory_is_reported_where_it_was_sampled() {
    let samples = [0, 300, 700, 1300, 1900]
        .map(|at_ms| UsageSample { at_ns: at_ms * 1_000_000, cpu_ns: 0, rss_bytes: at_ms })
        .to_vec();
    let client = Usage { samples, ..usage(0, 0) };
    let end_ns = 2 * SECOND_NS;
    let time_series = of_one_pv(&waveform(Monitored { end_ns, client, ..monitored() }));
    let bytes = &time_series.last().unwrap().client_bytes;
    assert_eq!(bytes[..], [(0.0, 0.0), (0.7, 700.0), (1.3, 1300.0), (1.9, 1900.0)]);
}
