//! `calibrate`: how often the judge is wrong on this machine, and what it catches.

use std::time::Instant;

use epics_gauge::approach::Approach;
use epics_gauge::campaign::{
    self, Copies, Draws, Ended, INJECTED, calibration_of, keep_calibration, label, measure_pools,
};
use epics_gauge::ioc::Servers;
use epics_gauge::judge::pair_metrics::{
    CALIBRATED, CALIBRATED_OF_MONITORS, OF_CONNECT, OF_MONITORS,
};
use epics_gauge::judge::{Calibrated, Change, Rule, WholeRuns, compare};
use epics_gauge::measure::{Candidate, PairRunner, PlannedConfiguration, SideSetup, this_machine};
use epics_gauge::metric::Metric;
use epics_gauge::process::{interrupted, processes_left};
use epics_gauge::python_site::Missing;
use epics_gauge::record::{End, Line, Load, Record, RunRecords, Scenario};
use epics_gauge::report::{Format, Subject, render, render_csv};
use epics_gauge::scenario::{Single, Values, definition, gated};
use epics_gauge::worker_protocol::{InjectedSlowdown, Mode};

use super::arguments::CalibrateArguments;
use super::exit::Exit;
use super::output::OutputFolder;
use super::profile::{USUAL_PIXELS, random_seed};
use super::progress::{PairBar, python_site};
use super::run::{TIME_TO_LEAVE, own_program};
use super::stdout::print;
use super::{Failure, catalogue, measuring_lock, servers};

/// False alarms are rare, and drawn from few pairs they seem more: so many pairs of
/// alike sides for each of a slowdown.
const ALIKE_PER_ROUND: usize = 4;

/// Whole comparisons are run for these: alike, 5 % and 10 %.
const WHOLE: [Option<InjectedSlowdown>; 3] = [None, Some(INJECTED[1]), Some(INJECTED[2])];

pub(super) fn run(arguments: &CalibrateArguments) -> Result<Exit, Failure> {
    let catalogue = catalogue(arguments.approaches_file.as_deref())?;
    let approach = catalogue.resolve(&arguments.approach).map_err(Failure::usage)?;
    let servers = servers(None)?;
    let server = usual_server(&servers, &approach)?;
    let (scenario, single) = scenario(&arguments.scenario)?;
    let seed = arguments.seed.unwrap_or_else(random_seed);
    let _lock = measuring_lock(arguments.no_wait)?;
    let header = campaign::header(
        std::slice::from_ref(&approach),
        seed,
        arguments.rounds as usize,
        std::env::args().skip(1).collect(),
    );
    let mut output = OutputFolder::make(arguments.out.as_deref(), &header.started_utc)?;
    let site = match approach.needs_python_site() {
        true => python_site(),
        false => Err(Missing("nobody asked for the Python packages".to_owned())),
    };
    let approaches = [approach];
    let gauge = own_program()?;
    let candidate = campaign::candidates(&approaches, &gauge, &site).remove(0);
    let copies = Copies::of(&candidate, &gauge, &site).map_err(Failure::unmeasured)?;
    let servers = servers.with_site(site);
    output.add(&Line::Run(Box::new(header.clone())))?;
    let mut calibration = Calibration {
        arguments,
        servers: &servers,
        copies: &copies,
        scenario,
        single,
        server: &server,
        seed,
        output: &mut output,
    };
    let calibrated = calibration.calibrate(&header.started_utc)?;
    output.add(&Line::End(End {
        ended_utc: campaign::now_utc(),
        interrupted: interrupted(),
        processes_left: processes_left(TIME_TO_LEAVE),
        server_clock: None,
    }))?;
    let Some(calibrated) = calibrated else {
        eprintln!(
            "interrupted before every slowdown had its pairs, so there are no rates; the pairs so \
             far: {}",
            output.path().join("records.jsonl").display()
        );
        return Ok(Exit::Interrupted);
    };
    let kept = keep_calibration(&calibrated).map_err(Failure::unmeasured)?;
    let run = RunRecords::parse(&output.read_records()?).map_err(Failure::unmeasured)?;
    output.write("records.csv", &render_csv(std::slice::from_ref(&run)))?;
    let subject = Subject::Calibration(&calibrated);
    output.write("report.json", &render(&subject, Format::Json))?;
    output.write("report.md", &render(&subject, Format::Markdown))?;
    output.write("report.html", &render(&subject, Format::Html))?;
    let portable = serde_json::to_string_pretty(&calibrated).map_err(Failure::unmeasured)?;
    output.write("calibration.json", &(portable + "\n"))?;
    print(&render(&subject, arguments.format))?;
    eprintln!("kept for every report of this machine: {}", kept.display());
    Ok(if interrupted() { Exit::Interrupted } else { Exit::Good })
}

