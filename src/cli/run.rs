//! `run`: measure, judge, report.

use std::path::PathBuf;
use std::time::Duration;

use epics_gauge::approach::{Approach, Catalogue, is_modified};
use epics_gauge::campaign::{self, AskedRevision, Screening, ScreeningEvent};
use epics_gauge::embedded;
use epics_gauge::hosts::Hosts;
use epics_gauge::ioc::Servers;
use epics_gauge::judge::{Limits, judge};
use epics_gauge::measure::{Candidate, DoneWorker, Plan, PlannedConfiguration, Progress};
use epics_gauge::process::processes_left;
use epics_gauge::protocol::Protocol;
use epics_gauge::python_site::{Chosen, Missing};
use epics_gauge::record::Scenario;
use epics_gauge::record::{End, Line, Run, RunRecords};
use epics_gauge::report::{Format, Subject, render, render_csv};

use super::arguments::RunArguments;
use super::exit::{Asked, Exit};
use super::limits::limits;
use super::link;
use super::output::OutputFolder;
use super::profile;
use super::progress::{Bar, chosen_only, environments, python_site};
use super::resume::BegunRun;
use super::stdout::print;
use super::{Failure, catalogue, hosts, measuring_lock, servers};

/// What was started may take so long to be gone; what is there after it is left.
pub(super) const TIME_TO_LEAVE: Duration = Duration::from_secs(3);

pub(super) fn run(arguments: &RunArguments) -> Result<Exit, Failure> {
    match &arguments.resume {
        None => measure_all(arguments, None),
        Some(folder) => {
            let begun = BegunRun::read(folder)?;
            measure_all(&begun.arguments()?, Some(begun))
        }
    }
}

/// Measures what is asked for, but for what `begun` has.
fn measure_all(arguments: &RunArguments, begun: Option<BegunRun>) -> Result<Exit, Failure> {
    let catalogue = catalogue(arguments.approaches_file.as_deref())?;
    let approaches = chosen(&catalogue, &arguments.approaches)?;
    for name in &arguments.scenarios {
        // A subcommand with a typo is taken for a scenario.
        let unknown = |error| Failure::usage(format!("{error}; for subcommands see --help"));
        name.parse::<Scenario>().map_err(unknown)?;
    }
    let mut servers = servers(arguments.servers_file.as_deref())?;
    for name in arguments.servers.iter().filter(|name| name.contains('@')) {
        servers.resolve(name, &[]).map_err(Failure::usage)?;
    }
    let known: Vec<&str> = servers.all().iter().map(|kind| kind.name.as_str()).collect();
    check_names("server", &arguments.servers, &known)?;
    let limits = limits(arguments.limits_file.as_deref(), &catalogue, &servers)?;
    let mut plan = profile::plan(arguments, &servers)?;
    let approaches = keep_matching(&mut plan, &servers, approaches)?;
    profile::many_iocs::check_memory(&plan.configurations, &servers)?;
    for planned in &mut plan.configurations {
        *planned = planned.clone().over(arguments.link, plan.seed);
    }
    link::refuse_many_iocs(&plan.configurations)?;
    let hosts = hosts::read(arguments.hosts_file.as_deref(), &plan.configurations)?;
    enter_namespaces_if_needed(&plan, &servers, &approaches, hosts.as_ref())?;
    let blocks = plan.blocks();
    let _lock = measuring_lock(arguments.no_wait)?;
    let command_line = std::env::args().skip(1).collect();
    let mut header = campaign::header(&approaches, plan.seed, blocks, command_line);
    if arguments.commit.is_some() || arguments.branch.is_some() {
        let (commit, branch) = (arguments.commit.clone(), arguments.branch.clone());
        header.revision = campaign::revision(&AskedRevision { commit, branch });
    }
    let server_host = hosts::server_host(hosts.as_ref(), arguments.servers_file.as_deref())?;
    header.server_host = hosts::facts(server_host.as_ref())?;
    let mut output = match &begun {
        None => OutputFolder::make(arguments.out.as_deref(), &header.started_utc)?,
        Some(begun) => begun.reopened()?,
    };
    let begun = begun.map(BegunRun::into_parts);
    if let Some((first, _)) = &begun {
        header.clone_from(first);
    }
    let site = match needs_site(&plan, &servers, &approaches) {
        true => python_site(),
        false => Err(Missing("nobody asked for the Python packages".to_owned())),
    };
    header.environments =
        environments(named_versions(&approaches, &servers).filter_map(chosen_only))?;
    let candidates = campaign::candidates(&approaches, &own_program()?, &site);
    let servers = hosts::started_there(servers.with_site(site), server_host.as_ref());
    let records = match begun {
        None => {
            output.add(&Line::Run(Box::new(header.clone())))?;
            Vec::new()
        }
        Some((_, records)) => records,
    };
    plan.done = records.iter().filter_map(DoneWorker::of).collect();
    let screening = Screening {
        begun: records,
        plan: &plan,
        servers: &servers,
        candidates: &candidates,
        limits: &limits,
        most_fresh: arguments.fresh_blocks as usize,
    };
    let completed = measure(&screening, header, &mut output)?;
    let server_clock = hosts::clock(server_host.as_ref());
    drop((servers, server_host));
    output.add(&Line::End(End {
        ended_utc: campaign::now_utc(),
        interrupted: !completed,
        processes_left: processes_left(TIME_TO_LEAVE),
        server_clock,
    }))?;
    let exit = conclude(arguments, &limits, &output)?;
    if !completed {
        eprintln!("`epics-gauge run --resume {}` continues it.", output.path().display());
    }
    Ok(if completed { exit } else { Exit::Interrupted })
}

