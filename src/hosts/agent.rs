//! The agent: does on its host what it is ordered to, and leaves nothing behind.
//!
//! It ends when its stdin does, and when nobody has sent a line for a while: a network that
//! breaks closes no pipe.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::network;
use super::orders::{
    Answer, Call, Facts, Heard, Hello, Numbered, Order, Refusal, Sampled, Started,
};
use crate::embedded;
use crate::ioc::{IocError, Server, Servers};
use crate::lookup::Lookup;
use crate::process::{self, ClockReading, UsageSampler, usable_cores};
use crate::python_site::{Missing, PythonSite};

/// A harness sends a line at least every two seconds.
const SILENCE: Duration = Duration::from_secs(20);

/// How often a silent agent looks whether it is to end.
const LOOK: Duration = Duration::from_millis(100);

/// How long servers may take to be gone when nobody asks any more.
const TIME_TO_LEAVE: Duration = Duration::from_secs(5);

/// Has another text each time a kernel is started.
pub(super) const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The label of a sampled process.
const SERVER: &str = "the server";

/// Carries out orders from stdin and answers on stdout, until stdin ends. With clocks that are
/// ahead it is as if on another machine, so that a check of clocks can be checked.
pub fn serve(clocks_ahead: Duration) -> ExitCode {
    let orders = read_orders(io::stdin());
    let mut agent = Agent { clocks_ahead, ..Agent::default() };
    for Numbered { id, order } in orders {
        if say(&Answer { id, outcome: agent.carry_out(order) }).is_err() {
            break;
        }
    }
    ExitCode::SUCCESS
}

fn say(answer: &Answer) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    serde_json::to_writer(&mut stdout, answer)?;
    stdout.write_all(b"\n")?;
    stdout.flush()
}