/// One of the scenarios that a gate measures, with what one measurement of it takes.
fn scenario(name: &str) -> Result<(Scenario, Single), Failure> {
    let found = gated().find(|(definition, _)| name.parse() == Ok(definition.scenario));
    let known: Vec<&str> = gated().map(|(definition, _)| definition.scenario.name()).collect();
    found.map(|(definition, single)| (definition.scenario, single)).ok_or_else(|| {
        Failure::usage(format!(
            "`{name}` is no scenario that is calibrated; there are: {}",
            known.join(", ")
        ))
    })
}

fn usual_server(servers: &Servers, approach: &Approach) -> Result<String, Failure> {
    let found = servers
        .all()
        .iter()
        .find(|kind| kind.is_usual && kind.protocols.contains(&approach.protocol));
    found.map(|kind| kind.name.clone()).ok_or_else(|| {
        Failure::usage(format!("no softIoc here speaks the protocol of {}", approach.name))
    })
}

struct Calibration<'a> {
    arguments: &'a CalibrateArguments,
    servers: &'a Servers,
    copies: &'a Copies,
    scenario: Scenario,
    single: Single,
    server: &'a str,
    seed: u64,
    output: &'a mut OutputFolder,
}

impl<'a> Calibration<'a> {
    /// None when interrupted before the pools were whole.
    fn calibrate(&mut self, date: &str) -> Result<Option<Calibrated>, Failure> {
        // Workers are slowed in stages only, not in what they do with updates.
        let injected = INJECTED.into_iter().filter(|_| !self.has_monitors()).map(Some);
        let slowdowns: Vec<Option<InjectedSlowdown>> =
            std::iter::repeat_n(None, ALIKE_PER_ROUND).chain(injected).collect();
        let rounds = self.arguments.rounds as usize;
        let started = Instant::now();
        let Some(pools) = self.pools(&slowdowns, rounds)? else { return Ok(None) };
        let seconds_per_pair = started.elapsed().as_secs_f64() / (rounds * slowdowns.len()) as f64;
        let machine = this_machine();
        let rule = self.rule();
        let draws = Draws { experiments: self.arguments.experiments as usize, seed: self.seed };
        let of = |metric| {
            calibration_of(&pools, metric, &rule, draws, seconds_per_pair, (&machine, date))
        };
        let metrics = self.calibrated().iter().copied().filter_map(of).collect();
        let mut whole = Vec::new();
        let tried = if self.has_monitors() { &WHOLE[..1] } else { &WHOLE[..] };
        for slowdown in tried.iter().copied() {
            // The pools are whole: what was drawn from them is kept, whatever comes.
            let Some(runs) = self.whole_runs(slowdown)? else { break };
            whole.extend(runs);
        }
        Ok(Some(Calibrated {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            machine,
            date: date.to_owned(),
            scenario: self.scenario,
            approach: self.copies.candidates[0].approach.name.clone(),
            server: self.server.to_owned(),
            pvs: self.pvs(),
            sides_apart: Some(self.copies.are_apart),
            metrics,
            whole,
        }))
    }

    fn rule(&self) -> Rule {
        Rule { tolerance: self.arguments.tolerance / 100.0, ..Rule::default() }
    }

    fn has_monitors(&self) -> bool {
        definition(self.scenario).model.has_rate()
    }

