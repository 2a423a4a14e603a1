//! The C and C++ compilers, told to do the same in every cargo profile.

use std::process::Command;
use std::sync::Mutex;

use cc::{BuildMessage, BuildMessageKind, BuildMessageLogger};

use crate::stop::{Outcome, Stop, run, tail};
use crate::system_packages::Need;

/// The flags of Base's own default build (`OPT_CFLAGS_YES` in its
/// CONFIG.gnuCommon), whatever cargo's profile: a Base without optimisation
/// would be measured as slow. Base never defines NDEBUG and neither do we, so
/// its assertions cost the same here as in a control room.
const OPTIMISATION: u32 = 3;

/// cc, told to be the same in every cargo profile. It watches `CC`, `CXX`,
/// `CFLAGS` and `CXXFLAGS` for cargo by itself.
pub(crate) fn compiler(cpp: bool) -> cc::Build {
    let mut build = cc::Build::new();
    build
        .cpp(cpp)
        .cpp_link_stdlib(None)
        .opt_level(OPTIMISATION)
        .debug(false)
        .force_frame_pointer(false)
        .inherit_rustflags(false)
        .pic(true)
        // Warnings about code that is not ours help nobody here.
        .warnings(false)
        .cargo_warnings(false);
    build
}

/// The first line of what the compiler says to `--version`.
pub(crate) fn identity(build: &cc::Build) -> Outcome<String> {
    let tool = build.try_get_compiler().map_err(|error| no_compiler(&error))?;
    let mut command = Command::new(tool.path());
    let said = run(command.arg("--version"), |_| how_to_get_a_compiler())?;
    Ok(said.lines().next().unwrap_or_default().trim().to_string())
}

fn how_to_get_a_compiler() -> String {
    format!("{}\nor correct the variables CC and CXX", Need::Compiler.advice())
}

pub(crate) fn no_compiler(error: &cc::Error) -> Stop {
    Stop {
        tried: "find the C and C++ compiler".to_string(),
        why: error.to_string(),
        mend: how_to_get_a_compiler(),
    }
}

/// What compilers print, kept for the moment when one fails.
#[derive(Default)]
pub(crate) struct Said(Mutex<String>);

impl Said {
    pub(crate) fn tail(&self) -> String {
        tail(&self.0.lock().expect("no compiler thread panics"))
    }
}

impl BuildMessageLogger for Said {
    fn log(&self, kind: BuildMessageKind, message: BuildMessage<'_>, _: &dyn std::any::Any) {
        if matches!(kind, BuildMessageKind::StderrForwarding) {
            let mut said = self.0.lock().expect("no compiler thread panics");
            *said += &format!("{message}\n");
        }
    }
}