/// Reads lines in a thread of its own, so that the end of stdin is seen whatever the agent does:
/// then all its waits end, and so does the process.
fn read_orders(stdin: io::Stdin) -> Receiver<Numbered> {
    let (line_read, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in stdin.lock().lines() {
            let Ok(line) = line else { break };
            if line_read.send(line).is_err() {
                break;
            }
        }
    });
    let (order_given, orders) = mpsc::channel();
    thread::spawn(move || {
        let mut heard = Instant::now();
        // Slurm asks its tasks to end by a signal, and kills them soon after.
        while !process::interrupted() {
            match lines.recv_timeout(LOOK) {
                Ok(line) => {
                    heard = Instant::now();
                    if !is_taken(&line, &order_given) {
                        break;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) if heard.elapsed() > SILENCE => {
                    eprintln!("epics-gauge agent: no line for {} s", SILENCE.as_secs());
                    break;
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        drop(order_given);
        process::interrupt();
        thread::sleep(TIME_TO_LEAVE);
        // Supervisors end what this process leaves.
        std::process::exit(1);
    });
    orders
}

/// Gives an order to whoever carries it out; one that only shows life is answered at once,
/// whatever is being carried out. False when there is no more to be done.
fn is_taken(line: &str, order_given: &Sender<Numbered>) -> bool {
    match serde_json::from_str::<Numbered>(line) {
        Ok(Numbered { id, order: Order::Alive }) => {
            say(&Answer { id, outcome: Ok(serde_json::Value::Null) }).is_ok()
        }
        Ok(order) => order_given.send(order).is_ok(),
        Err(error) => {
            eprintln!("epics-gauge agent: {error} in the order: {line}");
            false
        }
    }
}

/// What runs on this host.
#[derive(Default)]
struct Agent {
    clocks_ahead: Duration,
    servers: BTreeMap<u64, Box<dyn Server>>,
    samplers: BTreeMap<u64, UsageSampler>,
    last_number: u64,
}

/// The answer to an order.
type Outcome = Result<serde_json::Value, Refusal>;

impl Agent {
    fn carry_out(&mut self, order: Order) -> Outcome {
        match order {
            Order::Hello => value(&hello(self.clocks_ahead.is_zero())),
            Order::Clocks => value(&ClockReading::now().ahead_by(self.clocks_ahead)),
            Order::Alive => value(&()),
            Order::Listen { address } => match network::serve_once(address) {
                Ok(port) => value(&port),
                Err(error) => Err(refusal(format!("cannot serve at {address}: {error}"))),
            },
            Order::Start { name, wanted, servers_file } => {
                let server = started(&name, &wanted, servers_file.as_deref())?;
                let facts = facts(server.as_ref());
                let number = self.next_number();
                self.servers.insert(number, server);
                value(&Started { server: number, facts })
            }
            Order::Server { server, call: Call::Stop } => {
                if let Some(server) = self.servers.remove(&server) {
                    server.stop();
                }
                value(&())
            }
            Order::Server { server, call } => match self.servers.get_mut(&server) {
                Some(server) => asked(server.as_mut(), call),
                None => Err(refusal(format!("there is no server {server}"))),
            },
            Order::Sample { pid, period_ms } => {
                let number = self.next_number();
                let subject = vec![(SERVER.to_owned(), pid)];
                let period = Duration::from_millis(period_ms);
                self.samplers.insert(number, UsageSampler::start(subject, period));
                value(&number)
            }
            Order::Latest { sampler } => value(&self.sampler(sampler)?.latest(0)),
            Order::Replace { sampler, pid } => {
                self.sampler(sampler)?.replace(0, pid);
                value(&())
            }
            Order::Finish { sampler } => {
                self.sampler(sampler)?;
                let ended = self.samplers.remove(&sampler).map(UsageSampler::finish);
                let sampled = ended.and_then(|mut all| {
                    let sampler_cpu_ns = all.sampler_cpu_ns;
                    all.subjects.pop().map(|usage| Sampled { usage, sampler_cpu_ns })
                });
                value(&sampled)
            }
        }
    }

    fn sampler(&self, number: u64) -> Result<&UsageSampler, Refusal> {
        self.samplers.get(&number).ok_or_else(|| refusal(format!("there is no sampler {number}")))
    }

    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }
}

fn value(answer: &impl Serialize) -> Outcome {
    serde_json::to_value(answer).map_err(|error| refusal(error.to_string()))
}

fn refusal(message: String) -> Refusal {
    Refusal { message, is_missing: false }
}

impl From<IocError> for Refusal {
    fn from(error: IocError) -> Refusal {
        let is_missing = matches!(error, IocError::Missing(_));
        Refusal { message: error.to_string(), is_missing }
    }
}

fn hello(is_on_its_machine: bool) -> Hello {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    Hello {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        content: embedded::content_hash(),
        host_name: read("/proc/sys/kernel/hostname"),
        cores: usable_cores().len(),
        boot: if is_on_its_machine { read(BOOT_ID) } else { String::new() },
    }
}

fn started(
    name: &str,
    wanted: &crate::ioc::Wanted,
    servers_file: Option<&Path>,
) -> Result<Box<dyn Server>, Refusal> {
    let mut servers = Servers::built_in(Err(Missing("nobody asked for them".to_owned())));
    if let Some(file) = servers_file {
        servers.add_file(file).map_err(|error| refusal(error.to_string()))?;
    }
    let kind = servers.resolve(name, &[]).map_err(|error| refusal(error.to_string()))?;
    if kind.needs_python_site {
        servers = servers.with_site(PythonSite::install(|_| ()));
    }
    Ok(servers.start(&kind.name, wanted)?)
}

fn facts(server: &dyn Server) -> Facts {
    Facts {
        pid: server.pid(),
        versions: server.versions(),
        environments: [Lookup::Udp, Lookup::NameServer].map(|by| server.environment_by(by)),
        heard: server.ports().map(|ports| Heard {
            ca_repeater: ports.ca_repeater(),
            pva_beacons: ports.pva_beacons(),
        }),
    }
}

/// Asks a server, and answers with what it says.
fn asked(server: &mut dyn Server, call: Call) -> Outcome {
    match call {
        Call::Tick => value(&server.tick()?),
        Call::StartScanning(rate_hz) => value(&server.start_scanning(rate_hz)?),
        Call::StartMixedScanning(rates) => value(&server.start_mixed_scanning(rates)?),
        Call::StopScanning => value(&server.stop_scanning()?),
        Call::ExpectedValues { pvs } => {
            value(&(0..pvs).map(|pv| server.expected_value(pv)).collect::<Vec<f64>>())
        }
        Call::Processed => value(&server.processed()?),
        Call::StoredValue(pv) => value(&server.stored_value(pv)?),
        Call::FrameCount => value(&server.frame_count()?),
        Call::Counted => value(&server.counted()?),
        Call::SubscriptionsTo(pvs) => value(&server.subscriptions_to(&pvs)?),
        Call::Command(command) => value(&server.command(&command)?),
        Call::Check => value(&server.check()?),
        Call::Pause => {
            server.pause();
            value(&())
        }
        Call::Resume => {
            server.resume();
            value(&())
        }
        Call::Channels => value(&server.channels()?),
        Call::Crash => {
            server.crash();
            value(&())
        }
        Call::Restart(without) => value(&server.restart(without)?),
        Call::ReserveSparePorts => value(&server.reserve_spare_ports()?),
        Call::MoveToSparePorts => value(&server.move_to_spare_ports()?),
        Call::RestartRetyped(pv) => value(&server.restart_retyped(pv)?),
        Call::Facts => value(&facts(server)),
        Call::Stop => Err(refusal("a server is stopped by its number".to_owned())),
    }
}
