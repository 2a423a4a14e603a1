//! A run that was interrupted, to be continued in its folder.

use std::path::{Path, PathBuf};

use clap::Parser;
use epics_gauge::measure::{DoneWorker, this_machine};
use epics_gauge::record::{Line, Record, Run, RunRecords};

use super::Failure;
use super::arguments::{Arguments, RunArguments, Subcommand};
use super::output::OutputFolder;

/// What there is of it.
pub(super) struct BegunRun {
    folder: PathBuf,
    run: Run,
    /// Those that are kept: a search, a fault and blocks that confirm are measured whole.
    records: Vec<Record>,
}

impl BegunRun {
    /// Reads a folder of `run`.
    pub(super) fn read(folder: &Path) -> Result<BegunRun, Failure> {
        let file = folder.join("records.jsonl");
        let wrong = |why: String| {
            Failure::usage(format!(
                "cannot continue {}: {why}; name the folder of a run that was interrupted",
                file.display()
            ))
        };
        let text = std::fs::read_to_string(&file).map_err(|error| wrong(error.to_string()))?;
        let RunRecords { run, mut records, end } =
            RunRecords::parse(&text).map_err(|error| wrong(error.to_string()))?;
        if end.is_some_and(|end| !end.interrupted) {
            return Err(wrong("it is complete".to_owned()));
        }
        if run.comparison.is_some() {
            return Err(wrong("it is a comparison, whose pairs belong together".to_owned()));
        }
        if run.machine != this_machine() {
            return Err(wrong(
                "it was begun on another machine, or with another kernel".to_owned(),
            ));
        }
        if run.version != env!("CARGO_PKG_VERSION") {
            return Err(wrong(format!("it was begun by epics-gauge {}", run.version)));
        }
        records.retain(|record| DoneWorker::of(record).is_some());
        Ok(BegunRun { folder: folder.to_owned(), run, records })
    }

    /// Its arguments, with its seed and its folder.
    pub(super) fn arguments(&self) -> Result<RunArguments, Failure> {
        let words =
            std::iter::once("epics-gauge").chain(self.run.arguments.iter().map(String::as_str));
        let arguments = Arguments::try_parse_from(words).map_err(Failure::usage)?;
        let arguments = match arguments.subcommand {
            None => arguments.run,
            Some(Subcommand::Run(run)) => *run,
            Some(_) => return Err(Failure::usage("only `run` can be continued with --resume")),
        };
        let (seed, out) = (Some(self.run.seed), Some(self.folder.clone()));
        Ok(RunArguments { seed, out, resume: None, ..arguments })
    }

    /// Its folder with what is kept, to add more.
    pub(super) fn reopened(&self) -> Result<OutputFolder, Failure> {
        let mut output = OutputFolder::begin_again(&self.folder)?;
        output.add(&Line::Run(Box::new(self.run.clone())))?;
        for record in &self.records {
            output.add(&Line::Record(Box::new(record.clone())))?;
        }
        output.replace_records()
    }

    pub(super) fn into_parts(self) -> (Run, Vec<Record>) {
        (self.run, self.records)
    }
}
