//! The floor among several IOCs: it finds every PV, whoever has it, and names the
//! one that nobody has.

use std::net::UdpSocket;
use std::thread;
use std::time::Duration;

use epics_gauge::ioc::SoftIoc;
use epics_gauge::worker_protocol::{Mode, Stage, StageCommand};

use crate::support::WorkerDriver;

const IOCS: usize = 3;
const PVS_OF_EACH: usize = 300;

/// The order in which PVs are asked for.
#[derive(Debug, Clone, Copy)]
enum Order {
    /// All PVs of an IOC, then those of the next.
    Neighbours,
    /// Neighbours are never on the same IOC.
    Interleaved,
}

/// Where searches go.
#[derive(Debug, Clone, Copy)]
enum Search {
    Udp,
    NameServers,
}

const SEARCHES: [Search; 2] = [Search::Udp, Search::NameServers];

/// IOC k has `many:k:0`, `many:k:1`, …, each with a value of its own.
fn many_iocs() -> Vec<SoftIoc> {
    let start = |ioc: usize| {
        let record = |index| {
            let value = value_of(ioc, index);
            format!("record(ao, \"{}\") {{ field(VAL, {value}) }}\n", name_of(ioc, index))
        };
        let records: String = (0..PVS_OF_EACH).map(record).collect();
        SoftIoc::builder().db(records, &[]).start().unwrap()
    };
    (0..IOCS).map(start).collect()
}

fn name_of(ioc: usize, index: usize) -> String {
    format!("many:{ioc}:{index}")
}

fn value_of(ioc: usize, index: usize) -> usize {
    ioc * 1_000_000 + index
}

/// IOC and index of every PV.
fn pvs(order: Order) -> Vec<(usize, usize)> {
    let all = 0..IOCS * PVS_OF_EACH;
    match order {
        Order::Neighbours => all.map(|n| (n / PVS_OF_EACH, n % PVS_OF_EACH)).collect(),
        Order::Interleaved => all.map(|n| (n % IOCS, n / IOCS)).collect(),
    }
}

/// A client's environment that names these servers.
fn environment(ioc: &SoftIoc, servers: &[String], search: Search) -> Vec<(String, String)> {
    let mut environment = ioc.client_environment();
    environment.retain(|(name, _)| name != "EPICS_CA_ADDR_LIST");
    let servers = servers.join(" ");
    let (addresses, name_servers) = match search {
        Search::Udp => (servers, String::new()),
        Search::NameServers => (String::new(), servers),
    };
    environment.push(("EPICS_CA_ADDR_LIST".to_owned(), addresses));
    environment.push(("EPICS_CA_NAME_SERVERS".to_owned(), name_servers));
    environment
}

fn address_of(ioc: &SoftIoc) -> String {
    format!("127.0.0.1:{}", ioc.port())
}

fn addresses(iocs: &[SoftIoc]) -> Vec<String> {
    iocs.iter().map(address_of).collect()
}

fn worker(
    environment: Vec<(String, String)>,
    pvs: &[(usize, usize)],
    timeout_s: f64,
) -> WorkerDriver {
    let mut worker = WorkerDriver::start("wire", environment);
    worker.job_of(pvs.iter().map(|(ioc, index)| name_of(*ioc, *index)).collect(), timeout_s);
    worker.stage(Stage::Context, Mode::Bulk);
    worker
}

/// Connects and reads every PV; answers with the searches that it took.
fn assert_connects(environment: Vec<(String, String)>, order: Order, mode: Mode) -> u64 {
    let pvs = pvs(order);
    let mut worker = worker(environment, &pvs, 30.0);
    let connected = worker.stage(Stage::Connect, mode);
    let expected: Vec<f64> = pvs.iter().map(|(ioc, index)| value_of(*ioc, *index) as f64).collect();
    assert_eq!(worker.stage(Stage::Get, Mode::Bulk).values, Some(expected));
    connected.counters["searches"]
}

#[test]
fn neighbours_are_asked_of_the_ioc_that_has_them_and_of_no_other() {
    let iocs = many_iocs();
    let all = (IOCS * PVS_OF_EACH) as u64;
    for search in SEARCHES {
        let environment = environment(&iocs[0], &addresses(&iocs), search);
        let searches = assert_connects(environment.clone(), Order::Neighbours, Mode::Bulk);
        // Asking everyone would take three for each.
        assert!((all..all * 2).contains(&searches), "{search:?}: {searches}");
        let searches = assert_connects(environment, Order::Neighbours, Mode::Serial);
        assert!((all..all * 3).contains(&searches), "{search:?} serial: {searches}");
    }
}

