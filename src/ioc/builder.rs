//! What an IOC is to hold, and starting it.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::scan_menu::{SCAN_RATES_HZ, scan_choice, without_unnamed_rates};
use super::{IocError, SoftIoc};
use crate::embedded;
use crate::process::{Command, Deadline, Ports, server_environment};

/// The most PVs that one IOC is given. Base keeps names in 512 lists, which it
/// searches one by one: loading 200 000 takes 7 s, a million over half a minute.
/// Indices must stay below 2^20 in any case: see [`SoftIoc::expected_value`].
pub const MAX_PVS: usize = 200_000;

/// The database definition that this IOC needs.
const DEFINITION: &str = "softIoc.dbd";

/// The script of the commands that run as soon as the IOC serves.
const AFTER_INIT: &str = "after-init.cmd";

/// How long an IOC without records may take until it serves.
const START_DEADLINE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone)]
enum Records {
    Template { file: PathBuf, instances: Vec<Vec<(String, String)>> },
    Text { text: String, macros: Vec<(String, String)> },
    File { file: PathBuf, macros: Vec<(String, String)> },
}

/// Says what an IOC holds; [`Builder::start`] starts it.
#[derive(Debug, Clone)]
pub struct Builder {
    records: Vec<Records>,
    pvs: usize,
    rate_hz: Option<f64>,
    before_init: Vec<String>,
    after_init: Vec<String>,
    deadline: Option<Duration>,
    program: Option<PathBuf>,
}

impl Builder {
    pub(super) fn new() -> Builder {
        Builder {
            records: Vec::new(),
            pvs: 0,
            rate_hz: None,
            before_init: Vec::new(),
            after_init: Vec::new(),
            deadline: None,
            program: None,
        }
    }

    /// Adds `count` calc records `gauge:0`, `gauge:1`, … whose values tell their
    /// index and how often they were processed: [`SoftIoc::expected_value`].
    pub fn pvs(mut self, count: usize) -> Builder {
        self.pvs = count;
        self
    }

    /// Scans those calc records `rate_hz` times per second, instead of only by
    /// [`SoftIoc::tick`]. Rates are those of the IOC's scan menu: 0.1, 0.2, 0.5,
    /// 1, 2, 5, 10, 20, 30, 50, 60, 100, 120, 200, 250, 500 and 1000 Hz.
    pub fn rate_hz(mut self, rate_hz: f64) -> Builder {
        self.rate_hz = Some(rate_hz);
        self
    }

    /// Loads the template `file` once for each set of macros.
    pub fn template(
        mut self,
        file: impl Into<PathBuf>,
        instances: impl IntoIterator<Item = Vec<(String, String)>>,
    ) -> Builder {
        let instances = instances.into_iter().collect();
        self.records.push(Records::Template { file: file.into(), instances });
        self
    }

    /// Loads records given as database text, with macros `$(NAME)`. Of the scan
    /// rates over 10 Hz the IOC has those that records and commands name.
    pub fn db(mut self, text: impl Into<String>, macros: &[(&str, &str)]) -> Builder {
        self.records.push(Records::Text { text: text.into(), macros: owned(macros) });
        self
    }

    /// Loads a database file, with macros `$(NAME)`.
    pub fn db_file(mut self, file: impl Into<PathBuf>, macros: &[(&str, &str)]) -> Builder {
        self.records.push(Records::File { file: file.into(), macros: owned(macros) });
        self
    }

    /// Runs a shell command after the records are loaded, before `iocInit`.
    pub fn command_before_init(mut self, command: impl Into<String>) -> Builder {
        self.before_init.push(command.into());
        self
    }

