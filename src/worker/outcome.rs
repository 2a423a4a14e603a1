//! How a stage ended for its PVs: all of them answered, or a sentence about the
//! first that did not. Every native approach uses these words.

use std::fmt::Display;
use std::slice::Chunks;
use std::time::Duration;

use super::client::StageError;
use super::completions::{Failure, NotRunning};
use crate::units::counted_of;
use crate::worker_protocol::Mode;

/// What is asked for together: one PV in serial mode, all in bulk mode.
pub(super) fn batches(mode: Mode, pvs: &[usize]) -> Chunks<'_, usize> {
    pvs.chunks(match mode {
        Mode::Serial => 1,
        Mode::Bulk => pvs.len().max(1),
    })
}

/// A stage and the PVs that it is for.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// What a PV is when it is done with: connected, read, …
    pub(super) what: &'static str,
    /// The PVs, by index.
    pub(super) pvs: &'a [usize],
    /// How long the stage may take.
    pub(super) timeout: Duration,
}

impl Asked<'_> {
    /// Checks the `answers` of the PVs from position `done` on; those before them
    /// have answered, those after them were not asked.
    ///
    /// # Errors
    /// That of the first PV that has one, else how many PVs have no answer.
    pub(super) fn check<'e, T: 'e, E: Display + 'e>(
        &self,
        done: usize,
        answers: impl Iterator<Item = Option<&'e Result<T, E>>> + Clone,
        name: impl Fn(usize) -> String,
    ) -> Result<(), StageError> {
        let pvs = &self.pvs[done..];
        let mut errors = pvs.iter().zip(answers.clone()).filter_map(|(pv, answer)| {
            let why = answer?.as_ref().err()?;
            Some((*pv, why))
        });
        if let Some((pv, why)) = errors.next() {
            return Err(failed(&name(pv), why));
        }
        match answers.clone().position(|answer| answer.is_none()) {
            None => Ok(()),
            Some(first) => {
                let missing = pvs.len() - answers.flatten().count();
                Err(self.unfinished(missing, &name(pvs[first])))
            }
        }
    }

    /// `missing` PVs, `first` among them, are not done with although the time is
    /// over.
    pub(super) fn unfinished(&self, missing: usize, first: &str) -> StageError {
        unfinished(self.what, missing, self.pvs.len(), self.timeout, first)
    }

    /// Not every subscription runs; `reason` knows more of a PV that is silent.
    pub(super) fn not_running<E: Display>(
        &self,
        why: NotRunning<E>,
        name: impl Fn(usize) -> String,
        reason: impl FnOnce(usize) -> Option<String>,
    ) -> StageError {
        match why {
            NotRunning::Failed(Failure { pv, why }) => not_subscribed(&name(pv), why),
            NotRunning::Silent { pvs, first } => {
                let StageError(sentence) = self.unfinished(pvs, &name(first));
                StageError(match reason(first) {
                    Some(reason) => format!("{sentence}: {reason}"),
                    None => sentence,
                })
            }
        }
    }
}

/// `missing` of `all` PVs, `first` among them, are not `what` although `after` has
/// passed.
pub(super) fn unfinished(
    what: &str,
    missing: usize,
    all: usize,
    after: Duration,
    first: &str,
) -> StageError {
    let (pvs, after) = (counted_of(missing, all, "PV"), after.as_secs_f64());
    StageError(format!("{pvs} not {what} after {after} s, first {first}"))
}

/// What is named `subject`, a PV or a call, failed.
pub(super) fn failed(subject: &str, why: impl Display) -> StageError {
    StageError(format!("{subject}: {why}"))
}

/// A PV that no channel was made for was asked.
pub(super) fn no_channel(pv: &str) -> StageError {
    failed(pv, "no channel was made")
}

/// A subscription failed.
pub(super) fn not_subscribed(pv: &str, why: impl Display) -> StageError {
    failed(&format!("the subscription to {pv}"), why)
}

/// A second `subscribe`.
pub(super) fn subscribed_before() -> StageError {
    StageError("this job has its subscriptions already".to_owned())
}

/// `collect` before `subscribe`.
pub(super) fn nothing_subscribed() -> StageError {
    StageError("nothing is subscribed to".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PVS: [usize; 4] = [6, 7, 8, 9];

    fn read() -> Asked<'static> {
        Asked { what: "read", pvs: &PVS, timeout: Duration::from_secs(5) }
    }

    fn checked(done: usize, answers: &[Option<Result<f64, &str>>]) -> Result<(), String> {
        let name = |pv| format!("gauge:{pv}");
        let checked = read().check(done, answers.iter().map(Option::as_ref), name);
        checked.map_err(|StageError(error)| error)
    }

    #[test]
    fn what_is_unfinished_is_counted_and_the_first_named() {
        let text = |text: &str| Err(text.to_owned());
        let missing = checked(1, &[Some(Ok(1.0)), None]);
        assert_eq!(missing, text("2 of 4 PVs not read after 5 s, first gauge:8"));
        assert_eq!(checked(3, &[Some(Ok(1.0))]), Ok(()));
        assert_eq!(checked(2, &[None, Some(Err("gone"))]), text("gauge:9: gone"));
    }

    #[test]
    fn a_reason_for_silence_is_appended() {
        let silent: NotRunning<&str> = NotRunning::Silent { pvs: 2, first: 7 };
        let StageError(error) =
            read().not_running(silent, |pv| pv.to_string(), |_| Some("too large".to_owned()));
        assert_eq!(error, "2 of 4 PVs not read after 5 s, first 7: too large");
        let failure = NotRunning::Failed(Failure { pv: 7, why: "gone" });
        let StageError(error) = read().not_running(failure, |pv| pv.to_string(), |_| None);
        assert_eq!(error, "the subscription to 7: gone");
    }

    #[test]
    fn serial_mode_asks_one_at_a_time() {
        assert_eq!(batches(Mode::Serial, &PVS).count(), 4);
        assert_eq!(batches(Mode::Bulk, &PVS).collect::<Vec<_>>(), [PVS]);
        assert_eq!(batches(Mode::Bulk, &[]).count(), 0);
    }
}
