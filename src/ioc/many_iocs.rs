//! Many IOCs at once, with one range of PVs over all of them.

#[cfg(feature = "cli")]
mod searches;
#[cfg(feature = "cli")]
mod server;

#[cfg(feature = "cli")]
pub use searches::{SearchCount, SearchCounter, TimedSearches, searches_on_circuits};

use std::net::SocketAddrV4;
use std::ops::Range;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use super::{Builder, IocError, MAX_PVS, PVS_WITH_INDEX, SoftIoc};
use crate::lookup::Lookup;
use crate::process::{Deadline, Ports, ProcessError, Reach, client_environment_of, usable_cores};

/// The most IOCs of one [`ManyIocs`]. Each takes five of the 12 000 ports of this crate.
const MAX_IOCS: usize = 1_000;

/// How long all of them may take to start, however many they are.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// How much longer for each IOC: starting one takes most of a second of CPU time.
const START_OF_AN_IOC: Duration = Duration::from_secs(3);

/// How much longer for each PV.
const START_OF_A_PV: Duration = Duration::from_micros(200);

/// Resident memory of an IOC without records, of each calc record, and of each
/// record's channel, a little over what was measured: 50 MB with 50 records and 91 MB
/// with 10 000, on a system that gives memory in pages of 2 MB.
const BYTES_OF_AN_IOC: u64 = 52 << 20;
const BYTES_OF_A_PV: u64 = 4_400 + 300;

/// The same with pvAccess: 67 MB with 250 records and 109 MB with 10 000, and 20 kB for each
/// channel, which pvxs keeps with its value and its access rights.
const BYTES_OF_A_PV_ACCESS_IOC: u64 = 66 << 20;
const BYTES_OF_A_PV_ACCESS_PV: u64 = 4_400 + 20_500;

/// Several running, isolated IOCs: the first has the PVs `gauge:0` to
/// `gauge:n-1`, the second `gauge:n` to `gauge:2n-1`, and so on. Each is an
/// ordinary [`SoftIoc`] on ports of its own; dropping this kills them all.
#[derive(Debug)]
pub struct ManyIocs {
    iocs: Vec<SoftIoc>,
    /// Whether its clients come over pvAccess.
    has_pv_access: bool,
    pvs_per_ioc: usize,
}

impl ManyIocs {
    /// Starts `iocs` IOCs with `pvs_per_ioc` PVs each, as many at a time as there
    /// are processor cores; blocks until all serve.
    ///
    /// # Errors
    /// When there cannot be so many, when the ports are not free, and when
    /// an IOC does not serve: [`IocError::OneOfMany`].
    pub fn start(iocs: usize, pvs_per_ioc: usize) -> Result<ManyIocs, IocError> {
        ManyIocs::start_of(SoftIoc::builder(), iocs, pvs_per_ioc)
    }

    /// The same of IOCs that serve pvAccess too: [`Builder::pv_access`](super::Builder::pv_access).
    ///
    /// # Errors
    /// Those of [`ManyIocs::start`]; [`IocError::Missing`] where this build has no pvAccess.
    pub fn start_pv_access(iocs: usize, pvs_per_ioc: usize) -> Result<ManyIocs, IocError> {
        ManyIocs::start_of(SoftIoc::builder().pv_access(), iocs, pvs_per_ioc)
    }

    fn start_of(builder: Builder, iocs: usize, pvs_per_ioc: usize) -> Result<ManyIocs, IocError> {
        ManyIocs::check_size(iocs, pvs_per_ioc)?;
        let has_pv_access = builder.start_up.has_pv_access;
        let iocs = start_all(&builder, iocs, pvs_per_ioc)?;
        Ok(ManyIocs { iocs, has_pv_access, pvs_per_ioc })
    }

