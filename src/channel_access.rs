//! The messages of the Channel Access protocol as bytes; no I/O.
//!
//! Constants have the names of the protocol specification (`caProto.h`). Every
//! message is a header of 16 bytes, or of 24 when its payload or count does not
//! fit 16 bits, and a payload padded to a multiple of 8 bytes. All numbers are
//! big-endian.

use std::net::Ipv4Addr;

/// The minor version of protocol 4 that this client speaks.
pub(crate) const CA_MINOR_PROTOCOL_REVISION: u16 = 13;

/// Announces the speaker's version; the first message in each direction.
pub(crate) const CA_PROTO_VERSION: u16 = 0;
/// Subscribes to a PV, or brings an update of it.
pub(crate) const CA_PROTO_EVENT_ADD: u16 = 1;
/// Asks who serves a PV, or answers that; the answer has the TCP port as data type.
pub(crate) const CA_PROTO_SEARCH: u16 = 6;
/// Says that a request failed; carries the request's header and a text.
pub(crate) const CA_PROTO_ERROR: u16 = 11;
/// Says that the server does not have a PV for which a [`DOREPLY`] was sent.
pub(crate) const CA_PROTO_NOT_FOUND: u16 = 14;
/// A beacon: a server says that it is there.
pub(crate) const CA_PROTO_RSRV_IS_UP: u16 = 13;
/// Reads a value.
pub(crate) const CA_PROTO_READ_NOTIFY: u16 = 15;
/// Makes a channel.
pub(crate) const CA_PROTO_CREATE_CHAN: u16 = 18;
/// Writes a value and asks for a confirmation.
pub(crate) const CA_PROTO_WRITE: u16 = 4;
pub(crate) const CA_PROTO_WRITE_NOTIFY: u16 = 19;
pub(crate) const CA_PROTO_ECHO: u16 = 23;
/// A repeater confirms a client's registration.
pub(crate) const REPEATER_CONFIRM: u16 = 17;
/// Names the client's user.
pub(crate) const CA_PROTO_CLIENT_NAME: u16 = 20;
/// Names the client's host.
pub(crate) const CA_PROTO_HOST_NAME: u16 = 21;
/// A client asks a repeater to hear beacons.
pub(crate) const REPEATER_REGISTER: u16 = 24;
/// Says that the server cannot make a channel.
pub(crate) const CA_PROTO_CREATE_CH_FAIL: u16 = 26;
/// Says that the server has taken a channel away.
pub(crate) const CA_PROTO_SERVER_DISCONN: u16 = 27;

/// In a search: a server that does not have the PV stays silent.
pub(crate) const DONTREPLY: u16 = 5;
/// In a search over TCP: a server that does not have the PV says so. Over UDP rsrv
/// stays silent all the same (`search_reply_udp` of `camessage.c`).
pub(crate) const DOREPLY: u16 = 10;
/// The plain type of a 64 bit floating-point value.
pub(crate) const DBR_DOUBLE: u16 = 6;
/// A time-stamped array of 16 bit integers.
pub(crate) const DBR_TIME_SHORT: u16 = 15;
/// A time-stamped 64 bit floating-point value.
pub(crate) const DBR_TIME_DOUBLE: u16 = 20;
/// In a subscription: changes of the value are to be sent.
pub(crate) const DBE_VALUE: u16 = 1;
/// The status of a request that succeeded.
pub(crate) const ECA_NORMAL: u32 = 1;

/// Bytes of a header without extension.
pub(crate) const HEADER_BYTES: usize = 16;
/// In the 16 bit payload size: the true size and count follow the header.
const EXTENDED: u16 = 0xffff;

