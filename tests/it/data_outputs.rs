//! What programs read: `report.json` and `records.jsonl` against their JSON Schemas,
//! the records as CSV, and the history of several runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use epics_gauge::record::RunRecords;
use epics_gauge::report::{Described, FAILED, render_csv};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{at_once, gauge, program};

/// A small run of each scenario that writes figures of its own, and a comparison. A
/// calibration of other tests makes the last folder.
const MEASURED: [&str; 6] = [
    "run connect waveform --approach libca --pvs 3 --blocks 2 --seconds 1 --pixels 20x10",
    "run connect --approach libca,crashing --pvs 3 --blocks 1 --mode bulk --fresh-blocks 0 \
     --approaches FOLDER/mine.toml",
    "run scale --server softioc --approach libca --pvs 5 --rate 20 --monitors 4 --seconds 1",
    "run capacity --approach libca --pvs 20 --rate 10 --seconds 1",
    "run many-iocs --pvs 60 --iocs 3 --approach libca",
    "compare wire wire --pvs 5 --most-pairs 8 --tolerance 100",
];

/// The first of them.
const CONNECT_AND_WAVEFORM: usize = 0;
const CRASHING: usize = 1;
const COMPARED: usize = 5;
const CALIBRATED: usize = MEASURED.len();
const FOLDERS_IN_ALL: usize = MEASURED.len() + 1;

/// All of them measured once, for every test here that runs in this process. They mostly
/// wait: at once they take as long as the longest.
static FOLDERS: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine.toml"), crashing_approach()).unwrap();
    let all: Vec<(usize, &str)> = MEASURED.into_iter().enumerate().collect();
    at_once(&all, |&(index, arguments)| measure(arguments, folder.path(), index));
    folder
});

/// Leaves the results in a folder that the index names.
fn measure(arguments: &str, folder: &Path, index: usize) {
    let arguments = arguments.replace("FOLDER", &folder.display().to_string());
    let out = folder.join(index.to_string());
    let mut command = gauge();
    command.args(arguments.split_whitespace()).arg("--out").arg(&out);
    let output = command.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(out.join("report.json").is_file(), "{arguments}: {printed}");
}

/// The real `wire` worker, which ends when it is to get.
fn crashing_approach() -> String {
    let proxy =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/workers/tampering_worker.py");
    format!(
        "[approach.crashing]\ncommand = ['{{python}}', '{}', 'crash-at-get', 'crashing', '{}']\n",
        proxy.display(),
        program().display()
    )
}

