//! What a report says, in which order.

use super::document::{Part, Table, number, words};
use super::published;
use crate::judge::{Advice, BUDGET, Figures, Judgement, Metric, Outcome, Row, Scaling, Verdict};
use crate::protocol::{Mode, Stage};
use crate::record::{FailureKind, RunRecords};
use crate::stats::Interval;
use crate::units::{grouped, scientific, signed};

/// How much a report holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// What fits on a few screens.
    Summary,
    /// Everything.
    Full,
}

pub(super) fn report(run: &RunRecords, judgement: &Judgement, detail: Detail) -> Vec<Part> {
    let mut parts = vec![Part::Heading(1, "EPICS clients, measured".to_owned())];
    parts.extend(interruption(run));
    for figures in judgement.figures.iter().filter(|figures| is_shown(figures, judgement, detail)) {
        parts.extend(figures_section(figures, &judgement.verdicts));
    }
    parts.extend(scaling_section(judgement));
    parts.extend(published_section(judgement));
    parts.extend(failures_section(judgement));
    parts.extend(answer(judgement));
    match detail {
        Detail::Full => parts.extend(method_section(run)),
        Detail::Summary => parts.push(Part::Text(blocks(run))),
    }
    parts
}

fn interruption(run: &RunRecords) -> Option<Part> {
    let note = match &run.end {
        None => "This run was cut off; the report holds what was measured until then.",
        Some(end) if end.interrupted => {
            "This run was interrupted; the report holds what was measured until then."
        }
        Some(_) => return None,
    };
    Some(Part::Text(note.to_owned()))
}

/// The summary holds connecting at every count of PVs, and reading at the most.
fn is_shown(figures: &Figures, judgement: &Judgement, detail: Detail) -> bool {
    let most = judgement
        .figures
        .iter()
        .filter(|other| other.connected == figures.connected)
        .map(|other| other.pvs)
        .max();
    let metric = figures.metric;
    detail == Detail::Full
        || metric.stage == Stage::Connect
        || (figures.connected == Mode::Bulk
            && Some(figures.pvs) == most
            && matches!(metric.stage, Stage::Get | Stage::GetAgain))
}

fn figures_section(figures: &Figures, verdicts: &[Verdict]) -> [Part; 2] {
    let pvs = grouped(figures.pvs);
    let how = match figures.connected {
        Mode::Bulk => "connected in bulk",
        Mode::Serial => "connected one by one",
    };
    let noun = if figures.pvs == 1 { "PV" } else { "PVs" };
    let heading = if figures.metric.stage == Stage::Connect {
        format!("{}: {pvs} {noun}", figures.metric.name())
    } else {
        format!("{}: of {pvs} {noun} {how}", figures.metric.name())
    };
    let unit = if figures.metric.is_per_pv() { "s per PV" } else { "s" };
    let table = Table {
        columns: vec![
            words("approach"),
            number(unit),
            number("interval"),
            number("over floor"),
            number("over fastest"),
            words("verdict"),
        ],
        rows: figures.rows.iter().map(|row| figures_row(figures, row, verdicts)).collect(),
    };
    [Part::Heading(2, heading), Part::Table(table)]
}

fn figures_row(figures: &Figures, row: &Row, verdicts: &[Verdict]) -> Vec<String> {
    let is_fastest = figures.fastest.as_ref() == Some(&row.approach);
    let joint = row.joint
        && figures.metric == Metric { stage: Stage::Connect, mode: Mode::Bulk }
        && !row.floor;
    let approach = if joint { format!("{} *", row.approach) } else { row.approach.clone() };
    let verdict = if row.floor {
        "floor".to_owned()
    } else {
        let own = verdicts.iter().filter(|verdict| {
            verdict.approach == row.approach
                && (verdict.pvs, verdict.connected) == (figures.pvs, figures.connected)
                && (verdict.metric == figures.metric.name() || verdict.outcome == Outcome::Failed)
        });
        worst(own)
    };
    vec![
        approach,
        scientific(row.figure_s.median),
        range(&row.figure_s),
        difference(row.over_floor_s.as_ref().filter(|_| !row.floor)),
        if is_fastest {
            "fastest".to_owned()
        } else {
            difference(row.over_fastest_s.as_ref().filter(|_| !row.floor))
        },
        verdict,
    ]
}

