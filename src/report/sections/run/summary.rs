//! The figures that people ask for first, one row for each approach.

use crate::judge::{Figures, Judgement, MonitorFigures, MonitorRow, Outcome, Row, Verdict};
use crate::metric::{Metric, Party, Timed};
use crate::report::document::{Columns, Part, Table};
use crate::report::words::{crossing, or_dash, place};
use crate::stats::Interval;
use crate::units::{grouped, microseconds, percent};
use crate::worker_protocol::{Mode, Stage};

const ONE_GET: Timed = Timed { stage: Stage::Get, mode: Mode::Serial };
const BULK_GET: Timed = Timed { stage: Stage::Get, mode: Mode::Bulk };

/// One approach on one server.
struct Line<'a> {
    approach: &'a str,
    server: &'a str,
    floor: bool,
    connect: Option<&'a Row>,
    one_get: Option<&'a Row>,
    bulk_get: Option<&'a Row>,
    monitor: Option<&'a MonitorRow>,
    verdicts: Vec<&'a Verdict>,
}

/// Nothing where neither connecting nor a monitor was measured.
pub(super) fn section(judgement: &Judgement) -> Vec<Part> {
    let servers = servers(judgement);
    let lines: Vec<Line<'_>> =
        servers.iter().flat_map(|server| on_server(judgement, server)).collect();
    if lines.is_empty() {
        return Vec::new();
    }
    vec![Part::Table(table(&lines)), Part::Text(caption(judgement, &lines))]
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

fn on_server<'a>(judgement: &'a Judgement, server: &'a str) -> Vec<Line<'a>> {
    let rows = |metric| most_pvs(judgement, server, metric).map(|figures| &figures.rows[..]);
    let (connect, one_get) = (rows(Timed::CONNECT_BULK), rows(ONE_GET));
    let lookup = most_pvs(judgement, server, Timed::CONNECT_BULK).map(|figures| figures.lookup);
    let (bulk_get, monitors) = (rows(BULK_GET), monitor_run(judgement, server));
    let monitor_rows = monitors.map_or(&[][..], |run| &run.rows);
    let mut names: Vec<(&str, bool)> = Vec::new();
    let timed = connect.or(one_get).unwrap_or_default();
    let timed = timed.iter().map(|row| (row.approach.as_str(), row.floor));
    for one in timed.chain(monitor_rows.iter().map(|row| (row.approach.as_str(), row.floor))) {
        if !names.contains(&one) {
            names.push(one);
        }
    }
    let of = |rows: Option<&'a [Row]>, name: &str| {
        rows.unwrap_or_default().iter().find(|row| row.approach == name)
    };
    names
        .into_iter()
        .map(|(approach, floor)| Line {
            approach,
            server,
            floor,
            connect: of(connect, approach),
            one_get: of(one_get, approach),
            bulk_get: of(bulk_get, approach),
            monitor: monitor_rows.iter().find(|row| row.approach == approach),
            verdicts: judgement
                .verdicts
                .iter()
                .filter(|one| one.approach == approach && one.server == server)
                .filter(|one| lookup.is_none_or(|lookup| one.lookup == lookup))
                .collect(),
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

fn table(lines: &[Line<'_>]) -> Table {
    let timed = |row: Option<&Row>| or_dash(row, |row| microseconds(row.figure_s.median));
    Columns::of(lines)
        .words("approach", |line| {
            let is_elsewhere = |other: &&Line<'_>| other.approach == line.approach;
            match lines.iter().filter(is_elsewhere).count() {
                1 => line.approach.to_owned(),
                _ => format!("{}{}", line.approach, place(line.server)),
            }
        })
        .number("connect", |line| {
            timed(line.connect) + line.mark(Metric::Time(Timed::CONNECT_BULK))
        })
        .number("one get", |line| timed(line.one_get) + line.mark(Metric::Time(ONE_GET)))
        .number("bulk get", |line| timed(line.bulk_get) + line.mark(Metric::Time(BULK_GET)))
        .number("1 s slower", |line| {
            let over = line.connect.filter(|_| !line.floor).and_then(|row| row.over_fastest_s);
            or_dash(over.as_ref(), from_how_many)
        })
        .number("CPU", |line| {
            let cpu = line.monitor.and_then(|row| row.client_cpu.as_ref());
            or_dash(cpu, |cpu| percent(cpu.mean_percent)) + line.mark(Metric::CpuUse(Party::Client))
        })
        .number("lost", |line| {
            let lost = or_dash(line.monitor, |row| grouped(row.updates.lost as usize));
            lost + line.mark(Metric::UpdatesLost)
        })
        .number("growth", |line| {
            let growth = line.monitor.and_then(|row| row.client_memory.growth_bytes_per_minute);
            or_dash(growth, |growth| format!("{:.1}", growth.median / 1e6))
                + line.mark(Metric::Growth(Party::Client))
        })
        .table()
}

fn from_how_many(over_fastest_s: &Interval) -> String {
    crossing(over_fastest_s, 1.0).map_or("never".to_owned(), |pvs| grouped(pvs as usize))
}

impl Line<'_> {
    /// `!` for over, `?` for undecided, of the worst verdict on this figure.
    fn mark(&self, metric: Metric) -> &'static str {
        let own = self.verdicts.iter().filter(|verdict| verdict.metric == metric);
        match own.map(|verdict| verdict.outcome).max() {
            Some(Outcome::Over | Outcome::Failed) => " !",
            Some(Outcome::Undecided) => " ?",
            Some(Outcome::Within) | None => "",
        }
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

fn caption(judgement: &Judgement, lines: &[Line<'_>]) -> String {
    let mut words = Vec::new();
    let pvs = judgement.figures.iter().filter(|one| one.connected == Mode::Bulk).map(|one| one.pvs);
    if let Some(pvs) = pvs.max() {
        words.push(format!(
            "Connect and bulk get: µs/PV at {} PVs. One get: µs. 1 s slower: from how many PVs on \
             connecting takes 1 s longer than with the fastest.",
            grouped(pvs)
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
