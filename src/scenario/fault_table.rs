//! The table of faults: what happens to whom and when, what is asked meanwhile, and what is
//! a failure. A further fault over a course that exists is one entry more.

use std::time::Duration;

use super::faults::{Fault, Happening};
use crate::link::Direction;
use crate::lookup::Lookup;

/// One fault.
#[derive(Debug)]
pub struct FaultDefinition {
    /// Its name.
    pub name: &'static str,
    /// What happens, in a line.
    pub about: &'static str,
    /// What counts as a failure.
    pub fails_when: &'static str,
    /// How many PVs.
    pub pvs: usize,
    /// How it is measured.
    pub course: FaultCourse,
    /// Whether it is measured when no fault is named.
    pub is_usual: bool,
    /// Whether only Channel Access can be asked so.
    pub is_of_channel_access: bool,
}

/// The faults that every profile takes when neither they nor their scenario are named.
pub const FAULTS_OF_PROFILES: [&str; 5] = ["frozen-5s", "restart", "dead-1pct", "churn", "close"];

/// A fault is known by its name.
impl PartialEq for FaultDefinition {
    fn eq(&self, other: &FaultDefinition) -> bool {
        self.name == other.name
    }
}

/// How a fault is measured.
#[derive(Debug, Clone, Copy)]
pub enum FaultCourse {
    /// All approaches at once have monitors while something happens.
    Monitored(MonitoredFault),
    /// All approaches at once look for an IOC that starts this much later.
    Late {
        /// How long the IOC is not there.
        after: Duration,
    },
    /// One approach after another creates, connects, reads, subscribes and disconnects all
    /// PVs again and again in one process.
    Churn {
        /// How often.
        rounds: usize,
    },
    /// All approaches at once end their contexts, and their processes.
    Close(CloseWhen),
    /// One approach after another writes.
    Put(PutKind),
    /// All approaches at once connect PVs of which some do not exist.
    Dead {
        /// One of so many does not exist.
        one_of: usize,
    },
    /// One approach after another connects in so many processes at the same moment; then the
    /// server is restarted.
    Storm {
        /// How many processes.
        clients: usize,
    },
    /// All approaches at once have their clients used by a forked process or by threads.
    Shared(SharedBy),
    /// One approach after another monitors a camera, slow and fast PVs in one client.
    Mixed(MixedLoad),
}

/// A camera, slow PVs and fast ones at once.
#[derive(Debug, Clone, Copy)]
pub struct MixedLoad {
    /// Width and height of a frame in pixels.
    pub pixels: (u32, u32),
    /// Frames per second.
    pub frames_hz: f64,
    /// How many slow PVs.
    pub slow_pvs: usize,
    /// Updates of each per second.
    pub slow_hz: f64,
    /// How many fast PVs.
    pub fast_pvs: usize,
    /// Updates of each per second.
    pub fast_hz: f64,
    /// How long the server makes updates.
    pub lasts: Duration,
}

/// Monitors while something happens.
#[derive(Debug, Clone, Copy)]
pub struct MonitoredFault {
    /// Updates of each PV per second.
    pub rate_hz: f64,
    /// How long the server makes updates, then it is silent; to the end when absent.
    pub updates_for: Option<Duration>,
    /// What happens, in the order of time; none begins before the one before it is over.
    pub faults: &'static [Fault],
    /// How long the run lasts after the last of them, or after the last update.
    pub then: Duration,
    /// Whether gets are asked meanwhile.
    pub has_gets: bool,
    /// How much longer each callback of the client takes.
    pub callback: Duration,
}

/// What the IOC does when clients close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseWhen {
    /// It serves, and nothing changes.
    Living,
    /// It was killed before.
    Dead,
    /// It updates the PVs that clients have subscribed to.
    Updating,
    /// It serves, and a thread closes that did not make the context.
    LivingElsewhere,
    /// It was killed before, and was the name server of its clients too.
    NameServerDead,
}

