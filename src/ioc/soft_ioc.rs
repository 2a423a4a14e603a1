//! A running softIoc.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::shell::{COMMAND_DEADLINE, Shell};
use super::{Builder, IocError, LogEvent, LogLine, Place};
use crate::lookup::Lookup;
use crate::process::{Deadline, Ports, client_environment_of};

/// The factor between the count of processings and the index in a PV's value.
const PROCESSED_FACTOR: f64 = 1_048_576.0;

/// A running, isolated IOC. Dropping it kills it and removes its directory.
#[derive(Debug)]
pub struct SoftIoc {
    // Fields are dropped in this order: the process must be gone before its
    // folder and its ports are.
    pub(super) shell: Shell,
    pub(super) place: Place,
    pub(super) builder: Builder,
    /// The release of EPICS Base that it says it is of.
    base: Option<String>,
    /// The calc record that a restart left out.
    pub(super) missing: Option<usize>,
    /// The rates at which records of this crate are scanned now.
    pub(super) scanning_hz: Vec<f64>,
    /// The rates at which records of this crate were scanned so far.
    pub(super) scanned_hz: Vec<f64>,
    /// How often scans, not ticks, processed each calc record, by index; empty
    /// before the first scan was stopped.
    pub(super) scanned: Vec<u64>,
    pub(super) ticks: u64,
}

impl SoftIoc {
    /// An IOC without records; see [`Builder`].
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(super) fn new(
        shell: Shell,
        place: Place,
        builder: Builder,
        base: Option<String>,
    ) -> SoftIoc {
        let rate_hz = builder.start_up.rate_hz;
        SoftIoc {
            shell,
            place,
            builder,
            base,
            missing: None,
            scanning_hz: rate_hz.into_iter().collect(),
            scanned_hz: rate_hz.into_iter().collect(),
            scanned: Vec::new(),
            ticks: 0,
        }
    }

    /// The process id of the IOC.
    pub fn pid(&self) -> u32 {
        self.shell.pid()
    }

    /// The release of EPICS Base that it is of, by its own word, such as `7.0.8`.
    pub fn base(&self) -> Option<&str> {
        self.base.as_deref()
    }

