//! One way to be an IOC, seen from outside: what every server can be asked.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::scanning::MixedRates;
use super::{IocError, LogEvent, Restart, SoftIoc};
use crate::lookup::Lookup;
use crate::process::link::Link;
use crate::process::{HostClocks, Ports, SubjectUsage, UsageSample};

/// What a server counts of its own work, all of it since its start; none where
/// it does not count. The counts of one time are the difference of two readings,
/// [`Counted::since`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Subscriptions of clients to the PVs of this crate, at this moment.
    pub subscriptions: Option<u64>,
    /// Updates that the server put over an older one of the same subscription,
    /// or dropped because its queue was full.
    pub merged_updates: Option<u64>,
    /// Rounds of updates that took longer than their period.
    pub scan_overruns: Option<u64>,
    /// How often a request found a callback queue full.
    pub callback_overflows: Option<u64>,
    /// The bytes of messages that it sent for the channels of each PV, over pvAccess.
    pub sent_bytes: Option<BTreeMap<String, u64>>,
    /// Lines of its log that report an overload.
    pub overloads: BTreeMap<LogEvent, u64>,
}

impl Counted {
    /// The counts since `earlier`; subscriptions as they are now.
    #[must_use]
    pub fn since(&self, earlier: &Counted) -> Counted {
        let difference = |now: Option<u64>, before: Option<u64>| {
            now.map(|now| now.saturating_sub(before.unwrap_or(0)))
        };
        let sent_before = earlier.sent_bytes.as_ref();
        let new_bytes = |(pv, bytes): (&String, &u64)| {
            let before = sent_before.and_then(|sent| sent.get(pv)).copied().unwrap_or(0);
            (pv.clone(), bytes.saturating_sub(before))
        };
        let new_overloads = self.overloads.iter().filter_map(|(event, count)| {
            let before = earlier.overloads.get(event).copied().unwrap_or(0);
            (*count > before).then(|| (*event, count - before))
        });
        Counted {
            subscriptions: self.subscriptions,
            merged_updates: difference(self.merged_updates, earlier.merged_updates),
            scan_overruns: difference(self.scan_overruns, earlier.scan_overruns),
            callback_overflows: difference(self.callback_overflows, earlier.callback_overflows),
            sent_bytes: self.sent_bytes.as_ref().map(|sent| sent.iter().map(new_bytes).collect()),
            overloads: new_overloads.collect(),
        }
    }
}

/// A running, isolated server with the PVs `gauge:0`, `gauge:1`, …, each a
/// double that is its index plus 2^20 times the count of its updates so far.
/// Dropping it kills it.
///
/// Every method that asks the server blocks, with a deadline, and fails when the
/// server has died.
pub trait Server {
    /// The process id of the server.
    fn pid(&self) -> u32;

