//! Holds the workflows, the scripts in `ci/` and `.ci/run` together: a person, the
//! usual continuous integration and GitHub run the same commands.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Checks of `ci.yml` that `.ci/run` leaves out, and why.
const MORE_THAN_THE_REPOSITORY: [(&str, &str); 2] = [
    ("check-bases", "builds everything a second time"),
    ("check-minimum-rust", "needs a second Rust toolchain"),
];

/// All that a job may be allowed: the artefacts of a job need no permission.
const LEAST: &str = r#"{"contents":"read"}"#;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files_in(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(folder)).unwrap();
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect()
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

fn scripts() -> BTreeSet<String> {
    files_in("ci").iter().map(|path| name_of(path)).collect()
}

/// A workflow as its YAML says it.
struct Workflow {
    name: String,
    content: Value,
}

impl Workflow {
    fn all() -> Vec<Workflow> {
        let files = files_in(".github/workflows");
        let all: Vec<Workflow> =
            files.iter().map(|path| Workflow::of(&name_of(path), &read(path))).collect();
        assert!(all.len() >= 2);
        all
    }

    fn named(name: &str) -> Workflow {
        Workflow::all().into_iter().find(|workflow| workflow.name == name).unwrap()
    }

    fn of(name: &str, text: &str) -> Workflow {
        let content =
            serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        Workflow { name: name.to_owned(), content }
    }

    fn jobs(&self) -> Vec<&Value> {
        self.content["jobs"].as_object().unwrap().values().collect()
    }

    fn steps(&self) -> Vec<&Value> {
        let steps = self.jobs().into_iter().flat_map(|job| job["steps"].as_array().unwrap());
        let steps: Vec<&Value> = steps.collect();
        assert!(!steps.is_empty(), "{}", self.name);
        steps
    }

    /// The lines that its steps run.
    fn commands(&self) -> Vec<&str> {
        self.steps().into_iter().filter_map(|step| step["run"].as_str()).collect()
    }

    /// The actions that its steps use.
    fn actions(&self) -> Vec<&str> {
        self.steps().into_iter().filter_map(|step| step["uses"].as_str()).collect()
    }

    /// The scripts of `ci/` that it runs.
    fn scripts(&self) -> BTreeSet<String> {
        self.commands().into_iter().map(|command| script_of(command).unwrap()).collect()
    }
}

/// The script that a command line runs, when it does nothing else.
fn script_of(command: &str) -> Result<String, String> {
    let words: Vec<&str> = command.split(' ').collect();
    let script = match words[..] {
        ["bash", script, ..] => script.strip_prefix("ci/"),
        _ => None,
    };
    let is_plain = |word: &&str| {
        let usual = |letter: char| letter.is_ascii_alphanumeric() || "/.^_-".contains(letter);
        !word.is_empty() && word.chars().all(usual)
    };
    match script {
        Some(script) if words.iter().all(is_plain) => Ok(script.to_owned()),
        _ => Err(format!("`{command}` is more than `bash ci/SCRIPT ARGUMENTS`")),
    }
}

/// Whether `owner/name@commit` names a commit by all of its 40 digits.
fn is_pinned(action: &str) -> bool {
    let commit = action.split_once('@').map(|(_, commit)| commit);
    let is_digit = |letter: char| matches!(letter, '0'..='9' | 'a'..='f');
    commit.is_some_and(|commit| commit.len() == 40 && commit.chars().all(is_digit))
}

/// The steps of `.ci/run`.
fn usual_steps() -> BTreeSet<String> {
    let run = read(".ci/run");
    let steps = run.lines().find_map(|line| line.strip_prefix("for step in ")).unwrap();
    steps.trim_end_matches("; do").split(' ').map(str::to_owned).collect()
}

#[test]
fn every_step_of_a_workflow_is_a_script_that_there_is() {
    let scripts = scripts();
    for workflow in Workflow::all() {
        assert!(!workflow.commands().is_empty());
        for command in workflow.commands() {
            let script =
                script_of(command).unwrap_or_else(|why| panic!("{}: {why}", workflow.name));
            assert!(scripts.contains(&script), "{}: there is no ci/{script}", workflow.name);
        }
    }
}

#[test]
fn a_command_that_is_more_than_a_script_is_found() {
    assert_eq!(script_of("bash ci/gate-pull-request HEAD^1").unwrap(), "gate-pull-request");
    for command in [
        "cargo test",
        "bash ci/test; curl x",
        "bash ci/test && true",
        "bash ci/a ${{ github.head_ref }}",
        "bash ci/a\nbash ci/b",
        "bash other/test",
        "bash",
    ] {
        assert!(script_of(command).is_err(), "{command}");
    }
}

