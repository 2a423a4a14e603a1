//! The files that an IOC starts from: its database definition, its records and
//! the scripts for its shell.

use std::fmt::Write as _;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::named_rates::NamedRates;
use super::program::{Kind, Program};
use super::records::{
    IncludePath, Records, absolute, load_file, macro_text, path_word, substitutions, word,
};
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

/// What an IOC holds and runs.
#[derive(Debug, Clone, Default)]
pub(super) struct StartUp {
    /// A database definition of the caller's own, instead of that of the program.
    pub(super) definition: Option<PathBuf>,
    /// A start-up script of the caller's own, which is run as it is, in its own folder.
    pub(super) script: Option<PathBuf>,
    /// An access security file, and its macros.
    pub(super) access_security: Option<(PathBuf, String)>,
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
    /// Whether a stringin stands where a calc record is left out.
    pub(super) has_a_string_instead: bool,
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

    /// Whether nothing is loaded or run before `iocInit`.
    pub(super) fn is_empty_before_init(&self) -> bool {
        self.records.is_empty()
            && self.before_init.is_empty()
            && self.access_security.is_none()
            && self.pvs == 0
            && self.frame_pixels.is_none()
    }

    /// Whether the IOC's scan menu has this rate of the whole menu: those up to
    /// 10 Hz are Base's own and always there.
    pub(super) fn may_scan(&self, rate_hz: f64) -> bool {
        let choice = scan_choice(rate_hz);
        !choice.ends_with(" Hz") || self.named_rates().names(&choice)
    }

    /// Bytes of the largest message that this crate's own records need.
    pub(super) fn largest_message_bytes(&self) -> u64 {
        self.frame_pixels.map_or(0, |pixels| pixels * BYTES_PER_PIXEL + MESSAGE_BYTES)
    }

    /// Writes `st.cmd` and what it loads, without the calc record of index
    /// `missing`; `declare` are the commands that make record types known, where the
    /// program does not do that itself. `on error break` makes the first refused command end
    /// the script, which the IOC then says.
    pub(super) fn write(
        &self,
        place: &Place,
        missing: Option<usize>,
        declare: &str,
    ) -> Result<(), IocError> {
        let folder = place.folder.path();
        let include_path = IncludePath::of_caller();
        let mut script = format!("on error break\n{declare}");
        script += &self.load_own_records(place, missing)?;
        for (number, records) in self.records.iter().enumerate() {
            script += &load_records(folder, number, records, &include_path)?;
        }
        if let Some((file, macros)) = &self.access_security {
            let _ = writeln!(script, "asSetFilename {}", path_word(&absolute(file))?);
            if !macros.is_empty() {
                let _ = writeln!(script, "asSetSubstitutions {}", word(macros));
            }
        }
        for command in &self.before_init {
            let _ = writeln!(script, "{command}");
        }
        let _ = writeln!(script, "iocInit\necho \"{SCRIPT_ENDED}\"");
        write(folder, START_UP, &script)
    }

    /// Writes the script of the commands that run as soon as the IOC serves.
    pub(super) fn write_after_init(&self, place: &Place) -> Result<(), IocError> {
        let after_init = self.after_init.join("\n");
        let script = format!("on error break\n{after_init}\necho \"{SCRIPT_ENDED}\"\n");
        write(place.folder.path(), AFTER_INIT, &script)
    }

    /// The commands that load the records of this crate.
    fn load_own_records(&self, place: &Place, missing: Option<usize>) -> Result<String, IocError> {
        let mut script = String::new();
        let gauge = embedded::tool("gauge.db")?;
        load(&mut script, &gauge, &[("IDENTITY", &place.identity())])?;
        let indices = || self.indices().filter(|index| Some(*index) != missing);
        if indices().next().is_some() {
            let scan = self.rate_hz.map_or("Event".to_owned(), scan_choice);
            let template = embedded::tool("calc.template")?;
            let instances = indices().map(|index| {
                vec![("SCAN".to_owned(), scan.clone()), ("INDEX".to_owned(), index.to_string())]
            });
            let text = substitutions(&template, instances);
            write(place.folder.path(), "calc.substitutions", &text)?;
            script += "dbLoadTemplate calc.substitutions\n";
        }
        if let Some(index) = missing.filter(|_| self.has_a_string_instead) {
            let record = format!("record(stringin, \"gauge:{index}\") {{ field(VAL, \"0\") }}\n");
            write(place.folder.path(), "instead.db", &record)?;
            load(&mut script, &place.folder.path().join("instead.db"), &[])?;
        }
        if let Some(pixels) = self.frame_pixels {
            let template = embedded::tool("frame.template")?;
            load(&mut script, &template, &[("PIXELS", &pixels.to_string())])?;
        }
        Ok(script)
    }

