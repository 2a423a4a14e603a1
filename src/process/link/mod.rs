//! A link between clients and a server: delay, loss, a rate, and cuts while a scenario runs.
//!
//! Both sides are on loopback: each sees itself at 127.0.0.1 and the other at 127.0.0.2, on
//! the same ports. Where network namespaces may be made, a program between two of them carries
//! every packet; where not, a relay on loopback does what it can ([`LinkKind`]). Either is a
//! process of its own, this program under a hidden subcommand, with a seed.

mod addresses;
mod counts;
mod delay_line;
mod gate;
mod namespaces;
mod orders;
mod probe;
mod relay;
mod shaper;
mod sockets;
mod state;
#[cfg(target_os = "linux")]
mod tunnel;

pub use counts::{LinkCounts, PacketCounts};
pub use namespaces::{again_in_namespaces, enter_namespaces, is_in_namespaces};
#[cfg(target_os = "linux")]
pub(super) use namespaces::{unshare, unshare_network};
pub use orders::{LinkProcess, serve};
pub use probe::{Arrivals, ProbedLink};

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Child, Command, Deadline, Event, Ports, ProcessError};
use crate::link::{Direction, LinkConditions, LinkKind};
use addresses::FAR;
use namespaces::Namespaces;
use orders::{Carrier, LinkOrder, LinkWord};
#[cfg(target_os = "linux")]
pub(super) use tunnel::raise_loopback;

/// How long the link's process may take to answer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

/// The ports of an IOC and its clients that packets go to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkPorts {
    /// UDP ports of the server, which hear searches.
    pub server_udp: Vec<u16>,
    /// TCP ports of the server.
    pub server_tcp: Vec<u16>,
    /// UDP ports of clients, which hear beacons.
    pub client_udp: Vec<u16>,
    /// The UDP port on which clients look for a repeater, one of those.
    pub repeater: Option<u16>,
}

impl LinkPorts {
    /// Those of an IOC.
    pub fn of(ports: &Ports) -> LinkPorts {
        LinkPorts {
            server_udp: vec![ports.ca_server(), ports.pva_search()],
            server_tcp: vec![ports.ca_server(), ports.pva_server()],
            client_udp: vec![ports.ca_repeater(), ports.pva_beacons()],
            repeater: Some(ports.ca_repeater()),
        }
    }
}

/// A link at work. Dropping it ends it.
#[derive(Debug)]
pub struct Link {
    conditions: LinkConditions,
    kind: LinkKind,
    process: Mutex<Child>,
}

impl Link {
    /// Starts a link to a server on `ports`, by the epics-gauge program `gauge`; `seed`
    /// decides which packets are lost. Between namespaces if this process has entered some,
    /// of which one link at a time is one.
    ///
    /// # Errors
    /// When it does not start, or has no place for its ports.
    pub fn start(
        gauge: &Path,
        conditions: LinkConditions,
        seed: u64,
        ports: &LinkPorts,
    ) -> Result<Link, ProcessError> {
        let namespaces = namespaces::entered();
        let process = LinkProcess {
            conditions,
            seed,
            ports: ports.clone(),
            carrier: namespaces.map_or(Carrier::Relay, Namespaces::carrier),
        };
        let mut command = Command::new(gauge).argument("link-process").argument(process.in_text());
        if let Some(namespaces) = namespaces {
            command = namespaces.for_the_link(command);
        }
        let kind = if namespaces.is_some() { LinkKind::Namespaces } else { LinkKind::Relay };
        let link = Link { conditions, kind, process: Mutex::new(command.start()?) };
        link.hear("carry packets")?;
        Ok(link)
    }

    /// What it does to packets.
    pub fn conditions(&self) -> LinkConditions {
        self.conditions
    }

    /// What carries them.
    pub fn kind(&self) -> LinkKind {
        self.kind
    }

    /// The command of a client, run on the clients' side.
    #[must_use]
    pub fn command(&self, client: Command) -> Command {
        match namespaces::entered() {
            Some(namespaces) if self.kind == LinkKind::Namespaces => {
                namespaces.for_a_client(client)
            }
            _ => client,
        }
    }

    /// Drops everything that goes this way from now on, without a word, and carries the other
    /// way. What a relay holds of connections is kept back instead, as TCP would send it
    /// again. Returns when that is so.
    ///
    /// # Errors
    /// When the link has ended.
    pub fn cut(&self, direction: Direction) -> Result<(), ProcessError> {
        self.order(&LinkOrder::Cut(direction), "cut").map(drop)
    }

    /// Carries both ways again. Returns when that is so.
    ///
    /// # Errors
    /// When the link has ended.
    pub fn restore(&self) -> Result<(), ProcessError> {
        self.order(&LinkOrder::Restore, "restore").map(drop)
    }

    /// What it carried since it was last asked, or since its start.
    ///
    /// # Errors
    /// When the link has ended.
    pub fn take_counts(&self) -> Result<LinkCounts, ProcessError> {
        Ok(self.order(&LinkOrder::Count, "count")?.unwrap_or_default())
    }

    fn order(&self, order: &LinkOrder, what: &str) -> Result<Option<LinkCounts>, ProcessError> {
        self.lock().write_line(&order.in_text());
        self.hear(what)
    }

    fn hear(&self, what: &str) -> Result<Option<LinkCounts>, ProcessError> {
        let mut process = self.lock();
        let deadline = Deadline::after(ANSWER_DEADLINE);
        process.attend(true);
        let heard = loop {
            match process.next_event(&deadline, what) {
                Ok(Event::Stdout(line)) => match LinkWord::parse(&line) {
                    Some(word) => break Ok(word.counts),
                    None => continue,
                },
                Ok(Event::Stderr(_)) => {}
                Ok(Event::Ended(status)) => break Err(process.ended_early(status)),
                Err(error) => break Err(error),
            }
        };
        process.attend(false);
        heard
    }

    fn lock(&self) -> MutexGuard<'_, Child> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
