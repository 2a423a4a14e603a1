//! Figures of faults: what went wrong, and how clients came back.

use super::{Metric, Unit};
use crate::record::{FaultRun, Held, Record};
use crate::scenario::{FaultCourse, FaultDefinition, PutKind};

/// One figure of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultFigure {
    /// How long the library took to report that the server is gone.
    DisconnectReported,
    /// PVs whose disconnect it never reported.
    Unreported,
    /// PVs that it reported as connected to a server that could not answer.
    FalselyConnected,
    /// Gets that were answered after the server was back.
    GetsAnswered,
    /// Gets that failed in time.
    GetsFailed,
    /// Gets that took longer than they may.
    GetsLate,
    /// Gets that returned an old value.
    GetsStale,
    /// Until half of the PVs were back.
    RecoveryMedian,
    /// Until the last PV was back.
    RecoverySlowest,
    /// PVs that never came back.
    NeverRecovered,
    /// Updates that did not arrive.
    UpdatesLost,
    /// Updates that came twice, out of order, or that nobody made.
    UpdatesWrong,
    /// PVs whose last update did not arrive.
    LastMissing,
    /// Circuits that the client has beyond those of before.
    ClientCircuits,
    /// Circuits that the server has though the client has closed them.
    ServerCircuits,
    /// Time to disconnect.
    Disconnect,
    /// Memory that the client keeps of each round.
    ClientMemory,
    /// Descriptors that it keeps of each round.
    ClientDescriptors,
    /// Threads that it keeps of each round.
    ClientThreads,
    /// Memory that the server keeps of each round.
    ServerMemory,
    /// Descriptors that it keeps of each round.
    ServerDescriptors,
    /// Threads that it keeps of each round.
    ServerThreads,
    /// Channels that the server still has.
    ChannelsLeft,
    /// Subscriptions that it still has.
    SubscriptionsLeft,
    /// Until the process ended.
    Close,
    /// Processes that ended badly.
    BadEnds,
    /// Processes that never ended.
    Hangs,
    /// How long a put took.
    Put,
    /// Puts that were confirmed too early.
    PutsEarly,
    /// Puts that were refused and reported as done.
    PutsSwallowed,
    /// Values that were not written.
    PutsMissing,
    /// How much later PVs connect beside dead ones.
    DeadDelay,
    /// Dead PVs that the library reported as connected.
    DeadConnected,
    /// Searches per second at first.
    SearchesFirst,
    /// Searches per second after that.
    SearchesLater,
    /// CPU of a client that only waits for dead PVs.
    IdleCpu,
    /// Until the last of many clients was connected.
    StormConnected,
    /// From the first to the last of them.
    StormSpread,
    /// Clients that did not connect.
    StormLost,
    /// CPU time of the server meanwhile.
    StormServerCpu,
    /// Memory of the server for them.
    StormServerMemory,
    /// Searches for each PV of each client.
    StormSearches,
    /// Until the server had all subscriptions after its restart.
    StormBack,
    /// Subscriptions that it never had again.
    StormSubscriptionsMissing,
    /// Puts that never ended.
    PutDeadlocks,
    /// Wrong values of a client that others used too.
    SharedWrong,
    /// Whether it never ended.
    SharedHangs,
    /// Whether a signal ended it.
    SharedCrashes,
    /// Frames that did not arrive beside other PVs.
    FramesLost,
    /// Updates of slow PVs that did not.
    SlowLost,
    /// Updates of fast PVs that did not.
    FastLost,
    /// The 99th percentile of the latency of frames.
    FramesLatency,
    /// That of slow PVs.
    SlowLatency,
    /// That of fast PVs.
    FastLatency,
}

/// What the words of a figure are, and what it is computed from.
pub(super) struct Described {
    pub(super) name: &'static str,
    pub(super) unit: Unit,
    pub(super) kind: Kind,
    pub(super) about: &'static str,
    of: fn(&FaultRun) -> Option<f64>,
}

/// Which way is better, and whether it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It must be none.
    Wrong,
    /// It is counted, and neither way is better.
    Neutral,
    /// It is timed or sampled: the less the better.
    Measured,
}

/// The first rounds of a client make what it keeps for good.
const ROUNDS_TO_SETTLE: usize = 2;

