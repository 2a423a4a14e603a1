//! What an IOC is to hold, and starting it.

use std::path::PathBuf;
use std::time::Duration;

use super::scan_menu::check_rate;
use super::shell::Shell;
use super::start_up::{AFTER_INIT, DEFINITION, Definition, Records, START_UP, StartUp};
use super::{IocError, Place, SoftIoc};
use crate::embedded;
use crate::missing::Missing;
use crate::process::{ArrayLimit, Command, Deadline, ProcessError, server_environment};

/// The most PVs that one IOC is given. Base keeps names in 512 lists, which it
/// searches one by one: loading 200 000 takes 7 s, a million over half a minute.
/// Indices must stay below [`PVS_WITH_INDEX`] in any case.
pub const MAX_PVS: usize = 200_000;

/// How many PVs `gauge:0`, `gauge:1`, … there can be, on however many IOCs: the
/// index is in the low 20 bits of a PV's value, see [`SoftIoc::expected_value`].
pub const PVS_WITH_INDEX: usize = 1 << 20;

/// The most pixels of a frame, 1 GiB: Channel Access counts bytes in 32 bits, and
/// some clients in signed ones.
pub const MAX_FRAME_PIXELS: u64 = 1 << 29;

/// The least: its number takes two.
const MIN_FRAME_PIXELS: u64 = 2;

/// How long an IOC without records may take until it serves.
const START_DEADLINE: Duration = Duration::from_secs(30);

/// Says what an IOC holds; [`Builder::start`] starts it.
#[derive(Debug, Clone)]
#[must_use = "an IOC runs when `start` is called"]
pub struct Builder {
    pub(super) start_up: StartUp,
    frame_size: Option<(u32, u32)>,
    max_array_bytes: Option<u64>,
    deadline: Option<Duration>,
    program: Option<PathBuf>,
    cores: Vec<usize>,
}

impl Builder {
    pub(super) fn new() -> Builder {
        Builder {
            start_up: StartUp::default(),
            frame_size: None,
            max_array_bytes: None,
            deadline: None,
            program: None,
            cores: Vec::new(),
        }
    }

    /// Adds `count` calc records `gauge:0`, `gauge:1`, … whose values tell their
    /// index and how often they were processed: [`SoftIoc::expected_value`].
    pub fn pvs(mut self, count: usize) -> Builder {
        self.start_up.pvs = count;
        self
    }

    /// Has the records of [`Builder::pvs`] begin with `gauge:first`, so that several
    /// IOCs share one range of names.
    pub fn first_pv(mut self, first: usize) -> Builder {
        self.start_up.first_pv = first;
        self
    }

    /// Scans those calc records `rate_hz` times per second, instead of only by
    /// [`SoftIoc::tick`]. Rates are those of the IOC's scan menu: 0.1, 0.2, 0.5,
    /// 1, 2, 5, 10, 20, 30, 50, 60, 100, 120, 200, 250, 500 and 1000 Hz.
    pub fn rate_hz(mut self, rate_hz: f64) -> Builder {
        self.start_up.rate_hz = Some(rate_hz);
        self
    }

    /// Adds the waveform record `gauge:frame`, a camera of `width` x `height`
    /// pixels of 16 bit: [`crate::frame`]. It holds frame 0 until
    /// [`SoftIoc::start_scanning`]. Channel Access shows it as `DBR_SHORT`.
    pub fn frames(mut self, width: u32, height: u32) -> Builder {
        self.frame_size = Some((width, height));
        self.start_up.frame_pixels = Some(u64::from(width) * u64::from(height));
        self
    }

    /// Announces a rate to [`SoftIoc::start_scanning`]. Base wakes a thread for
    /// each rate over 10 Hz, so an IOC has those only that are announced or named
    /// by its records.
    pub fn may_scan_at(mut self, rate_hz: f64) -> Builder {
        self.start_up.may_scan_hz.push(rate_hz);
        self
    }

