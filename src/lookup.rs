//! How a client finds a PV.

use std::fmt;
#[cfg(feature = "cli")]
use std::str::FromStr;

/// How clients find out which IOC has a PV, over either protocol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema))]
#[cfg_attr(feature = "cli", serde(rename_all = "kebab-case"))]
pub enum Lookup {
    /// Searches in UDP datagrams, to the address of every IOC.
    #[default]
    Udp,
    /// Searches over TCP, with every IOC as a name server; nothing is sent over UDP.
    NameServer,
}

impl Lookup {
    /// Both, the usual one first.
    pub const ALL: [Lookup; 2] = [Lookup::Udp, Lookup::NameServer];

    /// The words in tables.
    pub fn name(self) -> &'static str {
        match self {
            Lookup::Udp => "UDP",
            Lookup::NameServer => "name server",
        }
    }

    /// The name on the command line, in files and in their names.
    pub fn option(self) -> &'static str {
        match self {
            Lookup::Udp => "udp",
            Lookup::NameServer => "name-server",
        }
    }

    /// Whether it is the one that is not named where there is no other.
    pub fn is_usual(self) -> bool {
        self == Lookup::default()
    }

    /// Such as ` by name server`, to stand behind a configuration; nothing for the usual one.
    pub fn unless_usual(self) -> String {
        if self.is_usual() { String::new() } else { format!(" by {self}") }
    }
}

impl fmt::Display for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(feature = "cli")]
impl FromStr for Lookup {
    type Err = String;

    fn from_str(text: &str) -> Result<Lookup, String> {
        let found = Lookup::ALL.into_iter().find(|lookup| lookup.option() == text);
        found.ok_or_else(|| {
            let known = Lookup::ALL.map(Lookup::option).join(", ");
            format!("unknown lookup `{text}`; there are: {known}")
        })
    }
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::*;

    #[test]
    fn a_lookup_is_read_by_the_name_that_is_printed() {
        for lookup in Lookup::ALL {
            assert_eq!(lookup.option().parse(), Ok(lookup));
        }
        let error = "multicast".parse::<Lookup>().unwrap_err();
        assert!(error.contains("`multicast`") && error.contains("udp, name-server"), "{error}");
    }
}
