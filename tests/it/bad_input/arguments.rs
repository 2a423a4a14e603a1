//! What cannot be asked for on the command line.

use super::Invocation;

/// Refused, and nothing was begun.
#[track_caller]
fn refused(arguments: &str, words: &[&str]) {
    let ended = Invocation::of(arguments).finish();
    ended.exits_with(64).says(words);
    assert_eq!(ended.stdout, "");
    assert!(!ended.file("epics-gauge-out").exists());
}

#[test]
fn an_unknown_approach_is_refused_with_those_that_there_are() {
    refused("--approach pyepix", &["unknown approach `pyepix`", "wire", "pyepics"]);
}

#[test]
fn an_unknown_scenario_or_subcommand_is_refused_with_where_to_look() {
    refused("run conect", &["unknown scenario `conect`", "there are: connect, waveform"]);
    refused("docter", &["unknown scenario `docter`", "subcommands", "--help"]);
}

#[test]
fn an_unknown_server_is_refused_with_those_that_there_are() {
    refused("--server nope", &["unknown server `nope`", "softioc"]);
    refused("ioc --server nope", &["unknown server `nope`", "softioc"]);
}

#[test]
fn a_table_or_a_count_of_monitors_that_cannot_be_is_refused() {
    refused("scale --table nope", &["unknown table `nope`", "calc-aioca"]);
    refused("scale --monitors 0", &["nothing to measure with 0 monitors"]);
    refused("connect --monitors 2", &["--monitors means nothing to connect", "scale"]);
    refused("waveform --server p4p-server", &["p4p-server makes no frames"]);
    refused("connect --server softioc-pva --approach pyca", &["none of these approaches speaks"]);
}

#[test]
fn an_unknown_option_is_refused() {
    refused("--piwis 3", &["unexpected argument '--piwis'", "--help"]);
    refused("judge records.jsonl --piwis", &["unexpected argument '--piwis'"]);
}

#[test]
fn counts_of_pvs_that_no_ioc_can_hold_are_refused() {
    refused("--pvs 0", &["--pvs", "at least 1"]);
    refused("--pvs 1000000000", &["--pvs", "1000000000", "at most 200000"]);
    refused("--pvs 99999999999999999999999", &["--pvs", "too large", "such as 1000"]);
    refused("ioc --pvs 1000000000", &["1000000000 PVs", "at most 200000"]);
}

#[test]
fn counts_of_pvs_that_are_none_are_refused() {
    refused("--pvs abc", &["--pvs", "abc", "such as 1000"]);
    refused("--pvs -5", &["--pvs", "-5", "such as 1000"]);
    refused("--pvs 1,,3", &["--pvs", "such as 1000"]);
    refused("ioc --pvs abc", &["--pvs", "abc"]);
}

#[test]
fn an_unknown_mode_is_refused_with_those_that_there_are() {
    refused("--mode wrong", &["--mode", "wrong", "serial", "bulk"]);
}

#[test]
fn a_count_of_blocks_that_cannot_be_is_refused() {
    refused("--blocks 0", &["--blocks", "1 to 10000"]);
    refused("--blocks -1", &["--blocks", "1 to 10000"]);
    refused("--blocks many", &["--blocks", "1 to 10000"]);
}

#[test]
fn a_timeout_that_cannot_be_is_refused() {
    refused("--timeout -1", &["--timeout", "over 0 s"]);
    refused("--timeout 0", &["--timeout", "over 0 s"]);
    refused("--timeout nan", &["--timeout", "over 0 s"]);
    refused("--timeout soon", &["--timeout", "soon", "seconds"]);
}

#[test]
fn a_plan_without_anything_to_measure_is_refused() {
    refused("--mode serial --pvs 5000", &["nothing to measure", "--profile full", "--pvs"]);
}

#[test]
fn a_rate_that_the_ioc_cannot_scan_at_is_refused_with_those_it_can() {
    refused("ioc --rate 7", &["cannot scan at 7 Hz", "5.0, 10.0"]);
    refused("ioc --rate -1", &["cannot scan at -1 Hz"]);
}

#[test]
fn macros_without_a_database_or_without_a_value_are_refused() {
    refused("ioc -m P=x", &["--db"]);
    refused("ioc --db records.db -m P", &["macro `P`", "NAME=VALUE"]);
}

#[test]
fn a_database_with_an_error_is_refused_with_the_line() {
    let database = "record(ao, \"a\") {\n    field(VAL, \"1\")\n    fild(PREC, \"3\")\n}\n";
    let ended = Invocation::of("ioc --db FOLDER/broken.db").file("broken.db", database).finish();
    ended.exits_with(64).says(&["broken.db", "line 3", "fild(PREC, \"3\")"]);
    assert_eq!(ended.stdout, "");
}

#[test]
fn a_database_with_an_unknown_field_is_refused_with_its_name() {
    let database = "record(ao, \"a\") {\n    field(VALUE, \"1\")\n}\n";
    let ended = Invocation::of("ioc --db FOLDER/broken.db").file("broken.db", database).finish();
    ended.exits_with(64).says(&["broken.db", "line 2", "VALUE"]);
}

#[test]
fn a_database_that_is_not_there_is_refused_with_its_name() {
    refused("ioc --db FOLDER/none.db", &["open file", "none.db"]);
}

#[test]
fn a_listing_of_what_is_not_listed_is_refused_with_what_is() {
    refused("list gauges", &["gauges", "approaches, servers, scenarios, faults, tables, limits"]);
}

#[test]
fn every_kind_of_listing_lists() {
    let listings = [
        ("approaches", "pyepics"),
        ("servers", "softioc"),
        ("scenarios", "connect"),
        ("tables", "calc-p4p"),
        ("limits", "100 µs/PV"),
    ];
    for (kind, word) in listings {
        let ended = Invocation::of(&format!("list {kind}")).finish();
        super::assert_holds(&ended.exits_with(0).stdout, &[word]);
    }
}
