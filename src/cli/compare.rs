//! `compare`: two sides in pairs, until it is decided which is better.

use std::path::{Path, PathBuf};
use std::time::Duration;

use epics_gauge::approach::{Approach, Catalogue, name_without_version};
use epics_gauge::campaign::{self, Ended};
use epics_gauge::ioc::{ServerKind, Servers};
use epics_gauge::judge::compared::{ComparisonJudgement, judge_comparison, rule_of};
use epics_gauge::judge::pair_metrics::{OF_CONNECT, OF_MONITORS, OF_OUTAGES, is_of_connecting};
use epics_gauge::judge::{Calibrated, Change};
use epics_gauge::lookup::Lookup;
use epics_gauge::measure::{PairRunner, PlannedConfiguration, SideSetup, this_machine};
use epics_gauge::metric::{Metric, can_be_compared};
use epics_gauge::process::processes_left;
use epics_gauge::python_site::{Missing, use_python};
use epics_gauge::record::{ComparisonRequest, Disturbance, End, Line, Load, RunRecords, Scenario};
use epics_gauge::report::{Format, Subject, annotations, render, render_csv};
use epics_gauge::scenario::{Definition, Single, Values, course, definition, singles};
use epics_gauge::worker_protocol::Mode;

use super::arguments::CompareArguments;
use super::exit::Exit;
use super::hosts;
use super::link;
use super::output::OutputFolder;
use super::profile::{USUAL_PIXELS, random_seed};
use super::progress::{PairBar, chosen_only, environments, python_site};
use super::run::{TIME_TO_LEAVE, named_versions, own_program};
use super::stdout::print;
use super::{Failure, catalogue, measuring_lock, servers};

/// What is compared when the user compares softIocs and names no approach.
const USUAL_APPROACH: &str = "libca";

/// The names of the user's own softIocs among the servers.
const IOCS: [&str; 2] = ["ioc-a", "ioc-b"];

pub(super) fn run(arguments: &CompareArguments) -> Result<Exit, Failure> {
    let catalogue = catalogue(arguments.approaches_file.as_deref())?;
    let mut servers = servers(arguments.servers_file.as_deref())?;
    if let Some(python) = &arguments.python {
        use_python(python);
    }
    let asked = asked(arguments, &catalogue, &mut servers)?;
    check_lookup(arguments.lookup, &asked.approaches)?;
    let is_chosen = asked.approaches.iter().any(|approach| approach.chosen.is_some())
        || servers.all().iter().any(|kind| kind.chosen.is_some());
    if !arguments.beside.is_empty() && !is_chosen {
        return Err(Failure::usage(
            "--beside is installed with a version that is named, such as pyepics@3.5.7, and none is",
        ));
    }
    let planned = planned(arguments, asked.scenario)?;
    let metrics = metrics(arguments, &planned)?;
    let planned = if metrics.iter().all(|metric| is_of_connecting(*metric)) {
        planned.brief()
    } else {
        planned
    };
    let request = ComparisonRequest {
        a: asked.labels[0].clone(),
        b: asked.labels[1].clone(),
        metrics: metrics.iter().map(Metric::to_string).collect(),
        tolerance: arguments.tolerance / 100.0,
        most_pairs: arguments.most_pairs as usize,
        comparisons: arguments.comparisons as usize,
    };
    refuse_what_cannot_find(&request)?;
    let seed = arguments.seed.unwrap_or_else(random_seed);
    let planned = planned.over(arguments.link, seed);
    let hosts = hosts::read(arguments.hosts_file.as_deref(), [&planned])?;
    if planned.link.is_some() || hosts.is_some() {
        // What is to be fetched is fetched before.
        environments(named_versions(&asked.approaches, &servers).filter_map(chosen_only))?;
        if needs_site(&asked, &servers) {
            let _ = python_site();
        }
        hosts::enter_for(hosts.as_ref())?;
        link::enter_for([&planned])?;
    }
    let _lock = measuring_lock(arguments.no_wait)?;
    let mut header =
        campaign::header(&asked.approaches, seed, 1, std::env::args().skip(1).collect());
    header.comparison = Some(request.clone());
    let server_host = hosts::server_host(hosts.as_ref(), arguments.servers_file.as_deref())?;
    header.server_host = hosts::facts(server_host.as_ref())?;
    let mut output = OutputFolder::make(arguments.out.as_deref(), &header.started_utc)?;
    header.environments =
        environments(named_versions(&asked.approaches, &servers).filter_map(chosen_only))?;
    let (sides, servers) = side_setups(&asked, servers)?;
    let servers = hosts::started_there(servers, server_host.as_ref());
    output.add(&Line::Run(Box::new(header)))?;
    let most_memory = this_machine().memory_bytes / 4;
    let timeout = arguments.timeout.map(Duration::from_secs_f64);
    let mut pairs = PairRunner::new(&servers, planned, sides, timeout, most_memory);
    let rule = rule_of(&request);
    let bar = PairBar::of(rule.screen + request.most_pairs);
    let ended = campaign::compare_in_pairs(&mut pairs, &metrics, &rule, seed, |record, log| {
        bar.finished(record);
        output.add(&Line::Record(Box::new(record.clone())))?;
        output.add_log(record, log)
    })?;
    let server_clock = hosts::clock(server_host.as_ref());
    drop((pairs, bar));
    drop((servers, server_host));
    output.add(&Line::End(End {
        ended_utc: campaign::now_utc(),
        interrupted: ended == Ended::Interrupted,
        processes_left: processes_left(TIME_TO_LEAVE),
        server_clock,
    }))?;
    conclude(arguments, &output, &ended)
}

