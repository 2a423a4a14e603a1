//! What the Python workers share of their monitors: the notebook of updates,
//! which follows the rules of the native one, and the checks of commands.

pub(crate) mod several;

use std::path::Path;
use std::time::Duration;

use epics_gauge::embedded;
use epics_gauge::process::{Command, Deadline, Event};
use epics_gauge::python_site::{PythonSite, python_program};
use serde_json::{Value, json};

use crate::support::{Gauge, at_once};

/// Notes updates, given as rows of subscription, value, time stamp and arrival, and
/// prints what the notebook makes of them.
const NOTEBOOK: &str = "
import json, sys
sys.path[:0] = sys.argv[1:3]
import numpy
from epics_gauge.worker import update_log
asked = json.load(sys.stdin)
log = update_log.UpdateLog(asked['monitor'], 10)
log.epoch_ns = 1000
log.latencies_from_ns = asked['latencies_from_ns']
for number, value, stamp_ns, arrived_ns in asked['updates']:
    if isinstance(value, list):
        value = numpy.array(value, asked['elements'])
    log.note(number, value, stamp_ns, arrived_ns)
taken = log.take()
assert log.take() == {'runs': [], 'latencies': []}
print(json.dumps(taken))
";

/// `sys.path` for workers: the pinned packages and the package that workers share.
fn search_path() -> [String; 2] {
    let site = PythonSite::install(|_| ()).unwrap();
    let package = embedded::python_folder().unwrap();
    [site.folder(), &package].map(|folder| folder.display().to_string())
}

fn noted(asked: &Value) -> Value {
    python(NOTEBOOK, asked)
}

/// What a script prints that is given `asked`.
fn python(script: &str, asked: &Value) -> Value {
    let output = assert_cmd::Command::new(python_program().unwrap())
        .args(["-I", "-S", "-c", script])
        .args(search_path())
        .write_stdin(asked.to_string())
        .timeout(Duration::from_secs(60))
        .assert()
        .success();
    serde_json::from_slice(&output.get_output().stdout).unwrap()
}

/// Room for two updates, so that a third makes the notebook grow.
fn monitor(content: &str, step: f64) -> Value {
    json!({"content": content, "step": step, "room": 2, "monitors": 1})
}

#[test]
fn updates_that_follow_on_one_another_are_one_run_for_each_pv() {
    let taken = noted(&json!({
        "monitor": monitor("scalars", 10.0),
        "latencies_from_ns": 3000,
        "updates": [
            [5, 0.0, 900, 2000], [1, 1.0, 900, 2001], [5, 10.0, 900, 2002], [1, 11.0, 900, 2003],
            [6, 20.0, 900, 2004],
        ],
    }));
    let runs = json!([
        {"pv": 5, "first": 0.0, "count": 2, "start_ns": 1000},
        {"pv": 1, "first": 1.0, "count": 2, "start_ns": 1001},
        {"pv": 6, "first": 20.0, "count": 1, "start_ns": 1004},
    ]);
    assert_eq!(taken, json!({"runs": runs, "latencies": []}));
}

/// Of 10 PVs: the second subscription to PV 5 has number 15.
#[test]
fn each_of_a_pvs_subscriptions_has_runs_of_its_own() {
    let mut twice = monitor("scalars", 10.0);
    twice["monitors"] = json!(2);
    let taken = noted(&json!({
        "monitor": twice,
        "latencies_from_ns": 3000,
        "updates": [
            [5, 0.0, 900, 2000], [15, 0.0, 900, 2001], [15, 10.0, 900, 2002],
            [5, 20.0, 900, 2003], [10, 7.0, 900, 2004],
        ],
    }));
    let runs = json!([
        {"pv": 5, "monitor": 0, "first": 0.0, "count": 1, "start_ns": 1000},
        {"pv": 5, "monitor": 1, "first": 0.0, "count": 2, "start_ns": 1001},
        {"pv": 5, "monitor": 0, "first": 20.0, "count": 1, "start_ns": 1003},
        {"pv": 0, "monitor": 1, "first": 7.0, "count": 1, "start_ns": 1004},
    ]);
    assert_eq!(taken["runs"], runs);
}

