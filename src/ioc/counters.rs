//! What the server itself counts of overload, read by its shell.
//!
//! The texts are those of EPICS Base 7.0.10: `dbel` in `dbEvent.c`, `scanppl` in
//! `dbScan.c`, `callbackQueueShow` in `callback.c`.

use super::scan_menu::scan_choice;
use super::{IocError, SoftIoc};

/// The record that keeps a scan list from being empty.
const SCANS: &str = "epics-gauge:scans";

/// What an IOC counts, all of it since its start: the counts of one time are the
/// difference of two readings, [`ServerCounters::since`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ServerCounters {
    /// Subscriptions of clients to the values of the PVs of this crate, at this
    /// moment.
    pub subscriptions: u64,
    /// Updates in the queues of those subscriptions, at this moment: all that was
    /// produced is sent, or merged, when there are none.
    pub undelivered_updates: u64,
    /// Updates that the server put over an older one of the same subscription,
    /// which its client then never got: a queue was short of room or the client
    /// asked for a pause. Only subscriptions that still exist are counted, so read
    /// this before clients leave. Updates of arrays are never counted: while one
    /// waits, Base drops the next without a trace, and it shows in the frames'
    /// numbers only.
    pub merged_updates: u64,
    /// Scans that took longer than their period, or began too late for it, at the
    /// rates at which this crate has scanned and those of the caller's records.
    /// After each the next scan begins half a period later.
    pub scan_overruns: u64,
    /// Requests that the callback queues (low, medium, high) had no room for.
    pub callback_overflows: u64,
}

impl ServerCounters {
    /// The counts since `earlier`; subscriptions and undelivered updates as they
    /// are now.
    #[must_use]
    pub fn since(&self, earlier: &ServerCounters) -> ServerCounters {
        ServerCounters {
            merged_updates: self.merged_updates.saturating_sub(earlier.merged_updates),
            scan_overruns: self.scan_overruns.saturating_sub(earlier.scan_overruns),
            callback_overflows: self.callback_overflows.saturating_sub(earlier.callback_overflows),
            ..*self
        }
    }
}

impl SoftIoc {
    /// What the server counts, with the subscriptions to all records of
    /// [`Builder::pvs`](super::Builder::pvs) and to the frame record. Asks the
    /// shell, which costs the IOC some of its CPU time.
    ///
    /// # Errors
    /// When the IOC fails.
    pub fn counters(&mut self) -> Result<ServerCounters, IocError> {
        let mut pvs: Vec<String> = self.indices().map(|index| format!("gauge:{index}")).collect();
        if self.builder.start_up.frame_pixels.is_some() {
            pvs.push("gauge:frame".to_owned());
        }
        let commands: Vec<String> = pvs.iter().map(|pv| format!("dbel {pv} 3")).collect();
        let mut counters = ServerCounters::default();
        for answer in self.shell.run_all(&commands)? {
            add_subscriptions(&mut counters, &answer);
        }
        let queues = self.shell.run_all(&["callbackQueueShow".to_owned()])?;
        counters.callback_overflows = queues.iter().map(|queue| overflows(queue)).sum();
        counters.scan_overruns = self.scan_overruns()?;
        Ok(counters)
    }

    /// `scanppl` leaves out lists without records, so each list that this crate
    /// has used is given one for a moment.
    fn scan_overruns(&mut self) -> Result<u64, IocError> {
        let mut commands = vec!["scanppl".to_owned()];
        for rate_hz in &self.scanned_hz {
            commands.push(format!("dbpf {SCANS}.SCAN \"{}\"", scan_choice(*rate_hz)));
            commands.push("scanppl".to_owned());
        }
        commands.push(format!("dbpf {SCANS}.SCAN Passive"));
        let answers = self.shell.run_all(&commands)?;
        let mut overruns = std::collections::BTreeMap::new();
        for (choice, count) in answers.iter().flat_map(|answer| lists(answer)) {
            overruns.insert(choice, count);
        }
        Ok(overruns.into_values().sum())
    }
}

