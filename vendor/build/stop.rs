//! How the build stops: what was tried, why it failed, and what mends it. And
//! the small helpers that every part needs to stop that way.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) type Outcome<T> = Result<T, Stop>;

/// Why the build cannot go on, in words for whoever runs it.
#[derive(Debug)]
pub(crate) struct Stop {
    pub(crate) tried: String,
    pub(crate) why: String,
    pub(crate) mend: String,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: epics-gauge cannot be built")?;
        for (label, text) in [("tried", &self.tried), ("why", &self.why), ("mend", &self.mend)] {
            let mut lines = text.trim_end().lines();
            writeln!(f, "  {label:>5}: {}", lines.next().unwrap_or_default())?;
            for line in lines {
                writeln!(f, "         {line}")?;
            }
        }
        Ok(())
    }
}

/// Names the step that an I/O error stopped.
pub(crate) trait Trying<T> {
    fn trying(self, step: impl FnOnce() -> String) -> Outcome<T>;
}

impl<T, E: fmt::Display> Trying<T> for Result<T, E> {
    fn trying(self, step: impl FnOnce() -> String) -> Outcome<T> {
        self.map_err(|error| Stop {
            tried: step(),
            why: error.to_string(),
            mend: "look at the path above (rights, free space), then build again; \
                   `cargo clean -p epics-gauge` starts afresh"
                .to_string(),
        })
    }
}

/// Runs `command` and returns its stdout. A failure carries the tail of what
/// it printed; `mend` gets to see the whole of it.
pub(crate) fn run(command: &mut Command, mend: impl FnOnce(&str) -> String) -> Outcome<String> {
    let tried = shown(command);
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => {
            let why = format!("`{}` did not start: {error}", command.get_program().display());
            return Err(Stop { tried, mend: mend(&why), why });
        }
    };
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let printed = format!("{stdout}\n{}", String::from_utf8_lossy(&output.stderr));
    let why = format!("{}\n{}", output.status, tail(&printed));
    Err(Stop { tried, why, mend: mend(&printed) })
}

/// The last lines of a tool's output: the end is where tools say what failed.
pub(crate) fn tail(printed: &str) -> String {
    const LINES: usize = 15;
    let lines: Vec<&str> = printed.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|argument| argument.to_string_lossy().into_owned()));
    words.join(" ")
}

/// Reads a variable and has cargo watch it. Nothing else in the build reads
/// one of ours, so none can be read without being watched.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    println!("cargo:rerun-if-env-changed={name}");
    env::var_os(name).filter(|value| !value.is_empty())
}

/// Reads a variable that cargo itself sets for build scripts.
pub(crate) fn cargo_variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name} for build scripts"))
}

pub(crate) fn out_dir() -> PathBuf {
    PathBuf::from(cargo_variable("OUT_DIR"))
}

/// Has cargo run the build script again when a file of the package changes.
pub(crate) fn watch(path: &str) {
    println!("cargo:rerun-if-changed={path}");
}

pub(crate) fn read(path: &Path) -> Outcome<String> {
    fs::read_to_string(path).trying(|| format!("read {}", path.display()))
}

pub(crate) fn write(path: &Path, text: &str) -> Outcome<()> {
    make_folder(path.parent().unwrap_or(Path::new(".")))?;
    fs::write(path, text).trying(|| format!("write {}", path.display()))
}

pub(crate) fn copy(from: &Path, to: &Path) -> Outcome<()> {
    make_folder(to.parent().unwrap_or(Path::new(".")))?;
    fs::copy(from, to).map(drop).trying(|| format!("copy {} to {}", from.display(), to.display()))
}

pub(crate) fn make_folder(path: &Path) -> Outcome<()> {
    fs::create_dir_all(path).trying(|| format!("make the folder {}", path.display()))
}

/// Removes what may be there, so that a writer never writes through a link.
pub(crate) fn remove(path: &Path) -> Outcome<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => Ok(()),
    };
    removed.trying(|| format!("remove {}", path.display()))
}
