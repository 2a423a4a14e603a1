//! Instruments against independent ones, and the floor under loss.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use epics_gauge::embedded;
use epics_gauge::ioc::SoftIoc;
use epics_gauge::metric::Timed;
use epics_gauge::process::Command;
use epics_gauge::record::Record;
use epics_gauge::worker_protocol::{Mode, Stage};

use crate::support::{Gauge, WorkerDriver, measuring_alone};

const PVS: usize = 10_000;

/// What Base's own client yardstick and the approach libca say of the same
/// three things, in seconds per PV.
#[derive(Debug, Clone, Copy)]
struct Figures {
    connect: f64,
    bulk_get: f64,
    serial_get: f64,
}

#[test]
fn libca_agrees_with_bases_own_catime() {
    let _alone = measuring_alone();
    let rounds: Vec<(Figures, Figures)> = (0..5).map(|_| (by_libca(), by_catime())).collect();
    // The bulk get differs by design: catime repeats it on warm buffers, the
    // approach does it once, with new values and a callback for each.
    let compared: [(&str, fn(&Figures) -> f64, std::ops::Range<f64>); 3] = [
        ("connect", |figures| figures.connect, 0.5..2.0),
        ("bulk get", |figures| figures.bulk_get, 0.5..8.0),
        ("serial get", |figures| figures.serial_get, 0.4..2.5),
    ];
    println!("least of 5 rounds, {PVS} PVs | libca s per PV | catime s per PV | ratio");
    for (name, of, agreed) in compared {
        // Other tests that run beside make both take longer, never less.
        let least = |all: &mut dyn Iterator<Item = f64>| all.fold(f64::INFINITY, f64::min);
        let ours = least(&mut rounds.iter().map(|(libca, _)| of(libca)));
        let theirs = least(&mut rounds.iter().map(|(_, catime)| of(catime)));
        let ratio = ours / theirs;
        println!("{name} | {ours:.2e} | {theirs:.2e} | {ratio:.2}");
        assert!(agreed.contains(&ratio), "{name}: libca takes {ratio} times as long");
    }
}

fn by_libca() -> Figures {
    let arguments = format!("connect --approach libca --pvs {PVS} --mode bulk --blocks 1");
    let records = Gauge::run(&arguments).finish().records();
    let is_own = |record: &&Record| record.approach == "libca" && record.lookup.is_usual();
    let record = records.iter().find(is_own).unwrap();
    let figure = |stage, mode| Timed { stage, mode }.of(record).unwrap();
    Figures {
        connect: figure(Stage::Connect, Mode::Bulk),
        bulk_get: figure(Stage::Get, Mode::Bulk),
        serial_get: figure(Stage::Get, Mode::Serial),
    }
}

fn by_catime() -> Figures {
    // catime names its channels by six digits.
    let records: String = (0..PVS)
        .map(|index| format!("record(calc, \"catime:{index:06}\") {{ field(CALC, \"1\") }}\n"))
        .collect();
    let ioc = SoftIoc::builder().db(records, &[]).start().unwrap();
    let text = Command::new(embedded::tool("catime").unwrap())
        .arguments(["catime:", &PVS.to_string(), "1"])
        .environment(ioc.client_environment())
        .run(Duration::from_secs(120), |_| ())
        .unwrap();
    let after = |heading: &str, label: &str| -> f64 {
        let rest = &text[text.find(heading).unwrap_or_else(|| panic!("{heading}: {text}"))..];
        let rest = &rest[rest.find(label).unwrap() + label.len()..];
        rest.split_whitespace().next().unwrap().parse::<f64>().unwrap() * 1e-6
    };
    let double_test = "DBR_DOUBLE Test";
    let doubles = &text[text.find(double_test).unwrap()..];
    let get = &doubles[doubles.find("### async get test ###").unwrap()..];
    let label = "Per Op,";
    let bulk_get = get[get.find(label).unwrap() + label.len()..]
        .split_whitespace()
        .next()
        .unwrap()
        .parse::<f64>()
        .unwrap()
        * 1e-6;
    Figures {
        connect: after("Channel Connect Test", label),
        bulk_get,
        serial_get: after("Get Latency - ", "mean ="),
    }
}

#[test]
fn the_floor_finds_every_pv_although_a_fifth_of_all_datagrams_is_lost() {
    let mut ioc = SoftIoc::builder().pvs(PVS).start().unwrap();
    ioc.tick().unwrap();
    let relay = LossyRelay::to(ioc.port(), 5);
    let mut environment = ioc.client_environment();
    environment.retain(|(name, _)| name != "EPICS_CA_ADDR_LIST");
    environment.push(("EPICS_CA_ADDR_LIST".to_owned(), relay.address.to_string()));
    let mut wire = WorkerDriver::start("wire", environment);
    wire.job(PVS);
    wire.stage(Stage::Context, Mode::Bulk);
    wire.stage(Stage::Connect, Mode::Bulk);
    let values = wire.stage(Stage::Get, Mode::Bulk).values.unwrap();
    let expected: Vec<f64> = (0..PVS).map(|index| ioc.expected_value(index)).collect();
    assert_eq!(values, expected);
    let dropped = relay.dropped.load(Ordering::SeqCst);
    assert!(dropped > 20, "the relay lost {dropped} datagrams only: it proved nothing");
}

/// Forwards datagrams between clients and a server on loopback, and drops every
/// n-th in each direction.
struct LossyRelay {
    address: SocketAddr,
    dropped: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
}

impl LossyRelay {
    fn to(server: u16, every: u64) -> LossyRelay {
        let front = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let back = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        back.connect((Ipv4Addr::LOCALHOST, server)).unwrap();
        let relay = LossyRelay {
            address: front.local_addr().unwrap(),
            dropped: Arc::default(),
            ended: Arc::default(),
        };
        for socket in [&front, &back] {
            socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        }
        let client = Arc::new(std::sync::Mutex::new(None));
        let sockets = Arc::new((front, back));
        for forth in [true, false] {
            let (dropped, ended) = (Arc::clone(&relay.dropped), Arc::clone(&relay.ended));
            let (client, sockets) = (Arc::clone(&client), Arc::clone(&sockets));
            thread::spawn(move || {
                let (front, back) = &*sockets;
                let mut buffer = [0; 65_536];
                let mut seen: u64 = 0;
                while !ended.load(Ordering::SeqCst) {
                    let source = if forth { front } else { back };
                    let Ok((length, sender)) = source.recv_from(&mut buffer) else { continue };
                    seen += 1;
                    if seen.is_multiple_of(every) {
                        dropped.fetch_add(1, Ordering::SeqCst);
                    } else if forth {
                        *client.lock().unwrap() = Some(sender);
                        let _ = back.send(&buffer[..length]);
                    } else if let Some(client) = *client.lock().unwrap() {
                        let _ = front.send_to(&buffer[..length], client);
                    }
                }
            });
        }
        relay
    }
}

impl Drop for LossyRelay {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
    }
}
