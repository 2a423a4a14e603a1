//! `run`: measure, judge, report.

use epics_gauge::approach::{Approach, Catalogue, Missing};
use epics_gauge::embedded;
use epics_gauge::judge::judge;
use epics_gauge::measure::{self, Candidate, Plan, Progress};
use epics_gauge::record::{End, Line, RECORD_FORMAT, Run, RunRecords};
use epics_gauge::report::{Format, render};
use epics_gauge::scenario;

use super::arguments::{FormatArgument, RunArguments};
use super::exit::Exit;
use super::output::OutputFolder;
use super::profile;
use super::progress::{Bar, python_site};
use super::stdout::print;
use super::{Failure, catalogue, interrupt};

pub(super) fn run(arguments: &RunArguments) -> Result<Exit, Failure> {
    let catalogue = catalogue(arguments.approaches_file.as_deref())?;
    let approaches = chosen(&catalogue, &arguments.approaches)?;
    let known: Vec<&str> = scenario::ALL.iter().map(|(name, _)| *name).collect();
    check_names("scenario", &arguments.scenarios, &known).map_err(|failure| {
        // A subcommand with a typing error is taken for a scenario.
        Failure::usage(format!("{}; for subcommands see --help", failure.message))
    })?;
    check_names("server", &arguments.servers, &["softioc"])?;
    let plan = profile::plan(arguments)?;
    let started = now();
    let mut output = OutputFolder::make(arguments.out.as_deref(), &started)?;
    interrupt::listen().map_err(Failure::unmeasured)?;
    let candidates = candidates(&approaches)?;
    output.add(&Line::Run(Box::new(header(&plan, &approaches, started))))?;
    let completed = measure(&plan, &candidates, &mut output)?;
    output.add(&Line::End(End { ended_utc: now(), interrupted: !completed }))?;
    let exit = conclude(arguments, &output)?;
    Ok(if completed { exit } else { Exit::Interrupted })
}

/// The floor is always measured: without it nothing can be judged over it.
fn chosen(catalogue: &Catalogue, names: &[String]) -> Result<Vec<Approach>, Failure> {
    let known: Vec<&str> = catalogue.all().iter().map(|approach| approach.name.as_str()).collect();
    check_names("approach", names, &known)?;
    let is_chosen =
        |approach: &&Approach| names.is_empty() || approach.floor || names.contains(&approach.name);
    Ok(catalogue.all().iter().filter(is_chosen).cloned().collect())
}

fn check_names(what: &str, names: &[String], known: &[&str]) -> Result<(), Failure> {
    match names.iter().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => {
            Err(Failure::usage(format!("unknown {what} `{name}`; there are: {}", known.join(", "))))
        }
    }
}

fn candidates(approaches: &[Approach]) -> Result<Vec<Candidate>, Failure> {
    // A cache that cannot be written is told once, not by every worker.
    embedded::tool("leash").map_err(Failure::unmeasured)?;
    let gauge = std::env::current_exe().map_err(Failure::unmeasured)?;
    let site = if approaches.iter().any(Approach::needs_python_site) {
        python_site()
    } else {
        Err(Missing("no approach asked for the Python packages".to_owned()))
    };
    Ok(approaches
        .iter()
        .map(|approach| Candidate {
            approach: approach.clone(),
            command: approach.command(&gauge, &site),
        })
        .collect())
}

fn header(plan: &Plan, approaches: &[Approach], started_utc: String) -> Run {
    Run {
        format: RECORD_FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        base: epics_gauge::BASE.to_owned(),
        compiler: epics_gauge::COMPILER.to_owned(),
        started_utc,
        arguments: std::env::args().skip(1).collect(),
        seed: plan.seed,
        blocks: plan.blocks(),
        machine: measure::this_machine(),
        approaches: approaches.iter().map(Approach::facts).collect(),
    }
}

fn measure(
    plan: &Plan,
    candidates: &[Candidate],
    output: &mut OutputFolder,
) -> Result<bool, Failure> {
    let cells: usize = plan.cells.iter().map(|cell| cell.blocks).sum();
    let bar = Bar::of(cells * candidates.len());
    measure::run(plan, candidates, |progress| {
        match progress {
            Progress::Started { cell, approach } => bar.started(cell, approach),
            Progress::Finished { record, log } => {
                let line = Line::Record(record.clone());
                output.add(&line)?;
                output.add_log(&record, &log)?;
            }
            Progress::Done | Progress::LeftOut => bar.finished(),
        }
        Ok(())
    })
}

fn conclude(arguments: &RunArguments, output: &OutputFolder) -> Result<Exit, Failure> {
    let run = RunRecords::parse(&output.read_records()?).map_err(Failure::unmeasured)?;
    let judgement = judge(&run);
    output.write("verdicts.json", &render(&run, &judgement, Format::Json))?;
    output.write("report.md", &render(&run, &judgement, Format::Markdown))?;
    let format = match arguments.format {
        FormatArgument::Table => Format::Summary,
        FormatArgument::Markdown => Format::Markdown,
        FormatArgument::Json => Format::Json,
    };
    print(&render(&run, &judgement, format))?;
    eprintln!("all figures: {}", output.path().join("report.md").display());
    Ok(Exit::of(&judgement, arguments.allow_missing))
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