fn folder(index: usize) -> PathBuf {
    if index == CALIBRATED {
        return crate::compare::calibrated();
    }
    FOLDERS.path().join(index.to_string())
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn report(arguments: &[&Path]) -> Output {
    Command::new(program()).arg("report").args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn as_path(text: &str) -> &Path {
    Path::new(text)
}

fn checked_in(described: Described) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema").join(described.file_name())
}

fn validator(described: Described) -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(&read(checked_in(described))).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

#[track_caller]
fn assert_valid(validator: &jsonschema::Validator, value: &Value, what: &str) {
    let errors: Vec<String> = validator
        .iter_errors(value)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{what}: {errors:#?}");
}

fn json(path: impl AsRef<Path>) -> Value {
    serde_json::from_str(&read(path)).unwrap()
}

#[test]
fn the_checked_in_schemas_are_those_of_this_build() {
    for described in Described::ALL {
        let path = checked_in(described);
        let (name, file) = (described.name(), described.file_name());
        let renew = format!(
            "renew it with `cargo run -- report --schema {name} > docs/schema/{file}`, and raise \
             the format's number if a published one changes"
        );
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(text == described.schema(), "{} is out of date: {renew}", path.display());
        let printed = report(&[as_path("--schema"), as_path(name)]);
        assert_eq!(stdout(&printed), described.schema());
    }
}

#[test]
fn real_reports_and_records_are_what_their_schemas_report() {
    let (of_report, of_line) = (validator(Described::Report), validator(Described::Records));
    for index in 0..FOLDERS_IN_ALL {
        let arguments = MEASURED.get(index).unwrap_or(&"calibrate");
        let value = json(folder(index).join("report.json"));
        assert_valid(&of_report, &value, arguments);
        for line in read(folder(index).join("records.jsonl")).lines() {
            assert_valid(&of_line, &serde_json::from_str(line).unwrap(), arguments);
        }
    }
    let of = |index: usize, pointer: &str| {
        let value = json(folder(index).join("report.json"));
        let found = value.pointer(pointer).and_then(Value::as_array).cloned();
        found.unwrap_or_else(|| panic!("{pointer}")).len()
    };
    // Each part of a report was there to be held to the schema.
    assert!(of(CONNECT_AND_WAVEFORM, "/judgement/figures") > 0);
    assert!(of(CONNECT_AND_WAVEFORM, "/judgement/monitors") > 0);
    assert!(of(CRASHING, "/judgement/failures") > 0);
    assert!(of(2, "/judgement/scale") > 0);
    assert!(of(3, "/judgement/capacities") > 0);
    assert!(of(4, "/judgement/many_iocs") > 0);
    assert!(of(COMPARED, "/judgement/comparison/metrics") > 0);
    assert!(of(CALIBRATED, "/calibrated/metrics") > 0);
}

#[test]
fn a_field_that_is_missing_or_unknown_or_of_another_type_is_refused() {
    let validator = validator(Described::Report);
    let good = json(folder(CONNECT_AND_WAVEFORM).join("report.json"));
    assert_valid(&validator, &good, "as it is");
    let changed = |pointer: &str, change: fn(&mut Value)| {
        let mut value = good.clone();
        change(value.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")));
        !validator.is_valid(&value)
    };
    fn object(value: &mut Value) -> &mut serde_json::Map<String, Value> {
        value.as_object_mut().unwrap()
    }
    assert!(changed("", |report| drop(object(report).remove("complete"))));
    assert!(changed("", |report| drop(object(report).insert("more".to_owned(), json!(1)))));
    assert!(changed("/format", |format| *format = json!(1)));
    assert!(changed("/report", |kind| *kind = json!("essay")));
    for row in ["/judgement/figures/0/rows/0", "/judgement/monitors/0/rows/0"] {
        assert!(changed(row, |row| drop(object(row).remove("floor"))));
        assert!(changed(row, |row| drop(object(row).insert("more".to_owned(), json!(1)))));
        assert!(changed(row, |row| drop(object(row).insert("approach".to_owned(), json!(1)))));
    }
    assert!(changed("/judgement/figures/0/metric", |metric| *metric = json!("speed")));
    assert!(changed("/judgement/verdicts/0/outcome", |outcome| *outcome = json!("fine")));
}

#[test]
fn the_csv_has_every_sample_every_loss_and_every_failure() {
    for index in 0..FOLDERS_IN_ALL {
        let arguments = MEASURED.get(index).unwrap_or(&"calibrate");
        let text = read(folder(index).join("records.csv"));
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let columns = columns();
        assert_eq!(reader.headers().unwrap(), columns.as_slice());
        let at = |name: &str| columns.iter().position(|column| column == name).unwrap();
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let of = |metric: &str| rows.iter().filter(|row| &row[at("metric")] == metric).count();
        let run = RunRecords::parse(&read(folder(index).join("records.jsonl"))).unwrap();
        let samples: usize = run.records.iter().map(|record| record.samples.len()).sum();
        assert_eq!((of("elapsed"), of("cpu time")), (samples, samples), "{arguments}");
        let monitored = run.records.iter().filter(|record| record.monitored.is_some()).count();
        assert_eq!(of("updates lost"), monitored, "{arguments}");
        let failed = run.records.iter().filter(|record| record.failure.is_some()).count();
        assert_eq!(of(FAILED), failed, "{arguments}");
        assert_eq!(failed > 0, index == CRASHING, "{arguments}");
        let is_number = |row: &csv::StringRecord| row[at("value")].parse::<f64>().is_ok();
        assert!(rows.iter().all(|row| is_number(row) != (&row[at("metric")] == FAILED)));
        let again = report(&[&folder(index), as_path("--format"), as_path("csv")]);
        assert!(stdout(&again) == text, "{arguments}");
    }
    let failed = read(folder(CRASHING).join("records.csv"));
    assert!(failed.contains("the library met its end"), "{failed}");
}

#[test]
fn the_document_explains_every_column_of_the_csv_and_no_other() {
    let document = read(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/data.md"));
    let (_, table) = document.split_once("| column | meaning |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let first_cells = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('|').next());
    let mut explained: Vec<&str> =
        first_cells.flat_map(|cell| cell.trim().trim_end_matches('`').split("`, `")).collect();
    let mut columns = columns();
    explained.sort_unstable();
    columns.sort_unstable();
    assert_eq!(explained, columns);
}

/// The columns of a CSV, which has them without a record too.
fn columns() -> Vec<String> {
    let heading = render_csv(&[]);
    assert_eq!(heading.lines().count(), 1, "{heading}");
    heading.trim_end().split(',').map(str::to_owned).collect()
}

#[test]
fn two_real_runs_have_a_history_that_its_schema_knows() {
    let (one, other) = (folder(CONNECT_AND_WAVEFORM), folder(CRASHING).join("records.jsonl"));
    let printed = report(&[&other, &one, as_path("--format"), as_path("json")]);
    let history: Value = serde_json::from_str(&stdout(&printed)).unwrap();
    assert_valid(&validator(Described::Report), &history, "history");
    let machines = history["history"]["machines"].as_array().unwrap();
    assert_eq!(machines.len(), 1);
    let names: Vec<&str> = machines[0]["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["name"].as_str().unwrap())
        .collect();
    // Both were measured at once, so only their files say which began first.
    let began = |run: &Path| {
        let records = if run.is_dir() { run.join("records.jsonl") } else { run.to_owned() };
        let first = read(records).lines().next().unwrap().to_owned();
        serde_json::from_str::<Value>(&first).unwrap()["started_utc"].to_string()
    };
    assert!(began(as_path(names[0])) <= began(as_path(names[1])), "in order of time: {names:?}");
    let all = |mut names: Vec<&str>| {
        names.sort_unstable();
        names.join(" ")
    };
    assert_eq!(all(names), all(vec![one.to_str().unwrap(), other.to_str().unwrap()]));
    let series = machines[0]["series"].as_array().unwrap();
    let in_both = |one: &&Value| one["points"].as_array().unwrap().len() == 2;
    let connect = series.iter().filter(in_both).find(|one| one["metric"] == "connect bulk");
    let connect = connect.expect("both connected 3 PVs in bulk");
    assert!(connect["approach"] == "libca" || connect["approach"] == "wire");
    assert!(connect["points"][1]["figure"]["median"].as_f64().unwrap() > 0.0);
    assert!(series.iter().any(|one| one["metric"] == "workers failed"));
    let table = stdout(&report(&[&one, &other]));
    for words in [
        "only intervals that do not touch",
        "epics-gauge compare",
        "connect bulk of connect on softioc, 3 PVs",
    ] {
        let words_of = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words_of(&table).contains(words), "{words} is not in: {table}");
    }
}

#[test]
fn runs_without_a_common_history_are_refused_with_the_reason() {
    let run = folder(CONNECT_AND_WAVEFORM);
    let empty = tempfile::NamedTempFile::new().unwrap();
    let old = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(old.path(), "{\"line\":\"run\",\"format\":3}\n").unwrap();
    let compared = folder(COMPARED);
    let cases: [(&Path, &str); 5] = [
        (&compared, "is a comparison"),
        (&run, "are the same run"),
        (empty.path(), "does not begin with a run"),
        (old.path(), "format 3"),
        (as_path("/nowhere"), "/nowhere"),
    ];
    for (other, words) in cases {
        let output = report(&[&run, other]);
        let printed = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{printed}");
        assert!(printed.contains(words), "{words} is not in: {printed}");
        assert!(printed.contains(&other.display().to_string()), "{printed}");
    }
    let limited = report(&[&run, &folder(CRASHING), as_path("--limits"), as_path("x.toml")]);
    assert_eq!(limited.status.code(), Some(64));
}

#[test]
fn every_report_and_list_fits_a_terminal_of_eighty_columns() {
    let mut printed: Vec<(String, String)> = Vec::new();
    let run = |arguments: &[&str]| {
        let output = Command::new(program()).args(arguments).output().unwrap();
        (arguments.join(" "), stdout(&output))
    };
    for what in ["approaches", "servers", "scenarios", "tables", "limits"] {
        printed.push(run(&["list", what]));
    }
    let folders: Vec<String> =
        (0..FOLDERS_IN_ALL).map(|index| folder(index).display().to_string()).collect();
    for folder in &folders {
        printed.push(run(&["report", folder]));
    }
    printed.push(run(&["report", &folders[CONNECT_AND_WAVEFORM], &folders[CRASHING]]));
    for (arguments, text) in &printed {
        assert!(text.lines().count() > 3, "{arguments}: {text}");
        assert!(!text.contains('\u{1b}'), "{arguments} has colours without a terminal");
        for line in text.lines() {
            // A path or a command cannot be broken.
            let is_one_word = line.split_whitespace().count() == 1;
            assert!(is_one_word || line.chars().count() <= 80, "{arguments}: {line}");
        }
    }
}
