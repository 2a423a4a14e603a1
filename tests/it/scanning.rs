//! Scanning on demand, frames, server counters and restarts, against real IOCs.

mod circuit;
mod frames;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use epics_gauge::ioc::{IocError, SoftIoc};
use epics_gauge::scenario::{PROCESSED_FACTOR, pv_name};

use crate::processes::proc_files::{signal, wait_until};
use circuit::{Circuit, DBR_CTRL_DOUBLE, EVENT_ADD};
use frames::{frame_of, read_frame};

#[test]
fn frames_are_made_at_the_rate_and_only_while_they_are_scanned() {
    let mut ioc = SoftIoc::builder().frames(680, 480).may_scan_at(120.0).start().unwrap();
    assert_eq!(ioc.frame_count().unwrap(), 0);
    let start = Instant::now();
    ioc.start_scanning(120.0).unwrap();
    std::thread::sleep(Duration::from_secs(2));
    ioc.stop_scanning().unwrap();
    let (took, made) = (start.elapsed(), ioc.frame_count().unwrap());
    let rate = made as f64 / took.as_secs_f64();
    assert!((60.0..180.0).contains(&rate), "{rate} Hz");
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(ioc.frame_count().unwrap(), made);
    let number = u32::try_from(made).unwrap();
    assert_eq!(read_frame(&mut Circuit::to(ioc.port())), frame_of(number, 680 * 480));
}

#[test]
fn a_thousand_pvs_start_and_stop_and_count_every_scan() {
    const PVS: usize = 1_000;
    let mut ioc = SoftIoc::builder().pvs(PVS).may_scan_at(100.0).start().unwrap();
    assert_eq!(ioc.processed().unwrap(), vec![0; PVS]);
    ioc.tick().unwrap();
    let start = Instant::now();
    ioc.start_scanning(100.0).unwrap();
    let started = start.elapsed();
    assert!(matches!(ioc.tick(), Err(IocError::InvalidRequest(_))), "a scanned IOC has no ticks");
    std::thread::sleep(Duration::from_secs(1));
    let stop = Instant::now();
    ioc.stop_scanning().unwrap();
    let stopped = stop.elapsed();
    eprintln!("{PVS} PVs: started in {started:?}, stopped and counted in {stopped:?}");
    assert!(started < Duration::from_secs(5) && stopped < Duration::from_secs(5));
    let counts = ioc.processed().unwrap();
    assert!(counts.iter().all(|count| *count > 20), "{counts:?}");
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(ioc.processed().unwrap(), counts, "something is still scanned");
    for index in [0, 1, 500, PVS - 1] {
        let value = index as f64 + PROCESSED_FACTOR * counts[index] as f64;
        assert_eq!(ioc.field_value(&pv_name(index)).unwrap(), value);
        assert_eq!(ioc.expected_value(index), value);
    }
    ioc.tick().unwrap();
    assert_eq!(ioc.processed().unwrap()[7], counts[7] + 1);
    assert_eq!(ioc.field_value("gauge:7").unwrap(), ioc.expected_value(7));
}

#[test]
fn scanning_may_change_its_rate_and_be_stopped_twice() {
    let mut ioc = SoftIoc::builder().pvs(3).rate_hz(10.0).may_scan_at(200.0).start().unwrap();
    ioc.start_scanning(200.0).unwrap();
    assert!(ioc.command("dbgf gauge:1.SCAN").unwrap().contains("\"200 Hz\""));
    ioc.start_scanning(5.0).unwrap();
    assert!(ioc.command("dbgf gauge:1.SCAN").unwrap().contains("\".2 second\""));
    ioc.stop_scanning().unwrap();
    ioc.stop_scanning().unwrap();
    ioc.tick().unwrap();
    for index in 0..3 {
        assert_eq!(ioc.field_value(&pv_name(index)).unwrap(), ioc.expected_value(index));
    }
}

