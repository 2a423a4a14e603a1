//! A report as one HTML page that needs nothing else: no network, no font, no library.

mod chart;
mod command;
mod figures;
mod parts;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::answer::answer;
use super::content::{self, Detail};
use super::document::Part;
use super::method::{bias_section, method_section};
use super::verdict_table::{all_verdicts, verdicts_section};
use super::{Calibrated, Judgement, RunRecords, calibration};
use crate::judge::contest::ContestJudgement;
use crate::judge::history::History;
use figures::Figure;

const DRAWING_STYLE: &str = include_str!("drawing.css");
const PAGE_STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("script.js");

/// The page of a run that was held to limits.
pub(super) fn of_run(run: &RunRecords, judgement: &Judgement, known: &[Calibrated]) -> String {
    let figures = figures::all(run, judgement);
    let mut method = method_section(run, judgement);
    method.extend(bias_section());
    method.extend(calibration::of_report(known, Detail::Full));
    let tables = content::tables(run, judgement, Detail::Full);
    let content = html! {
        section id="answer" { (parts::parts(&answer(judgement))) }
        section id="verdicts" {
            (parts::parts(&verdicts_section(judgement)))
            @if !judgement.verdicts.is_empty() {
                details {
                    summary { "All " (judgement.verdicts.len()) " verdicts" }
                    (parts::table(&all_verdicts(judgement)))
                }
            }
        }
        (figures_section(&figures))
        @if !tables.is_empty() {
            section id="tables" {
                h2 { "Every table" }
                details {
                    summary { "The tables of report.md" }
                    div class="tables" { (parts::parts(&tables)) }
                }
            }
        }
        section id="method" { (parts::parts(&method)) }
    };
    page(content::TITLE, &lead(run), &content)
}

/// A page of parts, of which the first is its title, and of figures between these and
/// the `rest`.
fn of_parts_and(all: &[Part], figures: &[Figure], rest: &[Part]) -> String {
    let (title, first) = match all {
        [Part::Heading(1, title), first @ ..] => (title.as_str(), first),
        all => (content::TITLE, all),
    };
    let content = html! {
        (parts::parts(first))
        (figures_section(figures))
        (parts::parts(rest))
    };
    page(title, &html! {}, &content)
}

/// The page of what has no figures, such as a calibration.
pub(super) fn of_parts(all: &[Part]) -> String {
    of_parts_and(all, &[], &[])
}

/// The page of a comparison, of which `all` are the parts.
pub(super) fn of_contest(judgement: &ContestJudgement, all: &[Part]) -> String {
    let is_heading = |part: &Part| matches!(part, Part::Heading(2, _));
    let (answer, rest) = all.split_at(all.iter().position(is_heading).unwrap_or(all.len()));
    of_parts_and(answer, &figures::of_contest(judgement), rest)
}

/// The page of several runs, of which `all` are the parts without tables of figures:
/// those are in the figures.
pub(super) fn of_history(history: &History, all: &[Part]) -> String {
    of_parts_and(all, &figures::of_history(history), &[])
}

/// One figure of a run as a picture by itself, which is light or dark with its reader.
///
/// # Errors
/// The ids of all figures, where there is none of this one.
pub(super) fn picture(
    run: &RunRecords,
    judgement: &Judgement,
    id: &str,
) -> Result<String, Vec<String>> {
    let figures = figures::all(run, judgement);
    match figures.iter().find(|figure| figure.id == id) {
        Some(figure) => Ok(figure.drawings[0].alone(&figure.title, DRAWING_STYLE).into_string()),
        None => Err(figures.into_iter().map(|figure| figure.id).collect()),
    }
}

/// What was measured, where and when.
fn lead(run: &RunRecords) -> Markup {
    let machine = &run.run.machine;
    // Where it was fetched from, and its hash, are of the method.
    let base = run.run.base.split(' ').next().unwrap_or_default();
    html! {
        p class="lead" {
            "Measured " (run.run.started_utc) " on " (machine.cores) " cores of "
            (machine.model) ", " (machine.system) ", by epics-gauge " (run.run.version)
            " with EPICS Base " (base) "."
        }
        @for note in content::notes(run) {
            div class="note" { (parts::parts(&[note])) }
        }
    }
}

fn figures_section(figures: &[Figure]) -> Markup {
    html! {
        @if !figures.is_empty() {
            section id="figures" {
                h2 { "Figures" }
                p {
                    "Point at a mark to see its value and interval. Each figure has its numbers as "
                    "a table"
                    @if figures.iter().any(|figure| figure.command.is_some()) {
                        ", and the command that measures it again"
                    }
                    "."
                }
                nav aria-label="Figures" {
                    details {
                        summary { (figures.len()) " figures" }
                        ul { @for figure in figures {
                            li { a href={ "#" (figure.id) } { (parts::capitalized(&figure.title)) } }
                        } }
                    }
                }
                div class="figures" { @for figure in figures { (drawn(figure)) } }
            }
        }
    }
}

fn drawn(figure: &Figure) -> Markup {
    html! {
        figure id=(figure.id) {
            figcaption {
                h3 { (parts::capitalized(&figure.title)) }
                p { (figure.says) }
            }
            @if !figure.legend.is_empty() {
                ul class="legend" { @for (name, class) in &figure.legend {
                    li { span class={ "swatch " (class) } {} (name) }
                } }
            }
            @for drawing in &figure.drawings { (drawing) }
            details {
                summary { "The numbers of: " (figure.title) }
                (parts::table(&figure.table))
                @if let Some(command) = &figure.command {
                    p { "Measured again by" }
                    pre class="scrolls command" tabindex="0" { code { (command) } }
                }
            }
        }
    }
}

fn page(title: &str, lead: &Markup, content: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // A page opened from a disk asks for this else.
                link rel="icon" href="data:,";
                title { (title) }
                style { (PreEscaped(DRAWING_STYLE)) (PreEscaped(PAGE_STYLE)) }
            }
            body {
                header { h1 { (title) } (lead) }
                main { (content) }
                div id="tip" role="status" hidden {}
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}
