//! The conformance suite: the default set is green, and what is wrong is found by the floors and
//! named.

use std::process::Output;

use serde_json::Value;

use crate::support::gauge;

fn conform(arguments: &[&str]) -> Output {
    gauge().arg("conform").args(arguments).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The floors read the bytes themselves, so a wrong check fails here; a new failure of a library
/// does too.
#[test]
fn no_client_of_the_default_set_has_a_new_failure() {
    let approaches = "wire,wire-pva,pyepics,aioca,caproto,p4p";
    let output = conform(&["--approach", approaches]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains(" 0 new failures"), "{}", text(&output));
}

#[test]
fn a_check_with_a_wrong_answer_is_found_by_both_floors() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wrong.toml");
    let wrong = "group = \"mine\"\nrecords = '''\nrecord(ao, \"my:ao\") { field(VAL, \"1\") \
                 field(PINI, \"YES\") }\n'''\n[[check]]\nid = \"mine.wrong\"\npv = \"my:ao\"\n\
                 expect = { value = 2.0 }\nsource = \"none, it is wrong\"\n";
    std::fs::write(&file, wrong).unwrap();
    let file = file.display().to_string();
    let arguments =
        ["--checks", &file, "--group", "mine", "--approach", "wire,wire-pva", "--format", "json"];
    let output = conform(&arguments);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let matrix: Value = serde_json::from_slice(&output.stdout).unwrap();
    for page in matrix["pages"].as_array().unwrap() {
        let field = &page["columns"][0]["fields"][0];
        assert_eq!(field["outcome"], "wrong", "{matrix:#}");
        assert_eq!(
            (&*field["expected"].to_string(), &*field["got"].to_string()),
            ("\"value 2.0\"", "\"value 1.0\"")
        );
    }
}

#[test]
fn names_that_are_not_there_are_refused() {
    for arguments in [["--check", "nonsense"], ["--group", "nonsense"], ["--server", "nonsense"]] {
        assert_eq!(conform(&arguments).status.code(), Some(64), "{arguments:?}");
    }
}

#[test]
fn every_format_names_what_was_done_expected_and_got() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out").display().to_string();
    let check = "alarms.hihi";
    let output = conform(&["--check", check, "--approach", "wire", "--out", &out]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let read = |name: &str| std::fs::read_to_string(format!("{out}/{name}")).unwrap();
    for name in ["conformance.md", "conformance.html", "conformance.json", "conformance.xml"] {
        assert!(read(name).contains(check), "{name}");
    }
    let html = read("conformance.html");
    for part in ["dbpf al:ao 9", "severity 2, status 3", "--check alarms.hihi --approach wire"] {
        assert!(html.contains(part), "{part}");
    }
    assert!(!html.contains("http"), "nothing from elsewhere");
}
