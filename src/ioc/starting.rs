//! Starting an IOC: its program, its shell, its script, and the proof that it serves.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::program::{self, Kind, Program};
use super::records::{absolute, path_word};
use super::shell::Shell;
use super::start_up::{AFTER_INIT, DEFINITION, START_UP};
use super::{Builder, IocError, Place, SoftIoc};
use crate::embedded;
use crate::process::{Command, Deadline, server_environment};

/// The oldest release that is tested.
const OLDEST_BASE: &str = "7.0.4";

/// How long an IOC without records may take until it serves.
const START_DEADLINE: Duration = Duration::from_secs(30);

impl Builder {
    /// The same in a place that was taken before.
    pub(super) fn start_at(&self, place: Place) -> Result<SoftIoc, IocError> {
        self.check()?;
        let mut shell = self.start_in(&place, None)?;
        let base = release(&mut shell)?;
        Ok(SoftIoc::new(shell, place, self.clone(), base))
    }

    /// Starts the IOC in a place that it has, without the calc record of index
    /// `missing`.
    pub(super) fn start_in(
        &self,
        place: &Place,
        missing: Option<usize>,
    ) -> Result<Shell, IocError> {
        let deadline =
            Deadline::after(self.deadline.unwrap_or_else(|| usual_deadline(self.start_up.pvs)));
        let program = self.found_program()?;
        let has_definition = self.start_up.write_definition(place, program.as_ref())?;
        let command = self.command(place, program.as_ref(), has_definition)?;
        let mut shell = Shell::start(&command, &deadline)?;
        let served = match &self.start_up.script {
            Some(script) => run_user_script(&mut shell, place, script, &deadline),
            None => self.run_own_script(&mut shell, place, missing, program.as_ref(), &deadline),
        };
        shell.with_output(served)?;
        if self.start_up.has_pv_access {
            place.prove_pv_access(&mut shell, &deadline)?;
        }
        if !self.start_up.after_init.is_empty() {
            self.start_up.write_after_init(place)?;
            let script = path_word(&place.folder.path().join(AFTER_INIT))?;
            shell.run_script(&script, &deadline, "run the commands after iocInit")?;
        }
        Ok(shell)
    }

    fn run_own_script(
        &self,
        shell: &mut Shell,
        place: &Place,
        missing: Option<usize>,
        program: Option<&Program>,
        deadline: &Deadline,
    ) -> Result<(), IocError> {
        if let Some(program) = program {
            check_release(shell, program)?;
        }
        let declare = match program {
            Some(Program { kind: Kind::Application(_), path }) => {
                declarations(shell, path, &place.folder.path().join(DEFINITION))?
            }
            _ => String::new(),
        };
        self.start_up.write(place, missing, &declare)?;
        shell.run_script(START_UP, deadline, "serve")?;
        place.prove(deadline)
    }

    /// The program of the caller's own, if there is one.
    fn found_program(&self) -> Result<Option<Program>, IocError> {
        let of_script = || self.start_up.script.as_deref().and_then(program::of_script);
        self.program.clone().or_else(of_script).map(|path| Program::found(&path)).transpose()
    }

    fn command(
        &self,
        place: &Place,
        program: Option<&Program>,
        has_definition: bool,
    ) -> Result<Command, IocError> {
        let mut command = match program {
            Some(program) => Command::new(&program.path),
            None if self.start_up.has_pv_access => Command::new(embedded::tool("softIocPvx")?),
            None => Command::new(embedded::tool("softIoc")?),
        };
        let is_application = program.is_some_and(|p| matches!(p.kind, Kind::Application(_)));
        if is_application && !has_definition && self.start_up.script.is_none() {
            return Err(no_definition(program));
        }
        if has_definition && !is_application {
            command = command.argument("-D").argument(place.folder.path().join(DEFINITION));
        }
        let folders = std::env::join_paths(self.start_up.folders_to_search()).ok();
        Ok(command
            .cores(&self.cores)
            .folder(self.working_folder(place))
            .removed_with_harness(place.folder.path())
            .environment(folders.map(|folders| ("EPICS_DB_INCLUDE_PATH".to_owned(), folders)))
            .environment(server_environment(
                &place.ports,
                &self.peers,
                self.array_limit(),
                self.reach,
            ))
            .environment(Shell::environment()))
    }

