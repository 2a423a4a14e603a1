//! Exports, held to what the formats' own documents demand.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{RUN, gauge_in, runs, stderr, stdout};

fn exported(format: &str) -> String {
    let output = gauge_in(RUN.path(), &format!("export run --as {format}"));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    stdout(&output)
}

#[track_caller]
fn assert_valid(schema: &Value, text: &str) -> Value {
    let value: Value = serde_json::from_str(text).unwrap();
    let validator = jsonschema::validator_for(schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&value).map(|one| one.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    value
}

/// The table of the section "Custom benchmarks" of its README.
#[test]
fn github_action_benchmark_gets_its_array() {
    let schema = json!({
        "type": "array", "minItems": 1,
        "items": {
            "type": "object", "additionalProperties": false,
            "required": ["name", "unit", "value"],
            "properties": {
                "name": {"type": "string"}, "unit": {"type": "string"},
                "value": {"type": "number"}, "range": {"type": "string"},
                "extra": {"type": "string"},
            },
        },
    });
    let entries = assert_valid(&schema, &exported("github-action-benchmark"));
    let entries = entries.as_array().unwrap();
    let connect = entries.iter().find(|one| one["name"] == "connect::libca::n3 connect bulk");
    assert_eq!(connect.unwrap()["unit"], "s/PV");
    let mut names: Vec<&str> = entries.iter().map(|one| one["name"].as_str().unwrap()).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "each line of the chart has a name of its own");
}

/// What its JSON Schema demands (`bmf.json`), without leave for further fields.
#[test]
fn bencher_gets_its_metric_format() {
    let number = json!({"type": "number"});
    let metric = json!({
        "type": "object", "additionalProperties": false, "required": ["value"],
        "properties": {"value": number, "lower_value": number, "upper_value": number},
    });
    let benchmark = json!({"type": "object", "minProperties": 1, "additionalProperties": metric});
    let schema = json!({"type": "object", "minProperties": 1, "additionalProperties": benchmark});
    let written = assert_valid(&schema, &exported("bencher"));
    let connect = &written["connect::libca::n3"]["connect bulk (s/PV)"];
    let value = |name: &str| connect[name].as_f64().unwrap();
    assert!(value("lower_value") <= value("value") && value("value") <= value("upper_value"));
}

/// Otava reads the time, the attributes and a number in every column that it is asked for,
/// and demands that rows are as long as the heading.
#[test]
fn otava_gets_a_row_for_each_run() {
    let folder = runs(&[1.0, 1.0, 2.0]);
    let output = gauge_in(folder.path(), "export run-3 run-1 run-2 --as otava");
    let text = stdout(&output);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let heading = reader.headers().unwrap().clone();
    assert_eq!(heading.iter().take(4).collect::<Vec<_>>(), ["time", "commit", "branch", "run"]);
    assert!(heading.iter().any(|name| name == "connect::libca::n3 connect bulk"), "{heading:?}");
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let names: Vec<&str> = rows.iter().map(|row| &row[3]).collect();
    assert_eq!(names, ["run-1", "run-2", "run-3"], "in the order of time");
    for row in &rows {
        assert!(row[0].parse::<jiff::Timestamp>().is_ok(), "{}", &row[0]);
        assert!(
            row.iter().skip(4).all(|configuration| configuration.parse::<f64>().is_ok()),
            "{row:?}"
        );
    }
}

/// The rules of OpenMetrics 1.0.0 on text, strictly: families stand together, each begins
/// with its type, a unit ends the name, and nothing follows the end.
#[test]
fn openmetrics_is_read_strictly() {
    let text = exported("openmetrics");
    let body = text.strip_suffix("# EOF\n").expect("it ends with # EOF");
    let mut families: BTreeMap<&str, &str> = BTreeMap::new();
    let mut current = "";
    for line in body.lines() {
        match line.strip_prefix("# ") {
            Some(described) => {
                let mut words = described.splitn(3, ' ');
                let (what, name) = (words.next().unwrap(), words.next().unwrap());
                let value = words.next().unwrap();
                match what {
                    "TYPE" => {
                        assert!(["gauge", "info"].contains(&value), "{line}");
                        assert_eq!(
                            families.insert(name, value),
                            None,
                            "{name} stands in two places"
                        );
                        current = name;
                    }
                    "UNIT" => assert!(name == current && name.ends_with(&format!("_{value}"))),
                    "HELP" => assert!(name == current && !value.is_empty(), "{line}"),
                    _ => panic!("{line}"),
                }
            }
            None => sample(line, current, families[current]),
        }
    }
    assert_eq!(families.get("epics_gauge_connect_bulk_seconds_per_pv"), Some(&"gauge"));
}

/// `name{label="value",…} number`.
fn sample(line: &str, family: &str, kind: &str) {
    let (name, rest) = line.split_once('{').unwrap();
    let expected = if kind == "info" { format!("{family}_info") } else { family.to_owned() };
    assert_eq!(name, expected, "{line}");
    let is_letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    assert!(name.chars().all(is_letter) && !name.starts_with(|c: char| c.is_ascii_digit()));
    let (labels, value) = rest.rsplit_once("} ").unwrap();
    assert!(value.parse::<f64>().is_ok(), "{line}");
    let mut rest = labels;
    while !rest.is_empty() {
        let (label, quoted) = rest.split_once("=\"").unwrap();
        assert!(!label.is_empty() && label.chars().all(is_letter), "{line}");
        let end = quoted
            .char_indices()
            .find(|(at, c)| *c == '"' && !quoted[..*at].ends_with('\\'))
            .map(|(at, _)| at)
            .unwrap();
        rest = quoted[end + 1..].trim_start_matches(',');
    }
}

#[test]
fn what_a_format_cannot_hold_is_refused() {
    let folder = runs(&[1.0, 1.0]);
    let refused = |arguments: &str, words: &str| {
        let output = gauge_in(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(64), "{output:?}");
        assert!(stderr(&output).contains(words), "{words} is not in: {}", stderr(&output));
    };
    refused("export run-1 run-2 --as bencher", "bencher takes one run, and 2 were named");
    refused(
        "export run-1 --as github-action-benchmark-bigger",
        "there is no figure for github-action-benchmark-bigger",
    );
    let other = folder.path().join("run-2/records.jsonl");
    let text = std::fs::read_to_string(&other).unwrap().replacen("\"cores\":", "\"cores\":1", 1);
    std::fs::write(&other, text).unwrap();
    refused("export run-1 run-2 --as otava", "of different machines");
    refused("export run-1 --as nothing", "possible values");
}
