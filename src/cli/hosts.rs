//! `hosts check`, the agent, and the host of the servers of a run.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use epics_gauge::hosts::{
    self, Host, HostChecked, HostError, Hosts, ServerHost, check_host, enter_namespaces_for,
};
use epics_gauge::ioc::{Servers, StartsServers};
use epics_gauge::measure::PlannedConfiguration;
use epics_gauge::process::stacks;
use epics_gauge::record::{HostClock, ServerHostFacts};

use super::arguments::{AgentArguments, HostsArguments, HostsCheckArguments, HostsSubcommand};
use super::exit::Exit;
use super::stdout::print;
use super::{Failure, interrupt};

/// Makes the hosts of a command that was executed for that; to be called before any thread is
/// started. Without them its figures would be those of another arrangement, so it ends.
pub(super) fn enter_namespaces() -> Result<(), ExitCode> {
    stacks::enter_stacks().map_err(|reason| {
        eprintln!(
            "epics-gauge: cannot make hosts of network namespaces here: {reason}; run it as root, \
             or name another launcher than `netns` (docs/hosts.md)"
        );
        Exit::CouldNotMeasure.into()
    })
}

/// Carries out orders until stdin ends.
pub(super) fn agent(arguments: &AgentArguments) -> ExitCode {
    if let Err(error) = interrupt::listen() {
        eprintln!("epics-gauge agent: {error}");
        return Exit::CouldNotMeasure.into();
    }
    hosts::serve(Duration::from_millis(arguments.clocks_ahead_ms))
}

/// `hosts …`.
pub(super) fn run(arguments: &HostsArguments) -> Result<Exit, Failure> {
    let HostsSubcommand::Check(check) = &arguments.subcommand;
    let hosts = Hosts::read(&check.file).map_err(Failure::usage)?;
    if check.dry_run {
        let lines: Result<String, Failure> = hosts.host.iter().map(command_line).collect();
        return print(&lines?).map(|()| Exit::Good);
    }
    enter_namespaces_for(&hosts).map_err(Failure::usage)?;
    check_all(check, &hosts)
}

fn command_line(host: &Host) -> Result<String, Failure> {
    let command = host.agent_command().map_err(Failure::unmeasured)?;
    let words = command.map_or("this process".to_owned(), |command| command.described());
    Ok(format!("{} {}: {words}\n", host.name, host.address))
}

fn check_all(arguments: &HostsCheckArguments, hosts: &Hosts) -> Result<Exit, Failure> {
    interrupt::listen().map_err(Failure::unmeasured)?;
    let mut exit = Exit::Good;
    let (here, elsewhere): (Vec<&Host>, Vec<&Host>) =
        hosts.host.iter().partition(|host| host.launcher == hosts::Launcher::Here);
    if elsewhere.is_empty() {
        return Err(Failure::usage(format!(
            "{}: every host has the launcher `here`, so there is nothing to check; give the other \
             one a launcher such as `ssh`",
            arguments.file.display()
        )));
    }
    for host in here.iter().filter(|_| !arguments.json) {
        print(&format!("{}: this process\n", host.name))?;
    }
    for host in elsewhere {
        let checked = check_host(host);
        if checked.is_err() {
            exit = Exit::CouldNotMeasure;
        }
        print(&if arguments.json { json(host, &checked) } else { text(host, &checked) })?;
    }
    Ok(exit)
}

fn text(host: &Host, checked: &Result<HostChecked, HostError>) -> String {
    match checked {
        Err(error) => format!("{}: {error}\n", host.name),
        Ok(HostChecked { hello, clocks, network, is_on_this_machine }) => {
            let mut text =
                format!("{}: epics-gauge {}, {} cores", host.name, hello.version, hello.cores);
            let _ = match is_on_this_machine {
                true => write!(text, ", clocks of this machine"),
                false => write!(
                    text,
                    ", clock {:+.3} ms ± {:.3} ms",
                    clocks.day.offset_ns as f64 / 1e6,
                    clocks.day.bound_ns as f64 / 1e6
                ),
            };
            let _ = writeln!(
                text,
                ", agent {:.3} ms, TCP {:.3} ms and {:.0} MB/s",
                clocks.round_trip_ns as f64 / 1e6,
                network.round_trip_ns as f64 / 1e6,
                network.bytes_per_s / 1e6
            );
            text
        }
    }
}

fn json(host: &Host, checked: &Result<HostChecked, HostError>) -> String {
    let outcome = match checked {
        Ok(checked) => serde_json::json!({ "host": host.name, "checked": checked }),
        Err(error) => serde_json::json!({ "host": host.name, "error": error.to_string() }),
    };
    format!("{outcome}\n")
}

/// Reads the file of hosts of a run, and refuses scenarios that need their servers on this host.
pub(super) fn read<'a>(
    file: Option<&Path>,
    planned: impl IntoIterator<Item = &'a PlannedConfiguration>,
) -> Result<Option<Hosts>, Failure> {
    let Some(file) = file else { return Ok(None) };
    let hosts = Hosts::read(file).map_err(Failure::usage)?;
    let needs_loopback =
        |one: &PlannedConfiguration| one.many_iocs.is_some() || one.fault.is_some();
    match planned.into_iter().find(|one| needs_loopback(one)) {
        Some(one) => Err(Failure::usage(format!(
            "the scenario {} runs on one host only; name scenarios that run between hosts: \
             connect, waveform, scalars, recovery, scale",
            one.scenario
        ))),
        None => Ok(Some(hosts)),
    }
}

/// Makes this process one of several namespaces, where the file asks for that. What is to be
/// fetched is fetched before.
pub(super) fn enter_for(hosts: Option<&Hosts>) -> Result<(), Failure> {
    hosts.map_or(Ok(()), |hosts| enter_namespaces_for(hosts).map_err(Failure::usage))
}

/// Starts the agent of the servers' host.
pub(super) fn server_host(
    hosts: Option<&Hosts>,
    servers_file: Option<&Path>,
) -> Result<Option<Arc<ServerHost>>, Failure> {
    let Some(hosts) = hosts else { return Ok(None) };
    let servers_file =
        servers_file.map(|file| std::path::absolute(file).unwrap_or(file.to_owned()));
    match hosts::server_host(hosts, servers_file) {
        Ok(host) => Ok(Some(Arc::new(host))),
        Err(HostError::Interrupted) => Err(Failure::interrupted()),
        Err(error) => Err(Failure::unmeasured(error)),
    }
}

/// What the record of a run has of the servers' host.
pub(super) fn facts(host: Option<&Arc<ServerHost>>) -> Result<Option<ServerHostFacts>, Failure> {
    host.map(|host| host.facts()).transpose().map_err(Failure::unmeasured)
}

/// The same servers, started on that host.
pub(super) fn started_there(servers: Servers, host: Option<&Arc<ServerHost>>) -> Servers {
    match host {
        Some(host) => servers.started_by(Arc::clone(host) as Arc<dyn StartsServers>),
        None => servers,
    }
}

/// Its clock after a run. One that has failed has none, and what was measured is kept.
pub(super) fn clock(host: Option<&Arc<ServerHost>>) -> Option<HostClock> {
    host.and_then(|host| host.clock().ok())
}
