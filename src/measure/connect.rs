//! The connect scenario: drives one worker through its stages and checks every value that it
//! returns.

use super::PlannedConfiguration;
use super::default_get::Watched;
use super::driven::Driven;
use super::past::Past;
use super::stop::{Stop, failed};
use crate::record::FailureKind;
use crate::scenario::{Action, Which, connect_steps, pv_name, sampled_pvs};
use crate::worker_protocol::{Hello, Mode, Stage, StageCommand};

/// Drives a worker that has sent `hello` through all stages of its configuration.
pub(super) fn run(
    driven: &mut Driven<'_>,
    planned: &PlannedConfiguration,
    hello: &Hello,
) -> Result<(), Stop> {
    let past = Past::default();
    Steps { driven, pvs: planned.pvs, puts: 0, past }.take(hello, planned.mode, planned.brief)
}

struct Steps<'a, 'b> {
    driven: &'a mut Driven<'b>,
    pvs: usize,
    /// Counts the puts, so that no two write the same value.
    puts: usize,
    /// The values of the sampled PVs since the worker's start.
    past: Past,
}

impl Steps<'_, '_> {
    fn take(&mut self, hello: &Hello, mode: Mode, brief: bool) -> Result<(), Stop> {
        for step in connect_steps(mode, brief) {
            let is_default = matches!(step.action, Action::GetDefault | Action::GetDefaultAgain);
            if is_default && !hello.stages.contains(&Stage::GetDefault) {
                continue;
            }
            if step.action != Action::Context {
                self.driven.require_mode(hello, step.mode)?;
            }
            match step.action {
                Action::Context => self.driven.context(hello)?,
                Action::Connect => self.driven.connect(step.mode, self.pvs)?,
                Action::Get(which) => self.get(Stage::Get, step.mode, which)?,
                Action::GetAgain(which) => self.get(Stage::GetAgain, step.mode, which)?,
                Action::PutAndReadBack => self.put_and_read_back(step.mode)?,
                Action::GetDefault => self.get_default(Stage::GetDefault)?,
                Action::GetDefaultAgain => self.get_default(Stage::GetDefaultAgain)?,
            }
        }
        Ok(())
    }

    fn get(&mut self, stage: Stage, mode: Mode, which: Which) -> Result<(), Stop> {
        let before: Vec<f64> = (0..self.pvs).map(|pv| self.driven.ioc.expected_value(pv)).collect();
        self.tick()?;
        let (pvs, indices) = match which {
            Which::All => (None, (0..self.pvs).collect()),
            Which::Sampled => (Some(sampled_pvs(self.pvs)), sampled_pvs(self.pvs)),
        };
        let answer = self.driven.ask_one(StageCommand { pvs, ..StageCommand::new(stage, mode) })?;
        let values = answer.done.values.as_deref().unwrap_or_default();
        for (index, value) in indices.iter().zip(values) {
            let expected = self.driven.ioc.expected_value(*index);
            if *value != expected {
                let stale = before[*index];
                return Err(wrong_value(stage, *index, *value, expected, stale));
            }
        }
        self.driven.keep(&answer, indices.len());
        Ok(())
    }

    /// Gives all PVs new values.
    fn tick(&mut self) -> Result<(), Stop> {
        self.driven.ioc.tick()?;
        let sampled = sampled_pvs(self.pvs).into_iter();
        let values = sampled.map(|pv| self.driven.ioc.expected_value(pv)).collect();
        self.past.becomes(values, self.driven.session.now());
        Ok(())
    }

    /// The ordinary get of the sampled PVs. A value from a cache is an answer; one that the PV
    /// never held is wrong.
    fn get_default(&mut self, stage: Stage) -> Result<(), Stop> {
        let indices = sampled_pvs(self.pvs);
        let watched = Watched::begin(&mut self.driven.session);
        self.tick()?;
        let command =
            StageCommand { pvs: Some(indices.clone()), ..StageCommand::new(stage, Mode::Serial) };
        let answer = self.driven.ask_one(command)?;
        let default_get = watched.end(self.driven, &self.past, &indices, &answer.done)?;
        self.driven.keep_with(&answer, indices.len(), Some(default_get));
        Ok(())
    }

    fn put_and_read_back(&mut self, mode: Mode) -> Result<(), Stop> {
        self.puts += 1;
        let indices = sampled_pvs(self.pvs);
        // Negative, so never the value of a processed record.
        let values: Vec<f64> =
            indices.iter().map(|index| -((index * 8 + self.puts) as f64)).collect();
        let put = StageCommand {
            pvs: Some(indices.clone()),
            values: Some(values.clone()),
            ..StageCommand::new(Stage::Put, mode)
        };
        let answer = self.driven.ask_one(put)?;
        self.check_in_ioc(&indices, &values)?;
        self.past.becomes(values.clone(), self.driven.session.now());
        self.driven.keep(&answer, indices.len());
        let stage = Stage::Readback;
        let read = StageCommand { pvs: Some(indices.clone()), ..StageCommand::new(stage, mode) };
        let answer = self.driven.ask_one(read)?;
        let read = answer.done.values.as_deref().unwrap_or_default();
        for ((index, written), value) in indices.iter().zip(&values).zip(read) {
            if value != written {
                let stale = self.driven.ioc.expected_value(*index);
                return Err(wrong_value(stage, *index, *value, *written, stale));
            }
        }
        self.driven.keep(&answer, indices.len());
        Ok(())
    }

    /// The server's own value, read without the network, so that a worker cannot pretend a put.
    fn check_in_ioc(&mut self, indices: &[usize], values: &[f64]) -> Result<(), Stop> {
        for (index, written) in indices.iter().zip(values) {
            let held = self.driven.ioc.stored_value(*index)?;
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
}

fn wrong_value(stage: Stage, index: usize, value: f64, expected: f64, stale: f64) -> Stop {
    let pv = pv_name(index);
    let hint = if value == stale {
        ": that is the value before the last change, a stale or cached answer"
    } else {
        ""
    };
    let message = format!("{pv} answered {value}, the IOC holds {expected}{hint}");
    failed(FailureKind::WrongValue, Some(stage), message)
}