/// A comparison that could not come out bad is none.
fn refuse_what_cannot_find(request: &ComparisonRequest) -> Result<(), Failure> {
    let metrics = request.metrics.len();
    if rule_of(request).can_find(metrics) {
        return Ok(());
    }
    let can_find = |most_pairs: &usize| {
        rule_of(&ComparisonRequest { most_pairs: *most_pairs, ..request.clone() }).can_find(metrics)
    };
    let enough = (request.most_pairs..).find(can_find).unwrap_or(usize::MAX);
    Err(Failure::usage(format!(
        "{} pairs cannot show that a side is worse, however much it is; allow for {enough} with \
         --most-pairs, or ask for fewer metrics or comparisons",
        request.most_pairs
    )))
}

/// What the user asked to compare.
struct Asked {
    approaches: [Approach; 2],
    servers: [String; 2],
    labels: [String; 2],
    scenario: Scenario,
}

fn asked(
    arguments: &CompareArguments,
    catalogue: &Catalogue,
    servers: &mut Servers,
) -> Result<Asked, Failure> {
    let (also_servers, words): (Vec<&str>, Vec<&str>) = arguments
        .words
        .iter()
        .map(String::as_str)
        .partition(|word| arguments.server.is_some() && is_server(word, servers));
    if let ([second], Some(first)) = (&also_servers[..], &arguments.server) {
        return of_servers(arguments, [first, second], &words, catalogue, servers);
    }
    let approach = |name: &str| resolved(catalogue, name, arguments);
    match (&arguments.ioc_a, &arguments.ioc_b) {
        (Some(a), Some(b)) => {
            let scenario = match words[..] {
                [] => Scenario::Connect,
                [scenario] => named(scenario)?,
                _ => {
                    return Err(Failure::usage(
                        "--ioc-a and --ioc-b compare softIocs; name the approach that measures \
                         them with --approach, and no others",
                    ));
                }
            };
            let measures = approach(arguments.approach.as_deref().unwrap_or(USUAL_APPROACH))?;
            for (name, path) in IOCS.into_iter().zip([a, b]) {
                servers.add_soft_ioc(name, path).map_err(Failure::usage)?;
                check_soft_ioc(servers.get(name), path, &measures, scenario)?;
            }
            let label = |side: &str, path: &Path| format!("softIoc {side} ({})", path.display());
            Ok(Asked {
                approaches: [measures.clone(), measures],
                servers: IOCS.map(str::to_owned),
                labels: [label("A", a), label("B", b)],
                scenario,
            })
        }
        _ => {
            if arguments.approach.is_some() {
                return Err(Failure::usage(
                    "--approach measures two softIocs (--ioc-a, --ioc-b) or two servers \
                     (--server A B); approaches that are compared are named without it",
                ));
            }
            let (a, b, scenario) = match words[..] {
                [a, b] => (a, b, Scenario::Connect),
                [a, b, scenario] => (a, b, named(scenario)?),
                _ => {
                    return Err(Failure::usage(
                        "name two approaches to compare, such as `compare pyepics aioca`, or two \
                         softIocs with --ioc-a PATH --ioc-b PATH",
                    ));
                }
            };
            let approaches = [approach(a)?, approach(b)?];
            let server = server_of(arguments, servers, &approaches)?;
            Ok(Asked {
                approaches,
                servers: [server.clone(), server],
                labels: [a.to_owned(), b.to_owned()],
                scenario,
            })
        }
    }
}

