//! The Python approaches over pvAccess against an IOC that serves pvAccess: every stage answers
//! right, and every one of several subscriptions to a PV gets every update.

use std::thread::sleep;
use std::time::Duration;

use epics_gauge::approach::Catalogue;
use epics_gauge::frame;
use epics_gauge::ioc::SoftIoc;
use epics_gauge::manifest::Capabilities;
use epics_gauge::protocol::Protocol;
use epics_gauge::scenario::{FRAME_PV, pv_name};
use epics_gauge::worker_protocol::{Content, Mode, Stage, StageCommand, Updates};

use crate::monitors_python::several::{
    MONITORS, begin_collecting, collected, connected, every_subscription_has, of_subscription,
    python_over, subscribe,
};
use crate::support::{WorkerDriver, at_once};

const PVS: usize = 20;

#[test]
fn values_are_fresh_and_puts_arrive() {
    at_once(&python_over(Protocol::Pva), |approach| {
        let approach = approach.as_str();
        for mode in [Mode::Serial, Mode::Bulk] {
            let mut ioc = SoftIoc::builder().pvs(PVS).pv_access().start().unwrap();
            let mut worker = connected(approach, &ioc, scalars(), mode);
            assert_eq!(read(&mut worker, Stage::Get, mode), expected(&ioc), "{approach}");
            ioc.tick().unwrap();
            assert_eq!(read(&mut worker, Stage::GetAgain, mode), expected(&ioc), "{approach}");
            let written: Vec<f64> = (0..PVS).map(|pv| -1.0 - pv as f64).collect();
            let put = StageCommand {
                values: Some(written.clone()),
                ..StageCommand::new(Stage::Put, mode)
            };
            worker.run(&put).unwrap();
            for (pv, value) in written.iter().enumerate() {
                assert_eq!(ioc.field_value(&pv_name(pv)).unwrap(), *value, "{approach}");
            }
            assert_eq!(read(&mut worker, Stage::Readback, mode), written, "{approach}");
        }
    });
}

#[test]
fn some_pvs_only_are_read_and_written_when_some_are_meant() {
    at_once(&python_over(Protocol::Pva), |approach| {
        let approach = approach.as_str();
        let mut ioc = SoftIoc::builder().pvs(PVS).pv_access().start().unwrap();
        let mut worker = connected(approach, &ioc, scalars(), Mode::Bulk);
        let pvs = Some(vec![7, 3]);
        let put = StageCommand {
            pvs: pvs.clone(),
            values: Some(vec![0.5, 0.25]),
            ..StageCommand::new(Stage::Put, Mode::Bulk)
        };
        worker.run(&put).unwrap();
        let back = StageCommand { pvs, ..StageCommand::new(Stage::Readback, Mode::Bulk) };
        assert_eq!(worker.run(&back).unwrap().values, Some(vec![0.5, 0.25]), "{approach}");
        assert_eq!(ioc.field_value(&pv_name(3)).unwrap(), 0.25, "{approach}");
        assert_eq!(ioc.field_value(&pv_name(4)).unwrap(), 4.0, "{approach}");
    });
}

#[test]
fn every_one_of_several_subscriptions_to_a_pv_gets_every_update() {
    at_once(&subscribing(), |approach| {
        let approach = approach.as_str();
        for mode in [Mode::Serial, Mode::Bulk] {
            let mut ioc =
                SoftIoc::builder().pvs(PVS).may_scan_at(10.0).pv_access().start().unwrap();
            let mut worker = connected(approach, &ioc, scalars(), mode);
            let subscribed = worker.run(&subscribe(Content::Scalars, mode));
            subscribed.unwrap_or_else(|error| panic!("{approach}, {mode}: {error}"));
            let updates = collected(&mut worker, &mut ioc);
            let made = ioc.processed().unwrap();
            assert!(made[0] > 10, "{made:?} prove nothing");
            for (pv, made) in made.iter().enumerate() {
                every_subscription_has(&updates, pv, pv as f64, made + 1, approach);
            }
            let produced: u64 = made.iter().sum::<u64>() * MONITORS as u64;
            assert_eq!(latencies(&updates), produced, "{approach}");
            assert_eq!(subscriptions(&mut ioc), PVS * MONITORS, "{approach}");
        }
    });
}