/// A message's header, extended or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// One of the `CA_PROTO_…` constants (`m_cmmd`).
    pub(crate) command: u16,
    /// Bytes of the payload, padding included (`m_postsize`).
    pub(crate) payload_bytes: u32,
    /// Type of the data, or what the command makes of the field (`m_dataType`).
    pub(crate) data_type: u16,
    /// Number of elements, or what the command makes of the field (`m_count`).
    pub(crate) count: u32,
    /// First parameter (`m_cid`).
    pub(crate) parameter_1: u32,
    /// Second parameter (`m_available`).
    pub(crate) parameter_2: u32,
}

/// A message in a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    /// The header.
    pub(crate) header: Header,
    /// The payload with its padding.
    pub(crate) payload: &'a [u8],
    /// Bytes of header and payload together.
    pub(crate) length: usize,
}

/// The first message in `bytes`, or the number of bytes in all that it takes to
/// know more.
pub(crate) fn decode(bytes: &[u8]) -> Result<Message<'_>, usize> {
    let (header, start) = decode_header(bytes)?;
    let length = start + header.payload_bytes as usize;
    match bytes.get(start..length) {
        Some(payload) => Ok(Message { header, payload, length }),
        None => Err(length),
    }
}

/// The header at the beginning of `bytes` and its length, or the number of bytes
/// that it takes to know more.
pub(crate) fn decode_header(bytes: &[u8]) -> Result<(Header, usize), usize> {
    let Some(short) = bytes.first_chunk::<HEADER_BYTES>() else {
        return Err(HEADER_BYTES);
    };
    let mut header = short_header(short);
    if u16_at(short, 2) != EXTENDED {
        return Ok((header, HEADER_BYTES));
    }
    let length = HEADER_BYTES + 8;
    let Some(extension) = bytes.get(HEADER_BYTES..length) else {
        return Err(length);
    };
    header.payload_bytes = u32_at(extension, 0);
    header.count = u32_at(extension, 4);
    Ok((header, length))
}

/// Appends a message whose payload fits 16 bits, with its padding.
///
/// # Panics
/// When the payload does not fit: no request of this client is that long.
pub(crate) fn encode(
    buffer: &mut Vec<u8>,
    command: u16,
    data_type: u16,
    count: u16,
    parameter_1: u32,
    parameter_2: u32,
    payload: &[u8],
) {
    let padded = padded(payload.len());
    assert!(padded < usize::from(EXTENDED), "payload of {padded} bytes");
    let mut header = [0; HEADER_BYTES];
    header[0..2].copy_from_slice(&command.to_be_bytes());
    header[2..4].copy_from_slice(&(padded as u16).to_be_bytes());
    header[4..6].copy_from_slice(&data_type.to_be_bytes());
    header[6..8].copy_from_slice(&count.to_be_bytes());
    header[8..12].copy_from_slice(&parameter_1.to_be_bytes());
    header[12..16].copy_from_slice(&parameter_2.to_be_bytes());
    buffer.extend_from_slice(&header);
    buffer.extend_from_slice(payload);
    buffer.resize(buffer.len() + padded - payload.len(), 0);
}

/// Appends a message of any size, with the extended header where it needs that.
pub(crate) fn encode_large(
    buffer: &mut Vec<u8>,
    command: u16,
    data_type: u16,
    count: u32,
    parameters: (u32, u32),
    payload: &[u8],
) {
    let padded = padded(payload.len());
    let short_count = u16::try_from(count).ok().filter(|_| padded < usize::from(EXTENDED));
    if let Some(count) = short_count {
        return encode(buffer, command, data_type, count, parameters.0, parameters.1, payload);
    }
    for number in [command, EXTENDED, data_type, 0] {
        buffer.extend_from_slice(&number.to_be_bytes());
    }
    for number in [parameters.0, parameters.1, padded as u32, count] {
        buffer.extend_from_slice(&number.to_be_bytes());
    }
    buffer.extend_from_slice(payload);
    buffer.resize(buffer.len() + padded - payload.len(), 0);
}