    /// Sets the array limit of the IOC and, by [`SoftIoc::client_environment`],
    /// of its clients, and has none exceed it: `EPICS_CA_MAX_ARRAY_BYTES` with
    /// `EPICS_CA_AUTO_ARRAY_BYTES=NO`. Base means the array with what a DBR type
    /// puts before it, without the header, and takes at least 16 KiB.
    ///
    /// Unless set, the limit is 16 MiB, or what a message with a frame takes
    /// where that is more, and Base may grow its buffers beyond.
    pub fn max_array_bytes(mut self, bytes: u64) -> Builder {
        self.max_array_bytes = Some(bytes);
        self
    }

    /// Loads the template `file` once for each set of macros.
    pub fn template(
        mut self,
        file: impl Into<PathBuf>,
        instances: impl IntoIterator<Item = Vec<(String, String)>>,
    ) -> Builder {
        let instances = instances.into_iter().collect();
        self.start_up.records.push(Records::Template { file: file.into(), instances });
        self
    }

    /// Loads records given as database text, with macros `$(NAME)`. Of the scan
    /// rates over 10 Hz the IOC has those that records and commands name.
    pub fn db(mut self, text: impl Into<String>, macros: &[(&str, &str)]) -> Builder {
        self.start_up.records.push(Records::Text { text: text.into(), macros: owned(macros) });
        self
    }

    /// Loads a database file, with macros `$(NAME)`.
    pub fn db_file(mut self, file: impl Into<PathBuf>, macros: &[(&str, &str)]) -> Builder {
        self.start_up.records.push(Records::File { file: file.into(), macros: owned(macros) });
        self
    }

    /// Runs a shell command after the records are loaded, before `iocInit`.
    pub fn command_before_init(mut self, command: impl Into<String>) -> Builder {
        self.start_up.before_init.push(command.into());
        self
    }

    /// Runs a shell command as soon as the IOC serves.
    pub fn command_after_init(mut self, command: impl Into<String>) -> Builder {
        self.start_up.after_init.push(command.into());
        self
    }

    /// How long the IOC may take until it serves; 30 s unless set, and 0.2 ms
    /// more for each PV.
    pub fn deadline(mut self, deadline: Duration) -> Builder {
        self.deadline = Some(deadline);
        self
    }

    /// Serves the same records over pvAccess too, with pvxs in the IOC.
    pub fn pv_access(mut self) -> Builder {
        self.start_up.has_pv_access = true;
        self
    }

    /// Keeps the IOC on these processor cores, where the system can; on all when
    /// empty.
    pub fn cores(mut self, cores: &[usize]) -> Builder {
        self.cores = cores.to_vec();
        self
    }

    /// Runs another `softIoc` than the one that this crate was built with.
    pub fn program(mut self, program: impl Into<PathBuf>) -> Builder {
        self.program = Some(program.into());
        self
    }

    /// Takes another database definition than that of this crate.
    #[cfg(feature = "cli")]
    pub(super) fn definition(mut self, definition: Definition) -> Builder {
        self.start_up.definition = definition;
        self
    }

    /// Starts the IOC; blocks until it serves, proved by finding a PV of its own
    /// over the network.
    ///
    /// # Errors
    /// [`IocError`], with the command and everything the IOC printed, when it
    /// does not serve within the deadline, refuses a record or a command, or
    /// does not get its ports.
    pub fn start(&self) -> Result<SoftIoc, IocError> {
        self.check()?;
        let place = Place::take()?;
        let mut shell = self.start_in(&place, None)?;
        let base =
            shell.run_all(&["coreRelease".to_owned()])?.iter().find_map(|told| release(told));
        Ok(SoftIoc::new(shell, place, self.clone(), base))
    }