    /// Whether there can be so many: with an index for each PV and not
    /// too many on one IOC.
    ///
    /// # Errors
    /// [`IocError::InvalidRequest`] with what is too much.
    pub fn check_size(iocs: usize, pvs_per_ioc: usize) -> Result<(), IocError> {
        let asked = |message: String| Err(IocError::InvalidRequest(message));
        if iocs == 0 || pvs_per_ioc == 0 {
            return asked("there is at least one IOC with at least one PV".to_owned());
        }
        if iocs > MAX_IOCS {
            return asked(format!("{iocs} IOCs are too many; there are at most {MAX_IOCS}"));
        }
        if pvs_per_ioc > MAX_PVS {
            return asked(format!(
                "{pvs_per_ioc} PVs are more than one IOC is given; ask for at most {MAX_PVS} on \
                 each, on more IOCs"
            ));
        }
        if iocs * pvs_per_ioc > PVS_WITH_INDEX {
            return asked(format!(
                "{iocs} IOCs with {pvs_per_ioc} PVs each are too many PVs; there are at most \
                 {PVS_WITH_INDEX}, as their indices are below that"
            ));
        }
        Ok(())
    }

    /// The memory in bytes that the processes of so many IOCs take when a
    /// client has connected; an upper estimate.
    pub fn estimated_bytes(iocs: usize, pvs_per_ioc: usize) -> u64 {
        iocs as u64 * (BYTES_OF_AN_IOC + pvs_per_ioc as u64 * BYTES_OF_A_PV)
    }

    /// The same of IOCs with pvAccess, to which a client of that connects.
    pub fn estimated_pv_access_bytes(iocs: usize, pvs_per_ioc: usize) -> u64 {
        let pvs = pvs_per_ioc as u64;
        iocs as u64 * (BYTES_OF_A_PV_ACCESS_IOC + pvs * BYTES_OF_A_PV_ACCESS_PV)
    }

    /// The IOCs, in the order of their PVs.
    pub fn iocs(&mut self) -> &mut [SoftIoc] {
        &mut self.iocs
    }

    /// How many PVs all IOCs have together.
    pub fn pvs(&self) -> usize {
        self.iocs.len() * self.pvs_per_ioc
    }

    /// The process ids of the IOCs.
    pub fn pids(&self) -> Vec<u32> {
        self.iocs.iter().map(SoftIoc::pid).collect()
    }

    /// The environment in which a client finds the PVs of these IOCs over UDP, at
    /// one address for each IOC.
    pub fn udp_environment(&self) -> Vec<(String, String)> {
        self.environment_by(Lookup::Udp, None)
    }

    /// The environment in which a client asks the IOCs over TCP, as name servers.
    /// Searches over UDP go nowhere.
    pub fn name_server_environment(&self) -> Vec<(String, String)> {
        self.environment_by(Lookup::NameServer, None)
    }

    /// The environment for this lookup. To `counter` the client searches over UDP by
    /// either lookup, beside the IOCs.
    ///
    /// A client that knows nothing of name servers may take an empty address list
    /// for none that was set, and broadcast (caproto 1.3 does): give it a `counter`
    /// if its ways are not known.
    pub(crate) fn environment_by(
        &self,
        lookup: Lookup,
        counter: Option<SocketAddrV4>,
    ) -> Vec<(String, String)> {
        let ports: Vec<&Ports> = self.iocs.iter().map(SoftIoc::ports).collect();
        let arrays = self.iocs[0].builder.array_limit();
        let mut environment = client_environment_of(&ports, lookup, arrays, Reach::Direct);
        if let Some(counter) = counter {
            add_address(counter, self.has_pv_access, &mut environment);
        }
        environment
    }

    /// How many channels clients have at this moment, over pvAccess where it has that, else over
    /// Channel Access.
    ///
    /// # Errors
    /// When an IOC fails.
    pub fn channels(&mut self) -> Result<usize, IocError> {
        let of_one = match self.has_pv_access {
            false => SoftIoc::channels,
            true => SoftIoc::pv_access_channels,
        };
        Ok(self.ask_all(of_one)?.into_iter().sum())
    }

    /// Asks one IOC; its error tells which it was.
    fn ask<T>(
        &mut self,
        number: usize,
        ask: impl FnOnce(&mut SoftIoc) -> Result<T, IocError>,
    ) -> Result<T, IocError> {
        let (iocs, pvs) = (self.iocs.len(), pvs_of(number, self.pvs_per_ioc));
        ask(&mut self.iocs[number]).map_err(|error| one_of_many(error, number, iocs, &pvs))
    }

