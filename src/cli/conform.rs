//! `conform`: what clients must answer, and whether they do.

use std::path::Path;

use epics_gauge::approach::{Approach, Catalogue};
use epics_gauge::campaign;
use epics_gauge::conform::{
    Check, Checks, ConformFormat, Field, Interrupted, Known, Matrix, Reported, Server, render,
    run as run_checks,
};
use epics_gauge::ioc::{ServerKind, Servers};
use epics_gauge::python_site::Missing;

use super::arguments::ConformArguments;
use super::exit::Exit;
use super::progress::{chosen_only, environments, python_site};
use super::run::own_program;
use super::stdout::print;
use super::{Failure, catalogue, interrupt, servers};

pub(super) fn run(arguments: &ConformArguments) -> Result<Exit, Failure> {
    let checks = checks(arguments)?;
    if arguments.list {
        return list(&checks.all);
    }
    interrupt::listen().map_err(Failure::unmeasured)?;
    let catalogue = catalogue(arguments.approaches_file.as_deref())?;
    let approaches = approaches(&catalogue, &arguments.approaches)?;
    let mut servers = servers(arguments.servers_file.as_deref())?;
    let chosen_servers = chosen_servers(&mut servers, &arguments.servers)?;
    let needs_python =
        |server: &Server| servers.get(&server.name).is_some_and(|kind| kind.needs_python_site);
    let is_needed = approaches.iter().any(Approach::needs_python_site)
        || chosen_servers.iter().any(needs_python);
    let site = match is_needed {
        true => python_site(),
        false => Err(Missing("no approach needs Python".to_owned())),
    };
    let chosen = approaches.iter().map(|approach| (&*approach.name, &approach.chosen));
    environments(chosen.filter_map(chosen_only))?;
    let candidates = campaign::candidates(&approaches, &own_program()?, &site);
    let known = Known::built_in().map_err(Failure::unmeasured)?;
    let report = |reported: Reported<'_>| match reported {
        Reported::Begins { approach, server } => eprintln!("{approach} on {server}"),
    };
    let servers = servers.with_site(site).with_program(&own_program()?);
    let matrix = run_checks(&checks, &servers, &chosen_servers, &candidates, &known, report);
    match matrix.map_err(Failure::unmeasured)? {
        Err(Interrupted) => Ok(Exit::Interrupted),
        Ok(matrix) => conclude(arguments, &Matrix { files: files(arguments), ..matrix }),
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

/// The servers that are named, with the protocols that they serve; else the usual ones.
fn chosen_servers(servers: &mut Servers, names: &[String]) -> Result<Vec<Server>, Failure> {
    if names.is_empty() {
        let usual = servers.all().iter().filter(|kind| kind.is_usual);
        return Ok(usual.filter_map(|kind| server(kind, false)).collect());
    }
    names.iter().map(|name| named_server(servers, name)).collect()
}

fn named_server(servers: &mut Servers, name: &str) -> Result<Server, Failure> {
    let kind = servers.resolve(name, &[]).map_err(Failure::usage)?;
    server(&kind, true).ok_or_else(|| {
        let can = servers.all().iter().filter(|kind| kind.holds.is_some());
        let can: Vec<&str> = can.map(|kind| &*kind.name).collect();
        Failure::usage(format!(
            "`{name}` cannot hold the records of the checks: its manifest has no `conform`; \
             servers that can are {} (docs/conformance.md)",
            can.join(", ")
        ))
    })
}

/// A server that holds records; by name with all protocols that it serves.
fn server(kind: &ServerKind, is_named: bool) -> Option<Server> {
    let holds = kind.holds.clone()?;
    let mut protocols = kind.protocols.clone();
    if is_named {
        protocols.extend(&holds.also);
    }
    Some(Server { name: kind.name.clone(), protocols, holds })
}

/// What a command needs to find the user's own files.
fn files(arguments: &ConformArguments) -> Vec<String> {
    let given = [
        ("--approaches", &arguments.approaches_file),
        ("--servers", &arguments.servers_file),
        ("--checks", &arguments.checks_file),
    ];
    let words = given.into_iter().filter_map(|(option, file)| {
        Some([option.to_owned(), file.as_ref()?.display().to_string()])
    });
    words.flatten().collect()
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
