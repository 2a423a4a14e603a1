//! How a run goes on: a bar where stderr is a terminal, a line now and then where it is a
//! file.

use std::io::IsTerminal;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use epics_gauge::measure::PlannedConfiguration;
use epics_gauge::python_site::{Chosen, Missing, PythonSite};
use epics_gauge::record::{PythonEnvironment, Record};
use epics_gauge::scenario::Words;
use epics_gauge::units::counted_of;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Failure;

const TEMPLATE: &str = "{bar:24} {pos}/{len} workers, {eta} left  {wide_msg}";

/// A log file gets a line so often, however long a worker takes.
const LINE_EVERY: Duration = Duration::from_secs(10);

pub(super) struct Bar {
    bar: ProgressBar,
    lines: Option<Lines>,
}

impl Bar {
    pub(super) fn of(workers: usize) -> Bar {
        let bar = ProgressBar::new(workers as u64);
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        if std::io::stderr().is_terminal() {
            return Bar { bar, lines: None };
        }
        bar.set_draw_target(ProgressDrawTarget::hidden());
        Bar { bar, lines: Some(Lines::of(workers)) }
    }

    /// There are more than was known.
    pub(super) fn more(&self, workers: usize) {
        self.bar.inc_length(workers as u64);
        self.note(|state| state.workers += workers);
    }

    pub(super) fn started(&self, planned: &PlannedConfiguration, approach: &str) {
        let configuration = planned.configuration().in_words(Words::Progress);
        self.message(format!("{approach} {configuration}"));
    }

    pub(super) fn finished(&self) {
        self.bar.inc(1);
        self.note(|state| state.finished += 1);
    }

    fn message(&self, text: String) {
        self.bar.set_message(text.clone());
        self.note(|state| state.now = text);
    }

    fn note(&self, change: impl FnOnce(&mut State)) {
        if let Some(lines) = &self.lines {
            change(&mut lines.state.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// What is done and what is left.
struct State {
    began: Instant,
    workers: usize,
    finished: usize,
    /// What goes on.
    now: String,
}

impl State {
    /// Such as `30 of 120 workers, about 4 min left: pyca on softioc, 1000 PVs, bulk`.
    fn line(&self, passed: Duration) -> String {
        let left = self.workers.saturating_sub(self.finished);
        let left = match self.finished {
            0 => String::new(),
            finished => {
                format!(", about {} left", rounded(passed.mul_f64(left as f64 / finished as f64)))
            }
        };
        let workers = counted_of(self.finished, self.workers, "worker");
        format!("{workers}{left}: {}", self.now)
    }
}

/// Such as `40 s` or `4 min`.
fn rounded(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ ..90 => format!("{seconds} s"),
        seconds => format!("{} min", seconds.div_ceil(60)),
    }
}

/// A thread that writes a line now and then, until it is dropped.
struct Lines {
    state: Arc<Mutex<State>>,
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Lines {
    fn of(workers: usize) -> Lines {
        let began = Instant::now();
        let state = State { began, workers, finished: 0, now: "starting".to_owned() };
        let state = Arc::new(Mutex::new(state));
        let (end, ended) = mpsc::channel();
        let shared = Arc::clone(&state);
        let thread = thread::spawn(move || {
            while ended.recv_timeout(LINE_EVERY) == Err(RecvTimeoutError::Timeout) {
                let state = shared.lock().unwrap_or_else(PoisonError::into_inner);
                eprintln!("{}", state.line(state.began.elapsed()));
            }
        });
        Lines { state, end: Some(end), thread: Some(thread) }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // It only writes lines: a panic of it has been shown by itself.
            let _ = thread.join();
        }
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
        self.0.message(format!("{approach} on {server}, pair {block}, {phase}"));
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

/// Makes the environments of what the user chose, `named` as the user did, and describes
/// them; says on stderr how it goes when something has to be installed first. What cannot be
/// installed is left out: its approach or server is missing then, with the reason.
pub(super) fn environments<'a>(
    named: impl IntoIterator<Item = (&'a str, &'a Chosen)>,
) -> Result<Vec<PythonEnvironment>, Failure> {
    let mut made = Vec::new();
    for (name, chosen) in named {
        let mut note = None;
        let installed = chosen.installed(|line| {
            let begin = || Note::new(&format!("installing {name} with what it requires"));
            note.get_or_insert_with(begin).update(line);
        });
        if let Ok(site) = installed {
            made.push(site.described(name).map_err(Failure::unmeasured)?);
        }
    }
    made.dedup();
    Ok(made)
}

/// What the user chose, of all that is named.
pub(super) fn chosen_only<'a>(
    (name, chosen): (&'a str, &'a Option<Chosen>),
) -> Option<(&'a str, &'a Chosen)> {
    Some((name, chosen.as_ref()?))
}

/// A line that is overwritten by the next, or that follows it in a log file; for steps
/// before the bar.
struct Note {
    spinner: Option<ProgressBar>,
    last: Instant,
}

impl Note {
    fn new(text: &str) -> Note {
        let last = Instant::now();
        if !std::io::stderr().is_terminal() {
            eprintln!("{text}");
            return Note { spinner: None, last };
        }
        let spinner = ProgressBar::new_spinner();
        spinner.set_message(text.to_owned());
        Note { spinner: Some(spinner), last }
    }

    fn update(&mut self, text: &str) {
        match &self.spinner {
            Some(spinner) => {
                spinner.set_message(text.trim().to_owned());
                spinner.tick();
            }
            None if self.last.elapsed() >= LINE_EVERY => {
                eprintln!("{}", text.trim());
                self.last = Instant::now();
            }
            None => {}
        }
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reports_what_is_done_what_is_left_and_what_goes_on() {
        let state = |finished| State {
            began: Instant::now(),
            workers: 120,
            finished,
            now: "pyca on softioc, 1000 PVs, bulk".to_owned(),
        };
        let line = |finished, seconds| state(finished).line(Duration::from_secs(seconds));
        assert_eq!(
            line(30, 60),
            "30 of 120 workers, about 3 min left: pyca on softioc, 1000 PVs, bulk"
        );
        assert_eq!(
            line(100, 100),
            "100 of 120 workers, about 20 s left: pyca on softioc, 1000 PVs, bulk"
        );
        assert_eq!(line(0, 20), "0 of 120 workers: pyca on softioc, 1000 PVs, bulk");
    }
}
