//! Subscriptions and what they brought; no lock and no waiting.

use std::time::Duration;

use crate::worker::updates::{Arrived, Numbering, Update, UpdateLog, callback_of};
use crate::worker_protocol::{Content, Monitor, Updates};

/// The subscriptions of a job. `E` is why one failed.
///
/// Invariant: [`Subscriptions::record`] allocates nothing, unless more updates come
/// than there was room made for.
pub(in crate::worker) struct Subscriptions<E> {
    numbering: Numbering,
    log: UpdateLog,
    /// Which subscriptions have brought an update, by number.
    is_running: Vec<bool>,
    /// How many of those that are begun have not.
    silent: usize,
    failure: Option<Failure<E>>,
    /// How much longer each callback takes.
    callback: Duration,
}

/// A subscription that has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::worker) struct Failure<E> {
    /// Its PV.
    pub(in crate::worker) pv: usize,
    /// Why.
    pub(in crate::worker) why: E,
}

/// Why not every subscription runs.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::worker) enum NotRunning<E> {
    /// The first that failed.
    Failed(Failure<E>),
    /// How many PVs have a subscription that has brought nothing, and the first
    /// of them.
    Silent {
        /// How many.
        pvs: usize,
        /// The first.
        first: usize,
    },
}

impl<E: Clone> Subscriptions<E> {
    /// Makes room for the updates of `monitor` among `pvs` PVs.
    pub(in crate::worker) fn new(monitor: Monitor, pvs: usize) -> Subscriptions<E> {
        let numbering = Numbering::new(monitor, pvs);
        Subscriptions {
            numbering,
            log: UpdateLog::new(monitor, pvs),
            is_running: vec![false; numbering.count()],
            silent: 0,
            failure: None,
            callback: callback_of(monitor),
        }
    }

    /// None at all, and no room for updates.
    pub(in crate::worker) fn none() -> Subscriptions<E> {
        let content = Content::Scalars;
        let monitor = Monitor {
            content,
            step: 1.0,
            room: 0,
            monitors: 0,
            callback_s: None,
            frames: 0,
            may_be_silent: false,
        };
        Subscriptions::new(monitor, 0)
    }

    /// How much longer each callback is to take.
    pub(in crate::worker) fn callback(&self) -> Duration {
        self.callback
    }

    /// Records that the library reports a PV as connected, or as disconnected.
    pub(in crate::worker) fn record_state(&mut self, pv: usize, connected: bool) {
        self.log.record_state(pv, connected);
    }

    /// Counts all subscriptions to `pvs` as begun, and numbers them.
    pub(in crate::worker) fn begin(&mut self, pvs: &[usize]) -> Numbering {
        self.silent += pvs.iter().flat_map(|pv| self.numbering.of_pv(*pv)).count();
        self.numbering
    }

    /// Records what a subscription brought. True when whoever waits for the first
    /// updates has something to see.
    pub(in crate::worker) fn record(
        &mut self,
        subscription: usize,
        arrived: Arrived,
        update: Result<Update, E>,
    ) -> bool {
        if subscription >= self.is_running.len() {
            // It ended with those of a former round.
            return false;
        }
        match update {
            Ok(update) => {
                self.log.record(subscription, arrived, update);
                if std::mem::replace(&mut self.is_running[subscription], true) {
                    return false;
                }
                self.silent -= 1;
                self.silent == 0
            }
            Err(why) => {
                let pv = self.numbering.pv(subscription);
                self.failure.get_or_insert(Failure { pv, why });
                true
            }
        }
    }

    /// Whether there is nothing more to wait for: all that are begun run, or one
    /// has failed.
    pub(in crate::worker) fn is_settled(&self) -> bool {
        self.silent == 0 || self.has_failed()
    }

    /// Whether one has failed.
    pub(in crate::worker) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Whether all that are begun run; else which of `pvs` do not.
    pub(in crate::worker) fn check_running(&self, pvs: &[usize]) -> Result<(), NotRunning<E>> {
        if let Some(failure) = &self.failure {
            return Err(NotRunning::Failed(failure.clone()));
        }
        if self.silent == 0 {
            return Ok(());
        }
        let is_silent =
            |pv: &usize| self.numbering.of_pv(*pv).any(|number| !self.is_running[number]);
        let mut silent = pvs.iter().copied().filter(is_silent);
        let first = silent.next();
        let pvs = usize::from(first.is_some()) + silent.count();
        Err(NotRunning::Silent { pvs, first: first.unwrap_or(0) })
    }

