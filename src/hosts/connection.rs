//! This process's end of the line to an agent.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use super::agent::BOOT_ID;
use super::file::Host;
use super::network::{self, NetworkFloor};
use super::orders::{Answer, Hello, Numbered, Order};
use crate::embedded;
use crate::ioc::{IocError, Missing};
use crate::process::{Child, ClockReading, Deadline, Event, HostClocks, ProcessError};

/// How long an agent may take to start: a login, or an allocation, comes before it.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// How long a short order may take.
pub(super) const ANSWER_DEADLINE: Duration = Duration::from_secs(40);

/// An agent shows life every two seconds; after so long without a line it is lost.
const SILENCE: Duration = Duration::from_secs(15);

/// The number of orders that only show life.
const LIFE: u64 = 0;

/// How often an agent hears that this process is there.
const ALIVE_EVERY: Duration = Duration::from_secs(2);

/// How long an agent may take to end when its stdin does.
const END_GRACE: Duration = Duration::from_secs(5);

/// How long an agent, and what carries the line to it, may take when this process was killed:
/// longer than the agent gives its servers.
const GRACE: Duration = Duration::from_secs(8);

/// Readings of the clocks; the one with the least round trip counts.
const EXCHANGES: usize = 20;

/// Letters of a line that is no answer, in an error.
const SHOWN_LETTERS: usize = 200;

/// Why a host did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// There is no agent, or none that this program can use.
    #[error("the host `{host}` cannot take part: {reason}")]
    Unusable {
        /// Its name in the file.
        host: String,
        /// Why.
        reason: String,
    },
    /// It refused an order.
    #[error("on the host `{host}`: {message}")]
    Refused {
        /// Its name in the file.
        host: String,
        /// Its own words.
        message: String,
        /// Whether something is missing there that could be installed.
        is_missing: bool,
    },
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl From<HostError> for IocError {
    fn from(error: HostError) -> IocError {
        match error {
            HostError::Interrupted => ProcessError::Interrupted.into(),
            HostError::Refused { host, message, is_missing: true } => {
                Missing(format!("on the host `{host}`: {message}")).into()
            }
            HostError::Refused { host, message, .. }
            | HostError::Unusable { host, reason: message } => {
                IocError::Elsewhere { host, message }
            }
        }
    }
}

/// A running agent. Dropping it ends the agent, and with it all that it started.
#[derive(Debug)]
pub struct Agent {
    name: String,
    hello: Hello,
    line: Arc<Mutex<Child>>,
    last_id: AtomicU64,
    is_over: Arc<AtomicBool>,
    /// Why there is no agent any more: then nothing is waited for again.
    lost: Mutex<Option<String>>,
    alive: Option<JoinHandle<()>>,
}

impl Agent {
    /// Starts the agent of a host and checks that it is of this build; blocks.
    ///
    /// # Errors
    /// Why it cannot take part.
    pub fn start(host: &Host) -> Result<Agent, HostError> {
        let unusable = |reason: String| HostError::Unusable { host: host.name.clone(), reason };
        let command = host.agent_command().map_err(unusable)?;
        let command = command.ok_or_else(|| {
            unusable("its launcher is `here`: this process needs no agent".to_owned())
        })?;
        let command = command.ends_with_stdin_within(GRACE);
        let child = command.start().map_err(|error| unusable(error.to_string()))?;
        child.attend(true);
        let line = Arc::new(Mutex::new(child));
        let is_over = Arc::new(AtomicBool::new(false));
        let mut agent = Agent {
            name: host.name.clone(),
            hello: Hello::default(),
            alive: Some(show_life(&line, &is_over)),
            line,
            last_id: AtomicU64::new(LIFE),
            is_over,
            lost: Mutex::new(None),
        };
        agent.hello = agent.ask(Order::Hello, START_DEADLINE)?;
        agent.check_build()?;
        Ok(agent)
    }

    /// What it is.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// The host's name in the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it shares this machine: a namespace does.
    pub fn is_on_this_machine(&self) -> bool {
        let own = std::fs::read_to_string(BOOT_ID).unwrap_or_default();
        !self.hello.boot.is_empty() && self.hello.boot == own.trim()
    }

