//! The PVs of the pure Rust stack: simple PVs of `epics-base-rs`, served over Channel
//! Access by `epics-ca-rs`, each set by `ProcessVariable::set`, which stamps it with
//! the time of that moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use epics_base_rs::server::pv::{ProcessVariable, dropped_monitor_events};
use epics_base_rs::types::EpicsValue;
use epics_ca_rs::server::CaServer;
use tokio::runtime::{Handle, Runtime};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, sleep_until};

use super::messages::{Counters, Serve};

/// The version of both crates that Cargo.toml pins.
pub(super) const VERSION: &str = "0.31.0";

/// The factor between the count of updates and the index in a PV's value.
const UPDATE_FACTOR: f64 = 1_048_576.0;

/// How long a round of updates may take to end.
const STOP_DEADLINE: Duration = Duration::from_secs(20);

/// All PVs, served.
pub(super) struct Pvs {
    shared: Arc<Shared>,
    runtime: Handle,
    scanning: Option<JoinHandle<()>>,
    port: u16,
    made_at_all: usize,
}

struct Shared {
    pvs: Vec<CountedPv>,
    overruns: AtomicU64,
}

struct CountedPv {
    index: usize,
    pv: Arc<ProcessVariable>,
    updates: AtomicU64,
}

impl Pvs {
    /// Makes the PVs and serves them.
    pub(super) fn serve(runtime: &Runtime, serve: &Serve) -> Result<Pvs, String> {
        let indices = (0..serve.pvs).filter(|index| Some(*index) != serve.without);
        let identity = format!("epics-gauge:{}", serve.identity);
        let mut builder = CaServer::builder().pv(&identity, EpicsValue::Double(1.0));
        for index in indices.clone() {
            builder = builder.pv(&name(index), EpicsValue::Double(index as f64));
        }
        runtime.block_on(async {
            let server = builder.build().await.map_err(|error| error.to_string())?;
            let mut pvs = Vec::with_capacity(serve.pvs);
            for index in indices {
                let made = server.database().find_pv(&name(index)).await;
                let pv = made.ok_or_else(|| format!("{} was not made", name(index)))?;
                pvs.push(CountedPv { index, pv, updates: AtomicU64::new(0) });
            }
            let port = server.tcp_port();
            tokio::spawn(run(server));
            Ok(Pvs {
                shared: Arc::new(Shared { pvs, overruns: AtomicU64::new(0) }),
                runtime: runtime.handle().clone(),
                scanning: None,
                port,
                made_at_all: serve.pvs,
            })
        })
    }

    /// The TCP port that it serves Channel Access on.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Updates every PV once.
    pub(super) fn tick(&self) -> Result<(), String> {
        if self.scanning.is_some() {
            return Err("the PVs are updated by rate: no tick is needed".to_owned());
        }
        // Its subscribers' tasks are woken on the runtime.
        let _inside = self.runtime.enter();
        self.shared.update_all();
        Ok(())
    }

    /// Updates every PV `rate_hz` times per second from now on.
    pub(super) fn start_scanning(&mut self, rate_hz: f64) -> Result<(), String> {
        if self.scanning.is_some() {
            return Err("the PVs are updated by rate already".to_owned());
        }
        let period = Duration::try_from_secs_f64(1.0 / rate_hz)
            .map_err(|error| format!("cannot update at {rate_hz} Hz: {error}"))?;
        let shared = Arc::clone(&self.shared);
        self.scanning = Some(self.runtime.spawn(async move { shared.scan(period).await }));
        Ok(())
    }

    /// Ends that.
    pub(super) fn stop_scanning(&mut self) -> Result<(), String> {
        let Some(scanning) = self.scanning.take() else { return Ok(()) };
        // It ends where it waits for its next round: no round is cut short.
        scanning.abort();
        let ended =
            self.runtime.block_on(async { tokio::time::timeout(STOP_DEADLINE, scanning).await });
        match ended {
            Err(_) => Err(format!("the round of updates did not end within {STOP_DEADLINE:?}")),
            Ok(Err(error)) if error.is_panic() => Err(error.to_string()),
            Ok(_) => Ok(()),
        }
    }

    /// How often each PV was updated, by its index.
    pub(super) fn made(&self) -> Vec<u64> {
        let mut counts = vec![0; self.made_at_all];
        for one in &self.shared.pvs {
            counts[one.index] = one.updates.load(SeqCst);
        }
        counts
    }

    /// What a PV holds.
    pub(super) fn value(&self, index: usize) -> Result<f64, String> {
        let found = self.shared.pvs.iter().find(|one| one.index == index);
        let one = found.ok_or_else(|| format!("there is no {}", name(index)))?;
        one.pv.get().to_f64().ok_or_else(|| format!("{} is not a number", name(index)))
    }

    /// What it counts of its own work. The server's own statistics lose count when
    /// many subscribe at once: the PVs are asked instead.
    pub(super) fn counters(&self) -> Counters {
        let subscriptions = |one: &CountedPv| one.pv.subscribers.lock().len() as u64;
        Counters {
            subscriptions: self.shared.pvs.iter().map(subscriptions).sum(),
            merged_updates: dropped_monitor_events(),
            scan_overruns: self.shared.overruns.load(SeqCst),
        }
    }
}

impl Shared {
    fn update_all(&self) {
        for one in &self.pvs {
            let updates = one.updates.fetch_add(1, SeqCst) + 1;
            one.pv.set(EpicsValue::Double(one.index as f64 + UPDATE_FACTOR * updates as f64));
        }
    }

    /// Rounds begin at absolute times. One that took too long is followed by the next
    /// at once; what was lost is not made up for by a burst.
    async fn scan(&self, period: Duration) {
        let mut next = Instant::now();
        loop {
            self.update_all();
            next += period;
            let now = Instant::now();
            if next < now {
                self.overruns.fetch_add(1, SeqCst);
                next = now;
                yield_now().await;
            }
            sleep_until(next).await;
        }
    }
}

/// Serves for good; a server that ended is a dead one.
async fn run(server: CaServer) {
    let ended = server.run().await;
    eprintln!("epics-gauge: the server has ended: {ended:?}");
    std::process::exit(1);
}

fn name(index: usize) -> String {
    format!("gauge:{index}")
}
