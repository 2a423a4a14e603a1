//! One table of verdicts that opens with what to do.

use crate::judge::{Judgement, Outcome, Verdict};
use crate::metric::Unit;
use crate::report::document::{Columns, Part, Table};
use crate::report::words::{judged, or_dash, relation, worst};
use crate::stats::Interval;
use crate::units::counted;

/// What a reader has to do about a verdict; the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum ToDo {
    Fix,
    LookWhy,
    MeasureMore,
    UpdateExpectation,
    NothingKnown,
    Nothing,
}

impl ToDo {
    fn of(verdict: &Verdict) -> ToDo {
        match verdict.outcome {
            Outcome::Failed if verdict.expected_over.is_none() => ToDo::LookWhy,
            _ if verdict.is_worse_than_expected() => ToDo::Fix,
            _ if verdict.is_open() => ToDo::MeasureMore,
            _ if verdict.is_better_than_expected() => ToDo::UpdateExpectation,
            Outcome::Within => ToDo::Nothing,
            _ => ToDo::NothingKnown,
        }
    }

    fn words(self, verdict: &Verdict) -> String {
        match self {
            ToDo::Fix => "fix it, or choose another".to_owned(),
            ToDo::LookWhy => "find out why it failed".to_owned(),
            ToDo::MeasureMore => match verdict.more_blocks {
                Some(more) => format!("measure {} more", counted(more, "block")),
                None => "measure again".to_owned(),
            },
            ToDo::UpdateExpectation => "change the expectation".to_owned(),
            ToDo::NothingKnown if verdict.outcome == Outcome::Undecided => {
                "nothing: undecided, and may be over".to_owned()
            }
            ToDo::NothingKnown => "nothing: expected".to_owned(),
            ToDo::Nothing => "nothing".to_owned(),
        }
    }
}

/// Verdicts that ask for something, each in a row, then how many ask for nothing.
pub(super) fn to_do(judgement: &Judgement) -> Vec<Part> {
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
pub(super) fn all(judgement: &Judgement) -> Part {
    Part::Table(table(&sorted(judgement)))
}

fn sorted(judgement: &Judgement) -> Vec<&Verdict> {
    let mut all: Vec<&Verdict> = judgement.verdicts.iter().collect();
    all.sort_by_key(|verdict| ToDo::of(verdict));
    all
}

fn rest(all: &[&Verdict], asking: usize) -> String {
    let count = |wanted: ToDo| all.iter().filter(|verdict| ToDo::of(verdict) == wanted).count();
    let is_undecided = |verdict: &&&Verdict| verdict.outcome == Outcome::Undecided;
    let undecided = all.iter().filter(is_undecided).count();
    let open = all.iter().filter(|verdict| verdict.is_open()).count();
    let (within, known) =
        (count(ToDo::Nothing), count(ToDo::NothingKnown).saturating_sub(undecided - open));
    let mut text = match asking {
        0 => "Nothing: ".to_owned(),
        _ => "Nothing about the others: ".to_owned(),
    };
    text += &format!("{within} of {} verdicts are within their limits", all.len());
    if known > 0 {
        text += &format!(", {known} are over as expected");
    }
    if undecided > open {
        text += &format!(", {} are undecided and may be over", undecided - open);
    }
    text + "."
}

fn table(verdicts: &[&Verdict]) -> Table {
    Columns::of(verdicts.iter().copied())
        .words("what to do", |verdict| ToDo::of(verdict).words(verdict))
        .words("approach", |verdict| match verdict.approach.is_empty() {
            true => "the run".to_owned(),
            false => verdict.approach.clone(),
        })
        .words("what", |verdict| what(verdict))
        .number("figure", |verdict| {
            or_dash(verdict.figure.as_ref(), |figure| verdict.unit.amount(figure.median))
        })
        .number("interval", |verdict| {
            let range = verdict.figure.as_ref().and_then(|figure| range(verdict.unit, figure));
            or_dash(range, |range| range)
        })
        .number("limit", |verdict| verdict.unit.amount(verdict.limit))
        .words("verdict", |verdict| worst([*verdict].into_iter()))
        .table()
}

/// None where both ends read the same.
fn range(unit: Unit, figure: &Interval) -> Option<String> {
    let (low, high) = (unit.amount(figure.low), unit.amount(figure.high));
    (low != high).then(|| format!("{low} .. {high}"))
}

/// What was judged, in a few words: `connect bulk over floor, 1000 PVs`.
fn what(verdict: &Verdict) -> String {
    let judged = judged(verdict);
    if verdict.approach.is_empty() {
        return judged;
    }
    format!("{judged}{}, {}", relation(verdict), verdict.place())
}
