//! Which figures belong together, and the part of a verdict's name that says so.

use schemars::JsonSchema;
use serde::Serialize;

use crate::protocol::Protocol;
use crate::record::{ApproachFacts, FleetShape, Load, Lookup, Record, Scenario};
use crate::scenario::{Model, USUAL_SERVER, definition};
use crate::worker_protocol::Mode;

/// What all records of a cell have in common. The probes of a search are one cell,
/// whatever their counts of PVs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CellKey {
    /// The scenario's name.
    pub scenario: Scenario,
    /// The server's name.
    pub server: String,
    /// How many PVs; 0 in a search.
    pub pvs: usize,
    /// How they are connected.
    pub mode: Mode,
    /// What monitors are to take.
    pub load: Option<Load>,
    /// The IOCs that have the PVs together.
    pub fleet: Option<FleetShape>,
}

/// A cell that is measured, or will be.
#[derive(Debug, Clone, PartialEq)]
pub struct GateCell {
    /// What its records have in common.
    pub key: CellKey,
    /// The protocols that its server speaks.
    pub protocols: Vec<Protocol>,
    /// The approaches that are measured; when empty, all that speak a protocol of the
    /// server.
    pub approaches: Vec<String>,
}

impl CellKey {
    /// The cell of a record.
    pub fn of(record: &Record) -> CellKey {
        CellKey {
            scenario: record.scenario,
            server: record.server.clone(),
            pvs: record.pvs,
            mode: record.mode,
            load: record.load,
            fleet: record.fleet,
        }
        .with_probes_as_one()
    }

    /// The same without the count of PVs in a search, which varies within it.
    #[must_use]
    pub fn with_probes_as_one(mut self) -> CellKey {
        if definition(self.scenario).model == Model::Search {
            self.pvs = 0;
        }
        self
    }

    pub(super) fn holds(&self, record: &Record) -> bool {
        *self == CellKey::of(record)
    }

    /// Such as `connect::pyca::n10000`: scenario, approach, the server where it is not
    /// the usual one, and what is varied.
    pub(super) fn name_with(&self, approach: &str) -> String {
        let mut parts = vec![word(self.scenario.name()), word(approach)];
        if self.server != USUAL_SERVER {
            parts.push(word(&self.server));
        }
        parts.push(self.varied());
        parts.join("::")
    }

    /// Such as `n10000`, `680x480_120hz` or `n100_10hz_restart`.
    fn varied(&self) -> String {
        let CellKey { pvs, .. } = self.clone().with_probes_as_one();
        let mut words = Vec::new();
        if let Some(fleet) = self.fleet {
            let lookup = match fleet.lookup {
                Lookup::Udp => "udp",
                Lookup::NameServers => "name_servers",
            };
            words.extend([lookup.to_owned(), format!("{}iocs", fleet.iocs)]);
        }
        let pixels = self.load.and_then(|load| load.pixels);
        words.extend(pixels.map(|pixels| pixels.to_string()));
        if pixels.is_none() && pvs > 0 || pvs > 1 {
            words.push(format!("n{pvs}"));
        }
        if self.mode == Mode::Serial {
            words.push("serial".to_owned());
        }
        if let Some(load) = self.load {
            words.extend(varied_of(&load));
        }
        words.join("_")
    }
}

fn varied_of(load: &Load) -> Vec<String> {
    let mut words = vec![format!("{}hz", word(&load.rate_hz.to_string()))];
    if load.monitors != 1 {
        words.push(format!("m{}", load.monitors));
    }
    if load.idle_pvs != 0 {
        words.push(format!("idle{}", load.idle_pvs));
    }
    words.extend(load.array_bytes.map(|bytes| format!("array{bytes}")));
    words.extend(load.disturbance.map(|disturbance| disturbance.name().to_owned()));
    words
}

impl GateCell {
    /// Whether this approach is measured here.
    pub(super) fn takes(&self, facts: &ApproachFacts) -> bool {
        self.protocols.contains(&facts.protocol)
            && (self.approaches.is_empty() || self.approaches.contains(&facts.name))
    }
}

/// Lower-case letters, digits and `_` only.
pub(super) fn word(text: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    text.chars().map(allowed).collect()
}
