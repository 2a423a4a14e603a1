//! The figures that people ask for first, one row for each approach.

use crate::judge::{
    Figures, Judgement, Matters, MonitorFigures, MonitorRow, Outcome, Row, Verdict, matters,
};
use crate::metric::{Metric, Party, Timed};
use crate::report::document::{Columns, Detail, Part, Table};
use crate::report::words::{crossing, crossing_in_full, or_dash, place};
use crate::units::{counted, duration, grouped, microseconds, percent, quantity};
use crate::worker_protocol::{Mode, Stage};

const ONE_GET: Timed = Timed { stage: Stage::Get, mode: Mode::Serial };
const BULK_GET: Timed = Timed { stage: Stage::Get, mode: Mode::Bulk };

/// One approach on one server.
struct Line<'a> {
    approach: &'a str,
    server: &'a str,
    connect: Option<Timing<'a>>,
    one_get: Option<Timing<'a>>,
    bulk_get: Option<Timing<'a>>,
    matters: Option<Matters>,
    monitor: Option<Monitor<'a>>,
}

/// A time and the mark of the verdicts on it.
struct Timing<'a> {
    row: &'a Row,
    is_fastest: bool,
    mark: &'static str,
}

/// What a monitor run took, and the verdicts on that run.
struct Monitor<'a> {
    row: &'a MonitorRow,
    verdicts: Vec<&'a Verdict>,
}

/// Nothing where neither connecting nor a monitor was measured.
pub(super) fn section(judgement: &Judgement, budget_s: f64, detail: Detail) -> Vec<Part> {
    let servers = servers(judgement);
    let lines: Vec<Line<'_>> =
        servers.iter().flat_map(|server| on_server(judgement, server, budget_s)).collect();
    if lines.is_empty() {
        return Vec::new();
    }
    let table = table(&lines, budget_s, detail);
    vec![Part::Table(table), Part::Text(caption(judgement, &lines, budget_s))]
}

fn servers(judgement: &Judgement) -> Vec<&str> {
    let mut servers: Vec<&str> = Vec::new();
    let of_figures = judgement.figures.iter().map(|one| one.server.as_str());
    for server in of_figures.chain(judgement.monitors.iter().map(|one| one.server.as_str())) {
        if !servers.contains(&server) {
            servers.push(server);
        }
    }
    servers
}

fn on_server<'a>(judgement: &'a Judgement, server: &'a str, budget_s: f64) -> Vec<Line<'a>> {
    let of = |metric| most_pvs(judgement, server, metric);
    let (connect, one_get) = (of(Timed::CONNECT_BULK), of(ONE_GET));
    let (bulk_get, monitors) = (of(BULK_GET), monitor_run(judgement, server));
    let timed = connect.or(one_get).map_or(&[][..], |figures| &figures.rows);
    let monitored = monitors.map_or(&[][..], |run| &run.rows);
    let mut names: Vec<&str> = Vec::new();
    let of_monitors = monitored.iter().map(|row| row.approach.as_str());
    for name in timed.iter().map(|row| row.approach.as_str()).chain(of_monitors) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let timing = |figures, name| timing(judgement, figures, name);
    let matters = matters(&judgement.figures, budget_s);
    let of_approach =
        |name: &str| matters.iter().find(|one| (&*one.server, &*one.approach) == (server, name));
    names
        .into_iter()
        .map(|approach| Line {
            approach,
            server,
            connect: timing(connect, approach),
            one_get: timing(one_get, approach),
            bulk_get: timing(bulk_get, approach),
            matters: of_approach(approach).cloned(),
            monitor: monitors.and_then(|run| monitor(judgement, run, approach)),
        })
        .collect()
}

fn most_pvs<'a>(judgement: &'a Judgement, server: &str, metric: Timed) -> Option<&'a Figures> {
    let own = |one: &&Figures| {
        (one.server.as_str(), one.metric, one.connected) == (server, metric, Mode::Bulk)
    };
    judgement.figures.iter().filter(own).max_by_key(|one| one.pvs)
}

/// The camera at the highest rate, or else the heaviest load of scalars.
fn monitor_run<'a>(judgement: &'a Judgement, server: &str) -> Option<&'a MonitorFigures> {
    let plain = judgement.monitors.iter().filter(|run| run.load.disturbance.is_none());
    plain.filter(|run| run.server == server).max_by(|a, b| {
        let order = |run: &MonitorFigures| (run.load.pixels.is_some(), run.pvs);
        order(a).cmp(&order(b)).then(a.load.rate_hz.total_cmp(&b.load.rate_hz))
    })
}

fn timing<'a>(
    judgement: &Judgement,
    figures: Option<&'a Figures>,
    approach: &str,
) -> Option<Timing<'a>> {
    let figures = figures?;
    let own = judgement.verdicts.iter().filter(|verdict| {
        let metric = Metric::Time(figures.metric);
        (verdict.approach.as_str(), verdict.metric) == (approach, metric) && figures.has(verdict)
    });
    Some(Timing {
        row: figures.rows.iter().find(|row| row.approach == approach)?,
        is_fastest: figures.fastest.as_deref() == Some(approach),
        mark: mark(own),
    })
}

