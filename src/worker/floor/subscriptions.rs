//! Subscriptions and the updates that they bring.

use std::thread;
use std::time::Duration;

use crate::worker::updates::{Arrived, Numbering, Update, UpdateLog, callback_of};
use crate::worker_protocol::{Content, Monitor};

/// The subscriptions of a job. An update finds its place by its number, without
/// any table.
#[derive(Debug)]
pub(in crate::worker) struct Subscriptions {
    /// What came on them.
    pub(super) log: UpdateLog,
    monitor: Monitor,
    numbering: Numbering,
    /// By number.
    state: Vec<SubscriptionState>,
    silent: usize,
    /// How much longer each callback takes: there is one thread, so all else waits.
    callback: Duration,
}

/// How far a subscription is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SubscriptionState {
    /// Nobody asked for it.
    Unwanted,
    /// It is asked for and has brought nothing yet.
    Silent,
    /// It has brought an update.
    Running,
}

impl Subscriptions {
    /// None yet, among `pvs` PVs.
    pub(super) fn new(monitor: Monitor, pvs: usize) -> Subscriptions {
        let numbering = Numbering::new(monitor, pvs);
        Subscriptions {
            log: UpdateLog::new(monitor, pvs),
            monitor,
            numbering,
            state: vec![SubscriptionState::Unwanted; numbering.count()],
            silent: 0,
            callback: callback_of(monitor),
        }
    }

    /// What the updates of a subscription hold.
    pub(in crate::worker) fn content(&self, number: u32) -> Content {
        self.monitor.content_of(self.numbering.pv(number as usize))
    }

    /// The numbers of all subscriptions to `pv`, which are asked for now.
    pub(super) fn ask(&mut self, pv: u32) -> impl Iterator<Item = u32> + use<> {
        let numbers = self.numbering.of_pv(pv as usize);
        for number in self.numbering.of_pv(pv as usize) {
            let state = &mut self.state[number];
            if *state == SubscriptionState::Unwanted {
                *state = SubscriptionState::Silent;
                self.silent += 1;
            }
        }
        numbers.map(|number| number as u32)
    }

    /// The PV of a subscription, if there is one of that number.
    pub(super) fn pv(&self, number: u32) -> Option<u32> {
        let number = number as usize;
        (number < self.numbering.count()).then(|| self.numbering.pv(number) as u32)
    }

    /// Whether `pv` was ever subscribed to.
    pub(super) fn is_wanted(&self, pv: u32) -> bool {
        self.state[pv as usize] != SubscriptionState::Unwanted
    }

    /// Whether there is a subscription of that number.
    pub(in crate::worker) fn is_asked(&self, number: u32) -> bool {
        let state = self.state.get(number as usize);
        state.is_some_and(|state| *state != SubscriptionState::Unwanted)
    }

    /// How many subscriptions have brought nothing yet.
    pub(super) fn silent(&self) -> usize {
        self.silent
    }

    /// Whether every subscription to `pv` has brought an update.
    pub(super) fn is_running(&self, pv: usize) -> bool {
        self.numbering.of_pv(pv).all(|number| self.state[number] == SubscriptionState::Running)
    }

    /// Takes an update of a subscription that [`Subscriptions::is_asked`] knows.
    pub(in crate::worker) fn record(&mut self, number: u32, arrived: Arrived, update: Update) {
        let state = &mut self.state[number as usize];
        if *state == SubscriptionState::Silent {
            *state = SubscriptionState::Running;
            self.silent -= 1;
        }
        self.log.record(number as usize, arrived, update);
        if !self.callback.is_zero() {
            thread::sleep(self.callback);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(number: f64) -> Update {
        Update { number, sum: 0, stamp_ns: 0 }
    }

    #[test]
    fn a_subscription_is_silent_until_its_first_update() {
        let monitor = Monitor {
            content: Content::Scalars,
            step: 1.0,
            room: 4,
            monitors: 1,
            callback_s: None,
            frames: 0,
            may_be_silent: false,
        };
        let mut subscriptions = Subscriptions::new(monitor, 3);
        (0..2).for_each(|pv| drop(subscriptions.ask(pv)));
        assert_eq!((subscriptions.silent(), subscriptions.is_wanted(2)), (2, false));
        assert!(subscriptions.is_asked(1) && !subscriptions.is_asked(2));
        assert!(!subscriptions.is_asked(9));
        subscriptions.record(1, Arrived::now(), update(5.0));
        subscriptions.record(1, Arrived::now(), update(6.0));
        assert_eq!((subscriptions.silent(), subscriptions.is_running(1)), (1, true));
        // A circuit that came back is subscribed to again.
        drop(subscriptions.ask(1));
        assert_eq!(subscriptions.silent(), 1);
        let runs = subscriptions.log.take().runs;
        assert_eq!(runs.len(), 1);
        assert_eq!((runs[0].pv, runs[0].first, runs[0].count), (1, 5.0, 2));
    }

    #[test]
    fn each_monitor_of_a_pv_is_a_subscription_of_its_own() {
        let monitor = Monitor {
            content: Content::Scalars,
            step: 1.0,
            room: 4,
            monitors: 3,
            callback_s: None,
            frames: 0,
            may_be_silent: false,
        };
        let mut subscriptions = Subscriptions::new(monitor, 2);
        let numbers: Vec<u32> = subscriptions.ask(1).collect();
        assert_eq!((numbers, subscriptions.silent()), (vec![1, 3, 5], 3));
        for number in [5, 1, 3] {
            assert!(!subscriptions.is_running(1));
            assert_eq!(subscriptions.pv(number), Some(1));
            subscriptions.record(number, Arrived::now(), update(7.0));
        }
        assert!(subscriptions.is_running(1) && subscriptions.silent() == 0);
        let runs = subscriptions.log.take().runs;
        let shape: Vec<_> = runs.iter().map(|run| (run.pv, run.monitor)).collect();
        assert_eq!(shape, [(1, 2), (1, 0), (1, 1)]);
        assert_eq!(subscriptions.pv(6), None);
    }
}
