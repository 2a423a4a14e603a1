//! What disturbances do, as data: what happens to whom, when and for how long.

use std::time::Duration;

use crate::link::Direction;
use crate::record::Disturbance;

/// The course of a disturbance.
#[derive(Debug)]
pub struct Course {
    /// What happens, in the order of time; none begins before the one before it is over.
    pub faults: &'static [Fault],
    /// How long the monitor run lasts after the last of them.
    pub then: RunLength,
    /// What happens, for headings.
    pub about: &'static str,
}

impl Course {
    /// Whether PVs go away, and are to come back.
    pub fn is_outage(&self) -> bool {
        let kills = |fault: &Fault| matches!(fault.what, Happening::ServerKilled { .. });
        self.faults.iter().any(kills)
    }
}

/// Something that happens, and is over after some time.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// When it begins, from the start of the figures of usage.
    pub at: Duration,
    /// What.
    pub what: Happening,
    /// How long it lasts.
    pub lasts: Duration,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// The client's process is stopped, so that it reads nothing.
    ClientStopped,
    /// The server is stopped where it is (SIGSTOP), and goes on when it is over.
    ServerStopped,
    /// The server is killed, and started again when it is over, without one of its PVs
    /// perhaps.
    ServerKilled {
        /// The PV that does not come back.
        without: Option<usize>,
    },
    /// The server is killed, and started again on other ports when it is over: those that
    /// clients search too.
    ServerMoved,
    /// The server is killed, and started again when it is over with a record of another type
    /// behind the name of one PV.
    ServerRetyped {
        /// That PV.
        pv: usize,
    },
    /// The link between server and clients drops everything that goes this way.
    LinkCut(Direction),
}

/// How long a monitor run lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunLength {
    /// So long.
    For(Duration),
    /// As long as the load says.
    AsTheLoadSays,
}

/// A monitor run lasts this long before anything is done to it.
const UNDISTURBED: Duration = Duration::from_secs(1);

/// How long a stalled client is stopped, and how long it then has to catch up.
const STALL: Duration = Duration::from_secs(5);
const CATCH_UP: Duration = Duration::from_secs(3);

/// How long a killed IOC stays away.
const OUTAGE: Duration = Duration::from_secs(1);

const fn killed(without: Option<usize>) -> Fault {
    Fault { at: UNDISTURBED, what: Happening::ServerKilled { without }, lasts: OUTAGE }
}

static COURSES: [(Disturbance, Course); 3] = [
    (
        Disturbance::Stall,
        Course {
            faults: &[Fault { at: UNDISTURBED, what: Happening::ClientStopped, lasts: STALL }],
            then: RunLength::For(CATCH_UP),
            about: "client stopped for 5 s",
        },
    ),
    (
        Disturbance::Restart,
        Course {
            faults: &[killed(None)],
            then: RunLength::AsTheLoadSays,
            about: "IOC killed and restarted",
        },
    ),
    (
        Disturbance::MissingPv,
        Course {
            faults: &[killed(Some(0))],
            then: RunLength::AsTheLoadSays,
            about: "IOC restarted without the first PV",
        },
    ),
];

/// The course of a disturbance.
pub fn course(disturbance: Disturbance) -> &'static Course {
    let own = COURSES.iter().find(|(known, _)| *known == disturbance);
    let (_, course) = own.unwrap_or_else(|| unreachable!("each has a course: a test holds it"));
    course
}

impl Course {
    /// How often the server is started again.
    pub fn server_starts(&self) -> usize {
        let is_start = |fault: &&Fault| matches!(fault.what, Happening::ServerKilled { .. });
        self.faults.iter().filter(is_start).count()
    }

    /// How many PVs do not come back.
    pub fn pvs_gone(&self) -> usize {
        let is_gone =
            |fault: &&Fault| matches!(fault.what, Happening::ServerKilled { without: Some(_) });
        self.faults.iter().filter(is_gone).count().min(1)
    }

    /// How long it takes until the last fault is over, and the servers' starts aside.
    pub fn lasts(&self) -> Duration {
        self.faults.last().map_or(Duration::ZERO, |fault| fault.at + fault.lasts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_a_course_follow_one_another() {
        for course in Disturbance::ALL.map(course) {
            let ordered = |pair: &[Fault]| pair[0].at + pair[0].lasts <= pair[1].at;
            assert!(course.faults.windows(2).all(ordered), "{}", course.about);
            assert!(!course.faults.is_empty(), "{}", course.about);
        }
    }
}
