//! A softIoc of the user's own, as a server beside that of this crate.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::start_up::Definition;
use super::{Builder, IocError, SoftIoc};
use crate::process::{Command, ProcessError};

/// How long the program may take to tell how it is used.
const USAGE_DEADLINE: Duration = Duration::from_secs(5);

/// How long it may take to start without records.
const TRIAL_DEADLINE: Duration = Duration::from_secs(15);

/// Why a program cannot be a server.
#[derive(Debug, thiserror::Error)]
pub enum OtherSoftIocError {
    /// It cannot be executed.
    #[error(
        "cannot run {program}: {reason}; give the path of a softIoc program, usually \
         EPICS_BASE/bin/ARCHITECTURE/softIoc"
    )]
    Program {
        /// The path as it was given.
        program: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// It does not start as a softIoc does.
    #[error(
        "{program} does not work as a softIoc: {source}\nGive the path of a softIoc program, or \
         of a script that ends in `exec …/softIoc -D …/softIoc.dbd \"$@\"`"
    )]
    Trial {
        /// The path as it was given.
        program: PathBuf,
        /// What happened when it was tried.
        source: Box<IocError>,
    },
    /// A server of this name exists.
    #[error("there is a server `{0}` already")]
    Taken(String),
}

/// The user's softIoc, tried out.
#[derive(Debug, Clone)]
pub(super) struct OtherSoftIoc {
    program: PathBuf,
    definition: Definition,
}

impl OtherSoftIoc {
    /// Tries a program by starting it without records. Returns the EPICS Base that it
    /// says it is of, too.
    pub(super) fn tried(program: &Path) -> Result<(OtherSoftIoc, String), OtherSoftIocError> {
        check_executable(program)?;
        let wrong = |source: IocError| OtherSoftIocError::Trial {
            program: program.to_owned(),
            source: Box::new(source),
        };
        // The IOC runs in another folder than its caller.
        let absolute = std::path::absolute(program).unwrap_or_else(|_| program.to_owned());
        let definition = definition_of(&absolute).map_err(|error| wrong(error.into()))?;
        let found = OtherSoftIoc { program: absolute, definition };
        let ioc =
            found.given_to(SoftIoc::builder().deadline(TRIAL_DEADLINE)).start().map_err(wrong)?;
        let base = ioc.base().unwrap_or("that does not say its release").to_owned();
        ioc.stop();
        Ok((found, base))
    }

    /// Has an IOC run this program, with its own database definition.
    pub(super) fn given_to(&self, builder: Builder) -> Builder {
        builder.program(&self.program).definition(self.definition.clone())
    }
}

fn check_executable(program: &Path) -> Result<(), OtherSoftIocError> {
    let wrong = |reason: String| OtherSoftIocError::Program { program: program.to_owned(), reason };
    let found = fs::metadata(program).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => wrong("there is no such file".to_owned()),
        _ => wrong(error.to_string()),
    })?;
    if !found.is_file() {
        return Err(wrong("it is not a file".to_owned()));
    }
    match found.permissions().mode() & 0o111 {
        0 => Err(wrong("it is not executable (chmod +x)".to_owned())),
        _ => Ok(()),
    }
}

/// The database definition that was built with a program: its record types must be
/// those of this very Base. It lies beside it, or where its usage says; else the
/// program is left to find it.
fn definition_of(program: &Path) -> Result<Definition, ProcessError> {
    let usage = match Command::new(program).argument("-h").run(USAGE_DEADLINE, |_| ()) {
        Ok(usage) => usage,
        // Not every Base has -h.
        Err(ProcessError::Ended { .. }) => String::new(),
        Err(error) => return Err(error),
    };
    let beside = |name: &str| program.parent().map(|folder| folder.join(format!("{name}.dbd")));
    let own_name = program.file_name().map(|name| name.to_string_lossy().into_owned());
    let told = usage.lines().map(|line| PathBuf::from(line.trim()));
    let mut candidates = own_name
        .and_then(|name| beside(&name))
        .into_iter()
        .chain(beside("softIoc"))
        .chain(told.filter(|path| path.is_absolute()));
    let found = candidates.find(|path| {
        path.extension().is_some_and(|extension| extension == "dbd") && path.is_file()
    });
    Ok(found.map_or(Definition::OfProgram, Definition::File))
}
