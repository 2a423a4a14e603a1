//! Where to search, from the environment variables that every client reads.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

/// The variables of a protocol.
#[derive(Debug)]
pub(in crate::worker) struct Variables {
    /// Servers that are asked over TCP; when it is empty `addresses` counts.
    pub(in crate::worker) name_servers: &'static str,
    /// Servers that are searched over UDP.
    pub(in crate::worker) addresses: &'static str,
    /// The port of name servers that are given without one, and its usual value.
    pub(in crate::worker) server_port: (&'static str, u16),
    /// The port of searches over UDP, and its usual value.
    pub(in crate::worker) search_port: (&'static str, u16),
    /// Seconds after which a client asks after a server that is silent.
    pub(in crate::worker) timeout: &'static str,
}

/// The variable with the addresses of other hosts that may be searched, separated by spaces:
/// those of the user's file of hosts.
const ALLOWED: &str = "EPICS_GAUGE_SERVERS";

/// What a client does that sets no [`Variables::timeout`].
const USUAL_TIMEOUT: Duration = Duration::from_secs(30);

/// The time after which a client asks after a server; that of everybody where it is not
/// set, or set to no time.
pub(super) fn timeout(variables: &Variables, value: impl Fn(&str) -> Option<String>) -> Duration {
    let seconds = value(variables.timeout).and_then(|text| text.trim().parse().ok());
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|timeout| !timeout.is_zero())
        .unwrap_or(USUAL_TIMEOUT)
}

/// Where searches go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Destinations {
    /// Over UDP to each of these servers.
    Servers(Vec<SocketAddrV4>),
    /// Over a TCP circuit to each of these name servers; no UDP at all.
    NameServers(Vec<SocketAddrV4>),
}

/// Reads the name servers, and where there are none the addresses; `value` looks a
/// variable up. No address is found automatically.
///
/// # Errors
/// A sentence that names the variable, when there is no address or a wrong one.
/// Addresses beyond loopback are wrong unless [`ALLOWED`] lists them: a benchmark never
/// touches a network that may be somebody's control network.
pub(super) fn destinations(
    variables: &Variables,
    value: impl Fn(&str) -> Option<String>,
) -> Result<Destinations, String> {
    let value = |name: &str| value(name).unwrap_or_default();
    let port = |(name, usual): (&str, u16)| match value(name).trim() {
        "" => Ok(usual),
        text => text.parse().map_err(|_| format!("{name}={text} is not a port")),
    };
    let Variables { name_servers, addresses: list, server_port, search_port, .. } = *variables;
    let allowed = value(ALLOWED);
    let servers = addresses(name_servers, &value(name_servers), port(server_port)?, &allowed)?;
    if !servers.is_empty() {
        return Ok(Destinations::NameServers(servers));
    }
    let servers = addresses(list, &value(list), port(search_port)?, &allowed)?;
    if servers.is_empty() {
        return Err(format!("neither {list} nor {name_servers} names a server"));
    }
    Ok(Destinations::Servers(servers))
}