    /// Starts the IOC in a place that it has, without the calc record of index
    /// `missing`.
    pub(super) fn start_in(
        &self,
        place: &Place,
        missing: Option<usize>,
    ) -> Result<Shell, IocError> {
        let deadline =
            Deadline::after(self.deadline.unwrap_or_else(|| usual_deadline(self.start_up.pvs)));
        self.start_up.write(place, missing)?;
        let mut shell = Shell::start(&self.command(place)?, START_UP, &deadline)?;
        place.prove(&mut shell, &deadline)?;
        if self.start_up.has_pv_access {
            place.prove_pv_access(&mut shell, &deadline)?;
        }
        if !self.start_up.after_init.is_empty() {
            shell.run_script(AFTER_INIT, &deadline, "run the commands after iocInit")?;
        }
        Ok(shell)
    }

    fn command(&self, place: &Place) -> Result<Command, IocError> {
        let program = match &self.program {
            Some(program) => program.clone(),
            None if self.start_up.has_pv_access => embedded::tool("softIocPvx")?,
            None => embedded::tool("softIoc")?,
        };
        let command = match self.start_up.definition {
            Definition::OfProgram => Command::new(program),
            _ => Command::new(program).argument("-D").argument(DEFINITION),
        };
        Ok(command
            .cores(&self.cores)
            .folder(place.folder.path())
            .removed_with_harness(place.folder.path())
            .environment(server_environment(&place.ports, self.array_limit()))
            .environment(Shell::environment()))
    }

    pub(super) fn array_limit(&self) -> ArrayLimit {
        match self.max_array_bytes {
            Some(bytes) => ArrayLimit::Exactly(bytes),
            None => ArrayLimit::RoomFor(self.start_up.largest_message_bytes()),
        }
    }

    /// [`Builder::start`] for async code: starts on a thread of tokio's blocking
    /// pool.
    ///
    /// # Errors
    /// The same.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn start_async(&self) -> Result<SoftIoc, IocError> {
        let builder = self.clone();
        match tokio::task::spawn_blocking(move || builder.start()).await {
            Ok(started) => started,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime shuts down, and cancels what it had not begun.
                Err(_) => Err(ProcessError::Interrupted.into()),
            },
        }
    }

    fn check(&self) -> Result<(), IocError> {
        if self.start_up.has_pv_access {
            crate::PV_ACCESS.map_err(|why| Missing(why.to_owned()))?;
        }
        if self.start_up.pvs > MAX_PVS {
            let asked = self.start_up.pvs;
            return Err(IocError::InvalidRequest(format!(
                "{asked} PVs are more than one IOC is given; ask for at most {MAX_PVS}"
            )));
        }
        let end = self.start_up.indices().end;
        if end > PVS_WITH_INDEX {
            return Err(IocError::InvalidRequest(format!(
                "there is no gauge:{}: indices are below {PVS_WITH_INDEX}",
                end - 1
            )));
        }
        let rates = self.start_up.rate_hz.iter().chain(&self.start_up.may_scan_hz);
        rates.copied().try_for_each(check_rate)?;
        match (self.frame_size, self.start_up.frame_pixels) {
            (None, _) | (_, Some(MIN_FRAME_PIXELS..=MAX_FRAME_PIXELS)) => Ok(()),
            (Some((width, height)), _) => Err(IocError::InvalidRequest(format!(
                "a frame of {width} x {height} pixels cannot be; ask for {MIN_FRAME_PIXELS} to \
                 {MAX_FRAME_PIXELS} pixels"
            ))),
        }
    }
}

/// The release in the answer to `coreRelease`, such as `## EPICS R7.0.8`.
fn release(told: &str) -> Option<String> {
    let release = told.lines().find_map(|line| line.strip_prefix("## EPICS "))?;
    Some(release.trim().trim_start_matches('R').to_owned())
}

fn usual_deadline(pvs: usize) -> Duration {
    START_DEADLINE + Duration::from_micros(200) * u32::try_from(pvs).unwrap_or(u32::MAX)
}

fn owned(macros: &[(&str, &str)]) -> Vec<(String, String)> {
    macros.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
