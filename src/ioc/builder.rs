//! What an IOC is to hold.

use std::path::PathBuf;
use std::time::Duration;

use super::records::{Records, absolute, macro_text};
use super::scan_menu::check_rate;
use super::start_up::StartUp;
use super::{IocError, Place, Pool, SoftIoc};
use crate::missing::Missing;
use crate::process::{ArrayLimit, Peers, ProcessError, Reach};

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

/// Says what an IOC holds; [`Builder::start`] starts it.
#[derive(Debug, Clone)]
#[must_use = "an IOC runs when `start` is called"]
pub struct Builder {
    pub(super) start_up: StartUp,
    pub(super) frame_size: Option<(u32, u32)>,
    pub(super) max_array_bytes: Option<u64>,
    pub(super) deadline: Option<Duration>,
    pub(super) program: Option<PathBuf>,
    pub(super) cores: Vec<usize>,
    /// Other IOCs that its links find.
    pub(super) peers: Peers,
    /// Which way its clients come.
    pub(super) reach: Reach,
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
            peers: Peers::default(),
            reach: Reach::default(),
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
    /// rates over 10 Hz the IOC has those that records, files that they include, macros and
    /// commands name.
    pub fn db(mut self, text: impl Into<String>, macros: &[(&str, &str)]) -> Builder {
        let macros = macro_text(macros);
        self.start_up.records.push(Records::Text { text: text.into(), macros });
        self
    }

    /// Loads a file with macros `$(NAME)`: by `dbLoadTemplate` if its name ends in
    /// `.substitutions`, `.subs` or `.sub`, else by `dbLoadRecords`. What it includes is
    /// looked for in its own folder, in those of `EPICS_DB_INCLUDE_PATH`, and in the working
    /// folder of this process.
    pub fn db_file(self, file: impl Into<PathBuf>, macros: &[(&str, &str)]) -> Builder {
        self.db_file_with(file, macro_text(macros))
    }

    /// The same with macros as macLib reads them, `P=t:,N="a,b"`, quotes and all.
    pub fn db_file_with(mut self, file: impl Into<PathBuf>, macros: impl Into<String>) -> Builder {
        self.start_up.records.push(Records::File { file: file.into(), macros: macros.into() });
        self
    }

    /// Has access security follow the rules of a file, with macros as macLib reads them.
    pub fn access_security(
        mut self,
        file: impl Into<PathBuf>,
        macros: impl Into<String>,
    ) -> Builder {
        self.start_up.access_security = Some((file.into(), macros.into()));
        self
    }

    /// Runs a start-up script of the user's own as it is, in its own folder, as
    /// `cd FOLDER; PROGRAM SCRIPT` would: it may load its database definition, register,
    /// set its prompt and call `iocInit`, which is called after it if it does not. Its
    /// program is the one of its first line (`#!`), or of [`Builder::program`], else the
    /// softIoc of this crate.
    ///
    /// Everything that is loaded before `iocInit` belongs into the script then:
    /// [`Builder::start`] refuses records and commands before `iocInit` beside it. Errors of
    /// the script are in [`SoftIoc::log`]; they do not end it.
    pub fn script(mut self, script: impl Into<PathBuf>) -> Builder {
        self.start_up.script = Some(script.into());
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

    /// Has clients reach the IOC this way.
    #[cfg(feature = "cli")]
    pub(super) fn reach(mut self, reach: Reach) -> Builder {
        self.reach = reach;
        self
    }

    /// Runs another program than the `softIoc` that this crate was built with: a softIoc of
    /// another EPICS Base, or an IOC with device support of its own, of Base 7.0.4 or newer.
    /// A name without `/` is looked up in `PATH`. The program is asked for its usage (`-h`)
    /// to learn which of the two it is.
    pub fn program(mut self, program: impl Into<PathBuf>) -> Builder {
        self.program = Some(program.into());
        self
    }

    /// Takes this database definition instead of the one that belongs to the program.
    pub fn dbd(mut self, definition: impl Into<PathBuf>) -> Builder {
        self.start_up.definition = Some(absolute(&definition.into()));
        self
    }

    /// Has links of this IOC find the records of `other`, over Channel Access and pvAccess.
    /// For IOCs that see each other see [`SoftIoc::start_together`].
    pub fn sees(mut self, other: &SoftIoc) -> Builder {
        self.peers.add(other.ports());
        self
    }

    /// Keeps `ready` IOCs of this kind started, for tests that each take one. Blocks for
    /// nothing: the first is ready when [`Pool::take`] returns it.
    pub fn pool(&self, ready: usize) -> Pool {
        Pool::of(self.clone(), ready)
    }

    /// Starts the IOC; blocks until it serves, proved by finding a PV of its own
    /// over the network.
    ///
    /// # Errors
    /// [`IocError`], with the command and everything the IOC printed, when it
    /// does not serve within the deadline, refuses a record or a command, or
    /// does not get its ports.
    pub fn start(&self) -> Result<SoftIoc, IocError> {
        self.start_at(Place::take(self.reach.served())?)
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

    pub(super) fn check(&self) -> Result<(), IocError> {
        if self.start_up.has_pv_access && self.program.is_none() {
            crate::PV_ACCESS.map_err(|why| Missing(why.to_owned()))?;
        }
        self.check_script()?;
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

impl Builder {
    /// A script of the user's own comes alone.
    fn check_script(&self) -> Result<(), IocError> {
        let Some(script) = &self.start_up.script else { return Ok(()) };
        let invalid = |message: String| Err(IocError::InvalidRequest(message));
        match std::fs::metadata(script) {
            Ok(found) if found.is_file() => {}
            Ok(_) => return invalid(format!("the script {} is not a file", script.display())),
            Err(error) => {
                return invalid(format!("cannot read the script {}: {error}", script.display()));
            }
        }
        if self.start_up.is_empty_before_init() {
            return Ok(());
        }
        invalid(format!(
            "{} is run as it is, so records, access security and commands before iocInit cannot \
             come beside it; load them in the script, or leave the script out",
            script.display()
        ))
    }
}
