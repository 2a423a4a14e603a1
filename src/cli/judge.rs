//! `judge`: from a record file, without measuring.

use std::fs;
use std::path::{Path, PathBuf};

use epics_gauge::campaign;
use epics_gauge::judge::compared::judge_comparison;
use epics_gauge::judge::history::is_history_file;
use epics_gauge::judge::{BUDGET_S, Limits, judge as judgement_of};
use epics_gauge::record::RunRecords;
use epics_gauge::report::{Format, Subject, render};

use super::arguments::JudgeArguments;
use super::exit::{Asked, Exit};
use super::limits::limits_for;
use super::stdout::print;
use super::{Failure, catalogue, servers};

pub(super) fn judge(arguments: &JudgeArguments) -> Result<Exit, Failure> {
    let run = read(&arguments.records)?;
    let known = campaign::kept_calibrations(&run.run.machine);
    if let Some(judgement) = judge_comparison(&run).map_err(Failure::usage)? {
        print(&render(
            &Subject::Comparison { run: &run, judgement: &judgement, known: &known },
            Format::Json,
        ))?;
        return Ok(Exit::of_comparison(&judgement));
    }
    let judgement = judgement_of(&run, &limits(arguments.limits_file.as_deref(), &run)?);
    let subject =
        Subject::Run { run: &run, judgement: &judgement, known: &known, budget_s: BUDGET_S };
    print(&render(&subject, Format::Json))?;
    let own_limits = arguments.limits_file.is_some();
    Ok(Exit::of(&judgement, Asked { allow_missing: arguments.allow_missing, own_limits }))
}

/// The limits of `file`, or those of this build.
pub(super) fn limits(file: Option<&Path>, run: &RunRecords) -> Result<Limits, Failure> {
    limits_for(file, &catalogue(None)?, &servers(None)?, run)
}

/// Reads a run: its record file, or the folder that holds it.
pub(super) fn read(path: &Path) -> Result<RunRecords, Failure> {
    let (path, text) = record_file(path)?;
    if is_history_file(&text) {
        return Err(Failure::usage(format!(
            "{path} is a history file; `epics-gauge history {path}` reads it",
            path = path.display()
        )));
    }
    RunRecords::parse(&text).map_err(|error| wrong(&path, &error.to_string()))
}

/// The text of a record file, or of that in a folder, with its path.
pub(super) fn record_file(path: &Path) -> Result<(PathBuf, String), Failure> {
    let path = if path.is_dir() { path.join("records.jsonl") } else { path.to_owned() };
    let text = fs::read_to_string(&path).map_err(|error| wrong(&path, &error.to_string()))?;
    Ok((path, text))
}

fn wrong(path: &Path, reason: &str) -> Failure {
    Failure::usage(format!(
        "{}: {reason}; name the records.jsonl in the --out folder of a run",
        path.display()
    ))
}