/// Prints how many first updates are missing after each update, and the PVs whose
/// they are.
const FIRST_UPDATES: &str = "
import json, sys, threading
sys.path[:0] = sys.argv[1:3]
from epics_gauge.worker import update_log
asked = {'content': 'scalars', 'step': 1, 'room': 0, 'monitors': 3}
log = update_log.UpdateLog(asked, 4)
finished = threading.Event()
log.first_updates.expect([1, 3], finished)
seen = []
for number in json.load(sys.stdin):
    log.note(number, 0.0, 0, 0)
    first = log.first_updates
    seen.append([first.count, first.silent_pvs(), finished.is_set()])
print(json.dumps(seen))
";

#[test]
fn every_subscription_to_the_pvs_meant_is_awaited() {
    let seen = python(FIRST_UPDATES, &json!([1, 1, 0, 9, 3, 7, 11, 4, 5, 5]));
    let expected = json!([
        [5, [1, 3], false],
        [5, [1, 3], false],
        [5, [1, 3], false],
        [4, [1, 3], false],
        [3, [1, 3], false],
        [2, [1, 3], false],
        [1, [1], false],
        [1, [1], false],
        [0, [], true],
        [0, [], true],
    ]);
    assert_eq!(seen, expected);
}

#[test]
fn a_gap_a_repetition_and_a_step_back_begin_a_run() {
    let numbers = [1.0, 2.0, 4.0, 4.0, 3.0];
    let updates: Vec<Value> = numbers.iter().map(|number| json!([0, number, 0, 2000])).collect();
    let taken = noted(&json!({
        "monitor": monitor("scalars", 1.0), "latencies_from_ns": 3000, "updates": updates,
    }));
    let shape = |run: &Value| (run["first"].as_f64().unwrap(), run["count"].as_u64().unwrap());
    let shapes: Vec<(f64, u64)> = taken["runs"].as_array().unwrap().iter().map(shape).collect();
    assert_eq!(shapes, [(1.0, 2), (4.0, 1), (4.0, 1), (3.0, 1)]);
}

#[test]
fn the_elements_of_frames_are_unsigned_whatever_their_byte_order() {
    for elements in ["<i2", ">i2", "<u2"] {
        let of = |first: i64, last: i64| match elements {
            "<u2" => json!([first, 1, last.rem_euclid(65_536)]),
            _ => json!([first, 1, last]),
        };
        let taken = noted(&json!({
            "monitor": monitor("frames", 1.0),
            "latencies_from_ns": 3000,
            "elements": elements,
            "updates": [
                [0, [], 0, 2000], [0, of(7, -1), 0, 2001], [0, of(8, -2), 0, 2002],
                [0, of(11, 5), 0, 2003],
            ],
        }));
        let runs = json!([
            {"pv": 0, "first": 0.0, "count": 1, "start_ns": 1000, "sums": [0]},
            {"pv": 0, "first": 65_543.0, "count": 2, "start_ns": 1001, "sums": [65_543, 65_543]},
            {"pv": 0, "first": 65_547.0, "count": 1, "start_ns": 1003, "sums": [17]},
        ]);
        assert_eq!(taken["runs"], runs, "{elements}");
    }
}

#[test]
fn latencies_count_from_collecting_on_and_keep_three_digits() {
    let latencies = [123_456_i64, 123_500, -999_600, 7, 0, 1005];
    let mut updates = vec![json!([0, 0.0, 0, 2999])];
    updates.extend(latencies.iter().map(|latency| json!([0, 0.0, 3000 - latency, 3000])));
    let taken = noted(&json!({
        "monitor": monitor("scalars", 1.0), "latencies_from_ns": 3000, "updates": updates,
    }));
    let counted = json!([[-1_000_000, 1], [0, 1], [7, 1], [1010, 1], [123_000, 1], [124_000, 1]]);
    assert_eq!(counted_together(&taken["latencies"]), counted_together(&counted));
}

