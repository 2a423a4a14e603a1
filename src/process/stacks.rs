//! Several hosts on one machine: a network namespace for each, with an address of its own, on a
//! bridge without a way out. This process, with all that it starts by itself, is one of them.
//!
//! As for a link, a process enters them before anything else, in a command that was executed
//! for that: user namespaces can be entered only while there is a single thread.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::Command;

/// In the environment of a command that is to enter namespaces: the hosts, as JSON.
const VARIABLE: &str = "EPICS_GAUGE_STACKS";

/// The namespaces of this process.
static ENTERED: OnceLock<Entered> = OnceLock::new();

/// A host that is to be a network namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stack {
    /// The host's name.
    pub name: String,
    /// Its only address beside loopback.
    pub address: Ipv4Addr,
    /// Whether this process is to be there.
    pub is_own: bool,
}

/// What this process has made.
#[derive(Debug)]
struct Entered {
    hosts: Vec<(String, OwnedFd)>,
    /// The namespace of the bridge, which holds no process: it would be gone without this, and
    /// the devices of all hosts with it.
    _fabric: OwnedFd,
}

/// Executes this command once more, so that it makes these hosts and enters its own; returns at
/// once in the command that was executed so, or with the error that kept it from being executed.
///
/// # Errors
/// When this program cannot be executed.
pub fn again_in_stacks(stacks: &[Stack]) -> io::Result<()> {
    if std::env::var_os(VARIABLE).is_some() {
        return Ok(());
    }
    let program = std::env::current_exe()?;
    let arguments = std::env::args_os().skip(1);
    let stacks = serde_json::to_string(stacks)?;
    Err(std::process::Command::new(program).args(arguments).env(VARIABLE, stacks).exec())
}

/// Makes the hosts and enters one, if this command was executed to do that; to be called before
/// any thread is started.
///
/// # Errors
/// Why there can be none.
pub fn enter_stacks() -> Result<(), String> {
    let Some(stacks) = std::env::var_os(VARIABLE) else { return Ok(()) };
    let stacks = serde_json::from_str::<Vec<Stack>>(&stacks.to_string_lossy());
    enter(&stacks.map_err(|error| format!("{VARIABLE}: {error}"))?)
}

/// The command, run on the host `name`; none where this process has made no such host.
pub fn on_stack(name: &str, command: Command) -> Option<Command> {
    let (_, namespace) = ENTERED.get()?.hosts.iter().find(|(host, _)| host == name)?;
    Some(command.in_network(namespace))
}

#[cfg(not(target_os = "linux"))]
fn enter(_stacks: &[Stack]) -> Result<(), String> {
    Err("this system has no network namespaces".to_owned())
}

#[cfg(target_os = "linux")]
fn enter(stacks: &[Stack]) -> Result<(), String> {
    use super::link::{raise_loopback, unshare_network};
    unshare_network()?;
    let loopback = || raise_loopback().map_err(|error| format!("loopback of a namespace: {error}"));
    loopback()?;
    ip(None, &["link", "add", BRIDGE, "type", "bridge"])?;
    ip(None, &["link", "set", BRIDGE, "up"])?;
    let fabric = own_namespace()?;
    let mut hosts = Vec::new();
    for (number, stack) in stacks.iter().enumerate() {
        unshare_alone()?;
        loopback()?;
        let namespace = own_namespace()?;
        set_namespace(&fabric)?;
        connect(&namespace, number, stack, stacks)?;
        hosts.push((stack.name.clone(), namespace));
    }
    if let Some(own) = stacks.iter().position(|stack| stack.is_own) {
        set_namespace(&hosts[own].1)?;
    }
    let _ = ENTERED.set(Entered { hosts, _fabric: fabric });
    Ok(())
}

/// The bridge between all hosts.
#[cfg(target_os = "linux")]
const BRIDGE: &str = "bridge0";

/// The device of each host.
#[cfg(target_os = "linux")]
const DEVICE: &str = "eth0";

/// Joins the namespace of a host to the bridge, which is in that of this thread, and gives it
/// a way to each other host, and nowhere else.
#[cfg(target_os = "linux")]
fn connect(namespace: &OwnedFd, number: usize, stack: &Stack, all: &[Stack]) -> Result<(), String> {
    let port = format!("port{number}");
    let this_process = std::process::id().to_string();
    let own = format!("{}/32", stack.address);
    let pair = ["type", "veth", "peer", "name", &port, "netns", &this_process];
    ip(Some(namespace), &[&["link", "add", DEVICE], &pair[..]].concat())?;
    ip(None, &["link", "set", &port, "master", BRIDGE, "up"])?;
    ip(Some(namespace), &["address", "add", &own, "dev", DEVICE])?;
    ip(Some(namespace), &["link", "set", DEVICE, "up"])?;
    for other in all.iter().filter(|other| other.address != stack.address) {
        let to = format!("{}/32", other.address);
        let from = stack.address.to_string();
        ip(Some(namespace), &["route", "add", &to, "dev", DEVICE, "src", &from])?;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn unshare_alone() -> Result<(), String> {
    super::link::unshare(libc::CLONE_NEWNET)
        .map_err(|error| format!("another network namespace: {error}"))
}

#[cfg(target_os = "linux")]
fn own_namespace() -> Result<OwnedFd, String> {
    let path = "/proc/thread-self/ns/net";
    std::fs::File::open(path).map(OwnedFd::from).map_err(|error| format!("{path}: {error}"))
}

#[cfg(target_os = "linux")]
fn set_namespace(namespace: &OwnedFd) -> Result<(), String> {
    enter_by_number(std::os::fd::AsRawFd::as_raw_fd(namespace))
        .map_err(|error| format!("a network namespace: {error}"))
}

#[cfg(target_os = "linux")]
fn enter_by_number(namespace: std::os::fd::RawFd) -> io::Result<()> {
    // SAFETY: takes two numbers; the descriptor is open.
    match unsafe { libc::setns(namespace, libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Runs `ip`, in a namespace or in that of this thread. It ends within milliseconds, and there
/// is no thread yet that could watch it.
#[cfg(target_os = "linux")]
fn ip(namespace: Option<&OwnedFd>, arguments: &[&str]) -> Result<(), String> {
    let mut command = std::process::Command::new("ip");
    command.args(arguments);
    if let Some(namespace) = namespace {
        let namespace = std::os::fd::AsRawFd::as_raw_fd(namespace);
        // SAFETY: between fork and exec only setns is called, which is async-signal-safe.
        unsafe { command.pre_exec(move || enter_by_number(namespace)) };
    }
    let line = || format!("`ip {}`", arguments.join(" "));
    match command.output() {
        Err(error) => Err(format!("{}: {error}; install iproute2", line())),
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            Err(format!("{}: {}", line(), String::from_utf8_lossy(&output.stderr).trim()))
        }
    }
}