/// What is to be fetched is fetched before.
fn enter_namespaces_if_needed(
    plan: &Plan,
    servers: &Servers,
    approaches: &[Approach],
    hosts: Option<&Hosts>,
) -> Result<(), Failure> {
    let has_link = |planned: &PlannedConfiguration| planned.conditions().is_some();
    if hosts.is_none() && !plan.configurations.iter().any(has_link) {
        return Ok(());
    }
    if needs_site(plan, servers, approaches) {
        // What is missing is reported by whatever needs it.
        let _ = python_site();
    }
    environments(named_versions(approaches, servers).filter_map(chosen_only))?;
    hosts::enter_for(hosts)?;
    link::enter_for(&plan.configurations)
}

/// Every approach and server with the package that was chosen for it, if one was.
pub(super) fn named_versions<'a>(
    approaches: &'a [Approach],
    servers: &'a Servers,
) -> impl Iterator<Item = (&'a str, &'a Option<Chosen>)> {
    let named = approaches.iter().map(|approach| (&*approach.name, &approach.chosen));
    named.chain(servers.all().iter().map(|kind| (&*kind.name, &kind.chosen)))
}

fn needs_site(plan: &Plan, servers: &Servers, approaches: &[Approach]) -> bool {
    let of_server = |planned: &PlannedConfiguration| {
        servers.get(&planned.server).is_some_and(|kind| kind.needs_python_site)
    };
    approaches.iter().any(Approach::needs_python_site) || plan.configurations.iter().any(of_server)
}

/// The floor of each protocol that is measured is measured too: without it nothing
/// can be judged over it.
fn chosen(catalogue: &Catalogue, names: &[String]) -> Result<Vec<Approach>, Failure> {
    let known: Vec<&str> = catalogue.all().iter().map(|approach| approach.name.as_str()).collect();
    let (versions, plain): (Vec<String>, Vec<String>) =
        names.iter().cloned().partition(|name| is_modified(name));
    check_names("approach", &plain, &known)?;
    let versions: Vec<Approach> = versions
        .iter()
        .map(|name| catalogue.resolve(name).map_err(Failure::usage))
        .collect::<Result<_, _>>()?;
    let is_named = |approach: &&Approach| match names.is_empty() {
        true => approach.is_usual,
        false => names.contains(&approach.name),
    };
    let named = catalogue.all().iter().filter(is_named).chain(&versions);
    let protocols: Vec<Protocol> = named.map(|approach| approach.protocol).collect();
    let is_chosen = |approach: &&Approach| {
        is_named(approach) || (approach.floor && protocols.contains(&approach.protocol))
    };
    Ok(catalogue.all().iter().filter(is_chosen).chain(&versions).cloned().collect())
}

