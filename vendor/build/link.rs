//! Links the programs that the package starts, and tells cargo what the
//! package itself links.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Base;
use crate::compile::Built;
use crate::compiler::{compiler, identity};
use crate::libraries::{LIBRARIES, targets_macos};
use crate::pvxs::{self, Pvxs};
use crate::stop::{Outcome, Trying, make_folder, out_dir, remove, run, watch};

/// Parts of ours in every softIoc.
const SOFT_IOC_SHIMS: [&str; 2] =
    ["vendor/shim/softioc_register.cpp", "vendor/shim/frame_generator.cpp"];

/// The main program of a softIoc from an installed Base.
const SOFT_IOC_MAIN: &str = "vendor/shim/softioc_main.cpp";

/// Our C interface to pvxs' client, which Rust calls.
#[cfg(feature = "cli")]
const PVXS_CLIENT: &str = "vendor/shim/pvxs_client.cpp";

/// As in `lib<name>.a`.
const PVXS_CLIENT_LIBRARY: &str = "epics_gauge_pvxs";

/// What Base needs of the system, on Linux.
const SYSTEM_LIBRARIES: [&str; 4] = ["pthread", "m", "rt", "dl"];

/// What an IOC is linked from.
pub(crate) struct SoftIoc {
    objects: Vec<PathBuf>,
    /// Where Base's libraries are.
    folder: PathBuf,
    kind: Libraries,
    /// What those need of the system, beside [`SYSTEM_LIBRARIES`].
    needed: Vec<&'static str>,
}

impl SoftIoc {
    /// The IOC that serves Channel Access only.
    fn link(&self) -> Outcome<()> {
        self.link_as("softIoc", &[])
    }

    /// The IOC that serves pvAccess too.
    pub(crate) fn link_with_pvxs(&self, pvxs: &Pvxs) -> Outcome<()> {
        let file = |name: &str| pvxs.libraries.join(format!("lib{name}.a"));
        let mut libraries = whole(&[file(pvxs::IOC_LIBRARY)]);
        libraries.extend(pvxs::LIBRARIES.map(|name| file(name).display().to_string()));
        self.link_as("softIocPvx", &libraries)
    }

    fn link_as(&self, program: &str, libraries: &[String]) -> Outcome<()> {
        link(program, &self.objects, libraries, &self.folder, self.kind, &self.needed)
    }
}

/// Base's own programs: the IOC, the repeater, and the yardstick for clients.
pub(crate) fn programs(built: &Built) -> Outcome<SoftIoc> {
    let folder = &built.libraries;
    let object = |source| built.program_object(source);
    let mut objects = compiled_shims(&SOFT_IOC_SHIMS, std::slice::from_ref(&built.include))?;
    objects.push(object("modules/database/src/std/softIoc/softMain.cpp"));
    let soft_ioc = SoftIoc {
        objects,
        folder: folder.clone(),
        kind: Libraries::WholeArchives,
        needed: Vec::new(),
    };
    soft_ioc.link()?;
    let repeater = object("modules/ca/src/client/caRepeater.cpp");
    link("caRepeater", &[repeater], &[], folder, Libraries::Archives, &[])?;
    let catime = ["modules/ca/src/client/catimeMain.c", "modules/ca/src/client/catime.c"];
    link("catime", &catime.map(object), &[], folder, Libraries::Archives, &[])?;
    Ok(soft_ioc)
}

/// The IOC of an installed Base, whose own program lacks our device support.
pub(crate) fn installed_soft_ioc(includes: &[PathBuf], libraries: &Path) -> Outcome<SoftIoc> {
    let mut objects = compiled_shims(&SOFT_IOC_SHIMS, includes)?;
    objects.extend(compiled_shims(&[SOFT_IOC_MAIN], includes)?);
    let files = |suffix| {
        LIBRARIES.each_ref().map(|library| libraries.join(format!("lib{}.{suffix}", library.name)))
    };
    let shared = if targets_macos() { "dylib" } else { "so" };
    let (files, kind) = match files("a") {
        archives if archives.iter().all(|archive| archive.is_file()) => {
            (archives, Libraries::WholeArchives)
        }
        _ => (files(shared), Libraries::Shared),
    };
    files.iter().for_each(|file| watch(&file.display().to_string()));
    let needed = match kind {
        Libraries::Shared => Vec::new(),
        _ => needed_by(&libraries.join("libCom.a"))?,
    };
    let soft_ioc = SoftIoc { objects, folder: libraries.to_path_buf(), kind, needed };
    soft_ioc.link()?;
    Ok(soft_ioc)
}

/// What an archive of libCom needs of the system beside [`SYSTEM_LIBRARIES`]: Base's make
/// compiles it with readline where that is installed. A shared libCom names what it needs.
pub(crate) fn needed_by(lib_com: &Path) -> Outcome<Vec<&'static str>> {
    const SIGNS: [(&str, &str); 2] = [("rl_bind_key", "readline"), ("gl_get_line", "tecla")];
    let archive = fs::read(lib_com).trying(|| format!("read {}", lib_com.display()))?;
    let has = |symbol: &str| archive.windows(symbol.len()).any(|word| word == symbol.as_bytes());
    Ok(SIGNS.iter().filter(|(symbol, _)| has(symbol)).map(|(_, library)| *library).collect())
}

