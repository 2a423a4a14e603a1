//! Two copies of one approach, as two builds of a user are: in folders of their own, whose
//! names differ in length.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use tempfile::TempDir;

use crate::embedded;
use crate::measure::Candidate;
use crate::python_site::{Missing, PythonSite};

/// The folders of the two copies. What is in them is found by paths of other lengths, which
/// moves a program's stack.
const FOLDERS: [&str; 2] = ["a", "another-build-of-the-same-library"];

/// How the names of folders with copies begin, in the cache.
const PREFIX: &str = "two-copies-";

/// The copies, which last as long as this does.
#[derive(Debug)]
pub struct Copies {
    /// What starts the worker of each.
    pub candidates: [Candidate; 2],
    /// Whether each has a folder of its own: not where nothing of the worker could be copied.
    pub are_apart: bool,
    _folder: TempDir,
    /// The system drops it however this process ends.
    _lock: File,
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
        let (whole, lock) = locked_folder(&embedded::cache_folder())?;
        let mut are_apart = true;
        let mut candidates = [candidate.clone(), candidate.clone()];
        for (candidate, name) in candidates.iter_mut().zip(FOLDERS) {
            let Ok(mut command) = candidate.command.clone() else { continue };
            let folder = whole.path().join(name);
            fs::create_dir_all(&folder)?;
            let mut is_copied = false;
            let packages = site.as_ref().ok().map(|site| site.folder().to_owned());
            for original in [Some(gauge.to_owned()), packages].into_iter().flatten() {
                if command.names(&original) {
                    let copy = folder.join(original.file_name().unwrap_or_default());
                    copy_all(&original, &copy)?;
                    command = command.relocated(&original, &copy);
                    is_copied = true;
                }
            }
            candidate.command = Ok(command);
            are_apart &= is_copied;
        }
        Ok(Copies { candidates, are_apart, _folder: whole, _lock: lock })
    }
}

/// A new folder in the cache, locked by this process. Those that killed processes left there
/// are removed.
fn locked_folder(cache: &Path) -> io::Result<(TempDir, File)> {
    fs::create_dir_all(cache)?;
    // One at a time: between its making and its lock, a folder seems to be left.
    let turn = File::open(cache)?;
    turn.lock()?;
    remove_left(cache)?;
    let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(cache)?;
    let lock = File::open(folder.path())?;
    lock.lock()?;
    Ok((folder, lock))
}

/// Removes the folders that no process holds a lock of.
fn remove_left(cache: &Path) -> io::Result<()> {
    for entry in fs::read_dir(cache)? {
        let entry = entry?;
        let is_of_copies = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let is_left = || File::open(entry.path()).is_ok_and(|folder| folder.try_lock().is_ok());
        if is_of_copies && is_left() {
            // Whoever cannot remove another user's folder measures all the same.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
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
        assert!(copies.are_apart);
        drop(copies);
        assert!(programs.iter().all(|program| !program.exists()));
    }

    #[test]
    fn a_command_of_the_users_own_runs_from_one_place() {
        let approach = Catalogue::built_in().get("wire").unwrap().clone();
        let command = Command::new(Path::new("/bin/true"));
        let candidate = Candidate { approach, command: Ok(command) };
        let site = Err(Missing("not needed".to_owned()));
        let copies = Copies::of(&candidate, Path::new("/nowhere/gauge"), &site).unwrap();
        assert!(!copies.are_apart);
    }

    #[test]
    fn copies_that_a_killed_process_left_are_removed_and_those_of_a_living_one_stay() {
        let cache = tempfile::tempdir().unwrap();
        let left = cache.path().join(format!("{PREFIX}left"));
        let other = cache.path().join("tools");
        fs::create_dir_all(left.join("a")).unwrap();
        fs::create_dir_all(&other).unwrap();
        let (living, lock) = locked_folder(cache.path()).unwrap();
        assert!(!left.exists() && other.exists());
        let (next, _lock) = locked_folder(cache.path()).unwrap();
        assert!(living.path().exists() && next.path().exists());
        // What the system does when a process is killed.
        drop(lock);
        drop(locked_folder(cache.path()).unwrap());
        assert!(!living.path().exists() && next.path().exists());
    }
}
