//! How fast a process's memory grows, distinguished from steps and from garbage
//! collection.

use super::{Interval, median_interval};

/// Blocks that the time is cut into. With eight the interval of
/// [`median_interval`] leaves one block out at each end, at 93 % confidence.
const BLOCKS: usize = 8;

/// Samples that a block must hold, so that its ends are not the same sample.
const LEAST_SAMPLES_PER_BLOCK: usize = 4;

const MINUTE_NS: f64 = 60e9;

/// Growth of the resident memory, in bytes per minute, with an interval at
/// `wanted` confidence. `samples` are pairs of (time in ns, bytes), in order of
/// time. None with fewer than 32 samples, or when they span no time.
///
/// A leak is memory that is never given back. So each sample is replaced by the
/// least memory that was held from then on: the teeth of a garbage collector
/// vanish, and what is left can only rise. The time is cut into eight equal
/// blocks, and the median of their rises, with its interval, is the answer. A
/// leak rises in every block. A step, however high and whenever, rises in one
/// block; the interval's lower end is above 0 only when at most one block lacks a
/// rise, its upper end only when two have one.
///
/// A line fitted through the samples (least squares, or Theil-Sen with Sen's
/// interval) is not used: both intervals assume independent errors, but memory
/// is a staircase whose samples repeat each other, and one step in the middle of
/// the time looks like a slope that is many standard deviations from 0.
///
/// Growth in steps is seen when there is about one step in each block: a leak
/// that shows as two steps in all is not distinguished from two steps.
pub fn growth(samples: &[(u64, u64)], wanted: f64) -> Option<Interval> {
    if samples.len() < BLOCKS * LEAST_SAMPLES_PER_BLOCK {
        return None;
    }
    let (first, last) = (samples.first()?.0, samples.last()?.0);
    let block_ns = last.checked_sub(first)? as f64 / BLOCKS as f64;
    if block_ns <= 0.0 {
        return None;
    }
    let kept = held_from_then_on(samples);
    let edges: Vec<u64> =
        (0..=BLOCKS).map(|edge| at(&kept, first as f64 + edge as f64 * block_ns)).collect();
    let per_minute = MINUTE_NS / block_ns;
    let rises: Vec<f64> =
        edges.windows(2).map(|pair| (pair[1] - pair[0]) as f64 * per_minute).collect();
    median_interval(&rises, wanted)
}

/// The least of each sample and all after it.
fn held_from_then_on(samples: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut least = u64::MAX;
    let mut kept: Vec<(u64, u64)> = samples
        .iter()
        .rev()
        .map(|(at_ns, bytes)| {
            least = least.min(*bytes);
            (*at_ns, least)
        })
        .collect();
    kept.reverse();
    kept
}

