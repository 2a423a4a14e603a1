//! CPU time, memory and network bytes of running processes, sampled from one
//! thread.

mod clock;
mod handles;
#[cfg(target_os = "linux")]
mod linux;
mod machine;
mod process_time;
// On Linux only to be held against the other one.
#[cfg(any(not(target_os = "linux"), test))]
mod portable;
mod subject;

pub use clock::{monotonic_ns, this_process_cpu_ns};
pub use handles::{Handles, handles};
pub use machine::{MachineTime, available_memory_bytes, machine_time};
pub use process_time::{ProcessClock, ProcessTime, other_threads_delayed_ns};

#[cfg(target_os = "linux")]
use linux::Tree;
#[cfg(not(target_os = "linux"))]
use portable::Tree;

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::network::Listing;
use subject::{Extent, Subject};

/// How often descendants, peak memory and sockets are looked for. Each look
/// reads a file per thread, so it is rarer than a sample.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

/// One look at a process and all its descendants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageSample {
    /// When, on the system's monotonic clock.
    pub at_ns: u64,
    /// CPU time used since the process began, user and system, of itself and all
    /// its descendants, also of those that ended. Never falls.
    pub cpu_ns: u64,
    /// Resident memory of all that live. Memory that they share counts once for
    /// each.
    pub rss_bytes: u64,
}

/// Bytes over a process's TCP connections, those of its descendants included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkSample {
    /// When, on the system's monotonic clock.
    pub at_ns: u64,
    /// Bytes received so far.
    pub received_bytes: u64,
    /// Bytes sent so far, each counted once however often it was sent again.
    pub sent_bytes: u64,
}

/// What was seen of one subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectUsage {
    /// The name given at the start.
    pub label: String,
    /// One sample per period while the process lived.
    pub samples: Vec<UsageSample>,
    /// The most memory that the process itself (no descendant) ever held
    /// resident, from before the sampler's start too; of several processes after
    /// each other the largest. None where the system does not report it.
    pub peak_rss_bytes: Option<u64>,
    /// About one sample a second, the first at the start and the last at the end.
    pub network: Vec<NetworkSample>,
    /// Why `network` is not complete; None when it is.
    pub network_missing: Option<String>,
    /// Why the samples end before the sampler did; None when they do not.
    pub ended: Option<String>,
}

/// What a sampler saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// One per subject, in the order given.
    pub subjects: Vec<SubjectUsage>,
    /// CPU time that the sampler's own thread used.
    pub sampler_cpu_ns: u64,
    /// How long it ran.
    pub sampler_wall_ns: u64,
}

/// A thread that samples processes until it is finished, or dropped.
///
/// A subject that ends is no error: its samples end, and
/// [`SubjectUsage::ended`] says so. A process id that the system gives to
/// another process is not followed.
#[derive(Debug)]
pub struct UsageSampler {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<Usage>>,
    /// Each subject at its latest sample.
    latest: Arc<[Mutex<Option<UsageSample>>]>,
}

enum Order {
    Replace(usize, Result<Tree, String>),
}

impl UsageSampler {
    /// Starts to sample the processes with these labels and ids, once per
    /// `period`. The first sample is taken when this returns.
    pub fn start(subjects: Vec<(String, u32)>, period: Duration) -> UsageSampler {
        // Opened here, so that a process which the caller has just started is
        // that process for certain.
        let subjects: Vec<Subject> =
            subjects.into_iter().map(|(label, pid)| Subject::new(label, Tree::of(pid))).collect();
        let latest: Arc<[_]> = subjects.iter().map(|_| Mutex::new(None)).collect();
        let (orders, received) = mpsc::channel();
        let (first_taken, first) = mpsc::channel();
        let shown = Arc::clone(&latest);
        let thread =
            thread::spawn(move || sample(subjects, period, &received, &first_taken, &shown));
        let _ = first.recv();
        UsageSampler { orders: Some(orders), thread: Some(thread), latest }
    }

    /// The subject with this index at its latest sample; none for an index that
    /// does not exist. Does not block.
    pub fn latest(&self, index: usize) -> Option<UsageSample> {
        *self.latest.get(index)?.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The resident memory, in bytes, of the subject with this index at the latest
    /// sample; 0 for an index that does not exist. Does not block.
    pub fn rss_bytes(&self, index: usize) -> u64 {
        self.latest(index).map_or(0, |latest| latest.rss_bytes)
    }

    /// From now on the subject with this index is the process `pid`: an IOC that
    /// was started again, for instance. CPU time and network bytes go on from
    /// where the process before was last seen, and all that the new one has used
    /// since its own start is added. An index that does not exist is ignored.
    pub fn replace(&self, index: usize, pid: u32) {
        if let Some(orders) = &self.orders {
            let _ = orders.send(Order::Replace(index, Tree::of(pid)));
        }
    }

    /// Takes a last sample of everything and ends the thread.
    ///
    /// # Panics
    /// When the thread did.
    pub fn finish(mut self) -> Usage {
        self.orders = None;
        let thread = self.thread.take().expect("only the end takes the thread");
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for UsageSampler {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn sample(
    mut subjects: Vec<Subject>,
    period: Duration,
    orders: &Receiver<Order>,
    first_taken: &Sender<()>,
    latest: &[Mutex<Option<UsageSample>>],
) -> Usage {
    let start = Instant::now();
    let mut next_sample = start;
    let mut next_look = following(start, LOOK_PERIOD);
    sample_everything(&mut subjects);
    let _ = first_taken.send(());
    loop {
        for (subject, latest) in subjects.iter().zip(latest) {
            *latest.lock().unwrap_or_else(PoisonError::into_inner) = subject.last_sample().copied();
        }
        next_sample = following(next_sample, period);
        if !carry_out(orders, next_sample, &mut subjects) {
            break;
        }
        if Instant::now() < next_look {
            subjects.iter_mut().for_each(|subject| subject.sample(Extent::Little));
        } else {
            next_look = following(next_look, LOOK_PERIOD);
            let mut listing = Listing::default();
            subjects.iter_mut().for_each(|subject| subject.sample(Extent::Look(&mut listing)));
        }
    }
    sample_everything(&mut subjects);
    Usage {
        subjects: subjects.into_iter().map(Subject::into_usage).collect(),
        sampler_cpu_ns: clock::this_thread_cpu_ns(),
        sampler_wall_ns: start.elapsed().as_nanos() as u64,
    }
}

fn sample_everything(subjects: &mut [Subject]) {
    let mut listing = Listing::default();
    subjects.iter_mut().for_each(|subject| subject.sample(Extent::Everything(&mut listing)));
}

/// The next moment of a regular series that is still to come: after a pause of
/// the machine the missed samples are not made up for.
fn following(mut moment: Instant, period: Duration) -> Instant {
    let now = Instant::now();
    // A period of 0 would never let the thread rest.
    let period = period.max(Duration::from_millis(1));
    while moment <= now {
        moment += period;
    }
    moment
}

/// Carries orders out until `until`; false when the sampler is to end.
fn carry_out(orders: &Receiver<Order>, until: Instant, subjects: &mut [Subject]) -> bool {
    loop {
        match orders.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Order::Replace(index, tree)) => {
                if let Some(subject) = subjects.get_mut(index) {
                    subject.replace(tree);
                }
            }
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
}
