//! The IOC that the command runs: a softIoc with its shell, or another server.

use epics_gauge::ioc::{
    Builder, IocError, LogLine, Restart, Server, ServerKind, Servers, SoftIoc, Wanted,
};
use epics_gauge::lookup::Lookup;
use epics_gauge::process::ProcessError;
use epics_gauge::protocol::Protocol;

use crate::cli::Failure;
use crate::cli::arguments::IocArguments;
use crate::cli::progress::python_site;

pub(super) struct Fixture {
    server: Kind,
    protocols: Vec<Protocol>,
}

enum Kind {
    SoftIoc(Box<SoftIoc>),
    Other(String, Box<dyn Server>),
}

impl Fixture {
    /// Starts what the arguments ask for; blocks until it serves.
    pub(super) fn start(arguments: &IocArguments, servers: &Servers) -> Result<Fixture, Failure> {
        let Some(kind) = servers.get(&arguments.server) else {
            let known: Vec<&str> = servers.all().iter().map(|kind| kind.name.as_str()).collect();
            let (asked, known) = (&arguments.server, known.join(", "));
            return Err(Failure::usage(format!("unknown server `{asked}`; there are: {known}")));
        };
        if kind.has_shell {
            let ioc = soft_ioc(arguments, kind).start().map_err(failure)?;
            let server = Kind::SoftIoc(Box::new(ioc));
            return Ok(Fixture { server, protocols: kind.protocols.clone() });
        }
        if let Some(option) = arguments.option_of_a_soft_ioc() {
            return Err(Failure::usage(format!(
                "the server {} has no start-up script and loads no database; {option} is for \
                 softioc and softioc-pva",
                kind.name
            )));
        }
        let wanted = Wanted { pvs: arguments.pvs, rate_hz: arguments.rate, ..Wanted::default() };
        let servers = servers.clone().with_site(python_site());
        let mut server = servers.start(&kind.name, &wanted).map_err(failure)?;
        if let Some(rate_hz) = arguments.rate {
            server.start_scanning(rate_hz).map_err(failure)?;
        }
        let server = Kind::Other(kind.name.clone(), server);
        Ok(Fixture { server, protocols: kind.protocols.clone() })
    }

    pub(super) fn pid(&self) -> u32 {
        match &self.server {
            Kind::SoftIoc(ioc) => ioc.pid(),
            Kind::Other(_, server) => server.pid(),
        }
    }

    pub(super) fn serves(&self, protocol: Protocol) -> bool {
        self.protocols.contains(&protocol)
    }

    pub(super) fn has_shell(&self) -> bool {
        matches!(self.server, Kind::SoftIoc(_))
    }

    pub(super) fn environment(&self, lookup: Lookup) -> Vec<(String, String)> {
        match &self.server {
            Kind::SoftIoc(ioc) => Server::environment_by(&**ioc, lookup),
            Kind::Other(_, server) => server.environment_by(lookup),
        }
    }

    /// The release of EPICS Base, and the private folder, of a softIoc.
    pub(super) fn soft_ioc(&self) -> Option<&SoftIoc> {
        match &self.server {
            Kind::SoftIoc(ioc) => Some(ioc),
            Kind::Other(..) => None,
        }
    }

    pub(super) fn command(&mut self, command: &str) -> Result<String, IocError> {
        match &mut self.server {
            Kind::SoftIoc(ioc) => ioc.command(command),
            Kind::Other(name, _) => Err(IocError::InvalidRequest(format!(
                "the server {name} has no shell; softioc and softioc-pva have one"
            ))),
        }
    }

    /// What it printed since the last call; fails when it is dead.
    pub(super) fn new_log_lines(&mut self) -> Result<Vec<LogLine>, IocError> {
        match &mut self.server {
            Kind::SoftIoc(ioc) => ioc.new_log_lines(),
            Kind::Other(_, server) => server.check().map(|()| Vec::new()),
        }
    }

    /// Processes the calc records of `--pvs` once.
    pub(super) fn process(&mut self) -> Result<(), IocError> {
        match &mut self.server {
            Kind::SoftIoc(ioc) => ioc.tick(),
            Kind::Other(_, server) => server.tick(),
        }
    }

    pub(super) fn restart(&mut self, how: &Restart) -> Result<(), IocError> {
        match &mut self.server {
            Kind::SoftIoc(ioc) => ioc.restart_as(how),
            Kind::Other(_, server) if *how == Restart::new() => server.restart(None),
            Kind::Other(name, _) => Err(IocError::InvalidRequest(format!(
                "the server {name} can only be restarted on the same ports, without its values"
            ))),
        }
    }

    pub(super) fn stop(self) {
        match self.server {
            Kind::SoftIoc(ioc) => ioc.stop(),
            Kind::Other(_, server) => server.stop(),
        }
    }
}

fn soft_ioc(arguments: &IocArguments, kind: &ServerKind) -> Builder {
    let mut builder = SoftIoc::builder().pvs(arguments.pvs);
    if kind.protocols.contains(&Protocol::Pva) {
        builder = builder.pv_access();
    }
    if let Some(rate) = arguments.rate {
        builder = builder.rate_hz(rate);
    }
    for (file, macros) in &arguments.databases.files {
        builder = builder.db_file_with(file, macros);
    }
    if let Some(file) = &arguments.acf {
        builder = builder.access_security(file, &arguments.acf_macros);
    }
    if let Some(script) = &arguments.cmd {
        builder = builder.script(script);
    }
    if let Some(program) = &arguments.program {
        builder = builder.program(program);
    }
    if let Some(definition) = &arguments.dbd {
        builder = builder.dbd(definition);
    }
    for command in &arguments.before_init {
        builder = builder.command_before_init(command);
    }
    for command in &arguments.after_init {
        builder = builder.command_after_init(command);
    }
    builder
}

/// Why the IOC does not serve, with the exit code for it.
pub(super) fn failure(error: IocError) -> Failure {
    match error {
        IocError::InvalidRequest(_) | IocError::Refused { .. } => Failure::usage(error),
        IocError::Process(ProcessError::Interrupted) => Failure::interrupted(),
        _ => Failure::unmeasured(error),
    }
}