impl FaultFigure {
    /// All, in the order of reports.
    pub const ALL: [FaultFigure; 54] = [
        FaultFigure::DisconnectReported,
        FaultFigure::Unreported,
        FaultFigure::FalselyConnected,
        FaultFigure::GetsAnswered,
        FaultFigure::GetsFailed,
        FaultFigure::GetsLate,
        FaultFigure::GetsStale,
        FaultFigure::RecoveryMedian,
        FaultFigure::RecoverySlowest,
        FaultFigure::NeverRecovered,
        FaultFigure::UpdatesLost,
        FaultFigure::UpdatesWrong,
        FaultFigure::LastMissing,
        FaultFigure::ClientCircuits,
        FaultFigure::ServerCircuits,
        FaultFigure::Disconnect,
        FaultFigure::ClientMemory,
        FaultFigure::ClientDescriptors,
        FaultFigure::ClientThreads,
        FaultFigure::ServerMemory,
        FaultFigure::ServerDescriptors,
        FaultFigure::ServerThreads,
        FaultFigure::ChannelsLeft,
        FaultFigure::SubscriptionsLeft,
        FaultFigure::Close,
        FaultFigure::BadEnds,
        FaultFigure::Hangs,
        FaultFigure::Put,
        FaultFigure::PutsEarly,
        FaultFigure::PutsSwallowed,
        FaultFigure::PutsMissing,
        FaultFigure::DeadDelay,
        FaultFigure::DeadConnected,
        FaultFigure::SearchesFirst,
        FaultFigure::SearchesLater,
        FaultFigure::IdleCpu,
        FaultFigure::StormConnected,
        FaultFigure::StormSpread,
        FaultFigure::StormLost,
        FaultFigure::StormServerCpu,
        FaultFigure::StormServerMemory,
        FaultFigure::StormSearches,
        FaultFigure::StormBack,
        FaultFigure::StormSubscriptionsMissing,
        FaultFigure::PutDeadlocks,
        FaultFigure::SharedWrong,
        FaultFigure::SharedHangs,
        FaultFigure::SharedCrashes,
        FaultFigure::FramesLost,
        FaultFigure::SlowLost,
        FaultFigure::FastLost,
        FaultFigure::FramesLatency,
        FaultFigure::SlowLatency,
        FaultFigure::FastLatency,
    ];

    /// Whether a worker that comes through this fault has it.
    pub fn is_of(self, fault: &FaultDefinition) -> bool {
        match fault.course {
            FaultCourse::Monitored(course) => match self {
                FaultFigure::UpdatesLost | FaultFigure::UpdatesWrong | FaultFigure::LastMissing => {
                    true
                }
                FaultFigure::GetsAnswered
                | FaultFigure::GetsFailed
                | FaultFigure::GetsLate
                | FaultFigure::GetsStale => course.has_gets,
                FaultFigure::DisconnectReported
                | FaultFigure::Unreported
                | FaultFigure::FalselyConnected
                | FaultFigure::RecoveryMedian
                | FaultFigure::RecoverySlowest
                | FaultFigure::NeverRecovered => !course.faults.is_empty(),
                FaultFigure::ClientCircuits | FaultFigure::ServerCircuits => course.cuts_link(),
                _ => false,
            },
            FaultCourse::Late { .. } => self == FaultFigure::RecoverySlowest,
            FaultCourse::Churn { .. } => {
                (FaultFigure::Disconnect..=FaultFigure::SubscriptionsLeft).contains(&self)
            }
            FaultCourse::Close(_) => (FaultFigure::Close..=FaultFigure::Hangs).contains(&self),
            FaultCourse::Shared(_) => {
                (FaultFigure::SharedWrong..=FaultFigure::SharedCrashes).contains(&self)
            }
            FaultCourse::Mixed(_) => {
                let of_kinds = FaultFigure::FramesLost..=FaultFigure::FastLatency;
                of_kinds.contains(&self)
                    || matches!(self, FaultFigure::UpdatesWrong | FaultFigure::LastMissing)
            }
            FaultCourse::Put(kind) => match self {
                // A put that is refused takes no time, and the second of two may be.
                FaultFigure::Put => !matches!(kind, PutKind::Refused | PutKind::Again),
                FaultFigure::PutsEarly => matches!(kind, PutKind::Slow | PutKind::Again),
                FaultFigure::PutsSwallowed => matches!(kind, PutKind::Refused | PutKind::Again),
                FaultFigure::PutsMissing => {
                    matches!(kind, PutKind::Unconfirmed | PutKind::InCallback)
                }
                FaultFigure::PutDeadlocks => {
                    matches!(kind, PutKind::Again | PutKind::InCallback)
                }
                _ => false,
            },
            FaultCourse::Dead { .. } => {
                (FaultFigure::DeadDelay..=FaultFigure::IdleCpu).contains(&self)
            }
            FaultCourse::Storm { .. } => (FaultFigure::StormConnected
                ..=FaultFigure::StormSubscriptionsMissing)
                .contains(&self),
        }
    }