fn monitor<'a>(
    judgement: &'a Judgement,
    run: &'a MonitorFigures,
    approach: &str,
) -> Option<Monitor<'a>> {
    let own = judgement.verdicts.iter().chain(&judgement.too_short);
    Some(Monitor {
        row: run.rows.iter().find(|row| row.approach == approach)?,
        verdicts: own.filter(|one| one.approach == approach && run.has(one)).collect(),
    })
}

fn table(lines: &[Line<'_>], budget_s: f64, detail: Detail) -> Table {
    let timed = |timing: Option<&Timing<'_>>| or_dash(timing, Timing::words);
    Columns::of(lines)
        .words("approach", |line| {
            let is_elsewhere = |other: &&Line<'_>| other.approach == line.approach;
            match lines.iter().filter(is_elsewhere).count() {
                1 => line.approach.to_owned(),
                _ => format!("{}{}", line.approach, place(line.server)),
            }
        })
        .number("connect", |line| timed(line.connect.as_ref()))
        .number("one get", |line| timed(line.one_get.as_ref()))
        .number("bulk get", |line| timed(line.bulk_get.as_ref()))
        .number(slower(budget_s), |line| match &line.matters {
            Some(matters) if detail == Detail::Full => crossing_in_full(matters.crossing),
            Some(matters) => crossing(matters.crossing),
            None if line.connect.as_ref().is_some_and(|one| one.is_fastest) => "fastest".to_owned(),
            None => "-".to_owned(),
        })
        .number("CPU", |line| {
            line.monitored(Metric::CpuUse(Party::Client), |row| {
                Some(percent(row.client_cpu.as_ref()?.mean_percent))
            })
        })
        .number("lost", |line| {
            line.monitored(Metric::UpdatesLost, |row| Some(grouped(row.updates.lost as usize)))
        })
        .number("growth", |line| {
            line.monitored(Metric::Growth(Party::Client), |row| {
                let growth = row.client_memory.growth_bytes_per_minute?;
                Some(quantity(growth.median / 1e6))
            })
        })
        .without_empty()
        .table()
}

/// `1 s slower`.
fn slower(budget_s: f64) -> String {
    format!("{} slower", duration(budget_s))
}

impl Timing<'_> {
    fn words(&self) -> String {
        microseconds(self.row.figure_s.median) + self.mark
    }
}

impl Line<'_> {
    /// A figure of the monitor run, with the mark of the worst verdict on it.
    fn monitored(&self, metric: Metric, of: impl Fn(&MonitorRow) -> Option<String>) -> String {
        let Some(monitor) = &self.monitor else { return "-".to_owned() };
        let own = monitor.verdicts.iter().filter(|verdict| verdict.metric == metric);
        or_dash(of(monitor.row), |figure| figure) + mark(own.copied())
    }
}

/// `!` where a verdict is over, else `?` where one is undecided.
fn mark<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> &'static str {
    let outcomes: Vec<Outcome> = verdicts.map(|verdict| verdict.outcome).collect();
    let has = |outcome| outcomes.contains(&outcome);
    if has(Outcome::Over) || has(Outcome::Failed) {
        " !"
    } else if has(Outcome::Undecided) {
        " ?"
    } else {
        ""
    }
}

/// Who was measured on other servers than the first, by server.
fn elsewhere(lines: &[Line<'_>]) -> Vec<String> {
    let first = lines.first().map_or("", |line| line.server);
    let others = lines.chunk_by(|a, b| a.server == b.server).filter(|own| own[0].server != first);
    let words = others.map(|own| {
        let names: Vec<&str> = own.iter().map(|line| line.approach).collect();
        format!("{} on {}.", names.join(", "), own[0].server)
    });
    words.collect()
}

fn caption(judgement: &Judgement, lines: &[Line<'_>], budget_s: f64) -> String {
    let mut words = Vec::new();
    let pvs = judgement.figures.iter().filter(|one| one.connected == Mode::Bulk).map(|one| one.pvs);
    if let Some(pvs) = pvs.max() {
        words.push(format!("Connect and bulk get: µs/PV at {}. One get: µs.", counted(pvs, "PV")));
    }
    if lines.iter().any(|line| line.connect.is_some()) {
        words.push(format!(
            "{}: from how many PVs on connecting takes {} longer than with the fastest.",
            slower(budget_s),
            duration(budget_s)
        ));
    }
    words.extend(elsewhere(lines));
    let server = lines.first().map_or("", |line| line.server);
    if let Some(run) = monitor_run(judgement, server) {
        words.push(format!(
            "CPU in % of a core, updates lost and memory growth in MB/min: {}.",
            run.heading()
        ));
    }
    words.push("! over the limit, ? undecided, - not measured.".to_owned());
    words.join(" ")
}