/// Updates of each PV per second while clients close.
pub const CLOSE_HZ: f64 = 10.0;

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutKind {
    /// To a record that completes after [`SLOW_PUT`].
    Slow,
    /// To a record that refuses it.
    Refused,
    /// To every PV, without waiting.
    Unconfirmed,
    /// To a record that completes after [`SLOW_PUT`], and again meanwhile.
    Again,
    /// In the callback of a monitor.
    InCallback,
}

/// Who else uses one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SharedBy {
    /// A process that is forked when the library is imported, and nothing else was done.
    ForkAfterImport,
    /// A process that is forked when all PVs are connected and were read.
    ForkAfterUse,
    /// Several threads.
    Threads,
}

/// Whether a PV does not exist where one of so many does not.
pub fn is_dead(pv: usize, one_of: usize) -> bool {
    pv.is_multiple_of(one_of)
}

/// How long searches for dead PVs are counted at first, and again after that.
pub const DEAD_WINDOW: Duration = Duration::from_secs(10);

/// There is no fault of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown fault `{0}`; there are: {all}", all = names().join(", "))]
pub struct UnknownFault(pub String);

impl MonitoredFault {
    /// Monitors at 10 Hz while `faults` happen, with gets.
    const fn outage(faults: &'static [Fault], then: Duration) -> MonitoredFault {
        MonitoredFault {
            rate_hz: 10.0,
            updates_for: None,
            faults,
            then,
            has_gets: true,
            callback: Duration::ZERO,
        }
    }

    /// Updates for a while, then silence for `then`.
    const fn then_silence(rate_hz: f64, updates_for: Duration, then: Duration) -> MonitoredFault {
        MonitoredFault {
            rate_hz,
            updates_for: Some(updates_for),
            faults: &[],
            then,
            has_gets: false,
            callback: Duration::ZERO,
        }
    }

    /// With a callback that takes this long.
    const fn callback(self, callback: Duration) -> MonitoredFault {
        MonitoredFault { callback, ..self }
    }

    /// How often the server is started again.
    pub fn server_starts(&self) -> usize {
        self.kills().count()
    }

    /// The PV that the last start leaves out.
    pub fn missing_pv(&self) -> Option<usize> {
        self.kills().last().flatten()
    }

    /// Whether the server moves to other ports.
    pub fn moves_server(&self) -> bool {
        self.faults.iter().any(|fault| fault.what == Happening::ServerMoved)
    }

    /// Whether only a softIoc can do it.
    fn needs_soft_ioc(&self) -> bool {
        let needs = |fault: &Fault| {
            matches!(fault.what, Happening::ServerMoved | Happening::ServerRetyped { .. })
        };
        self.faults.iter().any(needs)
    }

    /// Whether the link is cut.
    pub fn cuts_link(&self) -> bool {
        self.faults.iter().any(|fault| matches!(fault.what, Happening::LinkCut(_)))
    }

    /// How long it lasts, the servers' starts aside.
    pub fn lasts(&self) -> Duration {
        let faults = self.faults.last().map_or(Duration::ZERO, |fault| fault.at + fault.lasts);
        faults.max(self.updates_for.unwrap_or_default()) + self.then
    }

    fn kills(&self) -> impl Iterator<Item = Option<usize>> {
        self.faults.iter().filter_map(|fault| match fault.what {
            Happening::ServerKilled { without } => Some(without),
            Happening::ServerMoved => Some(None),
            // It is there, and no PV of its kind.
            Happening::ServerRetyped { pv } => Some(Some(pv)),
            _ => None,
        })
    }
}

impl FaultDefinition {
    /// Whether the server must have the records [`SLOW_PV`] and [`REFUSING_PV`].
    pub fn needs_records(&self) -> bool {
        matches!(self.course, FaultCourse::Put(PutKind::Slow | PutKind::Refused | PutKind::Again))
    }

    /// How clients find PVs, unless the user says it.
    pub fn lookup(&self) -> Lookup {
        match self.course {
            FaultCourse::Close(CloseWhen::NameServerDead) => Lookup::NameServer,
            _ => Lookup::Udp,
        }
    }

    /// Whether the server must update its PVs at several rates and make frames beside them.
    pub fn needs_mixed_rates(&self) -> bool {
        matches!(self.course, FaultCourse::Mixed(_))
    }

