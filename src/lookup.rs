//! How a client finds a PV.

#[cfg(feature = "cli")]
use std::str::FromStr;

#[cfg(feature = "cli")]
use crate::named::UnknownName;
use crate::named::named;

named! {
    /// How clients find out which IOC has a PV, over either protocol.
    #[derive(Default)]
    #[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema))]
    #[cfg_attr(feature = "cli", serde(rename_all = "kebab-case"))]
    pub enum Lookup {
        /// Searches in UDP datagrams, to the address of every IOC.
        #[default]
        Udp = "UDP",
        /// Searches over TCP, with every IOC as a name server; nothing is sent over UDP.
        NameServer = "name server",
    }
}

impl Lookup {
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

#[cfg(feature = "cli")]
impl FromStr for Lookup {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Lookup, UnknownName> {
        let found = Lookup::ALL.into_iter().find(|lookup| lookup.option() == text);
        found.ok_or_else(|| UnknownName::new("lookup", text, &Lookup::ALL.map(Lookup::option)))
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
        let error = "multicast".parse::<Lookup>().unwrap_err().to_string();
        assert!(error.contains("`multicast`") && error.contains("udp, name-server"), "{error}");
    }
}
