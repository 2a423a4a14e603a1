//! Compiles pvxs, its IOC side (QSRV 2) and the libevent that it brings, against
//! the EPICS Base that is used, and once only, as `compile.rs` does.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Base;
use crate::compile::{Compilation, archive, key};
use crate::fetch;
use crate::generate::{definitions, filled_in};
use crate::libevent;
use crate::libraries::{operating_system, target_architecture, targets_macos};
use crate::pins::{Source, pinned};
use crate::stop::{Outcome, Trying, copy, out_dir, read, remove, write};

/// pvxs, built into `OUT_DIR`.
pub(crate) struct Pvxs {
    /// Folders of its public headers and of those that it needs.
    pub(crate) includes: Vec<PathBuf>,
    /// Where [`LIBRARIES`] are, and [`IOC_LIBRARY`].
    pub(crate) libraries: PathBuf,
    /// What an IOC has to declare to get it.
    pub(crate) dbd: PathBuf,
    /// Such as "1.5.3".
    pub(crate) version: String,
    /// Where it came from, for reports.
    pub(crate) origin: String,
}

/// In the order in which the linker wants them: each before what it needs.
pub(crate) const LIBRARIES: [&str; 2] = ["pvxs", "event_core"];

/// Needs the libraries above; only for IOCs, and only whole.
pub(crate) const IOC_LIBRARY: &str = "pvxsIoc";

const CONFIGURE: &str = "CONFIG_PVXS_VERSION";

/// In the folders of C++ files, but not compiled by pvxs' own `setup.py`: the
/// first needs a JSON library, the others stand in where Base is too old.
const LEFT_OUT: [&str; 3] = ["json.cpp", "dummygroup.cpp", "dummysingle.cpp"];

/// Those of Base's make and of pvxs' own.
const DEFINES: [(&str, Option<&str>); 4] = [
    ("UNIX", None),
    ("PVXS_API_BUILDING", None),
    ("PVXS_IOC_API_BUILDING", None),
    ("PVXS_ENABLE_EXPERT_API", None),
];

const RECIPE: [&str; 4] = [
    include_str!("compile.rs"),
    include_str!("compiler.rs"),
    include_str!("libevent.rs"),
    include_str!("pvxs.rs"),
];

pub(crate) fn built(base: &Base) -> Outcome<Pvxs> {
    let source = pinned("pvxslibs")?;
    let tree = fetch::unpacked_archive(&source)?;
    let folder = out_dir().join("pvxs");
    let include = folder.join("include");
    let mut includes = vec![include.clone()];
    includes.extend(base.includes.iter().cloned());
    let pvxs = Pvxs {
        includes,
        libraries: folder.join("lib"),
        dbd: tree.join("ioc/pvxs7x.dbd"),
        version: version(&tree)?,
        origin: format!("{} {} sha256:{}", source.name, source.version, source.sha256),
    };
    let stamp = folder.join("key");
    let key = key_with_base(&source, base)?;
    if fs::read_to_string(&stamp).is_ok_and(|known| known == key) {
        return Ok(pvxs);
    }
    remove(&folder)?;
    write_headers(&tree, &include)?;
    compile_all(&tree, &pvxs, &folder.join("objects"))?;
    remove(&folder.join("objects"))?;
    write(&stamp, &key)?;
    Ok(pvxs)
}

fn key_with_base(source: &Source, base: &Base) -> Outcome<String> {
    Ok(key(source, &RECIPE)? + &format!("base {} of {}\n", base.version, base.origin))
}

fn version(tree: &Path) -> Outcome<String> {
    let known = definitions(tree, CONFIGURE)?;
    let fields = ["PVXS_MAJOR_VERSION", "PVXS_MINOR_VERSION", "PVXS_MAINTENANCE_VERSION"];
    let numbers = fields.map(|field| {
        known.iter().find(|(name, _)| name == field).map_or("?", |(_, value)| value.as_str())
    });
    Ok(numbers.join("."))
}

/// The headers that `setup.py` of the archive writes, and the public ones.
fn write_headers(tree: &Path, include: &Path) -> Outcome<()> {
    let mut values = definitions(tree, CONFIGURE)?;
    let architecture = target_architecture();
    let compiler = if targets_macos() { "clang" } else { "gcc" };
    for (name, value) in [
        ("EPICS_HOST_ARCH", architecture.as_str()),
        ("T_A", architecture.as_str()),
        ("OS_CLASS", operating_system()),
        ("CMPLR_CLASS", compiler),
    ] {
        values.push((name.to_string(), value.to_string()));
    }
    for (template, header) in
        [("src/describe.h@", "describe.h"), ("src/pvxs/versionNum.h@", "pvxs/versionNum.h")]
    {
        write(&include.join(header), &filled_in(&read(&tree.join(template))?, &values))?;
    }
    write(&include.join("pvxsVCS.h"), "#define PVXS_VCS_VERSION \"pip\"\n")?;
    for folder in ["src/pvxs", "ioc/pvxs"] {
        for header in files_of(&tree.join(folder), "h")? {
            copy(&header, &include.join("pvxs").join(header.file_name().unwrap_or_default()))?;
        }
    }
    libevent::write_configuration(tree, include)
}

/// All C++ files in one go, the largest first so that none is waited for at the
/// end; then all C files.
fn compile_all(tree: &Path, pvxs: &Pvxs, objects: &Path) -> Outcome<()> {
    let mut includes = ["src", "ioc"].map(|folder| tree.join(folder)).to_vec();
    // The second for `sys/queue.h`.
    includes.extend(["include", "compat"].map(|part| tree.join(libevent::FOLDER).join(part)));
    includes.extend(pvxs.includes.iter().cloned());
    let compile = |cpp, files: &[PathBuf]| {
        Compilation { what: "pvxs", cpp, defines: &DEFINES, includes: &includes }
            .run(files, objects)
    };

    let mut cpp_files = files_of(&tree.join("src"), "cpp")?;
    cpp_files.push(tree.join("src/os/default/osdSockExt.cpp"));
    cpp_files.extend(files_of(&tree.join("ioc"), "cpp")?);
    cpp_files.retain(|file| !LEFT_OUT.iter().any(|name| file.ends_with(name)));
    cpp_files.sort_by_key(|file| std::cmp::Reverse(fs::metadata(file).map_or(0, |it| it.len())));
    let mut c_files = files_of(&tree.join("ioc"), "c")?;
    c_files.extend(libevent::sources().iter().map(|file| tree.join(file)));

    let mut of_library: [(&str, Vec<PathBuf>); 3] =
        [(LIBRARIES[0], vec![]), (LIBRARIES[1], vec![]), (IOC_LIBRARY, vec![])];
    for (cpp, files) in [(true, &cpp_files), (false, &c_files)] {
        for (file, object) in files.iter().zip(compile(cpp, files)?) {
            let library = match file {
                _ if file.starts_with(tree.join("src")) => 0,
                _ if file.starts_with(tree.join("bundle")) => 1,
                _ => 2,
            };
            of_library[library].1.push(object);
        }
    }
    for (name, members) in &of_library {
        archive(name, members.iter().map(PathBuf::as_path), &pvxs.libraries)?;
    }
    Ok(())
}

/// The files of `folder` itself with this ending, in order.
fn files_of(folder: &Path, ending: &str) -> Outcome<Vec<PathBuf>> {
    let looking = || format!("look for .{ending} files in {}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).trying(looking)? {
        let path = entry.trying(looking)?.path();
        if path.extension().is_some_and(|found| found == ending) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
