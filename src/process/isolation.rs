//! Ports of one's own, and environments that know nothing but loopback, or the addresses of
//! two hosts.

use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::Repeater;
use crate::lookup::Lookup;

/// Above what servers usually take, below what systems hand out for outgoing
/// connections (Linux: 32768); libca refuses 5000 and less.
const FIRST_PORT: u16 = 20_000;
const BLOCKS: u16 = 2_400;
const PORTS_PER_BLOCK: u16 = 5;

/// libca's array limit for every process: pyepics raises it by itself, and the
/// size of libca's buffers changes how it behaves, so it is the same for all.
const USUAL_MAX_ARRAY_BYTES: u64 = 16_777_216;

/// Lists the hosts beyond loopback that the floors may search.
const ALLOWED_SERVERS: &str = "EPICS_GAUGE_SERVERS";

/// Where each side of a link sees the other: another address of loopback.
pub(super) const FAR: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Which way clients and an IOC reach each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reach {
    /// On loopback.
    #[default]
    Direct,
    /// Over a link, at whose other end each sees the other.
    OverLink,
    /// Between two hosts, each at its own address.
    Hosts {
        /// The address of the IOC, on which alone it serves.
        server: Ipv4Addr,
        /// The address of its clients, to which its beacons go.
        clients: Ipv4Addr,
    },
}

impl Reach {
    /// Where clients reach the IOC.
    fn server(self) -> Ipv4Addr {
        match self {
            Reach::Direct => Ipv4Addr::LOCALHOST,
            Reach::OverLink => FAR,
            Reach::Hosts { server, .. } => server,
        }
    }

    /// Where the IOC reaches its clients.
    fn clients(self) -> Ipv4Addr {
        match self {
            Reach::Direct => Ipv4Addr::LOCALHOST,
            Reach::OverLink => FAR,
            Reach::Hosts { clients, .. } => clients,
        }
    }

    /// The address on which the IOC serves, as its own host knows it.
    pub fn served(self) -> Ipv4Addr {
        match self {
            Reach::Direct | Reach::OverLink => Ipv4Addr::LOCALHOST,
            Reach::Hosts { server, .. } => server,
        }
    }

    /// The address from which clients search, as their own host knows it.
    fn searched_from(self) -> Ipv4Addr {
        match self {
            Reach::Direct | Reach::OverLink => Ipv4Addr::LOCALHOST,
            Reach::Hosts { clients, .. } => clients,
        }
    }
}

/// How large the arrays may be that an IOC and its clients exchange, which is
/// the same for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArrayLimit {
    /// 16 MiB, or this many bytes where that is more. A Base that grows its
    /// buffers by itself, which is its default, may exceed it.
    RoomFor(u64),
    /// This many bytes (`EPICS_CA_MAX_ARRAY_BYTES`), with the growth of buffers
    /// switched off (`EPICS_CA_AUTO_ARRAY_BYTES=NO`).
    Exactly(u64),
}

impl ArrayLimit {
    fn environment(self) -> Vec<(String, String)> {
        let most = |bytes: u64| ("EPICS_CA_MAX_ARRAY_BYTES", bytes.to_string());
        match self {
            ArrayLimit::RoomFor(bytes) => owned([most(bytes.max(USUAL_MAX_ARRAY_BYTES))]),
            ArrayLimit::Exactly(bytes) => {
                owned([most(bytes), ("EPICS_CA_AUTO_ARRAY_BYTES", "NO".to_owned())])
            }
        }
    }
}

/// A block of ports that nobody else has.
///
/// The block is reserved by holding its first port: see [`Repeater`].
#[derive(Debug)]
pub struct Ports {
    repeater: Repeater,
}

