//! An EPICS Base that is installed already, named by `EPICS_BASE`: nothing of
//! Base is fetched or compiled then. Its softIoc is linked anew, from its own
//! libraries and our device support.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::Base;
use crate::libraries::{operating_system, target_architecture, targets_macos};
use crate::link::SoftIoc;
use crate::stop::{
    Outcome, Stop, Trying, copy, make_folder, out_dir, read, remove, variable, write,
};
use crate::{database, link};

pub(crate) fn from_variable() -> Outcome<Option<(Base, SoftIoc)>> {
    // Watched even when unused, and before anything can fail.
    let architecture = variable("EPICS_HOST_ARCH");
    let Some(root) = variable("EPICS_BASE").map(PathBuf::from) else {
        return Ok(None);
    };
    let architecture =
        architecture.map_or_else(target_architecture, |value| value.to_string_lossy().into_owned());
    let programs = root.join("bin").join(&architecture);
    let libraries = root.join("lib").join(&architecture);

    let version_header = found(&root, root.join("include/epicsVersion.h"))?;
    let version = version(&root, &read(&version_header)?)?;
    check_release(&root, &version)?;
    found(&root, root.join("include/cadef.h"))?;
    for program in ["caRepeater", "catime"] {
        link_program(&found(&root, programs.join(program))?, &out_dir().join(program))?;
    }
    let dbd = read(&found(&root, root.join("dbd/softIoc.dbd"))?)?;
    write(&out_dir().join("softIoc.dbd"), &database::with_ours(&dbd)?)?;

    let compiler = if targets_macos() { "clang" } else { "gcc" };
    let includes = vec![
        root.join("include"),
        root.join("include/os").join(operating_system()),
        root.join("include/compiler").join(compiler),
    ];
    let absolute = std::path::absolute(&libraries).trying(|| "find the libraries".to_string())?;
    let soft_ioc = link::installed_soft_ioc(&includes, &absolute)?;
    let archive = absolute.join("libCom.a");
    let needed = if archive.is_file() { link::needed_by(&archive)? } else { Vec::new() };
    let base = Base {
        includes,
        libraries: libraries_to_link(&root, &libraries)?,
        version,
        origin: root.display().to_string(),
        needed,
        compiler: "not known: EPICS_BASE was compiled elsewhere".to_string(),
    };
    Ok(Some((base, soft_ioc)))
}

/// Static libraries are copied to a folder without shared ones, which the
/// linker would prefer; shared ones stay where the programs expect them.
fn libraries_to_link(root: &Path, libraries: &Path) -> Outcome<PathBuf> {
    let statics = ["libca.a", "libCom.a"].map(|name| libraries.join(name));
    if statics.iter().all(|library| library.is_file()) {
        let folder = out_dir().join("installed/lib");
        make_folder(&folder)?;
        for library in &statics {
            println!("cargo:rerun-if-changed={}", library.display());
            copy(library, &folder.join(library.file_name().unwrap_or_default()))?;
        }
        return Ok(folder);
    }
    let suffix = if targets_macos() { "dylib" } else { "so" };
    for name in ["ca", "Com"] {
        found(root, libraries.join(format!("lib{name}.{suffix}")))?;
    }
    // For the package's own programs and tests; other crates and doc tests
    // have to find the libraries by themselves (LD_LIBRARY_PATH). The old kind
    // of run path also serves libca's own need of libCom.
    let old_kind = if targets_macos() { "" } else { "--disable-new-dtags," };
    println!("cargo:rustc-link-arg=-Wl,{old_kind}-rpath,{}", libraries.display());
    Ok(libraries.to_path_buf())
}

/// A link rather than a copy: a program that finds its shared libraries
/// relative to itself goes on finding them.
fn link_program(program: &Path, place: &Path) -> Outcome<()> {
    remove(place)?;
    symlink(program, place).trying(|| format!("link {} to {}", place.display(), program.display()))
}

fn version(root: &Path, header: &str) -> Outcome<String> {
    let line = header.lines().find(|line| line.contains("EPICS_VERSION_FULL"));
    let quoted = line.and_then(|line| line.split('"').nth(1));
    quoted
        .map(str::to_string)
        .ok_or_else(|| not_a_base(root, "include/epicsVersion.h names no version"))
}

/// `path`, watched by cargo, if it is there.
fn found(root: &Path, path: PathBuf) -> Outcome<PathBuf> {
    if !path.is_file() {
        return Err(not_a_base(root, &format!("there is no {}", path.display())));
    }
    println!("cargo:rerun-if-changed={}", path.display());
    std::path::absolute(&path).trying(|| format!("find {}", path.display()))
}

/// Our softIoc finds the support of record types by a function that older releases lack.
fn check_release(root: &Path, version: &str) -> Outcome<()> {
    const OLDEST: [u32; 3] = [7, 0, 5];
    let numbers = version.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    if numbers.collect::<Vec<_>>().as_slice() >= OLDEST.as_slice() {
        return Ok(());
    }
    Err(Stop {
        tried: format!("use the EPICS Base installed at EPICS_BASE={}", root.display()),
        why: format!(
            "it is of release {version}, which has no registerAllRecordDeviceDrivers (Base 7.0.5)"
        ),
        mend:
            "`unset EPICS_BASE` to build the pinned EPICS Base; the softIoc of that release works \
               all the same, as `epics-gauge ioc --program PATH` and `compare --ioc-a PATH`"
                .to_string(),
    })
}

fn not_a_base(root: &Path, why: &str) -> Stop {
    Stop {
        tried: format!("use the EPICS Base installed at EPICS_BASE={}", root.display()),
        why: format!("it is not a built EPICS Base 7: {why}"),
        mend: "`unset EPICS_BASE` to build the pinned EPICS Base, or point it at the top folder of an \
               installed one (EPICS_HOST_ARCH names its lib/ and bin/ folder)"
            .to_string(),
    }
}