fn scaling_section(judgement: &Judgement) -> Vec<Part> {
    let Some(first) = judgement.scaling.first() else { return Vec::new() };
    let rows = judgement.scaling.iter().map(|row| scaling_row(row, &judgement.verdicts)).collect();
    let table = Table {
        columns: vec![
            words("approach"),
            number("s per PV"),
            number("interval"),
            number("over floor"),
            number("intercept s"),
            words("verdict"),
        ],
        rows,
    };
    let text = format!(
        "Time to connect against the count of PVs, up to {}: the slope is what one more PV costs, \
         the intercept what no count of PVs explains (libca sends its first search up to 32 ms \
         late).",
        grouped(first.most_pvs)
    );
    vec![
        Part::Heading(2, "connect: slope and intercept".to_owned()),
        Part::Text(text),
        Part::Table(table),
    ]
}

fn scaling_row(row: &Scaling, verdicts: &[Verdict]) -> Vec<String> {
    let own = verdicts
        .iter()
        .filter(|verdict| verdict.approach == row.approach && verdict.metric == "connect slope");
    vec![
        row.approach.clone(),
        scientific(row.slope_s.median),
        range(&row.slope_s),
        difference(row.over_floor_s.as_ref()),
        scientific(row.intercept_s.median),
        worst(own),
    ]
}

fn published_section(judgement: &Judgement) -> Vec<Part> {
    let measured = |approach: &str, stage: Stage| {
        judgement
            .figures
            .iter()
            .filter(|figures| figures.pvs == 1 && figures.metric.stage == stage)
            .filter(|figures| stage == Stage::Connect || figures.metric.mode == Mode::Serial)
            .find_map(|figures| figures.rows.iter().find(|row| row.approach == approach))
            .map_or("-".to_owned(), |row| scientific(row.figure_s.median))
    };
    let rows: Vec<Vec<String>> = published::SLAC
        .iter()
        .map(|row| {
            vec![
                row.approach.to_owned(),
                scientific(row.connect_s),
                measured(row.approach, Stage::Connect),
                scientific(row.get_s),
                measured(row.approach, Stage::Get),
                scientific(row.get_again_s),
                measured(row.approach, Stage::GetAgain),
            ]
        })
        .collect();
    if rows.iter().all(|row| row[2] == "-") {
        return Vec::new();
    }
    let table = Table {
        columns: vec![
            words("one PV"),
            number("connect"),
            number("here"),
            number("get"),
            number("here"),
            number("get again"),
            number("here"),
        ],
        rows,
    };
    let text = "Seconds as SLAC published them for its modules, and as measured here. Machines \
                differ: compare the columns' order, not their values. The published second get of \
                pyca is a stale read; here every value is checked.";
    vec![
        Part::Heading(2, "beside the published figures".to_owned()),
        Part::Text(text.to_owned()),
        Part::Table(table),
    ]
}

fn failures_section(judgement: &Judgement) -> Vec<Part> {
    if judgement.failures.is_empty() {
        return Vec::new();
    }
    let mut parts = vec![Part::Heading(2, "could not be measured".to_owned())];
    for failure in &judgement.failures {
        let workers = if failure.count == 1 { "worker" } else { "workers" };
        let kind = failure.kind.name();
        let hint = match failure.kind {
            FailureKind::Missing => " (--allow-missing leaves it out of the exit code)",
            _ => "",
        };
        parts.push(Part::Text(format!(
            "{}: {kind}, {} {workers}{hint}",
            failure.approach, failure.count
        )));
        parts.push(Part::Verbatim(failure.first.clone()));
    }
    parts
}

fn answer(judgement: &Judgement) -> Vec<Part> {
    let mut statements = advice_statements(&judgement.advice);
    for verdict in judgement.verdicts.iter().filter(|verdict| verdict.is_worse_than_expected()) {
        statements.push(format!("LIMIT BROKEN: {}", described(verdict)));
    }
    for verdict in judgement.verdicts.iter().filter(|verdict| verdict.is_better_than_expected()) {
        statements.push(format!(
            "Better than expected, so update the expectation: {}",
            described(verdict)
        ));
    }
    let undecided: Vec<&Verdict> =
        judgement.verdicts.iter().filter(|verdict| verdict.outcome == Outcome::Undecided).collect();
    if let Some(first) = undecided.first() {
        statements.push(format!(
            "Undecided: {} of {} verdicts, for instance {}. Ask for more --blocks (at least 5).",
            undecided.len(),
            judgement.verdicts.len(),
            described(first)
        ));
    }
    vec![Part::Heading(2, "the answer".to_owned()), Part::List(statements)]
}

fn described(verdict: &Verdict) -> String {
    let over = verdict.over_s.as_ref().map_or("not measured".to_owned(), |over| {
        format!("{} s per PV ({})", signed(over.median), range(over))
    });
    format!(
        "{}, {} at {} PVs: {over} {}, limit {}",
        verdict.approach,
        verdict.metric,
        grouped(verdict.pvs),
        verdict.relative.map_or("", |relative| relative.name()),
        verdict.limit_s.map_or("-".to_owned(), scientific),
    )
}