impl Ports {
    /// Reserves a block, beginning at a random place.
    ///
    /// # Errors
    /// When none of the 2400 blocks is free.
    pub fn reserve() -> io::Result<Ports> {
        let start = StdRng::from_os_rng().random_range(0..BLOCKS);
        (0..BLOCKS).find_map(|step| Ports::block((start + step) % BLOCKS)).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::AddrInUse,
                format!("all ports from {FIRST_PORT} to {} are taken", last_port()),
            )
        })
    }

    fn block(index: u16) -> Option<Ports> {
        let repeater = Repeater::on_port(FIRST_PORT + index * PORTS_PER_BLOCK).ok()?;
        let ports = Ports { repeater };
        let others =
            [ports.ca_server(), ports.pva_server(), ports.pva_search(), ports.pva_beacons()];
        others.into_iter().all(is_free).then_some(ports)
    }

    /// The repeater's port, to which beacons go as well.
    pub fn ca_repeater(&self) -> u16 {
        self.repeater.port()
    }

    /// The port of the IOC's CA server, UDP and TCP.
    pub fn ca_server(&self) -> u16 {
        self.repeater.port() + 1
    }

    /// The TCP port of the IOC's pvAccess server.
    pub fn pva_server(&self) -> u16 {
        self.repeater.port() + 2
    }

    /// The UDP port on which the IOC hears searches over pvAccess. Programs that share
    /// a UDP port on loopback do not reliably all hear what is sent to it, so no client
    /// binds this one.
    pub fn pva_search(&self) -> u16 {
        self.repeater.port() + 3
    }

    /// The UDP port on which clients hear the IOC's beacons over pvAccess.
    pub fn pva_beacons(&self) -> u16 {
        self.repeater.port() + 4
    }
}

const fn last_port() -> u16 {
    FIRST_PORT + BLOCKS * PORTS_PER_BLOCK - 1
}

/// Asked on all interfaces: a stranger's server there would be in the way.
fn is_free(port: u16) -> bool {
    UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
        && TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}

/// What a client of either protocol needs to find the IOC on `ports` by this lookup, and
/// nothing else.
pub fn client_environment(
    ports: &Ports,
    lookup: Lookup,
    arrays: ArrayLimit,
    reach: Reach,
) -> Vec<(String, String)> {
    client_environment_of(&[ports], lookup, arrays, reach)
}

/// The same for several IOCs, of which there is at least one. Beacons of the first one reach
/// the client.
///
/// # Panics
/// Without any.
pub fn client_environment_of(
    iocs: &[&Ports],
    lookup: Lookup,
    arrays: ArrayLimit,
    reach: Reach,
) -> Vec<(String, String)> {
    let server = reach.server();
    let (first, own) = (iocs[0], reach.searched_from());
    let mut environment = common_environment(first, first.pva_beacons(), arrays, own);
    let all_at = |port: fn(&Ports) -> u16| -> String {
        let addresses: Vec<String> =
            iocs.iter().map(|ports| format!("{server}:{}", port(ports))).collect();
        addresses.join(" ")
    };
    if let Reach::Hosts { server, .. } = reach {
        environment.extend(owned([(ALLOWED_SERVERS, server.to_string())]));
    }
    environment.extend(match lookup {
        Lookup::Udp => owned([
            (
                "EPICS_CA_ADDR_LIST",
                match iocs {
                    // Its port is that of EPICS_CA_SERVER_PORT.
                    [_] => server.to_string(),
                    _ => all_at(Ports::ca_server),
                },
            ),
            ("EPICS_PVA_ADDR_LIST", all_at(Ports::pva_search)),
        ]),
        // A list that is absent would mean the same, but not to every client.
        Lookup::NameServer => owned([
            ("EPICS_CA_ADDR_LIST", String::new()),
            ("EPICS_CA_NAME_SERVERS", all_at(Ports::ca_server)),
            ("EPICS_PVA_NAME_SERVERS", all_at(Ports::pva_server)),
        ]),
    });
    environment
}

/// Other IOCs on loopback whose records the links of an IOC find.
#[derive(Debug, Clone, Default)]
pub struct Peers {
    /// Ports on which they hear searches over Channel Access, and over pvAccess.
    search_ports: Vec<(u16, u16)>,
}

impl Peers {
    /// Adds the IOC on `ports`.
    pub fn add(&mut self, ports: &Ports) {
        self.search_ports.push((ports.ca_server(), ports.pva_search()));
    }

    /// The IOC's own address, and theirs.
    fn ca_addresses(&self, own: Ipv4Addr) -> String {
        let peers = self.search_ports.iter().map(|(ca, _)| format!(" 127.0.0.1:{ca}"));
        std::iter::once(own.to_string()).chain(peers).collect()
    }

    /// Theirs alone.
    fn pva_addresses(&self) -> String {
        let peers: Vec<String> =
            self.search_ports.iter().map(|(_, pva)| format!("127.0.0.1:{pva}")).collect();
        peers.join(" ")
    }
}

