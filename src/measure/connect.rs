//! The connect scenario: drives one worker through its steps and checks every
//! value that comes back.

use super::Cell;
use super::session::{Halt, Patience, Session, failed};
use crate::ioc::{IocError, SoftIoc};
use crate::process::Command;
use crate::protocol::{Done, Hello, Mode, Stage, StageCommand};
use crate::record::{FailureKind, Record, Sample};
use crate::scenario::{Action, Which, connect_steps, pv_name, sampled_pvs};

/// Runs one worker; fills `record` as far as it gets and `log` with what the
/// worker printed on stderr.
pub(super) fn run(
    command: &Command,
    ioc: &mut SoftIoc,
    cell: &Cell,
    patience: Patience,
    record: &mut Record,
    log: &mut String,
) -> Result<(), Halt> {
    let command = command.clone().environment(ioc.client_environment());
    let session = Session::start(&command, patience)?;
    let mut worker = Worker { session, ioc, pvs: cell.pvs, record, origin_ns: 0, puts: 0 };
    let outcome = worker.greet(cell.mode).and_then(|hello| worker.work(&hello, cell.mode));
    match outcome {
        Ok(()) => *log = worker.session.end(),
        Err(_) => *log = worker.session.log(),
    }
    outcome
}

struct Worker<'a> {
    session: Session,
    ioc: &'a mut SoftIoc,
    pvs: usize,
    record: &'a mut Record,
    /// The start of the worker's import: times are recorded from there.
    origin_ns: u64,
    /// How often values were put, so that no two puts write the same.
    puts: usize,
}

