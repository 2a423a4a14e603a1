//! Where to search, from the environment variables that every CA client reads.

use std::net::{Ipv4Addr, SocketAddrV4};

/// The port of CA servers when `EPICS_CA_SERVER_PORT` is not set.
const CA_SERVER_PORT: u16 = 5064;

/// Where searches go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Destinations {
    /// Over UDP to each of these servers.
    Servers(Vec<SocketAddrV4>),
    /// Over a TCP circuit to each of these name servers; no UDP at all.
    NameServers(Vec<SocketAddrV4>),
}

/// Reads `EPICS_CA_NAME_SERVERS`, and if it is empty `EPICS_CA_ADDR_LIST`, with
/// `EPICS_CA_SERVER_PORT` for addresses without a port; `variable` looks a
/// variable up. `EPICS_CA_AUTO_ADDR_LIST` counts as `NO`, whatever it says.
///
/// # Errors
/// A sentence that names the variable, when there is no address or a wrong one.
/// Addresses beyond loopback are wrong: a benchmark never touches a network that
/// may be somebody's control network.
pub(super) fn destinations(
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Destinations, String> {
    let variable = |name: &str| variable(name).unwrap_or_default();
    let port = match variable("EPICS_CA_SERVER_PORT").trim() {
        "" => CA_SERVER_PORT,
        text => text.parse().map_err(|_| format!("EPICS_CA_SERVER_PORT={text} is not a port"))?,
    };
    let name_servers =
        addresses("EPICS_CA_NAME_SERVERS", &variable("EPICS_CA_NAME_SERVERS"), port)?;
    if !name_servers.is_empty() {
        return Ok(Destinations::NameServers(name_servers));
    }
    let servers = addresses("EPICS_CA_ADDR_LIST", &variable("EPICS_CA_ADDR_LIST"), port)?;
    if servers.is_empty() {
        return Err(
            "neither EPICS_CA_ADDR_LIST nor EPICS_CA_NAME_SERVERS names a server".to_owned()
        );
    }
    Ok(Destinations::Servers(servers))
}

fn addresses(variable: &str, list: &str, port: u16) -> Result<Vec<SocketAddrV4>, String> {
    let mut addresses = Vec::new();
    for entry in list.split_whitespace() {
        let address = resolve(entry, port).map_err(|why| format!("{variable}: {entry}: {why}"))?;
        if !address.ip().is_loopback() {
            return Err(format!("{variable}: {entry}: wire stays on loopback, 127.0.0.0/8"));
        }
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
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

    fn read(variables: &[(&str, &str)]) -> Result<Destinations, String> {
        destinations(|name| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn list(addresses: &[&str]) -> Vec<SocketAddrV4> {
        addresses.iter().map(|address| address.parse().unwrap()).collect()
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
}
