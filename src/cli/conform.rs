//! `conform`: what clients must answer, and whether they do.

use std::path::Path;

use epics_gauge::approach::{Approach, Catalogue};
use epics_gauge::campaign;
use epics_gauge::conform::{
    Check, Checks, ConformFormat, Field, Interrupted, Known, Matrix, Reported, render,
    run as run_checks,
};
use epics_gauge::protocol::Protocol;
use epics_gauge::python_site::Missing;

use super::arguments::ConformArguments;
use super::exit::Exit;
use super::progress::{chosen_only, environments, python_site};
use super::run::own_program;
use super::stdout::print;
use super::{Failure, catalogue, interrupt};

/// Which clients are asked on which server, unless the user names servers.
const SERVERS: [(&str, &[Protocol]); 2] =
    [("softioc", &[Protocol::Ca]), ("softioc-pva", &[Protocol::Pva])];

pub(super) fn run(arguments: &ConformArguments) -> Result<Exit, Failure> {
    let checks = checks(arguments)?;
    if arguments.list {
        return list(&checks.all);
    }
    interrupt::listen().map_err(Failure::unmeasured)?;
    let catalogue = catalogue(arguments.approaches_file.as_deref())?;
    let approaches = approaches(&catalogue, &arguments.approaches)?;
    let site = match approaches.iter().any(Approach::needs_python_site) {
        true => python_site(),
        false => Err(Missing("no approach needs Python".to_owned())),
    };
    let chosen = approaches.iter().map(|approach| (&*approach.name, &approach.chosen));
    environments(chosen.filter_map(chosen_only))?;
    let candidates = campaign::candidates(&approaches, &own_program()?, &site);
    let known = Known::built_in().map_err(Failure::unmeasured)?;
    let servers = servers(&arguments.servers)?;
    let report = |reported: Reported<'_>| match reported {
        Reported::Begins { approach, server } => eprintln!("{approach} on {server}"),
    };
    let matrix = run_checks(&checks, &servers, &candidates, &known, report);
    match matrix.map_err(Failure::unmeasured)? {
        Err(Interrupted) => Ok(Exit::Interrupted),
        Ok(matrix) => conclude(arguments, &matrix),
    }
}

fn checks(arguments: &ConformArguments) -> Result<Checks, Failure> {
    let mut checks = Checks::built_in().map_err(Failure::unmeasured)?;
    if let Some(file) = &arguments.checks_file {
        let text = read(file)?;
        checks.add(&file.display().to_string(), &text).map_err(Failure::usage)?;
    }
    for (what, names) in [("check", &arguments.checks), ("group", &arguments.groups)] {
        let name_of = |check: &Check| match what {
            "check" => check.id.clone(),
            _ => check.group.clone(),
        };
        for name in names {
            if !checks.all.iter().any(|check| name_of(check) == *name) {
                return Err(Failure::usage(format!(
                    "there is no {what} `{name}`; `epics-gauge conform --list` shows all"
                )));
            }
        }
        if !names.is_empty() {
            checks.all.retain(|check| names.contains(&name_of(check)));
        }
    }
    Ok(checks)
}

fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", file.display())))
}

fn list(checks: &[Check]) -> Result<Exit, Failure> {
    let line = |check: &Check| {
        let protocols: Vec<&str> = check.protocols.iter().map(|protocol| protocol.name()).collect();
        format!("{:<12} {:<40} {}\n", check.group, check.id, protocols.join(","))
    };
    print(&checks.iter().map(line).collect::<String>())?;
    Ok(Exit::Good)
}

/// The approaches that are named, else all usual ones.
fn approaches(catalogue: &Catalogue, names: &[String]) -> Result<Vec<Approach>, Failure> {
    if names.is_empty() {
        return Ok(catalogue.all().iter().filter(|one| one.is_usual).cloned().collect());
    }
    names.iter().map(|name| catalogue.resolve(name).map_err(Failure::usage)).collect()
}

/// The servers that are named, with the protocols that they serve; else [`SERVERS`].
fn servers(names: &[String]) -> Result<Vec<(String, Vec<Protocol>)>, Failure> {
    let owned = |(name, protocols): (&str, &[Protocol])| (name.to_owned(), protocols.to_vec());
    if names.is_empty() {
        return Ok(SERVERS.map(owned).to_vec());
    }
    let named = |name: &String| match name.as_str() {
        "softioc" => Ok(owned(SERVERS[0])),
        "softioc-pva" => Ok((name.clone(), vec![Protocol::Ca, Protocol::Pva])),
        _ => Err(Failure::usage(format!(
            "`{name}` cannot load the records of the checks; servers are softioc and softioc-pva"
        ))),
    };
    names.iter().map(named).collect()
}

fn conclude(arguments: &ConformArguments, matrix: &Matrix) -> Result<Exit, Failure> {
    let rendered = |format| render(matrix, format).map_err(Failure::unmeasured);
    print(&rendered(arguments.format)?)?;
    if let Some(folder) = &arguments.out {
        let wrong =
            |error| Failure::unmeasured(format!("cannot write {}: {error}", folder.display()));
        std::fs::create_dir_all(folder).map_err(wrong)?;
        for (name, format) in [
            ("conformance.md", ConformFormat::Markdown),
            ("conformance.html", ConformFormat::Html),
            ("conformance.json", ConformFormat::Json),
            ("conformance.xml", ConformFormat::Junit),
        ] {
            std::fs::write(folder.join(name), rendered(format)?).map_err(wrong)?;
        }
    }
    let answered = matrix.pages.iter().flat_map(|page| &page.columns);
    let is_answered = answered.clone().any(|column| column.not_asked.is_none());
    if matrix.count(Field::is_new_failure) > 0 {
        return Ok(Exit::LimitBroken);
    }
    Ok(if is_answered { Exit::Good } else { Exit::CouldNotMeasure })
}
