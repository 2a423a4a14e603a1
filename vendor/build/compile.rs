//! Compiles the libraries of EPICS Base, and the objects of its programs, once
//! per archive, compiler and flags; a build script that runs again for any
//! other reason finds them ready.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::Base;
use crate::compiler::{Said, compiler, identity, no_compiler};
use crate::fetch::sha256_hex;
use crate::generate;
use crate::libraries::{LIBRARIES, operating_system, targets_macos};
use crate::pins::Source;
use crate::stop::{Outcome, Stop, copy, make_folder, out_dir, read, remove, write};
use crate::system_packages::Need;

/// EPICS Base, built into OUT_DIR.
pub(crate) struct Built {
    pub(crate) include: PathBuf,
    pub(crate) libraries: PathBuf,
    /// Where the programs' objects are, named by [`program_object`].
    objects: PathBuf,
    version: String,
    compiler: String,
}

/// Sources of the programs, which are no part of a library.
const PROGRAM_SOURCES: [&str; 4] = [
    "modules/database/src/std/softIoc/softMain.cpp",
    "modules/ca/src/client/caRepeater.cpp",
    "modules/ca/src/client/catime.c",
    "modules/ca/src/client/catimeMain.c",
];

/// What every release is compiled with.
const DEFINES: [(&str, Option<&str>); 2] =
    [("UNIX", None), ("EPICS_COMMANDLINE_LIBRARY", Some("EPICS_COMMANDLINE_LIBRARY_EPICS"))];

pub(crate) fn base(tree: &Path, source: &Source) -> Outcome<Built> {
    let folder = out_dir().join("base");
    let include = folder.join("include");
    let built = Built {
        libraries: folder.join("lib"),
        objects: folder.join("programs"),
        version: generate::version(tree)?,
        compiler: identity(&compiler(true))?,
        include,
    };
    let stamp = folder.join("key");
    let key = key(source, &RECIPE)?;
    if fs::read_to_string(&stamp).is_ok_and(|known| known == key) {
        return Ok(built);
    }
    remove(&folder)?;
    let tables = folder.join("tables.c");
    generate::headers_and_tables(tree, &built.include, &tables)?;
    compile_all(tree, &tables, &built, &folder.join("objects"))?;
    remove(&folder.join("objects"))?;
    write(&stamp, &key)?;
    Ok(built)
}

impl Built {
    pub(crate) fn program_object(&self, source: &str) -> PathBuf {
        self.objects.join(source).with_extension("o")
    }

    pub(crate) fn into_base(self, source: &Source) -> Base {
        Base {
            includes: vec![self.include],
            libraries: self.libraries,
            needed: Vec::new(),
            version: self.version,
            origin: format!("{} {} sha256:{}", source.name, source.version, source.sha256),
            compiler: self.compiler,
        }
    }
}

const RECIPE: [&str; 5] = [
    include_str!("compile.rs"),
    include_str!("compiler.rs"),
    include_str!("generate.rs"),
    include_str!("libraries.rs"),
    include_str!("tables.rs"),
];

/// Everything that what is built depends on.
pub(crate) fn key(source: &Source, recipe: &[&str]) -> Outcome<String> {
    let mut key =
        format!("archive {}\nrecipe {}\n", source.sha256, sha256_hex(recipe.concat().as_bytes()));
    for cpp in [false, true] {
        let build = compiler(cpp);
        let tool = build.try_get_compiler().map_err(|error| no_compiler(&error))?;
        // Not the command as a whole: it carries the environment with it.
        let (path, flags) = (tool.path().display(), tool.args());
        key += &format!("{}\n{path} {flags:?}\n", identity(&build)?);
    }
    Ok(key)
}