    /// Runs a shell command as soon as the IOC serves.
    pub fn command_after_init(mut self, command: impl Into<String>) -> Builder {
        self.after_init.push(command.into());
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
        let deadline = Deadline::after(self.deadline.unwrap_or_else(|| usual_deadline(self.pvs)));
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
        self.write_start_up(folder.path(), &identity)?;
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
        let mut ioc = SoftIoc::launch(&command, folder, ports, self.rate_hz, &deadline)?;
        ioc.prove_ports(&identity, &deadline)?;
        if !self.after_init.is_empty() {
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
        if self.pvs > MAX_PVS {
            let asked = self.pvs;
            return Err(IocError::Asked(format!(
                "{asked} PVs are more than one IOC is given; ask for at most {MAX_PVS}"
            )));
        }
        if let Some(rate) = self.rate_hz
            && !SCAN_RATES_HZ.contains(&rate)
        {
            return Err(IocError::Asked(format!(
                "the IOC cannot scan at {rate} Hz; its rates are {SCAN_RATES_HZ:?}"
            )));
        }
        Ok(())
    }

    /// Writes `st.cmd` and what it loads. `on error break` makes the first
    /// refused command end the script, which the IOC then says.
    fn write_start_up(&self, folder: &Path, identity: &str) -> Result<(), IocError> {
        let mut script = String::from("on error break\n");
        let gauge = embedded::tool("gauge.db")?;
        load(&mut script, &gauge, &[("IDENTITY".to_owned(), identity.to_owned())]);
        if self.pvs > 0 {
            let scan = self.rate_hz.map_or("Event".to_owned(), scan_choice);
            let template = embedded::tool("calc.template")?;
            let instances = (0..self.pvs).map(|index| {
                vec![("SCAN".to_owned(), scan.clone()), ("INDEX".to_owned(), index.to_string())]
            });
            write(folder, "calc.substitutions", &substitutions(&template, instances))?;
            script += "dbLoadTemplate calc.substitutions\n";
        }
        for (number, records) in self.records.iter().enumerate() {
            match records {
                Records::Template { file, instances } => {
                    let name = format!("user-{number}.substitutions");
                    let text = substitutions(&absolute(file), instances.iter().cloned());
                    write(folder, &name, &text)?;
                    let _ = writeln!(script, "dbLoadTemplate {name}");
                }
                Records::Text { text, macros } => {
                    let name = format!("user-{number}.db");
                    write(folder, &name, text)?;
                    load(&mut script, Path::new(&name), macros);
                }
                Records::File { file, macros } => load(&mut script, &absolute(file), macros),
            }
        }
        for command in &self.before_init {
            let _ = writeln!(script, "{command}");
        }
        script += "iocInit\n";
        script += SoftIoc::SCRIPT_END;
        write(folder, SoftIoc::START_UP, &script)?;
        self.write_definition(folder)?;
        let after_init = self.after_init.join("\n");
        let after_init = format!("on error break\n{after_init}\n{}", SoftIoc::SCRIPT_END);
        write(folder, AFTER_INIT, &after_init)
    }

    fn write_definition(&self, folder: &Path) -> Result<(), IocError> {
        let complete = embedded::tool("softIoc.dbd")?;
        let dbd = fs::read_to_string(&complete).map_err(|source| IocError::Files {
            action: format!("read {}", complete.display()),
            source,
        })?;
        let texts = self.texts_of_records();
        let is_named = |choice: &str| {
            // A rate may be put together from a macro: `$(RATE) Hz`.
            let names = |text: &String| [choice, ") Hz", "} Hz"].iter().any(|n| text.contains(n));
            texts.iter().any(names)
        };
        write(folder, DEFINITION, &without_unnamed_rates(&dbd, is_named))
    }

    /// Everything that may name a scan rate.
    fn texts_of_records(&self) -> Vec<String> {
        let values = |macros: &[(String, String)]| {
            macros.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join("\n")
        };
        let mut texts: Vec<String> = self.rate_hz.map(scan_choice).into_iter().collect();
        texts.extend(self.before_init.iter().chain(&self.after_init).cloned());
        for records in &self.records {
            let (text, macros) = match records {
                Records::Template { file, instances } => {
                    let macros = instances.iter().map(|instance| values(instance)).collect();
                    (fs::read_to_string(file).unwrap_or_default(), macros)
                }
                Records::Text { text, macros } => (text.clone(), vec![values(macros)]),
                Records::File { file, macros } => {
                    (fs::read_to_string(file).unwrap_or_default(), vec![values(macros)])
                }
            };
            texts.push(text);
            texts.extend(macros);
        }
        texts
    }
}

fn usual_deadline(pvs: usize) -> Duration {
    START_DEADLINE + Duration::from_micros(200) * u32::try_from(pvs).unwrap_or(u32::MAX)
}

fn load(script: &mut String, file: &Path, macros: &[(String, String)]) {
    let macros: Vec<String> =
        macros.iter().map(|(name, value)| format!("{name}={}", quoted(value))).collect();
    let (file, macros) = (word(&file.to_string_lossy()), word(&macros.join(",")));
    let _ = writeln!(script, "dbLoadRecords {file} {macros}");
}

/// A macro's value as macLib reads it: without quotes it ends at a comma.
fn quoted(value: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "_-.:/".contains(letter);
    match value {
        _ if !value.is_empty() && value.chars().all(is_plain) => value.to_owned(),
        _ if value.contains('"') => format!("'{value}'"),
        _ => format!("\"{value}\""),
    }
}

/// One argument as the shell reads it: a backslash means nothing to it between
/// quotes, and `$` has a meaning everywhere else.
fn word(text: &str) -> String {
    if !text.contains(['"', '$']) {
        return format!("\"{text}\"");
    }
    let mut escaped = String::new();
    for letter in text.chars() {
        if !letter.is_alphanumeric() {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

/// One `file` block; each instance names its macros, so that the order is free.
fn substitutions(file: &Path, instances: impl Iterator<Item = Vec<(String, String)>>) -> String {
    let mut text = format!("file \"{}\" {{\n", file.display());
    for macros in instances {
        text.push('{');
        for (name, value) in macros {
            let _ = write!(text, " {name}=\"{value}\"");
        }
        text += " }\n";
    }
    text + "}\n"
}

/// The IOC runs in another folder than its caller.
fn absolute(file: &Path) -> PathBuf {
    std::path::absolute(file).unwrap_or_else(|_| file.to_owned())
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), IocError> {
    let path = folder.join(name);
    fs::write(&path, text)
        .map_err(|source| IocError::Files { action: format!("write {}", path.display()), source })
}

fn owned(macros: &[(&str, &str)]) -> Vec<(String, String)> {
    macros.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
