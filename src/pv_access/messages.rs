//! Messages of a client, and what it reads of those of a server.

use std::net::{Ipv4Addr, SocketAddrV4};

use super::bytes::{Reader, Trouble, Writer};
use super::{
    CMD_CONNECTION_VALIDATION, CMD_CREATE_CHANNEL, CMD_MONITOR, CMD_PUT, CMD_SEARCH,
    FLAG_BIG_ENDIAN, FLAG_CONTROL, HEADER_BYTES, MAGIC, PVA_PROTOCOL_REVISION, SUBCOMMAND_INIT,
    SUBCOMMAND_PIPELINE,
};

/// Bytes that this client takes at once, as it tells servers; none heeds it.
const RECEIVE_BYTES: u32 = 0x1_0000;
/// Types that this client remembers.
const REGISTRY_SIZE: u16 = 0x7fff;
/// A client that says who it is.
const METHOD_CA: &str = "ca";
/// A client that does not.
const METHOD_ANONYMOUS: &str = "anonymous";
/// In a search: servers that have none of the PVs say so.
const REPLY_REQUIRED: u8 = 0x01;
/// In a search: it was sent to one server.
const UNICAST: u8 = 0x80;
/// The only transport there is.
const TCP: &str = "tcp";
/// Bytes of a search before the count of its PVs: its number, flags, the address for
/// answers and the name of the transport.
const BYTES_BEFORE_COUNT: usize = 4 + 4 + 18 + 5;
/// A status without a text.
const STATUS_OK: u8 = 0xff;

/// A request for the field `value`: a structure whose field `field` is a structure with
/// an empty structure of that name.
pub(crate) const PV_REQUEST_VALUE: &[u8] = b"\x80\0\x01\x05field\x80\0\x01\x05value\x80\0\0";
/// A request for `value` and `timeStamp`.
pub(crate) const PV_REQUEST_TIMED: &[u8] =
    b"\x80\0\x01\x05field\x80\0\x02\x05value\x80\0\0\x09timeStamp\x80\0\0";
/// The same with updates that the client acknowledges and a queue of
/// [`PIPELINED_UPDATES`]: texts in the structure `record._options`.
pub(crate) const PV_REQUEST_PIPELINED: &[u8] =
    b"\x80\0\x02\x05field\x80\0\x02\x05value\x80\0\0\x09timeStamp\x80\0\0\
      \x06record\x80\0\x01\x08_options\x80\0\x02\x09queueSize\x60\x08pipeline\x60\
      \x014\x04true";
/// Updates on their way before the client has acknowledged one: pvxs' own queue.
pub(crate) const PIPELINED_UPDATES: u32 = 4;

/// Appends a message whose payload `write` writes.
pub(crate) fn message(
    output: &mut Vec<u8>,
    is_big_endian: bool,
    command: u8,
    write: impl FnOnce(&mut Writer<'_>),
) {
    let begin = output.len();
    let flags = if is_big_endian { FLAG_BIG_ENDIAN } else { 0 };
    output.extend_from_slice(&[MAGIC, PVA_PROTOCOL_REVISION, flags, command, 0, 0, 0, 0]);
    write(&mut Writer::new(output, is_big_endian));
    end_message(output, begin);
}

/// Appends a control message with its number.
pub(crate) fn control(output: &mut Vec<u8>, is_big_endian: bool, command: u8, number: u32) {
    let flags = FLAG_CONTROL | if is_big_endian { FLAG_BIG_ENDIAN } else { 0 };
    output.extend_from_slice(&[MAGIC, PVA_PROTOCOL_REVISION, flags, command]);
    Writer::new(output, is_big_endian).u32(number);
}

/// Writes the size of the message that began there.
fn end_message(output: &mut [u8], begin: usize) {
    let size = (output.len() - begin - HEADER_BYTES) as u32;
    let size = match output[begin + 2] & FLAG_BIG_ENDIAN {
        0 => size.to_le_bytes(),
        _ => size.to_be_bytes(),
    };
    output[begin + 4..begin + HEADER_BYTES].copy_from_slice(&size);
}

/// How a server has clients say who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Validation {
    methods: Vec<String>,
}

