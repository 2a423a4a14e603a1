//! Messages that come in several pieces, or in segments, put together.

use crate::pv_access::{Header, Segment};
use crate::worker::floor::Piece;

/// No message that is kept is longer: types, values and lists of PVs are not.
const MOST_BYTES: usize = 1 << 20;

/// A message as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    bytes: Vec<u8>,
    /// The message of which a segment has come and the last has not.
    open: Option<u8>,
}

/// Where a piece stands in its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Nothing of the message came before.
    pub(super) is_first: bool,
    /// Nothing of it follows.
    pub(super) is_last: bool,
}

impl Assembly {
    /// Where a piece stands in its message.
    ///
    /// # Errors
    /// When segments do not follow on one another.
    pub(super) fn place(&mut self, piece: &Piece<'_, Header>) -> Result<Place, String> {
        let Header { command, segment, .. } = piece.header;
        let begins = matches!(segment, Segment::Whole | Segment::First);
        let ends = matches!(segment, Segment::Whole | Segment::Last);
        if piece.at == 0 {
            let is_right = if begins { self.open.is_none() } else { self.open == Some(command) };
            if !is_right {
                return Err(format!("a segment of a message {command} out of place"));
            }
            self.open = Some(command);
        }
        let is_last = ends && piece.is_last();
        if is_last {
            self.open = None;
        }
        Ok(Place { is_first: begins && piece.at == 0, is_last })
    }

    /// Puts a piece to those before it; all of it when it is whole.
    ///
    /// # Errors
    /// When segments do not follow on one another, or without an end.
    pub(super) fn add(&mut self, piece: &Piece<'_, Header>) -> Result<Option<Vec<u8>>, String> {
        let Place { is_first, is_last } = self.place(piece)?;
        if is_first {
            self.bytes.clear();
        }
        if self.bytes.len() + piece.bytes.len() > MOST_BYTES {
            let command = piece.header.command;
            return Err(format!("a message {command} of more than {MOST_BYTES} bytes"));
        }
        self.bytes.extend_from_slice(piece.bytes);
        Ok(is_last.then(|| std::mem::take(&mut self.bytes)))
    }
}