    fn calibrated(&self) -> &'static [Metric] {
        if self.has_monitors() { &CALIBRATED_OF_MONITORS } else { &CALIBRATED }
    }

    fn pvs(&self) -> usize {
        self.arguments.pvs.unwrap_or(self.single.pvs)
    }

    /// What runs the pairs; as `compare` plans them where whole comparisons are run.
    fn runner(&self, slowdown: Option<InjectedSlowdown>, as_compared: bool) -> PairRunner<'a> {
        let [a, b] = &self.copies.candidates;
        let side = |candidate: &Candidate, slowdown| SideSetup {
            candidate: candidate.clone(),
            server: self.server.to_owned(),
            slowdown,
        };
        let Single { rate_hz, seconds, .. } = self.single;
        let frames = definition(self.scenario).values == Values::Frames;
        let load = Load {
            pixels: frames.then_some(USUAL_PIXELS),
            ..Load::of_scalars(rate_hz, self.arguments.seconds.unwrap_or(seconds))
        };
        let load = self.has_monitors().then_some(load);
        let planned = PlannedConfiguration::new(self.scenario, self.pvs(), Mode::Bulk, load, 1);
        let planned = if as_compared && load.is_none() { planned.brief() } else { planned };
        let most_memory = this_machine().memory_bytes / 4;
        let sides = [side(a, None), side(b, slowdown)];
        PairRunner::new(self.servers, planned, sides, None, most_memory)
    }

    /// None when interrupted.
    fn pools(
        &mut self,
        slowdowns: &[Option<InjectedSlowdown>],
        rounds: usize,
    ) -> Result<Option<Vec<campaign::Pool>>, Failure> {
        let bar = PairBar::of(rounds * slowdowns.len());
        let mut runner = self.runner(None, false);
        let output = &mut *self.output;
        let pools = measure_pools(&mut runner, slowdowns, rounds, self.seed, |record, log| {
            bar.finished(record);
            keep(output, record, log)
        })?;
        let is_whole = pools.iter().all(|pool| pool.records.len() == 2 * rounds);
        Ok(is_whole.then(|| joined(pools)))
    }

    /// Whole comparisons, as `compare` runs them; none when interrupted, empty when
    /// none was asked for.
    fn whole_runs(
        &mut self,
        slowdown: Option<InjectedSlowdown>,
    ) -> Result<Option<Option<WholeRuns>>, Failure> {
        let metrics = if self.has_monitors() { &OF_MONITORS[..] } else { &OF_CONNECT };
        let rule = self.rule();
        let mut runs =
            WholeRuns { label: label(slowdown), outcomes: Vec::new(), seconds: Vec::new() };
        let bar = PairBar::of(self.arguments.whole_runs as usize * rule.screen);
        for run in 0..self.arguments.whole_runs {
            let started = Instant::now();
            let mut records = Vec::new();
            let mut runner = self.runner(slowdown, true);
            let seed = self.seed.wrapping_add(u64::from(run));
            let ended =
                campaign::compare_in_pairs(&mut runner, metrics, &rule, seed, |record, _| {
                    bar.finished(record);
                    records.push(record.clone());
                    Ok::<(), Failure>(())
                })?;
            drop(runner);
            match ended {
                Ended::Complete => {}
                Ended::Interrupted => return Ok(None),
                Ended::Failed(failure) => return Err(Failure::from(*failure)),
                Ended::Unmeasured(metric) => {
                    return Err(Failure::unmeasured(format!(
                        "no worker gave a figure of {metric}"
                    )));
                }
            }
            runs.seconds.push(started.elapsed().as_secs_f64());
            runs.outcomes.push(outcome(&records, metrics, &rule));
        }
        Ok(Some((!runs.outcomes.is_empty()).then_some(runs)))
    }
}

/// One pool for each slowdown, its pairs in the order in which they ran.
fn joined(pools: Vec<campaign::Pool>) -> Vec<campaign::Pool> {
    let mut joined: Vec<campaign::Pool> = Vec::new();
    for pool in pools {
        match joined.iter_mut().find(|other| other.slowdown == pool.slowdown) {
            Some(other) => other.records.extend(pool.records),
            None => joined.push(pool),
        }
    }
    for pool in &mut joined {
        pool.records.sort_by_key(|record| record.block);
    }
    joined
}

fn outcome(records: &[Record], metrics: &[Metric], rule: &Rule) -> Change {
    compare(&epics_gauge::judge::pair_metrics::family(records, metrics), rule).outcome
}

fn keep(output: &mut OutputFolder, record: &Record, log: &str) -> Result<(), Failure> {
    output.add(&Line::Record(Box::new(record.clone())))?;
    output.add_log(record, log)
}

impl From<epics_gauge::record::Failure> for Failure {
    fn from(failure: epics_gauge::record::Failure) -> Failure {
        Failure::unmeasured(format!(
            "a worker failed, {}: {}",
            failure.kind.name(),
            failure.message
        ))
    }
}
