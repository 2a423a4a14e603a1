//! Lines of JSON between this process and an agent: one order, one answer with its number.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::ioc::{MixedRates, Wanted};
use crate::process::{SubjectUsage, UsageSample};

/// A line on the agent's stdin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Numbered {
    pub(super) id: u64,
    pub(super) order: Order,
}

/// What an agent is to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Order {
    /// Answers with a [`Hello`].
    Hello,
    /// Answers with both clocks.
    Clocks,
    /// Shows that this side is still there. Its answer, with the number 0, comes whatever the
    /// agent does.
    Alive,
    /// Serves one connection at this address, to measure the network with; answers with its port.
    Listen { address: Ipv4Addr },
    /// Starts a server and answers with [`Started`].
    Start { name: String, wanted: Box<Wanted>, servers_file: Option<PathBuf> },
    /// Asks a server.
    Server { server: u64, call: Call },
    /// Begins to sample a process; answers with the sampler's number.
    Sample { pid: u32, period_ms: u64 },
    /// Answers with the latest sample.
    Latest { sampler: u64 },
    /// Continues with another process.
    Replace { sampler: u64, pid: u32 },
    /// Ends a sampler; answers with [`Sampled`].
    Finish { sampler: u64 },
}

/// What a server is asked; the methods of [`crate::ioc::Server`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Call {
    Tick,
    StartScanning(f64),
    StartMixedScanning(MixedRates),
    StopScanning,
    ExpectedValues { pvs: usize },
    Processed,
    StoredValue(usize),
    FrameCount,
    Counted,
    SubscriptionsTo(Vec<usize>),
    Command(String),
    Check,
    Pause,
    Resume,
    Channels,
    Crash,
    Restart(Option<usize>),
    ReserveSparePorts,
    MoveToSparePorts,
    RestartRetyped(usize),
    Facts,
    Stop,
}

/// A line on the agent's stdout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) id: u64,
    /// What was asked for, or why there is none.
    pub(super) outcome: Result<serde_json::Value, Refusal>,
}

/// Why an order was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Refusal {
    pub(super) message: String,
    /// Whether something that is not installed there is missing.
    pub(super) is_missing: bool,
}

/// What an agent is, its first answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The version of epics-gauge.
    pub version: String,
    /// What travels inside the program: programs of another build are others.
    pub content: String,
    /// The name of the host.
    pub host_name: String,
    /// Processor cores that it may use.
    pub cores: usize,
    /// The running instance of the kernel: the same for namespaces of one machine.
    pub boot: String,
}

/// A server that was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Started {
    pub(super) server: u64,
    pub(super) facts: Facts,
}

/// What is known of a running server, until it is started again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Facts {
    pub(super) pid: u32,
    pub(super) versions: BTreeMap<String, String>,
    /// The environment of clients, by UDP and by name server.
    pub(super) environments: [Vec<(String, String)>; 2],
    /// UDP ports on which clients hear the server: those of the repeater, and of beacons.
    pub(super) heard: Option<Heard>,
}

/// UDP ports that clients of a server bind on their host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Heard {
    pub(super) ca_repeater: u16,
    pub(super) pva_beacons: u16,
}

/// What a sampler saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sampled {
    pub(super) usage: SubjectUsage,
    pub(super) sampler_cpu_ns: u64,
}

/// The latest sample; none before the first.
pub(super) type Latest = Option<UsageSample>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_and_answers_survive_their_line() {
        let wanted = Box::new(Wanted { pvs: 7, rate_hz: Some(0.1), ..Wanted::default() });
        let start = Order::Start { name: "softioc".to_owned(), wanted, servers_file: None };
        for order in [start, Order::Hello, Order::Server { server: 1, call: Call::Restart(None) }] {
            let numbered = Numbered { id: 9, order };
            let line = serde_json::to_string(&numbered).unwrap();
            assert!(!line.contains('\n'));
            assert_eq!(serde_json::from_str::<Numbered>(&line).unwrap(), numbered);
        }
        let refusal = Refusal { message: "two\nlines".to_owned(), is_missing: true };
        let answer = Answer { id: 9, outcome: Err(refusal) };
        let line = serde_json::to_string(&answer).unwrap();
        assert!(!line.contains('\n'));
        assert_eq!(serde_json::from_str::<Answer>(&line).unwrap(), answer);
    }
}
