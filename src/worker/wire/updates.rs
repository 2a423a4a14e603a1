//! Updates of Channel Access, where they lie in the receive buffer.

use std::collections::BTreeMap;

use crate::channel_access::{self as message, Header};
use crate::worker::floor::{Piece, PixelSum};
use crate::worker::updates::{Update, frame_number, stamp_ns};
use crate::worker_protocol::Content;

/// The frame of each subscription as far as it has come.
pub(super) type Frames = BTreeMap<u32, (Update, PixelSum)>;

/// The update that a message brings, as far as it has come.
///
/// # Errors
/// When it is not what was asked for, or says that the server could not read the PV.
pub(super) fn decode(
    content: Content,
    piece: &Piece<'_, Header>,
    frames: &mut Frames,
) -> Result<Update, String> {
    let header = &piece.header;
    if header.parameter_1 != message::ECA_NORMAL {
        return Err(message::status_in_words(header.parameter_1));
    }
    let update = match content {
        Content::Scalars => double(header, piece.bytes),
        Content::Frames => with_part(frames.entry(header.parameter_2).or_default(), piece),
    };
    update.ok_or_else(|| {
        let (kind, count, bytes) = (header.data_type, header.count, header.payload_bytes);
        format!("an update of type {kind}, {count} elements, {bytes} bytes")
    })
}

fn double(header: &Header, payload: &[u8]) -> Option<Update> {
    let stamped = message::decode_stamped(payload, message::DBR_TIME_DOUBLE_VALUE)?;
    let number = message::decode_double(stamped.elements)?;
    let is_asked_for = header.data_type == message::DBR_TIME_DOUBLE && header.count == 1;
    let stamp_ns = stamp_ns(stamped.seconds, stamped.nanoseconds);
    is_asked_for.then_some(Update { number, sum: 0, stamp_ns })
}

/// Adds a part to what has come of a frame; the first part begins another.
fn with_part((frame, sum): &mut (Update, PixelSum), piece: &Piece<'_, Header>) -> Option<Update> {
    let Piece { header, at, bytes } = *piece;
    let end = message::DBR_TIME_SHORT_ELEMENTS + header.count as usize * 2;
    if header.data_type != message::DBR_TIME_SHORT || end > header.payload_bytes as usize {
        return None;
    }
    if at == 0 {
        (*frame, *sum) = (first_part(bytes)?, PixelSum::default());
    }
    let begin = message::DBR_TIME_SHORT_ELEMENTS.saturating_sub(at);
    let pixels = bytes.get(begin..end.saturating_sub(at).min(bytes.len())).unwrap_or_default();
    sum.add(pixels);
    frame.sum = sum.total(true);
    Some(*frame)
}

/// A frame's time stamp and number. What an IOC sends before its first frame is
/// empty, and its padding reads as number 0.
fn first_part(bytes: &[u8]) -> Option<Update> {
    let stamped = message::decode_stamped(bytes, message::DBR_TIME_SHORT_ELEMENTS)?;
    let (pixels, _) = stamped.elements.as_chunks::<2>();
    let pixel = |index: usize| pixels.get(index).map_or(0, |pixel| u16::from_be_bytes(*pixel));
    let stamp_ns = stamp_ns(stamped.seconds, stamped.nanoseconds);
    Some(Update { number: frame_number(pixel(0), pixel(1)), sum: 0, stamp_ns })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The updates of a message that comes in pieces of so many bytes.
    fn taken(
        content: Content,
        (data_type, count, status): (u16, u16, u32),
        elements: &[u8],
        piece_bytes: usize,
    ) -> Vec<Result<Update, String>> {
        let mut payload = vec![0; if data_type == message::DBR_TIME_SHORT { 14 } else { 16 }];
        payload.extend_from_slice(elements);
        let mut bytes = Vec::new();
        let command = message::CA_PROTO_EVENT_ADD;
        message::encode(&mut bytes, command, data_type, count, status, 1, &payload);
        let message = message::decode(&bytes).unwrap();
        let mut frames = Frames::default();
        let pieces = (0..).step_by(piece_bytes).zip(message.payload.chunks(piece_bytes));
        pieces
            .map(|(at, bytes)| {
                decode(content, &Piece { header: message.header, at, bytes }, &mut frames)
            })
            .collect()
    }

    #[test]
    fn what_is_no_update_is_reported() {
        let one = 1.0_f64.to_be_bytes();
        let (double, short) = (message::DBR_TIME_DOUBLE, message::DBR_TIME_SHORT);
        let why = |what, elements: &[u8]| {
            taken(Content::Scalars, what, elements, 1 << 20).remove(0).unwrap_err()
        };
        assert_eq!(why((double, 1, 368), &one), "ECA_NORDACCESS (0x170)");
        assert_eq!(why((double, 2, 1), &one), "an update of type 20, 2 elements, 24 bytes");
        assert_eq!(why((double, 1, 1), &[]), "an update of type 20, 1 elements, 16 bytes");
        assert_eq!(why((short, 1, 1), &one), "an update of type 15, 1 elements, 24 bytes");
        let scalar = taken(Content::Scalars, (double, 1, 1), &one, 1 << 20).remove(0).unwrap();
        assert_eq!((scalar.number, scalar.sum), (1.0, 0));
    }

    /// The pixels of a frame with a number below 65536, as they are sent, and
    /// their sum.
    fn frame(number: u16, pixels: usize) -> (Vec<u8>, u64) {
        let pixel = |index: usize| match index {
            0 => number,
            1 => 0,
            _ => (index as u16).wrapping_mul(40_503) ^ number,
        };
        let bytes = (0..pixels).flat_map(|index| pixel(index).to_be_bytes()).collect();
        (bytes, (0..pixels).map(|index| u64::from(pixel(index))).sum())
    }

    #[test]
    fn a_frame_is_one_update_in_one_piece_or_in_several() {
        let (pixels, sum) = frame(7, 1001);
        for piece_bytes in [64, 512, 1 << 20] {
            let short = (message::DBR_TIME_SHORT, 1001, message::ECA_NORMAL);
            let updates = taken(Content::Frames, short, &pixels, piece_bytes);
            let last = updates.last().unwrap().clone().unwrap();
            assert_eq!((last.number, last.sum), (7.0, sum), "{piece_bytes}");
        }
    }

    #[test]
    fn a_frame_holds_as_many_pixels_as_it_reports() {
        let short = |count| (message::DBR_TIME_SHORT, count, message::ECA_NORMAL);
        assert!(taken(Content::Frames, short(9), &[0; 10], 1 << 20)[0].is_err());
        let empty = taken(Content::Frames, short(0), &[], 1 << 20).remove(0).unwrap();
        assert_eq!((empty.number, empty.sum), (0.0, 0));
    }
}