#[test]
fn a_rate_that_the_ioc_does_not_have_is_refused() {
    let mut ioc = SoftIoc::builder().pvs(1).may_scan_at(50.0).start().unwrap();
    for (rate, word) in [(7.0, "1000"), (120.0, "may_scan_at")] {
        match ioc.start_scanning(rate) {
            Err(IocError::InvalidRequest(message)) => assert!(message.contains(word), "{message}"),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(ioc.frame_count(), Err(IocError::InvalidRequest(_))));
    let refused = SoftIoc::builder().may_scan_at(7.0).start();
    assert!(matches!(refused, Err(IocError::InvalidRequest(_))));
}

#[test]
fn every_update_that_a_slow_client_does_not_get_is_counted_as_merged() {
    const SUBSCRIPTIONS: u32 = 200;
    let mut ioc = SoftIoc::builder().pvs(2).may_scan_at(500.0).start().unwrap();
    assert_eq!(ioc.counters().unwrap().subscriptions, 0);
    let mut circuit = Circuit::to(ioc.port());
    let channel = circuit.channel("gauge:1").unwrap();
    for id in 0..SUBSCRIPTIONS {
        circuit.subscribe(&channel, DBR_CTRL_DOUBLE, id);
    }
    let mut last = BTreeMap::new();
    for _ in 0..SUBSCRIPTIONS {
        let update = circuit.message_of(&[EVENT_ADD]);
        last.insert(update.parameter_2, value_of(&update.payload));
    }
    assert_eq!(last.len(), SUBSCRIPTIONS as usize);
    let before = ioc.counters().unwrap();
    assert_eq!((before.subscriptions, before.merged_updates), (u64::from(SUBSCRIPTIONS), 0));

    // Nobody reads: the buffers of both sockets fill, then the server's queues.
    ioc.start_scanning(500.0).unwrap();
    wait_until("the server merges", || ioc.counters().unwrap().merged_updates > 1_000);
    ioc.stop_scanning().unwrap();
    let counters = ioc.counters().unwrap();
    assert!(counters.undelivered_updates > 0, "{counters:?}");
    let produced = u64::from(SUBSCRIPTIONS) * ioc.processed().unwrap()[1];

    for _ in 0..produced - counters.merged_updates {
        let update = circuit.message_of(&[EVENT_ADD]);
        last.insert(update.parameter_2, value_of(&update.payload));
    }
    assert!(circuit.is_silent(Duration::from_millis(300)), "more than what was not merged");
    assert!(last.values().all(|value| *value == ioc.expected_value(1)), "the last is never lost");
    let after = ioc.counters().unwrap();
    assert_eq!(after.merged_updates, counters.merged_updates);
    assert_eq!(after.undelivered_updates, 0);
}

fn value_of(ctrl_double: &[u8]) -> f64 {
    f64::from_be_bytes(ctrl_double[80..88].try_into().unwrap())
}

#[test]
fn frames_that_take_longer_than_their_period_are_overruns() {
    let builder = SoftIoc::builder().frames(4_096, 4_096).pvs(1);
    let mut ioc = builder.may_scan_at(1_000.0).start().unwrap();
    let before = ioc.counters().unwrap();
    assert_eq!(before.scan_overruns, 0, "nothing was scanned");
    ioc.start_scanning(1_000.0).unwrap();
    wait_until("scans overrun", || ioc.counters().unwrap().since(&before).scan_overruns > 20);
    ioc.stop_scanning().unwrap();
    // Every scan of such frames is one, and the count outlives the scanning.
    let (made, overruns) = (ioc.frame_count().unwrap(), ioc.counters().unwrap().scan_overruns);
    assert!(overruns * 2 > made && overruns > 20, "{overruns} overruns, {made} frames");
}

#[test]
fn a_crashed_ioc_breaks_its_circuits_and_comes_back_on_the_same_port() {
    let builder = SoftIoc::builder().pvs(3).frames(10, 2).may_scan_at(100.0);
    let mut ioc = builder.command_after_init("epicsEnvSet WHEN again").start().unwrap();
    let (port, folder) = (ioc.port(), ioc.folder().to_owned());
    std::fs::write(folder.join("kept"), "").unwrap();
    for round in 0..3 {
        let mut circuits: Vec<Circuit> = (0..5).map(|_| Circuit::to(port)).collect();
        for circuit in &mut circuits {
            let channel = circuit.channel("gauge:1").unwrap();
            circuit.subscribe(&channel, DBR_CTRL_DOUBLE, 1);
            assert_eq!(value_of(&circuit.message_of(&[EVENT_ADD]).payload), 1.0);
        }
        ioc.start_scanning(100.0).unwrap();
        let pid = ioc.pid();
        ioc.crash();
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err(), "it still serves");
        for circuit in &mut circuits {
            while circuit.message().is_ok() {}
        }
        assert!(matches!(ioc.command("echo"), Err(IocError::Process(_))));
        ioc.restart(None).unwrap();
        assert_eq!((ioc.port(), ioc.folder()), (port, folder.as_path()), "round {round}");
        assert!(ioc.pid() != pid && folder.join("kept").exists());
        assert_eq!(ioc.command("epicsEnvShow WHEN").unwrap(), "WHEN=again\n");
        assert_eq!(ioc.processed().unwrap(), [0, 0, 0]);
        assert_eq!(ioc.expected_value(1), 1.0);
    }
    drop(ioc);
    assert!(!folder.exists());
}