/// Appends the message that opens a datagram; servers repeat `sequence` in the
/// answer.
pub(crate) fn encode_datagram_version(buffer: &mut Vec<u8>, sequence: u32) {
    const SEQUENCE_NUMBER_IS_VALID: u16 = 1;
    let minor = CA_MINOR_PROTOCOL_REVISION;
    encode(buffer, CA_PROTO_VERSION, SEQUENCE_NUMBER_IS_VALID, minor, sequence, 0, &[]);
}

/// Appends the messages that open a circuit: version, user and host.
pub(crate) fn encode_greeting(buffer: &mut Vec<u8>, user: &str, host: &str) {
    const PRIORITY: u16 = 0;
    encode(buffer, CA_PROTO_VERSION, PRIORITY, CA_MINOR_PROTOCOL_REVISION, 0, 0, &[]);
    encode_text(buffer, CA_PROTO_CLIENT_NAME, 0, 0, 0, 0, user);
    encode_text(buffer, CA_PROTO_HOST_NAME, 0, 0, 0, 0, host);
}

/// Appends a search for a PV; the answer repeats `cid`.
pub(crate) fn encode_search(buffer: &mut Vec<u8>, cid: u32, name: &str) {
    let minor = CA_MINOR_PROTOCOL_REVISION;
    encode_text(buffer, CA_PROTO_SEARCH, DONTREPLY, minor, cid, cid, name);
}

/// The names that the searches of a datagram ask for.
pub(crate) fn searched_names(mut datagram: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    while let Ok(message) = decode(datagram) {
        if message.header.command == CA_PROTO_SEARCH {
            let name = message.payload.split(|byte| *byte == 0).next().unwrap_or_default();
            names.push(String::from_utf8_lossy(name).into_owned());
        }
        datagram = &datagram[message.length..];
    }
    names
}

/// Has answers to searches, and beacons, that name a server at `from` name one at `to`.
/// Returns whether any did.
pub(crate) fn replace_server_address(datagram: &mut [u8], from: Ipv4Addr, to: Ipv4Addr) -> bool {
    const PARAMETER_1: usize = 8;
    const PARAMETER_2: usize = 12;
    let (mut start, mut is_changed) = (0, false);
    while let Ok(message) = decode(&datagram[start..]) {
        let length = message.length;
        let field = match message.header.command {
            CA_PROTO_SEARCH => Some(start + PARAMETER_1),
            CA_PROTO_RSRV_IS_UP => Some(start + PARAMETER_2),
            _ => None,
        };
        let address = field.and_then(|field| datagram[field..].first_chunk_mut::<4>());
        if let Some(address) = address.filter(|address| **address == from.octets()) {
            *address = to.octets();
            is_changed = true;
        }
        start += length;
    }
    is_changed
}

/// Appends a search over TCP that is answered in any case, with
/// [`CA_PROTO_NOT_FOUND`] if the server does not have the PV; the answer repeats
/// `cid`.
pub(crate) fn encode_search_with_reply(buffer: &mut Vec<u8>, cid: u32, name: &str) {
    let minor = CA_MINOR_PROTOCOL_REVISION;
    encode_text(buffer, CA_PROTO_SEARCH, DOREPLY, minor, cid, cid, name);
}

/// Bytes that [`encode_search`] appends for a name of `name_bytes` bytes.
pub(crate) fn search_bytes(name_bytes: usize) -> usize {
    HEADER_BYTES + padded(name_bytes + 1)
}

/// Appends the request for a channel; the answer repeats `cid`.
pub(crate) fn encode_create_channel(buffer: &mut Vec<u8>, cid: u32, name: &str) {
    let minor = u32::from(CA_MINOR_PROTOCOL_REVISION);
    encode_text(buffer, CA_PROTO_CREATE_CHAN, 0, 0, cid, minor, name);
}

/// Appends the request for one `DBR_DOUBLE`; the answer repeats `ioid`.
pub(crate) fn encode_read(buffer: &mut Vec<u8>, sid: u32, ioid: u32) {
    encode(buffer, CA_PROTO_READ_NOTIFY, DBR_DOUBLE, 1, sid, ioid, &[]);
}

