//! What frames hold, over Channel Access and in the IOC.

use std::time::{SystemTime, UNIX_EPOCH};

use epics_gauge::frame;
use epics_gauge::ioc::{IocError, MAX_FRAME_PIXELS, SoftIoc};
use epics_gauge::scenario::FRAME_PV;

use super::circuit::{self, Circuit, DBR_SHORT, DBR_TIME_SHORT, ERROR, EVENT_ADD, word};

/// Seconds from 1970 to 1990, from where EPICS counts.
const EPICS_EPOCH_S: u64 = 631_152_000;

pub(super) fn frame_of(number: u32, pixels: usize) -> Vec<u16> {
    (0..pixels).map(|index| frame::pixel(number, index)).collect()
}

pub(super) fn read_frame(circuit: &mut Circuit) -> Vec<u16> {
    let channel = circuit.channel(FRAME_PV).unwrap();
    assert_eq!(channel.native_type, DBR_SHORT);
    let answer = circuit.read(&channel, DBR_SHORT);
    assert_eq!((answer.parameter_1, answer.count), (1, channel.count), "status and count");
    circuit::pixels(&answer.payload, 0, answer.count as usize)
}

#[test]
fn every_frame_holds_the_pixels_of_its_number() {
    const PIXELS: usize = 680 * 480;
    let mut ioc = SoftIoc::builder().frames(680, 480).start().unwrap();
    let mut circuit = Circuit::to(ioc.port());
    // Numbers that two pixels hold are tried in the formula's own tests.
    for number in 0..40 {
        assert_eq!(ioc.frame_count().unwrap(), u64::from(number));
        assert_eq!(read_frame(&mut circuit), frame_of(number, PIXELS), "frame {number}");
        ioc.command(&format!("dbpf {FRAME_PV}.PROC 1")).unwrap();
    }
}

#[test]
fn the_smallest_frames_and_those_around_a_whole_ramp_are_right_too() {
    for (width, height) in [(2, 1), (3, 1), (32_749, 1), (32_750, 1), (1, 65_498)] {
        let ioc = SoftIoc::builder().frames(width, height).start().unwrap();
        let pixels = (width * height) as usize;
        assert_eq!(read_frame(&mut Circuit::to(ioc.port())), frame_of(0, pixels));
    }
}

#[test]
fn a_subscriber_gets_frame_0_complete_and_dated_and_then_the_others() {
    const PIXELS: usize = 680 * 480;
    let mut ioc = SoftIoc::builder().frames(680, 480).start().unwrap();
    let mut circuit = Circuit::to(ioc.port());
    let channel = circuit.channel(FRAME_PV).unwrap();
    assert_eq!(channel.count as usize, PIXELS);
    circuit.subscribe(&channel, DBR_TIME_SHORT, 1);
    for number in 0..3 {
        let update = circuit.message_of(&[EVENT_ADD]);
        assert_eq!(word(&update.payload, 0), 0, "status and severity");
        let stamp_s = u64::from(word(&update.payload, 4)) + EPICS_EPOCH_S;
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert!((now_s - 100..=now_s).contains(&stamp_s), "{stamp_s} is not {now_s}");
        let bytes = &update.payload;
        assert_eq!(circuit::pixels(bytes, 14, PIXELS), frame_of(number, PIXELS));
        ioc.command(&format!("dbpf {FRAME_PV}.PROC 1")).unwrap();
    }
}

#[test]
fn several_frame_records_count_each_for_itself() {
    let camera = r#"record(waveform, "$(NAME)") {
        field(DTYP, "epics-gauge frames") field(FTVL, "SHORT") field(NELM, "$(PIXELS)") }"#;
    let mut ioc = SoftIoc::builder()
        .db(camera, &[("NAME", "one"), ("PIXELS", "10")])
        .db(camera, &[("NAME", "two"), ("PIXELS", "40000")])
        .start()
        .unwrap();
    for _ in 0..3 {
        ioc.command("dbpf two.PROC 1").unwrap();
    }
    let mut circuit = Circuit::to(ioc.port());
    for (pv, number, pixels) in [("one", 0, 10), ("two", 3, 40_000)] {
        let channel = circuit.channel(pv).unwrap();
        let answer = circuit.read(&channel, DBR_SHORT);
        assert_eq!(circuit::pixels(&answer.payload, 0, pixels), frame_of(number, pixels));
    }
}

#[test]
fn a_frame_record_of_another_type_is_refused_with_the_reason() {
    for (ftvl, pixels) in [("USHORT", "10"), ("SHORT", "1")] {
        let camera = r#"record(waveform, "bad") {
            field(DTYP, "epics-gauge frames") field(FTVL, "$(T)") field(NELM, "$(N)") }"#;
        let started = SoftIoc::builder().db(camera, &[("T", ftvl), ("N", pixels)]).start();
        let output = match started {
            Ok(ioc) => ioc.output(),
            Err(error) => error.to_string(),
        };
        assert!(output.contains("frames need FTVL SHORT"), "{output}");
    }
}

#[test]
fn frames_of_sizes_that_cannot_be_are_refused_with_those_that_can() {
    for (width, height) in [(1, 1), (0, 480), (u32::MAX, u32::MAX), (1 << 20, (1 << 9) + 1)] {
        match SoftIoc::builder().frames(width, height).start() {
            Err(IocError::InvalidRequest(message)) => {
                assert!(message.contains(&width.to_string()), "{message}");
                assert!(message.contains(&MAX_FRAME_PIXELS.to_string()), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_frame_beyond_the_array_limit_is_not_sent() {
    let exact = 680 * 480 * 2;
    for (bytes, is_sent) in [(exact, true), (exact - 1, false)] {
        let ioc = SoftIoc::builder().frames(680, 480).max_array_bytes(bytes).start().unwrap();
        let mut circuit = Circuit::to(ioc.port());
        let channel = circuit.channel(FRAME_PV).unwrap();
        let answer = circuit.read(&channel, DBR_SHORT);
        let sent = answer.command != ERROR && answer.payload.len() as u64 == exact;
        assert_eq!(sent, is_sent, "limit {bytes}");
    }
}