    /// Writes the database definition that the IOC of this program is given, and says
    /// whether it is given one: else the program has its own. Rates over 10 Hz are in its
    /// scan menu where they are named; a definition of the caller's own keeps all that it
    /// has.
    pub(super) fn write_definition(
        &self,
        place: &Place,
        program: Option<&Program>,
    ) -> Result<bool, IocError> {
        let Some(complete) = self.definition_for(program)? else { return Ok(false) };
        let reading = |source| IocError::Files {
            action: format!("read the database definition {}", complete.display()),
            source,
        };
        let dbd = fs::read(&complete).map_err(reading)?;
        let named = self.named_rates();
        let keeps_all = self.definition.is_some();
        let dbd = match String::from_utf8(dbd) {
            Ok(text) => {
                with_named_rates(&text, keeps_all, |choice| named.names(choice)).into_bytes()
            }
            // Bytes are bytes: Base reads them as they are.
            Err(other) => other.into_bytes(),
        };
        write(place.folder.path(), DEFINITION, &dbd)?;
        Ok(true)
    }

    /// The file that Base is to read; none if the program finds its own.
    fn definition_for(&self, program: Option<&Program>) -> Result<Option<PathBuf>, IocError> {
        if let Some(own) = &self.definition {
            return Ok(Some(own.clone()));
        }
        Ok(match program.map(|program| &program.kind) {
            Some(Kind::SoftIoc(found) | Kind::Application(found)) => found.clone(),
            None if self.has_pv_access => Some(embedded::tool("softIocPvx.dbd")?),
            None => Some(embedded::tool("softIoc.dbd")?),
        })
    }

    /// The folders that Base searches for what a database definition includes, and for what
    /// a script of the user's own names: in its own folder, where it runs, as Base would.
    pub(super) fn folders_to_search(&self) -> Vec<PathBuf> {
        let include_path = IncludePath::of_caller();
        match &self.script {
            None => include_path.for_file(self.definition.as_deref()),
            Some(script) => {
                let own = self.definition.as_deref().and_then(Path::parent).map(Path::to_owned);
                own.into_iter().chain(include_path.for_file(Some(script))).collect()
            }
        }
    }

    fn named_rates(&self) -> NamedRates {
        let include_path = IncludePath::of_caller();
        let mut named = NamedRates::default();
        for rate_hz in self.rate_hz.iter().chain(&self.may_scan_hz) {
            named.add_text(scan_choice(*rate_hz));
        }
        for command in self.before_init.iter().chain(&self.after_init) {
            named.add_command(command);
        }
        for records in &self.records {
            named.add_records(records, &include_path);
        }
        if let Some(script) = &self.script {
            named.add_script(script);
        }
        named
    }
}

fn load_records(
    folder: &Path,
    number: usize,
    records: &Records,
    include_path: &IncludePath,
) -> Result<String, IocError> {
    match records {
        Records::Template { file, instances } => {
            let name = format!("user-{number}.substitutions");
            let text = substitutions(&absolute(file), instances.iter().cloned());
            write(folder, &name, &text)?;
            Ok(format!("{}dbLoadTemplate {name}\n", include_path.command(Some(file))?))
        }
        Records::Text { text, macros } => {
            let name = format!("user-{number}.db");
            write(folder, &name, text)?;
            let include = include_path.command(None)?;
            let file = path_word(&folder.join(name))?;
            Ok(format!("{include}dbLoadRecords {file} {}\n", word(macros)))
        }
        Records::File { file, macros } => load_file(file, macros, include_path),
    }
}

fn load(script: &mut String, file: &Path, macros: &[(&str, &str)]) -> Result<(), IocError> {
    let _ = writeln!(script, "dbLoadRecords {} {}", path_word(file)?, word(&macro_text(macros)));
    Ok(())
}

fn write(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> Result<(), IocError> {
    let path = folder.join(name);
    fs::write(&path, text)
        .map_err(|source| IocError::Files { action: format!("write {}", path.display()), source })
}