#[test]
fn an_ioc_that_died_by_itself_can_be_restarted_too() {
    let mut ioc = SoftIoc::builder().pvs(1).start().unwrap();
    let (port, pid) = (ioc.port(), ioc.pid());
    signal(pid, libc::SIGSEGV);
    ioc.restart(None).unwrap();
    assert_eq!(ioc.port(), port);
    ioc.tick().unwrap();
    // One that lives is killed first.
    let pid = ioc.pid();
    ioc.restart(None).unwrap();
    assert!(ioc.pid() != pid);
    ioc.tick().unwrap();
    assert_eq!(ioc.field_value("gauge:0").unwrap(), ioc.expected_value(0));
}

#[test]
fn a_restart_may_leave_one_pv_out_and_the_next_brings_it_back() {
    let mut ioc = SoftIoc::builder().pvs(3).may_scan_at(100.0).start().unwrap();
    ioc.restart(Some(1)).unwrap();
    let mut circuit = Circuit::to(ioc.port());
    assert!(circuit.channel("gauge:0").is_some() && circuit.channel("gauge:2").is_some());
    assert!(circuit.channel("gauge:1").is_none());
    ioc.start_scanning(100.0).unwrap();
    wait_until("it is scanned", || ioc.processed().unwrap()[2] > 3);
    ioc.stop_scanning().unwrap();
    assert_eq!(ioc.processed().unwrap()[1], 0);
    ioc.tick().unwrap();
    assert_eq!(ioc.field_value("gauge:2").unwrap(), ioc.expected_value(2));
    ioc.restart(None).unwrap();
    assert!(Circuit::to(ioc.port()).channel("gauge:1").is_some());
    let message = ioc.restart(Some(3)).unwrap_err().to_string();
    assert!(message.contains("gauge:3"), "{message}");
    ioc.tick().unwrap();
    // The only PV may disappear as well.
    let mut ioc = SoftIoc::builder().pvs(1).start().unwrap();
    ioc.restart(Some(0)).unwrap();
    assert!(Circuit::to(ioc.port()).channel("gauge:0").is_none());
}

#[test]
fn clients_and_ioc_have_the_same_array_limit() {
    let most = "EPICS_CA_MAX_ARRAY_BYTES";
    let grows = "EPICS_CA_AUTO_ARRAY_BYTES";
    let frames = 4_096 * 4_096 * 2 + 1_024;
    for (builder, bytes, automatic) in [
        (SoftIoc::builder(), 16_777_216, true),
        (SoftIoc::builder().frames(680, 480), 16_777_216, true),
        (SoftIoc::builder().frames(4_096, 4_096), frames, true),
        (SoftIoc::builder().frames(680, 480).max_array_bytes(100_000), 100_000, false),
    ] {
        let mut ioc = builder.start().unwrap();
        let client: BTreeMap<String, String> = ioc.client_environment().into_iter().collect();
        assert_eq!(client[most], bytes.to_string());
        assert_eq!(client.get(grows).map(String::as_str), (!automatic).then_some("NO"));
        let shown = ioc.command(&format!("epicsEnvShow {most}")).unwrap();
        assert_eq!(shown, format!("{most}={bytes}\n"));
        if !automatic {
            assert_eq!(
                ioc.command(&format!("epicsEnvShow {grows}")).unwrap(),
                format!("{grows}=NO\n")
            );
        }
    }
}
