//! Records CPU, memory and bytes of client and server while monitors run.

use std::time::Duration;

use super::stop::Stop;
use crate::ioc::{Server, ServerSampler};
use crate::process::{
    self, MachineTime, SubjectUsage, UsageSampler, machine_time, this_process_cpu_ns,
};
use crate::record::{MachineUse, NetworkSample, Usage, UsageSample};

/// How often CPU and memory are read.
const PERIOD: Duration = Duration::from_millis(100);

/// The sampled processes, by their index in the sampler.
const CLIENT: usize = 0;
const SERVER: usize = 1;

/// Records until [`UsageRecorder::finish`].
pub(super) struct UsageRecorder {
    sampler: UsageSampler,
    /// Samples the server, where that is on another host.
    server_elsewhere: Option<Box<dyn ServerSampler>>,
    /// The machine's counters at the start; none where the system has none.
    machine: Option<MachineTime>,
    harness_cpu_ns: u64,
}

/// What was recorded.
pub(super) struct Recorded {
    pub(super) client: Usage,
    pub(super) server: Usage,
    pub(super) sampler_cpu_ns: u64,
    /// The machine's load meanwhile; none where the system does not count it.
    pub(super) machine: Option<MachineUse>,
    /// Bytes that the client received and sent meanwhile; none where the system does not count
    /// them.
    pub(super) bytes: Option<(u64, u64)>,
    /// What could not be read.
    pub(super) warnings: Vec<String>,
}

impl UsageRecorder {
    /// Begins to sample both processes and their descendants.
    pub(super) fn start(client_pid: u32, server: &dyn Server) -> Result<UsageRecorder, Stop> {
        let mut subjects = vec![("the client".to_owned(), client_pid)];
        let server_elsewhere = server.sampler(PERIOD)?;
        if server_elsewhere.is_none() {
            subjects.push(("the server".to_owned(), server.pid()));
        }
        Ok(UsageRecorder {
            sampler: UsageSampler::start(subjects, PERIOD),
            server_elsewhere,
            machine: machine_time(),
            harness_cpu_ns: this_process_cpu_ns(),
        })
    }

    /// Continues with the server's new process after a restart.
    pub(super) fn server_is_now(&self, pid: u32) -> Result<(), Stop> {
        match &self.server_elsewhere {
            Some(elsewhere) => elsewhere.replace(pid)?,
            None => self.sampler.replace(SERVER, pid),
        }
        Ok(())
    }

    /// The client's memory at the latest sample.
    pub(super) fn client_rss_bytes(&self) -> u64 {
        self.sampler.rss_bytes(CLIENT)
    }

    /// Client and server at the latest sample.
    pub(super) fn latest(&self) -> Result<[Option<process::UsageSample>; 2], Stop> {
        let server = match &self.server_elsewhere {
            Some(elsewhere) => elsewhere.latest()?,
            None => self.sampler.latest(SERVER),
        };
        Ok([self.sampler.latest(CLIENT), server])
    }

    /// Takes the last samples.
    pub(super) fn finish(self) -> Result<Recorded, Stop> {
        let mut sampled = self.sampler.finish();
        let mut sampler_cpu_ns = sampled.sampler_cpu_ns;
        let mut is_server_here = true;
        if let Some(elsewhere) = self.server_elsewhere {
            is_server_here = elsewhere.is_on_this_machine();
            let (server, its_cpu_ns) = elsewhere.finish()?;
            sampled.subjects.push(server);
            sampler_cpu_ns += its_cpu_ns;
        }
        let harness_ns = this_process_cpu_ns().saturating_sub(self.harness_cpu_ns);
        let of_this_machine = sampled.subjects.iter().take(if is_server_here { 2 } else { 1 });
        let own_ns = harness_ns + of_this_machine.map(cpu_ns_of).sum::<u64>();
        let machine = self.machine.and_then(|before| machine_use(before, machine_time()?, own_ns));
        let mut warnings = Vec::new();
        let server = sampled.subjects.remove(SERVER);
        let client = sampled.subjects.remove(CLIENT);
        for subject in [&client, &server] {
            warnings.extend(
                subject
                    .ended
                    .iter()
                    .map(|why| format!("no more usage of {}: {why}", subject.label)),
            );
        }
        let bytes = bytes_of(&client);
        if bytes.is_none() {
            let why = client.network_missing.as_deref();
            let why = why.unwrap_or("the kernel's count is missing or has fallen");
            warnings.push(format!("no network bytes of {}: {why}", client.label));
        }
        Ok(Recorded {
            client: of_record(client),
            server: of_record(server),
            sampler_cpu_ns,
            machine,
            bytes,
            warnings,
        })
    }
}

/// CPU time between the first and the last sample.
fn cpu_ns_of(subject: &SubjectUsage) -> u64 {
    let (first, last) = (subject.samples.first(), subject.samples.last());
    first.zip(last).map_or(0, |(first, last)| last.cpu_ns.saturating_sub(first.cpu_ns))
}

/// The load of all cores between two moments, of which `own_ns` belongs to this run; none when
/// no time passed.
fn machine_use(before: MachineTime, after: MachineTime, own_ns: u64) -> Option<MachineUse> {
    let busy_ns = after.busy_ns.saturating_sub(before.busy_ns);
    let idle_ns = after.idle_ns.saturating_sub(before.idle_ns);
    let percent = |ns: u64| 100.0 * ns as f64 / (busy_ns + idle_ns) as f64;
    (busy_ns + idle_ns > 0).then(|| MachineUse {
        idle_percent: percent(idle_ns),
        others_percent: percent(busy_ns.saturating_sub(own_ns)),
    })
}

/// Bytes between the first and the last sample.
fn bytes_of(subject: &SubjectUsage) -> Option<(u64, u64)> {
    if subject.network_missing.is_some() {
        return None;
    }
    let (first, last) = (subject.network.first()?, subject.network.last()?);
    let received_bytes = last.received_bytes.checked_sub(first.received_bytes)?;
    Some((received_bytes, last.sent_bytes.checked_sub(first.sent_bytes)?))
}

fn of_record(subject: SubjectUsage) -> Usage {
    let samples = subject
        .samples
        .iter()
        .map(|sample| UsageSample {
            at_ns: sample.at_ns,
            cpu_ns: sample.cpu_ns,
            rss_bytes: sample.rss_bytes,
        })
        .collect();
    let network = match subject.network_missing {
        Some(_) => Vec::new(),
        None => subject.network.iter().map(of_network).collect(),
    };
    Usage { samples, peak_rss_bytes: subject.peak_rss_bytes.unwrap_or(0), network }
}

fn of_network(sample: &process::NetworkSample) -> NetworkSample {
    NetworkSample {
        at_ns: sample.at_ns,
        received_bytes: sample.received_bytes,
        sent_bytes: sample.sent_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_used_is_what_was_busy_and_not_for_this_run() {
        let at = |busy_ns, idle_ns| MachineTime { busy_ns, idle_ns };
        let used = machine_use(at(100, 100), at(700, 500), 400).unwrap();
        assert_eq!((used.idle_percent, used.others_percent), (40.0, 20.0));
        // The kernel's ticks are coarser than the clocks of processes.
        assert_eq!(machine_use(at(0, 0), at(10, 90), 20).unwrap().others_percent, 0.0);
        assert_eq!(machine_use(at(5, 5), at(5, 5), 0), None);
    }
}
