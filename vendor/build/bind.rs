//! Describes C interfaces to Rust with bindgen, and finds the libclang that
//! bindgen needs.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::compiler::compiler;
use crate::fetch;
use crate::libraries::targets_macos;
use crate::pins::pinned;
use crate::stop::{Outcome, Stop, Trying, run, watch, write};
use crate::system_packages::Need;

const HEADERS: &str = "\
#include <cadef.h>
#include <caeventmask.h>
#include <db_access.h>
#include <alarm.h>
#include <epicsTime.h>
";

const FUNCTIONS: &str = "ca_.*|epicsTimeToStrftime|epicsTimeGetCurrent";
const TYPES: &str = "dbr_.*|ca_.*|chid|chtype|evid|channel_state|oldChannelNotify|\
    (connection|event|exception|access_rights)_handler_args|epicsTimeStamp|epicsAlarm.*|evargs|capri";
const CONSTANTS: &str = "ECA_.*|CA_.*|DBR_.*|DBF_.*|DBE_.*|cs_.*|TYPENOTCONN|MAX_.*_SIZE|\
    MAX_ENUM_STATES|dbr_.*|dbf_.*|POSIX_TIME_AT_EPICS_EPOCH|NO_ALARM|.*_ALARM|epicsSev.*|epicsAlarm.*";

/// Our interface to pvxs' client.
const PVXS_CLIENT: &str = "vendor/shim/pvxs_client.h";

/// Where the wheel keeps libclang.
const WHEEL_LIBRARIES: &str = "libclang-VERSION.data/platlib/clang/native";

/// Describes libca.
pub(crate) fn write_libca(includes: &[PathBuf], target: &Path) -> Outcome<()> {
    // A real file, because clang's evaluation of macros reads it again.
    let header = target.with_extension("h");
    write(&header, HEADERS)?;
    let builder = builder(&header, includes)?
        .allowlist_function(FUNCTIONS)
        .allowlist_type(TYPES)
        .allowlist_var(CONSTANTS)
        .prepend_enum_name(false)
        // Status codes are compared with what functions return: C int.
        .default_macro_constant_type(bindgen::MacroTypeVariation::Signed)
        // The status codes are made by macros with arguments, which only
        // clang itself can work out.
        .clang_macro_fallback()
        .clang_macro_fallback_build_dir(target.parent().unwrap_or(Path::new(".")));
    write_bindings(builder, "cadef.h", target)
}

/// Describes our own interface to pvxs' client.
pub(crate) fn write_pvxs_client(target: &Path) -> Outcome<()> {
    watch(PVXS_CLIENT);
    let builder = builder(Path::new(PVXS_CLIENT), &[])?.allowlist_file(format!(".*{PVXS_CLIENT}"));
    write_bindings(builder, PVXS_CLIENT, target)
}

fn builder(header: &Path, includes: &[PathBuf]) -> Outcome<bindgen::Builder> {
    load_libclang()?;
    // Headers of a Base that was installed for gcc refuse clang before 7.0.8, though what
    // they declare is the same.
    let is_for_gcc = includes.iter().any(|folder| folder.ends_with("compiler/gcc"));
    Ok(bindgen::Builder::default()
        .header(header.display().to_string())
        .clang_args(includes.iter().map(|folder| format!("-I{}", folder.display())))
        .clang_args(is_for_gcc.then_some("-U__clang__"))
        .clang_args(compiler_headers()?)
        .generate_comments(false)
        .derive_default(true))
}

fn write_bindings(builder: bindgen::Builder, described: &str, target: &Path) -> Outcome<()> {
    let bindings = builder.generate().map_err(|error| Stop {
        tried: format!("describe {described} to Rust with bindgen"),
        why: error.to_string(),
        mend: format!(
            "see that libclang finds the system's headers\n{}\n{}\n\
             LIBCLANG_PATH=/folder chooses another libclang",
            Need::Compiler.advice(),
            Need::Libclang.advice()
        ),
    })?;
    bindings.write_to_file(target).trying(|| format!("write {}", target.display()))
}

/// The system's libclang if there is one, else the pinned wheel's.
fn load_libclang() -> Outcome<()> {
    if clang_sys::is_loaded() {
        return Ok(());
    }
    let Err(missing) = clang_sys::load() else {
        return Ok(());
    };
    let source = pinned("libclang")?;
    let wheel = fetch::unpacked_wheel(&source).map_err(|stop| Stop {
        why: format!("{}\nand the system has none: {missing}", stop.why),
        mend: format!("{}\nor {}", Need::Libclang.advice(), stop.mend),
        ..stop
    })?;
    let folder = wheel.join(WHEEL_LIBRARIES.replace("VERSION", &source.version));
    // SAFETY: the build script has one thread here.
    unsafe { env::set_var("LIBCLANG_PATH", &folder) };
    clang_sys::load().map_err(|why| Stop {
        tried: format!("load libclang from {}", folder.display()),
        why,
        mend: Need::Libclang.advice(),
    })
}

/// The wheel brings libclang without its headers (stddef.h and the like); the
/// compiler's own serve, after those that a complete libclang finds by itself.
fn compiler_headers() -> Outcome<Vec<String>> {
    let mut command = Command::new(compiler(false).get_compiler().path());
    let printed = run(command.arg("-print-file-name=include"), |_| Need::Compiler.advice())?;
    let mut arguments = Vec::new();
    if Path::new(printed.trim()).is_dir() {
        arguments.push(format!("-idirafter{}", printed.trim()));
    }
    if targets_macos() {
        let mut xcrun = Command::new("xcrun");
        let sdk = run(xcrun.arg("--show-sdk-path"), |_| Need::Compiler.advice())?;
        arguments.push(format!("-isysroot{}", sdk.trim()));
    }
    Ok(arguments)
}
