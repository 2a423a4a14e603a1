//! What is measured: one combination of server, PVs, load, mode, lookup and IOCs, and how
//! it is put into words.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Model, USUAL_SERVER, course, definition};
use crate::lookup::Lookup;
use crate::record::{Load, ManyIocsShape, Record, Scenario};
use crate::units::counted;
use crate::worker_protocol::Mode;

/// One combination of what is varied: what all its records have in common. The probes of a
/// search are one configuration, whatever their counts of PVs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// The scenario's name.
    pub scenario: Scenario,
    /// The server's name.
    pub server: String,
    /// How many PVs; 0 for all those of a search.
    pub pvs: usize,
    /// How they are connected.
    pub mode: Mode,
    /// How they are found.
    pub lookup: Lookup,
    /// What monitors are to take.
    pub load: Option<Load>,
    /// The IOCs that have the PVs together.
    #[serde(alias = "fleet")]
    pub many_iocs: Option<ManyIocsShape>,
    /// What goes wrong, by its name in the table of faults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// For which place a configuration is put into words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// A heading: `waveform: 680x480 at 120 Hz`.
    Heading,
    /// A list in which scenarios stand beside each other: `waveform 680x480 120 Hz`.
    List,
    /// Beside the name of the scenario: `10 000 PVs`, `680x480, 120 Hz`.
    Place,
    /// By itself, with all that is varied: `waveform on softioc, 680x480 at 120 Hz, 10 s`.
    Full,
    /// A line of progress: `on softioc, 1 000 PVs, bulk`.
    Progress,
    /// The part of a file's name that is varied within a scenario: `120hz-1`.
    File,
}

impl Configuration {
    /// The configuration of a record.
    pub fn of(record: &Record) -> Configuration {
        Configuration::of_one(record).with_probes_as_one()
    }

    /// The same with the PVs of this one record, in a search too.
    pub fn of_one(record: &Record) -> Configuration {
        Configuration {
            scenario: record.scenario,
            server: record.server.clone(),
            pvs: record.pvs,
            mode: record.mode,
            lookup: record.lookup,
            load: record.load,
            many_iocs: record.many_iocs,
            fault: record.fault.as_ref().map(|fault| fault.name.clone()),
        }
    }

    /// The same without the count of PVs in a search, which varies within it.
    #[must_use]
    pub fn with_probes_as_one(mut self) -> Configuration {
        if definition(self.scenario).model == Model::Search {
            self.pvs = 0;
        }
        self
    }

    /// Whether a record is of it.
    pub fn holds(&self, record: &Record) -> bool {
        *self == Configuration::of(record)
    }

    /// Such as `connect::pyca::n10000`: scenario, approach, the server where it is not
    /// the usual one, and what is varied, the lookup where it is not the usual one.
    pub fn name_with(&self, approach: &str) -> String {
        let mut parts = vec![word(self.scenario.name()), word(approach)];
        if self.server != USUAL_SERVER {
            parts.push(word(&self.server));
        }
        parts.push(self.varied());
        parts.join("::")
    }

