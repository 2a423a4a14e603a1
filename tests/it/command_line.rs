//! What helps to use the command line: completions that a shell really loads, manual
//! pages that roff really reads, and a doctor that names what to install.

use std::fs;
use std::process::{Command, Output};

use epics_gauge::system_packages::Need;

use super::support::{gauge, program};

fn output_of(arguments: &[&str]) -> Output {
    gauge().args(arguments).output().unwrap()
}

fn stdout_of(arguments: &[&str]) -> String {
    let output = output_of(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What bash would offer after these words, the last of which is not finished.
fn offered_by_bash(words: &[&str]) -> String {
    let script = "source /dev/stdin\n\
        set -- $(complete -p epics-gauge | grep -o -- '-F [^ ]*') \"$@\"\n\
        function=$2; shift 2\n\
        COMP_WORDS=(\"$@\") COMP_CWORD=$(($# - 1))\n\
        $function \"$1\" \"${!#}\" \"${@:$#-1:1}\"\n\
        printf '%s ' \"${COMPREPLY[@]}\"";
    let folder = tempfile::tempdir().unwrap();
    let completions = folder.path().join("completions");
    fs::write(&completions, stdout_of(&["completions", "bash"])).unwrap();
    let output = Command::new("bash")
        .args(["--norc", "-c", script, "bash"])
        .args(words)
        .stdin(fs::File::open(completions).unwrap())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{stderr}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn bash_completes_subcommands_options_and_choices() {
    assert_eq!(offered_by_bash(&["epics-gauge", "doc"]), "doctor");
    assert_eq!(offered_by_bash(&["epics-gauge", "ioc", "--pv"]), "--pvs");
    assert_eq!(offered_by_bash(&["epics-gauge", "list", "ser"]), "servers");
}

#[test]
fn what_is_hidden_is_in_no_completion_and_has_no_page() {
    for shell in ["bash", "zsh", "fish"] {
        let script = stdout_of(&["completions", shell]);
        assert!(script.contains("calibrate"), "{shell}");
        assert!(!script.contains("inside of a worker"), "{shell}");
    }
    assert_eq!(offered_by_bash(&["epics-gauge", "work"]), "");
    let folder = tempfile::tempdir().unwrap();
    stdout_of(&["man", folder.path().to_str().unwrap()]);
    assert!(!folder.path().join("epics-gauge-worker.1").exists());
}

#[test]
fn every_subcommand_has_a_manual_page_that_roff_reads_without_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    stdout_of(&["man", folder.path().to_str().unwrap()]);
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("epics-gauge.1"), stdout_of(&["man"]));
    for name in ["run", "ioc", "list", "compare", "calibrate", "judge", "report", "doctor"] {
        assert!(read(&format!("epics-gauge-{name}.1")).contains(".SH EXAMPLES"), "{name}");
    }
    for page in fs::read_dir(&folder).unwrap() {
        let page = page.unwrap().path();
        // Not every machine has it.
        let groff = Command::new("groff").args(["-man", "-Tutf8", "-ww"]).arg(&page).output();
        let Ok(read) = groff else { return };
        let warnings = String::from_utf8_lossy(&read.stderr);
        assert!(warnings.is_empty(), "{}: {warnings}", page.display());
    }
}

#[test]
fn the_doctor_names_the_command_that_installs_what_is_missing() {
    let mut doctor = Command::new(program());
    doctor
        .arg("doctor")
        .env("EPICS_GAUGE_PYTHON", "/nonexistent/python")
        .env("CXX", "/nonexistent");
    let output = doctor.output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(4), "{printed}");
    assert!(printed.contains("MISSING  Python: cannot start `/nonexistent/python"), "{printed}");
    assert!(printed.contains("\nabsent   C++ compiler: "), "{printed}");
    for need in [Need::Python, Need::Compiler] {
        let advice = need.advice();
        assert_eq!(printed.matches(&advice).count(), 1, "{advice} in\n{printed}");
    }
    assert!(printed.contains("MISSING  pyepics: needs the Python packages"), "{printed}");
    assert!(printed.contains("\nok       server softioc: "), "{printed}");
}
