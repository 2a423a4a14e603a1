//! CPU load in consecutive windows of time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::median;

/// The CPU load of one process over a time. 100 % is one core.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CpuLoad {
    /// All CPU time over all the time, the rest after the last window included.
    pub mean_percent: f64,
    /// The median window.
    pub median_percent: f64,
    /// The window with the least load.
    pub min_percent: f64,
    /// The window with the most load.
    pub max_percent: f64,
    /// How many whole windows; 1 when the time is shorter than one.
    pub windows: usize,
    /// CPU time used between the first and the last sample.
    pub cpu_ns: u64,
    /// Time between the first and the last sample.
    pub wall_ns: u64,
}

/// The load in consecutive windows of `width_ns` from the first sample on.
/// `samples` are pairs of (time in ns, CPU time used so far in ns), in order of
/// time; between them the CPU time is interpolated. A time shorter than one
/// window is one window. None when the samples span no time.
///
/// The mean takes nothing but the first and the last sample: it is exact,
/// whatever the windows are.
pub fn cpu_load(samples: &[(u64, u64)], width_ns: u64) -> Option<CpuLoad> {
    let (first, last) = (samples.first()?, samples.last()?);
    let wall_ns = last.0.checked_sub(first.0).filter(|wall_ns| *wall_ns > 0)?;
    let percents: Vec<f64> =
        cpu_windows(samples, width_ns).into_iter().map(|(_, percent)| percent).collect();
    let cpu_ns = last.1.saturating_sub(first.1);
    Some(CpuLoad {
        mean_percent: 100.0 * cpu_ns as f64 / wall_ns as f64,
        median_percent: median(&percents),
        min_percent: percents.iter().copied().fold(f64::INFINITY, f64::min),
        max_percent: percents.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        windows: percents.len(),
        cpu_ns,
        wall_ns,
    })
}

/// The windows of [`cpu_load`]: when each begins (in ns, as in `samples`), and its load
/// in %. Empty when the samples span no time.
pub fn cpu_windows(samples: &[(u64, u64)], width_ns: u64) -> Vec<(u64, f64)> {
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return Vec::new() };
    let Some(wall_ns) = last.0.checked_sub(first.0).filter(|ns| *ns > 0) else { return Vec::new() };
    let width_ns = width_ns.clamp(1, wall_ns);
    let edges: Vec<(u64, f64)> = (0..=wall_ns / width_ns)
        .map(|window| first.0 + window * width_ns)
        .filter_map(|at_ns| Some((at_ns, at(samples, at_ns)?)))
        .collect();
    let load = |pair: &[(u64, f64)]| (pair[0].0, 100.0 * (pair[1].1 - pair[0].1) / width_ns as f64);
    edges.windows(2).map(load).collect()
}

/// The part of a counter's samples from `from_ns` to `to_ns`, with interpolated
/// samples at both ends. What was not sampled is not made up: a part that lies
/// outside is cut off, and there may be nothing left.
pub fn between(samples: &[(u64, u64)], from_ns: u64, to_ns: u64) -> Vec<(u64, u64)> {
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return Vec::new() };
    let (from_ns, to_ns) = (from_ns.max(first.0), to_ns.min(last.0));
    if from_ns > to_ns {
        return Vec::new();
    }
    let edge = |at_ns| at(samples, at_ns).map(|value| (at_ns, value.round() as u64));
    let inside = samples.iter().filter(|(at_ns, _)| from_ns < *at_ns && *at_ns < to_ns).copied();
    let end = (to_ns > from_ns).then(|| edge(to_ns)).flatten();
    edge(from_ns).into_iter().chain(inside).chain(end).collect()
}

/// The counter at a moment; None outside of the samples.
fn at(samples: &[(u64, u64)], at_ns: u64) -> Option<f64> {
    let after = samples.partition_point(|(sample_ns, _)| *sample_ns < at_ns);
    let (right_ns, right) = *samples.get(after)?;
    if right_ns == at_ns {
        return Some(right as f64);
    }
    let (left_ns, left) = *samples.get(after.checked_sub(1)?)?;
    let part = (at_ns - left_ns) as f64 / (right_ns - left_ns) as f64;
    Some(left as f64 + part * (right as f64 - left as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn half_a_core_and_then_none_are_distinguished() {
        let samples = [(0, 0), (2 * SECOND, SECOND), (4 * SECOND, SECOND)];
        let load = cpu_load(&samples, SECOND).unwrap();
        assert_eq!((load.max_percent, load.min_percent, load.windows), (50.0, 0.0, 4));
        assert_eq!((load.mean_percent, load.median_percent), (25.0, 25.0));
        assert_eq!((load.cpu_ns, load.wall_ns), (SECOND, 4 * SECOND));
    }

    #[test]
    fn windows_begin_at_the_first_sample_and_their_edges_are_interpolated() {
        let start = 7_300_000_000;
        // 10 % in the first 1.5 s, 90 % after.
        let samples = [(0, 5), (1500, 155), (2500, 1055)]
            .map(|(at_ms, cpu_ms)| (start + at_ms * 1_000_000, cpu_ms * 1_000_000));
        let load = cpu_load(&samples, SECOND).unwrap();
        assert_eq!(load.windows, 2);
        assert!((load.min_percent - 10.0).abs() < 1e-6, "{load:?}");
        assert!((load.max_percent - 50.0).abs() < 1e-6, "{load:?}");
        // The half second after the last window counts in the mean only.
        assert!((load.mean_percent - 42.0).abs() < 1e-9, "{load:?}");
    }

    #[test]
    fn less_than_a_window_is_one_window() {
        let load = cpu_load(&[(100, 0), (300, 100)], SECOND).unwrap();
        assert_eq!((load.windows, load.median_percent, load.mean_percent), (1, 50.0, 50.0));
    }

    #[test]
    fn each_window_reports_when_it_begins_and_its_load() {
        let samples = [(2 * SECOND, 5 * SECOND), (4 * SECOND, 6 * SECOND)];
        assert_eq!(cpu_windows(&samples, SECOND), [(2 * SECOND, 50.0), (3 * SECOND, 50.0)]);
    }

    #[test]
    fn two_busy_threads_are_200_percent() {
        let load = cpu_load(&[(0, 0), (SECOND, 2 * SECOND)], SECOND).unwrap();
        assert_eq!(load.max_percent, 200.0);
    }

    #[test]
    fn no_time_has_no_load() {
        assert_eq!(cpu_load(&[], SECOND), None);
        assert_eq!(cpu_load(&[(1, 1)], SECOND), None);
        assert_eq!(cpu_load(&[(1, 1), (1, 2)], SECOND), None);
        assert_eq!(cpu_windows(&[], SECOND), []);
        assert_eq!(cpu_windows(&[(1, 1), (1, 2)], SECOND), []);
    }

    #[test]
    fn a_part_is_cut_out_with_interpolated_ends() {
        let samples = [(0, 0), (10, 100), (20, 100), (30, 400)];
        assert_eq!(between(&samples, 5, 25), [(5, 50), (10, 100), (20, 100), (25, 250)]);
        assert_eq!(between(&samples, 10, 20), [(10, 100), (20, 100)]);
        assert_eq!(between(&samples, 12, 12), [(12, 100)]);
        assert_eq!(between(&samples, 25, 99), [(25, 250), (30, 400)]);
        assert_eq!(between(&samples, 40, 50), []);
        assert_eq!(between(&[], 0, 1), []);
    }
}
