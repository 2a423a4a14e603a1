//! The folder of a run: records, verdicts, report and logs.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use epics_gauge::record::{Line, Record};
use epics_gauge::scenario::{Configuration, Words};

use super::Failure;

/// The record file, and the one that is to take its place.
const RECORDS: &str = "records.jsonl";
const RECORDS_ANEW: &str = "records.jsonl.new";

/// The folder, with its record file open.
pub(super) struct OutputFolder {
    folder: PathBuf,
    records: File,
}

impl OutputFolder {
    /// Makes the folder; `asked` or one named after `started`.
    pub(super) fn make(asked: Option<&Path>, started: &str) -> Result<OutputFolder, Failure> {
        let folder = asked.map_or_else(
            || Path::new("epics-gauge-out").join(started.replace(':', "")),
            Path::to_owned,
        );
        let cannot = |path: &Path, error: io::Error| {
            Failure::usage(format!(
                "cannot write {}: {error}; name another folder with --out",
                path.display()
            ))
        };
        fs::create_dir_all(folder.join("logs")).map_err(|error| cannot(&folder, error))?;
        let path = folder.join(RECORDS);
        let records = File::create_new(&path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Failure::usage(format!(
                "{} holds a run already; name another folder with --out",
                folder.display()
            )),
            _ => cannot(&path, error),
        })?;
        Ok(OutputFolder { folder, records })
    }

    /// Begins the record file of a run anew, beside the old one, which stays until
    /// [`OutputFolder::replace_records`].
    pub(super) fn begin_again(folder: &Path) -> Result<OutputFolder, Failure> {
        let path = folder.join(RECORDS_ANEW);
        let cannot = |error| Failure::usage(format!("cannot write {}: {error}", path.display()));
        let records = File::create(&path).map_err(cannot)?;
        Ok(OutputFolder { folder: folder.to_owned(), records })
    }

    /// Puts that file in the place of the old one.
    pub(super) fn replace_records(self) -> Result<OutputFolder, Failure> {
        let (from, to) = (self.folder.join(RECORDS_ANEW), self.folder.join(RECORDS));
        fs::rename(from, to).map_err(|error| self.cannot_write(RECORDS, &error))?;
        Ok(self)
    }

    pub(super) fn path(&self) -> &Path {
        &self.folder
    }

    /// Writes one line, whole, at once: what is measured is kept whatever
    /// happens next.
    pub(super) fn add(&mut self, line: &Line) -> Result<(), Failure> {
        let mut bytes = serde_json::to_vec(line).map_err(Failure::unmeasured)?;
        bytes.push(b'\n');
        self.records.write_all(&bytes).map_err(|error| self.cannot_write(RECORDS, &error))
    }

    /// Keeps what a worker printed on stderr, if it did.
    pub(super) fn add_log(&self, record: &Record, log: &str) -> Result<(), Failure> {
        if log.is_empty() {
            return Ok(());
        }
        let Record { scenario, approach, block, .. } = record;
        // An approach may be named by a path, a server too.
        let approach = approach.replace('/', "_");
        let varied = Configuration::of_one(record).in_words(Words::File).replace('/', "_");
        self.write(&format!("logs/{scenario}-{approach}-{varied}-{block}.log"), log)
    }

    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        fs::write(self.folder.join(name), text).map_err(|error| self.cannot_write(name, &error))
    }

    pub(super) fn read_records(&self) -> Result<String, Failure> {
        let path = self.folder.join(RECORDS);
        fs::read_to_string(&path).map_err(|error| {
            Failure::unmeasured(format!("cannot read {}: {error}", path.display()))
        })
    }

    fn cannot_write(&self, name: &str, error: &io::Error) -> Failure {
        Failure::unmeasured(format!(
            "cannot write {}: {error}; what was measured before is kept in {}. Free space there or \
             name another folder with --out, and run again",
            self.folder.join(name).display(),
            self.folder.join(RECORDS).display()
        ))
    }
}