#[test]
fn pvs_whose_neighbours_are_always_elsewhere_connect_all_the_same() {
    let iocs = many_iocs();
    for search in SEARCHES {
        for mode in [Mode::Bulk, Mode::Serial] {
            let environment = environment(&iocs[0], &addresses(&iocs), search);
            assert_connects(environment, Order::Interleaved, mode);
        }
    }
}

#[test]
fn the_pvs_of_an_ioc_that_is_down_are_named_and_hold_up_no_other() {
    let mut iocs = many_iocs();
    iocs[1].crash();
    for order in [Order::Neighbours, Order::Interleaved] {
        let environment = environment(&iocs[0], &addresses(&iocs), Search::Udp);
        let mut worker = worker(environment, &pvs(order), 3.0);
        let error = worker.run(&StageCommand::new(Stage::Connect, Mode::Bulk)).unwrap_err();
        assert_eq!(error, error_without_ioc_1(), "{order:?}");
    }
}

/// All that is missing is what the IOC had: the rest was connected in time.
fn error_without_ioc_1() -> String {
    let all = IOCS * PVS_OF_EACH;
    format!(
        "{PVS_OF_EACH} of {all} PVs not connected after 3 s, first {}: {PVS_OF_EACH} not found",
        name_of(1, 0)
    )
}

/// A name server that is down is an error that names it; one that lacks a PV is not.
#[test]
fn what_no_name_server_has_is_named() {
    let mut iocs = many_iocs();
    for order in [Order::Neighbours, Order::Interleaved] {
        let two = [address_of(&iocs[0]), address_of(&iocs[2])];
        let environment = environment(&iocs[0], &two, Search::NameServers);
        let mut worker = worker(environment, &pvs(order), 3.0);
        let error = worker.run(&StageCommand::new(Stage::Connect, Mode::Bulk)).unwrap_err();
        assert_eq!(error, error_without_ioc_1(), "{order:?}");
    }
    iocs[1].crash();
    let environment = environment(&iocs[0], &addresses(&iocs), Search::NameServers);
    let mut worker = worker(environment, &pvs(Order::Neighbours), 3.0);
    let error = worker.run(&StageCommand::new(Stage::Connect, Mode::Bulk)).unwrap_err();
    assert!(error.contains(&address_of(&iocs[1])), "{error}");
}

/// Each datagram has a number of its own, so a server that is asked twice sees it
/// twice. This one never answers.
#[test]
fn an_address_that_is_named_twice_is_asked_once() {
    let iocs = many_iocs();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let environment = environment(&iocs[0], &[address.clone(), address], Search::Udp);
    let mut worker = worker(environment, &pvs(Order::Neighbours), 1.0);
    worker.run(&StageCommand::new(Stage::Connect, Mode::Bulk)).unwrap_err();
    silent.set_nonblocking(true).unwrap();
    let mut buffer = [0; 2048];
    let mut numbers = Vec::new();
    while let Ok(length) = silent.recv(&mut buffer) {
        assert!(length > 16);
        numbers.push(buffer[8..12].to_vec());
    }
    let all = numbers.len();
    numbers.sort();
    numbers.dedup();
    assert!(all > 0 && numbers.len() == all, "{all} datagrams, {} of them new", numbers.len());
}

#[test]
fn a_name_server_that_is_named_twice_is_asked_once() {
    let iocs = many_iocs();
    let once = addresses(&iocs);
    let twice = [once.clone(), once.clone()].concat();
    let searches = |servers: &[String]| {
        let environment = environment(&iocs[0], servers, Search::NameServers);
        assert_connects(environment, Order::Neighbours, Mode::Bulk)
    };
    assert_eq!(searches(&once), searches(&twice));
}

/// A relay in front of one of the IOCs loses every third datagram on the way there.
#[test]
fn what_is_lost_on_the_way_to_one_ioc_is_asked_for_again() {
    let iocs = many_iocs();
    let front = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut servers = addresses(&iocs);
    let behind = std::mem::replace(&mut servers[1], front.local_addr().unwrap().to_string());
    thread::spawn(move || relay_two_of_three(&front, &behind));
    for order in [Order::Neighbours, Order::Interleaved] {
        let environment = environment(&iocs[0], &servers, Search::Udp);
        assert_connects(environment, order, Mode::Bulk);
    }
}

/// Ends with the test's process.
fn relay_two_of_three(front: &UdpSocket, behind: &str) {
    let back = UdpSocket::bind("127.0.0.1:0").unwrap();
    back.connect(behind).unwrap();
    back.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut buffer = [0; 2048];
    for count in 1.. {
        let Ok((length, client)) = front.recv_from(&mut buffer) else { return };
        if count % 3 == 0 {
            continue;
        }
        back.send(&buffer[..length]).unwrap();
        while let Ok(length) = back.recv(&mut buffer) {
            front.send_to(&buffer[..length], client).unwrap();
        }
    }
}