/// Adds what `dbel PV 3` tells of each subscription to values. pvxs makes a second
/// one for each of its clients' monitors, to properties alone.
fn add_subscriptions(counters: &mut ServerCounters, answer: &str) {
    for line in answer.lines().filter(|line| line.contains(" { VALUE ")) {
        counters.subscriptions += 1;
        counters.undelivered_updates += number_after(line, "undelivered=");
        counters.merged_updates += number_after(line, "discarded by replacement=");
    }
}

/// Choice and overruns of each list in the answer to `scanppl`.
fn lists(answer: &str) -> impl Iterator<Item = (&str, u64)> {
    answer.lines().filter_map(|line| {
        let (choice, rest) = line.strip_prefix("Records with SCAN = '")?.split_once("' (")?;
        Some((choice, rest.split_once(" over-runs")?.0.parse().ok()?))
    })
}

/// The last column of `callbackQueueShow`, of all queues together.
fn overflows(answer: &str) -> u64 {
    let queues = answer.lines().filter(|line| line.trim_start().starts_with("cb"));
    queues.filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok()).sum()
}

fn number_after(line: &str, words: &str) -> u64 {
    let Some((_, rest)) = line.split_once(words) else { return 0 };
    let digits = rest.split(|letter: char| !letter.is_ascii_digit()).next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_and_waiting_updates_of_all_subscriptions_are_added_up() {
        let answer = "\
3 PV Event Subscriptions ( monitors ).
VAL  { VALUE ALARM }, thread=0x7f2c3c001b50, queue empty
VAL  { PROPERTY }, thread=0x7f2c3c001b50, queue empty
VAL  { VALUE } undelivered=4, thread=0x7f2c3c001b50, unused entries=28, \
discarded by replacement=1021, duplicate count =3

VAL  { VALUE LOG ALARM } undelivered=1, thread=0x7f2c40001b50, queue full, \
discarded by replacement=17
";
        let mut counters = ServerCounters::default();
        add_subscriptions(&mut counters, answer);
        let expected = ServerCounters {
            subscriptions: 3,
            undelivered_updates: 5,
            merged_updates: 1_038,
            ..ServerCounters::default()
        };
        assert_eq!(counters, expected);
        add_subscriptions(&mut counters, "\"gauge:1\": No PV event subscriptions ( monitors ).\n");
        assert_eq!(counters, expected);
    }

    #[test]
    fn overruns_are_read_list_by_list() {
        let answer = "\
Records with SCAN = '10 second' (0 over-runs):
    gauge:3                     \n\
Records with SCAN = '120 Hz' (57 over-runs):
    gauge:1                     \n    gauge:2                     \n";
        assert_eq!(lists(answer).collect::<Vec<_>>(), [("10 second", 0), ("120 Hz", 57)]);
    }

    #[test]
    fn overflows_of_all_callback_queues_are_added_up() {
        let answer = "\
PRIORITY  HIGH-WATER MARK  ITEMS IN Q  Q SIZE  % USED  Q OVERFLOWS
   cbLow             2000           3    2000     0.1           12
cbMedium                0           0    2000     0.0            0
  cbHigh               14           0    2000     0.0            3
";
        assert_eq!(overflows(answer), 15);
    }

    #[test]
    fn a_difference_keeps_what_is_of_the_moment() {
        let earlier = ServerCounters {
            subscriptions: 9,
            undelivered_updates: 9,
            merged_updates: 5,
            scan_overruns: 6,
            callback_overflows: 7,
        };
        let now = ServerCounters {
            subscriptions: 2,
            undelivered_updates: 1,
            merged_updates: 15,
            scan_overruns: 26,
            callback_overflows: 37,
        };
        let difference =
            ServerCounters { merged_updates: 10, scan_overruns: 20, callback_overflows: 30, ..now };
        assert_eq!(now.since(&earlier), difference);
    }
}