    /// Such as `n10000`, `680x480_120hz`, `n100_10hz_restart` or `n10000_name_server`.
    fn varied(&self) -> String {
        let Configuration { pvs, .. } = self.clone().with_probes_as_one();
        let mut words: Vec<String> = self.fault.as_deref().map(word).into_iter().collect();
        if let Some(many_iocs) = self.many_iocs {
            words.push(format!("{}iocs", many_iocs.iocs));
            words.extend(many_iocs.in_order.then(|| "in_order".to_owned()));
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
        if !self.lookup.is_usual() {
            words.push(word(self.lookup.name()));
        }
        words.join("_")
    }

    /// In words, for such a place.
    pub fn in_words(&self, words: Words) -> String {
        match words {
            Words::Heading => self.heading(),
            Words::List => self.listed(),
            Words::Place => self.place(),
            Words::Full => self.in_full(),
            Words::Progress => self.progress(),
            Words::File => self.file_name(),
        }
    }

    fn counted_pvs(&self) -> String {
        counted(self.pvs, "PV")
    }

    fn on_server(&self) -> String {
        if self.server == USUAL_SERVER { String::new() } else { format!(" on {}", self.server) }
    }

    /// For many IOCs both lookups are named, because their tables show both.
    fn by_lookup(&self) -> String {
        match self.many_iocs {
            None => self.lookup.unless_usual(),
            Some(_) => format!(" by {}", self.lookup),
        }
    }

    fn heading(&self) -> String {
        if let Some(fault) = &self.fault {
            return format!("{fault}{}{}", self.on_server(), self.by_lookup());
        }
        let Some(load) = self.load else { return self.in_full() };
        let what = load.pixels.map_or(counted(self.pvs, "PV"), |pixels| pixels.to_string());
        let how = load
            .disturbance
            .map_or(String::new(), |disturbance| format!(", {}", course(disturbance).about));
        let (scenario, place, lookup) = (self.scenario, self.on_server(), self.by_lookup());
        format!("{scenario}: {what} at {} Hz{place}{lookup}{how}", load.rate_hz)
    }

    fn listed(&self) -> String {
        let lookup = self.by_lookup();
        if let Some(fault) = &self.fault {
            return format!("{fault}{}{lookup}", self.on_server());
        }
        if let Some(many_iocs) = self.many_iocs {
            return format!("{} on {}{lookup}", self.counted_pvs(), iocs(many_iocs));
        }
        let Some(load) = self.load else {
            return format!("{} {}{lookup}", self.counted_pvs(), self.mode);
        };
        let disturbance = load
            .disturbance
            .map_or(String::new(), |disturbance| format!(" {}", disturbance.name()));
        let what = load.pixels.map_or(self.counted_pvs(), |pixels| pixels.to_string());
        format!("{}{disturbance} {what} {} Hz{lookup}", self.scenario, load.rate_hz)
    }

    fn place(&self) -> String {
        let lookup = self.by_lookup();
        if let Some(fault) = &self.fault {
            return format!("{fault}{}{lookup}", self.on_server());
        }
        let pvs = format!("{}{}", counted(self.pvs, "PV"), self.on_server());
        let Some(load) = self.load else { return pvs + &lookup };
        let pvs = if self.pvs == 0 { "all PVs".to_owned() } else { pvs };
        let what = load.pixels.map_or(pvs, |pixels| pixels.to_string());
        let disturbance = load
            .disturbance
            .map_or(String::new(), |disturbance| format!(", {}", disturbance.name()));
        format!("{what}, {} Hz{lookup}{disturbance}", load.rate_hz)
    }

    fn in_full(&self) -> String {
        let mut text = format!("{} on {}", self.scenario, self.server);
        match self.load.and_then(|load| load.pixels) {
            Some(pixels) => text += &format!(", {pixels}"),
            None if self.pvs == 0 => {}
            None => text += &format!(", {}", self.counted_pvs()),
        }
        if let Some(many_iocs) = self.many_iocs {
            text += &format!(" on {}", iocs(many_iocs));
        }
        if let Some(fault) = &self.fault {
            return format!("{text}, {fault}{}", self.by_lookup());
        }
        let lookup = self.by_lookup();
        let Some(load) = self.load else { return format!("{text} {}{lookup}", self.mode) };
        text += &format!(" at {} Hz{lookup}", load.rate_hz);
        if load.monitors != 1 {
            text += &format!(", {} monitors each", load.monitors);
        }
        if load.idle_pvs != 0 {
            text += &format!(", {} beside", counted(load.idle_pvs, "PV"));
        }
        if let Some(bytes) = load.array_bytes {
            text += &format!(", arrays up to {bytes} bytes");
        }
        if let Some(disturbance) = load.disturbance {
            text += &format!(", {}", disturbance.name());
        }
        text + &format!(", {} s", load.seconds)
    }

    fn progress(&self) -> String {
        let how = match (self.many_iocs, self.load) {
            _ if self.fault.is_some() => self.fault.clone().unwrap_or_default(),
            (Some(many_iocs), _) => iocs(many_iocs),
            (None, Some(load)) => format!("{} at {} Hz", self.scenario, load.rate_hz),
            (None, None) => self.mode.to_string(),
        };
        format!("on {}, {}, {how}{}", self.server, self.counted_pvs(), self.by_lookup())
    }

    fn file_name(&self) -> String {
        let how = match (self.many_iocs, self.load) {
            _ if self.fault.is_some() => self.fault.clone().unwrap_or_default(),
            (Some(many_iocs), _) if many_iocs.in_order => {
                format!("{}iocs-in-order", many_iocs.iocs)
            }
            (Some(many_iocs), _) => format!("{}iocs", many_iocs.iocs),
            (None, None) => self.mode.to_string(),
            (None, Some(load)) => {
                let disturbance = load.disturbance.map_or("", |disturbance| disturbance.name());
                format!("{disturbance}{}hz", load.rate_hz)
            }
        };
        match self.lookup.is_usual() {
            true => format!("{how}-{}", self.pvs),
            false => format!("{how}-{}-{}", self.pvs, self.lookup.option()),
        }
    }
}

fn iocs(many_iocs: ManyIocsShape) -> String {
    let order = if many_iocs.in_order { " in order" } else { "" };
    format!("{}{order}", counted(many_iocs.iocs, "IOC"))
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
    words.extend(load.disturbance.map(|disturbance| word(disturbance.name())));
    words
}

/// Lower-case letters, digits and `_` only.
pub(crate) fn word(text: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    text.chars().map(allowed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(lookup: Lookup) -> Configuration {
        Configuration {
            scenario: Scenario::Connect,
            server: USUAL_SERVER.to_owned(),
            pvs: 10_000,
            mode: Mode::Bulk,
            lookup,
            load: None,
            many_iocs: None,
            fault: None,
        }
    }

    #[test]
    fn only_the_lookup_that_is_not_usual_is_reported() {
        let (udp, name_server) = (by(Lookup::Udp), by(Lookup::NameServer));
        assert_eq!(udp.name_with("p4p"), "connect::p4p::n10000");
        assert_eq!(name_server.name_with("p4p"), "connect::p4p::n10000_name_server");
        for (words, expected) in [
            (Words::Heading, "connect on softioc, 10 000 PVs bulk by name server"),
            (Words::List, "10 000 PVs bulk by name server"),
            (Words::Place, "10 000 PVs by name server"),
            (Words::Progress, "on softioc, 10 000 PVs, bulk by name server"),
            (Words::File, "bulk-10000-name-server"),
        ] {
            assert_eq!(name_server.in_words(words), expected);
            let usual = udp.in_words(words);
            assert!(!usual.to_lowercase().contains("udp") && !usual.contains("by"), "{usual}");
        }
    }

    #[test]
    fn of_many_iocs_either_lookup_is_reported() {
        let many = |lookup| Configuration {
            many_iocs: Some(ManyIocsShape { iocs: 3, in_order: false }),
            ..by(lookup)
        };
        let listed = |lookup| many(lookup).in_words(Words::List);
        assert_eq!(listed(Lookup::Udp), "10 000 PVs on 3 IOCs by UDP");
        assert_eq!(listed(Lookup::NameServer), "10 000 PVs on 3 IOCs by name server");
        assert_eq!(many(Lookup::Udp).name_with("wire"), "connect::wire::3iocs_n10000");
    }

    #[test]
    fn a_configuration_of_an_older_file_is_read() {
        let many_iocs = Some(ManyIocsShape { iocs: 3, in_order: false });
        let now = Configuration { scenario: Scenario::ManyIocs, many_iocs, ..by(Lookup::Udp) };
        let written = serde_json::to_string(&now).unwrap();
        let older = written.replace("many-iocs", "fleet").replace("many_iocs", "fleet");
        assert_ne!(older, written);
        assert_eq!(serde_json::from_str::<Configuration>(&older).unwrap(), now);
    }
}