fn advice_statements(advice: &Advice) -> Vec<String> {
    let Some(pvs) = advice.pvs else {
        return vec!["Nothing was measured, so nothing can be said.".to_owned()];
    };
    let mut statements = Vec::new();
    let pvs = grouped(pvs);
    if advice.too_slow.is_empty() {
        if !advice.acceptable.is_empty() {
            statements.push(format!(
                "Up to {pvs} PVs no approach has to be preferred for speed: {} are all within {} s \
                 of each other in connecting and reading.",
                advice.acceptable.join(", "),
                BUDGET.delay_s
            ));
        }
    } else if !advice.acceptable.is_empty() {
        let slower: Vec<String> = advice
            .too_slow
            .iter()
            .map(|slower| {
                format!(
                    "{} ({} s per PV in {})",
                    slower.approach,
                    signed(slower.over_fastest_s),
                    slower.metric
                )
            })
            .collect();
        statements.push(format!(
            "At {pvs} PVs {} must be preferred for speed to {}.",
            advice.acceptable.join(", "),
            slower.join(", ")
        ));
    }
    if let (Some(simplest), Some(reason)) = (&advice.simplest, &advice.simplest_reason) {
        statements
            .push(format!("Among those within the limits {simplest} is the simplest: {reason}."));
    }
    if !advice.unknown.is_empty() {
        statements.push(format!(
            "Nothing is decided about {}: undecided, or not measured.",
            advice.unknown.join(", ")
        ));
    }
    statements
}

fn method_section(run: &RunRecords) -> Vec<Part> {
    let facts = &run.run;
    let machine = &facts.machine;
    let mut statements = vec![
        format!(
            "{} A block is one fresh process of every approach, in random order, against one fresh \
             IOC",
            blocks(run)
        ),
        "interval: order statistics around the median that cover it with at least 90 %; \
         differences are taken within blocks"
            .to_owned(),
        "connect is the time from the start of create to the end of connect; * marks approaches \
         whose API does both in one call"
            .to_owned(),
        format!(
            "limits: connect {} s per PV (1 s / 10 000 PVs), get {} s (1 s / 100 PVs), over the \
             floor and over the fastest",
            scientific(BUDGET.connect_s_per_pv()),
            scientific(BUDGET.get_s_per_pv())
        ),
        format!(
            "machine: {} cores of {}, {}, kernel {}, {} MiB",
            machine.cores,
            machine.model,
            machine.system,
            machine.kernel,
            machine.memory_bytes >> 20
        ),
        format!("IOC, libca and epics-ca: EPICS Base {}, {}", facts.base, facts.compiler),
        format!("started {} with `epics-gauge {}`", facts.started_utc, facts.arguments.join(" ")),
    ];
    statements.extend(versions(run));
    vec![Part::Heading(2, "method".to_owned()), Part::List(statements)]
}

fn blocks(run: &RunRecords) -> String {
    let noun = if run.run.blocks == 1 { "block" } else { "blocks" };
    format!("{} {noun} of each cell in random order, seed {}.", run.run.blocks, run.run.seed)
}

fn versions(run: &RunRecords) -> Vec<String> {
    let mut statements = Vec::new();
    for facts in &run.run.approaches {
        let records = || run.records.iter().filter(|record| record.approach == facts.name);
        let Some(record) = records().find(|record| !record.versions.is_empty()) else { continue };
        let versions: Vec<String> =
            record.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        statements.push(format!("{}: {}", facts.name, versions.join(", ")));
        for warning in &record.warnings {
            statements.push(format!("{}: {warning}", facts.name));
        }
    }
    statements
}

/// The word for the worst of an approach's verdicts in one row; capitals are for
/// what was not expected.
fn worst<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> String {
    let worst = verdicts.max_by_key(|verdict| (verdict.is_worse_than_expected(), verdict.outcome));
    match worst {
        None => String::new(),
        Some(verdict) if verdict.is_worse_than_expected() => "OVER".to_owned(),
        Some(verdict) if verdict.outcome == Outcome::Over => "over (known)".to_owned(),
        Some(verdict) => verdict.outcome.name().to_owned(),
    }
}

fn range(interval: &Interval) -> String {
    format!("{} .. {}", scientific(interval.low), scientific(interval.high))
}

fn difference(interval: Option<&Interval>) -> String {
    interval.map_or(String::new(), |interval| signed(interval.median))
}
