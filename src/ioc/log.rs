//! What an IOC prints, and which lines mean that it is overloaded.

use std::time::Instant;

/// An overload that the IOC itself reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogEvent {
    /// A callback queue is full: requests were lost (`ring buffer full`). Printed
    /// once per episode, however many were lost.
    CallbackQueueFull,
    /// The queue for scan-once requests is full.
    ScanOnceQueueFull,
    /// A periodic scan took longer than its period, ten times or more in a row.
    /// Printed 10 s after the first at the earliest, then ever more rarely; the
    /// shell command `scanppl` counts them all.
    ScanOverrun,
    /// Writing an error message itself overflowed.
    ErrorLogFull,
}

impl LogEvent {
    /// What a line of the IOC's output means, if it means an overload.
    ///
    /// The texts are those of EPICS Base 7.0.10: `callback.c`, `dbScan.c`,
    /// `errlog.c`.
    pub fn in_line(line: &str) -> Option<LogEvent> {
        let texts = [
            ("scanOnce: Ring buffer overflow", LogEvent::ScanOnceQueueFull),
            ("ring buffer full", LogEvent::CallbackQueueFull),
            ("Over-runs have now happened", LogEvent::ScanOverrun),
            ("errlog: lost", LogEvent::ErrorLogFull),
        ];
        texts.iter().find(|(text, _)| line.contains(text)).map(|(_, event)| *event)
    }
}

/// One line of the IOC's output.
#[derive(Debug, Clone)]
pub struct LogLine {
    /// When the harness read it.
    pub at: Instant,
    /// The line, without its end.
    pub text: String,
    /// The overload that it reports, if it does.
    pub event: Option<LogEvent>,
    /// Whether it came on stderr.
    pub(super) is_error: bool,
}

impl LogLine {
    pub(super) fn of_stdout(text: String) -> LogLine {
        LogLine { at: Instant::now(), event: LogEvent::in_line(&text), text, is_error: false }
    }

    pub(super) fn of_stderr(text: String) -> LogLine {
        LogLine { is_error: true, ..LogLine::of_stdout(text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(event("iocRun: All initialization complete"), None);
        assert_eq!(event("Records with SCAN = '10 Hz' (0 over-runs):"), None);
    }
}
