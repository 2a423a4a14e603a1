//! Links the programs that the package starts, and tells cargo what the
//! package itself links.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Base;
use crate::compile::Built;
use crate::compiler::{compiler, identity};
use crate::libraries::{LIBRARIES, targets_macos};
use crate::stop::{Outcome, make_folder, out_dir, remove, run, watch};

/// What Base needs of the system, on Linux.
const SYSTEM_LIBRARIES: [&str; 4] = ["pthread", "m", "rt", "dl"];

/// Base's own programs: the IOC, the repeater, and the yardstick for clients.
pub(crate) fn programs(built: &Built) -> Outcome<()> {
    let shim = compiled_shim("vendor/shim/softioc_register.cpp", built)?;
    let object = |source| built.program_object(source);
    link(
        "softIoc",
        &[object("modules/database/src/std/softIoc/softMain.cpp"), shim],
        built,
        Archives::Whole,
    )?;
    link(
        "caRepeater",
        &[object("modules/ca/src/client/caRepeater.cpp")],
        built,
        Archives::AsNeeded,
    )?;
    let catime = ["modules/ca/src/client/catimeMain.c", "modules/ca/src/client/catime.c"];
    link("catime", &catime.map(object), built, Archives::AsNeeded)
}

/// Our small supervisor of child processes.
pub(crate) fn leash() -> Outcome<()> {
    const SOURCE: &str = "vendor/shim/leash.c";
    watch(SOURCE);
    identity(&compiler(false))?;
    let program = out_dir().join("leash");
    remove(&program)?;
    let mut command = compiler(false).get_compiler().to_command();
    command.args(["-std=c11", SOURCE, "-o"]).arg(&program).args(strip_flags());
    run(&mut command, |_| format!("correct {SOURCE}, or see that the compiler above works"))
        .map(drop)
}

/// Names what the package's library links. `ca` and `Com` are asked for as
/// "dylib" although they are archives: rustc puts such libraries after all
/// Rust code, so that they also serve the crate `epics-ca`, which asks for the
/// same two, and the C++ library behind them is found to be needed by every
/// linker, for binaries, tests, doc tests and other crates alike.
pub(crate) fn tell_cargo(base: &Base) {
    println!("cargo:rustc-link-search=native={}", base.libraries.display());
    for library in ["ca", "Com", if targets_macos() { "c++" } else { "stdc++" }] {
        println!("cargo:rustc-link-lib=dylib={library}");
    }
    if !targets_macos() {
        for library in SYSTEM_LIBRARIES {
            println!("cargo:rustc-link-lib=dylib={library}");
        }
    }
    println!("cargo:rustc-env=EPICS_GAUGE_BASE_VERSION={}", base.version);
    println!("cargo:rustc-env=EPICS_GAUGE_BASE_SOURCE={}", base.origin);
    println!("cargo:rustc-env=EPICS_GAUGE_CXX={}", base.compiler);
}

#[derive(Clone, Copy, PartialEq)]
enum Archives {
    /// Every object, exported by name: record support is looked up with dlsym.
    Whole,
    AsNeeded,
}

fn link(program: &str, objects: &[PathBuf], built: &Built, archives: Archives) -> Outcome<()> {
    let path = out_dir().join(program);
    remove(&path)?;
    let mut command = compiler(true).get_compiler().to_command();
    command.arg("-o").arg(&path).args(objects);
    add_archives(&mut command, &built.libraries, archives);
    if !targets_macos() {
        command.args(SYSTEM_LIBRARIES.map(|library| format!("-l{library}")));
    }
    command.args(strip_flags());
    run(&mut command, |_| "see that the C++ compiler above can link a program".to_string())
        .map(drop)
}

fn add_archives(command: &mut Command, folder: &Path, archives: Archives) {
    let paths = LIBRARIES.iter().map(|library| folder.join(format!("lib{}.a", library.name)));
    match archives {
        Archives::AsNeeded => {
            command.args(paths);
        }
        Archives::Whole if targets_macos() => {
            command
                .arg("-rdynamic")
                .args(paths.map(|path| format!("-Wl,-force_load,{}", path.display())));
        }
        Archives::Whole => {
            command
                .args(["-rdynamic", "-Wl,--whole-archive"])
                .args(paths)
                .arg("-Wl,--no-whole-archive");
        }
    }
}

/// The symbols that dlsym finds are kept apart and survive stripping.
fn strip_flags() -> &'static [&'static str] {
    if targets_macos() { &[] } else { &["-s"] }
}

fn compiled_shim(source: &str, built: &Built) -> Outcome<PathBuf> {
    watch(source);
    let object = out_dir().join("shim").join(source).with_extension("o");
    make_folder(object.parent().unwrap_or(Path::new(".")))?;
    let mut command = compiler(true).get_compiler().to_command();
    command.arg("-c").arg(source).arg("-I").arg(&built.include).arg("-o").arg(&object);
    run(&mut command, |_| format!("correct {source}"))?;
    Ok(object)
}