/// Compiles all C++ files of all libraries in one go, then all C files: cc
/// waits for the slowest file at the end of each go, and C files are quick.
fn compile_all(tree: &Path, tables: &Path, built: &Built, objects: &Path) -> Outcome<()> {
    make_folder(objects)?;
    let mut owners = Vec::new();
    let mut includes = vec![built.include.clone()];
    for library in &LIBRARIES {
        includes.extend(library.include_folders(tree)?);
        owners.extend(library.sources(tree)?.into_iter().map(|file| (file, Some(library.name))));
    }
    owners.push((tables.to_path_buf(), Some("Com")));
    owners.extend(PROGRAM_SOURCES.iter().map(|file| (tree.join(file), None)));

    let typed = typed_tables(tree)?;
    let mut defines = DEFINES.to_vec();
    defines.extend(typed.iter().map(|name| (name.as_str(), None)));
    let mut compiled: Vec<(PathBuf, Option<&str>)> = Vec::new();
    for cpp in [true, false] {
        let (files, names): (Vec<_>, Vec<_>) = owners
            .iter()
            .filter(|(file, _)| (file.extension().is_some_and(|e| e == "cpp")) == cpp)
            .cloned()
            .unzip();
        let outputs =
            Compilation { what: "EPICS Base", cpp, defines: &defines, includes: &includes }
                .run(&files, objects)?;
        for ((file, name), output) in files.iter().zip(names).zip(outputs) {
            match PROGRAM_SOURCES.iter().find(|program| file.ends_with(program)) {
                Some(program) => copy(&output, &built.program_object(program))?,
                None => compiled.push((output, name)),
            }
        }
    }
    for library in &LIBRARIES {
        let members = compiled.iter().filter(|(_, name)| *name == Some(library.name));
        archive(library.name, members.map(|(object, _)| object.as_path()), &built.libraries)?;
    }
    Ok(())
}

/// Which tables of functions have types, as the archive's own build says: releases differ.
fn typed_tables(tree: &Path) -> Outcome<Vec<String>> {
    let text = read(&tree.join("setup.py"))?;
    let quoted = text.split('\'').skip(1).step_by(2);
    let mut names: Vec<String> =
        quoted.filter(|word| word.starts_with("USE_TYPED_")).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    Ok(names)
}

/// Files that are compiled in one go, with what the compiler is told of them.
pub(crate) struct Compilation<'a> {
    pub(crate) what: &'a str,
    pub(crate) cpp: bool,
    pub(crate) defines: &'a [(&'a str, Option<&'a str>)],
    pub(crate) includes: &'a [PathBuf],
}

impl Compilation<'_> {
    /// Answers with the object of each file.
    pub(crate) fn run(&self, files: &[PathBuf], objects: &Path) -> Outcome<Vec<PathBuf>> {
        let said = Arc::new(Said::default());
        let mut build = compiler(self.cpp);
        build.out_dir(objects).includes(self.includes).files(files);
        build.message_logger(Some(said.clone()));
        let system_defines: &[(&str, Option<&str>)] = match operating_system() {
            "Darwin" => &[("darwin", None)],
            _ => &[("linux", None), ("_GNU_SOURCE", None), ("_DEFAULT_SOURCE", None)],
        };
        for (name, value) in self.defines.iter().chain(system_defines) {
            build.define(name, *value);
        }
        if self.cpp && targets_macos() {
            build.std("c++11");
        }
        build.try_compile_intermediates().map_err(|error| Stop {
            tried: format!("compile {}\n{error}", self.what),
            why: said.tail(),
            mend: "see that the compiler above works and knows C11 and C++11; CC and CXX choose \
                   another one, and EPICS_BASE=/path uses an installed EPICS Base instead"
                .to_string(),
        })
    }
}

pub(crate) fn archive<'a>(
    name: &str,
    objects: impl Iterator<Item = &'a Path>,
    folder: &Path,
) -> Outcome<()> {
    make_folder(folder)?;
    let mut build = compiler(true);
    build.out_dir(folder).objects(objects).cargo_metadata(false);
    build.try_compile(name).map_err(|error| Stop {
        tried: format!("make lib{name}.a"),
        why: error.to_string(),
        mend: format!("{}\nor correct the variable AR", Need::Binutils.advice()),
    })
}
