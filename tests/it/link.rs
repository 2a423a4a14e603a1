//! The link between servers and clients: checked against plain sockets, and measured over.

use std::process::Output;

use epics_gauge::link::LinkKind;
use epics_gauge::record::Record;

use crate::support::{Gauge, Ran, crowd, gauge};

/// Ten times the usual delay: on a machine that does something else a packet waits for a core.
const DELAY: &str = "delay=100ms";

fn checked(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } =
        gauge().arg("link-check").args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&stdout) + String::from_utf8_lossy(&stderr);
    (status.code(), text.into_owned())
}

#[test]
fn a_link_delays_and_loses_what_it_is_to() {
    let _crowd = crowd();
    for relay in [&[][..], &["--relay"]] {
        let (code, text) = checked(&[relay, &[DELAY, "loss=2%", "clean"]].concat());
        assert_eq!(code, Some(0), "{text}");
        for word in ["delay to the server", "loss to the client", "adds", "Mbit/s"] {
            assert!(text.contains(word), "{text}");
        }
        assert!(text.contains("a relay on loopback") || relay.is_empty(), "{text}");
    }
}

#[test]
fn a_link_that_does_something_else_is_found() {
    let _crowd = crowd();
    for (wanted, instead) in [
        (DELAY, "delay=110ms"),
        (DELAY, "delay=90ms"),
        ("loss=1%", "loss=3%"),
        ("rate=20mbit", "rate=24mbit"),
    ] {
        let (code, text) = checked(&[wanted, "--instead", instead]);
        assert_eq!(code, Some(1), "{wanted}, {instead}: {text}");
        assert!(text.contains("OVER"), "{text}");
    }
}

#[test]
fn a_link_that_cannot_be_is_refused_with_one_that_can() {
    let _crowd = crowd();
    let (code, text) = checked(&["delay=10"]);
    assert_eq!(code, Some(64), "{text}");
    assert!(text.contains("10ms"), "{text}");
    let many = Gauge::run("many-iocs --iocs 2 --pvs 20 --link clean --approach wire").finish();
    assert_eq!(many.code, Some(64), "{}", many.stderr);
    assert!(many.stderr.contains("one IOC"), "{}", many.stderr);
}

fn records_of(run: Ran) -> Vec<Record> {
    let stderr = run.stderr.clone();
    let records = run.records();
    assert!(!records.is_empty(), "{stderr}");
    for record in &records {
        assert_eq!(record.failure, None, "{stderr}");
    }
    records
}

/// Both protocols, both lookups, a library of each kind.
#[test]
fn pvs_are_found_over_a_link_whose_searches_are_recorded() {
    let _crowd = crowd();
    let arguments = "connect --approach wire,wire-pva,libca,pvxs --pvs 60 --mode bulk --blocks 1 \
                     --lookup udp,name-server --link delay=5ms --allow-missing";
    let records = records_of(Gauge::run(arguments).finish());
    for record in records {
        let link = record.link.as_deref().unwrap();
        assert_eq!(link.conditions.option(), "delay=5ms");
        assert!(link.to_server.packets > 0 && link.to_client.packets > 0, "{link:?}");
        let searches = &link.searches;
        let name = format!("{} by {}: {searches:?}", record.approach, record.lookup);
        if record.lookup.is_usual() {
            assert_eq!(searches.names, 60, "{name}");
            assert!(searches.sent >= 60 && searches.most_of_one >= 1, "{name}");
            assert_eq!(searches.by_second.iter().sum::<u64>(), searches.sent, "{name}");
        } else {
            assert_eq!(searches.sent, 0, "{name}");
        }
        if link.kind == LinkKind::Namespaces {
            // Search, circuit, channel and get: no library needs fewer round trips.
            let took_ns = record.samples.iter().map(|sample| sample.end_ns - sample.start_ns);
            assert!(took_ns.sum::<u64>() > 30_000_000, "{name}");
        }
    }
}

#[test]
fn searches_that_the_link_loses_are_repeated() {
    let _crowd = crowd();
    // Some 36 datagrams with searches: that none of them is lost has a chance of 1 in 40, and
    // none of the answers either one of 1 in 2000.
    let arguments = "connect --approach wire,libca --pvs 2000 --mode bulk --blocks 1 --lookup udp \
                     --link loss=10%";
    for record in records_of(Gauge::run(arguments).finish()) {
        let searches = &record.link.as_deref().unwrap().searches;
        assert!(searches.sent > searches.names && searches.names == 2000, "{searches:?}");
    }
}