/// As `src/worker/latency_over_time.rs` has it: four PVs, each every 100 ms, the third of
/// them late once.
#[test]
fn latencies_over_time_are_those_of_the_native_workers() {
    const MS: i64 = 1_000_000;
    let late = |pv: i64, scan: i64| if (pv, scan) == (2, 30) { 50 * MS } else { MS };
    let arrived_ns = |pv: i64, scan: i64| 10_000 * MS + scan * 100 * MS + pv;
    let updates: Vec<Value> = (0..60)
        .flat_map(|scan| (0..4).map(move |pv| (pv, scan)))
        .map(|(pv, scan)| {
            let at_ns = arrived_ns(pv, scan);
            json!([pv, 0.0, at_ns - late(pv, scan), at_ns])
        })
        .collect();
    let taken = noted(&json!({
        "monitor": monitor("scalars", 1.0), "latencies_from_ns": 3000, "updates": updates,
    }));
    // What the monotonic clock is behind.
    let start_ns = |scan: i64| arrived_ns(0, scan) - 1000;
    let slice = |scan: i64| {
        let longest_ns = late(2, scan);
        json!({"start_ns": start_ns(scan), "count": 4, "p50_ns": MS, "p99_ns": longest_ns,
               "max_ns": longest_ns})
    };
    let series = |pv: i64| {
        let each = (0..60).map(|scan| json!([start_ns(scan), late(pv, scan)]));
        json!({"pv": pv, "longest_ns": each.collect::<Vec<Value>>()})
    };
    let expected = json!({
        "slice_ns": 100 * MS,
        "slices": (0..60).map(slice).collect::<Vec<Value>>(),
        "median_pv_ns": MS,
        "slowest_pvs": [series(2), series(0), series(1)],
    });
    assert_eq!(taken["latency_over_time"], expected);
}

#[test]
fn a_python_worker_with_one_pv_has_longer_slices_and_no_slowest_pv() {
    let minutes_ns = 600_000_000_000_i64;
    let at = |arrived_ns: i64| json!([0, 0.0, arrived_ns - 5, arrived_ns]);
    let first_ns = 4000;
    let taken = noted(&json!({
        "monitor": monitor("scalars", 1.0), "latencies_from_ns": 3000,
        "updates": [at(first_ns), at(first_ns + minutes_ns), at(first_ns + minutes_ns - 1)],
    }));
    let series = &taken["latency_over_time"];
    assert_eq!(series["slice_ns"], 10_000_000_001_i64);
    let counts = series["slices"].as_array().unwrap().iter().map(|slice| slice["count"].clone());
    assert_eq!(counts.collect::<Vec<Value>>(), [1, 2]);
    assert_eq!((&series["slowest_pvs"], &series["median_pv_ns"]), (&json!([]), &json!(5)));
}

fn counted_together(latencies: &Value) -> Vec<(i64, u64)> {
    serde_json::from_value(latencies.clone()).unwrap()
}

/// With what a worker ends that gets this command; nothing when it answers.
fn exit_code_after(stage: &str, field: &str, value: &Value) -> Option<i32> {
    let [site, _] = search_path();
    let main = embedded::tool("main.py").unwrap();
    let command = Command::new(python_program().unwrap())
        .arguments(["-I", "-S"])
        .argument(main)
        .arguments(["--site", &site, "caproto"]);
    let mut worker = command.start().unwrap();
    let job = json!({"message": "job", "pvs": ["gauge:0"], "timeout_s": 1.0});
    let mut command = json!({"message": "stage", "stage": stage, "mode": "bulk"});
    command[field] = value.clone();
    worker.write_line(&job.to_string());
    worker.write_line(&command.to_string());
    let deadline = Deadline::after(Duration::from_secs(60));
    loop {
        match worker.next_event(&deadline, "end").unwrap() {
            Event::Ended(status) => return status.code(),
            Event::Stdout(line) if line.contains("hello") => {}
            Event::Stdout(_) => return None,
            Event::Stderr(line) => eprintln!("{line}"),
        }
    }
}

