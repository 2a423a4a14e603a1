//! `history`: each figure over the commits of several runs, and where its level changed.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use epics_gauge::judge::history::{
    History, RunFigures, history, history_line, is_history_file, parse_history,
};
use epics_gauge::record::RunRecords;
use epics_gauge::report::{Subject, comment, render, render_history_csv};
use epics_gauge::units::counted;

use super::Failure;
use super::arguments::HistoryArguments;
use super::exit::Exit;
use super::formats::Written;
use super::judge::record_file;
use super::stdout::print;

pub(super) fn run(arguments: &HistoryArguments) -> Result<Exit, Failure> {
    let mut runs = figures(&arguments.runs)?;
    if let Some(file) = &arguments.append {
        runs = appended(file, runs)?;
    }
    let runs = of_branch(runs, arguments.branch.as_deref())?;
    let history = history(&runs).map_err(Failure::usage)?;
    print(&match (&arguments.format, &arguments.link) {
        (Written::Csv, _) => render_history_csv(&history),
        (Written::Report(format), Some(link)) if format.is_comment() => {
            comment(&Subject::History(&history), Some(link))
        }
        (Written::Report(_), Some(_)) => {
            return Err(Failure::usage("--link belongs to --format comment"));
        }
        (Written::Report(format), None) => render(&Subject::History(&history), *format),
    })?;
    Ok(exit_of(&history, arguments.recent as usize))
}

/// The figures of runs, and of all runs of history files.
pub(super) fn figures(paths: &[PathBuf]) -> Result<Vec<RunFigures>, Failure> {
    let mut all = Vec::new();
    for path in paths {
        let (path, text) = record_file(path)?;
        match is_history_file(&text) {
            true => all.extend(parsed(&path, &text)?),
            false => all.push(of_run(&path, &text)?),
        }
    }
    Ok(all)
}

fn of_run(path: &Path, text: &str) -> Result<RunFigures, Failure> {
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::usage(format!(
            "{}: {error}; name the records.jsonl in the --out folder of a run, or a file that \
             `history --append` wrote",
            path.display()
        ))
    };
    let records = RunRecords::parse(text).map_err(|error| wrong(&error))?;
    RunFigures::of(&name(path), &records).map_err(Failure::usage)
}

/// A run is called by its folder: the name of its record file is always the same.
fn name(path: &Path) -> String {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let is_usual = path.file_name().is_some_and(|name| name == "records.jsonl");
    folder.filter(|_| is_usual).unwrap_or(path).display().to_string()
}

fn parsed(path: &Path, text: &str) -> Result<Vec<RunFigures>, Failure> {
    parse_history(text).map_err(|why| {
        Failure::usage(format!(
            "{}: {why}\nEvery line of a history file is one run, as `history --append` wrote it",
            path.display()
        ))
    })
}

/// Writes those of the runs that the file does not have behind the others; all of them.
fn appended(file: &Path, runs: Vec<RunFigures>) -> Result<Vec<RunFigures>, Failure> {
    let mut all = match file.exists() {
        true => {
            let text = fs::read_to_string(file).map_err(|error| cannot("read", file, &error))?;
            parsed(file, &text)?
        }
        false => Vec::new(),
    };
    let mut lines = String::new();
    for run in runs {
        if all.iter().any(|known| known.is_same_run(&run)) {
            eprintln!("epics-gauge: {} has the run {} already", file.display(), run.run.name);
            continue;
        }
        lines += &history_line(&run);
        all.push(run);
    }
    // One write, so that a run is there as a whole or not at all.
    let opened = OpenOptions::new().create(true).append(true).open(file);
    let written = opened.and_then(|mut opened| opened.write_all(lines.as_bytes()));
    written.map_err(|error| cannot("write", file, &error))?;
    Ok(all)
}

fn cannot(what: &str, file: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!("cannot {what} {}: {error}", file.display()))
}

fn of_branch(runs: Vec<RunFigures>, wanted: Option<&str>) -> Result<Vec<RunFigures>, Failure> {
    let Some(wanted) = wanted else { return Ok(runs) };
    let branch = |run: &RunFigures| run.run.revision.as_ref()?.branch.clone();
    let mut branches: Vec<String> = runs.iter().filter_map(branch).collect();
    branches.sort_unstable();
    branches.dedup();
    let count = runs.len();
    let kept: Vec<RunFigures> =
        runs.into_iter().filter(|run| branch(run).as_deref() == Some(wanted)).collect();
    if kept.is_empty() {
        return Err(Failure::usage(format!(
            "none of {} is of the branch `{wanted}`; their branches are: {}",
            counted(count, "run"),
            if branches.is_empty() { "not known".to_owned() } else { branches.join(", ") }
        )));
    }
    Ok(kept)
}

fn exit_of(history: &History, recent: usize) -> Exit {
    let is_worse = history.machines.iter().any(|machine| {
        machine.series.iter().any(|series| series.recent_worsening(machine, recent).is_some())
    });
    if is_worse { Exit::Regressed } else { Exit::Good }
}
