//! Checks the repository itself: the direction of dependencies, what must not be
//! in any file, and that documents and code name the same things.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which modules of the library a module may use. The order is that of the
/// data: each line uses only names of lines above it.
const MAY_USE: &[(&str, &[&str])] = &[
    ("named", &[]),
    ("worker_protocol", &["named"]),
    ("protocol", &["named"]),
    ("units", &[]),
    ("system_packages", &[]),
    ("frame", &[]),
    ("stats", &[]),
    ("channel_access", &[]),
    ("pv_access", &[]),
    ("sys", &[]),
    ("lookup", &["named"]),
    ("link", &[]),
    ("record", &["named", "worker_protocol", "protocol", "lookup", "link"]),
    ("scenario", &["worker_protocol", "link", "lookup", "record", "units"]),
    ("manifest", &["protocol"]),
    ("embedded", &["manifest"]),
    ("process", &["channel_access", "embedded", "link", "lookup", "pv_access"]),
    ("missing", &["embedded", "process"]),
    ("python_site", &["embedded", "missing", "process", "record", "system_packages"]),
    (
        "ioc",
        &[
            "channel_access",
            "embedded",
            "link",
            "lookup",
            "manifest",
            "missing",
            "named",
            "process",
            "protocol",
            "pv_access",
            "python_site",
        ],
    ),
    ("worker", &["channel_access", "pv_access", "worker_protocol", "sys", "units"]),
    (
        "approach",
        &["embedded", "lookup", "manifest", "process", "protocol", "python_site", "record"],
    ),
    (
        "measure",
        &[
            "approach",
            "channel_access",
            "pv_access",
            "frame",
            "ioc",
            "link",
            "lookup",
            "process",
            "worker_protocol",
            "protocol",
            "python_site",
            "record",
            "scenario",
            "units",
        ],
    ),
    ("hosts", &["embedded", "ioc", "lookup", "process", "python_site", "record"]),
    ("conform", &["ioc", "measure", "named", "process", "protocol", "units", "worker_protocol"]),
    ("metric", &["named", "worker_protocol", "record", "scenario", "stats", "units"]),
    (
        "judge",
        &[
            "named",
            "worker_protocol",
            "lookup",
            "metric",
            "protocol",
            "record",
            "scenario",
            "stats",
        ],
    ),
    (
        "campaign",
        &[
            "approach",
            "embedded",
            "ioc",
            "judge",
            "link",
            "measure",
            "metric",
            "process",
            "worker_protocol",
            "python_site",
            "record",
            "scenario",
            "stats",
        ],
    ),
    (
        "report",
        &[
            "judge",
            "link",
            "lookup",
            "named",
            "worker_protocol",
            "metric",
            "record",
            "scenario",
            "stats",
            "units",
        ],
    ),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of the repository: those that git tracks, else (in a source
/// archive) none.
fn tracked_files() -> Vec<PathBuf> {
    let output = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    let listed = output.map(|output| output.stdout).unwrap_or_default();
    let names = String::from_utf8(listed).unwrap();
    names
        .split_terminator('\0')
        .map(PathBuf::from)
        .filter(|path| root().join(path).is_file())
        .collect()
}

fn module_of(path: &Path) -> Option<String> {
    let inside = path.strip_prefix("src").ok()?;
    let first = inside.components().next()?.as_os_str().to_str()?;
    Some(first.trim_end_matches(".rs").to_owned())
}

/// The modules that follow `crate::` in the code, with comments left out.
fn used_modules(source: &str) -> BTreeSet<String> {
    let code: String = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| format!("{line}\n"))
        .collect();
    code.split("crate::")
        .skip(1)
        .map(|rest| rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect())
        .filter(|name: &String| !name.is_empty())
        .collect()
}

fn rust_files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn modules_use_only_what_the_table_allows() {
    for file in rust_files_below(&root().join("src")) {
        let path = file.strip_prefix(root()).unwrap();
        let module = module_of(path).unwrap();
        if ["lib", "main", "cli"].contains(&module.as_str()) {
            continue;
        }
        let row = MAY_USE.iter().find(|(name, _)| *name == module);
        let (_, allowed) = row.unwrap_or_else(|| panic!("{module} is not in the table"));
        for used in used_modules(&fs::read_to_string(&file).unwrap()) {
            assert!(
                used == module || allowed.contains(&used.as_str()),
                "{} uses {used}, which {module} may not",
                path.display()
            );
        }
    }
}

#[test]
fn the_table_of_modules_has_one_direction() {
    let mut above = BTreeSet::new();
    for (module, uses) in MAY_USE {
        for used in *uses {
            assert!(above.contains(used), "{module} uses {used}, which comes later");
        }
        above.insert(*module);
    }
}

/// The parts of the report; each uses only those before it.
const REPORT: [&str; 7] =
    ["subject", "published", "export", "words", "document", "sections", "render"];

/// The parts of the report that a file of `part` uses and may not.
fn wrong_parts_of_the_report(part: &str, source: &str) -> Vec<String> {
    let place = |name: &str| REPORT.iter().position(|one| *one == name);
    let code: Vec<&str> =
        source.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let paths = ["crate::report::", "super::super::", "use super::"];
    let used = code.iter().flat_map(|line| {
        paths.iter().flat_map(|path| line.split(path).skip(1)).map(|rest| {
            rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect::<String>()
        })
    });
    used.filter(|name| place(name) > place(part)).collect()
}

#[test]
fn parts_of_the_report_use_only_those_before_them() {
    let folder = root().join("src/report");
    for file in rust_files_below(&folder) {
        let path = file.strip_prefix(&folder).unwrap();
        let first = path.components().next().unwrap().as_os_str().to_str().unwrap();
        let part = first.trim_end_matches(".rs");
        if part != "mod" {
            assert!(REPORT.contains(&part), "{part} is not in the list");
            let wrong = wrong_parts_of_the_report(part, &fs::read_to_string(&file).unwrap());
            assert!(wrong.is_empty(), "{} uses {wrong:?}", path.display());
        }
    }
}

#[test]
fn a_part_of_the_report_that_uses_a_later_one_is_found() {
    let source = "use crate::report::document::Part;\nuse crate::judge::Verdict;\n\
                  // use crate::report::render::Html;\nuse super::sections::document;\n";
    assert_eq!(wrong_parts_of_the_report("words", source), ["document", "sections"]);
    assert_eq!(wrong_parts_of_the_report("document", source), ["sections"]);
    assert!(wrong_parts_of_the_report("render", source).is_empty());
}

#[test]
fn only_process_starts_processes() {
    for file in rust_files_below(&root().join("src")) {
        let path = file.strip_prefix(root()).unwrap();
        if module_of(path).unwrap() == "process" {
            continue;
        }
        let source = fs::read_to_string(&file).unwrap();
        assert!(
            !source.contains("process::Command::new(\"")
                && !source.contains("std::process::Command"),
            "{} starts a process by itself",
            path.display()
        );
    }
}

#[test]
fn no_file_names_a_registry_or_a_place_on_somebodys_machine() {
    let wrong =
        ["files.pythonhosted", "pypi.org/", "crates.io/api", "static.crates", "/home/", "/root/"];
    for path in tracked_files() {
        if path.ends_with("Cargo.lock") || path.ends_with("tests/it/tidy.rs") {
            continue;
        }
        let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
        for word in wrong {
            assert!(!text.contains(word), "{} names {word}", path.display());
        }
    }
}

#[test]
fn the_documents_explain_every_exit_code_variable_and_word() {
    let pages = read("docs/environment.md") + &read("docs/glossary.md");
    for code in ["0", "1", "2", "3", "4", "64", "130"] {
        assert!(pages.contains(&format!("| {code} |")), "exit code {code}");
    }
    let words = [
        "approach", "server", "scenario", "stage", "mode", "worker", "block", "sample", "record",
        "floor", "limit", "verdict",
    ];
    for word in words {
        assert!(pages.contains(&format!("| {word} |")), "glossary: {word}");
    }
    for variable in variables_in_sources() {
        assert!(pages.contains(&variable), "environment variable {variable}");
    }
}

/// Variables that our own code reads.
fn variables_in_sources() -> BTreeSet<String> {
    let mut variables = BTreeSet::new();
    for folder in ["src", "vendor/build"] {
        for file in rust_files_below(&root().join(folder)) {
            let source = fs::read_to_string(file).unwrap();
            for rest in source.split("\"EPICS_GAUGE_").skip(1) {
                let name: String =
                    rest.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
                variables.insert(format!("EPICS_GAUGE_{name}"));
            }
        }
    }
    // Written by the build script for the crate itself.
    let internal = ["EPICS_GAUGE_BASE_VERSION", "EPICS_GAUGE_BASE_SOURCE", "EPICS_GAUGE_CXX"];
    variables.retain(|name| !internal.contains(&name.as_str()));
    variables
}