/// What an IOC needs to serve on `ports` of one address only. Its own CA links find itself and
/// `peers`; its own pvAccess client searches `peers` only: it would connect to itself.
pub fn server_environment(
    ports: &Ports,
    peers: &Peers,
    arrays: ArrayLimit,
    reach: Reach,
) -> Vec<(String, String)> {
    let (clients, served) = (reach.clients(), reach.served());
    let mut environment = common_environment(ports, ports.pva_search(), arrays, served);
    if !peers.search_ports.is_empty() {
        environment.extend(owned([("EPICS_PVA_ADDR_LIST", peers.pva_addresses())]));
    }
    environment.extend(owned([
        ("EPICS_CA_ADDR_LIST", peers.ca_addresses(served)),
        ("EPICS_CAS_INTF_ADDR_LIST", served.to_string()),
        ("EPICS_CAS_SERVER_PORT", ports.ca_server().to_string()),
        ("EPICS_CAS_BEACON_ADDR_LIST", clients.to_string()),
        ("EPICS_CAS_AUTO_BEACON_ADDR_LIST", "NO".to_owned()),
        ("EPICS_CAS_BEACON_PORT", ports.ca_repeater().to_string()),
        ("EPICS_PVAS_INTF_ADDR_LIST", served.to_string()),
        ("EPICS_PVAS_SERVER_PORT", ports.pva_server().to_string()),
        ("EPICS_PVAS_BROADCAST_PORT", ports.pva_search().to_string()),
        ("EPICS_PVAS_BEACON_ADDR_LIST", format!("{clients}:{}", ports.pva_beacons())),
        ("EPICS_PVAS_AUTO_BEACON_ADDR_LIST", "NO".to_owned()),
    ]));
    environment
}

/// What both have in common. `pva_udp` is the port on which a pvAccess client hears
/// beacons, `own` the address of its host.
fn common_environment(
    ports: &Ports,
    pva_udp: u16,
    arrays: ArrayLimit,
    own: Ipv4Addr,
) -> Vec<(String, String)> {
    let mut environment = owned([
        ("EPICS_CA_AUTO_ADDR_LIST", "NO".to_owned()),
        ("EPICS_CA_SERVER_PORT", ports.ca_server().to_string()),
        ("EPICS_CA_REPEATER_PORT", ports.ca_repeater().to_string()),
        ("EPICS_PVA_AUTO_ADDR_LIST", "NO".to_owned()),
        ("EPICS_PVA_INTF_ADDR_LIST", own.to_string()),
        ("EPICS_PVA_SERVER_PORT", ports.pva_server().to_string()),
        ("EPICS_PVA_BROADCAST_PORT", pva_udp.to_string()),
    ]);
    environment.extend(arrays.environment());
    environment
}

