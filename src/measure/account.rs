//! The books of a watch: CPU, memory and bytes of client and server.

use std::time::Duration;

use crate::process::{self, SubjectUsage, UsageSampler};
use crate::record::{NetworkSample, Usage, UsageSample};

/// How often CPU and memory are read.
const PERIOD: Duration = Duration::from_millis(100);

/// The subjects, by their index in the sampler.
const CLIENT: usize = 0;
const SERVER: usize = 1;

/// Open books.
pub(super) struct Account {
    sampler: UsageSampler,
}

/// Closed books.
pub(super) struct Books {
    pub(super) client: Usage,
    pub(super) server: Usage,
    pub(super) sampler_cpu_ns: u64,
    /// Bytes that the client received and sent meanwhile; none where the system
    /// does not tell.
    pub(super) bytes: Option<(u64, u64)>,
    /// What could not be read.
    pub(super) warnings: Vec<String>,
}

impl Account {
    /// Begins to sample both processes and their descendants.
    pub(super) fn open(client_pid: u32, server_pid: u32) -> Account {
        let subjects =
            vec![("the client".to_owned(), client_pid), ("the server".to_owned(), server_pid)];
        Account { sampler: UsageSampler::start(subjects, PERIOD) }
    }

    /// The server was started again.
    pub(super) fn server_is_now(&self, pid: u32) {
        self.sampler.replace(SERVER, pid);
    }

    /// What the client held at the latest sample.
    pub(super) fn client_rss_bytes(&self) -> u64 {
        self.sampler.rss_bytes(CLIENT)
    }

    /// Client and server at the latest sample.
    pub(super) fn latest(&self) -> [Option<process::UsageSample>; 2] {
        [CLIENT, SERVER].map(|subject| self.sampler.latest(subject))
    }

    /// Takes the last samples.
    pub(super) fn close(self) -> Books {
        let mut usage = self.sampler.finish();
        let sampler_cpu_ns = usage.sampler_cpu_ns;
        let mut warnings = Vec::new();
        let server = usage.subjects.remove(SERVER);
        let client = usage.subjects.remove(CLIENT);
        for subject in [&client, &server] {
            warnings.extend(
                subject
                    .ended
                    .iter()
                    .map(|why| format!("no more usage of {}: {why}", subject.label)),
            );
        }
        let bytes = bytes_of(&client);
        if let (None, Some(why)) = (bytes, &client.network_missing) {
            warnings.push(format!("no network bytes of {}: {why}", client.label));
        }
        Books {
            client: of_record(client),
            server: of_record(server),
            sampler_cpu_ns,
            bytes,
            warnings,
        }
    }
}

/// Bytes between the first and the last sample.
fn bytes_of(subject: &SubjectUsage) -> Option<(u64, u64)> {
    if subject.network_missing.is_some() {
        return None;
    }
    let (first, last) = (subject.network.first()?, subject.network.last()?);
    Some((last.received_bytes - first.received_bytes, last.sent_bytes - first.sent_bytes))
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