/// Reads the payload of a [`CMD_CONNECTION_VALIDATION`].
pub(crate) fn decode_validation(reader: &mut Reader<'_>) -> Result<Validation, Trouble> {
    reader.u32()?;
    reader.u16()?;
    let count = reader.size()?;
    let methods = (0..count).map(|_| reader.text()).collect::<Result<_, _>>()?;
    Ok(Validation { methods })
}

/// Appends the answer to that.
///
/// # Errors
/// When the server offers no method that is known here.
pub(crate) fn encode_validation(
    output: &mut Vec<u8>,
    is_big_endian: bool,
    offered: &Validation,
    user: &str,
    host: &str,
) -> Result<(), String> {
    const NO_PRIORITY: u16 = 0;
    let offers = |method: &str| offered.methods.iter().any(|offered| offered == method);
    let is_named = offers(METHOD_CA);
    if !is_named && !offers(METHOD_ANONYMOUS) && !offered.methods.is_empty() {
        return Err(format!("it wants clients to authenticate by {}", offered.methods.join(", ")));
    }
    message(output, is_big_endian, CMD_CONNECTION_VALIDATION, |writer| {
        writer.u32(RECEIVE_BYTES);
        writer.u16(REGISTRY_SIZE);
        writer.u16(NO_PRIORITY);
        if is_named {
            writer.text(METHOD_CA);
            writer.bytes(b"\x80\0\x02\x04user\x60\x04host\x60");
            writer.text(user);
            writer.text(host);
        } else {
            writer.text(METHOD_ANONYMOUS);
            writer.u8(0xff);
        }
    });
    Ok(())
}

/// A search that is put together PV by PV.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Search {
    begin: usize,
    count_at: usize,
}

impl Search {
    /// Begins a search; answers repeat `sequence` and, over UDP, go to `reply_to`, which may
    /// leave the address to the sender of the datagram (0.0.0.0).
    pub(crate) fn begin(
        output: &mut Vec<u8>,
        is_big_endian: bool,
        sequence: u32,
        reply_to: Option<SocketAddrV4>,
        is_reply_required: bool,
    ) -> Search {
        let begin = output.len();
        message(output, is_big_endian, CMD_SEARCH, |writer| {
            writer.u32(sequence);
            let unicast = if reply_to.is_some() { UNICAST } else { 0 };
            writer.u8(unicast | if is_reply_required { REPLY_REQUIRED } else { 0 });
            writer.bytes(&[0; 3]);
            let reply_to = reply_to.unwrap_or(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0));
            writer.bytes(&reply_to.ip().to_ipv6_mapped().octets());
            writer.u16(reply_to.port());
            writer.size(1);
            writer.text(TCP);
            writer.u16(0);
        });
        Search { begin, count_at: output.len() - 2 }
    }

    /// The only search of a datagram, over UDP.
    pub(crate) fn of_datagram() -> Search {
        Search { begin: 0, count_at: HEADER_BYTES + BYTES_BEFORE_COUNT }
    }

    /// Adds a PV; the answer repeats `cid`.
    pub(crate) fn add(output: &mut Vec<u8>, is_big_endian: bool, cid: u32, name: &str) {
        let mut writer = Writer::new(output, is_big_endian);
        writer.u32(cid);
        writer.text(name);
    }

    /// Bytes that a name of so many takes.
    pub(crate) fn bytes(name_bytes: usize) -> usize {
        const LONG_NAME: usize = 254;
        4 + name_bytes + if name_bytes < LONG_NAME { 1 } else { 5 }
    }

    /// Ends it with the count of its PVs.
    pub(crate) fn end(self, output: &mut [u8], is_big_endian: bool, count: u16) {
        let count = if is_big_endian { count.to_be_bytes() } else { count.to_le_bytes() };
        output[self.count_at..self.count_at + 2].copy_from_slice(&count);
        end_message(&mut *output, self.begin);
    }
}

/// The answer to a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// The number of the search.
    pub(crate) sequence: u32,
    /// The server that has the PVs.
    pub(crate) server: SocketAddrV4,
    /// The PVs that it has.
    pub(crate) cids: Vec<u32>,
}