/// Whether a softIoc of the user's own can be measured by this approach in this scenario.
fn check_soft_ioc(
    kind: Option<&ServerKind>,
    path: &Path,
    measures: &Approach,
    scenario: Scenario,
) -> Result<(), Failure> {
    let Some(kind) = kind else { return Ok(()) };
    let path = path.display();
    if !kind.protocols.contains(&measures.protocol) {
        return Err(Failure::usage(format!(
            "the softIoc {path} has no server of {}, which {} speaks; name another with --approach",
            measures.protocol, measures.name
        )));
    }
    if definition(scenario).values == Values::Frames && !kind.has_frames {
        return Err(Failure::usage(format!(
            "the softIoc {path} makes no frames, which {scenario} needs: they take the device \
             support of this crate"
        )));
    }
    Ok(())
}

/// The approach of this name, with what is to be installed beside it.
fn resolved(
    catalogue: &Catalogue,
    name: &str,
    arguments: &CompareArguments,
) -> Result<Approach, Failure> {
    let mut approach = catalogue.resolve(name).map_err(Failure::usage)?;
    if let Some(chosen) = &mut approach.chosen {
        chosen.beside.extend(arguments.beside.iter().cloned());
    }
    Ok(approach)
}

/// Whether a word names a server: no approach has the name of one.
fn is_server(word: &str, servers: &Servers) -> bool {
    servers.get(name_without_version(word)).is_some()
}

/// Two servers, measured by one approach.
fn of_servers(
    arguments: &CompareArguments,
    names: [&str; 2],
    words: &[&str],
    catalogue: &Catalogue,
    servers: &mut Servers,
) -> Result<Asked, Failure> {
    let scenario = match words {
        [] => Scenario::Connect,
        [scenario] => named(scenario)?,
        _ => {
            return Err(Failure::usage(
                "two servers are measured by the approach that --approach names; besides them \
                 only the scenario is named",
            ));
        }
    };
    let usual = USUAL_APPROACH.to_owned();
    let measures = arguments.approach.as_ref().unwrap_or(&usual);
    let measures = resolved(catalogue, measures, arguments)?;
    for name in names {
        let kind = servers.resolve(name, &arguments.beside).map_err(Failure::usage)?;
        if !kind.protocols.contains(&measures.protocol) {
            return Err(Failure::usage(format!(
                "{} does not speak a protocol of the server {name}; name another approach with \
                 --approach",
                measures.name
            )));
        }
    }
    Ok(Asked {
        approaches: [measures.clone(), measures],
        servers: names.map(str::to_owned),
        labels: names.map(str::to_owned),
        scenario,
    })
}

