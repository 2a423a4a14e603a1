//! What the harness saw of a stage, beside what the worker claims of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The part of what a worker claims that it may take beside: a worker that claims four
/// fifths of what it took is the least lie that is a lie.
const ALLOWED_PART: f64 = 0.25;

/// What reading or writing a byte of a message may take. An allowance, not a measurement.
const NS_PER_BYTE: u64 = 200;

/// What the harness saw of a stage, or of several that it asked for in one go; then it
/// stands with the last of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Witnessed {
    /// From the moment when the command was ready to be sent to the moment when the
    /// answer was there: what the harness needs to write the one and to read the other is
    /// not in it, nor twice the time in which its threads for that had no core.
    pub waited_ns: u64,
    /// What the worker claims of that: its spans.
    pub claimed_ns: u64,
    /// Of the wait, time in which threads of the worker had no core to run on, by the
    /// kernel's count; 0 where that is not known.
    pub delayed_ns: u64,
    /// Bytes of the messages that the worker had to read and to write in the wait.
    pub message_bytes: u64,
    /// CPU time of the worker's processes from just before the command to just after the
    /// answer, by the kernel's count; none where that is not known.
    pub cpu_ns: Option<u64>,
    /// What the worker claims of that.
    pub claimed_cpu_ns: u64,
}

impl Witnessed {
    /// The time that the harness waited and no span claims, less what is known to have
    /// taken it: messages, and a machine that was busy. A worker waits for a core in its
    /// spans as it does outside of them, so only that part of its delay counts.
    pub fn unclaimed(&self) -> Unclaimed {
        let beyond_ns = self.waited_ns.saturating_sub(self.claimed_ns);
        let part = beyond_ns as f64 / self.waited_ns.max(1) as f64;
        let delayed_ns = (self.delayed_ns.min(self.waited_ns) as f64 * part) as u64;
        let messages_ns = self.message_bytes.saturating_mul(NS_PER_BYTE);
        let unclaimed_ns = beyond_ns.saturating_sub(delayed_ns).saturating_sub(messages_ns);
        Unclaimed { unclaimed_ns, claimed_ns: self.claimed_ns }
    }

    /// CPU time that the kernel counted and the worker does not claim, negative when it
    /// claims more; none where the kernel's count is not known.
    pub fn unclaimed_cpu_ns(&self) -> Option<i64> {
        let counted = i64::try_from(self.cpu_ns?).ok()?;
        i64::try_from(self.claimed_cpu_ns).ok().map(|claimed| counted.saturating_sub(claimed))
    }
}

/// Time that a worker took and did not claim, beside what it claimed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unclaimed {
    /// What no span claims and nothing that is known explains.
    pub unclaimed_ns: u64,
    /// What spans claim.
    pub claimed_ns: u64,
}

impl Unclaimed {
    /// The part of the time that no span claims, from 0 to 1.
    pub fn part(&self) -> f64 {
        let all_ns = self.unclaimed_ns.saturating_add(self.claimed_ns);
        self.unclaimed_ns as f64 / all_ns.max(1) as f64
    }

    /// The most unclaimed time that an honest worker has, when `fixed_ns` may be whatever
    /// it claims.
    pub fn allowed_ns(&self, fixed_ns: u64) -> u64 {
        fixed_ns.saturating_add((self.claimed_ns as f64 * ALLOWED_PART) as u64)
    }

    /// Whether there is more.
    pub fn is_over(&self, fixed_ns: u64) -> bool {
        self.unclaimed_ns > self.allowed_ns(fixed_ns)
    }
}

impl std::ops::AddAssign for Unclaimed {
    fn add_assign(&mut self, other: Unclaimed) {
        self.unclaimed_ns = self.unclaimed_ns.saturating_add(other.unclaimed_ns);
        self.claimed_ns = self.claimed_ns.saturating_add(other.claimed_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn witnessed(waited_ms: u64, claimed_ms: u64) -> Witnessed {
        Witnessed {
            waited_ns: waited_ms * MS,
            claimed_ns: claimed_ms * MS,
            delayed_ns: 0,
            message_bytes: 0,
            cpu_ns: Some(10),
            claimed_cpu_ns: 30,
        }
    }

    #[test]
    fn half_a_span_is_unclaimed_and_over_from_fifty_milliseconds_on() {
        let half = witnessed(50, 25).unclaimed();
        assert_eq!((half.unclaimed_ns, half.claimed_ns), (25 * MS, 25 * MS));
        assert!((half.part() - 0.5).abs() < 1e-9);
        assert!(half.is_over(15 * MS), "{half:?}");
        assert!(!witnessed(50, 48).unclaimed().is_over(15 * MS));
    }

    #[test]
    fn messages_and_the_same_part_of_the_delay_explain_it() {
        let honest = Witnessed { message_bytes: 100_000, ..witnessed(50, 25) };
        assert_eq!(honest.unclaimed().unclaimed_ns, 5 * MS);
        let delayed = Witnessed { delayed_ns: 20 * MS, ..witnessed(50, 25) };
        assert_eq!(delayed.unclaimed().unclaimed_ns, 15 * MS);
    }

    #[test]
    fn claims_beyond_every_number_do_not_wrap() {
        let most = u64::MAX;
        let all = Witnessed { waited_ns: 1, claimed_ns: most, ..witnessed(0, 0) };
        assert_eq!(all.unclaimed().unclaimed_ns, 0);
        assert_eq!(all.unclaimed().allowed_ns(most), most);
        assert_eq!(all.unclaimed_cpu_ns(), Some(-20));
        assert_eq!(Witnessed { claimed_cpu_ns: most, ..all }.unclaimed_cpu_ns(), None);
    }
}