    /// Whether the server must be a softIoc, whose records and ports are this crate's own.
    pub fn needs_soft_ioc(&self) -> bool {
        match self.course {
            FaultCourse::Monitored(course) => course.needs_soft_ioc(),
            _ => self.needs_records(),
        }
    }

    /// Whether there must be a link between server and clients.
    pub fn needs_link(&self) -> bool {
        match self.course {
            FaultCourse::Monitored(course) => course.cuts_link(),
            _ => false,
        }
    }

    /// Whether all approaches are measured at once: where the figures are seconds.
    pub fn is_side_by_side(&self) -> bool {
        !matches!(
            self.course,
            FaultCourse::Churn { .. }
                | FaultCourse::Put(_)
                | FaultCourse::Mixed(_)
                | FaultCourse::Storm { .. }
        )
    }
}

/// The fault of this name.
///
/// # Errors
/// When there is none.
pub fn fault(name: &str) -> Result<&'static FaultDefinition, UnknownFault> {
    FAULTS.iter().find(|fault| fault.name == name).ok_or_else(|| UnknownFault(name.to_owned()))
}

/// The names of all faults, in the order of reports.
fn names() -> Vec<&'static str> {
    FAULTS.iter().map(|fault| fault.name).collect()
}

/// The PV of a slow put: a field whose put processes the record.
pub const SLOW_PV: &str = "gauge:slow.A";

/// The PV of a put that is refused.
pub const REFUSING_PV: &str = "gauge:refusing";

/// After this time the record of a slow put completes.
pub const SLOW_PUT: Duration = Duration::from_secs(1);

/// Nothing happens for so long at first.
const UNDISTURBED: Duration = Duration::from_secs(2);

/// How long a killed IOC stays away.
const OUTAGE: Duration = Duration::from_secs(1);

/// How long clients have to come back: libca searches again within 5 s of a beacon that is
/// new, and within 30 s of nothing at all.
const TO_COME_BACK: Duration = Duration::from_secs(15);

/// The same after a cut of the link: 0.2 s times 2, 4, 8 … after it began TCP tries again, 51 s
/// and 103 s among them.
const TO_COME_BACK_OVER_LINK: Duration = Duration::from_secs(30);

const fn frozen(lasts: Duration) -> Fault {
    Fault { at: UNDISTURBED, what: Happening::ServerStopped, lasts }
}

const fn cut(direction: Direction, lasts: Duration) -> Fault {
    Fault { at: UNDISTURBED, what: Happening::LinkCut(direction), lasts }
}

const fn killed(at_s: u64, without: Option<usize>) -> Fault {
    Fault {
        at: Duration::from_secs(at_s),
        what: Happening::ServerKilled { without },
        lasts: OUTAGE,
    }
}

/// Ten restarts, 4 s apart.
const TEN_RESTARTS: [Fault; 10] = {
    let mut faults = [killed(2, None); 10];
    let mut restart = 1;
    while restart < 10 {
        faults[restart] = killed(2 + 4 * restart as u64, None);
        restart += 1;
    }
    faults
};

const STALE: &str = "a get returns an old value, a PV never comes back, an update comes twice, or \
                     the library reports a connection that is none";

const SLOW_CALLBACK: &str = "the newest value does not arrive in the end";

const CLOSE: &str = "the process hangs, or ends by a signal or with another status than 0";

const fn monitored(
    name: &'static str,
    about: &'static str,
    fails_when: &'static str,
    pvs: usize,
    course: MonitoredFault,
) -> FaultDefinition {
    FaultDefinition {
        name,
        about,
        fails_when,
        pvs,
        course: FaultCourse::Monitored(course),
        is_usual: true,
        is_of_channel_access: false,
    }
}

const fn outage(
    name: &'static str,
    about: &'static str,
    faults: &'static [Fault],
) -> FaultDefinition {
    monitored(name, about, STALE, 100, MonitoredFault::outage(faults, TO_COME_BACK))
}

