//! Two network namespaces without a way out: this process's own, with the servers that it
//! starts, and that of clients; with an end of a tunnel in each.
//!
//! A process can enter them only while it has a single thread, and has no way to the network
//! from there. So a command first fetches what it needs, and then executes itself once more,
//! to enter them before anything else.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::sync::OnceLock;

use super::orders::Carrier;
#[cfg(target_os = "linux")]
use super::tunnel::{open_end, raise_loopback};
use crate::process::Command;

/// In the environment of a command that is to enter namespaces.
const VARIABLE: &str = "EPICS_GAUGE_IN_NAMESPACES";

/// The namespaces of this process.
static ENTERED: OnceLock<Namespaces> = OnceLock::new();

/// The two namespaces.
#[derive(Debug)]
pub(super) struct Namespaces {
    clients: OwnedFd,
    clients_end: OwnedFd,
    servers_end: OwnedFd,
}

impl Namespaces {
    /// What carries packets between them.
    pub(super) fn carrier(&self) -> Carrier {
        Carrier::Tunnel { server: raw(&self.servers_end), client: raw(&self.clients_end) }
    }

    /// The command of a client.
    pub(super) fn for_a_client(&'static self, command: Command) -> Command {
        command.in_network(&self.clients)
    }

    /// The command of the link: on the clients' side, where it is their repeater.
    pub(super) fn for_the_link(&'static self, command: Command) -> Command {
        command.in_network(&self.clients).inherits(&self.clients_end).inherits(&self.servers_end)
    }
}

fn raw(descriptor: &OwnedFd) -> RawFd {
    descriptor.as_raw_fd()
}

/// The namespaces that this process has entered.
pub(super) fn entered() -> Option<&'static Namespaces> {
    ENTERED.get()
}

/// Moves the calling thread to where clients are.
#[cfg(target_os = "linux")]
pub(super) fn move_this_thread_to_clients() -> io::Result<()> {
    let namespaces = entered().ok_or(io::ErrorKind::NotFound)?;
    // SAFETY: takes two numbers; the descriptor is open.
    match unsafe { libc::setns(raw(&namespaces.clients), libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Moves the calling thread to where clients are.
#[cfg(not(target_os = "linux"))]
pub(super) fn move_this_thread_to_clients() -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether this process has entered namespaces.
pub fn is_in_namespaces() -> bool {
    entered().is_some()
}

/// Executes this command once more, so that it enters namespaces; returns at once in the
/// command that was executed so, or with the error that kept it from being executed.
///
/// # Errors
/// When this program cannot be executed.
pub fn again_in_namespaces() -> io::Result<()> {
    if std::env::var_os(VARIABLE).is_some() {
        return Ok(());
    }
    let program = std::env::current_exe()?;
    let arguments = std::env::args_os().skip(1);
    Err(std::process::Command::new(program).args(arguments).env(VARIABLE, "1").exec())
}

/// Enters namespaces, if this command was executed to do that; to be called before any
/// thread is started.
///
/// # Errors
/// Why there can be none; this process goes on then, on loopback.
pub fn enter_namespaces() -> Result<(), String> {
    match std::env::var_os(VARIABLE) {
        Some(asked) if asked == OsStr::new("1") => enter(),
        _ => Ok(()),
    }
}

#[cfg(target_os = "linux")]
fn enter() -> Result<(), String> {
    open_and_close_tunnel_device()?;
    unshare_network()?;
    // Loopback works from here on, whatever fails.
    raise_loopback().map_err(|error| format!("loopback of a namespace: {error}"))?;
    let clients_end = open_end().map_err(|error| format!("the clients' end: {error}"))?;
    let clients = std::fs::File::open("/proc/self/ns/net")
        .map_err(|error| format!("/proc/self/ns/net: {error}"))?;
    unshare(libc::CLONE_NEWNET).map_err(|error| format!("a second namespace: {error}"))?;
    raise_loopback().map_err(|error| format!("loopback of a namespace: {error}"))?;
    let servers_end = open_end().map_err(|error| format!("the server's end: {error}"))?;
    let _ = ENTERED.set(Namespaces { clients: clients.into(), clients_end, servers_end });
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn enter() -> Result<(), String> {
    Err("this system has no network namespaces".to_owned())
}

/// Tried before anything is entered that cannot be left.
#[cfg(target_os = "linux")]
fn open_and_close_tunnel_device() -> Result<(), String> {
    let device = super::tunnel::DEVICE;
    let opened = std::fs::OpenOptions::new().read(true).write(true).open(device);
    opened.map(drop).map_err(|error| format!("{device}: {error}"))
}

/// With a user namespace where this user may not make a network namespace alone.
#[cfg(target_os = "linux")]
pub(in crate::process) fn unshare_network() -> Result<(), String> {
    if unshare(libc::CLONE_NEWNET).is_ok() {
        return Ok(());
    }
    // SAFETY: these only read numbers of this process.
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET)
        .map_err(|error| format!("a network namespace: {error}"))?;
    let map = |file: &str, text: &str| {
        std::fs::write(format!("/proc/self/{file}"), text)
            .map_err(|error| format!("/proc/self/{file}: {error}"))
    };
    map("setgroups", "deny")?;
    map("uid_map", &format!("{user} {user} 1"))?;
    map("gid_map", &format!("{group} {group} 1"))
}

#[cfg(target_os = "linux")]
pub(in crate::process) fn unshare(flags: libc::c_int) -> io::Result<()> {
    // SAFETY: takes a number.
    match unsafe { libc::unshare(flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
