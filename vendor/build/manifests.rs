//! Reads and checks the manifests of approaches and servers, and writes down for
//! `src/embedded.rs` which manifests and which Python files there are.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::manifest::{ApproachManifest, Manifest, Placed, ServerManifest, check_floors};
use crate::stop::{Outcome, Stop, Trying, cargo_variable, out_dir, read, watch, write};

/// Where the manifests of approaches lie, those in Python beside their code.
const APPROACHES: [&str; 2] = ["src/worker/native", "src/worker/python"];
/// Where those of servers lie.
const SERVERS: [&str; 2] = ["src/ioc/native", "src/ioc/python"];
/// The package that all Python workers and servers use.
const PACKAGE: &str = "python/epics_gauge";

pub(crate) fn write_embedded() -> Outcome<()> {
    let approaches = checked::<ApproachManifest>(&APPROACHES)?;
    check_floors(&approaches).map_err(|why| wrong(APPROACHES[0], why))?;
    checked::<ServerManifest>(&SERVERS)?;
    let mut code = String::new();
    for (list, folders) in [("APPROACHES", APPROACHES), ("SERVERS", SERVERS)] {
        let files = files_in(&folders, "toml")?.into_iter().map(|path| (path.clone(), path));
        list_of_files(&mut code, list, files, "(&str, &str)", "include_str!");
    }
    let beside_manifests = files_in(&[APPROACHES[1], SERVERS[1]], "py")?;
    let flat = beside_manifests.into_iter().map(|path| {
        let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
        (name, path)
    });
    let package = files_in(&folders_of_package()?, "py")?.into_iter();
    let python = flat.chain(package.map(|path| (path.clone(), path)));
    list_of_files(&mut code, "PYTHON", python, "(&str, &[u8])", "include_bytes!");
    write(&out_dir().join("manifests.rs"), &code)
}

/// All manifests of one kind, each with its code.
fn checked<M: Manifest>(folders: &[&str]) -> Outcome<Vec<Placed<M>>> {
    let lock = read(Path::new("vendor/python.lock"))?;
    watch("vendor/python.lock");
    let mut found: Vec<Placed<M>> = Vec::new();
    for path in files_in(folders, "toml")? {
        let one = Placed::<M>::read(&path, &read(Path::new(&path))?)
            .and_then(|one| complete(one, &path, &lock))
            .map_err(|why| wrong(&path, why))?;
        if found.iter().any(|other| other.name == one.name) {
            return Err(wrong(&path, format!("there is a manifest of `{}` already", one.name)));
        }
        found.push(one);
    }
    for path in files_in(&folders[1..], "py")? {
        let is_code = path.contains(&format!("/{}_", M::PREFIX));
        // What starts the servers is called so too.
        let is_shared = path.ends_with("server_main.py");
        if is_code && !is_shared && !found.iter().any(|one| path.ends_with(&one.python_file())) {
            return Err(wrong(&path, "it has no manifest: NAME.toml beside it".to_owned()));
        }
    }
    Ok(found)
}

/// A Python manifest has its code beside it and its package in the lock.
fn complete<M: Manifest>(one: Placed<M>, path: &str, lock: &str) -> Result<Placed<M>, String> {
    if !one.is_python {
        return Ok(one);
    }
    let code = Path::new(path).with_file_name(one.python_file());
    if !code.is_file() {
        return Err(format!("its code {} is not there", code.display()));
    }
    let package = one.manifest.package().unwrap_or_default();
    if !lock.lines().any(|line| line.starts_with(&format!("{package}=="))) {
        return Err(format!("`package`: vendor/python.lock pins no `{package}`"));
    }
    Ok(one)
}

fn wrong(path: &str, why: String) -> Stop {
    Stop {
        tried: format!("read {path}"),
        why,
        mend: "correct that file; src/manifest.rs describes every key, and the manifests beside \
               it are examples"
            .to_string(),
    }
}

/// The package's folder and those in it.
fn folders_of_package() -> Outcome<Vec<String>> {
    let mut folders = vec![PACKAGE.to_owned()];
    for entry in fs::read_dir(PACKAGE).trying(|| format!("look into {PACKAGE}"))? {
        let path = entry.trying(|| format!("look into {PACKAGE}"))?.path();
        if path.join("__init__.py").is_file() {
            folders.push(path.display().to_string());
        }
    }
    folders.sort();
    Ok(folders)
}

/// Writes a constant with a name and the content of each file, given as name and path.
fn list_of_files(
    code: &mut String,
    list: &str,
    files: impl Iterator<Item = (String, String)>,
    item: &str,
    include: &str,
) {
    let root = cargo_variable("CARGO_MANIFEST_DIR");
    let mut lines = format!("pub(crate) const {list}: &[{item}] = &[\n");
    for (name, path) in files {
        let file = Path::new(&root).join(&path);
        let _ = writeln!(lines, "    ({name:?}, {include}({file:?})),");
    }
    lines += "];\n";
    *code += &lines;
}

/// The files in these folders, not below them, in the order of their names. A folder is
/// watched as a whole: a new file in it runs the build script again.
fn files_in(folders: &[impl AsRef<str>], extension: &str) -> Outcome<Vec<String>> {
    let mut files = Vec::new();
    for folder in folders {
        let folder = folder.as_ref();
        watch(folder);
        let entries = fs::read_dir(folder).trying(|| format!("look into {folder}"))?;
        for entry in entries {
            let path = entry.trying(|| format!("look into {folder}"))?.path();
            if path.extension().is_some_and(|found| found == extension) {
                files.push(path.display().to_string());
            }
        }
    }
    files.sort();
    Ok(files)
}