fn addresses(
    variable: &str,
    list: &str,
    port: u16,
    allowed: &str,
) -> Result<Vec<SocketAddrV4>, String> {
    let mut addresses = Vec::new();
    for entry in list.split_whitespace() {
        let address = resolve(entry, port).map_err(|why| format!("{variable}: {entry}: {why}"))?;
        if !may_search(*address.ip(), allowed) {
            return Err(format!(
                "{variable}: {entry}: this client stays on loopback, 127.0.0.0/8, and on hosts \
                 that {ALLOWED} lists"
            ));
        }
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

/// Whether searches may go to an address, which is never that of many hosts.
fn may_search(address: Ipv4Addr, allowed: &str) -> bool {
    let is_of_many = address.is_broadcast() || address.is_multicast();
    let is_listed = || allowed.split_whitespace().any(|one| one.parse() == Ok(address));
    address.is_loopback() || (!is_of_many && is_listed())
}

/// No name but `localhost` is looked up: a look-up may leave the machine.
fn resolve(entry: &str, port: u16) -> Result<SocketAddrV4, String> {
    let (host, port) = match entry.rsplit_once(':') {
        None => (entry, port),
        Some((host, text)) => (host, text.parse().map_err(|_| format!("{text} is not a port"))?),
    };
    let address = match host {
        "localhost" => Ipv4Addr::LOCALHOST,
        host => host.parse().map_err(|_| format!("{host} is not an IPv4 address"))?,
    };
    Ok(SocketAddrV4::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANNEL_ACCESS: Variables = Variables {
        name_servers: "EPICS_CA_NAME_SERVERS",
        addresses: "EPICS_CA_ADDR_LIST",
        server_port: ("EPICS_CA_SERVER_PORT", 5064),
        search_port: ("EPICS_CA_SERVER_PORT", 5064),
        timeout: "EPICS_CA_CONN_TMO",
    };

    fn read(variables: &[(&str, &str)]) -> Result<Destinations, String> {
        destinations(&CHANNEL_ACCESS, |name| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn list(addresses: &[&str]) -> Vec<SocketAddrV4> {
        addresses.iter().map(|address| address.parse().unwrap()).collect()
    }

    #[test]
    fn a_timeout_that_is_none_is_that_of_everybody() {
        let of = |text: &'static str| timeout(&CHANNEL_ACCESS, move |_| Some(text.to_owned()));
        assert_eq!(of("2.5"), Duration::from_millis(2500));
        for text in ["", "0", "-1", "soon"] {
            assert_eq!(of(text), USUAL_TIMEOUT, "{text}");
        }
    }

    #[test]
    fn addresses_without_a_port_get_the_server_port() {
        let addresses = ("EPICS_CA_ADDR_LIST", " 127.0.0.1  127.0.0.2:7001 127.0.0.1 ");
        assert_eq!(
            read(&[addresses]),
            Ok(Destinations::Servers(list(&["127.0.0.1:5064", "127.0.0.2:7001"])))
        );
        assert_eq!(
            read(&[addresses, ("EPICS_CA_SERVER_PORT", "12345")]),
            Ok(Destinations::Servers(list(&["127.0.0.1:12345", "127.0.0.2:7001"])))
        );
    }

    #[test]
    fn name_servers_come_before_addresses() {
        assert_eq!(
            read(&[
                ("EPICS_CA_ADDR_LIST", "127.0.0.1"),
                ("EPICS_CA_NAME_SERVERS", "127.0.0.1:7000"),
            ]),
            Ok(Destinations::NameServers(list(&["127.0.0.1:7000"])))
        );
    }

    #[test]
    fn a_wrong_variable_is_named() {
        assert!(read(&[]).unwrap_err().contains("EPICS_CA_ADDR_LIST"));
        assert_eq!(
            read(&[("EPICS_CA_SERVER_PORT", "x")]).unwrap_err(),
            "EPICS_CA_SERVER_PORT=x is not a port"
        );
        assert_eq!(
            read(&[("EPICS_CA_ADDR_LIST", "127.0.0.1:x")]).unwrap_err(),
            "EPICS_CA_ADDR_LIST: 127.0.0.1:x: x is not a port"
        );
    }

    #[test]
    fn nothing_beyond_loopback_is_ever_searched() {
        for address in ["255.255.255.255", "224.0.0.1", "192.0.2.1", "10.1.2.255", "example"] {
            assert!(read(&[("EPICS_CA_ADDR_LIST", address)]).is_err(), "{address}");
            assert!(read(&[("EPICS_CA_NAME_SERVERS", address)]).is_err(), "{address}");
        }
        assert!(read(&[("EPICS_CA_ADDR_LIST", "localhost:7000")]).is_ok());
    }

    #[test]
    fn a_listed_host_is_searched_and_no_other() {
        let to = |address| {
            read(&[("EPICS_CA_ADDR_LIST", address), (ALLOWED, "10.0.0.1 255.255.255.255")])
        };
        assert_eq!(to("10.0.0.1"), Ok(Destinations::Servers(list(&["10.0.0.1:5064"]))));
        for address in ["10.0.0.2", "255.255.255.255"] {
            assert!(to(address).unwrap_err().contains(ALLOWED), "{address}");
        }
    }
}
