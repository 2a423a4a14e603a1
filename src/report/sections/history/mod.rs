//! Several runs, machine by machine.

mod figures;
mod series;

use crate::judge::history::{History, HistoryRun, MachineHistory, Nature, Series, VersionsFrom};
use crate::report::document::{Columns, Document, Part, Role, Section, Table};
use crate::report::words::{amount_with_range, level_change, or_dash, unit_name};
use crate::scenario::Words;
use crate::stats::{FALSE_ALARMS_IN_100, FEWEST_WITH_A_CHANGE};
use crate::units::counted;

pub(super) fn document(history: &History) -> Document {
    let mut sections = vec![Section::new(Role::Body, introduction(history))];
    for machine in &history.machines {
        sections.push(Section::new(Role::Body, of_machine(machine)));
        sections.push(Section::new(Role::NumbersOfFigures, series::tables(machine)));
    }
    sections.push(Section::of_figures(figures::all(history)));
    Document { title: "From run to run".to_owned(), lead: None, sections }
}

fn introduction(history: &History) -> Vec<Part> {
    let series: usize = history.machines.iter().map(|machine| machine.series.len()).sum();
    let mut parts = vec![Part::Text(format!(
        "A change of level is a change that several runs agree on. The chance of one where there \
         is none is at most {:.0} % for each figure in 100 runs; {} are watched here. It means that \
         the figure changed, and not why: the machine may have changed too.",
        100.0 * FALSE_ALARMS_IN_100,
        counted(series, "figure")
    ))];
    parts.push(Part::Text(
        "Intervals cover the median with 90 % or more where there are five blocks or more. The \
         machine may change between two runs, so only intervals that do not touch are pointed \
         out, and of many figures some of these are chance. To be certain, measure both versions \
         in one run: `epics-gauge compare`."
            .to_owned(),
    ));
    if history.machines.len() > 1 {
        parts.push(Part::Text(format!(
            "The runs are of {} machines, which stand apart.",
            history.machines.len()
        )));
    }
    parts
}

fn of_machine(history: &MachineHistory) -> Vec<Part> {
    let machine = &history.machine;
    let heading =
        format!("{}, {}, {}", machine.model, counted(machine.cores, "core"), machine.system);
    let mut parts = vec![Part::Heading(2, heading), Part::Table(runs(&history.runs))];
    if !history.versions.is_empty() {
        parts.push(Part::List(history.versions.iter().map(version).collect()));
    }
    parts.push(Part::Heading(3, "changes of level".to_owned()));
    let of_series = |series: &Series| {
        let changes = series.changes.iter().rev();
        changes.map(|change| level_change(history, series, change)).collect::<Vec<String>>()
    };
    let levels: Vec<String> = history.series.iter().flat_map(of_series).collect();
    parts.push(match levels.is_empty() {
        true => Part::Text(no_change_of_level(history)),
        false => Part::List(levels),
    });
    parts.push(Part::Heading(3, "what the last run changed".to_owned()));
    let changes: Vec<String> = history.series.iter().filter_map(change).collect();
    parts.push(match changes.is_empty() {
        true => Part::Text(no_change(history)),
        false => Part::List(changes),
    });
    parts
}

fn no_change_of_level(history: &MachineHistory) -> String {
    let (runs, fewest) = (history.runs.len(), FEWEST_WITH_A_CHANGE);
    match runs < fewest {
        true => format!("None can be found yet: that takes {fewest} runs, and there are {runs}."),
        false => "None.".to_owned(),
    }
}

fn no_change(history: &MachineHistory) -> String {
    match history.runs.len() {
        1 => "There is one run of this machine only.".to_owned(),
        _ => "Nothing that differs from chance.".to_owned(),
    }
}

fn runs(runs: &[HistoryRun]) -> Table {
    Columns::of(runs.iter().enumerate())
        .number("run", |(index, _)| (index + 1).to_string())
        .words("started, UTC", |(_, run)| run.started_utc.clone())
        .words("commit", |(_, run)| or_dash(run.revision.as_ref(), |known| known.short()))
        .words("branch", |(_, run)| {
            let branch = run.revision.as_ref().and_then(|known| known.branch.as_ref());
            or_dash(branch, String::clone)
        })
        .words("version", |(_, run)| run.version.clone())
        // The rest of it is a check sum.
        .words("Base", |(_, run)| run.base.split_whitespace().next().unwrap_or_default().to_owned())
        .words("end", |(_, run)| if run.complete { "" } else { "cut off" }.to_owned())
        .words("name", |(_, run)| run.name.clone())
        .table()
}

fn version(from: &VersionsFrom) -> String {
    format!("{} from run {} on: {}", from.of, from.run + 1, from.versions.join(", "))
}

fn change(series: &Series) -> Option<String> {
    let change = series.last_change?;
    let [.., before, last] = &series.points[..] else { return None };
    let word = if change.is_worse { "worse" } else { "better" };
    let by = match change.ratio {
        Some(ratio) if series.nature == Nature::Measured => {
            format!(" by {:+.1} %", 100.0 * (ratio - 1.0))
        }
        _ => String::new(),
    };
    Some(format!(
        "{}, {} of {}: {word}{by}, from {} (run {}) to {} (run {}) {}",
        series.approach,
        series.metric,
        series.configuration.in_words(Words::Full),
        amount_with_range(series.unit, before),
        before.run + 1,
        amount_with_range(series.unit, last),
        last.run + 1,
        unit_name(series.unit)
    ))
}
