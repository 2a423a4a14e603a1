//! What a run measures, and in which order.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::approach::Approach;
use crate::ioc::ServerKind;
use crate::link::LinkConditions;
use crate::lookup::Lookup;
use crate::protocol::Protocol;
use crate::record::{Disturbance, FailureKind, Load, ManyIocsShape, Record, Scenario};
use crate::scenario::{Configuration, Definition, FaultDefinition, Model, course, definition};
use crate::worker_protocol::Mode;

/// One combination of the parameters that vary: scenario, server, PVs, mode, lookup, load.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedConfiguration {
    /// The scenario's name.
    pub scenario: Scenario,
    /// The server's name.
    pub server: String,
    /// The approaches that are measured; when empty, all that speak a protocol
    /// of the server.
    pub approaches: Vec<String>,
    /// How many PVs; in a search the maximum.
    pub pvs: usize,
    /// How they are connected.
    pub mode: Mode,
    /// How clients find them.
    pub lookup: Lookup,
    /// The load on monitors; none in scenarios without monitors.
    pub load: Option<Load>,
    /// The IOCs that share the PVs; none for a single IOC.
    pub many_iocs: Option<ManyIocsShape>,
    /// What goes wrong; none of other scenarios than faults.
    pub fault: Option<&'static FaultDefinition>,
    /// What the link between server and clients does; none where they share loopback.
    pub link: Option<LinkConditions>,
    /// Decides which packets the link loses.
    pub link_seed: u64,
    /// How many blocks measure it.
    pub blocks: usize,
    /// Whether it measures only connecting: workers then end after the few gets that prove the
    /// connection.
    pub brief: bool,
}

impl PlannedConfiguration {
    /// The parameters that all its records share.
    pub fn configuration(&self) -> Configuration {
        Configuration {
            scenario: self.scenario,
            server: self.server.clone(),
            pvs: self.pvs,
            mode: self.mode,
            lookup: self.lookup,
            load: self.load,
            many_iocs: self.many_iocs,
            fault: self.fault.map(|fault| fault.name.to_owned()),
        }
        .with_probes_as_one()
    }

    /// Whether it is one step of a search for a limit. A server that cannot hold the rate is
    /// then an answer, not a failure.
    pub fn is_probe(&self) -> bool {
        definition(self.scenario).model == Model::Search
    }

    /// Whether an overload is an answer here, not a failure.
    pub fn may_be_overloaded(&self) -> bool {
        definition(self.scenario).may_be_overloaded()
    }

    /// Whether usage figures begin when CPU use is steady, with client and server on different
    /// cores.
    pub(super) fn waits_for_steady_state(&self) -> bool {
        definition(self.scenario).awaits_steady_state
    }

    /// Whether each worker gets a fresh IOC, because the previous one has another size or
    /// suffered a fault.
    pub(super) fn needs_fresh_iocs(&self) -> bool {
        self.may_be_overloaded() || self.load.is_some_and(|load| load.disturbance.is_some())
    }

    /// A configuration for all approaches, by the usual lookup, on no server yet: [`PlannedConfiguration::on`].
    pub fn new(
        scenario: Scenario,
        pvs: usize,
        mode: Mode,
        load: Option<Load>,
        blocks: usize,
    ) -> PlannedConfiguration {
        let (server, approaches, many_iocs, brief) = (String::new(), Vec::new(), None, false);
        let lookup = Lookup::default();
        PlannedConfiguration {
            scenario,
            server,
            approaches,
            pvs,
            mode,
            lookup,
            load,
            many_iocs,
            fault: None,
            link: None,
            link_seed: 0,
            blocks,
            brief,
        }
    }

    /// The same over a link.
    #[must_use]
    pub fn over(self, link: Option<LinkConditions>, link_seed: u64) -> PlannedConfiguration {
        PlannedConfiguration { link, link_seed, ..self }
    }

    /// What the link does: a fault may need one where none was asked for.
    pub fn conditions(&self) -> Option<LinkConditions> {
        let needs_one = self.fault.is_some_and(FaultDefinition::needs_link);
        self.link.or_else(|| needs_one.then(LinkConditions::default))
    }

    /// The same, limited to connecting.
    #[must_use]
    pub fn brief(self) -> PlannedConfiguration {
        PlannedConfiguration { brief: true, ..self }
    }

    /// The same with this lookup.
    #[must_use]
    pub fn by(self, lookup: Lookup) -> PlannedConfiguration {
        PlannedConfiguration { lookup, ..self }
    }

    /// The same against another server.
    #[must_use]
    pub fn on(&self, server: &str) -> PlannedConfiguration {
        PlannedConfiguration { server: server.to_owned(), ..self.clone() }
    }

    /// The same, limited to these approaches; all of them when empty.
    #[must_use]
    pub fn only(self, approaches: Vec<String>) -> PlannedConfiguration {
        PlannedConfiguration { approaches, ..self }
    }

    /// Whether this approach takes part, on a server of this kind.
    pub fn takes(&self, approach: &Approach, server: Option<&ServerKind>) -> bool {
        let speaks = server.is_none_or(|kind| kind.protocols.contains(&approach.protocol));
        let is_asked = self
            .fault
            .is_none_or(|fault| !fault.is_of_channel_access || approach.protocol == Protocol::Ca);
        speaks
            && is_asked
            && (self.approaches.is_empty() || self.approaches.contains(&approach.name))
    }
}

/// Limits on a worker's time and memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// How long one stage may take; by the count of PVs when not given.
    pub(super) timeout: Option<Duration>,
    /// A client that holds more memory during a monitor run is stopped.
    pub(super) most_memory_bytes: u64,
}

