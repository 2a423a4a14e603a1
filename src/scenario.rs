//! Scenarios as data: what is asked of a server and an approach.

pub mod published;

pub use crate::record::Scenario;
use crate::record::{FailureKind, Pixels, Record};
use crate::worker_protocol::{Mode, Stage};

/// A server that makes fewer than this part of its updates has given way itself,
/// in a search for a capacity.
pub const RATE_HELD_IN_SEARCH: f64 = 0.98;

/// The server that is not named where there is no other.
pub const USUAL_SERVER: &str = "softioc";

/// All scenarios, in the order of reports, with what they ask.
pub const ALL: [(Scenario, &str); 7] = [
    (Scenario::Connect, "connect, get, get again and put, one by one and in bulk"),
    (Scenario::Waveform, "a monitor on frames of a camera, every frame checked"),
    (Scenario::Scalars, "monitors on many PVs at a rate, every update counted"),
    (Scenario::Capacity, "the most PVs at a rate that arrive without loss, by search"),
    (Scenario::Scale, "servers against clients: PVs x rate x monitors, every update counted"),
    (Scenario::Disturbed, "monitors while the client stalls, the IOC restarts, a PV disappears"),
    (
        Scenario::Fleet,
        "connect up to a million PVs on a hundred IOCs: time, memory, searches per PV",
    ),
];

/// Bytes of a Channel Access header, and of its extension for long messages.
const HEADER_BYTES: u64 = 16;
const LONG_HEADER_BYTES: u64 = 24;

/// Longer payloads need the extension.
const LONGEST_SHORT_PAYLOAD_BYTES: u64 = 0xfffe;

/// Bytes before the value in `DBR_TIME_DOUBLE` and `DBR_TIME_SHORT`.
const TIME_DOUBLE_OFFSET_BYTES: u64 = 16;
const TIME_SHORT_OFFSET_BYTES: u64 = 14;

/// The least bytes that one update with its time stamp takes on a circuit: a
/// frame's, or a scalar's where there are no `pixels`.
pub fn least_update_bytes(pixels: Option<Pixels>) -> u64 {
    let payload = match pixels {
        None => TIME_DOUBLE_OFFSET_BYTES + 8,
        Some(pixels) => (TIME_SHORT_OFFSET_BYTES + pixels.bytes()).next_multiple_of(8),
    };
    let header =
        if payload > LONGEST_SHORT_PAYLOAD_BYTES { LONG_HEADER_BYTES } else { HEADER_BYTES };
    header + payload
}

/// Gets and puts go to one PV of this many: a high-level application reads 1 %
/// of the PVs that it connects.
const PVS_PER_SAMPLED_PV: usize = 100;

/// Not more than this many PVs are read or written one at a time.
const MOST_SAMPLED_PVS: usize = 100;

/// Which PVs a step treats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All PVs of the job.
    All,
    /// 1 % of them, spread evenly: [`sampled_pvs`].
    Sampled,
}

/// What a step asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Make the context.
    Context,
    /// Create and connect all PVs.
    Connect,
    /// Let all records process once, then read: the values must be the new ones.
    Get(Which),
    /// The same once more; a cached or stale answer has the wrong value.
    GetAgain(Which),
    /// Write new values to the sampled PVs, confirmed, then read them back.
    PutAndReadBack,
}

/// One step: an action in a mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What.
    pub action: Action,
    /// One PV at a time or all at once.
    pub mode: Mode,
}

/// The steps of the connect scenario for a cell that connects in `mode`.
///
/// A bulk cell reads and writes in both modes, so that the figures of one PV at
/// a time stand beside those of all at once for the same connections. A brief one
/// stops after the first sampled get, which proves that the connections are real.
pub fn connect_steps(mode: Mode, brief: bool) -> Vec<Step> {
    let step = |action, mode| Step { action, mode };
    let mut steps = vec![
        step(Action::Context, Mode::Bulk),
        step(Action::Connect, mode),
        step(Action::Get(Which::Sampled), Mode::Serial),
    ];
    if brief {
        return steps;
    }
    steps.extend([
        step(Action::GetAgain(Which::Sampled), Mode::Serial),
        step(Action::PutAndReadBack, Mode::Serial),
    ]);
    if mode == Mode::Bulk {
        steps.extend([
            step(Action::Get(Which::All), Mode::Bulk),
            step(Action::GetAgain(Which::All), Mode::Bulk),
            step(Action::PutAndReadBack, Mode::Bulk),
        ]);
    }
    steps
}

/// The indices of the sampled PVs among `pvs`: 1 %, at least 1, at most 100.
pub fn sampled_pvs(pvs: usize) -> Vec<usize> {
    let count = (pvs / PVS_PER_SAMPLED_PV).clamp(1, MOST_SAMPLED_PVS).min(pvs);
    (0..count).map(|number| number * pvs / count).collect()
}

/// The name of the PV with this index, on every server of this crate.
pub fn pv_name(index: usize) -> String {
    format!("gauge:{index}")
}

/// The name of the PV that sends frames.
pub const FRAME_PV: &str = "gauge:frame";

/// How much greater the value of a PV of [`pv_name`] is after it was processed
/// once more: the greatest index of a PV is below it.
pub const PROCESSED_FACTOR: f64 = 1_048_576.0;

/// Whether a worker failed in a way that answers what is asked: in a search for a
/// capacity, and in the scale matrix, so many updates may be too much for the
/// client's memory; in the matrix also too much to subscribe to, or to collect.
pub fn is_answer(record: &Record) -> bool {
    let Some(failure) = &record.failure else { return false };
    let is_monitoring = matches!(failure.stage, Some(Stage::Subscribe | Stage::Collect));
    match (record.scenario, failure.kind) {
        (Scenario::Capacity | Scenario::Scale, FailureKind::TooMuchMemory) => true,
        // Known beforehand, so it was not tried.
        (_, FailureKind::Unable | FailureKind::LeftOut) => true,
        (Scenario::Scale, FailureKind::TimedOut | FailureKind::StageFailed) => is_monitoring,
        _ => false,
    }
}

/// Which stages read values.
pub fn reads(stage: Stage) -> bool {
    matches!(stage, Stage::Get | Stage::GetAgain | Stage::Readback)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_percent_is_sampled_but_at_least_one_and_at_most_a_hundred() {
        let counts: Vec<usize> =
            [1, 99, 200, 10_000, 1_000_000].map(|pvs| sampled_pvs(pvs).len()).to_vec();
        assert_eq!(counts, [1, 1, 2, 100, 100]);
    }

    #[test]
    fn the_least_bytes_of_an_update_are_those_of_one_message() {
        assert_eq!(least_update_bytes(None), 40);
        let frame = Pixels { width: 680, height: 480 };
        assert_eq!(least_update_bytes(Some(frame)), 24 + 652_816);
    }

    #[test]
    fn sampled_pvs_are_different_and_in_range() {
        let sampled = sampled_pvs(10_000);
        assert!(sampled.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(sampled.iter().all(|index| *index < 10_000));
    }
}
