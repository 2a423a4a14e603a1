//! `floor`: shows that the floors are floors on this machine.

use epics_gauge::campaign;
use epics_gauge::measure::{self, Candidate, Shown, ShownStage, Took};
use epics_gauge::protocol::Protocol;
use epics_gauge::python_site::Missing;
use epics_gauge::stats::{CONFIDENCE_WANTED, Interval, median, median_interval};
use epics_gauge::units::counted;
use serde::Serialize;

use super::arguments::{FloorArguments, FloorFormat};
use super::exit::Exit;
use super::run::own_program;
use super::stdout::print;
use super::{Failure, catalogue, measuring_lock, servers};

/// The columns, each as wide as its widest cell.
const HEADINGS: [&str; 9] = [
    "stage",
    "floor, µs/PV",
    "replay, µs/PV",
    "floor / replay",
    "server busy",
    "client CPU",
    "messages sent (required)",
    "bytes sent (required)",
    "bytes received (required)",
];

pub(super) fn run(arguments: &FloorArguments) -> Result<Exit, Failure> {
    let _lock = measuring_lock(arguments.no_wait)?;
    let servers = servers(None)?;
    let pvs = arguments.pvs;
    let mut floors_shown = Vec::new();
    for floor in floors()? {
        let protocol = floor.approach.protocol;
        let usual = servers.all().iter().find(|kind| {
            kind.is_usual && kind.has_shell && kind.protocols.first() == Some(&protocol)
        });
        let Some(server) = usual else {
            eprintln!(
                "no server of this build serves {protocol}: {} is left out",
                floor.approach.name
            );
            continue;
        };
        let blocks = arguments.blocks as usize;
        let report = |block: usize| {
            eprintln!(
                "{} on {}: block {} of {blocks}",
                floor.approach.name,
                server.name,
                block + 1
            );
        };
        let shown = measure::show_floor(&floor, &servers, &server.name, (pvs, blocks), report);
        match shown.map_err(|failure| Failure::unmeasured(failure.message))? {
            None => return Ok(Exit::Interrupted),
            Some(shown) if arguments.format == FloorFormat::Tables => print(&table(&shown))?,
            Some(shown) => floors_shown.push(shown),
        }
    }
    if arguments.format == FloorFormat::Json {
        let document = Document { format: FORMAT, floors: &floors_shown };
        let text = serde_json::to_string_pretty(&document).map_err(Failure::unmeasured)?;
        print(&(text + "\n"))?;
    }
    Ok(Exit::Good)
}

/// The number of the JSON's format; `docs/data.md` has its fields.
const FORMAT: u32 = 1;

/// What `--format json` prints.
#[derive(Debug, Serialize)]
struct Document<'a> {
    format: u32,
    floors: &'a [Shown],
}

fn floors() -> Result<Vec<Candidate>, Failure> {
    let catalogue = catalogue(None)?;
    let approaches: Vec<_> =
        catalogue.all().iter().filter(|approach| approach.floor).cloned().collect();
    let none = Err(Missing("no floor needs Python".to_owned()));
    let mut candidates = campaign::candidates(&approaches, &own_program()?, &none);
    candidates.sort_by_key(|candidate| candidate.approach.protocol == Protocol::Pva);
    Ok(candidates)
}

/// One floor as a table of Markdown, which a terminal can show too.
fn table(shown: &Shown) -> String {
    let rows = shown.stages.iter().map(|stage| row(stage, shown.pvs as f64));
    let cells: Vec<[String; 9]> =
        std::iter::once(HEADINGS.map(str::to_owned)).chain(rows).collect();
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max();
    let line = |row: &[String; 9]| {
        let cells = row.iter().enumerate();
        let cells = cells.map(|(at, cell)| format!(" {cell:<0$} ", width(at).unwrap_or(0)));
        format!("|{}|\n", cells.collect::<Vec<_>>().join("|"))
    };
    let rule = HEADINGS.map(|_| "---".to_owned());
    let mut text = format!(
        "\n{} on {}, {}, by name server\n\n",
        shown.approach,
        shown.server,
        counted(shown.pvs, "PV")
    );
    for (at, row) in cells.iter().enumerate() {
        text += &line(row);
        if at == 0 {
            text += &line(&rule);
        }
    }
    text
}

fn row(stage: &ShownStage, pvs: f64) -> [String; 9] {
    let us_per_pv = |took: &[Took]| {
        let each: Vec<f64> = took.iter().map(|one| one.seconds * 1e6 / pvs).collect();
        median_interval(&each, CONFIDENCE_WANTED)
    };
    let of_floor = |part: fn(&Took) -> f64| {
        let each: Vec<f64> = stage.floor.iter().map(|one| part(one) / one.seconds).collect();
        format!("{:.0} %", 100.0 * median(&each))
    };
    let ratios: Vec<f64> = (stage.floor.iter().zip(&stage.replayed))
        .map(|(floor, replayed)| floor.seconds / replayed.seconds)
        .collect();
    let against = |seen: u64, required: u64| {
        format!("{:.2} ({:.2})", seen as f64 / pvs, required as f64 / pvs)
    };
    let received = stage.received.bytes;
    [
        stage.stage.to_string(),
        ranged(us_per_pv(&stage.floor), 1),
        ranged(us_per_pv(&stage.replayed), 1),
        ranged(median_interval(&ratios, CONFIDENCE_WANTED), 2),
        of_floor(|took| took.server_cpu_s),
        of_floor(|took| took.client_cpu_s),
        against(stage.sent.messages, stage.required.messages),
        against(stage.sent.bytes, stage.required.bytes),
        match stage.required_to_receive {
            Some(required) => against(received, required.bytes),
            None => format!("{:.2}", received as f64 / pvs),
        },
    ]
}

/// The median and its interval; a dash where blocks are too few for one.
fn ranged(interval: Option<Interval>, digits: usize) -> String {
    interval.map_or("-".to_owned(), |Interval { median, low, high, .. }| {
        format!("{median:.digits$} ({low:.digits$} to {high:.digits$})")
    })
}
