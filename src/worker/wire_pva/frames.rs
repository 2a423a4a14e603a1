//! Updates that are frames, whose pixels are added up as they come and kept nowhere.

use super::answers::{check_goes_on, count_update, take_init, wrong};
use super::assembly::Place;
use super::layout::Layout;
use super::operations::Kind;
use super::{Pipeline, Session};
use crate::pv_access::{Answer, Header, Reader, Segment, Trouble};
use crate::worker::client::StageError;
use crate::worker::floor::{Piece, PixelSum};
use crate::worker::updates::{Arrived, Update, frame_number};
use crate::worker_protocol::Content;

/// Bytes of one pixel.
const PIXEL_BYTES: usize = 2;
/// Bytes of the two pixels that are a frame's number.
const NUMBER_BYTES: usize = 4;
/// What is not pixels of a message is not longer.
const MOST_BYTES: usize = 1 << 20;

/// A message of a monitor as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    /// All but the pixels.
    bytes: Vec<u8>,
    /// Bytes of pixels that have not come; none before their count is known.
    missing: Option<usize>,
    sum: PixelSum,
    /// The first pixels.
    first: Vec<u8>,
}

impl Incoming {
    /// Takes the bytes that follow; `find` says where the pixels begin and how many bytes
    /// they have, once that can be known.
    fn add(
        &mut self,
        mut bytes: &[u8],
        find: impl Fn(&[u8]) -> Result<Option<(usize, usize)>, Trouble>,
    ) -> Result<(), Trouble> {
        if self.missing.is_none() {
            let before = self.bytes.len();
            self.keep(bytes)?;
            let Some((begin, length)) = find(&self.bytes)? else {
                return Ok(());
            };
            // They begin behind what was known before, else they were found then.
            self.bytes.truncate(begin);
            self.missing = Some(length);
            bytes = &bytes[begin.saturating_sub(before).min(bytes.len())..];
        }
        let missing = self.missing.unwrap_or(0);
        let (pixels, rest) = bytes.split_at(missing.min(bytes.len()));
        let wanted = NUMBER_BYTES - self.first.len();
        self.first.extend_from_slice(&pixels[..wanted.min(pixels.len())]);
        self.sum.add(pixels);
        self.missing = Some(missing - pixels.len());
        self.keep(rest)
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        if self.bytes.len() + bytes.len() > MOST_BYTES {
            let why = format!("an update of more than {MOST_BYTES} bytes beside its pixels");
            return Err(Trouble::Bad(why));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// The frame's number and sum, in this byte order.
    fn number_and_sum(&self, is_big_endian: bool) -> (f64, u64) {
        let (pixels, _) = self.first.as_chunks::<PIXEL_BYTES>();
        let pixel = |index: usize| match pixels.get(index) {
            None => 0,
            Some(bytes) if is_big_endian => u16::from_be_bytes(*bytes),
            Some(bytes) => u16::from_le_bytes(*bytes),
        };
        (frame_number(pixel(0), pixel(1)), self.sum.total(is_big_endian))
    }
}

/// Whether a message of a monitor, or a part of one, is of a subscription to frames. The
/// first part says which subscription: only longer messages than the buffer come in parts.
pub(super) fn brings_frame<P: Pipeline>(
    session: &mut Session<P>,
    circuit: usize,
    piece: &Piece<'_, Header>,
) -> bool {
    let begins = matches!(piece.header.segment, Segment::Whole | Segment::First);
    if piece.at > 0 || !begins {
        return session.parts(circuit).0.brings_frame;
    }
    let ioid = Reader::new(piece.bytes, piece.header.is_big_endian).u32();
    let is_frame = ioid.is_ok_and(|ioid| {
        session.subscriptions().is_some_and(|(subscriptions, protocol)| {
            let (kind, number) = protocol.operations.kind(ioid);
            kind == Kind::Monitor && subscriptions.content(number) == Content::Frames
        })
    });
    session.parts(circuit).0.brings_frame = is_frame;
    is_frame
}

/// Takes a message of a monitor, or a part of one.
pub(super) fn take<P: Pipeline>(
    session: &mut Session<P>,
    circuit: usize,
    piece: &Piece<'_, Header>,
) -> Result<(), StageError> {
    take_piece(session, circuit, piece)
        .map_err(|trouble| wrong(session, circuit, &trouble.in_words()))
}

fn take_piece<P: Pipeline>(
    session: &mut Session<P>,
    circuit: usize,
    piece: &Piece<'_, Header>,
) -> Result<(), Trouble> {
    let arrived = Arrived::now();
    let is_big_endian = piece.header.is_big_endian;
    let (peer, _, _) = session.parts(circuit);
    let Place { is_first, is_last } = peer.assembly.place(piece).map_err(Trouble::Bad)?;
    let mut incoming = std::mem::take(&mut peer.incoming);
    if is_first {
        incoming = Incoming::default();
    }
    incoming.add(piece.bytes, |bytes| find_pixels(session, bytes, is_big_endian))?;
    if is_last {
        return take_whole(session, circuit, &incoming, is_big_endian, arrived);
    }
    session.parts(circuit).0.incoming = incoming;
    Ok(())
}

/// Where in an update the pixels begin, and how many bytes they have; none while that
/// cannot be known, and in other messages.
fn find_pixels<P: Pipeline>(
    session: &Session<P>,
    bytes: &[u8],
    is_big_endian: bool,
) -> Result<Option<(usize, usize)>, Trouble> {
    let mut reader = Reader::new(bytes, is_big_endian);
    let Ok(answer) = Answer::read(&mut reader) else {
        return Ok(None);
    };
    let operations = &session.protocol.operations;
    let (kind, number) = operations.kind(answer.ioid);
    let layout = operations.layout(kind, number);
    let (Some(layout), 0) = (layout, answer.subcommand) else {
        return Ok(None);
    };
    let layout: &Layout = operations.layouts.get(layout);
    let mut found = None;
    let read = layout.read_frame(&mut reader, &mut Update::default(), |reader, count| {
        let length = count.checked_mul(PIXEL_BYTES).ok_or(Trouble::Short)?;
        found = Some((reader.at(), length));
        // What follows lies behind the pixels.
        Err(Trouble::Short)
    });
    match (found, read) {
        (None, Err(Trouble::Bad(why))) => Err(Trouble::Bad(why)),
        (found, _) => Ok(found),
    }
}

fn take_whole<P: Pipeline>(
    session: &mut Session<P>,
    circuit: usize,
    incoming: &Incoming,
    is_big_endian: bool,
    arrived: Arrived,
) -> Result<(), Trouble> {
    if incoming.missing.is_some_and(|missing| missing > 0) {
        return Err(Trouble::Short);
    }
    let mut reader = Reader::new(&incoming.bytes, is_big_endian);
    let answer = Answer::read(&mut reader)?;
    let (kind, number) = session.protocol.operations.kind(answer.ioid);
    if answer.is_init() {
        return take_init(session, circuit, (kind, number), &mut reader, &incoming.bytes);
    }
    check_goes_on(session, number, &answer, &mut reader)?;
    let Some((subscriptions, protocol)) = session.subscriptions() else {
        return Ok(());
    };
    let operations = &mut protocol.operations;
    let layout = operations.layout(kind, number);
    let (Some(layout), true) = (layout, kind == Kind::Monitor && subscriptions.is_asked(number))
    else {
        return Err(Trouble::Bad("an update of no subscription".to_owned()));
    };
    let latest = &mut operations.latest[number as usize];
    let mut has_pixels = false;
    operations.layouts.get(layout).read_frame(&mut reader, latest, |_, _| {
        has_pixels = true;
        Ok(())
    })?;
    if has_pixels {
        (latest.number, latest.sum) = incoming.number_and_sum(is_big_endian);
    }
    subscriptions.record(number, arrived, *latest);
    count_update(session, circuit, number);
    Ok(())
}
