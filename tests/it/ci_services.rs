//! `action.yml` and the components of `templates/`: their steps run from here as GitHub and
//! GitLab run them, but for the compilation.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::processes::proc_files::{descendants, process, signal, wait_until_gone};
use crate::support::program;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The variables that an expression may ask for, by its text.
type Known = BTreeMap<String, String>;

/// `text` with what stands between `open` and `close` replaced by what is known of it.
fn filled(text: &str, (open, close): (&str, &str), known: &Known) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(open) {
        let (name, after) = after.split_once(close).unwrap_or_else(|| panic!("open end: {text}"));
        let value = known.get(name.trim()).unwrap_or_else(|| panic!("unknown: {name}"));
        filled += before;
        filled += value;
        rest = after;
    }
    filled + rest
}

/// A machine of a service: its folders, a `cargo` that installs this program as it is, and the
/// user's repository as working folder.
struct Runner {
    folder: TempDir,
}

impl Runner {
    fn new() -> Runner {
        let runner = Runner { folder: tempfile::tempdir().unwrap() };
        for folder in ["bin", "temp", "repository"] {
            fs::create_dir(runner.path(folder)).unwrap();
        }
        // `cargo install … --root FOLDER …`
        runner.write_program(
            "bin/cargo",
            &format!(
                "#!/bin/bash\nset -eu\n[[ \"$1 $2\" == 'install --locked' ]]\n\
                 while [ \"$1\" != --root ]; do shift; done\nmkdir -p \"$2/bin\"\n\
                 ln -s '{}' \"$2/bin/epics-gauge\"\n",
                program().display()
            ),
        );
        runner.write("repository/a.db", "record(ao, \"$(P)a\") { field(VAL, \"$(V=1)\") }\n");
        runner
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn write_program(&self, name: &str, text: &str) {
        self.write(name, text);
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn shell(&self, line: &str, paths: &str, environment: &Known) -> Output {
        let path =
            format!("{paths}{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap());
        Command::new("bash")
            .args(["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", line])
            .envs(environment)
            .env("PATH", path)
            // Like other tests it does not wait for the machine's lock.
            .env("EPICS_GAUGE_LOCK", "off")
            .current_dir(self.path("repository"))
            .output()
            .unwrap()
    }
}

/// What the steps of the action did.
struct Ended {
    runner: Runner,
    code: Option<i32>,
    printed: String,
    outputs: Known,
    /// What the steps that follow have in their environment.
    environment: Known,
}

/// The lines `NAME=VALUE` of a file that steps write into.
fn pairs(text: &str) -> Known {
    let pair = |line: &str| {
        let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("no pair: {line}"));
        (name.to_owned(), value.to_owned())
    };
    text.lines().map(pair).collect()
}

/// Whether a step runs: `inputs.x != ''` and `steps.x.outputs.y != 'true'` is all that is used.
fn is_wanted(condition: Option<&str>, known: &Known) -> bool {
    let Some(condition) = condition else { return true };
    let (name, value) = condition.split_once(" != ").unwrap();
    known.get(name).map_or("", String::as_str) != value.trim_matches('\'')
}

/// Runs the action with these inputs, as GitHub does, with an empty cache.
fn action(inputs: &[(&str, &str)]) -> Ended {
    let text = fs::read_to_string(root().join("action.yml")).unwrap();
    let action: Value = serde_saphyr::from_str(&text).unwrap();
    let runner = Runner::new();
    let mut known = Known::new();
    for (name, input) in action["inputs"].as_object().unwrap() {
        let default = input["default"].as_str().unwrap_or_default();
        known.insert(format!("inputs.{name}"), default.to_owned());
    }
    for (name, value) in inputs {
        let before = known.insert(format!("inputs.{name}"), (*value).to_owned());
        assert!(before.is_some(), "the action has no input {name}");
    }
    let mut ended = Ended {
        runner,
        code: Some(0),
        printed: String::new(),
        outputs: Known::new(),
        environment: Known::new(),
    };
    for step in action["runs"]["steps"].as_array().unwrap() {
        if ended.code == Some(0) && is_wanted(step["if"].as_str(), &known) {
            ended.step(step, &mut known);
        }
    }
    for (name, output) in action["outputs"].as_object().unwrap() {
        let value = output["value"].as_str().unwrap();
        let inner = value.trim_start_matches("${{ ").trim_end_matches(" }}");
        if let Some(value) = known.get(inner) {
            ended.outputs.insert(name.clone(), value.clone());
        }
    }
    ended
}

impl Ended {
    fn step(&mut self, step: &Value, known: &mut Known) {
        let Some(line) = step["run"].as_str() else {
            let inputs = step["with"].as_object().unwrap().values();
            inputs.for_each(|input| drop(filled(input.as_str().unwrap(), ("${{", "}}"), known)));
            return;
        };
        assert!(!line.contains("${{"), "an input could be run as code: {line}");
        let file = |name: &str| self.runner.path(name).display().to_string();
        let mut environment: Known = [
            ("GITHUB_ACTION_PATH", root().display().to_string()),
            ("GITHUB_OUTPUT", file("output")),
            ("GITHUB_PATH", file("paths")),
            ("GITHUB_ENV", file("environment")),
            ("GITHUB_STEP_SUMMARY", file("summary")),
            ("RUNNER_TEMP", file("temp")),
            ("RUNNER_OS", "Linux".to_owned()),
            ("RUNNER_ARCH", "X64".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        for (name, value) in step["env"].as_object().into_iter().flatten() {
            environment.insert(name.clone(), filled(value.as_str().unwrap(), ("${{", "}}"), known));
        }
        let paths: String =
            self.runner.read("paths").lines().map(|path| format!("{path}:")).collect();
        self.runner.write("output", "");
        let output = self.runner.shell(line, &paths, &environment);
        self.code = output.status.code();
        self.printed += &String::from_utf8_lossy(&output.stdout);
        self.printed += &String::from_utf8_lossy(&output.stderr);
        let id = step["id"].as_str().unwrap_or("none");
        for (name, value) in pairs(&self.runner.read("output")) {
            known.insert(format!("steps.{id}.outputs.{name}"), value);
        }
        self.environment = pairs(&self.runner.read("environment"));
    }

    #[track_caller]
    fn ends_with(&self, code: i32, words: &[&str]) -> &Ended {
        assert_eq!(self.code, Some(code), "{}", self.printed);
        words
            .iter()
            .for_each(|word| assert!(self.printed.contains(word), "no {word}: {}", self.printed));
        self
    }
}

#[test]
fn the_action_starts_an_ioc_that_the_steps_that_follow_find() {
    let ended = action(&[("ioc", "--db a.db -m P=t:,V=3 --after-init 'dbgf \"t:a\"'")]);
    ended.ends_with(0, &["EPICS_CA_ADDR_LIST=127.0.0.1"]);
    let environment = &ended.environment;
    assert_eq!(environment["EPICS_CA_AUTO_ADDR_LIST"], "NO");
    // It outlived its step, on the port in the environment of the steps that follow.
    let pid: u32 = environment["EPICS_GAUGE_IOC_PID"].parse().unwrap();
    let port = &environment["EPICS_CA_SERVER_PORT"];
    assert!(port.parse::<u16>().is_ok_and(|port| port > 1024), "{port}");
    let get = "import os, socket; s = socket.create_connection(('127.0.0.1', \
               int(os.environ['EPICS_CA_SERVER_PORT'])), 5); print('connected')";
    let follows = ended.runner.shell(&format!("python3 -c \"{get}\""), "", environment);
    assert!(follows.status.success(), "{follows:?}");
    let mut family = descendants(pid);
    family.extend(process(pid));
    assert!(family.iter().any(|process| process.name == "softIoc"), "{family:?}");
    signal(pid, libc::SIGTERM);
    wait_until_gone(&family);
}

#[test]
fn the_action_fails_with_what_the_ioc_reported() {
    let ended = action(&[("ioc", "--db none.db")]);
    ended.ends_with(64, &["none.db", "::error", "the IOC did not start"]);
    action(&[("ioc", "--db 'a.db")]).ends_with(64, &["a quote without its end"]);
}

#[test]
fn the_action_compares_and_makes_the_report_the_summary_of_the_job() {
    let compare = "compare libca libca --most-pairs 8 --metric \"connect bulk\" --pvs 10 --seed 1";
    let ended = action(&[("run", compare), ("undecided", "pass"), ("out", "my/folder")]);
    assert_eq!(ended.code, Some(0), "{}", ended.printed);
    let code = ended.outputs["exit-code"].as_str();
    assert!(["0", "3"].contains(&code), "{code}");
    assert_eq!(ended.printed.contains("::notice"), code == "3", "{}", ended.printed);
    assert_eq!(ended.outputs["out"], "my/folder");
    let report = fs::read_to_string(ended.runner.path("repository/my/folder/report.md")).unwrap();
    assert_eq!(ended.runner.read("summary"), report);
}

#[test]
fn the_action_passes_the_exit_code_of_a_run_on() {
    // One block decides nothing.
    let run = "run connect --approach libca --pvs 1 --mode serial --blocks 1";
    let ended = action(&[("run", run)]);
    ended.ends_with(3, &[]);
    assert_eq!(ended.outputs["exit-code"], "3");
    assert!(!ended.runner.read("summary").is_empty());
    let wrong = action(&[("run", "compare a"), ("undecided", "perhaps")]);
    wrong.ends_with(64, &["`undecided` is fail or pass"]);
    let unknown = action(&[("run", "compare none libca")]);
    unknown.ends_with(64, &["none"]);
    assert_eq!(unknown.outputs["exit-code"], "64");
}

/// The script of a component's job with these inputs, as GitLab runs it.
fn component(name: &str, inputs: &[(&str, &str)]) -> (Runner, Output) {
    let text = fs::read_to_string(root().join("templates").join(name)).unwrap();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    let [head, body] = &documents[..] else { panic!("{name} has not two documents") };
    let runner = Runner::new();
    let mut known = Known::new();
    for (name, input) in head["spec"]["inputs"].as_object().unwrap() {
        let given = inputs.iter().find(|(given, _)| given == name).map(|(_, value)| *value);
        let value = given.or(input["default"].as_str());
        let value = value.unwrap_or_else(|| panic!("the input {name} is required"));
        known.insert(format!("inputs.{name}"), value.to_owned());
    }
    let jobs: Vec<&Value> = body.as_object().unwrap().values().collect();
    let [job] = jobs[..] else { panic!("{name} has not one job") };
    let interpolate = |text: &Value| filled(text.as_str().unwrap(), ("$[[", "]]"), &known);
    let variables = job["variables"].as_object().unwrap();
    let environment: Known =
        variables.iter().map(|(name, value)| (name.clone(), interpolate(value))).collect();
    let lines: Vec<String> = job["script"].as_array().unwrap().iter().map(interpolate).collect();
    let output = runner.shell(&lines.join("\n"), "", &environment);
    (runner, output)
}

/// A repository with one commit, to be asked for its HEAD.
fn own_repository(folder: &Path) -> String {
    let git = |arguments: &str| {
        let status =
            Command::new("git").args(arguments.split(' ')).current_dir(folder).status().unwrap();
        assert!(status.success(), "git {arguments}");
    };
    git("init --quiet");
    git("-c user.name=nobody -c user.email=nobody@localhost commit --quiet --allow-empty -m one");
    folder.display().to_string()
}

#[test]
fn the_components_of_gitlab_run_tests_with_an_ioc_and_a_gate() {
    let folder = tempfile::tempdir().unwrap();
    let repository = own_repository(folder.path());
    let common = ("repository", repository.as_str());
    let tests = "sh -c 'test $EPICS_CA_ADDR_LIST = 127.0.0.1 && exit 7'";
    let options = ("options", "--db a.db -m P=t:");
    let (runner, output) = component("ioc.yml", &[common, options, ("command", tests)]);
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    assert!(runner.path("repository/epics-gauge-ioc.log").exists());

    let run = ("run", "run connect --approach libca --pvs 1 --mode serial --blocks 1");
    let before = ("before", "touch prepared");
    let (runner, output) = component("gate.yml", &[common, run, before]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(runner.path("repository/gauge/report.md").exists());
    assert!(runner.path("repository/prepared").exists());
    let (_, output) = component("gate.yml", &[common, run, ("undecided", "pass")]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}