    /// How many updates were recorded since they were last taken.
    pub(in crate::worker) fn recorded(&self) -> usize {
        self.log.recorded()
    }

    /// From now on latencies count.
    pub(in crate::worker) fn begin_collecting(&mut self) {
        self.log.begin_collecting();
    }

    /// Takes what was recorded.
    pub(in crate::worker) fn take(&mut self) -> Result<Updates, Failure<E>> {
        match &self.failure {
            Some(failure) => Err(failure.clone()),
            None => Ok(self.log.take()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(number: f64) -> Result<Update, &'static str> {
        Ok(Update { number, sum: 0, stamp_ns: 0 })
    }

    /// Two PVs with `monitors` subscriptions each.
    fn begun(monitors: usize) -> Subscriptions<&'static str> {
        let monitor = Monitor {
            content: Content::Scalars,
            step: 1.0,
            room: 8,
            monitors,
            callback_s: None,
            frames: 0,
            may_be_silent: false,
        };
        let mut subscriptions = Subscriptions::new(monitor, 2);
        subscriptions.begin(&[0, 1]);
        subscriptions
    }

    fn record(subscriptions: &mut Subscriptions<&'static str>, number: usize, value: f64) -> bool {
        subscriptions.record(number, Arrived::now(), update(value))
    }

    #[test]
    fn the_first_update_of_each_pv_is_awaited_and_every_one_is_recorded() {
        let mut subscriptions = begun(1);
        assert!(!record(&mut subscriptions, 0, 1.0));
        assert!(!record(&mut subscriptions, 0, 2.0));
        assert!(!subscriptions.is_settled());
        let silent = NotRunning::Silent { pvs: 1, first: 1 };
        assert_eq!(subscriptions.check_running(&[0, 1]), Err(silent));
        assert!(record(&mut subscriptions, 1, 7.0));
        assert!(subscriptions.is_settled());
        assert!(!record(&mut subscriptions, 1, 8.0), "nobody waits any more");
        assert_eq!(subscriptions.check_running(&[0, 1]), Ok(()));
        let runs = subscriptions.take().unwrap().runs;
        let shape: Vec<_> = runs.iter().map(|run| (run.pv, run.first, run.count)).collect();
        assert_eq!(shape, [(0, 1.0, 2), (1, 7.0, 2)]);
    }

    #[test]
    fn a_pv_is_silent_until_each_of_its_subscriptions_has_brought_an_update() {
        let mut subscriptions = begun(3);
        let silent = |pvs, first| Err(NotRunning::Silent { pvs, first });
        assert_eq!(subscriptions.check_running(&[0, 1]), silent(2, 0));
        for number in [0, 2, 4, 1, 3] {
            record(&mut subscriptions, number, 1.0);
        }
        assert_eq!(subscriptions.check_running(&[0, 1]), silent(1, 1));
        record(&mut subscriptions, 5, 1.0);
        assert_eq!(subscriptions.check_running(&[0, 1]), Ok(()));
        let runs = subscriptions.take().unwrap().runs;
        let shape: Vec<_> = runs.iter().map(|run| (run.pv, run.monitor)).collect();
        assert_eq!(shape, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]);
    }

    #[test]
    fn pvs_that_are_not_begun_are_silent_too() {
        let monitor = Monitor {
            content: Content::Scalars,
            step: 1.0,
            room: 8,
            monitors: 1,
            callback_s: None,
            frames: 0,
            may_be_silent: false,
        };
        let mut subscriptions = Subscriptions::<&str>::new(monitor, 3);
        subscriptions.begin(&[0]);
        let silent = NotRunning::Silent { pvs: 3, first: 0 };
        assert_eq!(subscriptions.check_running(&[0, 1, 2]), Err(silent));
    }

    #[test]
    fn what_comes_when_all_subscriptions_have_ended_is_dropped() {
        let mut none = Subscriptions::none();
        assert!(!record(&mut none, 7, 1.0));
        assert!(none.is_settled());
        assert_eq!(none.take(), Ok(Updates::default()));
    }

    #[test]
    fn the_first_failure_ends_the_wait_and_the_collection() {
        let mut subscriptions = begun(1);
        assert!(subscriptions.record(1, Arrived::now(), Err("too large")));
        assert!(subscriptions.record(0, Arrived::now(), Err("gone")));
        let failure = Failure { pv: 1, why: "too large" };
        assert!(subscriptions.is_settled());
        let failed = NotRunning::Failed(failure.clone());
        assert_eq!(subscriptions.check_running(&[0, 1]), Err(failed));
        assert_eq!(subscriptions.take(), Err(failure));
    }
}