/// The value of the last sample that is not after `at_ns`; memory is a
/// staircase, so nothing is interpolated.
fn at(samples: &[(u64, u64)], at_ns: f64) -> u64 {
    let after = samples.partition_point(|(sample_ns, _)| *sample_ns as f64 <= at_ns);
    samples[after.max(1) - 1].1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::theil_sen;
    use rand::{Rng, SeedableRng, rngs::StdRng};

    const MB: f64 = 1e6;

    /// Ten samples a second of `bytes(second)` above 100 MB.
    fn sampled(seconds: u32, mut bytes: impl FnMut(f64) -> f64) -> Vec<(u64, u64)> {
        (0..=seconds * 10)
            .map(|tenth| {
                let at_ns = u64::from(tenth) * 100_000_000;
                (at_ns, (100.0 * MB + bytes(f64::from(tenth) / 10.0)) as u64)
            })
            .collect()
    }

    fn found(samples: &[(u64, u64)]) -> Interval {
        growth(samples, 0.9).unwrap()
    }

    fn noise(seed: u64) -> impl FnMut() -> f64 {
        let mut random = StdRng::seed_from_u64(seed);
        move || random.random_range(-0.05 * MB..0.05 * MB)
    }

    #[test]
    fn a_leak_of_four_megabytes_a_second_is_found_within_five_seconds() {
        let leak = found(&sampled(5, |second| 4.0 * MB * second));
        assert!((leak.median / (240.0 * MB) - 1.0).abs() < 0.1, "{leak:?}");
        assert!(leak.low > 200.0 * MB && leak.high < 280.0 * MB, "{leak:?}");
        assert!(leak.confidence > 0.9);
    }

    #[test]
    fn a_leak_of_two_megabytes_a_minute_is_found_within_sixty_seconds_of_noise() {
        let mut noise = noise(1);
        let leak = found(&sampled(60, |second| 2.0 * MB * second / 60.0 + noise()));
        assert!(leak.low > 1.0 * MB && leak.high < 3.0 * MB, "{leak:?}");
    }

    #[test]
    fn a_leak_is_found_in_a_staircase_of_a_heap_that_grows_by_132_kib() {
        let stair = 132.0 * 1024.0;
        let leak = found(&sampled(60, |second| (2.0 * MB * second / 60.0 / stair).floor() * stair));
        assert!(leak.low > 1.0 * MB && leak.high < 3.5 * MB, "{leak:?}");
    }

    #[test]
    fn constant_memory_does_not_grow() {
        let flat = found(&sampled(5, |_| 0.0));
        assert_eq!((flat.low, flat.median, flat.high), (0.0, 0.0, 0.0));
    }

    #[test]
    fn one_step_is_no_leak_whenever_it_comes() {
        for step in 0..60 {
            let samples =
                sampled(60, |second| if second > f64::from(step) { 1.0 * MB } else { 0.0 });
            let growth = found(&samples);
            assert_eq!((growth.low, growth.high), (0.0, 0.0), "step after {step} s");
        }
    }

    #[test]
    fn a_fitted_line_would_take_one_step_in_the_middle_for_a_leak() {
        let samples = sampled(60, |second| if second > 30.0 { 1.0 * MB } else { 0.0 });
        let seconds: Vec<(f64, f64)> = samples
            .iter()
            .step_by(10)
            .map(|(at_ns, bytes)| (*at_ns as f64 / 1e9, *bytes as f64))
            .collect();
        assert!(theil_sen(&seconds).unwrap().slope * 60.0 > 0.5 * MB);
    }

    #[test]
    fn the_rise_of_a_start_is_no_leak() {
        let growth = found(&sampled(60, |second| 30.0 * MB * second.min(5.0) / 5.0));
        assert_eq!((growth.low, growth.high), (0.0, 0.0));
    }

    #[test]
    fn a_sawtooth_is_no_leak_and_a_leak_below_it_is_found() {
        for period in [0.7, 3.0, 7.0, 11.0] {
            let tooth = |second: f64| 20.0 * MB * (second / period).fract();
            let growth = found(&sampled(60, tooth));
            assert_eq!((growth.low, growth.median), (0.0, 0.0), "period {period} s: {growth:?}");
        }
        let samples = sampled(60, |second| {
            20.0 * MB * (second / 3.0).fract() + 10.0 * MB * (second / 3.0).floor() / 20.0
        });
        assert!(found(&samples).low > 5.0 * MB);
    }

    #[test]
    fn memory_that_shrinks_does_not_grow() {
        assert_eq!(found(&sampled(20, |second| -MB * second)).high, 0.0);
    }

    #[test]
    fn too_few_samples_report_nothing() {
        assert_eq!(growth(&sampled(3, |_| 0.0), 0.9), None);
        assert_eq!(growth(&vec![(7, 7); 100], 0.9), None);
    }

    #[test]
    fn four_samples_in_each_block_are_enough() {
        let rising: Vec<(u64, u64)> = (0..32).map(|at| (at, at)).collect();
        assert!(growth(&rising, 0.9).is_some());
        assert_eq!(growth(&rising[1..], 0.9), None);
    }

    /// Memory that wanders without a trend, each sample near the one before.
    fn wandering(random: &mut StdRng) -> Vec<(u64, u64)> {
        let mut bytes = 0.0;
        sampled(60, |_| {
            bytes = 0.95 * bytes + random.random_range(-0.1 * MB..0.1 * MB);
            bytes
        })
    }

    #[test]
    fn correlated_noise_is_seldom_taken_for_a_leak() {
        let mut random = StdRng::seed_from_u64(2);
        let alarms = (0..1000).filter(|_| found(&wandering(&mut random)).low > 0.0).count();
        assert!(alarms <= 10, "{alarms} false alarms in 1000");
    }

    #[test]
    fn the_interval_covers_a_true_leak_as_often_as_it_reports() {
        let mut random = StdRng::seed_from_u64(3);
        let mut covered = 0;
        for _ in 0..1000 {
            let mut samples = wandering(&mut random);
            for (at_ns, bytes) in &mut samples {
                *bytes += (20.0 * MB * *at_ns as f64 / MINUTE_NS) as u64;
            }
            let leak = found(&samples);
            covered += usize::from(leak.low <= 20.0 * MB && 20.0 * MB <= leak.high);
        }
        assert!(covered >= 900, "{covered} of 1000");
    }
}
