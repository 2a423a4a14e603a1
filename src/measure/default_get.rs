//! What an ordinary get requests from the server, and whether it answers from a cache. The
//! harness measures both; the library reports neither.

use std::time::Duration;

use super::driven::Driven;
use super::past::{Origin, Past};
use super::session::Session;
use super::stop::{Stop, failed};
use crate::process::NetworkBytes;
use crate::record::{DefaultGet, FailureKind};
use crate::scenario::pv_name;
use crate::worker_protocol::Done;

/// Bytes on the worker's connections before the values changed.
pub(super) struct Watched {
    before: Option<NetworkBytes>,
}

impl Watched {
    /// Call it before the values change.
    pub(super) fn begin(session: &mut Session) -> Watched {
        Watched { before: session.network() }
    }

    /// The record of an ordinary get. Call it when the worker has answered with the values of
    /// `indices`, whose history is `past`.
    ///
    /// # Errors
    /// When the PV never had the value, and when the server fails.
    pub(super) fn end(
        self,
        driven: &mut Driven<'_>,
        past: &Past,
        indices: &[usize],
        done: &Done,
    ) -> Result<DefaultGet, Stop> {
        let answered = driven.session.now();
        let after = driven.session.network();
        let mut seen = of_values(past, indices, done, answered)?;
        let more = |part: fn(&NetworkBytes) -> u64| {
            part(after.as_ref()?).checked_sub(part(self.before.as_ref()?))
        };
        seen.sent_bytes = more(|bytes| bytes.sent_bytes);
        seen.received_bytes = more(|bytes| bytes.received_bytes);
        seen.monitors = driven.ioc.subscriptions_to(indices)?;
        Ok(seen)
    }
}

/// The ages of outdated values.
fn of_values(
    past: &Past,
    indices: &[usize],
    done: &Done,
    answered: Duration,
) -> Result<DefaultGet, Stop> {
    let values = done.values.as_deref().unwrap_or_default();
    let mut seen = DefaultGet::default();
    for (position, (index, value)) in indices.iter().zip(values).enumerate() {
        match past.origin(position, *value) {
            Origin::Present => {}
            Origin::Outdated(replaced) => {
                let read = answered.saturating_sub(before_the_end(done, position));
                let age = read.saturating_sub(replaced);
                seen.outdated += 1;
                seen.oldest_ns =
                    seen.oldest_ns.max(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX));
            }
            Origin::Never => {
                let holds = past.present(position).unwrap_or(f64::NAN);
                let message = format!(
                    "{} answered {value}, the IOC holds {holds} and never held that since the \
                     worker was started",
                    pv_name(*index)
                );
                return Err(failed(FailureKind::WrongValue, Some(done.stage), message));
            }
        }
    }
    Ok(seen)
}

/// How long before the end of the stage the value at `position` arrived, where the worker timed
/// each.
fn before_the_end(done: &Done, position: usize) -> Duration {
    let took_ns = done.end_ns.saturating_sub(done.start_ns);
    let until: Option<u64> = done.each_ns.get(..=position).map(|each| each.iter().sum());
    Duration::from_nanos(until.map_or(0, |ns| took_ns.saturating_sub(ns)))
}
