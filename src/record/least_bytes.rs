//! The least bytes that updates can take, by their protocol.

use super::{Load, Pixels};
use crate::protocol::Protocol;

/// The least bytes that one update with its time stamp takes on a circuit: a
/// frame's, or a scalar's where there are no `pixels`.
pub fn least_update_bytes(protocol: Protocol, pixels: Option<Pixels>) -> u64 {
    match protocol {
        Protocol::Ca => least_ca_update_bytes(pixels),
        Protocol::Pva => least_pva_update_bytes(pixels),
    }
}

/// The least that the updates of a monitor run can take; none where subscriptions share
/// their updates. `received` and `repeated` are what [`Monitored`](super::Monitored) says.
///
/// The first update of each subscription came before bytes were counted. A frame that came
/// twice was sent twice: the server sends what a record holds when an update's turn comes,
/// which may be the next frame already.
pub fn least_bytes(
    protocol: Protocol,
    load: &Load,
    pvs: usize,
    (received, repeated): (u64, u64),
) -> Option<u64> {
    let sent = (received + repeated).saturating_sub(pvs as u64);
    (load.monitors == 1).then(|| sent * least_update_bytes(protocol, load.pixels))
}

/// The header of a message, the operation's number and its subcommand.
const MONITOR_HEADER_BYTES: u64 = 8 + 4 + 1;

/// The masks of changed and of overrun fields: two bytes reach from the value to the time
/// stamp of a normative type, and nothing was overrun. Before each stands its size.
const MASKS_BYTES: u64 = (1 + 2) + 1;

/// Seconds, nanoseconds and the user's tag.
const TIME_STAMP_BYTES: u64 = 8 + 4 + 4;

/// A size of 254 or more is marked by a byte before it.
const LONG_SIZE_BYTES: u64 = 1 + 4;

/// A message with the value and the whole time stamp, which servers send at once.
fn least_pva_update_bytes(pixels: Option<Pixels>) -> u64 {
    let value = match pixels {
        None => 8,
        Some(pixels) if pixels.count() < 254 => 1 + pixels.bytes(),
        Some(pixels) => LONG_SIZE_BYTES + pixels.bytes(),
    };
    MONITOR_HEADER_BYTES + MASKS_BYTES + value + TIME_STAMP_BYTES
}

fn least_ca_update_bytes(pixels: Option<Pixels>) -> u64 {
    let payload = match pixels {
        None => TIME_DOUBLE_OFFSET_BYTES + 8,
        Some(pixels) => (TIME_SHORT_OFFSET_BYTES + pixels.bytes()).next_multiple_of(8),
    };
    let header =
        if payload > LONGEST_SHORT_PAYLOAD_BYTES { LONG_HEADER_BYTES } else { HEADER_BYTES };
    header + payload
}

/// Bytes of a Channel Access header, and of its extension for long messages.
const HEADER_BYTES: u64 = 16;
const LONG_HEADER_BYTES: u64 = 24;

/// Longer payloads need the extension.
const LONGEST_SHORT_PAYLOAD_BYTES: u64 = 0xfffe;

/// Bytes before the value in `DBR_TIME_DOUBLE` and `DBR_TIME_SHORT`.
const TIME_DOUBLE_OFFSET_BYTES: u64 = 16;
const TIME_SHORT_OFFSET_BYTES: u64 = 14;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_bytes_of_an_update_are_those_of_one_message() {
        let least_update_bytes = |pixels| super::least_update_bytes(Protocol::Ca, pixels);
        assert_eq!(least_update_bytes(None), 40);
        let frame = Pixels { width: 680, height: 480 };
        assert_eq!(least_update_bytes(Some(frame)), 24 + 652_816);
    }

    #[test]
    fn the_least_bytes_of_an_update_over_pv_access_are_those_of_value_and_time_stamp() {
        let least = |pixels| least_update_bytes(Protocol::Pva, pixels);
        assert_eq!(least(None), 41);
        assert_eq!(least(Some(Pixels { width: 680, height: 480 })), 38 + 652_800);
        assert_eq!(least(Some(Pixels { width: 2, height: 1 })), 34 + 4);
    }

    #[test]
    fn a_frame_that_came_twice_was_sent_twice() {
        // Counted by the kernel for pyepics, which had 1394 frames and one of them twice.
        let load = Load {
            pixels: Some(Pixels { width: 680, height: 480 }),
            ..Load::of_scalars(120.0, 10.0)
        };
        let least = |counts| least_bytes(Protocol::Ca, &load, 1, counts);
        assert_eq!(least((1394, 1)), Some(910_058_960));
        assert_eq!(least((0, 0)), Some(0));
        let shared = Load { monitors: 2, ..load };
        assert_eq!(least_bytes(Protocol::Ca, &shared, 1, (9, 0)), None);
    }
}