    /// The figure that stands for a fault where nothing is wrong.
    pub fn headline(fault: &FaultDefinition) -> FaultFigure {
        match fault.course {
            FaultCourse::Monitored(course) if course.faults.is_empty() => FaultFigure::UpdatesLost,
            FaultCourse::Monitored(_) | FaultCourse::Late { .. } => FaultFigure::RecoverySlowest,
            FaultCourse::Churn { .. } => FaultFigure::Disconnect,
            FaultCourse::Close(_) => FaultFigure::Close,
            FaultCourse::Shared(_) => FaultFigure::SharedWrong,
            FaultCourse::Mixed(_) => FaultFigure::SlowLatency,
            FaultCourse::Put(PutKind::Slow | PutKind::InCallback) => FaultFigure::Put,
            FaultCourse::Put(PutKind::Refused | PutKind::Again) => FaultFigure::PutsSwallowed,
            FaultCourse::Put(PutKind::Unconfirmed) => FaultFigure::PutsMissing,
            FaultCourse::Dead { .. } => FaultFigure::DeadDelay,
            FaultCourse::Storm { .. } => FaultFigure::StormConnected,
        }
    }

    pub(super) fn described(self) -> Described {
        use Kind::{Measured, Neutral, Wrong};
        let row = |name, unit, kind, of, about| Described { name, unit, kind, about, of };
        let count = |name, kind, of, about| row(name, Unit::Count, kind, of, about);
        let seconds = |name, of, about| row(name, Unit::Seconds, Measured, of, about);
        let hertz = |name, of, about| row(name, Unit::Hertz, Measured, of, about);
        let bytes = |name, of, about| row(name, Unit::Bytes, Measured, of, about);
        match self {
            FaultFigure::DisconnectReported => seconds(
                "disconnect reported after",
                |run| run.reports?.slowest_s,
                "from the moment when the server stopped answering to the library's report of \
                 the last PV",
            ),
            FaultFigure::Unreported => count(
                "PVs not reported",
                Wrong,
                |run| Some(run.reports?.missing as f64),
                "PVs whose disconnect the library did not report although the server was away \
                 longer than the protocol's timeouts, or had closed its circuits",
            ),
            FaultFigure::FalselyConnected => count(
                "PVs falsely connected",
                Wrong,
                |run| Some(run.reports?.falsely_connected as f64),
                "PVs that the library reported as connected while the server could not answer",
            ),
            FaultFigure::GetsAnswered => count(
                "gets answered",
                Neutral,
                |run| Some(run.gets.as_ref()?.answered as f64),
                "gets that were asked while the server could not answer and answered when it could",
            ),
            FaultFigure::GetsFailed => count(
                "gets failed in time",
                Neutral,
                |run| Some(run.gets.as_ref()?.failed as f64),
                "gets that were asked then and gave up within their timeout",
            ),
            FaultFigure::GetsLate => count(
                "gets late",
                Wrong,
                |run| Some(run.gets.as_ref()?.late as f64),
                "gets that ended more than 1 s after their timeout",
            ),
            FaultFigure::GetsStale => count(
                "gets stale",
                Wrong,
                |run| Some(run.gets.as_ref()?.stale as f64),
                "gets that returned an old value as new",
            ),
            FaultFigure::RecoveryMedian => seconds(
                "median recovery",
                |run| run.recovered.as_ref()?.median_s,
                "until half of the PVs had their newest value again",
            ),
            FaultFigure::RecoverySlowest => seconds(
                "recovery",
                |run| run.recovered.as_ref()?.slowest_s,
                "until the last PV that came back had its newest value again",
            ),
            FaultFigure::NeverRecovered => count(
                "PVs never recovered",
                Wrong,
                |run| {
                    let back = run.recovered.as_ref()?;
                    Some(back.wanted.saturating_sub(back.recovered) as f64)
                },
                "PVs whose newest value never arrived again",
            ),
            FaultFigure::UpdatesLost => count(
                "fault updates lost",
                Neutral,
                |run| Some(run.updates.as_ref()?.lost as f64),
                "updates that the server made and that did not arrive, those made while a PV was \
                 away left out",
            ),
            FaultFigure::UpdatesWrong => count(
                "fault updates wrong",
                Wrong,
                |run| Some(run.updates.as_ref()?.wrong as f64),
                "updates that arrived twice, out of order, or that the server never made",
            ),
            FaultFigure::LastMissing => count(
                "PVs without last value",
                Wrong,
                |run| Some(run.updates.as_ref()?.last_missing as f64),
                "PVs, of those that were there, whose last update did not arrive",
            ),
            FaultFigure::ClientCircuits => count(
                "client circuits left",
                Wrong,
                |run| Some(run.circuits_left?.client? as f64),
                "TCP connections that the client has beyond those of before the cut",
            ),
            FaultFigure::ServerCircuits => count(
                "server circuits left",
                Neutral,
                |run| Some(run.circuits_left?.server? as f64),
                "TCP connections of before the cut that the client has closed and the server \
                 still has",
            ),
            FaultFigure::Disconnect => row(
                "disconnect bulk",
                Unit::SecondsPerPv,
                Measured,
                |run| median_of(&run.disconnect_s),
                "to end all subscriptions and drop all channels, median of the rounds",
            ),
            FaultFigure::ClientMemory => bytes(
                "client memory per round",
                |run| per_round(run, |held| held.client_bytes),
                "resident memory that the client keeps of each round",
            ),
            FaultFigure::ClientDescriptors => count(
                "client descriptors per round",
                Wrong,
                |run| whole_per_round(run, |held| held.client_descriptors),
                "whole descriptors that the client keeps of each round",
            ),
            FaultFigure::ClientThreads => count(
                "client threads per round",
                Wrong,
                |run| whole_per_round(run, |held| held.client_threads),
                "whole threads that the client keeps of each round",
            ),
            FaultFigure::ServerMemory => bytes(
                "server memory per round",
                |run| per_round(run, |held| held.server_bytes),
                "resident memory that the server keeps of each round",
            ),
            FaultFigure::ServerDescriptors => count(
                "server descriptors per round",
                Wrong,
                |run| whole_per_round(run, |held| held.server_descriptors),
                "whole descriptors that the server keeps of each round",
            ),
            FaultFigure::ServerThreads => count(
                "server threads per round",
                Wrong,
                |run| whole_per_round(run, |held| held.server_threads),
                "whole threads that the server keeps of each round",
            ),
            FaultFigure::ChannelsLeft => count(
                "channels left",
                Wrong,
                |run| Some(run.left?.channels? as f64),
                "channels that the server still has when the client has dropped all",
            ),
            FaultFigure::SubscriptionsLeft => count(
                "subscriptions left",
                Wrong,
                |run| Some(run.left?.subscriptions? as f64),
                "subscriptions that the server still has then",
            ),
            FaultFigure::Close => seconds(
                "close",
                |run| run.closed.as_ref()?.took_s,
                "from the request to end the context to the end of the process",
            ),
            FaultFigure::BadEnds => count(
                "bad ends",
                Wrong,
                |run| {
                    let closed = run.closed.as_ref()?;
                    Some(f64::from(u8::from(!closed.is_clean && !closed.hangs)))
                },
                "processes that ended by a signal or with another exit status than 0",
            ),
            FaultFigure::Hangs => count(
                "hangs",
                Wrong,
                |run| Some(f64::from(u8::from(run.closed.as_ref()?.hangs))),
                "processes that were still there 20 s later",
            ),
            FaultFigure::Put => seconds(
                "fault put",
                |run| run.puts.as_ref()?.took_s,
                "how long the put took, or all puts together that did not wait",
            ),
            FaultFigure::PutsEarly => count(
                "puts early",
                Wrong,
                |run| Some(run.puts.as_ref()?.early as f64),
                "puts that were confirmed before the record had completed",
            ),
            FaultFigure::PutsSwallowed => count(
                "puts swallowed",
                Wrong,
                |run| Some(run.puts.as_ref()?.swallowed as f64),
                "puts that the server refused and the library reported as done",
            ),
            FaultFigure::PutsMissing => count(
                "puts missing",
                Wrong,
                |run| Some(run.puts.as_ref()?.missing as f64),
                "values that were not in their records 5 s later",
            ),
            FaultFigure::DeadDelay => seconds(
                "delay by dead PVs",
                |run| {
                    let dead = run.dead.as_ref()?;
                    Some((dead.connect_s - dead.alone_s).max(0.0))
                },
                "how much longer the PVs that exist took to connect than without the dead ones \
                 in the same block",
            ),
            FaultFigure::DeadConnected => count(
                "dead PVs connected",
                Wrong,
                |run| Some(run.dead.as_ref()?.falsely_connected as f64),
                "PVs that do not exist and were reported as connected",
            ),
            FaultFigure::SearchesFirst => hertz(
                "searches at first",
                |run| run.dead.as_ref()?.searches_first_hz,
                "searches in the first 10 s after all others were connected",
            ),
            FaultFigure::SearchesLater => hertz(
                "searches later",
                |run| run.dead.as_ref()?.searches_later_hz,
                "searches in the 10 s after those",
            ),
            FaultFigure::IdleCpu => row(
                "CPU while idle",
                Unit::PercentOfACore,
                Measured,
                |run| Some(run.dead.as_ref()?.idle_cpu_percent),
                "CPU time of the client in the second 10 s, with one monitor that brings nothing",
            ),
            FaultFigure::StormConnected => seconds(
                "storm connected",
                |run| run.storm.as_ref()?.last_s,
                "from the request to connect to all clients at once until the last was connected",
            ),
            FaultFigure::StormSpread => seconds(
                "storm spread",
                |run| run.storm.as_ref()?.spread_s,
                "from the moment when the first client was connected until the last was",
            ),
            FaultFigure::StormLost => count(
                "storm clients lost",
                Wrong,
                |run| Some(run.storm.as_ref()?.lost as f64),
                "clients that failed, or did not connect all their PVs",
            ),
            FaultFigure::StormServerCpu => seconds(
                "storm server CPU",
                |run| run.storm.as_ref()?.server_cpu_s,
                "CPU time of the server while all clients connected",
            ),
            FaultFigure::StormServerMemory => bytes(
                "storm server memory",
                |run| Some(run.storm.as_ref()?.server_bytes? as f64),
                "by how much the server's resident memory grew meanwhile",
            ),
            FaultFigure::StormSearches => row(
                "storm searches",
                Unit::Count,
                Measured,
                |run| Some(run.storm.as_ref()?.searches as f64),
                "searches of all clients until the last was connected",
            ),
            FaultFigure::StormBack => seconds(
                "storm back",
                |run| run.storm.as_ref()?.back_s,
                "from the moment when the restarted IOC serves until it has all subscriptions again",
            ),
            FaultFigure::StormSubscriptionsMissing => count(
                "storm subscriptions missing",
                Wrong,
                |run| Some(run.storm.as_ref()?.subscriptions_missing? as f64),
                "subscriptions that the restarted IOC did not have after 40 s",
            ),
            FaultFigure::PutDeadlocks => count(
                "put deadlocks",
                Wrong,
                |run| Some(run.puts.as_ref()?.deadlocks as f64),
                "puts that had not ended 8 s later, again to a record or in a callback",
            ),
            FaultFigure::SharedWrong => count(
                "shared values wrong",
                Wrong,
                |run| Some(run.shared.as_ref()?.wrong as f64),
                "PVs of which a forked process, its parent or a thread had a wrong value or none",
            ),
            FaultFigure::SharedHangs => count(
                "shared hangs",
                Wrong,
                |run| Some(f64::from(u8::from(run.shared.as_ref()?.hangs))),
                "clients of which a forked process or a thread had not ended after 10 s",
            ),
            FaultFigure::SharedCrashes => count(
                "shared crashes",
                Wrong,
                |run| Some(f64::from(u8::from(run.shared.as_ref()?.crashes))),
                "clients of which a forked process or the worker was ended by a signal",
            ),
            FaultFigure::FramesLost => count(
                "mixed frames lost",
                Neutral,
                |run| Some(run.mixed.as_ref()?.frames.lost as f64),
                "frames that did not arrive in a client that monitors other PVs too",
            ),
            FaultFigure::SlowLost => count(
                "mixed slow updates lost",
                Wrong,
                |run| Some(run.mixed.as_ref()?.slow.lost as f64),
                "updates of PVs at 1 Hz that did not arrive beside a camera and fast PVs",
            ),
            FaultFigure::FastLost => count(
                "mixed fast updates lost",
                Neutral,
                |run| Some(run.mixed.as_ref()?.fast.lost as f64),
                "updates of PVs at 100 Hz that did not arrive beside a camera",
            ),
            FaultFigure::FramesLatency => seconds(
                "mixed frame latency 99 %",
                |run| run.mixed.as_ref()?.frames.p99_s,
                "99 of 100 frames were not longer on their way from the server's time stamp to \
                 the callback",
            ),
            FaultFigure::SlowLatency => seconds(
                "mixed slow latency 99 %",
                |run| run.mixed.as_ref()?.slow.p99_s,
                "the same of updates of PVs at 1 Hz",
            ),
            FaultFigure::FastLatency => seconds(
                "mixed fast latency 99 %",
                |run| run.mixed.as_ref()?.fast.p99_s,
                "the same of updates of PVs at 100 Hz",
            ),
        }
    }
}