/// Reads the payload of an answer to a search that `sender` sent.
pub(crate) fn decode_found(reader: &mut Reader<'_>, sender: Ipv4Addr) -> Result<Found, Trouble> {
    const GUID_BYTES: usize = 12;
    reader.skip(1, GUID_BYTES)?;
    let sequence = reader.u32()?;
    let address = Ipv4Addr::from_bits(u32::from_be_bytes(
        *reader.take(16)?.last_chunk().ok_or(Trouble::Short)?,
    ));
    let address = if address.is_unspecified() { sender } else { address };
    let server = SocketAddrV4::new(address, reader.u16()?);
    let protocol = reader.text()?;
    let is_found = reader.u8()? != 0;
    let count = reader.u16()?;
    let cids = (0..count).map(|_| reader.u32()).collect::<Result<Vec<u32>, _>>()?;
    let is_usable = is_found && protocol == TCP;
    Ok(Found { sequence, server, cids: if is_usable { cids } else { Vec::new() } })
}

/// Appends the request for a channel; the answer repeats `cid`.
pub(crate) fn encode_create_channel(
    output: &mut Vec<u8>,
    is_big_endian: bool,
    cid: u32,
    name: &str,
) {
    message(output, is_big_endian, CMD_CREATE_CHANNEL, |writer| {
        writer.u16(1);
        writer.u32(cid);
        writer.text(name);
    });
}

/// Appends the first message of an operation; answers repeat `ioid`. A monitor whose
/// client acknowledges updates says how many it has room for.
pub(crate) fn encode_operation_init(
    output: &mut Vec<u8>,
    is_big_endian: bool,
    command: u8,
    (sid, ioid): (u32, u32),
    pv_request: &[u8],
    room: Option<u32>,
) {
    message(output, is_big_endian, command, |writer| {
        writer.u32(sid);
        writer.u32(ioid);
        let pipeline = if room.is_some() { SUBCOMMAND_PIPELINE } else { 0 };
        writer.u8(SUBCOMMAND_INIT | pipeline);
        writer.bytes(pv_request);
        if let Some(room) = room {
            writer.u32(room);
        }
    });
}

/// Appends a further message of an operation that carries nothing.
pub(crate) fn encode_operation(
    output: &mut Vec<u8>,
    is_big_endian: bool,
    command: u8,
    (sid, ioid): (u32, u32),
    subcommand: u8,
) {
    message(output, is_big_endian, command, |writer| {
        writer.u32(sid);
        writer.u32(ioid);
        writer.u8(subcommand);
    });
}

/// Appends the acknowledgement of so many updates.
pub(crate) fn encode_monitor_ack(
    output: &mut Vec<u8>,
    is_big_endian: bool,
    (sid, ioid): (u32, u32),
    updates: u32,
) {
    message(output, is_big_endian, CMD_MONITOR, |writer| {
        writer.u32(sid);
        writer.u32(ioid);
        writer.u8(SUBCOMMAND_PIPELINE);
        writer.u32(updates);
    });
}

/// Appends the message that writes a number to the field of that number.
pub(crate) fn encode_put(
    output: &mut Vec<u8>,
    is_big_endian: bool,
    (sid, ioid): (u32, u32),
    field: usize,
    value: f64,
) {
    message(output, is_big_endian, CMD_PUT, |writer| {
        writer.u32(sid);
        writer.u32(ioid);
        writer.u8(0);
        writer.size(field / 8 + 1);
        (0..field / 8).for_each(|_| writer.u8(0));
        writer.u8(1 << (field % 8));
        writer.f64(value);
    });
}

/// What a server says of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The number of the operation.
    pub(crate) ioid: u32,
    /// Which of its messages is answered.
    pub(crate) subcommand: u8,
}

impl Answer {
    /// Reads the beginning of an answer.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Answer, Trouble> {
        Ok(Answer { ioid: reader.u32()?, subcommand: reader.u8()? })
    }

    /// Whether it says that the operation is ready.
    pub(crate) fn is_init(&self) -> bool {
        self.subcommand & SUBCOMMAND_INIT != 0
    }
}