/// With more time to come back.
const fn outage_over_link(
    name: &'static str,
    about: &'static str,
    faults: &'static [Fault],
) -> FaultDefinition {
    monitored(name, about, STALE, 100, MonitoredFault::outage(faults, TO_COME_BACK_OVER_LINK))
}

const fn close(name: &'static str, about: &'static str, when: CloseWhen) -> FaultDefinition {
    FaultDefinition {
        name,
        about,
        fails_when: CLOSE,
        pvs: 100,
        course: FaultCourse::Close(when),
        is_usual: true,
        is_of_channel_access: false,
    }
}

const fn dead(name: &'static str, about: &'static str, one_of: usize) -> FaultDefinition {
    FaultDefinition {
        name,
        about,
        fails_when: "the others connect late, the client floods the network with searches, keeps a \
                     core busy, or reports a dead PV as connected",
        pvs: 10_000,
        course: FaultCourse::Dead { one_of },
        is_usual: true,
        is_of_channel_access: false,
    }
}

const fn shared(name: &'static str, about: &'static str, by: SharedBy) -> FaultDefinition {
    FaultDefinition {
        name,
        about,
        fails_when: "a value is wrong, or anything hangs or crashes; an error is none",
        pvs: 100,
        course: FaultCourse::Shared(by),
        is_usual: true,
        is_of_channel_access: false,
    }
}

const fn storm(name: &'static str, about: &'static str, clients: usize) -> FaultDefinition {
    FaultDefinition {
        name,
        about,
        fails_when: "a client or a subscription is lost, or the last one comes late",
        pvs: 1_000,
        course: FaultCourse::Storm { clients },
        // One approach after another starts that many processes.
        is_usual: false,
        is_of_channel_access: false,
    }
}

/// Who is taken through a storm when no approach is named: native clients and one in Python
/// for each protocol. The others take as long, one after another.
pub const STORM_APPROACHES: [&str; 6] = ["wire", "libca", "pyepics", "wire-pva", "pvxs", "p4p"];

/// What a control room shows beside each other: a camera, a few numbers that a person reads and
/// many that a feedback uses.
const MIXED: MixedLoad = MixedLoad {
    pixels: (680, 480),
    frames_hz: 120.0,
    slow_pvs: 10,
    slow_hz: 1.0,
    fast_pvs: 100,
    fast_hz: 100.0,
    lasts: Duration::from_secs(4),
};

