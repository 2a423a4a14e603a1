//! A worker with its IOC and its record, and the stages that every scenario begins with.

use super::session::{Answer, Session};
use super::stop::{Stop, failed};
use crate::approach::Approach;
use crate::ioc::Server;
use crate::record::{DefaultGet, FailureKind, Record, Sample};
use crate::worker_protocol::{Hello, Mode, Stage, StageCommand};

/// A worker in a scenario.
pub(super) struct Driven<'a> {
    pub(super) session: Session,
    pub(super) ioc: &'a mut dyn Server,
    pub(super) record: &'a mut Record,
    /// The approach that the worker's hello must name.
    started_as: String,
    /// The start of the worker's import, from which the record counts times.
    origin_ns: u64,
}

impl<'a> Driven<'a> {
    /// A new worker of `approach`.
    pub(super) fn new(
        approach: &Approach,
        session: Session,
        ioc: &'a mut dyn Server,
        record: &'a mut Record,
    ) -> Driven<'a> {
        let started_as = approach.says_hello_as().to_owned();
        Driven { session, ioc, record, started_as, origin_ns: 0 }
    }

    /// Reads the worker's hello and sends it its PVs.
    pub(super) fn handshake(&mut self, mode: Mode, pvs: Vec<String>) -> Result<Hello, Stop> {
        let hello = self.session.hello()?;
        note_hello(&self.started_as, &hello, mode, self.record)?;
        self.origin_ns = hello.import.start_ns;
        self.session.job(pvs, self.record.slowdown);
        Ok(hello)
    }

    /// Fails when the approach cannot treat PVs in this mode.
    pub(super) fn require_mode(&self, hello: &Hello, mode: Mode) -> Result<(), Stop> {
        if hello.modes.contains(&mode) {
            return Ok(());
        }
        let message = format!("the approach has no {mode} mode");
        Err(failed(FailureKind::StageFailed, Some(Stage::Connect), message))
    }

    /// Creates the context; some libraries create theirs at import.
    pub(super) fn context(&mut self, hello: &Hello) -> Result<(), Stop> {
        match hello.stages.contains(&Stage::Context) {
            true => self.plain(&[Stage::Context], Mode::Bulk, 0),
            false => Ok(()),
        }
    }

    /// Creates and connects all `pvs` PVs.
    pub(super) fn connect(&mut self, mode: Mode, pvs: usize) -> Result<(), Stop> {
        match self.record.create_is_joint {
            true => self.plain(&[Stage::Connect], mode, pvs),
            false => self.plain(&[Stage::Create, Stage::Connect], mode, pvs),
        }
    }

    /// Runs one stage and waits for its answer.
    pub(super) fn ask_one(&mut self, command: StageCommand) -> Result<Answer, Stop> {
        let mut answers = self.ask(&[command])?;
        Ok(answers.remove(0))
    }

    /// Records the times of a stage over `pvs` PVs.
    pub(super) fn keep(&mut self, answer: &Answer, pvs: usize) {
        self.keep_with(answer, pvs, None);
    }

    /// The same for an ordinary get, with the harness's record of it.
    pub(super) fn keep_with(
        &mut self,
        Answer { done, witnessed }: &Answer,
        pvs: usize,
        default_get: Option<DefaultGet>,
    ) {
        for warning in &done.warnings {
            if !self.record.warnings.contains(warning) {
                self.record.warnings.push(warning.clone());
            }
        }
        self.record.samples.push(Sample {
            stage: done.stage,
            mode: done.mode,
            pvs,
            start_ns: done.start_ns.saturating_sub(self.origin_ns),
            end_ns: done.end_ns.saturating_sub(self.origin_ns),
            cpu_ns: done.cpu_ns,
            each_ns: done.each_ns.clone(),
            witnessed: *witnessed,
            default_get,
        });
    }

    /// Runs stages without values, sent together.
    fn plain(&mut self, stages: &[Stage], mode: Mode, pvs: usize) -> Result<(), Stop> {
        let commands: Vec<StageCommand> =
            stages.iter().map(|stage| StageCommand::new(*stage, mode)).collect();
        for answer in self.ask(&commands)? {
            self.keep(&answer, pvs);
        }
        Ok(())
    }

    fn ask(&mut self, commands: &[StageCommand]) -> Result<Vec<Answer>, Stop> {
        let ioc = &mut *self.ioc;
        self.session.stages(commands, &mut || Ok(ioc.check()?))
    }
}

/// Writes what a worker, which was started under this name, reported of itself into its record.
///
/// # Errors
/// When it says hello as somebody else.
pub(super) fn note_hello(
    started_as: &str,
    hello: &Hello,
    mode: Mode,
    record: &mut Record,
) -> Result<(), Stop> {
    if hello.approach != started_as {
        let message = format!(
            "the worker says hello as `{}`, but was started as `{started_as}`",
            hello.approach
        );
        return Err(failed(FailureKind::Garbage, None, message));
    }
    record.versions = hello.versions.clone();
    record.warnings = hello.warnings.clone();
    record.create_is_joint = mode == Mode::Serial || !hello.stages.contains(&Stage::Create);
    record.samples.push(Sample {
        stage: Stage::Import,
        mode: Mode::Bulk,
        pvs: 0,
        start_ns: 0,
        end_ns: hello.import.end_ns.saturating_sub(hello.import.start_ns),
        cpu_ns: hello.import.cpu_ns,
        each_ns: Vec::new(),
        witnessed: None,
        default_get: None,
    });
    Ok(())
}
