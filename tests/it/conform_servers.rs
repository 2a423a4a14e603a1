//! Conformance with servers beside the softIoc: what each can hold, a user's own, and one that
//! dies.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Output;

use serde_json::Value;

use crate::support::gauge;

fn conform(arguments: &[&str]) -> Output {
    gauge().arg("conform").args(arguments).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// How many fields of each server ended in which way.
fn counts(output: &Output) -> BTreeMap<String, BTreeMap<String, usize>> {
    let matrix: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(output)));
    let mut counts = BTreeMap::<String, BTreeMap<String, usize>>::new();
    for page in matrix["pages"].as_array().unwrap() {
        let of_server = counts.entry(page["server"].as_str().unwrap().to_owned()).or_default();
        for column in page["columns"].as_array().unwrap() {
            for field in column["fields"].as_array().unwrap() {
                let Some(outcome) = field["outcome"].as_str() else { continue };
                *of_server.entry(outcome.to_owned()).or_default() += 1;
            }
        }
    }
    counts
}

fn own_server(folder: &std::path::Path, env: &str) -> PathBuf {
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/conform/own_server.py");
    let file = folder.join("servers.toml");
    let written = format!(
        "[server.mine]\ncommand = [\"{{python}}\", \"{}\"]\nprotocols = [\"pva\"]\nenv = {{ \
         PYTHONPATH = \"{{site}}\"{env} }}\n[server.mine.conform]\nrecord_types = [\"ao\"]\n\
         fields = [\"VAL\", \"PINI\"]\nanswers = [\"value\"]\ncommands = [\"dbpf\", \"dbgf\"]\n",
        program.display()
    );
    std::fs::write(&file, written).unwrap();
    file
}

/// The floor's answers to these checks from the server of this file.
fn of_own_server(file: &str, checks: &str, more: &[&str]) -> Output {
    let asked =
        ["--servers", file, "--server", "mine", "--approach", "wire-pva", "--check", checks];
    conform(&[&asked[..], more].concat())
}

#[test]
fn each_server_has_no_new_failure_and_its_share_of_the_checks() {
    let servers = "python-softioc,caproto-ioc,p4p-server";
    let output = conform(&["--server", servers, "--approach", "wire,wire-pva", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let counts = counts(&output);
    for (server, held) in [("python-softioc", 300), ("caproto-ioc", 40), ("p4p-server", 40)] {
        assert!(counts[server]["pass"] >= held, "{server}: {counts:?}");
        let is_base = server == "python-softioc";
        assert_eq!(counts[server].contains_key("not-held"), !is_base, "{server}: {counts:?}");
    }
}

#[test]
fn a_server_of_ones_own_is_asked_what_it_holds_and_the_command_names_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = own_server(folder.path(), "").display().to_string();
    let out = folder.path().join("out").display().to_string();
    let checks = "scalars.double,monitors.order,scalars.long";
    let output = of_own_server(&file, checks, &["--format", "json", "--out", &out]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let expected = BTreeMap::from([("pass".to_owned(), 2), ("not-held".to_owned(), 1)]);
    assert_eq!(counts(&output)["mine"], expected);
    let html = std::fs::read_to_string(format!("{out}/conformance.html")).unwrap();
    let command = format!("--approach wire-pva --server mine --servers {file}");
    assert!(html.contains(&command), "{html}");
    assert!(html.contains("it has no longout records"), "{html}");
    let junit = std::fs::read_to_string(format!("{out}/conformance.xml")).unwrap();
    let suite = "<testsuite name=\"wire-pva on mine\" tests=\"3\" failures=\"0\" skipped=\"1\">";
    assert!(junit.contains(suite), "{junit}");
}

#[test]
fn a_server_that_dies_is_named_with_the_check_and_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = own_server(folder.path(), ", DIES = \"1\"").display().to_string();
    let output = of_own_server(&file, "monitors.order", &[]);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output));
    let shown = text(&output);
    assert!(shown.contains("the server mine failed in monitors.order for wire-pva"), "{shown}");
    assert!(shown.contains("exit status: 3"), "{shown}");
}

#[test]
fn servers_and_files_that_cannot_be_used_are_named_with_what_can() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |arguments: &[&str], words: &[&str]| {
        let output = conform(arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {}", text(&output));
        for word in words {
            assert!(text(&output).contains(word), "{arguments:?}: {}", text(&output));
        }
    };
    refused(&["--server", "python-softioc-calc"], &["no `conform`", "softioc, softioc-pva"]);
    refused(&["--server", "nonsense"], &["unknown server `nonsense`", "p4p-server"]);
    refused(&["--approach", "nonsense"], &["nonsense", "wire"]);
    refused(&["--check", "nonsense"], &["no check `nonsense`", "--list"]);
    refused(&["--checks", "/nowhere.toml"], &["/nowhere.toml"]);
    let file = folder.path().join("checks.toml");
    let good = "group = \"mine\"\nrecords = \"\"\n[[check]]\nid = \"mine.one\"\npv = \"x\"\n\
                expect = { value = 1 }\nsource = \"none\"\n";
    let name = file.display().to_string();
    for (from, to, words) in [
        ("pv = \"x\"", "pv = ", ["line 5", "pv ="]),
        ("pv = \"x\"", "pw = \"x\"", ["line 5", "`pw`"]),
        ("expect = { value = 1 }\n", "", ["mine.one", "a get needs `expect`"]),
        ("expect = { value = 1 }\n", "absent = true\n", ["mine.one", "`permitted`"]),
        ("mine.one", "scalars.double", ["two checks", "scalars.double"]),
    ] {
        std::fs::write(&file, good.replace(from, to)).unwrap();
        refused(&["--checks", &name], &[&name, words[0], words[1]]);
    }
}