/// All configurations, and the seed of their order.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What is measured.
    pub configurations: Vec<PlannedConfiguration>,
    /// The seed of every random choice.
    pub seed: u64,
    /// How long one stage may take; by the count of PVs when not given.
    pub timeout: Option<Duration>,
    /// A client that holds more memory during a monitor run is stopped.
    pub most_memory_bytes: u64,
    /// The number of the first block; a later part of a run continues the numbering.
    pub first_block: usize,
    /// Whether these blocks confirm what earlier blocks showed.
    pub confirms: bool,
    /// Workers of a run that was interrupted, which are not measured again.
    pub done: Vec<DoneWorker>,
}

/// A worker that was measured before.
#[derive(Debug, Clone, PartialEq)]
pub struct DoneWorker {
    configuration: Configuration,
    block: usize,
    approach: String,
    /// Whether it failed: then its approach is not measured there again.
    failed: bool,
}

impl DoneWorker {
    /// The worker of a record; none of a search or of a fault, which are measured whole.
    pub fn of(record: &Record) -> Option<DoneWorker> {
        let is_search = definition(record.scenario).model == Model::Search;
        let is_partial = is_search || record.fault.is_some() || record.confirms;
        (!is_partial).then(|| DoneWorker {
            configuration: Configuration::of(record),
            block: record.block,
            approach: record.approach.clone(),
            failed: record.failure.as_ref().is_some_and(|one| one.kind != FailureKind::Ioc),
        })
    }
}

impl Plan {
    /// Whether the worker of this approach in this block is measured already.
    pub(super) fn is_done(
        &self,
        planned: &PlannedConfiguration,
        block: usize,
        approach: &str,
    ) -> bool {
        let configuration = planned.configuration();
        self.done.iter().any(|done| {
            (done.block, done.approach.as_str()) == (block, approach)
                && done.configuration == configuration
        })
    }

    /// The approaches that failed in a configuration before.
    pub(super) fn failed_before(&self) -> Vec<(PlannedConfiguration, String)> {
        let of = |done: &DoneWorker| {
            let planned = |one: &&PlannedConfiguration| one.configuration() == done.configuration;
            let planned = self.configurations.iter().find(planned)?;
            Some((planned.clone(), done.approach.clone()))
        };
        self.done.iter().filter(|done| done.failed).filter_map(of).collect()
    }

    /// The connect scenario for every count of PVs. Only up to `most_serial` PVs are connected
    /// one at a time: each costs libca's search timer, about 30 ms.
    pub fn connect(
        scenario: Scenario,
        pvs: &[usize],
        modes: &[Mode],
        most_serial: usize,
        blocks: usize,
    ) -> Vec<PlannedConfiguration> {
        let mut configurations = Vec::new();
        for mode in modes {
            for pvs in pvs {
                if *mode == Mode::Bulk || *pvs <= most_serial {
                    configurations
                        .push(PlannedConfiguration::new(scenario, *pvs, *mode, None, blocks));
                }
            }
        }
        configurations
    }

    /// A scenario with monitors: each of its faults at every rate, otherwise as in `load`. A
    /// camera is one PV, so the fault that removes one of several PVs is left out.
    pub fn monitors(
        definition: &Definition,
        pvs: &[usize],
        rates_hz: &[f64],
        load: Load,
        blocks: usize,
    ) -> Vec<PlannedConfiguration> {
        let can_be = |disturbance: &Disturbance| {
            load.pixels.is_none() || course(*disturbance).pvs_gone() == 0
        };
        let disturbances: Vec<Option<Disturbance>> = match definition.disturbances {
            [] => vec![None],
            all => all.iter().copied().filter(can_be).map(Some).collect(),
        };
        let mut configurations = Vec::new();
        for disturbance in disturbances {
            for rate_hz in rates_hz {
                for pvs in pvs {
                    let load = Load { rate_hz: *rate_hz, disturbance, ..load };
                    let scenario = definition.scenario;
                    configurations.push(PlannedConfiguration::new(
                        scenario,
                        *pvs,
                        Mode::Bulk,
                        Some(load),
                        blocks,
                    ));
                }
            }
        }
        configurations
    }

    /// The many-iocs scenario for every size, a count of PVs and of IOCs. The IOCs share the PVs
    /// evenly. Clients get the names shuffled, or in the order of the IOCs.
    pub fn many_iocs(
        sizes: &[(usize, usize)],
        in_order: bool,
        blocks: usize,
    ) -> Vec<PlannedConfiguration> {
        let many_iocs = |(pvs, iocs): &(usize, usize)| {
            let planned =
                PlannedConfiguration::new(Scenario::ManyIocs, *pvs, Mode::Bulk, None, blocks);
            let shape = ManyIocsShape { iocs: *iocs, in_order };
            PlannedConfiguration { many_iocs: Some(shape), ..planned }
        };
        sizes.iter().map(many_iocs).collect()
    }

    /// The faults scenario for each of these faults.
    pub fn faults(faults: &[&'static FaultDefinition], blocks: usize) -> Vec<PlannedConfiguration> {
        let planned = |fault: &&'static FaultDefinition| PlannedConfiguration {
            fault: Some(fault),
            lookup: fault.lookup(),
            ..PlannedConfiguration::new(Scenario::Faults, fault.pvs, Mode::Bulk, None, blocks)
        };
        faults.iter().map(planned).collect()
    }

    /// The most blocks that any configuration has.
    pub fn blocks(&self) -> usize {
        self.configurations.iter().map(|planned| planned.blocks).max().unwrap_or(0)
    }

    pub(super) fn bounds(&self) -> Bounds {
        Bounds { timeout: self.timeout, most_memory_bytes: self.most_memory_bytes }
    }

    pub(super) fn random(&self) -> StdRng {
        StdRng::seed_from_u64(self.seed)
    }
}