fn owned<const COUNT: usize>(variables: [(&str, String); COUNT]) -> Vec<(String, String)> {
    variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn by(ports: &Ports, lookup: Lookup) -> BTreeMap<String, String> {
        client_environment(ports, lookup, ArrayLimit::RoomFor(0), Reach::Direct)
            .into_iter()
            .collect()
    }

    #[test]
    fn a_client_by_udp_knows_no_name_server_and_leaves_the_search_port_to_the_server() {
        let ports = Ports::reserve().unwrap();
        let client = by(&ports, Lookup::Udp);
        assert!(!client.keys().any(|name| name.contains("NAME_SERVERS")), "{client:?}");
        let address = format!("127.0.0.1:{}", ports.pva_search());
        assert_eq!(client["EPICS_PVA_ADDR_LIST"], address);
        assert_eq!(client["EPICS_PVA_BROADCAST_PORT"], ports.pva_beacons().to_string());
        assert_ne!(ports.pva_beacons(), ports.pva_search());
    }

    #[test]
    fn a_client_by_name_server_has_nowhere_to_search_over_udp() {
        let ports = Ports::reserve().unwrap();
        let client = by(&ports, Lookup::NameServer);
        assert_eq!(client["EPICS_CA_ADDR_LIST"], "");
        assert!(!client.contains_key("EPICS_PVA_ADDR_LIST"), "{client:?}");
        for (variable, port) in [
            ("EPICS_CA_NAME_SERVERS", ports.ca_server()),
            ("EPICS_PVA_NAME_SERVERS", ports.pva_server()),
        ] {
            assert_eq!(client[variable], format!("127.0.0.1:{port}"));
        }
        assert_eq!(client["EPICS_CA_AUTO_ADDR_LIST"], "NO");
        assert_eq!(client["EPICS_PVA_AUTO_ADDR_LIST"], "NO");
    }

    #[test]
    fn a_server_sends_its_beacons_to_its_clients_and_searches_pvs_of_its_own_over_ca_only() {
        let ports = Ports::reserve().unwrap();
        let server: BTreeMap<String, String> =
            server_environment(&ports, &Peers::default(), ArrayLimit::RoomFor(0), Reach::Direct)
                .into_iter()
                .collect();
        let beacons = format!("127.0.0.1:{}", ports.pva_beacons());
        assert_eq!(server["EPICS_PVAS_BEACON_ADDR_LIST"], beacons);
        assert_eq!(server["EPICS_PVAS_BROADCAST_PORT"], ports.pva_search().to_string());
        for variable in ["EPICS_PVA_ADDR_LIST", "EPICS_PVA_NAME_SERVERS"] {
            assert!(!server.contains_key(variable), "{server:?}");
        }
    }

    #[test]
    fn a_server_with_peers_searches_them_and_itself_over_ca() {
        let (ports, other) = (Ports::reserve().unwrap(), Ports::reserve().unwrap());
        let mut peers = Peers::default();
        peers.add(&other);
        let server: BTreeMap<String, String> =
            server_environment(&ports, &peers, ArrayLimit::RoomFor(0), Reach::Direct)
                .into_iter()
                .collect();
        let ca = format!("127.0.0.1 127.0.0.1:{}", other.ca_server());
        assert_eq!(server["EPICS_CA_ADDR_LIST"], ca);
        let pva = format!("127.0.0.1:{}", other.pva_search());
        assert_eq!(server["EPICS_PVA_ADDR_LIST"], pva);
    }

    #[test]
    fn over_a_link_each_side_reaches_the_other_at_its_far_end_and_itself_at_home() {
        let ports = Ports::reserve().unwrap();
        let arrays = ArrayLimit::RoomFor(0);
        for lookup in Lookup::ALL {
            let client = client_environment(&ports, lookup, arrays, Reach::OverLink);
            for (name, value) in client {
                let is_of_server = name.ends_with("ADDR_LIST") || name.ends_with("NAME_SERVERS");
                let is_home = name.contains("INTF") || name.contains("AUTO") || value.is_empty();
                if is_of_server && !is_home {
                    assert!(value.starts_with("127.0.0.2"), "{name}={value}");
                } else {
                    assert!(!value.contains("127.0.0.2"), "{name}={value}");
                }
            }
        }
        let server = server_environment(&ports, &Peers::default(), arrays, Reach::OverLink);
        for (name, value) in server {
            let is_beacons = name.ends_with("BEACON_ADDR_LIST") && !name.contains("AUTO");
            assert_eq!(value.contains("127.0.0.2"), is_beacons, "{name}={value}");
        }
    }

    #[test]
    fn between_hosts_nothing_but_their_addresses_is_used() {
        let ports = Ports::reserve().unwrap();
        let arrays = ArrayLimit::RoomFor(0);
        let (server, clients) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
        let reach = Reach::Hosts { server, clients };
        let of_server = server_environment(&ports, &Peers::default(), arrays, reach);
        for (name, value) in &of_server {
            let is_beacons = name.ends_with("BEACON_ADDR_LIST") && !name.contains("AUTO");
            assert_eq!(value.contains("10.0.0.2"), is_beacons, "{name}={value}");
            assert!(!value.contains("127."), "{name}={value}");
        }
        for lookup in Lookup::ALL {
            for (name, value) in client_environment(&ports, lookup, arrays, reach) {
                let is_own = name.contains("INTF");
                assert_eq!(value.contains("10.0.0.2"), is_own, "{name}={value}");
                assert!(!value.contains("127."), "{name}={value}");
            }
        }
    }

    #[test]
    fn all_ports_of_all_blocks_are_ones_that_systems_do_not_hand_out() {
        assert!(last_port() < 32_768);
    }
}