    /// How far its clocks are from those of this host; blocks for 20 round trips.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn clocks(&self) -> Result<HostClocks, HostError> {
        let mut best: Option<HostClocks> = None;
        for _ in 0..EXCHANGES {
            let asked = ClockReading::now();
            let (there, round_trip) =
                self.ask_timed::<ClockReading>(Order::Clocks, ANSWER_DEADLINE)?;
            let one = HostClocks::of_exchange(asked, there, round_trip);
            best = Some(best.map_or(one, |best| best.better(one)));
        }
        best.ok_or_else(|| self.unusable("its clocks were not read".to_owned()))
    }

    /// What the network from this host to `address` of the other does without EPICS; blocks for
    /// about half a second.
    ///
    /// # Errors
    /// When there is no way to it.
    pub fn network(&self, address: Ipv4Addr) -> Result<NetworkFloor, HostError> {
        let port = self.ask(Order::Listen { address }, ANSWER_DEADLINE)?;
        let server = SocketAddrV4::new(address, port);
        network::measure(server).map_err(|error| {
            self.unusable(format!("no TCP connection to {server}: {error}; see its firewall"))
        })
    }

    /// Gives an order and waits for its answer.
    pub(super) fn ask<A: DeserializeOwned>(
        &self,
        order: Order,
        allowed: Duration,
    ) -> Result<A, HostError> {
        self.ask_timed(order, allowed).map(|(answer, _)| answer)
    }

    /// The same, with the time from the order to the line with its answer.
    fn ask_timed<A: DeserializeOwned>(
        &self,
        order: Order,
        allowed: Duration,
    ) -> Result<(A, Duration), HostError> {
        if let Some(reason) = lock(&self.lost).clone() {
            return Err(self.unusable(reason));
        }
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let line = encoded(&Numbered { id, order });
        let mut child = lock(&self.line);
        let asked = Instant::now();
        child.write_line(&line);
        let answer = match self.answer_to(id, &mut child, asked, allowed) {
            Err(HostError::Unusable { host, reason }) => {
                *lock(&self.lost) = Some(reason.clone());
                return Err(HostError::Unusable { host, reason });
            }
            answer => answer?,
        };
        let round_trip = child.event_at().saturating_duration_since(asked);
        drop(child);
        match answer.outcome {
            Ok(value) => {
                let wrong = |error: serde_json::Error| {
                    self.unusable(format!("{error} in its answer: {}", shown(&value.to_string())))
                };
                Ok((A::deserialize(&value).map_err(wrong)?, round_trip))
            }
            Err(refusal) => Err(HostError::Refused {
                host: self.name.clone(),
                message: refusal.message,
                is_missing: refusal.is_missing,
            }),
        }
    }

    /// The answer to the order `id`. While it is awaited both sides hear that the other lives.
    fn answer_to(
        &self,
        id: u64,
        child: &mut Child,
        asked: Instant,
        allowed: Duration,
    ) -> Result<Answer, HostError> {
        let until = Deadline::since(asked, allowed);
        let mut heard = Instant::now();
        // The first answer comes after a login, or an allocation.
        let silence = if self.hello.version.is_empty() { allowed } else { SILENCE };
        loop {
            if heard.elapsed() > silence {
                let seconds = silence.as_secs();
                return Err(self.unusable(format!("it has been silent for {seconds} s")));
            }
            let step = Deadline::after(until.remaining().min(ALIVE_EVERY));
            match child.next_event(&step, "answer") {
                Ok(Event::Stdout(line)) => {
                    heard = Instant::now();
                    match self.read(&line)? {
                        answer if answer.id == id => return Ok(answer),
                        Answer { id: LIFE, .. } => {}
                        Answer { id: other, .. } => {
                            let line = shown(&line);
                            let why = format!("number {other} instead of {id}: {line}");
                            return Err(self.unusable(why));
                        }
                    }
                }
                Ok(Event::Stderr(_)) => {}
                Ok(Event::Ended(status)) => {
                    return Err(self.unusable(child.ended_early(status).to_string()));
                }
                Err(ProcessError::Interrupted) => return Err(HostError::Interrupted),
                Err(ProcessError::TimedOut { .. }) if !until.remaining().is_zero() => {
                    send_alive(child);
                }
                Err(ProcessError::TimedOut { .. }) => {
                    return Err(self.unusable(child.timed_out(&until, "answer").to_string()));
                }
                Err(error) => return Err(self.unusable(error.to_string())),
            }
        }
    }

    fn read(&self, line: &str) -> Result<Answer, HostError> {
        serde_json::from_str(line)
            .map_err(|_| self.unusable(format!("it printed `{}`, no answer", shown(line))))
    }

    fn check_build(&self) -> Result<(), HostError> {
        let own = env!("CARGO_PKG_VERSION");
        let Hello { version, content, .. } = &self.hello;
        if version != own {
            return Err(self.unusable(format!(
                "its epics-gauge is {version}, this one {own}; install {own} there, or name it \
                 with `program`"
            )));
        }
        if *content != embedded::content_hash() {
            return Err(self.unusable(format!(
                "its epics-gauge {version} is of another build than this one, with other IOCs \
                 inside; copy this program there, or name it with `program`"
            )));
        }
        Ok(())
    }

    pub(super) fn unusable(&self, reason: String) -> HostError {
        HostError::Unusable { host: self.name.clone(), reason }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(alive) = self.alive.take() {
            alive.thread().unpark();
            let _ = alive.join();
        }
        // It ends with its stdin; whatever carries the line is killed if it does not.
        let mut child = lock(&self.line);
        child.close_stdin();
        if lock(&self.lost).is_some() {
            return;
        }
        let deadline = Deadline::after(END_GRACE);
        while let Ok(event) = child.next_event(&deadline, "end") {
            if matches!(event, Event::Ended(_)) {
                return;
            }
        }
    }
}

/// Has the agent hear from this process while nobody asks it anything.
fn show_life(line: &Arc<Mutex<Child>>, is_over: &Arc<AtomicBool>) -> JoinHandle<()> {
    let (line, is_over) = (Arc::clone(line), Arc::clone(is_over));
    thread::spawn(move || {
        while !is_over.load(Ordering::Relaxed) {
            thread::park_timeout(ALIVE_EVERY);
            // Whoever holds the line shows it himself.
            if let Ok(child) = line.try_lock() {
                send_alive(&child);
            }
        }
    })
}

fn send_alive(child: &Child) {
    child.write_line(&encoded(&Numbered { id: LIFE, order: Order::Alive }));
}

fn encoded(numbered: &Numbered) -> String {
    match serde_json::to_string(numbered) {
        Ok(line) => line,
        Err(error) => unreachable!("an order is always JSON: {error}"),
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn shown(line: &str) -> String {
    line.chars().take(SHOWN_LETTERS).collect()
}
