//! `run`: measure, judge, report.

use epics_gauge::approach::{Approach, Catalogue};
use epics_gauge::embedded;
use epics_gauge::ioc::Servers;
use epics_gauge::judge::{Limits, judge};
use epics_gauge::measure::{self, Candidate, Cell, Plan, Progress};
use epics_gauge::provider::Provider;
use epics_gauge::python_site::{Missing, PythonSite};
use epics_gauge::record::{End, Line, RECORD_FORMAT, Run, RunRecords};
use epics_gauge::report::{Format, render};
use epics_gauge::scenario;

use super::arguments::{FormatArgument, RunArguments};
use super::exit::Exit;
use super::limits::limits;
use super::output::OutputFolder;
use super::profile;
use super::progress::{Bar, python_site};
use super::stdout::print;
use super::{Failure, catalogue, interrupt, servers};

pub(super) fn run(arguments: &RunArguments) -> Result<Exit, Failure> {
    let catalogue = catalogue(arguments.approaches_file.as_deref())?;
    let approaches = chosen(&catalogue, &arguments.approaches)?;
    let known: Vec<&str> = scenario::ALL.iter().map(|(name, _)| *name).collect();
    check_names("scenario", &arguments.scenarios, &known).map_err(|failure| {
        // A subcommand with a typing error is taken for a scenario.
        Failure::usage(format!("{}; for subcommands see --help", failure.message))
    })?;
    let servers = servers(arguments.servers_file.as_deref())?;
    let known: Vec<&str> = servers.all().iter().map(|kind| kind.name.as_str()).collect();
    check_names("server", &arguments.servers, &known)?;
    let limits = limits(arguments.limits_file.as_deref(), &catalogue, &servers)?;
    let mut plan = profile::plan(arguments, &servers)?;
    let approaches = keep_matching(&mut plan, &servers, approaches)?;
    let started = now();
    let mut output = OutputFolder::make(arguments.out.as_deref(), &started)?;
    interrupt::listen().map_err(Failure::unmeasured)?;
    let needs_site = approaches.iter().any(Approach::needs_python_site)
        || plan
            .cells
            .iter()
            .any(|cell| servers.get(&cell.server).is_some_and(|kind| kind.needs_python_site));
    let site = match needs_site {
        true => python_site(),
        false => Err(Missing("nobody asked for the Python packages".to_owned())),
    };
    let candidates = candidates(&approaches, &site)?;
    let servers = servers.with_site(site);
    output.add(&Line::Run(Box::new(header(&plan, &approaches, started))))?;
    let completed = measure(&plan, &servers, &candidates, &mut output)?;
    output.add(&Line::End(End {
        ended_utc: now(),
        interrupted: !completed,
        processes_left: None,
    }))?;
    let exit = conclude(arguments, &limits, &output)?;
    Ok(if completed { exit } else { Exit::Interrupted })
}

/// The floor of each protocol that is measured is measured too: without it nothing
/// can be judged over it.
fn chosen(catalogue: &Catalogue, names: &[String]) -> Result<Vec<Approach>, Failure> {
    let known: Vec<&str> = catalogue.all().iter().map(|approach| approach.name.as_str()).collect();
    check_names("approach", names, &known)?;
    let is_named = |approach: &&Approach| names.is_empty() || names.contains(&approach.name);
    let providers: Vec<Provider> =
        catalogue.all().iter().filter(is_named).map(|approach| approach.provider).collect();
    let is_chosen = |approach: &&Approach| {
        is_named(approach) || (approach.floor && providers.contains(&approach.provider))
    };
    Ok(catalogue.all().iter().filter(is_chosen).cloned().collect())
}

/// Leaves out cells that no approach is measured in, and approaches that are
/// measured in no cell.
fn keep_matching(
    plan: &mut Plan,
    servers: &Servers,
    approaches: Vec<Approach>,
) -> Result<Vec<Approach>, Failure> {
    let takes = |cell: &Cell, approach: &Approach| cell.takes(approach, servers.get(&cell.server));
    plan.cells.retain(|cell| approaches.iter().any(|approach| takes(cell, approach)));
    if plan.cells.is_empty() {
        return Err(Failure::usage(
            "none of these approaches speaks a protocol of these servers; see `epics-gauge list \
             servers` and `epics-gauge list approaches`",
        ));
    }
    let is_measured = |approach: &Approach| plan.cells.iter().any(|cell| takes(cell, approach));
    Ok(approaches.into_iter().filter(is_measured).collect())
}

fn check_names(what: &str, names: &[String], known: &[&str]) -> Result<(), Failure> {
    match names.iter().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => {
            Err(Failure::usage(format!("unknown {what} `{name}`; there are: {}", known.join(", "))))
        }
    }
}

fn candidates(
    approaches: &[Approach],
    site: &Result<PythonSite, Missing>,
) -> Result<Vec<Candidate>, Failure> {
    // A cache that cannot be written is told once, not by every worker.
    embedded::tool("leash").map_err(Failure::unmeasured)?;
    let gauge = std::env::current_exe().map_err(Failure::unmeasured)?;
    Ok(approaches
        .iter()
        .map(|approach| Candidate {
            approach: approach.clone(),
            command: approach.command(&gauge, site),
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
    servers: &Servers,
    candidates: &[Candidate],
    output: &mut OutputFolder,
) -> Result<bool, Failure> {
    let workers = |cell: &Cell| {
        let kind = servers.get(&cell.server);
        let taken = candidates.iter().filter(|candidate| cell.takes(&candidate.approach, kind));
        cell.blocks * taken.count()
    };
    let bar = Bar::of(plan.cells.iter().map(workers).sum());
    measure::run(plan, servers, candidates, |progress| {
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

fn conclude(
    arguments: &RunArguments,
    limits: &Limits,
    output: &OutputFolder,
) -> Result<Exit, Failure> {
    let run = RunRecords::parse(&output.read_records()?).map_err(Failure::unmeasured)?;
    let judgement = judge(&run, limits);
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
