//! `doctor`: what is installed, what is missing, and the command that mends it.

mod tools;

use std::path::Path;

use epics_gauge::approach::Approach;
use epics_gauge::embedded::cache_folder;
use epics_gauge::ioc::{ServerKind, Servers, Wanted};
use epics_gauge::measure;
use epics_gauge::protocol::Protocol;
use epics_gauge::python_site::{Missing, PythonSite};

use super::arguments::DoctorArguments;
use super::exit::Exit;
use super::progress::python_site;
use super::stdout::print;
use super::{Failure, catalogue, interrupt, servers};

/// What was found, or why it is missing.
type Finding = Result<String, String>;

pub(super) fn run(arguments: &DoctorArguments) -> Result<Exit, Failure> {
    interrupt::listen().map_err(Failure::unmeasured)?;
    let catalogue = catalogue(arguments.approaches_file.as_deref())?;
    let gauge = std::env::current_exe().map_err(Failure::unmeasured)?;
    let mut is_well = print_finding("system", &Ok(tools::system()))?;
    is_well &= print_finding("cache", &Ok(cache_folder().display().to_string()))?;
    let python = tools::python();
    is_well &= print_finding("Python", &python)?;
    let pip = tools::pip();
    tell_compiler(&tools::compiler())?;
    let site = python_site();
    // pip has done its work once the packages are there.
    if let (Some(pip), true) = (pip, site.is_err()) {
        is_well &= print_finding("pip", &pip)?;
    }
    is_well &= print_finding("Python packages", &packages(&site, &python))?;
    let servers = servers(arguments.servers_file.as_deref())?.with_site(site.clone());
    for kind in servers.all() {
        is_well &= print_finding(
            &format!("server {}", kind.name),
            &serves(&servers, kind).map_err(|why| said_once(why, &site)),
        )?;
    }
    for approach in catalogue.all() {
        is_well &= print_finding(
            &approach.name,
            &versions(approach, &gauge, &site).map_err(|why| said_once(why, &site)),
        )?;
    }
    Ok(if is_well { Exit::Good } else { Exit::CouldNotMeasure })
}

/// Prints a finding; gives whether it is a good one.
fn print_finding(name: &str, finding: &Finding) -> Result<bool, Failure> {
    match finding {
        Ok(found) => print(&format!("ok       {name}: {found}\n"))?,
        Err(reason) => print(&format!("MISSING  {name}: {}\n", indented(reason)))?,
    }
    Ok(finding.is_ok())
}

/// Further lines stand below the first, not below the word before it.
fn indented(reason: &str) -> String {
    reason.replace('\n', "\n         ")
}

/// What is absent and not needed is not missing.
fn tell_compiler(finding: &Finding) -> Result<(), Failure> {
    match finding {
        Ok(found) => print(&format!("ok       C++ compiler: {found}\n")),
        Err(reason) => print(&format!("absent   C++ compiler: {reason}\n")),
    }
}

/// Reports what concerns the Python packages only there.
fn said_once(reason: String, site: &Result<PythonSite, Missing>) -> String {
    match site {
        Err(missing) if reason.contains(&missing.0) => {
            "needs the Python packages, which are missing: see above".to_owned()
        }
        _ => reason,
    }
}

fn serves(servers: &Servers, kind: &ServerKind) -> Finding {
    let wanted = Wanted { pvs: 1, ..Wanted::default() };
    let server = servers.start(&kind.name, &wanted).map_err(|error| error.to_string())?;
    server.stop();
    let built = match (kind.has_shell, epics_gauge::PV_ACCESS) {
        (true, Ok(pvxs)) if kind.protocols.contains(&Protocol::Pva) => format!(", pvxs {pvxs}"),
        (true, _) => format!(", EPICS Base {}", epics_gauge::BASE),
        (false, _) => String::new(),
    };
    Ok(format!("starts and serves{built}"))
}

fn packages(site: &Result<PythonSite, Missing>, python: &Finding) -> Finding {
    let site = site.as_ref().map_err(|missing| match python {
        Err(reason) if *reason == missing.0 => "needs Python: see above".to_owned(),
        _ => missing.to_string(),
    })?;
    Ok(format!("{} for {}", site.folder().display(), site.python().display()))
}

fn versions(approach: &Approach, gauge: &Path, site: &Result<PythonSite, Missing>) -> Finding {
    let command = approach.command(gauge, site).map_err(|missing| missing.to_string())?;
    let hello = measure::handshake(&command).map_err(|failure| failure.message)?;
    let versions: Vec<String> =
        hello.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    Ok(versions.join(", "))
}
