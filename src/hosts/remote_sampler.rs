//! Usage of a server on another host, sampled there.

use std::sync::Arc;

use super::connection::{ANSWER_DEADLINE, Agent};
use super::orders::{Latest, Order, Sampled};
use crate::ioc::{IocError, ServerSampler};
use crate::process::{ClockOffset, SubjectUsage, There, TimeOn, UsageSample};

/// A sampler of an agent.
#[derive(Debug)]
pub(super) struct RemoteSampler {
    pub(super) agent: Arc<Agent>,
    pub(super) number: u64,
    /// The host's monotonic clock.
    pub(super) clock: ClockOffset,
}

impl RemoteSampler {
    /// A time of the other host as one of this one.
    fn here(&self, there_ns: u64) -> u64 {
        self.clock.here(TimeOn::<There>::of_ns(there_ns)).ns()
    }

    fn sample_here(&self, sample: UsageSample) -> UsageSample {
        UsageSample { at_ns: self.here(sample.at_ns), ..sample }
    }
}

impl ServerSampler for RemoteSampler {
    fn latest(&self) -> Result<Option<UsageSample>, IocError> {
        let order = Order::Latest { sampler: self.number };
        let latest: Latest = self.agent.ask(order, ANSWER_DEADLINE)?;
        Ok(latest.map(|sample| self.sample_here(sample)))
    }

    fn replace(&self, pid: u32) -> Result<(), IocError> {
        let order = Order::Replace { sampler: self.number, pid };
        Ok(self.agent.ask(order, ANSWER_DEADLINE)?)
    }

    fn finish(self: Box<Self>) -> Result<(SubjectUsage, u64), IocError> {
        let order = Order::Finish { sampler: self.number };
        let Sampled { mut usage, sampler_cpu_ns } = self.agent.ask(order, ANSWER_DEADLINE)?;
        for sample in &mut usage.samples {
            *sample = self.sample_here(*sample);
        }
        for sample in &mut usage.network {
            sample.at_ns = self.here(sample.at_ns);
        }
        Ok((usage, sampler_cpu_ns))
    }

    fn is_on_this_machine(&self) -> bool {
        self.agent.is_on_this_machine()
    }
}