    /// A script of the user's own names its files from its own folder.
    fn working_folder(&self, place: &Place) -> PathBuf {
        match self.start_up.script.as_deref().map(absolute) {
            Some(script) => script.parent().unwrap_or(place.folder.path()).to_owned(),
            None => place.folder.path().to_owned(),
        }
    }
}

/// Runs a script of the user's own, and `iocInit` if it did not do that.
fn run_user_script(
    shell: &mut Shell,
    place: &Place,
    script: &Path,
    deadline: &Deadline,
) -> Result<(), IocError> {
    let script = absolute(script);
    shell.run_foreign_script(&path_word(&script)?, deadline)?;
    if place.prove_by_report(shell, deadline)? {
        return Ok(());
    }
    shell.run("iocInit")?;
    match place.prove_by_report(shell, deadline)? {
        true => Ok(()),
        false => Err(shell.refused(0)),
    }
}

/// The commands that make the record types of an IOC application known.
fn declarations(shell: &mut Shell, program: &Path, definition: &Path) -> Result<String, IocError> {
    const SUFFIX: &str = "_registerRecordDeviceDriver";
    let known = shell.run_all(&["help".to_owned()])?.concat();
    let registering: Vec<&str> =
        known.split_whitespace().filter(|word| word.ends_with(SUFFIX)).collect();
    let own = program.file_name().map(|name| name.to_string_lossy().replace('-', "_"));
    let own = registering.iter().find(|word| own.as_deref() == word.strip_suffix(SUFFIX));
    match (own, registering.as_slice()) {
        (Some(command), _) | (None, [command]) => {
            Ok(format!("dbLoadDatabase {}\n{command} pdbbase\n", path_word(definition)?))
        }
        (None, found) => Err(IocError::InvalidRequest(format!(
            "{} is no softIoc (its usage has no -D), and its shell has {} commands that end in \
             {SUFFIX}, of which none has its name; give it a script that loads its database \
             definition and registers (`Builder::script`, `--cmd`)",
            program.display(),
            found.len()
        ))),
    }
}

fn no_definition(program: Option<&Program>) -> IocError {
    let name = program.map(|program| program.path.display().to_string()).unwrap_or_default();
    IocError::InvalidRequest(format!(
        "{name} is no softIoc (its usage has no -D), and no database definition was found at \
         dbd/NAME.dbd of its top folder; give one (`Builder::dbd`, `--dbd`), or a script that \
         loads it (`Builder::script`, `--cmd`)"
    ))
}

/// The release of Base that the IOC says it is of, such as `7.0.8`.
fn release(shell: &mut Shell) -> Result<Option<String>, IocError> {
    let printed = shell.run_all(&["coreRelease".to_owned()])?.concat();
    let release = printed.lines().find_map(|line| line.strip_prefix("## EPICS "));
    Ok(release.map(|release| release.trim().trim_start_matches('R').to_owned()))
}

/// Refuses a Base whose shell goes on after an error: what it did not load would be missing
/// without a word.
fn check_release(shell: &mut Shell, program: &Program) -> Result<(), IocError> {
    if shell.run_all(&["help".to_owned()])?.concat().split_whitespace().any(|word| word == "on") {
        return Ok(());
    }
    let release = release(shell)?.unwrap_or_else(|| "of an unknown release".to_owned());
    Err(IocError::InvalidRequest(format!(
        "{} is of EPICS Base {release}, whose shell has no `on error break`: what it refuses would \
         be missing without a word. Use Base {OLDEST_BASE} or newer, or give it a script of your \
         own (`Builder::script`, `--cmd`)",
        program.path.display()
    )))
}

fn usual_deadline(pvs: usize) -> Duration {
    START_DEADLINE + Duration::from_micros(200) * u32::try_from(pvs).unwrap_or(u32::MAX)
}
