//! One table of verdicts that opens with what to do.

use super::cells::place;
use super::document::{Part, Table, number, words};
use crate::judge::{Judgement, Outcome, Relative, Unit, Verdict};
use crate::stats::Interval;
use crate::units::{counted, scientific};

/// What a reader has to do about a verdict; the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ToDo {
    Mend,
    LookWhy,
    MeasureMore,
    UpdateExpectation,
    NothingKnown,
    Nothing,
}

impl ToDo {
    pub(super) fn of(verdict: &Verdict) -> ToDo {
        match verdict.outcome {
            Outcome::Failed if verdict.expected_over.is_none() => ToDo::LookWhy,
            _ if verdict.is_worse_than_expected() => ToDo::Mend,
            _ if verdict.is_open() => ToDo::MeasureMore,
            _ if verdict.is_better_than_expected() => ToDo::UpdateExpectation,
            Outcome::Within => ToDo::Nothing,
            _ => ToDo::NothingKnown,
        }
    }

    fn words(self, verdict: &Verdict) -> String {
        match self {
            ToDo::Mend => "mend it, or choose another".to_owned(),
            ToDo::LookWhy => "look why it failed".to_owned(),
            ToDo::MeasureMore => match verdict.more_blocks {
                Some(more) => format!("measure {} more", counted(more, "block")),
                None => "measure again".to_owned(),
            },
            ToDo::UpdateExpectation => "expect it to be within".to_owned(),
            ToDo::NothingKnown => "nothing, it is known".to_owned(),
            ToDo::Nothing => "nothing".to_owned(),
        }
    }
}

/// Verdicts that ask for something, each in a row, then how many ask for nothing.
pub(super) fn verdicts_section(judgement: &Judgement) -> Vec<Part> {
    if judgement.verdicts.is_empty() {
        return Vec::new();
    }
    let asks = |verdict: &&&Verdict| ToDo::of(verdict) < ToDo::NothingKnown;
    let all = sorted(judgement);
    let asking: Vec<&Verdict> = all.iter().filter(asks).copied().collect();
    let mut parts = vec![Part::Heading(2, "what to do".to_owned())];
    if !asking.is_empty() {
        parts.push(Part::Table(table(&asking)));
    }
    parts.push(Part::Text(rest(&all, asking.len())));
    parts
}

/// Every verdict, the most urgent first.
pub(super) fn all_verdicts(judgement: &Judgement) -> Table {
    table(&sorted(judgement))
}

fn sorted(judgement: &Judgement) -> Vec<&Verdict> {
    let mut all: Vec<&Verdict> = judgement.verdicts.iter().collect();
    all.sort_by_key(|verdict| ToDo::of(verdict));
    all
}

fn rest(all: &[&Verdict], asking: usize) -> String {
    let count = |wanted: ToDo| all.iter().filter(|verdict| ToDo::of(verdict) == wanted).count();
    let (within, known) = (count(ToDo::Nothing), count(ToDo::NothingKnown));
    let mut text = match asking {
        0 => "Nothing: ".to_owned(),
        _ => "Nothing about the others: ".to_owned(),
    };
    text += &format!("{within} of {} verdicts are within their limits", all.len());
    if known > 0 {
        text += &format!(", {known} are known and expected");
    }
    text + "."
}

fn table(verdicts: &[&Verdict]) -> Table {
    Table {
        columns: vec![
            words("what to do"),
            words("approach"),
            words("what"),
            number("figure"),
            number("interval"),
            number("limit"),
            words("verdict"),
        ],
        rows: verdicts.iter().map(|verdict| row(verdict)).collect(),
    }
}

fn row(verdict: &Verdict) -> Vec<String> {
    let figure = |of: fn(&Interval) -> f64| {
        verdict.figure.as_ref().map(|interval| written(verdict.unit, of(interval)))
    };
    let range = match (figure(|one| one.low), figure(|one| one.high)) {
        (Some(low), Some(high)) if low != high => format!("{low} .. {high}"),
        _ => "-".to_owned(),
    };
    let who = match verdict.approach.is_empty() {
        true => "the run".to_owned(),
        false => verdict.approach.clone(),
    };
    vec![
        ToDo::of(verdict).words(verdict),
        who,
        what(verdict),
        figure(|one| one.median).unwrap_or_else(|| "-".to_owned()),
        range,
        verdict.unit.amount(verdict.limit),
        super::cells::worst([verdict].into_iter()),
    ]
}

fn written(unit: Unit, figure: f64) -> String {
    match unit {
        Unit::SecondsPerPv => scientific(figure),
        unit => unit.amount(figure),
    }
}

/// What was judged, in a few words: `connect bulk over floor, 1000 PVs`.
fn what(verdict: &Verdict) -> String {
    let judged = judged(verdict);
    if verdict.approach.is_empty() {
        return judged;
    }
    format!("{judged}{}, {}", relation(verdict), cell(verdict))
}

/// The metric and its scenario, which some metrics have in their names.
pub(super) fn judged(verdict: &Verdict) -> String {
    let metric = &verdict.metric;
    match verdict.scenario {
        Some(scenario) if metric.starts_with(scenario.name()) => metric.clone(),
        Some(scenario) => format!("{scenario} {metric}"),
        None => format!("run {metric}"),
    }
}

/// What it was compared with, such as ` over the floor`.
pub(super) fn relation(verdict: &Verdict) -> String {
    match verdict.relative {
        Relative::Nothing => String::new(),
        relative => format!(" {}", relative.name()),
    }
}

/// Where it was judged: how many PVs on which server, or which images at which rate.
pub(super) fn cell(verdict: &Verdict) -> String {
    let pvs = format!("{}{}", counted(verdict.pvs, "PV"), place(&verdict.server));
    let Some(load) = verdict.load else { return pvs };
    let pvs = if verdict.pvs == 0 { "all PVs".to_owned() } else { pvs };
    let what = load.pixels.map_or(pvs, |pixels| pixels.to_string());
    let disturbance =
        load.disturbance.map_or(String::new(), |disturbance| format!(", {}", disturbance.name()));
    format!("{what}, {} Hz{disturbance}", load.rate_hz)
}