    /// Versions of the server's library and of what is below it, as it tells them.
    fn versions(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    /// The environment in which a client of either protocol finds this server, by this
    /// lookup, and nothing else.
    fn environment_by(&self, lookup: Lookup) -> Vec<(String, String)>;

    /// The ports on which it serves; none of several servers.
    fn ports(&self) -> Option<&Ports> {
        None
    }

    /// The link over which clients reach it, if there is one.
    fn link(&self) -> Option<&Link> {
        None
    }

    /// The one for searches over UDP.
    fn client_environment(&self) -> Vec<(String, String)> {
        self.environment_by(Lookup::Udp)
    }

    /// The value of PV `gauge:index` after all ticks and scans so far.
    fn expected_value(&self, index: usize) -> f64;

    /// Updates every PV once; blocks until all have their new values.
    ///
    /// # Errors
    /// While it scans, or when the server fails.
    fn tick(&mut self) -> Result<(), IocError>;

    /// Updates every PV (or makes a frame) `rate_hz` times per second from now on.
    ///
    /// # Errors
    /// When the server cannot update at this rate, or fails.
    fn start_scanning(&mut self, rate_hz: f64) -> Result<(), IocError>;

    /// Updates PVs and makes frames from now on, each kind at its rate. The usual server makes
    /// one kind only.
    ///
    /// # Errors
    /// When the server cannot do that, or fails.
    fn start_mixed_scanning(&mut self, _rates: MixedRates) -> Result<(), IocError> {
        let why = "this server updates all PVs at one rate; name a softIoc";
        Err(IocError::InvalidRequest(why.to_owned()))
    }

    /// Ends that; blocks until no PV changes any more.
    ///
    /// # Errors
    /// When the server fails.
    fn stop_scanning(&mut self) -> Result<(), IocError>;

    /// How often each PV was updated since the start, by the server's own count.
    ///
    /// # Errors
    /// When the server fails.
    fn processed(&mut self) -> Result<Vec<u64>, IocError>;

    /// The value that PV `gauge:index` holds, by the server's own word.
    ///
    /// # Errors
    /// When the server fails.
    fn stored_value(&mut self, index: usize) -> Result<f64, IocError>;

    /// How many frames were made after frame 0.
    ///
    /// # Errors
    /// When the server makes no frames, or fails.
    fn frame_count(&mut self) -> Result<u64, IocError>;

    /// What the server counts.
    ///
    /// # Errors
    /// When the server fails.
    fn counted(&mut self) -> Result<Counted, IocError>;

    /// Subscriptions of clients to the values of these PVs at this moment; none where the
    /// server does not count them.
    ///
    /// # Errors
    /// When the server fails.
    fn subscriptions_to(&mut self, _pvs: &[usize]) -> Result<Option<u64>, IocError> {
        Ok(None)
    }

    /// Has the server's shell run a command, and returns what it prints.
    ///
    /// # Errors
    /// When the server fails, and where it has no shell or no such command.
    fn command(&mut self, _command: &str) -> Result<String, IocError> {
        Err(cannot("run shell commands"))
    }

    /// Fails when the server has died.
    ///
    /// # Errors
    /// With everything that it printed.
    fn check(&mut self) -> Result<(), IocError>;

    /// Stops the server's process in whatever it does (SIGSTOP), until [`Server::resume`].
    /// Its connections stay; whatever asks it meanwhile runs into its deadline.
    fn pause(&self);

    /// Lets a stopped server go on.
    fn resume(&self);

    /// Channels of all clients at this moment; none where the server does not count them.
    ///
    /// # Errors
    /// When the server fails.
    fn channels(&mut self) -> Result<Option<u64>, IocError> {
        Ok(None)
    }

    /// Kills the server at once, as a crash would.
    fn crash(&mut self);

    /// Starts it again in the same place, everything anew, perhaps without one PV.
    ///
    /// # Errors
    /// When it does not come back, or the server has no such PV.
    fn restart(&mut self, without: Option<usize>) -> Result<(), IocError>;

    /// Reserves the ports of [`Server::move_to_spare_ports`]; from now on
    /// [`Server::environment_by`] has clients search there too.
    ///
    /// # Errors
    /// When there are none, and where the server cannot move.
    fn reserve_spare_ports(&mut self) -> Result<(), IocError> {
        Err(cannot("move to other ports"))
    }

    /// Starts it again on the spare ports, everything anew.
    ///
    /// # Errors
    /// When it does not come back, and where the server cannot move.
    fn move_to_spare_ports(&mut self) -> Result<(), IocError> {
        Err(cannot("move to other ports"))
    }

    /// Starts it again in the same place, everything anew, with a record of another type
    /// behind the name of this PV.
    ///
    /// # Errors
    /// When it does not come back, and where the server cannot do that.
    fn restart_retyped(&mut self, _pv: usize) -> Result<(), IocError> {
        Err(cannot("change the type of a record"))
    }

    /// Lets the server leave by itself; kills it after a while.
    fn stop(self: Box<Self>);

    /// Begins to sample CPU, memory and bytes of a server on another host, where it is; none
    /// for one on this host, which is sampled by its process id.
    ///
    /// # Errors
    /// When the host fails.
    fn sampler(&self, _period: Duration) -> Result<Option<Box<dyn ServerSampler>>, IocError> {
        Ok(None)
    }

    /// How far the clocks of the server's host are from those of this one; none for a server
    /// on this host.
    ///
    /// # Errors
    /// When the host fails.
    fn clocks(&self) -> Result<Option<HostClocks>, IocError> {
        Ok(None)
    }
}

/// Samples a server on another host. All times are those of this host's monotonic clock.
pub trait ServerSampler {
    /// The latest sample.
    ///
    /// # Errors
    /// When the host fails.
    fn latest(&self) -> Result<Option<UsageSample>, IocError>;