#[test]
fn every_frame_arrives_whole() {
    const SIZE: (u32, u32) = (680, 480);
    at_once(&python_over(Protocol::Pva), |approach| {
        let approach = approach.as_str();
        if !capabilities(approach).frames {
            return;
        }
        let builder = SoftIoc::builder().frames(SIZE.0, SIZE.1).may_scan_at(10.0);
        let mut ioc = builder.pv_access().start().unwrap();
        let mut worker = connected(approach, &ioc, vec![FRAME_PV.to_owned()], Mode::Bulk);
        worker.run(&subscribe(Content::Frames, Mode::Bulk)).unwrap();
        let updates = collected(&mut worker, &mut ioc);
        let made = ioc.frame_count().unwrap();
        assert!(made > 10, "{made} frames prove nothing");
        every_subscription_has(&updates, 0, 0.0, made + 1, approach);
        for run in &updates.runs {
            for (number, sum) in run.sums.iter().enumerate() {
                let expected = frame::sum(number as u32, (SIZE.0 * SIZE.1) as usize);
                assert_eq!(*sum, expected, "{approach}: frame {number}");
            }
            assert_eq!(run.sums.len() as u64, made + 1, "{approach}");
        }
    });
}

#[test]
fn a_pv_that_is_not_there_is_named() {
    at_once(&subscribing(), |approach| {
        let approach = approach.as_str();
        let ioc = SoftIoc::builder().pvs(2).pv_access().start().unwrap();
        let mut worker = WorkerDriver::start(approach, ioc.client_environment());
        worker.job_of(vec![pv_name(0), "gauge:nowhere".to_owned(), pv_name(1)], 6.0);
        worker.stage(Stage::Context, Mode::Bulk);
        let error = worker.run(&StageCommand::new(Stage::Connect, Mode::Bulk)).unwrap_err();
        assert_eq!(error, "1 of 3 PVs not connected after 6 s, first gauge:nowhere", "{approach}");
        let values = Some(vec![1.0, 2.0, 3.0]);
        let put = StageCommand { values, ..StageCommand::new(Stage::Put, Mode::Bulk) };
        let error = worker.run(&put).unwrap_err();
        assert_eq!(error, "1 of 3 PVs not written after 6 s, first gauge:nowhere", "{approach}");
        let error = worker.run(&subscribe(Content::Scalars, Mode::Bulk)).unwrap_err();
        assert_eq!(error, "1 of 3 PVs not subscribed after 6 s, first gauge:nowhere", "{approach}");
    });
}

#[test]
fn updates_come_again_when_the_ioc_does() {
    at_once(&subscribing(), |approach| {
        let approach = approach.as_str();
        let mut ioc = SoftIoc::builder().pvs(PVS).may_scan_at(10.0).pv_access().start().unwrap();
        let mut worker = connected(approach, &ioc, scalars(), Mode::Bulk);
        worker.run(&subscribe(Content::Scalars, Mode::Bulk)).unwrap();
        begin_collecting(&worker, 16.0);
        ioc.crash();
        sleep(Duration::from_millis(500));
        ioc.restart(None).unwrap();
        ioc.start_scanning(10.0).unwrap();
        let updates = worker.finish().unwrap().updates.unwrap();
        for pv in 0..PVS {
            for monitor in 0..MONITORS {
                let comes_back = capabilities(approach).resubscribes;
                let runs = of_subscription(&updates, pv, monitor);
                let count: u64 = runs.map(|run| run.count).sum();
                assert!(
                    (count > 10) == comes_back,
                    "{approach}: {count} updates of {pv}, {monitor}"
                );
            }
        }
    });
}

/// Those whose subscriptions bring the present value first: without it nothing tells that
/// they are there.
fn subscribing() -> Vec<String> {
    let mut approaches = python_over(Protocol::Pva);
    approaches.retain(|approach| capabilities(approach).first_updates);
    approaches
}

fn capabilities(approach: &str) -> Capabilities {
    Catalogue::built_in().get(approach).unwrap().capabilities
}

fn scalars() -> Vec<String> {
    (0..PVS).map(pv_name).collect()
}

fn expected(ioc: &SoftIoc) -> Vec<f64> {
    (0..PVS).map(|pv| ioc.expected_value(pv)).collect()
}

fn read(worker: &mut WorkerDriver, stage: Stage, mode: Mode) -> Vec<f64> {
    worker.stage(stage, mode).values.unwrap()
}

/// All that came while they were collected have one, which is possible.
fn latencies(updates: &Updates) -> u64 {
    let (least, most) = (updates.latencies.first().unwrap(), updates.latencies.last().unwrap());
    assert!(least.0 > 0 && most.0 < 1_000_000_000, "{least:?} to {most:?}");
    updates.latencies.iter().map(|(_, count)| count).sum()
}

/// As the IOC's database sees them. The server makes two for each monitor, one of
/// them for properties.
fn subscriptions(ioc: &mut SoftIoc) -> usize {
    let of_pv = |pv: String| ioc.command(&format!("dbel {pv} 3")).unwrap();
    let answers: Vec<String> = (0..PVS).map(pv_name).map(of_pv).collect();
    answers.iter().flat_map(|answer| answer.lines()).filter(|line| line.contains("{ VALUE")).count()
}
