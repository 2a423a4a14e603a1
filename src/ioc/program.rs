//! The program that an IOC runs: the softIoc of this crate, one of another EPICS Base, or an
//! IOC with device support of its own.

use std::collections::HashMap;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use std::os::unix::fs::PermissionsExt;

use super::IocError;
use super::records::absolute;
use crate::process::{Command, ProcessError};

/// How long the program may take to print its usage.
const USAGE_DEADLINE: Duration = Duration::from_secs(5);

/// How a program takes its database definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// As softIoc does, by `-D`; where it lies, if that is known. Without it the program
    /// finds its own.
    SoftIoc(Option<PathBuf>),
    /// As an IOC application does: its start-up script loads it and registers what it
    /// declares. Where it lies, if that is known.
    Application(Option<PathBuf>),
}

/// A program of the user's own, absolute, and how it is started.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
}

impl Program {
    /// Finds out how `path` is started, by asking it for its usage; blocks for some
    /// seconds at most, once for each program of this process.
    ///
    /// # Errors
    /// When it cannot be executed.
    pub(super) fn found(path: &Path) -> Result<Program, IocError> {
        let path = in_path(path);
        check_executable(&path).map_err(IocError::InvalidRequest)?;
        let path = absolute(&path);
        let kind = kind_of(&path)?;
        Ok(Program { path, kind })
    }
}

/// A name without a `/` is looked up in PATH.
fn in_path(program: &Path) -> PathBuf {
    if program.components().count() > 1 || program.is_file() {
        return program.to_owned();
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(program));
    found.into_iter().find(|path| path.is_file()).unwrap_or_else(|| program.to_owned())
}

/// Why a program cannot be executed.
pub(super) fn check_executable(program: &Path) -> Result<(), String> {
    let wrong = |reason: &str| {
        Err(format!(
            "cannot run {}: {reason}; give the path of a softIoc program, usually \
             EPICS_BASE/bin/ARCHITECTURE/softIoc, or of an IOC",
            program.display()
        ))
    };
    match fs::metadata(program) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => wrong("there is no such file"),
        Err(error) => wrong(&error.to_string()),
        Ok(found) if !found.is_file() => wrong("it is not a file"),
        Ok(found) if found.permissions().mode() & 0o111 == 0 => {
            wrong("it is not executable (chmod +x)")
        }
        Ok(_) => Ok(()),
    }
}

/// The program that the first line of a script names, as a shell would start it in the
/// script's folder; none if there is no such line.
pub(super) fn of_script(script: &Path) -> Option<PathBuf> {
    let mut line = String::new();
    BufReader::new(fs::File::open(script).ok()?).read_line(&mut line).ok()?;
    let mut words = line.strip_prefix("#!")?.split_whitespace();
    let first = Path::new(words.next()?);
    let program = match first.file_name() {
        Some(name) if name == "env" => Path::new(words.next()?),
        _ => first,
    };
    let is_name = program.components().count() == 1;
    match script.parent() {
        Some(folder) if !is_name => Some(folder.join(program)),
        _ => Some(program.to_owned()),
    }
}

type Known = HashMap<(PathBuf, Option<SystemTime>), Kind>;

/// The same, asked once for each file.
fn kind_of(program: &Path) -> Result<Kind, IocError> {
    static KNOWN: Mutex<Option<Known>> = Mutex::new(None);
    let changed = fs::metadata(program).and_then(|found| found.modified()).ok();
    let key = (program.to_owned(), changed);
    let mut known = KNOWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if let Some(kind) = known.get(&key) {
        return Ok(kind.clone());
    }
    let kind = asked(program)?;
    known.insert(key, kind.clone());
    Ok(kind)
}

fn asked(program: &Path) -> Result<Kind, ProcessError> {
    let usage = match Command::new(program).argument("-h").run(USAGE_DEADLINE, |_| ()) {
        Ok(usage) => usage,
        // Some end with an error after it, and an application takes it for a script that
        // is not there.
        Err(ProcessError::Ended { output, .. })
            if output.contains("-D") || output.contains("Can't open -h") =>
        {
            output
        }
        Err(error) => return Err(error),
    };
    // A script around a softIoc may give it a definition, and hide that option.
    if usage.contains("-D <") || usage.contains("[-D") || usage.trim().is_empty() {
        return Ok(Kind::SoftIoc(definition_of_soft_ioc(program, &usage)));
    }
    Ok(Kind::Application(definition_of_application(program)))
}

/// The database definition that was built with a softIoc: its record types must be
/// those of this very Base. It lies beside it, or where its usage says.
fn definition_of_soft_ioc(program: &Path, usage: &str) -> Option<PathBuf> {
    let beside = |name: &str| program.parent().map(|folder| folder.join(format!("{name}.dbd")));
    let own_name = program.file_name().map(|name| name.to_string_lossy().into_owned());
    let named = usage.lines().map(|line| PathBuf::from(line.trim()));
    let mut candidates = own_name
        .and_then(|name| beside(&name))
        .into_iter()
        .chain(beside("softIoc"))
        .chain(named.filter(|path| path.is_absolute()));
    candidates
        .find(|path| path.extension().is_some_and(|extension| extension == "dbd") && path.is_file())
}

/// Where Base's make puts that of `TOP/bin/ARCHITECTURE/NAME`.
fn definition_of_application(program: &Path) -> Option<PathBuf> {
    let top = program.parent()?.parent()?.parent()?;
    let name = program.file_name()?.to_string_lossy().into_owned();
    let definition = top.join("dbd").join(format!("{name}.dbd"));
    definition.is_file().then_some(definition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_names_its_program_from_its_own_folder() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("st.cmd");
        for (line, program) in [
            ("#!../../bin/linux-x86_64/myIoc", folder.path().join("../../bin/linux-x86_64/myIoc")),
            ("#! /opt/softIoc -D x", PathBuf::from("/opt/softIoc")),
            ("#!/usr/bin/env softIoc", PathBuf::from("softIoc")),
        ] {
            fs::write(&script, format!("{line}\niocInit\n")).unwrap();
            assert_eq!(of_script(&script), Some(program), "{line}");
        }
        fs::write(&script, "iocInit\n").unwrap();
        assert_eq!(of_script(&script), None);
        assert_eq!(of_script(&folder.path().join("none")), None);
    }
}