    /// Continues with the server's process after a restart.
    ///
    /// # Errors
    /// When the host fails.
    fn replace(&self, pid: u32) -> Result<(), IocError>;

    /// Takes the last sample, and returns all with the CPU time that sampling took.
    ///
    /// # Errors
    /// When the host fails.
    fn finish(self: Box<Self>) -> Result<(SubjectUsage, u64), IocError>;

    /// Whether the server's host is a part of this machine, whose load it shares.
    fn is_on_this_machine(&self) -> bool;
}

fn cannot(what: &str) -> IocError {
    IocError::InvalidRequest(format!("this server cannot {what}"))
}

impl Server for SoftIoc {
    fn pid(&self) -> u32 {
        SoftIoc::pid(self)
    }

    fn versions(&self) -> BTreeMap<String, String> {
        self.base().map(|base| ("epics-base".to_owned(), base.to_owned())).into_iter().collect()
    }

    fn environment_by(&self, lookup: Lookup) -> Vec<(String, String)> {
        SoftIoc::environment_by(self, lookup)
    }

    fn ports(&self) -> Option<&Ports> {
        Some(SoftIoc::ports(self))
    }

    fn expected_value(&self, index: usize) -> f64 {
        SoftIoc::expected_value(self, index)
    }

    fn tick(&mut self) -> Result<(), IocError> {
        SoftIoc::tick(self)
    }

    fn start_scanning(&mut self, rate_hz: f64) -> Result<(), IocError> {
        SoftIoc::start_scanning(self, rate_hz)
    }

    fn start_mixed_scanning(&mut self, rates: MixedRates) -> Result<(), IocError> {
        SoftIoc::start_mixed_scanning(self, rates)
    }

    fn stop_scanning(&mut self) -> Result<(), IocError> {
        SoftIoc::stop_scanning(self)
    }

    fn processed(&mut self) -> Result<Vec<u64>, IocError> {
        SoftIoc::processed(self)
    }

    fn stored_value(&mut self, index: usize) -> Result<f64, IocError> {
        self.field_value(&format!("gauge:{index}"))
    }

    fn frame_count(&mut self) -> Result<u64, IocError> {
        SoftIoc::frame_count(self)
    }

    fn counted(&mut self) -> Result<Counted, IocError> {
        let counters = self.counters()?;
        Ok(Counted {
            subscriptions: Some(counters.subscriptions),
            merged_updates: Some(counters.merged_updates),
            scan_overruns: Some(counters.scan_overruns),
            callback_overflows: counters.callback_overflows,
            sent_bytes: self.pvxs_report()?.map(|report| report.sent_bytes),
            overloads: self.overloads()?,
        })
    }

    fn subscriptions_to(&mut self, pvs: &[usize]) -> Result<Option<u64>, IocError> {
        let names = pvs.iter().map(|index| format!("gauge:{index}")).collect();
        self.subscriptions(names).map(|found| Some(found.count))
    }

    fn command(&mut self, command: &str) -> Result<String, IocError> {
        SoftIoc::command(self, command)
    }

    fn check(&mut self) -> Result<(), IocError> {
        self.log().map(drop)
    }

    fn pause(&self) {
        SoftIoc::pause(self);
    }

    fn resume(&self) {
        SoftIoc::resume(self);
    }

    fn channels(&mut self) -> Result<Option<u64>, IocError> {
        let channels = SoftIoc::channels(self)? + self.pv_access_channels()?;
        Ok(Some(channels as u64))
    }

    fn crash(&mut self) {
        SoftIoc::crash(self);
    }

    fn restart(&mut self, without: Option<usize>) -> Result<(), IocError> {
        SoftIoc::restart(self, without)
    }

    fn reserve_spare_ports(&mut self) -> Result<(), IocError> {
        self.place.reserve_spare_ports()
    }

    fn move_to_spare_ports(&mut self) -> Result<(), IocError> {
        self.restart_as(&Restart::new().on_other_ports())
    }

    fn restart_retyped(&mut self, pv: usize) -> Result<(), IocError> {
        self.restart_as(&Restart::new().without(Some(pv)).with_a_string_instead())
    }

    fn stop(self: Box<Self>) {
        SoftIoc::stop(*self);
    }
}
