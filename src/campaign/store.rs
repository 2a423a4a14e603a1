//! Records of the gate's groups, kept where other processes of the same test run
//! find them: with cargo-nextest every limit is a process of its own.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::record::{Line, RunRecords};

/// A folder of record files, one for each group.
#[derive(Debug, Clone)]
pub(super) struct Store {
    folder: PathBuf,
}

/// A group's file while it is measured.
pub(super) struct Writing {
    file: File,
    part: PathBuf,
    whole: PathBuf,
}

impl Store {
    /// Nothing is made yet.
    pub(super) fn new(folder: &Path) -> Store {
        Store { folder: folder.to_owned() }
    }

    /// The records of a group; none when it was not measured yet, or not to its end.
    pub(super) fn read(&self, group: &str) -> Result<Option<RunRecords>, String> {
        if let Ok(why) = fs::read_to_string(self.path(group, "failed")) {
            return Err(why);
        }
        let path = self.path(group, "jsonl");
        match fs::read_to_string(&path) {
            Ok(text) => RunRecords::parse(&text)
                .map(Some)
                .map_err(|error| format!("{}: {error}", path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }

    /// Opens a group's file.
    pub(super) fn begin(&self, group: &str) -> Result<Writing, String> {
        let (part, whole) = (self.path(group, "part"), self.path(group, "jsonl"));
        let cannot = |error: io::Error| format!("cannot write {}: {error}", part.display());
        fs::create_dir_all(&self.folder).map_err(cannot)?;
        let file = File::create(&part).map_err(cannot)?;
        Ok(Writing { file, part, whole })
    }

    /// Keeps why a group could not be measured: others need not try again.
    pub(super) fn fail(&self, group: &str, why: &str) {
        // Where this cannot be written either, the others find out by themselves.
        let _ = fs::write(self.path(group, "failed"), why);
    }

    fn path(&self, group: &str, kind: &str) -> PathBuf {
        self.folder.join(format!("{group}.{kind}"))
    }
}

impl Writing {
    /// Writes one line, whole, at once.
    pub(super) fn add(&mut self, line: &Line) -> Result<(), String> {
        let cannot = |error: io::Error| format!("cannot write {}: {error}", self.part.display());
        let mut bytes = serde_json::to_vec(line).map_err(|error| error.to_string())?;
        bytes.push(b'\n');
        self.file.write_all(&bytes).map_err(cannot)
    }

    /// The group is measured to its end: from now on others find it.
    pub(super) fn finish(self) -> Result<(), String> {
        fs::rename(&self.part, &self.whole)
            .map_err(|error| format!("cannot write {}: {error}", self.whole.display()))
    }
}