/// Our C interface to pvxs' client, as a library beside those of pvxs.
#[cfg(feature = "cli")]
pub(crate) fn pvxs_client(pvxs: &Pvxs) -> Outcome<()> {
    let object = compiled_shim(PVXS_CLIENT, &pvxs.includes)?;
    crate::compile::archive(PVXS_CLIENT_LIBRARY, std::iter::once(object.as_path()), &pvxs.libraries)
}

/// Our small supervisor of child processes.
pub(crate) fn supervisor() -> Outcome<()> {
    const SOURCE: &str = "vendor/shim/supervisor.c";
    watch(SOURCE);
    identity(&compiler(false))?;
    let program = out_dir().join("supervisor");
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
/// What needs a library comes before it.
pub(crate) fn tell_cargo(base: &Base, pvxs: Option<&Pvxs>) {
    if cfg!(feature = "cli") {
        link_with_package(base, pvxs);
    }
    if let Some(pvxs) = pvxs {
        println!("cargo:rustc-env=GAUGE_PVXS_VERSION={}", pvxs.version);
        println!("cargo:rustc-env=GAUGE_PVXS_SOURCE={}", pvxs.origin);
    }
    println!("cargo:rustc-env=EPICS_GAUGE_BASE_VERSION={}", base.version);
    println!("cargo:rustc-env=EPICS_GAUGE_BASE_SOURCE={}", base.origin);
    println!("cargo:rustc-env=EPICS_GAUGE_CXX={}", base.compiler);
}

/// The fixture starts programs, and calls nothing of Base itself.
fn link_with_package(base: &Base, pvxs: Option<&Pvxs>) {
    println!("cargo:rustc-link-search=native={}", base.libraries.display());
    if let Some(pvxs) = pvxs {
        println!("cargo:rustc-link-search=native={}", pvxs.libraries.display());
        for library in [PVXS_CLIENT_LIBRARY].iter().chain(&pvxs::LIBRARIES) {
            println!("cargo:rustc-link-lib=dylib={library}");
        }
    }
    for library in ["ca", "Com", if targets_macos() { "c++" } else { "stdc++" }] {
        println!("cargo:rustc-link-lib=dylib={library}");
    }
    if !targets_macos() {
        for library in SYSTEM_LIBRARIES.iter().chain(&base.needed) {
            println!("cargo:rustc-link-lib=dylib={library}");
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Libraries {
    /// Every object, exported by name: record support is looked up with dlsym.
    WholeArchives,
    Archives,
    /// Needed whether or not a symbol of them is named: see above.
    Shared,
}

/// `libraries` come between the objects and Base's libraries in `folder`, those that are
/// `needed` of the system after them.
fn link(
    program: &str,
    objects: &[PathBuf],
    libraries: &[String],
    folder: &Path,
    kind: Libraries,
    needed: &[&str],
) -> Outcome<()> {
    let path = out_dir().join(program);
    remove(&path)?;
    let mut command = compiler(true).get_compiler().to_command();
    command.arg("-o").arg(&path).args(objects).args(libraries);
    add_libraries(&mut command, folder, kind);
    if !targets_macos() {
        let of_system = SYSTEM_LIBRARIES.iter().chain(needed);
        command.args(of_system.map(|library| format!("-l{library}")));
    }
    command.args(strip_flags());
    run(&mut command, |_| {
        "see that the C++ compiler above can link a program. An EPICS_BASE has to be of version \
         7.0.5 or later, and the libraries that it was built with (readline) have to be \
         installed with their headers, such as libreadline-dev"
            .to_string()
    })
    .map(drop)
}

fn add_libraries(command: &mut Command, folder: &Path, kind: Libraries) {
    let paths = LIBRARIES.iter().map(|library| folder.join(format!("lib{}.a", library.name)));
    match kind {
        Libraries::Archives => {
            command.args(paths);
        }
        Libraries::Shared => {
            if !targets_macos() {
                command.args(["-rdynamic", "-Wl,--no-as-needed"]);
            }
            command.arg(format!("-Wl,-rpath,{}", folder.display())).arg("-L").arg(folder);
            command.args(LIBRARIES.iter().map(|library| format!("-l{}", library.name)));
        }
        Libraries::WholeArchives => {
            command.arg("-rdynamic").args(whole(&paths.collect::<Vec<_>>()));
        }
    }
}

/// Has the linker take every object of `archives`.
fn whole(archives: &[PathBuf]) -> Vec<String> {
    let paths = archives.iter().map(|path| path.display().to_string());
    if targets_macos() {
        return paths.map(|path| format!("-Wl,-force_load,{path}")).collect();
    }
    let mut words = vec!["-Wl,--whole-archive".to_string()];
    words.extend(paths);
    words.push("-Wl,--no-whole-archive".to_string());
    words
}

/// The symbols that dlsym finds are kept apart and survive stripping.
fn strip_flags() -> &'static [&'static str] {
    if targets_macos() { &[] } else { &["-s"] }
}

fn compiled_shims(sources: &[&str], includes: &[PathBuf]) -> Outcome<Vec<PathBuf>> {
    sources.iter().map(|source| compiled_shim(source, includes)).collect()
}

fn compiled_shim(source: &str, includes: &[PathBuf]) -> Outcome<PathBuf> {
    watch(source);
    let object = out_dir().join("shim").join(source).with_extension("o");
    make_folder(object.parent().unwrap_or(Path::new(".")))?;
    let mut command = compiler(true).get_compiler().to_command();
    command.args(["-std=c++11", "-c", source, "-o"]).arg(&object);
    command.args(includes.iter().map(|folder| format!("-I{}", folder.display())));
    run(&mut command, |_| format!("correct {source}"))?;
    Ok(object)
}
