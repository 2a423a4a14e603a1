//! `NAME@VERSION`: a Python approach with another version of its library than the
//! pinned one, from pip and side by side with it.

use epics_gauge::approach::{Catalogue, ResolveError};
use epics_gauge::ioc::SoftIoc;
use epics_gauge::process::{Deadline, Event};
use epics_gauge::python_site::PythonSite;
use epics_gauge::worker_protocol::{Mode, Stage};
use std::path::Path;
use std::time::Duration;

use super::support::{WorkerDriver, program};

/// Not the pinned one.
const CHOSEN: &str = "pyepics@3.5.7";

#[test]
fn a_chosen_version_runs_beside_the_pinned_one_and_says_which_it_is() {
    const PVS: usize = 3;
    let ioc = SoftIoc::builder().pvs(PVS).start().unwrap();
    for (approach, is_chosen) in [("pyepics", false), (CHOSEN, true)] {
        let mut worker = WorkerDriver::start(approach, ioc.client_environment());
        let version = worker.hello.versions["pyepics"].clone();
        assert_eq!(version == "3.5.7", is_chosen, "{approach} says it is {version}");
        let warned = |text: &String| text.contains("pyepics 3.5.7") && text.contains("by hash");
        assert_eq!(worker.hello.warnings.iter().any(warned), is_chosen);
        loaded_from_chosen_folder(worker.hello.pid, is_chosen);
        // What goes with it is the pinned one all the same.
        assert!(worker.hello.versions.contains_key("numpy"));
        worker.job(PVS);
        for stage in [Stage::Context, Stage::Create, Stage::Connect] {
            worker.stage(stage, Mode::Bulk);
        }
        let values = worker.stage(Stage::Get, Mode::Bulk).values;
        assert_eq!(values, Some(vec![0.0, 1.0, 2.0]), "{approach}");
    }
}

/// pyepics brings a libca, which shows where the package itself came from.
fn loaded_from_chosen_folder(pid: u32, is_chosen: bool) {
    let Ok(maps) = std::fs::read_to_string(format!("/proc/{pid}/maps")) else { return };
    let libca: Vec<&str> = maps.lines().filter(|line| line.contains("libca")).collect();
    assert!(!libca.is_empty());
    let is_from = |line: &&str| line.contains("-pyepics-3.5.7/");
    assert!(libca.iter().all(|line| is_from(line) == is_chosen), "{libca:#?}");
}

#[test]
fn a_version_that_does_not_exist_is_missing_with_what_pip_said() {
    let approach = Catalogue::built_in().resolve("caproto@0.0.9999").unwrap();
    let site = PythonSite::install(|_| ());
    let missing = approach.command(&program(), &site).unwrap_err().to_string();
    for part in ["caproto==0.0.9999", "No matching distribution", "index versions caproto"] {
        assert!(missing.contains(part), "{part} is not in: {missing}");
    }
    // And leaves nothing that looks installed.
    let folder = format!("{}-caproto-0.0.9999", site.unwrap().folder().display());
    assert!(!Path::new(&folder).join("epics-gauge-complete").exists());
}

#[test]
fn a_version_that_does_not_fit_the_pinned_packages_says_what_it_asks_for() {
    let site = PythonSite::install(|_| ()).unwrap();
    // A package that cannot be imported, as one that was built for others.
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("aioca")).unwrap();
    std::fs::write(
        folder.path().join("aioca/__init__.py"),
        "import setuptools_dso.of_another_time\n",
    )
    .unwrap();
    let metadata = folder.path().join("aioca-1.0.dist-info");
    std::fs::create_dir_all(&metadata).unwrap();
    std::fs::write(
        metadata.join("METADATA"),
        "Metadata-Version: 2.1\nName: aioca\nVersion: 1.0\nRequires-Dist: setuptools-dso<1\n\
         Requires-Dist: nowhere-to-be-found>=2\n",
    )
    .unwrap();
    let main = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/worker/python/main.py");
    let mut worker = epics_gauge::process::Command::new(site.python())
        .arguments(["-I", "-S"])
        .argument(main)
        .argument("--site")
        .argument(site.folder())
        .argument("--chosen")
        .argument(folder.path())
        .arguments(["aioca", "aioca"])
        .start()
        .unwrap();
    let deadline = Deadline::after(Duration::from_secs(60));
    let mut said = String::new();
    let status = loop {
        match worker.next_event(&deadline, "end").unwrap() {
            Event::Stdout(line) | Event::Stderr(line) => said = line,
            Event::Ended(status) => break status,
        }
    };
    assert_eq!(status.code(), Some(1));
    let parts =
        ["aioca 1.0 cannot be used", "of_another_time", "setuptools-dso<1", "setuptools-dso 2."];
    for part in [&parts[..], &["no nowhere-to-be-found", "Choose a version that fits"]].concat() {
        assert!(said.contains(part), "{part} is not in: {said}");
    }
}

#[test]
fn an_approach_without_versions_to_choose_says_what_to_do_instead() {
    let mut catalogue = Catalogue::built_in();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples/approaches.toml");
    catalogue.add_file(&file).unwrap();
    // The user's own are found like those of this crate.
    assert_eq!(catalogue.resolve("minimal").as_ref().ok(), catalogue.get("minimal"));
    let native = catalogue.resolve("libca@7.0.8").unwrap_err();
    assert!(native.to_string().contains("--ioc-a"), "{native}");
    let own = catalogue.resolve("minimal@1.0").unwrap_err();
    assert!(matches!(own, ResolveError::Own { .. }), "{own}");
    assert!(own.to_string().contains("[approach.NAME]"), "{own}");
}
