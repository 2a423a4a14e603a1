//! The pvAccess protocol as bytes; no I/O.
//!
//! Constants have the names of the protocol specification. Every message is a header
//! of 8 bytes and a payload, whose numbers have the byte order that the header says.
//! What a server describes and sends is never trusted: how deep a type is, how many
//! fields it has and how long anything claims to be is checked before anything is kept.

mod bytes;
mod datagrams;
mod messages;
mod structure;

pub(crate) use bytes::{Reader, Trouble};
pub(crate) use datagrams::{
    replace_reply_address, replace_server_address, searched_names, searches_in,
};
pub(crate) use messages::{
    Answer, PIPELINED_UPDATES, PV_REQUEST_PIPELINED, PV_REQUEST_TIMED, PV_REQUEST_VALUE, Search,
    control, decode_found, decode_validation, encode_create_channel, encode_monitor_ack,
    encode_operation, encode_operation_init, encode_put, encode_validation, message,
};
pub(crate) use structure::{Bits, DOUBLE, INT16, Structure, Types, UINT16};

/// The version of the protocol that this client speaks.
pub(crate) const PVA_PROTOCOL_REVISION: u8 = 2;
/// The first byte of every message.
pub(crate) const MAGIC: u8 = 0xca;
/// Bytes of a header.
pub(crate) const HEADER_BYTES: usize = 8;

/// A server says that it is there.
pub(crate) const CMD_BEACON: u8 = 0;
/// Offers ways to authenticate, or chooses one.
pub(crate) const CMD_CONNECTION_VALIDATION: u8 = 1;
/// Asks for an echo, or is one.
pub(crate) const CMD_ECHO: u8 = 2;
/// Asks who serves PVs.
pub(crate) const CMD_SEARCH: u8 = 3;
/// Says which PVs a server has.
pub(crate) const CMD_SEARCH_RESPONSE: u8 = 4;
/// Makes a channel.
pub(crate) const CMD_CREATE_CHANNEL: u8 = 7;
/// Takes a channel away.
pub(crate) const CMD_DESTROY_CHANNEL: u8 = 8;
/// Says whether the client is accepted.
pub(crate) const CMD_CONNECTION_VALIDATED: u8 = 9;
/// Reads.
pub(crate) const CMD_GET: u8 = 10;
/// Writes.
pub(crate) const CMD_PUT: u8 = 11;
/// Subscribes, or brings an update.
pub(crate) const CMD_MONITOR: u8 = 13;

/// Among control messages: which byte order the client is to use.
pub(crate) const CTRL_SET_BYTE_ORDER: u8 = 2;
/// Among control messages: asks for an echo.
pub(crate) const CTRL_ECHO_REQUEST: u8 = 3;
/// Among control messages: the echo.
pub(crate) const CTRL_ECHO_RESPONSE: u8 = 4;

/// Of an operation: it is made ready, and the server tells the type.
pub(crate) const SUBCOMMAND_INIT: u8 = 0x08;
/// Of an operation: it ends.
pub(crate) const SUBCOMMAND_DESTROY: u8 = 0x10;
/// Of a monitor: it begins.
pub(crate) const SUBCOMMAND_START: u8 = 0x44;
/// Of a monitor: the client counts what it takes, and acknowledges it.
pub(crate) const SUBCOMMAND_PIPELINE: u8 = 0x80;

const FLAG_CONTROL: u8 = 0x01;
const FLAG_SEGMENTS: u8 = 0x30;
const FLAG_BIG_ENDIAN: u8 = 0x80;

/// A message's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// One of the `CMD_…` constants, or of the `CTRL_…` ones where it is control.
    pub(crate) command: u8,
    /// Whether it is a control message, which has no payload.
    pub(crate) is_control: bool,
    /// Whether numbers begin with their highest byte.
    pub(crate) is_big_endian: bool,
    /// Which part of a message it has.
    pub(crate) segment: Segment,
    /// Bytes of the payload, or the number of a control message.
    pub(crate) size: u32,
}

/// Which part of a message is in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Segment {
    /// All of it.
    Whole,
    /// Its beginning.
    First,
    /// Neither beginning nor end.
    Middle,
    /// Its end.
    Last,
}

impl Header {
    /// The header at the beginning of `bytes`; none while bytes are missing.
    ///
    /// # Errors
    /// When no message begins so.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Option<Header>, String> {
        let Some([magic, version, flags, command, size @ ..]) = bytes.first_chunk::<HEADER_BYTES>()
        else {
            return Ok(None);
        };
        if *magic != MAGIC || *version == 0 {
            let shown = bytes::hexadecimal(&bytes[..HEADER_BYTES]);
            return Err(format!("no message of pvAccess begins with {shown}"));
        }
        let is_big_endian = flags & FLAG_BIG_ENDIAN != 0;
        Ok(Some(Header {
            command: *command,
            is_control: flags & FLAG_CONTROL != 0,
            is_big_endian,
            segment: match flags & FLAG_SEGMENTS {
                0x00 => Segment::Whole,
                0x10 => Segment::First,
                0x20 => Segment::Last,
                _ => Segment::Middle,
            },
            size: match is_big_endian {
                true => u32::from_be_bytes(*size),
                false => u32::from_le_bytes(*size),
            },
        }))
    }

    /// How many bytes follow.
    pub(crate) fn payload_bytes(&self) -> usize {
        if self.is_control { 0 } else { self.size as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_has_its_size_in_the_byte_order_that_its_flags_report() {
        let little = Header::decode(b"\xca\x02\x50\x0d\x01\x02\x00\x00rest").unwrap().unwrap();
        assert_eq!((little.command, little.size), (CMD_MONITOR, 0x201));
        assert_eq!((little.segment, little.is_control), (Segment::First, false));
        let big = Header::decode(b"\xca\x02\xc1\x02\x00\x00\x00\x07").unwrap().unwrap();
        assert_eq!((big.command, big.size, big.is_control), (CTRL_SET_BYTE_ORDER, 7, true));
        assert_eq!((big.payload_bytes(), big.is_big_endian), (0, true));
        assert_eq!(Header::decode(b"\xca\x02\x00"), Ok(None));
    }

    #[test]
    fn what_is_not_of_the_protocol_is_shown() {
        let why = Header::decode(b"HTTP/1.1 400").unwrap_err();
        assert!(why.ends_with("48 54 54 50 2f 31 2e 31"), "{why}");
        assert!(Header::decode(b"\xca\x00\x00\x00\x00\x00\x00\x00").is_err());
    }
}