/// Appends the request to write one `DBR_DOUBLE`; the answer repeats `ioid`.
pub(crate) fn encode_write(buffer: &mut Vec<u8>, sid: u32, ioid: u32, value: f64) {
    encode(buffer, CA_PROTO_WRITE_NOTIFY, DBR_DOUBLE, 1, sid, ioid, &value.to_be_bytes());
}

/// Appends a write of one double that the server does not confirm.
pub(crate) fn encode_unconfirmed_write(buffer: &mut Vec<u8>, sid: u32, value: f64) {
    encode(buffer, CA_PROTO_WRITE, DBR_DOUBLE, 1, sid, 0, &value.to_be_bytes());
}

/// Appends a question that a server answers which is there.
pub(crate) fn encode_echo(buffer: &mut Vec<u8>) {
    encode(buffer, CA_PROTO_ECHO, 0, 0, 0, 0, &[]);
}

/// Appends a subscription to changes of the value, with as many elements as the PV
/// has at the time; its updates repeat `subscription`.
pub(crate) fn encode_subscribe(buffer: &mut Vec<u8>, data_type: u16, sid: u32, subscription: u32) {
    const ALL_ELEMENTS: u16 = 0;
    // Three floating-point limits that no server has ever used come first.
    let mut payload = [0; 16];
    payload[12..14].copy_from_slice(&DBE_VALUE.to_be_bytes());
    encode(buffer, CA_PROTO_EVENT_ADD, data_type, ALL_ELEMENTS, sid, subscription, &payload);
}

/// The payload of a `DBR_TIME_…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamped<'a> {
    /// The server's time stamp: seconds since the start of 1990.
    pub(crate) seconds: u32,
    /// Its nanoseconds.
    pub(crate) nanoseconds: u32,
    /// The elements, with the padding at the end of the payload.
    pub(crate) elements: &'a [u8],
}

/// The parts of a payload whose elements begin at `elements_at`, as
/// [`DBR_TIME_SHORT_ELEMENTS`] says.
pub(crate) fn decode_stamped(payload: &[u8], elements_at: usize) -> Option<Stamped<'_>> {
    let elements = payload.get(elements_at..)?;
    // Status and severity of the alarm come first.
    Some(Stamped { seconds: u32_at(payload, 4), nanoseconds: u32_at(payload, 8), elements })
}

/// Where the elements of a `DBR_TIME_SHORT` begin (`dbr_value_offset`).
pub(crate) const DBR_TIME_SHORT_ELEMENTS: usize = 14;
/// Where the value of a `DBR_TIME_DOUBLE` begins.
pub(crate) const DBR_TIME_DOUBLE_VALUE: usize = 16;

/// The value in the payload of an answered read, if it has one.
pub(crate) fn decode_double(payload: &[u8]) -> Option<f64> {
    payload.first_chunk().map(|bytes| f64::from_be_bytes(*bytes))
}

/// The failed request's header and the server's text, from the payload of a
/// [`CA_PROTO_ERROR`].
pub(crate) fn decode_error(payload: &[u8]) -> Option<(Header, String)> {
    let short = payload.first_chunk::<HEADER_BYTES>()?;
    let header = short_header(short);
    let is_extended = u16_at(short, 2) == EXTENDED;
    let text = payload.get(if is_extended { HEADER_BYTES + 8 } else { HEADER_BYTES }..)?;
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    Some((header, String::from_utf8_lossy(&text[..end]).into_owned()))
}