/// Leaves out configurations that no approach is measured in, and approaches that are
/// measured in no configuration.
fn keep_matching(
    plan: &mut Plan,
    servers: &Servers,
    approaches: Vec<Approach>,
) -> Result<Vec<Approach>, Failure> {
    let takes = |planned: &PlannedConfiguration, approach: &Approach| {
        planned.takes(approach, servers.get(&planned.server))
    };
    plan.configurations
        .retain(|planned| approaches.iter().any(|approach| takes(planned, approach)));
    if plan.configurations.is_empty() {
        return Err(Failure::usage(
            "none of these approaches speaks a protocol of these servers; see `epics-gauge list \
             servers` and `epics-gauge list approaches`",
        ));
    }
    let is_measured =
        |approach: &Approach| plan.configurations.iter().any(|planned| takes(planned, approach));
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

/// The program that workers inside this crate run in. A cache that cannot be
/// written is reported here, once, not by every worker.
pub(super) fn own_program() -> Result<PathBuf, Failure> {
    embedded::tool("supervisor").map_err(Failure::unmeasured)?;
    std::env::current_exe().map_err(Failure::unmeasured)
}

fn measure(
    screening: &Screening<'_>,
    header: Run,
    output: &mut OutputFolder,
) -> Result<bool, Failure> {
    let workers = |planned: &PlannedConfiguration| {
        let kind = screening.servers.get(&planned.server);
        let is_taken = |candidate: &&Candidate| planned.takes(&candidate.approach, kind);
        planned.blocks * screening.candidates.iter().filter(is_taken).count()
    };
    let bar = Bar::of(screening.plan.configurations.iter().map(workers).sum());
    let tried = screening.run(header, |event| {
        match event {
            ScreeningEvent::Confirming(configurations) => {
                bar.more(configurations.iter().map(workers).sum())
            }
            ScreeningEvent::Worker(Progress::Started { planned, approach }) => {
                bar.started(planned, approach)
            }
            ScreeningEvent::Worker(Progress::Finished { record, log }) => {
                let line = Line::Record(record.clone());
                output.add(&line)?;
                output.add_log(&record, &log)?;
            }
            ScreeningEvent::Worker(Progress::Done | Progress::LeftOut) => bar.finished(),
        }
        Ok::<(), Failure>(())
    })?;
    Ok(tried.completed)
}

fn conclude(
    arguments: &RunArguments,
    limits: &Limits,
    output: &OutputFolder,
) -> Result<Exit, Failure> {
    let run = RunRecords::parse(&output.read_records()?).map_err(Failure::unmeasured)?;
    let judgement = judge(&run, limits);
    let known = campaign::kept_calibrations(&run.run.machine);
    let budget_s = arguments.budget_s;
    let subject = Subject::Run { run: &run, judgement: &judgement, known: &known, budget_s };
    output.write("report.json", &render(&subject, Format::Json))?;
    output.write("records.csv", &render_csv(std::slice::from_ref(&run)))?;
    output.write("report.md", &render(&subject, Format::Markdown))?;
    output.write("report.html", &render(&subject, Format::Html))?;
    let format = arguments.format;
    print(&render(&subject, if arguments.all_tables { format } else { format.summarized() }))?;
    let folder = output.path().display();
    eprintln!(
        "Full report: {folder}/report.html. Every table: `epics-gauge report {folder} --tables`."
    );
    let own_limits = arguments.limits_file.is_some();
    Ok(Exit::of(&judgement, Asked { allow_missing: arguments.allow_missing, own_limits }))
}