/// The figure of one worker.
pub(super) fn of(metric: Metric, record: &Record) -> Option<f64> {
    let Metric::Fault(figure) = metric else { return None };
    (figure.described().of)(record.fault.as_deref()?)
}

fn median_of(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| crate::stats::median(values))
}

/// What was kept of each round after the first ones.
fn per_round(run: &FaultRun, of: fn(&Held) -> u64) -> Option<f64> {
    let settled = run.rounds.get(ROUNDS_TO_SETTLE - 1..)?;
    let (first, last) = (settled.first()?, settled.last()?);
    let rounds = settled.len().checked_sub(1).filter(|rounds| *rounds > 0)?;
    Some((of(last) as f64 - of(first) as f64).max(0.0) / rounds as f64)
}

/// What comes and goes is less than one in each round.
fn whole_per_round(run: &FaultRun, of: fn(&Held) -> u64) -> Option<f64> {
    per_round(run, of).map(f64::floor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Closed;
    use crate::scenario::{FAULTS, fault};

    fn record(run: FaultRun) -> Record {
        Record { fault: Some(Box::new(run)), ..Record::default() }
    }

    fn figure(figure: FaultFigure, run: FaultRun) -> Option<f64> {
        of(Metric::Fault(figure), &record(run))
    }

    #[test]
    fn every_fault_has_its_headline_and_something_that_must_not_be() {
        for fault in &FAULTS {
            assert!(FaultFigure::headline(fault).is_of(fault), "{}", fault.name);
            let wrong = FaultFigure::ALL
                .iter()
                .filter(|figure| figure.is_of(fault) && figure.described().kind == Kind::Wrong);
            let is_timed = matches!(fault.course, FaultCourse::Late { .. });
            assert!(wrong.count() > 0 || is_timed, "{}", fault.name);
        }
        let churn = fault("churn").unwrap();
        assert!(FaultFigure::ServerThreads.is_of(churn) && !FaultFigure::Close.is_of(churn));
    }

    #[test]
    fn what_the_first_rounds_keep_is_no_leak() {
        let held = |client_descriptors, client_bytes| Held {
            client_descriptors,
            client_bytes,
            ..Held::default()
        };
        let rounds = |all: &[(u64, u64)]| FaultRun {
            rounds: all.iter().map(|(descriptors, bytes)| held(*descriptors, *bytes)).collect(),
            ..FaultRun::default()
        };
        let settled = rounds(&[(5, 100), (9, 900), (9, 900), (10, 1_000), (9, 900)]);
        assert_eq!(figure(FaultFigure::ClientDescriptors, settled.clone()), Some(0.0));
        assert_eq!(figure(FaultFigure::ClientMemory, settled), Some(0.0));
        let leak = rounds(&[(5, 0), (6, 100), (7, 200), (8, 300)]);
        assert_eq!(figure(FaultFigure::ClientDescriptors, leak.clone()), Some(1.0));
        assert_eq!(figure(FaultFigure::ClientMemory, leak), Some(100.0));
        assert_eq!(figure(FaultFigure::ClientMemory, rounds(&[(1, 1), (1, 1)])), None);
    }

    #[test]
    fn who_hangs_has_no_bad_end_too() {
        let closed = |is_clean, hangs| FaultRun {
            closed: Some(Closed { is_clean, hangs, ..Closed::default() }),
            ..FaultRun::default()
        };
        let of = |run: FaultRun| {
            (figure(FaultFigure::BadEnds, run.clone()), figure(FaultFigure::Hangs, run))
        };
        assert_eq!(of(closed(true, false)), (Some(0.0), Some(0.0)));
        assert_eq!(of(closed(false, false)), (Some(1.0), Some(0.0)));
        assert_eq!(of(closed(false, true)), (Some(0.0), Some(1.0)));
    }
}
