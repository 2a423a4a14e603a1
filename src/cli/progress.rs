//! A bar on stderr while a run goes on, when that is a terminal.

use std::io::IsTerminal;

use epics_gauge::measure::Cell;
use epics_gauge::python_site::{Missing, PythonSite};
use epics_gauge::record::Record;
use epics_gauge::scenario::Words;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const TEMPLATE: &str = "{bar:24} {pos}/{len} workers, {eta} left  {wide_msg}";

pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn of(workers: usize) -> Bar {
        let bar = ProgressBar::new(workers as u64);
        if !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        Bar(bar)
    }

    /// There are more than was known.
    pub(super) fn more(&self, workers: usize) {
        self.0.inc_length(workers as u64);
    }

    pub(super) fn started(&self, cell: &Cell, approach: &str) {
        let configuration = cell.configuration().in_words(Words::Progress);
        self.0.set_message(format!("{approach} {configuration}"));
    }

    pub(super) fn finished(&self) {
        self.0.inc(1);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A bar over pairs, of which there may be fewer than it says.
pub(super) struct PairBar(Bar);

impl PairBar {
    pub(super) fn of(pairs: usize) -> PairBar {
        PairBar(Bar::of(2 * pairs))
    }

    pub(super) fn finished(&self, record: &Record) {
        let Record { approach, server, block, confirms, .. } = record;
        let phase = if *confirms { "fresh" } else { "screening" };
        self.0.0.set_message(format!("{approach} on {server}, pair {block}, {phase}"));
        self.0.finished();
    }
}

/// The Python packages; says on stderr how it goes when they have to be
/// downloaded first.
pub(super) fn python_site() -> Result<PythonSite, Missing> {
    let mut note = None;
    PythonSite::install(|line| {
        let begin = || Note::new("downloading the Python packages, this once");
        note.get_or_insert_with(begin).update(line);
    })
}

/// A line that is overwritten by the next; for steps before the bar.
struct Note(ProgressBar);

impl Note {
    fn new(text: &str) -> Note {
        if !std::io::stderr().is_terminal() {
            eprintln!("{text}");
            return Note(ProgressBar::hidden());
        }
        let note = ProgressBar::new_spinner();
        note.set_message(text.to_owned());
        Note(note)
    }

    fn update(&self, text: &str) {
        self.0.set_message(text.trim().to_owned());
        self.0.tick();
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
