//! Many IOCs as one server.

use super::ManyIocs;
use crate::ioc::{Counted, IocError, Server, SoftIoc};
use crate::lookup::Lookup;

impl ManyIocs {
    fn ioc_of(&self, index: usize) -> &SoftIoc {
        &self.iocs[self.number_of(index)]
    }

    /// Which IOC has this PV; the last for one that does not exist.
    fn number_of(&self, index: usize) -> usize {
        (index / self.pvs_per_ioc).min(self.iocs.len() - 1)
    }
}

impl Server for ManyIocs {
    /// That of its first IOC; [`ManyIocs::pids`] has all.
    fn pid(&self) -> u32 {
        self.iocs[0].pid()
    }

    fn environment_by(&self, lookup: Lookup) -> Vec<(String, String)> {
        ManyIocs::environment_by(self, lookup, None)
    }

    fn expected_value(&self, index: usize) -> f64 {
        self.ioc_of(index).expected_value(index)
    }

    fn tick(&mut self) -> Result<(), IocError> {
        self.ask_all(SoftIoc::tick).map(drop)
    }

    fn start_scanning(&mut self, rate_hz: f64) -> Result<(), IocError> {
        self.ask_all(|ioc| ioc.start_scanning(rate_hz)).map(drop)
    }

    fn stop_scanning(&mut self) -> Result<(), IocError> {
        self.ask_all(SoftIoc::stop_scanning).map(drop)
    }

    fn processed(&mut self) -> Result<Vec<u64>, IocError> {
        Ok(self.ask_all(SoftIoc::processed)?.concat())
    }

    fn stored_value(&mut self, index: usize) -> Result<f64, IocError> {
        self.ask(self.number_of(index), |ioc| ioc.stored_value(index))
    }

    fn frame_count(&mut self) -> Result<u64, IocError> {
        Err(IocError::InvalidRequest("many IOCs make no frames".to_owned()))
    }

    /// The sum over all IOCs.
    fn counted(&mut self) -> Result<Counted, IocError> {
        let all = self.ask_all(Server::counted)?;
        let sum = |part: fn(&Counted) -> Option<u64>| all.iter().map(part).sum();
        let mut overloads = std::collections::BTreeMap::new();
        for (event, count) in all.iter().flat_map(|counted| &counted.overloads) {
            *overloads.entry(*event).or_default() += count;
        }
        Ok(Counted {
            subscriptions: sum(|counted| counted.subscriptions),
            merged_updates: sum(|counted| counted.merged_updates),
            scan_overruns: sum(|counted| counted.scan_overruns),
            callback_overflows: sum(|counted| counted.callback_overflows),
            // Nobody monitors the PVs of many IOCs.
            sent_bytes: None,
            overloads,
        })
    }

    fn check(&mut self) -> Result<(), IocError> {
        self.ask_all(Server::check).map(drop)
    }

    fn pause(&self) {
        self.iocs.iter().for_each(SoftIoc::pause);
    }

    fn resume(&self) {
        self.iocs.iter().for_each(SoftIoc::resume);
    }

    fn crash(&mut self) {
        self.iocs.iter_mut().for_each(SoftIoc::crash);
    }

    fn restart(&mut self, without: Option<usize>) -> Result<(), IocError> {
        let pvs = self.pvs();
        if let Some(index) = without.filter(|index| *index >= pvs) {
            return Err(IocError::InvalidRequest(format!(
                "there is no gauge:{index} to leave out: the IOCs have {pvs} PVs"
            )));
        }
        let has_it = without.map(|index| self.number_of(index));
        for number in 0..self.iocs.len() {
            let without = without.filter(|_| has_it == Some(number));
            self.ask(number, |ioc| ioc.restart(without))?;
        }
        Ok(())
    }

    /// At once: letting a hundred IOCs leave one by one would take long, and each
    /// has its folder removed either way.
    fn stop(self: Box<Self>) {}
}
