//! The gate must be able to fail: it is run against a slowed approach, a lossy one, a
//! leaking one and a lying one, and the right tests go red, and no other.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use libtest_mimic::{Failed, Trial};

/// Set for the gate that is tested, so that it does not test itself again.
const TESTED: &str = "GAUGE_GATE_IS_TESTED";

/// Ways to be bad (methods of `tampering_worker.py`), and what each turns red.
const BAD: [(&str, &str, &str); 4] = [
    ("slowed", "slow-at-connect", "connect::slowed::n100::over_floor"),
    ("lossy", "loses-updates", "waveform::lossy::64x48_120hz::updates_lost"),
    ("leaking", "leaks", "waveform::leaking::64x48_120hz::client_memory"),
    ("lying", "swapped-values", "connect::lying::n100::values_wrong"),
];

/// Whether this is the gate that is tested.
pub(crate) fn is_tested() -> bool {
    env::var_os(TESTED).is_some()
}

/// The tests of the gate.
pub(crate) fn trials() -> Vec<Trial> {
    vec![
        slow_trial("itself::each_bad_approach_turns_its_own_test_red_and_no_other", each_bad),
        slow_trial("itself::undecided_is_red_where_that_is_asked", strict),
        Trial::test("itself::a_gate_that_measures_nothing_is_red", nothing),
        Trial::test("itself::a_typing_error_in_the_limits_is_refused", typing_error),
    ]
}

/// A test that is ignored unless `ci/test-slow` asks for it.
fn slow_trial(name: &str, test: fn() -> Result<(), Failed>) -> Trial {
    Trial::test(name, test).with_ignored_flag(true)
}

fn each_bad() -> Result<(), Failed> {
    let tested = Tested::with_limits(&own_limits(), "bad", &[]);
    let wanted: Vec<&str> = BAD.iter().map(|(_, _, name)| *name).collect();
    tested.expect(tested.red() == sorted(&wanted), "other tests are red than should be")?;
    // A worker whose values are wrong says nothing of the time that its gets took.
    tested.expect(
        tested.is_ignored("connect::lying::n100::get_bulk_over_floor"),
        "a lying worker's gets are judged",
    )?;
    tested.expect(
        tested.is_good("connect::honest::n100::over_floor")
            && tested.is_good("waveform::honest::64x48_120hz::updates_lost"),
        "the honest worker is not good",
    )
}

fn strict() -> Result<(), Failed> {
    // On the records of the test before: only their verdicts change.
    let tested = Tested::with_limits(&own_limits(), "bad", &[("EPICS_GAUGE_STRICT", "1")]);
    tested.expect(
        tested.red().contains(&"connect::lying::n100::get_bulk_over_floor".to_owned()),
        "an undecided limit is not red",
    )
}

fn nothing() -> Result<(), Failed> {
    let text = own_limits().replace("[[limit]]\n", "[[limit]]\nserver = \"caproto-ioc\"\n");
    let tested = Tested::with_limits(&text, "nothing", &[]);
    tested.expect(tested.red() == ["gate::measures_something"], "it is not red")
}

fn typing_error() -> Result<(), Failed> {
    let text = own_limits().replacen("relative", "relativ", 1);
    let tested = Tested::with_limits(&text, "typing-error", &[]);
    tested.expect(
        tested.output.status.code() == Some(64)
            && tested.printed().contains("relativ")
            && tested.printed().contains("relative"),
        "it is not refused with what was meant",
    )
}

/// A gate that was run.
struct Tested {
    output: Output,
}

impl Tested {
    /// Runs the gate with these limits, the bad approaches and an honest one. `run`
    /// names the records: what was measured under it is used again.
    fn with_limits(limits: &str, run: &str, environment: &[(&str, &str)]) -> Tested {
        let outer = env::var("NEXTEST_RUN_ID").unwrap_or_else(|_| std::process::id().to_string());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("gate-itself-{outer}"));
        fs::create_dir_all(&folder).expect("a folder for the files");
        let file = |name: &str, text: &str| -> PathBuf {
            let path = folder.join(format!("{run}-{name}"));
            fs::write(&path, text).expect("a file in it");
            path
        };
        let output = Command::new(env::current_exe().expect("this program"))
            .env(TESTED, "1")
            .env("NEXTEST_RUN_ID", format!("itself-{outer}-{run}"))
            .env("EPICS_GAUGE_LIMITS", file("limits.toml", limits))
            .env("EPICS_GAUGE_APPROACHES", file("approaches.toml", &approaches()))
            .env_remove("EPICS_GAUGE_STRICT")
            .envs(environment.iter().copied())
            .output()
            .expect("the gate runs");
        Tested { output }
    }

    fn printed(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
            + &String::from_utf8_lossy(&self.output.stderr)
    }

    /// The tests with this word at the end of their line, sorted.
    fn with_word(&self, word: &str) -> Vec<String> {
        let lines = String::from_utf8_lossy(&self.output.stdout).into_owned();
        let name = |line: &str| {
            let (name, printed) = line.strip_prefix("test ")?.split_once("... ")?;
            printed.starts_with(word).then(|| name.trim().to_owned())
        };
        let mut names: Vec<String> = lines.lines().filter_map(name).collect();
        names.sort();
        names
    }

    fn red(&self) -> Vec<String> {
        self.with_word("FAILED")
    }

    fn is_good(&self, name: &str) -> bool {
        self.with_word("ok").iter().any(|good| good == name)
    }

    fn is_ignored(&self, name: &str) -> bool {
        self.with_word("ignored").iter().any(|ignored| ignored == name)
    }

    fn expect(&self, holds: bool, complaint: &str) -> Result<(), Failed> {
        match holds {
            true => Ok(()),
            false => Err(Failed::from(format!("{complaint}:\n{}", self.printed()))),
        }
    }
}

fn sorted(names: &[&str]) -> Vec<String> {
    let mut sorted: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    sorted.sort();
    sorted
}

fn own_limits() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gate/itself.toml");
    fs::read_to_string(path).expect("the limits of this test")
}

/// The real `wire` worker behind a proxy that is honest, or bad in one way.
fn approaches() -> String {
    let proxy = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/workers/tampering_worker.py");
    let honest = ("honest", "honest", "");
    let entry = |(name, how, _): &(&str, &str, &str)| {
        format!(
            "[approach.{name}]\ncommand = ['{{python}}', '{}', '{how}', '{name}', '{}']\n",
            proxy.display(),
            env!("CARGO_BIN_EXE_epics-gauge")
        )
    };
    BAD.iter().chain([&honest]).map(entry).collect()
}
