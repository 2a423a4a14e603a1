//! What an IOC prints, and which lines mean that it is overloaded.

use crate::named::named;
use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

/// Lines that a log keeps: enough for every message of a short life, and little
/// enough for an IOC that complains for days.
const KEPT_LINES: usize = 10_000;

/// Letters of a line that a log keeps.
const KEPT_LETTERS: usize = 2_000;

named! {
    /// An overload that the IOC itself reports.
    #[non_exhaustive]
    #[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
    pub enum LogEvent {
        /// A callback queue is full: requests were lost (`ring buffer full`). Printed
        /// once per episode, however many were lost.
        CallbackQueueFull = "callback queue full",
        /// The queue for scan-once requests is full.
        ScanOnceQueueFull = "scan-once queue full",
        /// A periodic scan took longer than its period, ten times or more in a row.
        /// Printed 10 s after the first at the earliest, then ever more rarely; the
        /// shell command `scanppl` counts them all.
        ScanOverrun = "scan overrun",
        /// Writing an error message itself overflowed.
        ErrorLogFull = "error log full",
        /// caproto's server holds updates back to send many at once. None is lost.
        HighLoad = "high load",
        /// caproto's server dropped updates that waited for a slow client.
        UpdatesDropped = "updates dropped",
    }
}

impl LogEvent {
    /// What a line of the IOC's output means, if it means an overload.
    ///
    /// The texts are those of EPICS Base 7.0.10 (`callback.c`, `dbScan.c`,
    /// `errlog.c`) and of caproto 1.3 (`server/common.py`). Those of pvxs 1.5 say
    /// nothing of overload.
    pub fn in_line(line: &str) -> Option<LogEvent> {
        let texts = [
            ("scanOnce: Ring buffer overflow", LogEvent::ScanOnceQueueFull),
            ("ring buffer full", LogEvent::CallbackQueueFull),
            ("Over-runs have now happened", LogEvent::ScanOverrun),
            ("errlog: lost", LogEvent::ErrorLogFull),
            ("High load. Batched", LogEvent::HighLoad),
            ("High load. Dropped", LogEvent::UpdatesDropped),
            ("Critically high EventAddResponse load", LogEvent::UpdatesDropped),
        ];
        texts.iter().find(|(text, _)| line.contains(text)).map(|(_, event)| *event)
    }
}

/// One line of the IOC's output.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LogLine {
    /// When the harness read it.
    pub at: Instant,
    /// The line, without its end; of a line of over 2000 letters the beginning.
    pub text: String,
    /// The overload that it reports, if it does.
    pub event: Option<LogEvent>,
    /// Whether it came on stderr.
    pub(super) is_error: bool,
}

impl LogLine {
    pub(super) fn of_stdout(mut text: String) -> LogLine {
        let event = LogEvent::in_line(&text);
        if let Some((end, _)) = text.char_indices().nth(KEPT_LETTERS) {
            text.truncate(end);
        }
        LogLine { at: Instant::now(), event, text, is_error: false }
    }

    pub(super) fn of_stderr(text: String) -> LogLine {
        LogLine { is_error: true, ..LogLine::of_stdout(text) }
    }
}

/// The last lines of an IOC's output, and how many events there were in all.
#[derive(Debug, Default)]
pub(super) struct Log {
    lines: VecDeque<LogLine>,
    dropped: u64,
    taken: u64,
    events: BTreeMap<LogEvent, u64>,
}

impl Log {
    pub(super) fn push(&mut self, line: LogLine) {
        if let Some(event) = line.event {
            *self.events.entry(event).or_default() += 1;
        }
        if self.lines.len() == KEPT_LINES {
            self.lines.pop_front();
            self.dropped += 1;
        }
        self.lines.push_back(line);
    }

    /// How many lines there were in all.
    pub(super) fn total(&self) -> u64 {
        self.dropped + self.lines.len() as u64
    }

    /// The lines from number `first` on, as far as they are kept.
    pub(super) fn since(&self, first: u64) -> impl Iterator<Item = &LogLine> {
        self.lines.iter().skip(first.saturating_sub(self.dropped) as usize)
    }