/// A status in words: its name in `caerr.h` where a server says it to a client
/// of this kind, and its number.
pub(crate) fn status_in_words(status: u32) -> String {
    // The three low bits of a status are its severity, the rest its number.
    let name = match status >> 3 {
        0 => "ECA_NORMAL",
        6 => "ECA_ALLOCMEM",
        9 => "ECA_TOLARGE",
        14 => "ECA_BADTYPE",
        17 => "ECA_INTERNAL",
        19 => "ECA_GETFAIL",
        20 => "ECA_PUTFAIL",
        22 => "ECA_BADCOUNT",
        34 => "ECA_DEFUNCT",
        45 => "ECA_PUTCBINPROG",
        46 => "ECA_NORDACCESS",
        47 => "ECA_NOWTACCESS",
        50 => "ECA_NOCONVERT",
        51 => "ECA_BADCHID",
        _ => return format!("status {status:#x}"),
    };
    format!("{name} ({status:#x})")
}

/// Appends a message whose payload is a text with its end mark.
fn encode_text(
    buffer: &mut Vec<u8>,
    command: u16,
    data_type: u16,
    count: u16,
    parameter_1: u32,
    parameter_2: u32,
    text: &str,
) {
    let header = buffer.len();
    encode(buffer, command, data_type, count, parameter_1, parameter_2, text.as_bytes());
    // A text that fills its last 8 bytes has no padding to end it.
    if text.len().is_multiple_of(8) {
        buffer.resize(buffer.len() + 8, 0);
    }
    let payload_bytes = (padded(text.len() + 1) as u16).to_be_bytes();
    buffer[header + 2..header + 4].copy_from_slice(&payload_bytes);
}

/// A header as its first 16 bytes have it, before any extension.
fn short_header(bytes: &[u8; HEADER_BYTES]) -> Header {
    Header {
        command: u16_at(bytes, 0),
        payload_bytes: u32::from(u16_at(bytes, 2)),
        data_type: u16_at(bytes, 4),
        count: u32::from(u16_at(bytes, 6)),
        parameter_1: u32_at(bytes, 8),
        parameter_2: u32_at(bytes, 12),
    }
}

fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(8)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_message_reads_as_it_was_written() {
        for (count, bytes) in [(3, 24), (70_000, 24), (9_000, 72_000)] {
            let mut buffer = Vec::new();
            let payload = vec![7; bytes];
            encode_large(&mut buffer, CA_PROTO_WRITE_NOTIFY, DBR_DOUBLE, count, (1, 2), &payload);
            let message = decode(&buffer).unwrap();
            assert_eq!((message.header.count, message.length), (count, buffer.len()));
            assert_eq!((message.header.parameter_1, message.header.parameter_2), (1, 2));
            assert_eq!(message.payload, payload);
        }
    }

    #[test]
    fn a_search_is_these_bytes() {
        let mut buffer = Vec::new();
        encode_search(&mut buffer, 0x0102_0304, "gauge:7");
        assert_eq!(
            buffer,
            b"\x00\x06\x00\x08\x00\x05\x00\x0d\x01\x02\x03\x04\x01\x02\x03\x04gauge:7\x00"
        );
        assert_eq!(buffer.len(), search_bytes("gauge:7".len()));
    }

    #[test]
    fn a_search_that_is_always_answered_differs_in_one_field() {
        let (mut silent, mut answered) = (Vec::new(), Vec::new());
        encode_search(&mut silent, 7, "gauge:7");
        encode_search_with_reply(&mut answered, 7, "gauge:7");
        silent[4..6].copy_from_slice(&DOREPLY.to_be_bytes());
        assert_eq!(answered, silent);
    }

    #[test]
    fn a_name_of_eight_bytes_gets_an_end_mark() {
        let mut buffer = Vec::new();
        encode_create_channel(&mut buffer, 9, "gauge:17");
        assert_eq!(
            buffer,
            b"\x00\x12\x00\x10\x00\x00\x00\x00\x00\x00\x00\x09\x00\x00\x00\x0d\
              gauge:17\x00\x00\x00\x00\x00\x00\x00\x00"
        );
        buffer.clear();
        encode_search(&mut buffer, 9, "gauge:17");
        assert_eq!(buffer.len(), search_bytes("gauge:17".len()));
    }

    #[test]
    fn a_greeting_is_version_user_and_host() {
        let mut buffer = Vec::new();
        encode_greeting(&mut buffer, "ann", "lab");
        assert_eq!(
            buffer,
            b"\x00\x00\x00\x00\x00\x00\x00\x0d\x00\x00\x00\x00\x00\x00\x00\x00\
              \x00\x14\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00ann\x00\x00\x00\x00\x00\
              \x00\x15\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00lab\x00\x00\x00\x00\x00"
        );
    }

    #[test]
    fn a_datagram_opens_with_a_valid_sequence_number() {
        let mut buffer = Vec::new();
        encode_datagram_version(&mut buffer, 0x0a0b);
        assert_eq!(buffer, b"\x00\x00\x00\x00\x00\x01\x00\x0d\x00\x00\x0a\x0b\x00\x00\x00\x00");
    }

    #[test]
    fn a_read_and_a_write_are_these_bytes() {
        let mut buffer = Vec::new();
        encode_read(&mut buffer, 5, 6);
        assert_eq!(buffer, b"\x00\x0f\x00\x00\x00\x06\x00\x01\x00\x00\x00\x05\x00\x00\x00\x06");
        buffer.clear();
        encode_write(&mut buffer, 5, 6, 1.5);
        assert_eq!(
            buffer,
            b"\x00\x13\x00\x08\x00\x06\x00\x01\x00\x00\x00\x05\x00\x00\x00\x06\
              \x3f\xf8\x00\x00\x00\x00\x00\x00"
        );
    }

    #[test]
    fn an_answered_read_is_decoded() {
        let bytes = b"\x00\x0f\x00\x08\x00\x06\x00\x01\x00\x00\x00\x01\x00\x00\x00\x06\
                      \x3f\xf8\x00\x00\x00\x00\x00\x00\xff";
        let message = decode(bytes).unwrap();
        assert_eq!(message.header.command, CA_PROTO_READ_NOTIFY);
        assert_eq!(message.header.parameter_1, ECA_NORMAL);
        assert_eq!(message.header.parameter_2, 6);
        assert_eq!(message.length, 24);
        assert_eq!(decode_double(message.payload), Some(1.5));
    }

    #[test]
    fn a_subscription_is_these_bytes() {
        let mut buffer = Vec::new();
        encode_subscribe(&mut buffer, DBR_TIME_DOUBLE, 5, 6);
        assert_eq!(
            buffer,
            b"\x00\x01\x00\x10\x00\x14\x00\x00\x00\x00\x00\x05\x00\x00\x00\x06\
              \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00"
        );
    }

    #[test]
    fn a_stamped_payload_is_decoded() {
        let payload = b"\x00\x03\x00\x02\x00\x00\x00\x07\x00\x00\x00\x08\
                        \x00\x00\x00\x00\x3f\xf8\x00\x00\x00\x00\x00\x00";
        let double = decode_stamped(payload, DBR_TIME_DOUBLE_VALUE).unwrap();
        assert_eq!((double.seconds, double.nanoseconds), (7, 8));
        assert_eq!(decode_double(double.elements), Some(1.5));
        let shorts = decode_stamped(payload, DBR_TIME_SHORT_ELEMENTS).unwrap();
        assert_eq!(shorts.elements[2..4], [0x3f, 0xf8]);
        assert_eq!(decode_stamped(&payload[..13], DBR_TIME_SHORT_ELEMENTS), None);
    }

    #[test]
    fn an_incomplete_message_reports_how_many_bytes_it_takes() {
        let bytes = b"\x00\x0f\x00\x08\x00\x06\x00\x01\x00\x00\x00\x01\x00\x00\x00\x06\x3f";
        assert_eq!(decode(&bytes[..0]), Err(16));
        assert_eq!(decode(&bytes[..15]), Err(16));
        assert_eq!(decode(bytes), Err(24));
    }

    #[test]
    fn an_extended_header_is_decoded() {
        let mut bytes = b"\x00\x0f\xff\xff\x00\x06\x00\x00\x00\x00\x00\x01\x00\x00\x00\x06\
                          \x00\x01\x00\x00\x00\x00\x20\x00"
            .to_vec();
        assert_eq!(decode(&bytes[..20]), Err(24));
        assert_eq!(decode(&bytes), Err(24 + 0x1_0000));
        bytes.resize(24 + 0x1_0000, 0);
        let message = decode(&bytes).unwrap();
        assert_eq!(message.header.payload_bytes, 0x1_0000);
        assert_eq!(message.header.count, 0x2000);
        assert_eq!(message.payload.len(), 0x1_0000);
        assert_eq!(message.length, bytes.len());
    }

    #[test]
    fn an_error_carries_its_request_and_a_text() {
        let payload =
            b"\x00\x0f\x00\x00\x00\x06\x00\x01\x00\x00\x00\x05\x00\x00\x00\x06gone\x00\x00";
        let (request, text) = decode_error(payload).unwrap();
        assert_eq!((request.command, request.parameter_2), (CA_PROTO_READ_NOTIFY, 6));
        assert_eq!(text, "gone");
        let mut extended = payload.to_vec();
        extended[2..4].copy_from_slice(&[0xff, 0xff]);
        extended.splice(16..16, [0; 8]);
        assert_eq!(decode_error(&extended).unwrap().1, "gone");
        assert_eq!(decode_error(&payload[..15]), None);
    }

    #[test]
    fn a_status_is_named() {
        assert_eq!(status_in_words(376), "ECA_NOWTACCESS (0x178)");
        assert_eq!(status_in_words(0x7ff), "status 0x7ff");
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig {
            failure_persistence: None, ..proptest::prelude::ProptestConfig::default()
        })]

        /// What a server sends is never longer than it is, whatever it claims.
        #[test]
        fn no_bytes_make_the_reader_panic_or_reach_beyond_them(
            bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200),
        ) {
            match decode(&bytes) {
                Ok(message) => {
                    proptest::prop_assert!(message.length <= bytes.len());
                    let _ = decode_error(message.payload);
                    let _ = decode_double(message.payload);
                    for elements in [DBR_TIME_SHORT_ELEMENTS, DBR_TIME_DOUBLE_VALUE] {
                        let _ = decode_stamped(message.payload, elements);
                    }
                }
                Err(needed) => proptest::prop_assert!(needed > bytes.len()),
            }
        }
    }

    #[test]
    fn names_of_searches_are_read_from_a_datagram() {
        let mut datagram = Vec::new();
        encode_datagram_version(&mut datagram, 1);
        encode_search(&mut datagram, 1, "gauge:0");
        encode_search(&mut datagram, 2, "a:longer:name");
        assert_eq!(searched_names(&datagram), ["gauge:0", "a:longer:name"]);
        assert_eq!(searched_names(&datagram[..datagram.len() - 1]), ["gauge:0"]);
    }

    #[test]
    fn only_the_address_that_is_replaced_changes() {
        let (near, far) = (Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2));
        let answer = |address: Ipv4Addr| {
            let mut datagram = Vec::new();
            encode_datagram_version(&mut datagram, 1);
            encode(&mut datagram, CA_PROTO_SEARCH, 5064, 0, address.to_bits(), 7, &[0; 8]);
            encode(&mut datagram, CA_PROTO_RSRV_IS_UP, 5064, 0, 1, address.to_bits(), &[]);
            datagram
        };
        let mut datagram = answer(near);
        assert!(replace_server_address(&mut datagram, near, far));
        assert_eq!(datagram, answer(far));
        let mut unknown = answer(Ipv4Addr::BROADCAST);
        assert!(!replace_server_address(&mut unknown, near, far));
        assert_eq!(unknown, answer(Ipv4Addr::BROADCAST));
    }
}
