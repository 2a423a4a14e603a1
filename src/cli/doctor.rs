//! `doctor`: what is installed, what is missing, and the command that mends it.

use epics_gauge::approach::{Approach, Catalogue, PythonSite};
use epics_gauge::embedded::cache_folder;
use epics_gauge::ioc::SoftIoc;
use epics_gauge::measure;

use super::arguments::DoctorArguments;
use super::exit::Exit;
use super::progress::Note;
use super::{Failure, interrupt};

pub(super) fn run(arguments: &DoctorArguments) -> Result<Exit, Failure> {
    interrupt::listen().map_err(Failure::unmeasured)?;
    let mut catalogue = Catalogue::built_in();
    if let Some(file) = &arguments.approaches_file {
        catalogue.add_file(file).map_err(Failure::usage)?;
    }
    let mut is_well = true;
    let mut tell = |name: &str, outcome: Result<String, String>| match outcome {
        Ok(found) => println!("ok       {name}: {found}"),
        Err(reason) => {
            is_well = false;
            println!("MISSING  {name}: {reason}");
        }
    };
    tell("cache", Ok(cache_folder().display().to_string()));
    tell("softioc", softioc());
    let note = Note::new("preparing the Python packages (downloaded once)");
    let site = PythonSite::install(|line| note.update(line));
    drop(note);
    tell(
        "Python packages",
        site.as_ref()
            .map(|site| format!("{} for {}", site.folder().display(), site.python().display()))
            .map_err(ToString::to_string),
    );
    let gauge = std::env::current_exe().map_err(Failure::unmeasured)?;
    for approach in catalogue.all() {
        tell(&approach.name, versions(approach, &gauge, &site));
    }
    Ok(if is_well { Exit::Good } else { Exit::CouldNotMeasure })
}

fn softioc() -> Result<String, String> {
    let ioc = SoftIoc::builder().start().map_err(|error| error.to_string())?;
    ioc.stop();
    Ok(format!("starts and serves, EPICS Base {}", epics_gauge::BASE))
}

fn versions(
    approach: &Approach,
    gauge: &std::path::Path,
    site: &Result<PythonSite, epics_gauge::approach::Missing>,
) -> Result<String, String> {
    let command = approach.command(gauge, site).map_err(|missing| missing.to_string())?;
    let hello = measure::greet(&command).map_err(|failure| failure.message)?;
    let versions: Vec<String> =
        hello.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    Ok(versions.join(", "))
}