    pub(super) fn kept(&mut self) -> &[LogLine] {
        self.lines.make_contiguous()
    }

    /// The lines that were not taken before, as far as they are kept.
    pub(super) fn take_new(&mut self) -> Vec<LogLine> {
        let new = self.since(self.taken).cloned().collect();
        self.taken = self.total();
        new
    }

    /// The first line that was not taken before.
    pub(super) fn take_next(&mut self) -> Option<LogLine> {
        let first = self.taken.max(self.dropped);
        let next = self.since(first).next().cloned()?;
        self.taken = first + 1;
        Some(next)
    }

    /// How often each event was reported that was.
    pub(super) fn counts(&self) -> BTreeMap<LogEvent, u64> {
        self.events.clone()
    }

    pub(super) fn count(&self, event: LogEvent) -> u64 {
        self.events.get(&event).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_bounded_but_counts_every_event() {
        let mut log = Log::default();
        for number in 0..KEPT_LINES + 5 {
            log.push(LogLine::of_stderr(format!("{number} cbLow ring buffer full")));
        }
        assert_eq!(log.kept().len(), KEPT_LINES);
        assert_eq!(log.kept()[0].text, "5 cbLow ring buffer full");
        assert_eq!(log.total(), KEPT_LINES as u64 + 5);
        assert_eq!(log.count(LogEvent::CallbackQueueFull), KEPT_LINES as u64 + 5);
        assert_eq!(log.count(LogEvent::ScanOverrun), 0);
        log.push(LogLine::of_stdout("é".repeat(KEPT_LETTERS + 1)));
        assert_eq!(log.kept()[KEPT_LINES - 1].text, "é".repeat(KEPT_LETTERS));
    }

    #[test]
    fn new_lines_are_taken_once() {
        let mut log = Log::default();
        let texts = |log: &mut Log| -> Vec<String> {
            log.take_new().into_iter().map(|line| line.text).collect()
        };
        log.push(LogLine::of_stdout("one".to_owned()));
        assert_eq!(texts(&mut log), ["one"]);
        assert!(texts(&mut log).is_empty());
        log.push(LogLine::of_stdout("two".to_owned()));
        assert_eq!(log.since(1).count(), 1);
        assert_eq!(texts(&mut log), ["two"]);
        assert!(log.take_next().is_none());
        log.push(LogLine::of_stdout("three".to_owned()));
        log.push(LogLine::of_stdout("four".to_owned()));
        assert_eq!(log.take_next().unwrap().text, "three");
        assert_eq!(texts(&mut log), ["four"]);
        for number in 0..2 * KEPT_LINES {
            log.push(LogLine::of_stdout(number.to_string()));
        }
        assert_eq!(texts(&mut log).len(), KEPT_LINES, "those that are kept");
    }

    #[test]
    fn overload_messages_are_recognised_and_others_are_not() {
        let event = LogEvent::in_line;
        assert_eq!(
            event("callbackRequest: cbLow ring buffer full"),
            Some(LogEvent::CallbackQueueFull)
        );
        assert_eq!(
            event("gauge:1 : WARNING scanOnce: Ring buffer overflow"),
            Some(LogEvent::ScanOnceQueueFull)
        );
        assert_eq!(
            event("\tOver-runs have now happened 12 times in a row."),
            Some(LogEvent::ScanOverrun)
        );
        assert_eq!(event("errlog: lost 372 messages"), Some(LogEvent::ErrorLogFull));
        assert_eq!(
            event("[W 11:38:04.605 common: 434] High load. Batched 7 commands (224B) with 0.04s"),
            Some(LogEvent::HighLoad)
        );
        assert_eq!(event("High load. Dropped 12 responses."), Some(LogEvent::UpdatesDropped));
        let all = "Critically high EventAddResponse load. Dropping all queued responses";
        assert_eq!(event(all), Some(LogEvent::UpdatesDropped));
        assert_eq!(event("iocRun: All initialization complete"), None);
        assert_eq!(event("Records with SCAN = '10 Hz' (0 over-runs):"), None);
    }
}