    /// Asks all IOCs, one after the other.
    fn ask_all<T>(
        &mut self,
        mut ask: impl FnMut(&mut SoftIoc) -> Result<T, IocError>,
    ) -> Result<Vec<T>, IocError> {
        (0..self.iocs.len()).map(|number| self.ask(number, &mut ask)).collect()
    }
}

/// Starts the IOCs from as many threads as there are cores. The first error ends
/// all of it.
fn start_all(builder: &Builder, iocs: usize, pvs_per_ioc: usize) -> Result<Vec<SoftIoc>, IocError> {
    let deadline = Deadline::after(usual_deadline(iocs, pvs_per_ioc));
    let waiting = Mutex::new(0..iocs);
    let failed: Mutex<Option<IocError>> = Mutex::new(None);
    let started: Mutex<Vec<(usize, SoftIoc)>> = Mutex::new(Vec::with_capacity(iocs));
    let threads = usable_cores().len().clamp(1, iocs);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(number) = next(&waiting, &failed) {
                    match start_one(builder, number, pvs_per_ioc, &deadline) {
                        Ok(ioc) => lock(&started).push((number, ioc)),
                        Err(error) => {
                            let pvs = pvs_of(number, pvs_per_ioc);
                            let error = one_of_many(error, number, iocs, &pvs);
                            lock(&failed).get_or_insert(error);
                        }
                    }
                }
            });
        }
    });
    if let Some(error) = lock(&failed).take() {
        return Err(error);
    }
    let mut started = std::mem::take(&mut *lock(&started));
    started.sort_by_key(|(number, _)| *number);
    Ok(started.into_iter().map(|(_, ioc)| ioc).collect())
}

fn next(waiting: &Mutex<Range<usize>>, failed: &Mutex<Option<IocError>>) -> Option<usize> {
    if lock(failed).is_some() { None } else { lock(waiting).next() }
}

fn start_one(
    builder: &Builder,
    number: usize,
    pvs: usize,
    deadline: &Deadline,
) -> Result<SoftIoc, IocError> {
    let first = number * pvs;
    builder.clone().pvs(pvs).first_pv(first).deadline(deadline.remaining()).start()
}

fn usual_deadline(iocs: usize, pvs_per_ioc: usize) -> Duration {
    let times = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    START_DEADLINE + START_OF_AN_IOC * times(iocs) + START_OF_A_PV * times(iocs * pvs_per_ioc)
}

/// A thread that panicked while it held the lock has no half-done work there.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn pvs_of(number: usize, pvs_per_ioc: usize) -> Range<usize> {
    number * pvs_per_ioc..(number + 1) * pvs_per_ioc
}

/// An interrupt and what is missing on this machine are no matter of one IOC.
fn one_of_many(error: IocError, number: usize, iocs: usize, pvs: &Range<usize>) -> IocError {
    match error {
        IocError::Process(ProcessError::Interrupted) | IocError::Missing(_) => error,
        error => IocError::OneOfMany {
            number: number + 1,
            iocs,
            pvs: format!("gauge:{} to gauge:{}", pvs.start, pvs.end - 1),
            error: Box::new(error),
        },
    }
}

/// Adds an address to those that a client searches at, over pvAccess or Channel Access.
fn add_address(
    address: SocketAddrV4,
    is_of_pv_access: bool,
    environment: &mut Vec<(String, String)>,
) {
    let list = if is_of_pv_access { "EPICS_PVA_ADDR_LIST" } else { "EPICS_CA_ADDR_LIST" };
    match environment.iter_mut().find(|(name, _)| name == list) {
        Some((_, addresses)) => *addresses = format!("{addresses} {address}"),
        None => environment.push((list.to_owned(), address.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(iocs: usize, pvs_per_ioc: usize, word: &str) {
        let error = ManyIocs::check_size(iocs, pvs_per_ioc).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }

    #[test]
    fn iocs_whose_pvs_have_no_index_or_no_place_are_refused() {
        refused(0, 10, "at least one IOC");
        refused(10, 0, "at least one PV");
        refused(1_001, 10, "at most 1000");
        refused(2, 200_001, "at most 200000 on each");
        refused(100, 10_486, "at most 1048576");
        assert!(ManyIocs::check_size(100, 10_485).is_ok());
        assert!(ManyIocs::check_size(1_000, usize::MAX).is_err());
    }
}
