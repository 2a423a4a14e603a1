//! What an IOC is to hold, and starting it.

use std::path::PathBuf;
use std::time::Duration;

use super::scan_menu::SCAN_RATES_HZ;
use super::start_up::{AFTER_INIT, DEFINITION, Records, StartUp};
use super::{IocError, SoftIoc};
use crate::embedded;
use crate::process::{Command, Deadline, Ports, server_environment};

/// The most PVs that one IOC is given. Base keeps names in 512 lists, which it
/// searches one by one: loading 200 000 takes 7 s, a million over half a minute.
/// Indices must stay below 2^20 in any case: see [`SoftIoc::expected_value`].
pub const MAX_PVS: usize = 200_000;

/// How long an IOC without records may take until it serves.
const START_DEADLINE: Duration = Duration::from_secs(30);

/// Says what an IOC holds; [`Builder::start`] starts it.
#[derive(Debug, Clone)]
pub struct Builder {
    start_up: StartUp,
    deadline: Option<Duration>,
    program: Option<PathBuf>,
}

impl Builder {
    pub(super) fn new() -> Builder {
        Builder { start_up: StartUp::default(), deadline: None, program: None }
    }

    /// Adds `count` calc records `gauge:0`, `gauge:1`, … whose values tell their
    /// index and how often they were processed: [`SoftIoc::expected_value`].
    pub fn pvs(mut self, count: usize) -> Builder {
        self.start_up.pvs = count;
        self
    }

    /// Scans those calc records `rate_hz` times per second, instead of only by
    /// [`SoftIoc::tick`]. Rates are those of the IOC's scan menu: 0.1, 0.2, 0.5,
    /// 1, 2, 5, 10, 20, 30, 50, 60, 100, 120, 200, 250, 500 and 1000 Hz.
    pub fn rate_hz(mut self, rate_hz: f64) -> Builder {
        self.start_up.rate_hz = Some(rate_hz);
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

    /// Runs another `softIoc` than the one that this crate was built with.
    pub fn program(mut self, program: impl Into<PathBuf>) -> Builder {
        self.program = Some(program.into());
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
        let deadline =
            Deadline::after(self.deadline.unwrap_or_else(|| usual_deadline(self.start_up.pvs)));
        self.check()?;
        let ports = Ports::reserve()
            .map_err(|source| IocError::Files { action: "reserve ports".to_owned(), source })?;
        let folder =
            tempfile::Builder::new().prefix("epics-gauge-ioc-").tempdir().map_err(|source| {
                IocError::Files {
                    action: format!("make a folder in {}", std::env::temp_dir().display()),
                    source,
                }
            })?;
        let identity = format!("{}-{}", std::process::id(), ports.ca_server());
        self.start_up.write(folder.path(), &identity)?;
        let program = match &self.program {
            Some(program) => program.clone(),
            None => embedded::tool("softIoc")?,
        };
        let command = Command::new(program)
            .argument("-D")
            .argument(DEFINITION)
            .folder(folder.path())
            .removed_with_harness(folder.path())
            .environment(server_environment(&ports))
            .environment(SoftIoc::shell_environment());
        let mut ioc = SoftIoc::launch(&command, folder, ports, self.start_up.rate_hz, &deadline)?;
        ioc.prove_ports(&identity, &deadline)?;
        if !self.start_up.after_init.is_empty() {
            ioc.run_script(AFTER_INIT, &deadline, "run the commands after iocInit")?;
        }
        Ok(ioc)
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
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    fn check(&self) -> Result<(), IocError> {
        if self.start_up.pvs > MAX_PVS {
            let asked = self.start_up.pvs;
            return Err(IocError::Asked(format!(
                "{asked} PVs are more than one IOC is given; ask for at most {MAX_PVS}"
            )));
        }
        if let Some(rate) = self.start_up.rate_hz
            && !SCAN_RATES_HZ.contains(&rate)
        {
            return Err(IocError::Asked(format!(
                "the IOC cannot scan at {rate} Hz; its rates are {SCAN_RATES_HZ:?}"
            )));
        }
        Ok(())
    }
}

fn usual_deadline(pvs: usize) -> Duration {
    START_DEADLINE + Duration::from_micros(200) * u32::try_from(pvs).unwrap_or(u32::MAX)
}

fn owned(macros: &[(&str, &str)]) -> Vec<(String, String)> {
    macros.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
