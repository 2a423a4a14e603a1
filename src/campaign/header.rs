//! The first line of a record file, and the commands that start its workers.

use std::path::Path;

use super::revision::{AskedRevision, revision};
use crate::approach::Approach;
use crate::measure::{Candidate, this_machine};
use crate::python_site::{Missing, PythonSite};
use crate::record::{RECORD_FORMAT, Run};

/// The first line of a run that begins now, with `arguments` of its command line. Reads the
/// commit of the working directory from git.
pub fn header(approaches: &[Approach], seed: u64, blocks: usize, arguments: Vec<String>) -> Run {
    Run {
        format: RECORD_FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        base: crate::BASE.to_owned(),
        compiler: crate::COMPILER.to_owned(),
        started_utc: now_utc(),
        arguments,
        seed,
        blocks,
        machine: this_machine(),
        approaches: approaches.iter().map(Approach::facts).collect(),
        environments: Vec::new(),
        revision: revision(&AskedRevision::default()),
        server_host: None,
        comparison: None,
    }
}

/// The moment, UTC, RFC 3339.
pub fn now_utc() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The approaches with the commands of their workers. `gauge` is the epics-gauge program;
/// `site` the installed Python packages, or the reason why there are none.
pub fn candidates(
    approaches: &[Approach],
    gauge: &Path,
    site: &Result<PythonSite, Missing>,
) -> Vec<Candidate> {
    let candidate = |approach: &Approach| Candidate {
        command: approach.command(gauge, site),
        approach: approach.clone(),
    };
    approaches.iter().map(candidate).collect()
}
