//! Writes the headers that Base's make generates and the source archive leaves
//! to its `setup.py`, and lays all public headers out in one folder.

use std::path::Path;

use crate::libraries::LIBRARIES;
use crate::stop::{Outcome, Stop, copy, read, write};
use crate::tables;

/// `NAME = value` lines of a make file, in their order.
pub(crate) type Definitions = Vec<(String, String)>;

/// Fills `include` with every public header of the four libraries and writes
/// the tables that libCom is compiled with to `tables_c`.
pub(crate) fn headers_and_tables(tree: &Path, include: &Path, tables_c: &Path) -> Outcome<()> {
    let mut public = Vec::new();
    for library in &LIBRARIES {
        write(&include.join(format!("{}API.h", library.api)), &api_header(library.api))?;
        public.extend(library.public_headers(tree)?);
    }
    let release = definitions(tree, "CONFIG_BASE_VERSION")?;
    write(&include.join("epicsVersion.h"), &version_header(&release)?)?;
    write(&include.join("epicsVCS.h"), &vcs_header(&version(tree)?))?;
    // softMain.cpp wants a place to look for its dbd file. Ours is always given
    // one with `-D`, and a path of the building machine has no place in it.
    write(&include.join("epicsInstallDir.h"), "#define EPICS_BASE \".\"\n")?;
    for (template, config) in [
        ("modules/libcom/src/libComVersion.h@", "CONFIG_LIBCOM_VERSION"),
        ("modules/ca/src/client/caVersion.h@", "CONFIG_CA_VERSION"),
        ("modules/database/src/ioc/databaseVersion.h@", "CONFIG_DATABASE_VERSION"),
    ] {
        let header = Path::new(template.trim_end_matches('@')).file_name().unwrap_or_default();
        let text = filled_in(&read(&tree.join(template))?, &definitions(tree, config)?);
        write(&include.join(header), &text)?;
    }
    for header in &public {
        copy(header, &installed_place(include, header))?;
    }
    write(tables_c, &tables::source(tree, &public)?)
}

/// The version as Base's IOC reports it, such as "7.0.10" or "7.0.10.1-DEV".
pub(crate) fn version(tree: &Path) -> Outcome<String> {
    let release = definitions(tree, "CONFIG_BASE_VERSION")?;
    let value = |name| value_of(&release, name);
    let numbers = [value("EPICS_VERSION")?, value("EPICS_REVISION")?, value("EPICS_MODIFICATION")?];
    let patch = match value("EPICS_PATCH_LEVEL")? {
        "0" => String::new(),
        level => format!(".{level}"),
    };
    Ok(format!("{}{patch}{}", numbers.join("."), value("EPICS_DEV_SNAPSHOT")?))
}

/// Reads the plain definitions of a file in Base's `configure` folder.
pub(crate) fn definitions(tree: &Path, file: &str) -> Outcome<Definitions> {
    let text = read(&tree.join("configure").join(file))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    Ok(pairs.map(|(name, value)| (name.trim().to_string(), value.trim().to_string())).collect())
}

fn value_of<'a>(definitions: &'a Definitions, name: &str) -> Outcome<&'a str> {
    let found = definitions.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str()).ok_or_else(|| Stop {
        tried: format!("find {name} in the archive's configure folder"),
        why: "it is not defined there".to_string(),
        mend: "this pin is laid out differently: vendor/build/generate.rs has to follow it"
            .to_string(),
    })
}

/// Replaces each `@NAME@` of a template by its definition.
pub(crate) fn filled_in(template: &str, definitions: &Definitions) -> String {
    definitions
        .iter()
        .fold(template.to_string(), |text, (name, value)| text.replace(&format!("@{name}@"), value))
}

/// valgrind.h is included by its folder, every other header by its bare name.
fn installed_place(include: &Path, header: &Path) -> std::path::PathBuf {
    let name = header.file_name().unwrap_or_default();
    match header.parent().and_then(Path::file_name) {
        Some(folder) if folder == "valgrind" => include.join(folder).join(name),
        _ => include.join(name),
    }
}

fn version_header(release: &Definitions) -> Outcome<String> {
    let mut text = "#ifndef INC_epicsVersion_H\n#define INC_epicsVersion_H\n".to_string();
    let number = |name| value_of(release, name);
    let fields = ["EPICS_VERSION", "EPICS_REVISION", "EPICS_MODIFICATION", "EPICS_PATCH_LEVEL"];
    let mut numbers = Vec::new();
    for field in fields {
        text += &format!("#define {field} {}\n", number(field)?);
        numbers.push(number(field)?);
    }
    let snapshot = number("EPICS_DEV_SNAPSHOT")?;
    if numbers[3] == "0" {
        numbers.pop();
    }
    let short = numbers.join(".");
    text += &format!(
        "#define EPICS_DEV_SNAPSHOT \"{snapshot}\"\n\
         #define EPICS_SITE_VERSION \"\"\n\
         #define EPICS_VERSION_SHORT \"{short}\"\n\
         #define EPICS_VERSION_FULL \"{short}{snapshot}\"\n\
         #define EPICS_VERSION_STRING \"EPICS {short}{snapshot}\"\n\
         #define epicsReleaseVersion \"EPICS {short}{snapshot}\"\n\
         #ifndef VERSION_INT\n\
         #define VERSION_INT(V, R, M, P) (((V) << 24) | ((R) << 16) | ((M) << 8) | (P))\n\
         #endif\n\
         #define EPICS_VERSION_INT VERSION_INT({})\n\
         #endif\n",
        fields.join(", ")
    );
    Ok(text)
}

fn vcs_header(version: &str) -> String {
    format!(
        "#ifndef EPICS_VCS_VERSION\n#define EPICS_VCS_VERSION \"{version}\"\n#endif\n\
         #ifndef EPICS_VCS_VERSION_DATE\n#define EPICS_VCS_VERSION_DATE \"{version}\"\n#endif\n"
    )
}

/// Static libraries on Unix need no import and export marks, only visibility.
fn api_header(stem: &str) -> String {
    let macro_stem = stem.to_uppercase();
    format!(
        "#ifndef INC_{stem}API_H\n#define INC_{stem}API_H\n\
         #define {macro_stem}_API __attribute__((visibility(\"default\")))\n\
         #ifndef epicsStdCall\n#define epicsStdCall\n#endif\n#endif\n"
    )
}