    /// The port of its CA server, UDP and TCP, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.place.ports.ca_server()
    }

    /// Its private directory, which is its working directory too.
    pub fn folder(&self) -> &Path {
        self.place.folder.path()
    }

    /// The environment in which a client finds this IOC and nothing else, over
    /// Channel Access with its array limit, and over pvAccess where it has that. The
    /// client searches over UDP.
    pub fn client_environment(&self) -> Vec<(String, String)> {
        self.environment_by(Lookup::Udp)
    }

    /// The same for a client that asks this IOC over TCP, as a name server, and sends
    /// nothing over UDP.
    ///
    /// A client that knows nothing of name servers may take an empty
    /// `EPICS_CA_ADDR_LIST` for none that was set, and broadcast: caproto 1.3 does.
    pub fn name_server_environment(&self) -> Vec<(String, String)> {
        self.environment_by(Lookup::NameServer)
    }

    /// One of the two.
    pub(super) fn environment_by(&self, lookup: Lookup) -> Vec<(String, String)> {
        let (arrays, reach) = (self.builder.array_limit(), self.builder.reach);
        let ports = std::iter::once(&self.place.ports).chain(&self.place.spare);
        client_environment_of(&ports.collect::<Vec<_>>(), lookup, arrays, reach)
    }

    /// The value of PV `gauge:index` after all ticks and scans so far: the index
    /// plus 2^20 times the count of processings. While the records are scanned it
    /// is the value before; it follows when [`SoftIoc::stop_scanning`] returns.
    pub fn expected_value(&self, index: usize) -> f64 {
        let place = index.checked_sub(self.builder.start_up.first_pv);
        let scanned = place.and_then(|place| self.scanned.get(place)).copied().unwrap_or(0);
        index as f64 + PROCESSED_FACTOR * (scanned + self.ticks) as f64
    }

    /// Processes all records of [`Builder::pvs`] once; blocks until every one
    /// has its new value.
    ///
    /// # Errors
    /// While they are scanned by rate, or when the IOC fails.
    pub fn tick(&mut self) -> Result<(), IocError> {
        if let Some(rate) = self.scanning_hz.first() {
            let message = format!("the records are scanned at {rate} Hz: no tick is needed");
            return Err(IocError::InvalidRequest(message));
        }
        self.command("dbpf epics-gauge:tick.PROC 1")?;
        self.ticks += 1;
        let deadline = Deadline::after(COMMAND_DEADLINE);
        while self.counted_ticks()? < self.ticks {
            if deadline.remaining().is_zero() {
                return Err(self.shell.timed_out(&deadline, "process all records"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn counted_ticks(&mut self) -> Result<u64, IocError> {
        Ok(self.field_value("epics-gauge:ticks")? as u64)
    }

    /// Reads a numeric field by the shell's `dbgf`, so without any network.
    ///
    /// # Errors
    /// When there is no such field or it is not a number.
    pub fn field_value(&mut self, field: &str) -> Result<f64, IocError> {
        let command = format!("dbgf {field}");
        let answer = self.command(&command)?;
        number_of(&command, &answer)
    }

    /// Runs one command in the IOC's shell and returns what it printed on
    /// stdout. What it printed on stderr is in [`SoftIoc::log`].
    ///
    /// # Errors
    /// When the IOC dies or does not finish the command within 30 s.
    pub fn command(&mut self, command: &str) -> Result<String, IocError> {
        self.shell.run(command)
    }

    /// The lines that the IOC has printed so far, the last 10 000 of them, without
    /// the answers to commands that this crate asks by the thousand. Lines that
    /// report overload carry the event.
    ///
    /// # Errors
    /// When the IOC is dead.
    pub fn log(&mut self) -> Result<&[LogLine], IocError> {
        Ok(self.shell.log()?.kept())
    }

    /// The lines of the log that no call has returned before; of more than 10 000
    /// the last.
    ///
    /// # Errors
    /// When the IOC is dead.
    pub fn new_log_lines(&mut self) -> Result<Vec<LogLine>, IocError> {
        Ok(self.shell.log()?.take_new())
    }

    /// How many lines in all have reported this event, including those that the
    /// log does not keep any more.
    ///
    /// # Errors
    /// When the IOC is dead.
    pub fn count_of(&mut self, event: LogEvent) -> Result<u64, IocError> {
        Ok(self.shell.log()?.count(event))
    }

    /// How many lines have reported each event, of those that were.
    ///
    /// # Errors
    /// When the IOC is dead.
    pub fn overloads(&mut self) -> Result<BTreeMap<LogEvent, u64>, IocError> {
        Ok(self.shell.log()?.counts())
    }

    /// Everything it printed, both streams; the last mebibyte.
    pub fn output(&self) -> String {
        self.shell.output()
    }

    /// Lets the IOC leave by itself; kills it after two seconds.
    pub fn stop(self) {
        self.shell.leave();
    }

    /// Kills the IOC at once, as a crash would: its circuits break without a word.
    /// Blocks until the process is gone. Its ports stay reserved and its folder
    /// stays; whatever asks it is an error until [`SoftIoc::restart`].
    pub fn crash(&mut self) {
        self.shell.kill();
    }

    /// Stops the process of the IOC in whatever it does (SIGSTOP), until
    /// [`SoftIoc::resume`]: a server that hangs. Its connections stay. Whatever asks its
    /// shell meanwhile runs into its deadline.
    pub fn pause(&self) {
        self.shell.pause();
    }

    /// Lets a paused IOC go on.
    pub fn resume(&self) {
        self.shell.resume();
    }

    /// Blocks until the IOC prints a line that no call has returned before, for `timeout` at
    /// most; none if it prints none.
    ///
    /// # Errors
    /// When the IOC is dead.
    pub fn next_log_line(&mut self, timeout: Duration) -> Result<Option<LogLine>, IocError> {
        self.shell.next_line(&Deadline::after(timeout))
    }

    /// The ports that it serves on.
    pub(super) fn ports(&self) -> &Ports {
        &self.place.ports
    }
}

/// The number in the answer to a `dbgf` command.
pub(super) fn number_of(command: &str, answer: &str) -> Result<f64, IocError> {
    // Another thread of the IOC may print in the middle of an answer.
    let shown = answer.lines().find(|line| line.starts_with("DBF_")).unwrap_or(answer);
    let number = shown.rsplit_once("= ").or_else(|| shown.rsplit_once(':'));
    number.and_then(|(_, number)| number.trim().parse().ok()).ok_or_else(|| {
        IocError::InvalidRequest(format!("`{command}` gave no number: {}", answer.trim()))
    })
}