/// Nothing could be compared with an approach that finds no PV.
fn check_lookup(lookup: Lookup, approaches: &[Approach; 2]) -> Result<(), Failure> {
    match approaches.iter().find(|approach| !approach.knows(lookup)) {
        None => Ok(()),
        Some(unable) => Err(Failure::usage(format!(
            "{} finds no PVs by {lookup}; compare it by another --lookup",
            unable.name
        ))),
    }
}

/// The server that was named, or the usual one that both approaches can speak to.
fn server_of(
    arguments: &CompareArguments,
    servers: &mut Servers,
    approaches: &[Approach; 2],
) -> Result<String, Failure> {
    if let Some(named) = arguments.server.as_deref() {
        servers.resolve(named, &arguments.beside).map_err(Failure::usage)?;
    }
    let speaks = |kind: &&ServerKind| {
        approaches.iter().all(|approach| kind.protocols.contains(&approach.protocol))
    };
    let found = match arguments.server.as_deref() {
        Some(named) => servers.get(named).filter(speaks),
        None => servers.all().iter().find(speaks),
    };
    found.map(|kind| kind.name.clone()).ok_or_else(|| {
        Failure::usage(format!(
            "{} and {} do not both speak a protocol of that server; see `epics-gauge list servers`",
            approaches[0].name, approaches[1].name
        ))
    })
}

fn named(text: &str) -> Result<Scenario, Failure> {
    single(text).map(|(definition, _)| definition.scenario)
}

/// One of the scenarios in which two can be compared.
fn single(name: &str) -> Result<(&'static Definition, Single), Failure> {
    let is_it = |definition: &Definition| name.parse() == Ok(definition.scenario);
    singles().find(|(definition, _)| is_it(definition)).ok_or_else(|| {
        let known: Vec<&str> =
            singles().map(|(definition, _)| definition.scenario.name()).collect();
        Failure::usage(format!(
            "`{name}` is no scenario that two are compared in; there are: {}",
            known.join(", ")
        ))
    })
}

fn planned(
    arguments: &CompareArguments,
    scenario: Scenario,
) -> Result<PlannedConfiguration, Failure> {
    let (definition, single) = single(scenario.name())?;
    let rate_hz = arguments.rate.unwrap_or(single.rate_hz);
    let disturbance = disturbance(arguments, definition)?;
    let load = Load {
        disturbance,
        pixels: (definition.values == Values::Frames)
            .then(|| arguments.pixels.unwrap_or(USUAL_PIXELS)),
        ..Load::of_scalars(rate_hz, arguments.seconds.unwrap_or(single.seconds))
    };
    let pvs = match load.pixels {
        // The camera is one PV.
        Some(_) => 1,
        None => arguments.pvs.unwrap_or(single.pvs),
    };
    let load = definition.model.has_rate().then_some(load);
    Ok(PlannedConfiguration::new(scenario, pvs, Mode::Bulk, load, 1).by(arguments.lookup))
}

/// What happens meanwhile, in a scenario in which something does.
fn disturbance(
    arguments: &CompareArguments,
    definition: &Definition,
) -> Result<Option<Disturbance>, Failure> {
    if definition.disturbances.is_empty() {
        return match arguments.disturbance {
            None => Ok(None),
            Some(_) => Err(Failure::usage(format!(
                "nothing disturbs {}; --disturbance is for the scenario {}",
                definition.scenario,
                Scenario::Recovery
            ))),
        };
    }
    Ok(arguments.disturbance.or(Some(Disturbance::Restart)))
}

