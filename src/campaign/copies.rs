//! Two copies of one approach, as two builds of a user are: in folders of their own, whose
//! names differ in length.

use std::fs;
use std::io;
use std::path::Path;

use tempfile::TempDir;

use crate::embedded;
use crate::measure::Candidate;
use crate::python_site::{Missing, PythonSite};

/// The folders of the two copies. What is in them is found by paths of other lengths, which
/// moves a program's stack.
const FOLDERS: [&str; 2] = ["a", "another-build-of-the-same-library"];

/// The copies, which last as long as this does.
#[derive(Debug)]
pub struct Copies {
    /// What starts the worker of each.
    pub candidates: [Candidate; 2],
    _folder: TempDir,
}

impl Copies {
    /// Copies what the worker of `candidate` runs: `gauge`, this program, if it is native, and
    /// the packages of `site` if it is Python. A command of the user's own, and a version that was
    /// chosen, stay as they are.
    ///
    /// # Errors
    /// When the cache folder cannot be written.
    pub fn of(
        candidate: &Candidate,
        gauge: &Path,
        site: &Result<PythonSite, Missing>,
    ) -> io::Result<Copies> {
        let cache = embedded::cache_folder();
        fs::create_dir_all(&cache)?;
        let whole = tempfile::Builder::new().prefix("copies-").tempdir_in(cache)?;
        let mut candidates = [candidate.clone(), candidate.clone()];
        for (candidate, name) in candidates.iter_mut().zip(FOLDERS) {
            let Ok(mut command) = candidate.command.clone() else { continue };
            let folder = whole.path().join(name);
            fs::create_dir_all(&folder)?;
            let packages = site.as_ref().ok().map(|site| site.folder().to_owned());
            for original in [Some(gauge.to_owned()), packages].into_iter().flatten() {
                if command.names(&original) {
                    let copy = folder.join(original.file_name().unwrap_or_default());
                    copy_all(&original, &copy)?;
                    command = command.relocated(&original, &copy);
                }
            }
            candidate.command = Ok(command);
        }
        Ok(Copies { candidates, _folder: whole })
    }
}

/// Copies a file, or a folder with all that is in it.
fn copy_all(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        return fs::copy(from, to).map(drop);
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy_all(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::approach::Catalogue;
    use crate::process::Command;

    #[test]
    fn a_native_worker_is_copied_and_the_copies_go_away() {
        let folder = tempfile::tempdir().unwrap();
        let gauge = folder.path().join("gauge");
        fs::write(&gauge, "program").unwrap();
        let approach = Catalogue::built_in().get("wire").unwrap().clone();
        let command = Command::new(&gauge).argument("worker").argument("wire");
        let candidate = Candidate { approach, command: Ok(command) };
        let site = Err(Missing("not needed".to_owned()));
        let copies = Copies::of(&candidate, &gauge, &site).unwrap();
        let started = copies.candidates.clone().map(|one| one.command.unwrap().described());
        let programs =
            started.map(|line| PathBuf::from(line.strip_suffix(" worker wire").unwrap()));
        assert_ne!(programs[0].as_os_str().len(), programs[1].as_os_str().len());
        assert!(programs.iter().all(|program| fs::read(program).unwrap() == b"program"));
        drop(copies);
        assert!(programs.iter().all(|program| !program.exists()));
    }
}