#[test]
fn a_monitor_that_is_not_of_the_protocol_ends_a_python_worker() {
    let good = json!({"content": "scalars", "step": 1, "room": 0, "monitors": 1});
    assert_eq!(exit_code_after("subscribe", "monitor", &good), None);
    let with = |(field, value): (&str, Value)| {
        let mut monitor = good.clone();
        monitor[field] = value;
        monitor
    };
    let without = |field: &str| {
        let mut monitor = good.clone();
        monitor.as_object_mut().unwrap().remove(field);
        monitor
    };
    let wrong = [
        ("content", json!("pictures")),
        ("step", json!("1")),
        ("room", json!(-1)),
        ("room", json!(1.5)),
        ("monitors", json!(0)),
        ("monitors", json!(1.5)),
        ("callback_s", json!(-0.1)),
        ("colour", json!("red")),
    ];
    let short = ["content", "step", "room", "monitors"];
    let refused: Vec<Value> = wrong.map(with).into_iter().chain(short.map(without)).collect();
    at_once(&refused, |monitor| {
        assert_eq!(exit_code_after("subscribe", "monitor", monitor), Some(65), "{monitor}");
    });
    assert_eq!(exit_code_after("collect", "seconds", &json!("long")), Some(65));
}

#[test]
fn gets_that_are_not_of_the_protocol_end_a_python_worker() {
    let good = json!({"pvs": [0], "every_s": 0.1, "timeout_s": 1});
    assert_eq!(exit_code_after("collect", "gets", &good), None);
    let wrong = [
        ("pvs", json!([])),
        ("pvs", json!([-1])),
        ("every_s", json!(-1)),
        ("timeout_s", json!("1")),
        ("colour", json!("red")),
    ];
    let refused = wrong.map(|(field, value)| {
        let mut gets = good.clone();
        gets[field] = value;
        gets
    });
    at_once(&refused, |gets| {
        assert_eq!(exit_code_after("collect", "gets", gets), Some(65), "{gets}");
    });
}

/// Of 3 PVs with two subscriptions each: prints what was reported of connections.
const STATES: &str = "
import json, sys, threading
sys.path[:0] = sys.argv[1:3]
from epics_gauge.worker import update_log
log = update_log.UpdateLog({'content': 'scalars', 'step': 1, 'room': 0, 'monitors': 2}, 3)
log.first_updates.expect([0, 1, 2], threading.Event())
for what, number in json.load(sys.stdin):
    if what == 'update':
        log.note(number, 0.0, 0, 0)
    elif what == 'gone':
        log.disconnected(number)
    else:
        log.state(number, what == 'up')
states = log.take().get('states', [])
assert 'states' not in log.take()
assert [one['at_ns'] for one in states] == sorted(one['at_ns'] for one in states)
print(json.dumps([[one['pv'], one['connected']] for one in states]))
";

#[test]
fn a_pv_whose_end_alone_is_reported_is_connected_again_with_its_next_update() {
    let reported = json!([
        // Not connected yet: no news.
        ["gone", 1],
        ["update", 1],
        ["update", 4],
        ["update", 1],
        ["gone", 1],
        ["gone", 4],
        ["up", 2],
        ["update", 4],
        ["update", 1],
        ["update", 1],
        ["down", 0],
    ]);
    let expected = json!([[1, false], [2, true], [1, true], [0, false]]);
    assert_eq!(python(STATES, &reported), expected);
}

#[test]
fn the_documented_example_of_an_own_approach_has_monitors() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples/approaches.toml");
    for load in ["scalars --pvs 20", "waveform --pixels 64x32"] {
        let arguments = format!("{load} --approach minimal --rate 10 --seconds 1 --approaches");
        let ran = Gauge::run(&arguments).argument(&file).finish();
        let records = ran.records();
        let own = records.iter().find(|record| record.approach == "minimal").unwrap();
        assert_eq!(own.failure, None, "{}", ran.stderr);
        let monitored = own.monitored.as_ref().unwrap();
        assert_eq!(monitored.lost(), 0, "{monitored:?}");
        assert!(monitored.received >= 10, "{monitored:?}");
    }
}