/// Every fault, in the order of reports.
pub static FAULTS: [FaultDefinition; 38] = [
    monitored(
        "frozen-5s",
        "the IOC is stopped (SIGSTOP) for 5 s",
        STALE,
        100,
        // The circuit lives: nobody has to come back.
        MonitoredFault::outage(&[frozen(Duration::from_secs(5))], Duration::from_secs(6)),
    ),
    outage(
        "frozen-40s",
        "the IOC is stopped for 40 s, just beyond EPICS_CA_CONN_TMO and the echo",
        &[frozen(Duration::from_secs(40))],
    ),
    outage(
        "frozen-90s",
        "the IOC is stopped for 90 s, beyond every timeout of either protocol",
        &[frozen(Duration::from_secs(90))],
    ),
    outage(
        "restart",
        "the IOC is killed and started again 1 s later on the same ports",
        &[killed(2, None)],
    ),
    FaultDefinition {
        is_usual: false,
        ..monitored(
            "restart-60s",
            "the IOC comes back after 60 s, when clients search seldom: as after 10 min",
            STALE,
            100,
            MonitoredFault::outage(
                &[Fault { lasts: Duration::from_secs(60), ..killed(2, None) }],
                Duration::from_secs(60),
            ),
        )
    },
    outage(
        "restart-elsewhere",
        "the IOC comes back on another port, where clients search too",
        &[Fault { at: UNDISTURBED, what: Happening::ServerMoved, lasts: OUTAGE }],
    ),
    // `wire-pva` reads nothing but doubles and ends there.
    FaultDefinition {
        is_usual: false,
        ..outage(
            "restart-retyped",
            "the IOC comes back with a stringin behind the name of the first PV, which was a calc",
            &[Fault { at: UNDISTURBED, what: Happening::ServerRetyped { pv: 0 }, lasts: OUTAGE }],
        )
    },
    outage("restart-without", "the IOC comes back without the first PV", &[killed(2, Some(0))]),
    outage("restart-10x", "ten restarts, one every 4 s", &TEN_RESTARTS),
    outage_over_link(
        "cut-5s",
        "the link drops everything for 5 s, both ways",
        &[cut(Direction::Both, Duration::from_secs(5))],
    ),
    outage_over_link(
        "cut-90s",
        "the link drops everything for 90 s, both ways, beyond every timeout of either protocol",
        &[cut(Direction::Both, Duration::from_secs(90))],
    ),
    outage_over_link(
        "cut-to-client",
        "the link drops what the server sends for 40 s, and carries what clients send",
        &[cut(Direction::ToClient, Duration::from_secs(40))],
    ),
    outage_over_link(
        "cut-to-server",
        "the link drops what clients send for 40 s, and carries what the server sends",
        &[cut(Direction::ToServer, Duration::from_secs(40))],
    ),
    FaultDefinition {
        name: "late-ioc",
        about: "clients look for an IOC that starts 5 s after them",
        fails_when: "a PV is not connected 30 s after the IOC serves",
        pvs: 100,
        course: FaultCourse::Late { after: Duration::from_secs(5) },
        is_usual: true,
        is_of_channel_access: false,
    },
    dead("dead-1pct", "1 % of 10 000 PVs do not exist", 100),
    dead("dead-10pct", "10 % of 10 000 PVs do not exist", 10),
    storm("storm-50", "50 processes connect 1000 PVs at once; then the IOC is restarted", 50),
    storm("storm-200", "200 processes do the same", 200),
    FaultDefinition {
        name: "churn",
        about: "10 rounds of create, connect, get, subscribe and disconnect of 1000 PVs",
        fails_when: "descriptors or threads grow with each round, or channels stay on the server",
        pvs: 1000,
        course: FaultCourse::Churn { rounds: 10 },
        is_usual: true,
        is_of_channel_access: false,
    },
    FaultDefinition {
        name: "churn-100x",
        about: "100 rounds of the same",
        fails_when: "descriptors or threads grow with each round, or channels stay on the server",
        pvs: 1000,
        course: FaultCourse::Churn { rounds: 100 },
        is_usual: false,
        is_of_channel_access: false,
    },
    close("close", "clients end their contexts and their processes", CloseWhen::Living),
    close("close-dead", "the same after the IOC was killed", CloseWhen::Dead),
    close("close-updates", "the same while updates arrive", CloseWhen::Updating),
    close(
        "close-elsewhere",
        "a thread closes that did not make the context",
        CloseWhen::LivingElsewhere,
    ),
    close(
        "close-name-server",
        "clients close after their IOC was killed, which was their name server too",
        CloseWhen::NameServerDead,
    ),
    monitored(
        "slow-callback-1ms",
        "the user's callback takes 1 ms at 100 Hz",
        SLOW_CALLBACK,
        1,
        MonitoredFault::then_silence(100.0, Duration::from_secs(5), Duration::from_secs(2))
            .callback(Duration::from_millis(1)),
    ),
    monitored(
        "slow-callback-10ms",
        "the user's callback takes 10 ms at 100 Hz: as long as the time between updates",
        SLOW_CALLBACK,
        1,
        MonitoredFault::then_silence(100.0, Duration::from_secs(5), Duration::from_secs(4))
            .callback(Duration::from_millis(10)),
    ),
    // 200 updates take a client that loses none 20 s.
    monitored(
        "slow-callback-100ms",
        "the user's callback takes 100 ms at 100 Hz, for 200 updates",
        SLOW_CALLBACK,
        1,
        MonitoredFault::then_silence(100.0, Duration::from_secs(2), Duration::from_secs(24))
            .callback(Duration::from_millis(100)),
    ),
    monitored(
        "burst",
        "200 updates within 0.2 s, then silence",
        "the last value does not arrive",
        10,
        MonitoredFault::then_silence(1000.0, Duration::from_millis(200), Duration::from_secs(3)),
    ),
    FaultDefinition {
        name: "put-slow",
        about: "a put to a record that completes after 1 s",
        fails_when: "the put is confirmed before the record has completed",
        pvs: 1,
        course: FaultCourse::Put(PutKind::Slow),
        is_usual: true,
        is_of_channel_access: true,
    },
    FaultDefinition {
        name: "put-refused",
        about: "a put to a record with DISP=1, which refuses it",
        fails_when: "the put is reported as done",
        pvs: 1,
        course: FaultCourse::Put(PutKind::Refused),
        is_usual: true,
        is_of_channel_access: true,
    },
    FaultDefinition {
        name: "put-unconfirmed",
        about: "100 puts that do not wait",
        fails_when: "a value is not in its record 5 s later",
        pvs: 100,
        course: FaultCourse::Put(PutKind::Unconfirmed),
        is_usual: true,
        is_of_channel_access: false,
    },
    FaultDefinition {
        name: "put-again",
        about: "a put to a record that completes after 1 s, and a second one meanwhile",
        fails_when: "either is confirmed too early, or reported as done and is not",
        pvs: 1,
        course: FaultCourse::Put(PutKind::Again),
        is_usual: true,
        is_of_channel_access: true,
    },
    FaultDefinition {
        name: "put-callback",
        about: "a put in the callback of a monitor, as the library's documentation allows it",
        fails_when: "it never ends, or is reported as done and is not",
        pvs: 2,
        course: FaultCourse::Put(PutKind::InCallback),
        is_usual: true,
        is_of_channel_access: false,
    },
    shared(
        "fork",
        "the worker forks when the library is imported, and the child connects and reads",
        SharedBy::ForkAfterImport,
    ),
    shared(
        "fork-used",
        "the worker forks when its PVs are connected and were read, and the child reads",
        SharedBy::ForkAfterUse,
    ),
    shared(
        "threads",
        "four threads read and subscribe at once, each its part of the PVs",
        SharedBy::Threads,
    ),
    FaultDefinition {
        name: "mixed",
        about: "a camera at 120 Hz, 10 PVs at 1 Hz and 100 PVs at 100 Hz in one client",
        fails_when: "an update of a slow PV is lost, or the last value of any PV",
        pvs: 1 + MIXED.slow_pvs + MIXED.fast_pvs,
        course: FaultCourse::Mixed(MIXED),
        is_usual: true,
        is_of_channel_access: false,
    },
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_fault_has_a_name_of_its_own_and_explains_itself() {
        let mut seen = HashSet::new();
        for fault in &FAULTS {
            assert!(seen.insert(fault.name), "{} twice", fault.name);
            assert!(!fault.about.is_empty() && !fault.fails_when.is_empty(), "{}", fault.name);
            assert_eq!(super::fault(fault.name).unwrap().name, fault.name);
        }
        assert!(FAULTS_OF_PROFILES.iter().all(|name| super::fault(name).unwrap().is_usual));
        assert!(super::fault("frozen").unwrap_err().to_string().contains("frozen-5s"));
    }

    #[test]
    fn what_happens_in_a_fault_follows_one_another() {
        for fault in &FAULTS {
            let FaultCourse::Monitored(course) = fault.course else { continue };
            let ordered = |pair: &[Fault]| pair[0].at + pair[0].lasts <= pair[1].at;
            assert!(course.faults.windows(2).all(ordered), "{}", fault.name);
        }
    }

    #[test]
    fn a_course_lasts_until_after_its_last_fault_or_update() {
        let of = |name: &str| match fault(name).unwrap().course {
            FaultCourse::Monitored(course) => course,
            other => panic!("{other:?}"),
        };
        assert_eq!(of("frozen-5s").lasts(), Duration::from_secs(2 + 5 + 6));
        assert_eq!(of("slow-callback-100ms").lasts(), Duration::from_secs(26));
        assert_eq!((of("restart-10x").server_starts(), of("restart-10x").missing_pv()), (10, None));
        assert_eq!(of("restart-without").missing_pv(), Some(0));
    }
}
