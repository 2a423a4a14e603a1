//! The files that an IOC starts from: its database definition, its records and
//! the scripts for its shell.

use std::fmt::Write as _;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::scan_menu::{scan_choice, with_named_rates};
use super::{IocError, Place};
use crate::embedded;

/// Bytes of a pixel in a frame record.
const BYTES_PER_PIXEL: u64 = 2;

/// What a message has beside the array: its header and what DBR types put before
/// the values (`DBR_CTRL_…` at most 100 bytes), rounded up.
const MESSAGE_BYTES: u64 = 1_024;

/// The script that loads everything and ends in `iocInit`.
pub(super) const START_UP: &str = "st.cmd";

/// The database definition that this IOC needs.
pub(super) const DEFINITION: &str = "softIoc.dbd";

/// The script of the commands that run as soon as the IOC serves.
pub(super) const AFTER_INIT: &str = "after-init.cmd";

/// What a script prints when none of its commands failed.
pub(super) const SCRIPT_ENDED: &str = "epics-gauge: the script is over";

/// Records of the caller's own.
#[derive(Debug, Clone)]
pub(super) enum Records {
    Template { file: PathBuf, instances: Vec<Vec<(String, String)>> },
    Text { text: String, macros: Vec<(String, String)> },
    File { file: PathBuf, macros: Vec<(String, String)> },
}

/// Where the database definition of an IOC comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Definition {
    /// From this crate, for its own softIoc.
    #[default]
    OfCrate,
    /// From a file, for the softIoc that was built with it.
    #[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "the fixture has its own"))]
    File(PathBuf),
    /// The program finds its own.
    #[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "the fixture has its own"))]
    OfProgram,
}

/// What an IOC holds and runs.
#[derive(Debug, Clone, Default)]
pub(super) struct StartUp {
    /// Its database definition.
    pub(super) definition: Definition,
    /// Records of the caller's own.
    pub(super) records: Vec<Records>,
    /// How many of the calc records of this crate.
    pub(super) pvs: usize,
    /// The index of the first of them.
    pub(super) first_pv: usize,
    /// How often those are scanned; else they wait for a tick.
    pub(super) rate_hz: Option<f64>,
    /// Rates that [`super::SoftIoc::start_scanning`] may name.
    pub(super) may_scan_hz: Vec<f64>,
    /// Whether it serves pvAccess too.
    pub(super) has_pv_access: bool,
    /// Pixels of the frame record, if there is one.
    pub(super) frame_pixels: Option<u64>,
    /// Shell commands before `iocInit`.
    pub(super) before_init: Vec<String>,
    /// Shell commands as soon as the IOC serves.
    pub(super) after_init: Vec<String>,
}

impl StartUp {
    /// The indices of the calc records of this crate.
    pub(super) fn indices(&self) -> Range<usize> {
        self.first_pv..self.first_pv.saturating_add(self.pvs)
    }

    /// Whether the IOC's scan menu has this rate of the whole menu: those up to
    /// 10 Hz are Base's own and always there.
    pub(super) fn may_scan(&self, rate_hz: f64) -> bool {
        let choice = scan_choice(rate_hz);
        !choice.ends_with(" Hz") || self.names_choice(&choice)
    }

    /// Bytes of the largest message that this crate's own records need.
    pub(super) fn largest_message_bytes(&self) -> u64 {
        self.frame_pixels.map_or(0, |pixels| pixels * BYTES_PER_PIXEL + MESSAGE_BYTES)
    }

    /// Writes `st.cmd` and what it loads, without the calc record of index
    /// `missing`. `on error break` makes the first refused command end the script,
    /// which the IOC then says.
    pub(super) fn write(&self, place: &Place, missing: Option<usize>) -> Result<(), IocError> {
        let folder = place.folder.path();
        let mut script = String::from("on error break\n");
        let gauge = embedded::tool("gauge.db")?;
        load(&mut script, &gauge, &[("IDENTITY".to_owned(), place.identity())]);
        let indices = || self.indices().filter(|index| Some(*index) != missing);
        if indices().next().is_some() {
            let scan = self.rate_hz.map_or("Event".to_owned(), scan_choice);
            let template = embedded::tool("calc.template")?;
            let instances = indices().map(|index| {
                vec![("SCAN".to_owned(), scan.clone()), ("INDEX".to_owned(), index.to_string())]
            });
            write(folder, "calc.substitutions", &substitutions(&template, instances))?;
            script += "dbLoadTemplate calc.substitutions\n";
        }
        if let Some(pixels) = self.frame_pixels {
            let template = embedded::tool("frame.template")?;
            load(&mut script, &template, &[("PIXELS".to_owned(), pixels.to_string())]);
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
        let _ = writeln!(script, "iocInit\necho \"{SCRIPT_ENDED}\"");
        write(folder, START_UP, &script)?;
        self.write_definition(folder)?;
        let after_init = self.after_init.join("\n");
        let script = format!("on error break\n{after_init}\necho \"{SCRIPT_ENDED}\"\n");
        write(folder, AFTER_INIT, &script)
    }

    fn write_definition(&self, folder: &Path) -> Result<(), IocError> {
        let complete = match &self.definition {
            Definition::OfProgram => return Ok(()),
            Definition::File(file) => file.clone(),
            Definition::OfCrate if self.has_pv_access => embedded::tool("softIocPvx.dbd")?,
            Definition::OfCrate => embedded::tool("softIoc.dbd")?,
        };
        let dbd = fs::read_to_string(&complete).map_err(|source| IocError::Files {
            action: format!("read {}", complete.display()),
            source,
        })?;
        write(folder, DEFINITION, &with_named_rates(&dbd, |choice| self.names_choice(choice)))
    }

    fn names_choice(&self, choice: &str) -> bool {
        // A rate may be put together from a macro: `$(RATE) Hz`.
        let names = |text: &String| [choice, ") Hz", "} Hz"].iter().any(|n| text.contains(n));
        self.texts_of_records().iter().any(names)
    }

    /// Everything that may name a scan rate.
    fn texts_of_records(&self) -> Vec<String> {
        let values = |macros: &[(String, String)]| {
            macros.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join("\n")
        };
        let rates = self.rate_hz.iter().chain(&self.may_scan_hz);
        let mut texts: Vec<String> = rates.copied().map(scan_choice).collect();
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
