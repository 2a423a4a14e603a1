//! What the server itself counts of overload, read by its shell.

use std::collections::BTreeMap;

use super::pvxs_report::{self, PvxsReport};
use super::scan_menu::scan_choice;
use super::shell_counts::{Subscriptions, callback_overflows, channels, scan_lists, subscriptions};
use super::{IocError, SoftIoc};

/// The record that keeps a scan list from being empty.
const SCANS: &str = "epics-gauge:scans";

/// The command that Base before 3.16.2 does not have.
const SHOW_QUEUES: &str = "callbackQueueShow";

/// A rate that every scan menu has.
const SLOWEST_HZ: f64 = 0.1;

/// What an IOC counts, all of it since its start: the counts of one time are the
/// difference of two readings, [`ServerCounters::since`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
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
    /// How often a request found one of the callback queues (low, medium, high) full.
    /// Those that Base refuses until that queue has moved on are lost too, and not
    /// counted. None of an IOC of Base before 3.16.2, which does not count.
    pub callback_overflows: Option<u64>,
}

impl ServerCounters {
    /// The counts since `earlier`; subscriptions and undelivered updates as they
    /// are now.
    #[must_use]
    pub fn since(&self, earlier: &ServerCounters) -> ServerCounters {
        ServerCounters {
            merged_updates: self.merged_updates.saturating_sub(earlier.merged_updates),
            scan_overruns: self.scan_overruns.saturating_sub(earlier.scan_overruns),
            callback_overflows: self
                .callback_overflows
                .map(|now| now.saturating_sub(earlier.callback_overflows.unwrap_or(0))),
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
    /// When the IOC fails, and when its shell answers in words that are not known here
    /// ([`IocError::UnknownAnswer`]).
    pub fn counters(&mut self) -> Result<ServerCounters, IocError> {
        let mut pvs: Vec<String> = self.indices().map(|index| format!("gauge:{index}")).collect();
        if self.builder.start_up.frame_pixels.is_some() {
            pvs.push("gauge:frame".to_owned());
        }
        let found = self.subscriptions(pvs)?;
        Ok(ServerCounters {
            subscriptions: found.count,
            undelivered_updates: found.undelivered,
            merged_updates: found.merged,
            scan_overruns: self.scan_overruns()?,
            callback_overflows: self.callback_overflows()?,
        })
    }

    /// How many channels clients have at this moment, over Channel Access.
    ///
    /// # Errors
    /// Those of [`SoftIoc::counters`].
    pub fn channels(&mut self) -> Result<usize, IocError> {
        self.shell.understood("casr 1", None, channels)
    }

    /// The same over pvAccess; 0 where this IOC does not serve it.
    ///
    /// # Errors
    /// Those of [`SoftIoc::counters`].
    pub fn pv_access_channels(&mut self) -> Result<usize, IocError> {
        Ok(self.pvxs_report()?.map_or(0, |report| report.channels))
    }

    /// What the IOC's pvAccess server reports of its clients; none where it has none, or
    /// one of the user's own.
    pub(super) fn pvxs_report(&mut self) -> Result<Option<PvxsReport>, IocError> {
        if !self.builder.start_up.has_pv_access || self.builder.program.is_some() {
            return Ok(None);
        }
        self.shell.understood(pvxs_report::COMMAND, None, pvxs_report::pvxs_report).map(Some)
    }

    /// The subscriptions to these records.
    pub(super) fn subscriptions(&mut self, pvs: Vec<String>) -> Result<Subscriptions, IocError> {
        let commands: Vec<String> = pvs.iter().map(|pv| format!("dbel {pv} 3")).collect();
        let answers = self.shell.run_all(&commands)?;
        let mut all = Subscriptions::default();
        for ((pv, command), answer) in pvs.iter().zip(&commands).zip(answers) {
            let read = |answer: &str| subscriptions(pv, answer);
            let found = self.shell.understood(command, Some(answer), read)?;
            all.count += found.count;
            all.undelivered += found.undelivered;
            all.merged += found.merged;
        }
        Ok(all)
    }

    /// `scanppl` leaves out lists without records, so each list that this crate
    /// has used is given one for a moment.
    fn scan_overruns(&mut self) -> Result<u64, IocError> {
        let mut overruns: BTreeMap<String, u64> =
            self.shell.understood("scanppl", None, scan_lists)?.into_iter().collect();
        let mut rates = self.scanned_hz.clone();
        if rates.is_empty() && overruns.is_empty() {
            // An answer without any list says nothing: it might be one in other words.
            rates.push(SLOWEST_HZ);
        }
        for rate_hz in &rates {
            let choice = scan_choice(*rate_hz);
            self.shell.run(&format!("dbpf {SCANS}.SCAN \"{choice}\""))?;
            let shown = |answer: &str| {
                let lists = scan_lists(answer)?;
                match lists.iter().any(|(name, _)| *name == choice) {
                    true => Ok(lists),
                    false => Err(format!("it does not show the list `{choice}`")),
                }
            };
            overruns.extend(self.shell.understood("scanppl", None, shown)?);
        }
        if !rates.is_empty() {
            self.shell.run(&format!("dbpf {SCANS}.SCAN Passive"))?;
        }
        Ok(overruns.into_values().sum())
    }

    fn callback_overflows(&mut self) -> Result<Option<u64>, IocError> {
        let answer = self.shell.run_all(&[SHOW_QUEUES.to_owned()])?.concat();
        if answer.trim().is_empty() && !self.has_command(SHOW_QUEUES)? {
            return Ok(None);
        }
        self.shell.understood(SHOW_QUEUES, Some(answer), callback_overflows).map(Some)
    }

    fn has_command(&mut self, name: &str) -> Result<bool, IocError> {
        let help = self.shell.run_all(&[format!("help {name}")])?.concat();
        Ok(help.split_whitespace().any(|word| word == name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_keeps_what_is_of_the_moment() {
        let earlier = ServerCounters {
            subscriptions: 9,
            undelivered_updates: 9,
            merged_updates: 5,
            scan_overruns: 6,
            callback_overflows: Some(7),
        };
        let now = ServerCounters {
            subscriptions: 2,
            undelivered_updates: 1,
            merged_updates: 15,
            scan_overruns: 26,
            callback_overflows: Some(37),
        };
        let difference = ServerCounters {
            merged_updates: 10,
            scan_overruns: 20,
            callback_overflows: Some(30),
            ..now
        };
        assert_eq!(now.since(&earlier), difference);
    }
}
