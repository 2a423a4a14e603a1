//! Latencies between two hosts: the server stamps by its clock, the client receives by its own.

use crate::process::ClockOffset;

/// A latency is shown only where the clocks are known this much better.
const PART_OF_LATENCY: f64 = 0.1;

/// Takes the offset of the server's clock out of latencies in ns, each with its count. Where it
/// is not known well enough they are unknown: then empties them and returns the reason.
pub(super) fn correct(latencies: &mut Vec<(i64, u64)>, clock: ClockOffset) -> Option<String> {
    for (latency_ns, _) in latencies.iter_mut() {
        *latency_ns = latency_ns.saturating_add(clock.offset_ns);
    }
    let (median_ns, bound_ns) = (median(latencies)? as f64, clock.bound_ns as f64);
    if bound_ns < PART_OF_LATENCY * median_ns {
        return None;
    }
    latencies.clear();
    Some(format!(
        "one-way latency is unknown: the clocks of the two hosts are known to {:.3} ms, and the \
         median would be {:.3} ms",
        bound_ns / 1e6,
        median_ns / 1e6
    ))
}

fn median(latencies: &[(i64, u64)]) -> Option<i64> {
    let mut sorted = latencies.to_vec();
    sorted.sort_unstable();
    let half = sorted.iter().map(|(_, count)| count).sum::<u64>().div_ceil(2);
    let mut seen = 0;
    let mut reached = sorted.iter().filter(|(_, count)| {
        seen += count;
        seen >= half
    });
    reached.next().map(|(latency_ns, _)| *latency_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corrected(bound_ns: u64) -> (Vec<(i64, u64)>, Option<String>) {
        // The server's clock is 5 ms ahead: its stamps are late, and latencies short by that.
        let mut latencies = vec![(-4_800_000, 3), (-4_700_000, 1)];
        let why = correct(&mut latencies, ClockOffset { offset_ns: 5_000_000, bound_ns });
        (latencies, why)
    }

    #[test]
    fn a_clock_that_is_known_well_is_taken_out() {
        assert_eq!(corrected(10_000), (vec![(200_000, 3), (300_000, 1)], None));
    }

    #[test]
    fn a_latency_below_ten_bounds_is_unknown() {
        let (latencies, why) = corrected(25_000);
        assert!(latencies.is_empty());
        assert!(why.unwrap().contains("0.025 ms"));
    }

    #[test]
    fn half_of_the_updates_are_not_later_than_the_median() {
        assert_eq!(median(&[(9, 1), (1, 2), (5, 1)]), Some(1));
        assert_eq!(median(&[(9, 3), (1, 2)]), Some(9));
        assert_eq!(median(&[]), None);
    }
}