fn metrics(
    arguments: &CompareArguments,
    planned: &PlannedConfiguration,
) -> Result<Vec<Metric>, Failure> {
    let usual = match planned.load {
        Some(load) if load.disturbance.is_some_and(|what| course(what).is_outage()) => {
            OF_OUTAGES.to_vec()
        }
        Some(_) => OF_MONITORS.to_vec(),
        None => OF_CONNECT.to_vec(),
    };
    if arguments.metrics.is_empty() {
        return Ok(usual);
    }
    let mut metrics: Vec<Metric> = Vec::new();
    for name in &arguments.metrics {
        let metric: Metric = name.parse().map_err(Failure::usage)?;
        if !metric.row().scenarios().contains(&planned.scenario) {
            return Err(Failure::usage(format!("{} has no figure `{metric}`", planned.scenario)));
        }
        if !can_be_compared(metric) {
            return Err(Failure::usage(format!(
                "two sides cannot be compared by `{metric}`: it is no figure of one worker of \
                 which less, or more, is better"
            )));
        }
        if !metrics.contains(&metric) {
            metrics.push(metric);
        }
    }
    Ok(metrics)
}

fn needs_site(asked: &Asked, servers: &Servers) -> bool {
    let server_needs = |name: &String| servers.get(name).is_some_and(|kind| kind.needs_python_site);
    asked.approaches.iter().any(Approach::needs_python_site)
        || asked.servers.iter().any(server_needs)
}

fn side_setups(asked: &Asked, servers: Servers) -> Result<([SideSetup; 2], Servers), Failure> {
    let site = match needs_site(asked, &servers) {
        true => python_site(),
        false => Err(Missing("nobody asked for the Python packages".to_owned())),
    };
    let candidates = campaign::candidates(&asked.approaches, &own_program()?, &site);
    let setup = |side: usize| SideSetup {
        candidate: candidates[side].clone(),
        server: asked.servers[side].clone(),
        slowdown: None,
    };
    Ok(([setup(0), setup(1)], servers.with_site(site)))
}

/// The calibrations that the user brought.
fn brought(arguments: &CompareArguments) -> Result<Vec<Calibrated>, Failure> {
    let read = |file: &PathBuf| campaign::read_calibration(file).map_err(Failure::usage);
    arguments.calibrations.iter().map(read).collect()
}

fn conclude(
    arguments: &CompareArguments,
    output: &OutputFolder,
    ended: &Ended,
) -> Result<Exit, Failure> {
    let run = RunRecords::parse(&output.read_records()?).map_err(Failure::unmeasured)?;
    let judgement = judge_comparison(&run).map_err(Failure::unmeasured)?;
    let Some(judgement) = judgement else {
        return Err(Failure::unmeasured("the record file lost its comparison"));
    };
    let mut known = campaign::kept_calibrations(&run.run.machine);
    known.extend(brought(arguments)?);
    let subject = Subject::Comparison { run: &run, judgement: &judgement, known: &known };
    output.write("records.csv", &render_csv(std::slice::from_ref(&run)))?;
    output.write("report.json", &render(&subject, Format::Json))?;
    output.write("report.md", &render(&subject, Format::Markdown))?;
    output.write("report.html", &render(&subject, Format::Html))?;
    print(&render(&subject, arguments.format.summarized()))?;
    if arguments.annotations {
        print(&annotations(&judgement))?;
    }
    eprintln!("all pairs: {}", output.path().join("records.jsonl").display());
    exit_of(&judgement, ended)
}

fn exit_of(judgement: &ComparisonJudgement, ended: &Ended) -> Result<Exit, Failure> {
    match ended {
        Ended::Interrupted => Ok(Exit::Interrupted),
        Ended::Failed(_) => Ok(Exit::CouldNotMeasure),
        Ended::Unmeasured(metric) => {
            Err(Failure::unmeasured(format!("no worker gave a figure of {metric}")))
        }
        Ended::Complete => Ok(Exit::of_comparison(judgement)),
    }
}

impl Exit {
    /// What a comparison comes to.
    pub(super) fn of_comparison(judgement: &ComparisonJudgement) -> Exit {
        if !judgement.failures.is_empty() {
            return Exit::CouldNotMeasure;
        }
        match judgement.comparison.outcome {
            Change::Regressed => Exit::Regressed,
            Change::Undecided => Exit::Undecided,
            Change::Improved | Change::NoDifference => Exit::Good,
        }
    }
}