impl Worker<'_> {
    fn greet(&mut self, mode: Mode) -> Result<Hello, Halt> {
        let hello = self.session.hello()?;
        if hello.approach != self.record.approach {
            let message = format!(
                "the worker says hello as `{}`, but was started as `{}`",
                hello.approach, self.record.approach
            );
            return Err(failed(FailureKind::Garbage, None, message));
        }
        self.origin_ns = hello.import.start_ns;
        self.record.versions = hello.versions.clone();
        self.record.warnings = hello.warnings.clone();
        self.record.create_is_joint =
            mode == Mode::Serial || !hello.stages.contains(&Stage::Create);
        self.record.samples.push(Sample {
            stage: Stage::Import,
            mode: Mode::Bulk,
            pvs: 0,
            start_ns: 0,
            end_ns: hello.import.end_ns - hello.import.start_ns,
            cpu_ns: hello.import.cpu_ns,
        });
        self.session.job((0..self.pvs).map(pv_name).collect());
        Ok(hello)
    }

    fn work(&mut self, hello: &Hello, mode: Mode) -> Result<(), Halt> {
        for step in connect_steps(mode) {
            if !hello.modes.contains(&step.mode) && step.action != Action::Context {
                let message = format!("the approach has no {} mode", step.mode);
                return Err(failed(FailureKind::StageFailed, Some(Stage::Connect), message));
            }
            match step.action {
                // Some libraries make their context when they are loaded.
                Action::Context if !hello.stages.contains(&Stage::Context) => {}
                Action::Context => self.plain(&[Stage::Context], step.mode, 0)?,
                Action::Connect if self.record.create_is_joint => {
                    self.plain(&[Stage::Connect], step.mode, self.pvs)?;
                }
                Action::Connect => {
                    self.plain(&[Stage::Create, Stage::Connect], step.mode, self.pvs)?;
                }
                Action::Get(which) => self.get(Stage::Get, step.mode, which)?,
                Action::GetAgain(which) => self.get(Stage::GetAgain, step.mode, which)?,
                Action::PutAndReadBack => self.put_and_read_back(step.mode)?,
            }
        }
        Ok(())
    }

    /// Stages without values, asked for in one go.
    fn plain(&mut self, stages: &[Stage], mode: Mode, pvs: usize) -> Result<(), Halt> {
        let commands: Vec<StageCommand> = stages
            .iter()
            .map(|stage| StageCommand { stage: *stage, mode, pvs: None, values: None })
            .collect();
        for done in self.ask(&commands)? {
            self.keep(&done, pvs);
        }
        Ok(())
    }

    fn get(&mut self, stage: Stage, mode: Mode, which: Which) -> Result<(), Halt> {
        let before: Vec<f64> = (0..self.pvs).map(|pv| self.ioc.expected_value(pv)).collect();
        self.ioc.tick()?;
        let (pvs, indices) = match which {
            Which::All => (None, (0..self.pvs).collect()),
            Which::Sampled => (Some(sampled_pvs(self.pvs)), sampled_pvs(self.pvs)),
        };
        let done = self.ask_one(StageCommand { stage, mode, pvs, values: None })?;
        let values = done.values.as_deref().unwrap_or_default();
        for (index, value) in indices.iter().zip(values) {
            let expected = self.ioc.expected_value(*index);
            if *value != expected {
                let stale = before[*index];
                return Err(wrong_value(stage, *index, *value, expected, stale));
            }
        }
        self.keep(&done, indices.len());
        Ok(())
    }

    fn put_and_read_back(&mut self, mode: Mode) -> Result<(), Halt> {
        self.puts += 1;
        let indices = sampled_pvs(self.pvs);
        // Negative, so never the value of a processed record.
        let values: Vec<f64> =
            indices.iter().map(|index| -((index * 8 + self.puts) as f64)).collect();
        let put = StageCommand {
            stage: Stage::Put,
            mode,
            pvs: Some(indices.clone()),
            values: Some(values.clone()),
        };
        let done = self.ask_one(put)?;
        self.check_in_ioc(&indices, &values)?;
        self.keep(&done, indices.len());
        let stage = Stage::Readback;
        let read = StageCommand { stage, mode, pvs: Some(indices.clone()), values: None };
        let done = self.ask_one(read)?;
        let read = done.values.as_deref().unwrap_or_default();
        for ((index, written), value) in indices.iter().zip(&values).zip(read) {
            if value != written {
                let stale = self.ioc.expected_value(*index);
                return Err(wrong_value(stage, *index, *value, *written, stale));
            }
        }
        self.keep(&done, indices.len());
        Ok(())
    }

    /// What the server itself holds, asked without any network: a worker cannot
    /// make up that it has written.
    fn check_in_ioc(&mut self, indices: &[usize], values: &[f64]) -> Result<(), Halt> {
        for (index, written) in indices.iter().zip(values) {
            let held = self.ioc.field_value(&pv_name(*index))?;
            if held != *written {
                let message = format!(
                    "{written} to {} was confirmed, but the IOC holds {held}",
                    pv_name(*index)
                );
                return Err(failed(FailureKind::WrongValue, Some(Stage::Put), message));
            }
        }
        Ok(())
    }

    fn ask(&mut self, commands: &[StageCommand]) -> Result<Vec<Done>, Halt> {
        let ioc = &mut *self.ioc;
        let mut look_after_ioc = || -> Result<(), IocError> { ioc.log().map(|_| ()) };
        self.session.stages(commands, &mut look_after_ioc)
    }

    fn ask_one(&mut self, command: StageCommand) -> Result<Done, Halt> {
        let mut answers = self.ask(&[command])?;
        Ok(answers.remove(0))
    }

    fn keep(&mut self, done: &Done, pvs: usize) {
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
        });
    }
}

fn wrong_value(stage: Stage, index: usize, value: f64, expected: f64, stale: f64) -> Halt {
    let pv = pv_name(index);
    let hint = if value == stale {
        ": that is the value before the last change, a stale or cached answer"
    } else {
        ""
    };
    let message = format!("{pv} answered {value}, the IOC holds {expected}{hint}");
    failed(FailureKind::WrongValue, Some(stage), message)
}
