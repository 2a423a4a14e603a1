//! The inside of the link's process: what it carries, and the orders on its stdin, one line
//! of JSON each, with one line of JSON on stdout for an answer.

use std::io::{self, BufRead, Write};
use std::os::fd::RawFd;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::addresses::FAR;
use super::counts::LinkCounts;
use super::relay::Relay;
use super::state::LinkState;
use super::{LinkConditions, LinkPorts};
use crate::link::Direction;
use crate::process::Repeater;

/// What a link's process is to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkProcess {
    pub(super) conditions: LinkConditions,
    pub(super) seed: u64,
    pub(super) ports: LinkPorts,
    pub(super) carrier: Carrier,
}

/// What carries packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Carrier {
    /// A relay on loopback.
    Relay,
    /// A tunnel, by the descriptors of its ends.
    Tunnel { server: RawFd, client: RawFd },
}

impl LinkProcess {
    pub(super) fn in_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|error| unreachable!("{error}"))
    }
}

impl std::str::FromStr for LinkProcess {
    type Err = String;

    fn from_str(text: &str) -> Result<LinkProcess, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }
}

/// An order to a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum LinkOrder {
    Cut(Direction),
    Restore,
    Count,
}

impl LinkOrder {
    pub(super) fn in_text(self) -> String {
        serde_json::to_string(&self).unwrap_or_else(|error| unreachable!("{error}"))
    }
}

/// An answer of a link.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct LinkWord {
    /// What it carried, where that was asked.
    pub(super) counts: Option<LinkCounts>,
}

impl LinkWord {
    pub(super) fn parse(line: &str) -> Option<LinkWord> {
        serde_json::from_str(line).ok()
    }

    fn write(&self) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        serde_json::to_writer(&mut stdout, self)?;
        stdout.write_all(b"\n")?;
        stdout.flush()
    }
}

/// Carries packets until stdin ends; the inside of the link's process.
///
/// # Errors
/// When ports are taken, or descriptors are not what they should be.
pub fn serve(process: &LinkProcess) -> io::Result<()> {
    let state = Arc::new(LinkState::new(&process.conditions, process.seed));
    let _at_work = AtWork::start(process, &state)?;
    LinkWord::default().write()?;
    for line in io::stdin().lock().lines() {
        let mut word = LinkWord::default();
        match serde_json::from_str(&line?)? {
            LinkOrder::Cut(direction) => state.gate.cut(direction),
            LinkOrder::Restore => state.gate.restore(),
            LinkOrder::Count => word.counts = Some(state.take_counts()),
        }
        word.write()?;
    }
    Ok(())
}

/// What ends with the process.
struct AtWork {
    _relay: Option<Relay>,
    _repeater: Option<Repeater>,
}

impl AtWork {
    fn start(process: &LinkProcess, state: &Arc<LinkState>) -> io::Result<AtWork> {
        match process.carrier {
            Carrier::Relay => {
                let relay = Relay::start(FAR, &process.ports, state)?;
                Ok(AtWork { _relay: Some(relay), _repeater: None })
            }
            #[cfg(target_os = "linux")]
            Carrier::Tunnel { server, client } => {
                // The process runs on the clients' side, where there is no other.
                let repeater = process.ports.repeater.map(Repeater::on_port).transpose()?;
                super::tunnel::carry(server, client, state)?;
                Ok(AtWork { _relay: None, _repeater: repeater })
            }
            #[cfg(not(target_os = "linux"))]
            Carrier::Tunnel { .. } => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_is_to_be_survives_its_command_line() {
        let process = LinkProcess {
            conditions: "delay=10ms,loss=1%,rate=100mbit".parse().unwrap(),
            seed: 7,
            ports: LinkPorts { server_udp: vec![1, 2], repeater: Some(3), ..LinkPorts::default() },
            carrier: Carrier::Tunnel { server: 3, client: 4 },
        };
        assert_eq!(process.in_text().parse(), Ok(process));
    }

    #[test]
    fn orders_and_answers_are_one_line() {
        for order in [LinkOrder::Cut(Direction::ToClient), LinkOrder::Restore, LinkOrder::Count] {
            let text = order.in_text();
            assert!(!text.contains('\n'));
            assert_eq!(serde_json::from_str::<LinkOrder>(&text).unwrap(), order);
        }
        assert_eq!(LinkWord::parse("a message"), None);
        assert_eq!(LinkWord::parse(r#"{"counts":null}"#), Some(LinkWord::default()));
    }
}