#[test]
fn every_script_is_run_by_a_workflow_or_named_in_the_documents() {
    let mut known: BTreeSet<String> =
        Workflow::all().iter().flat_map(Workflow::scripts).chain(usual_steps()).collect();
    let documents = files_in("docs").iter().map(read).collect::<String>()
        + &read("README.md")
        + &read("CONTRIBUTING.md")
        + &read("vendor/README.md");
    known.extend(scripts().into_iter().filter(|name| documents.contains(&format!("ci/{name}"))));
    let unknown: Vec<String> = scripts().difference(&known).cloned().collect();
    assert!(unknown.is_empty(), "nothing runs or tells of {unknown:?} in ci/");
}

#[test]
fn every_check_of_the_folder_is_run_by_the_usual_integration_and_by_github() {
    let github = Workflow::named("ci.yml").scripts();
    let mut usual = usual_steps();
    for (script, why) in MORE_THAN_THE_REPOSITORY {
        assert!(usual.insert(script.to_owned()), ".ci/run runs {script}, which {why}");
    }
    assert_eq!(usual, github, ".ci/run and what it leaves out, and ci.yml");
    let is_check = |name: &String| name == "test" || name.starts_with("check-");
    let checks: BTreeSet<String> = scripts().into_iter().filter(is_check).collect();
    assert_eq!(usual, checks, "what is run, and the checks in ci/");
}

#[test]
fn every_action_is_pinned_by_a_whole_commit_with_its_version_beside_it() {
    for workflow in Workflow::all() {
        assert!(!workflow.actions().is_empty());
        let text = read(format!(".github/workflows/{}", workflow.name));
        for action in workflow.actions() {
            assert!(is_pinned(action), "{}: {action}", workflow.name);
            let line = text.lines().find(|line| line.contains(action)).unwrap();
            assert!(line.contains(" # v"), "{}: {line}", workflow.name);
        }
    }
    assert!(!is_pinned("actions/checkout@v7") && !is_pinned("actions/checkout"));
    assert!(!is_pinned("actions/checkout@3d3c42e"));
}

#[test]
fn one_action_has_one_version_in_all_workflows() {
    let workflows = Workflow::all();
    let pins: BTreeSet<&str> = workflows.iter().flat_map(Workflow::actions).collect();
    let names: BTreeSet<&str> = pins.iter().filter_map(|pin| pin.split('@').next()).collect();
    assert_eq!(pins.len(), names.len(), "{pins:?}");
}

#[test]
fn workflows_may_do_nothing_but_read_and_leave_no_credentials() {
    for workflow in Workflow::all() {
        let name = &workflow.name;
        assert_eq!(workflow.content["permissions"].to_string(), "{}", "{name}");
        for job in workflow.jobs() {
            assert_eq!(job["permissions"].to_string(), LEAST, "{name}: {job}");
        }
        let triggers = &workflow.content["on"];
        assert!(triggers.get("pull_request_target").is_none(), "{name}");
        assert!(!read(format!(".github/workflows/{name}")).contains("secrets."), "{name}");
        for step in workflow.steps() {
            if step["uses"].as_str().is_some_and(|action| action.starts_with("actions/checkout@")) {
                assert_eq!(step["with"]["persist-credentials"], false, "{name}: {step}");
            }
        }
    }
}

#[test]
fn every_job_ends_by_itself_and_gives_way_to_a_newer_one() {
    for workflow in Workflow::all() {
        assert_eq!(workflow.content["concurrency"]["cancel-in-progress"], true);
        for job in workflow.jobs() {
            let minutes = job["timeout-minutes"].as_u64();
            assert!(minutes.is_some_and(|minutes| minutes <= 360), "{}: {job}", workflow.name);
        }
    }
}

#[test]
fn a_comparison_that_there_is_not_is_refused_and_not_green() {
    let arguments = ["ci/gate-pull-request", "HEAD", "OUT", "softioc", "pyepic"];
    let refused = Command::new("bash").args(arguments).current_dir(root()).output().unwrap();
    assert_eq!(refused.status.code(), Some(64));
    let printed = String::from_utf8(refused.stderr).unwrap();
    assert!(printed.contains("no comparison `pyepic`; there are: wire libca"), "{printed}");
    assert!(!root().join("OUT").exists());
}