impl Reader<'_> {
    /// Reads a status; the server's words where it is an error.
    pub(crate) fn status(&mut self) -> Result<Result<(), String>, Trouble> {
        let kind = self.u8()?;
        if kind == STATUS_OK {
            return Ok(Ok(()));
        }
        let text = self.text()?;
        // The server's stack says nothing to a user.
        self.text()?;
        match kind {
            // A warning is no failure.
            0 | 1 => Ok(Ok(())),
            2 => Ok(Err(format!("error: {text}"))),
            3 => Ok(Err(format!("fatal error: {text}"))),
            kind => Err(Trouble::Bad(format!("the status {kind} is not known: {text}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CMD_GET, Header};
    use super::*;

    #[test]
    fn a_message_reports_its_size_in_its_byte_order() {
        for is_big_endian in [false, true] {
            let mut output = b"before".to_vec();
            encode_create_channel(&mut output, is_big_endian, 7, "gauge:7");
            let header = Header::decode(&output[6..]).unwrap().unwrap();
            assert_eq!((header.size as usize, header.command), (output.len() - 14, 7));
            assert_eq!(header.is_big_endian, is_big_endian);
        }
    }

    #[test]
    fn a_get_is_these_bytes() {
        let mut output = Vec::new();
        encode_operation_init(&mut output, false, CMD_GET, (1, 2), PV_REQUEST_VALUE, None);
        encode_operation(&mut output, false, CMD_GET, (1, 2), 0);
        assert_eq!(
            output,
            b"\xca\x02\x00\x0a\x1e\0\0\0\x01\0\0\0\x02\0\0\0\x08\
              \x80\0\x01\x05field\x80\0\x01\x05value\x80\0\0\
              \xca\x02\x00\x0a\x09\0\0\0\x01\0\0\0\x02\0\0\0\0"
        );
    }

    #[test]
    fn a_put_marks_one_field() {
        let mut output = Vec::new();
        encode_put(&mut output, false, (1, 2), 9, 1.0);
        assert_eq!(&output[16..], b"\0\x02\0\x02\0\0\0\0\0\0\xf0\x3f");
    }

    #[test]
    fn a_search_counts_its_pvs_and_its_answer_names_the_server() {
        let mut output = Vec::new();
        let search =
            Search::begin(&mut output, true, 5, Some("127.0.0.1:4000".parse().unwrap()), false);
        let before = output.len();
        for (cid, name) in [(7, "a"), (8, "bc")] {
            Search::add(&mut output, true, cid, name);
        }
        assert_eq!(output.len() - before, Search::bytes(1) + Search::bytes(2));
        search.end(&mut output, true, 2);
        assert_eq!(&output[before - 2..before], [0, 2]);
        let header = Header::decode(&output).unwrap().unwrap();
        assert_eq!(header.size as usize, output.len() - HEADER_BYTES);

        let mut answer = vec![9; 12];
        answer.extend_from_slice(b"\0\0\0\x05");
        answer.extend_from_slice(&Ipv4Addr::UNSPECIFIED.to_ipv6_mapped().octets());
        answer.extend_from_slice(b"\x13\xd3\x03tcp\x01\0\x01\0\0\0\x08");
        let found = decode_found(&mut Reader::new(&answer, true), Ipv4Addr::LOCALHOST).unwrap();
        assert_eq!(found.server, "127.0.0.1:5075".parse().unwrap());
        assert_eq!((found.sequence, found.cids), (5, vec![8]));
        let cut_off = &answer[..answer.len() - 1];
        let short = decode_found(&mut Reader::new(cut_off, true), Ipv4Addr::LOCALHOST);
        assert_eq!(short, Err(Trouble::Short));
    }

    #[test]
    fn a_client_reports_who_it_is_where_that_is_offered() {
        let offered = |methods: &[&str]| Validation {
            methods: methods.iter().map(|method| (*method).to_owned()).collect(),
        };
        let encoded = |methods: &[&str]| {
            let mut output = Vec::new();
            encode_validation(&mut output, false, &offered(methods), "ann", "lab").map(|()| output)
        };
        let named = encoded(&["anonymous", "ca"]).unwrap();
        assert!(named.ends_with(b"\x02ca\x80\0\x02\x04user\x60\x04host\x60\x03ann\x03lab"));
        assert!(encoded(&["anonymous"]).unwrap().ends_with(b"\x09anonymous\xff"));
        assert!(encoded(&["x509"]).unwrap_err().ends_with("x509"));
    }

    #[test]
    fn a_warning_is_no_error() {
        let status = |bytes: &[u8]| Reader::new(bytes, false).status();
        assert_eq!(status(b"\xff"), Ok(Ok(())));
        assert_eq!(status(b"\x01\x03hot\0"), Ok(Ok(())));
        assert_eq!(status(b"\x02\x02no\x05stack"), Ok(Err("error: no".to_owned())));
        assert!(matches!(status(b"\x09\0\0"), Err(Trouble::Bad(_))));
    }
}
