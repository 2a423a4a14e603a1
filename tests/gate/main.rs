//! The gate: every limit of `limits.toml` is a test by name.
//!
//! Red means decided and worse than expected, or not measured at all. What cannot be
//! decided at the moment is ignored, loudly, with the reason; with
//! `EPICS_GAUGE_STRICT=1` it is red too. `EPICS_GAUGE_LIMITS` and
//! `EPICS_GAUGE_APPROACHES` name files of your own.

mod itself;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use epics_gauge::campaign::{Gate, GateResult, gate_of};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// Undecided limits are red when this is 1.
const STRICT: &str = "EPICS_GAUGE_STRICT";

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Whatever runs beside a measurement spoils it.
    arguments.test_threads = Some(1);
    let gate = match gate_of(&program(), &folder()) {
        Ok(gate) => gate,
        Err(why) => {
            eprintln!("gate: {why}");
            return ExitCode::from(64);
        }
    };
    let mut trials = limits(gate);
    if !itself::is_tested() {
        trials.extend(itself::trials());
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A test for each limit, and one that there are any.
fn limits(gate: Gate) -> Vec<Trial> {
    let names = gate.names();
    let is_empty = names.is_empty();
    let gate = Arc::new(Mutex::new(gate));
    let limit = |name: String| {
        let gate = Arc::clone(&gate);
        Trial::ignorable_test(name.clone(), move || {
            completion(gate.lock().unwrap_or_else(PoisonError::into_inner).decide(&name))
        })
    };
    let mut trials: Vec<Trial> = names.into_iter().map(limit).collect();
    trials.push(Trial::test("gate::measures_something", move || match is_empty {
        true => Err(Failed::from("no limit fits anything that is measured")),
        false => Ok(()),
    }));
    trials
}

fn completion(result: GateResult) -> Result<Completion, Failed> {
    match result {
        GateResult::Good => Ok(Completion::Completed),
        GateResult::Remark(remark) => {
            eprintln!("gate: {remark}");
            Ok(Completion::Completed)
        }
        GateResult::Undecided(why) if env::var(STRICT).is_ok_and(|value| value == "1") => {
            Err(Failed::from(format!("undecided, and {STRICT}=1: {why}")))
        }
        GateResult::Undecided(why) => {
            eprintln!("gate: UNDECIDED: {why}");
            Ok(Completion::ignored_with(format!("undecided: {why}")))
        }
        GateResult::Red(why) => Err(Failed::from(why)),
    }
}

fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_epics-gauge"))
}

/// Where the records of this test run are kept: of one run of cargo-nextest, whose
/// tests are processes of their own, or of this process.
fn folder() -> PathBuf {
    let run = env::var("NEXTEST_RUN_ID").unwrap_or_else(|_| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        format!("{}-{}", since.as_secs(), std::process::id())
    });
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("gate").join(run)
}
