//! What cannot be in a record: the judge subtracts times without looking.

use super::{Monitored, Record, Sample, Usage};

/// Why this record cannot have been measured; none when it can.
pub(super) fn impossible(record: &Record) -> Option<String> {
    let of_stage = |sample: &Sample| {
        (sample.end_ns < sample.start_ns).then(|| {
            format!(
                "{} ends at {} ns, before its start at {} ns",
                sample.stage, sample.end_ns, sample.start_ns
            )
        })
    };
    let monitored = record.monitored.as_deref();
    record.samples.iter().find_map(of_stage).or_else(|| monitored.and_then(of_monitors))
}

fn of_monitors(monitored: &Monitored) -> Option<String> {
    if monitored.end_ns < monitored.start_ns {
        let Monitored { start_ns, end_ns, .. } = monitored;
        return Some(format!("monitors end at {end_ns} ns, before their start at {start_ns} ns"));
    }
    of_usage("client", &monitored.client).or_else(|| of_usage("server", &monitored.server))
}

/// Time only grows. What a process used may be less than before: an IOC that is started
/// again begins at 0.
fn of_usage(side: &str, usage: &Usage) -> Option<String> {
    let sampled = usage.samples.iter().map(|sample| sample.at_ns).collect();
    let network = usage.network.iter().map(|sample| sample.at_ns).collect();
    [sampled, network].into_iter().find_map(|at_ns: Vec<u64>| {
        let back = at_ns.windows(2).find(|pair| pair[1] < pair[0])?;
        Some(format!("samples of the {side} go back from {} ns to {} ns", back[0], back[1]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::UsageSample;

    fn sample(start_ns: u64, end_ns: u64) -> Record {
        let line = format!(
            r#"{{"stage":"get","mode":"bulk","pvs":1,"start_ns":{start_ns},"end_ns":{end_ns},"cpu_ns":0}}"#
        );
        Record { samples: vec![serde_json::from_str(&line).unwrap()], ..Record::default() }
    }

    #[test]
    fn a_stage_cannot_end_before_its_start() {
        assert_eq!(impossible(&sample(5, 5)), None);
        assert!(impossible(&sample(6, 5)).unwrap().contains("before its start"));
    }

    #[test]
    fn samples_are_in_the_order_of_time() {
        let at = |at_ns| UsageSample { at_ns, cpu_ns: 0, rss_bytes: 0 };
        let usage = |samples| Usage { samples, ..Usage::default() };
        assert_eq!(of_usage("client", &usage(vec![at(1), at(1), at(2)])), None);
        assert!(of_usage("server", &usage(vec![at(2), at(1)])).is_some());
    }
}
