//! The client against a server that is played: right, and wrong in each way.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;

use proptest::prelude::*;

use super::{Assembly, Duration, Header, Piece, Pipeline, Pipelined, Plain, Session, pv_access};
use crate::pv_access::{
    CMD_CONNECTION_VALIDATED, CMD_CONNECTION_VALIDATION, CMD_CREATE_CHANNEL, CMD_GET, CMD_MONITOR,
    CMD_PUT, CMD_SEARCH, CMD_SEARCH_RESPONSE, CTRL_SET_BYTE_ORDER, HEADER_BYTES, MAGIC, Reader,
    SUBCOMMAND_INIT, SUBCOMMAND_START, control,
};
use crate::worker::client::Client as _;
use crate::worker::per_pv_times::PerPvTimes;
use crate::worker_protocol::{Content, Job, Mode, Monitor};

/// A scalar with time stamp.
const SCALAR: &[u8] = b"\x80\0\x02\x05value\x43\
    \x09timeStamp\x80\0\x02\x10secondsPastEpoch\x23\x0bnanoseconds\x22";
/// An array of 16 bit numbers with time stamp.
const FRAME: &[u8] = b"\x80\0\x02\x05value\x29\
    \x09timeStamp\x80\0\x02\x10secondsPastEpoch\x23\x0bnanoseconds\x22";

/// How the server is.
#[derive(Clone, Copy)]
struct Manner {
    is_big_endian: bool,
    /// Of its values.
    description: &'static [u8],
    /// Types are named, and meant by their names later on.
    names_types: bool,
    /// A get answers only what has changed since the get before.
    answers_changes: bool,
    /// What it sends instead of the answer to a command.
    instead: Option<(u8, &'static [u8])>,
    /// Messages are cut to segments of so many bytes.
    segment_bytes: usize,
    /// It never begins on the first connection.
    is_silent_first: bool,
}

const RIGHT: Manner = Manner {
    is_big_endian: false,
    description: SCALAR,
    names_types: false,
    answers_changes: false,
    instead: None,
    segment_bytes: usize::MAX,
    is_silent_first: false,
};

/// A server of one client that holds one value.
struct Played {
    stream: TcpStream,
    manner: Manner,
    address: SocketAddr,
    value: f64,
    /// What was read of each operation.
    read: BTreeMap<u32, f64>,
    types_named: u16,
}

impl Played {
    /// Starts a server; it ends with its client.
    fn start(manner: Manner) -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let played = std::thread::spawn(move || {
            let _silent = manner.is_silent_first.then(|| listener.accept().unwrap());
            let (stream, _) = listener.accept().unwrap();
            Played { stream, manner, address, value: 1.5, read: BTreeMap::new(), types_named: 0 }
                .play();
        });
        (address, played)
    }

    fn play(&mut self) {
        let mut greeting = Vec::new();
        control(&mut greeting, self.manner.is_big_endian, CTRL_SET_BYTE_ORDER, 0);
        self.stream.write_all(&greeting).unwrap();
        self.send(CMD_CONNECTION_VALIDATION, b"\0\0\0\0\0\0\x01\x02ca");
        let mut header = [0; HEADER_BYTES];
        while self.stream.read_exact(&mut header).is_ok() {
            let header = Header::decode(&header).unwrap().unwrap();
            let mut payload = vec![0; header.payload_bytes()];
            self.stream.read_exact(&mut payload).unwrap();
            assert_eq!(header.is_big_endian, self.manner.is_big_endian);
            self.answer(header.command, &payload);
        }
    }

    /// Sends a message, unless something else takes its place.
    fn send(&mut self, command: u8, payload: &[u8]) {
        if let Some((instead_of, bytes)) = self.manner.instead
            && instead_of == command
        {
            // The client may have had enough of it.
            let _ = self.stream.write_all(bytes);
            return;
        }
        let segments = payload.chunks(self.manner.segment_bytes.min(payload.len().max(1)));
        let last = segments.len().saturating_sub(1);
        for (at, segment) in segments.enumerate() {
            let kind = match (at == 0, at == last) {
                (true, true) => 0x00,
                (true, false) => 0x10,
                (false, false) => 0x30,
                (false, true) => 0x20,
            };
            let order = if self.manner.is_big_endian { 0x80 } else { 0 };
            let mut message = vec![MAGIC, 2, 0x40 | kind | order, command];
            message.extend(self.number(segment.len() as u32));
            message.extend_from_slice(segment);
            if self.stream.write_all(&message).is_err() {
                return;
            }
        }
    }

    fn number(&self, number: u32) -> [u8; 4] {
        if self.manner.is_big_endian { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    fn bytes<const BYTES: usize>(&self, mut big_endian: [u8; BYTES]) -> [u8; BYTES] {
        if !self.manner.is_big_endian {
            big_endian.reverse();
        }
        big_endian
    }

    fn answer(&mut self, command: u8, payload: &[u8]) {
        let mut reader = Reader::new(payload, self.manner.is_big_endian);
        match command {
            CMD_CONNECTION_VALIDATION => self.send(CMD_CONNECTION_VALIDATED, b"\xff"),
            CMD_SEARCH => {
                reader.skip(1, 31).unwrap();
                let cids: Vec<u32> = (0..reader.u16().unwrap())
                    .map(|_| {
                        let cid = reader.u32().unwrap();
                        reader.text().unwrap();
                        cid
                    })
                    .collect();
                let mut found = vec![0; 16];
                found.extend_from_slice(&[0; 16]);
                found.extend(self.bytes(self.address.port().to_be_bytes()));
                found.extend_from_slice(b"\x03tcp\x01");
                found.extend(self.bytes((cids.len() as u16).to_be_bytes()));
                cids.iter().for_each(|cid| found.extend(self.number(*cid)));
                self.send(CMD_SEARCH_RESPONSE, &found);
            }
            CMD_CREATE_CHANNEL => {
                let cid = &payload[2..6];
                self.send(CMD_CREATE_CHANNEL, &[cid, cid, b"\xff"].concat());
            }
            CMD_GET | CMD_PUT | CMD_MONITOR => {
                let (_, ioid) = (reader.u32().unwrap(), reader.u32().unwrap());
                let subcommand = reader.u8().unwrap();
                self.operate(command, ioid, subcommand, reader.rest());
            }
            _ => {}
        }
    }

    fn operate(&mut self, command: u8, ioid: u32, subcommand: u8, rest: &[u8]) {
        let mut answer = self.number(ioid).to_vec();
        answer.push(subcommand);
        if subcommand & SUBCOMMAND_INIT != 0 {
            answer.push(0xff);
            answer.extend(self.description());
            return self.send(command, &answer);
        }
        match command {
            CMD_GET => {
                let before = self.read.insert(ioid, self.value);
                if self.manner.answers_changes && before == Some(self.value) {
                    answer.extend_from_slice(b"\xff\0");
                } else {
                    answer.extend_from_slice(b"\xff\x01\x02");
                    answer.extend(self.bytes(self.value.to_be_bytes()));
                }
            }
            CMD_PUT => {
                assert_eq!(&rest[..2], b"\x01\x02");
                self.value = Reader::new(&rest[2..], self.manner.is_big_endian).f64().unwrap();
                answer.push(0xff);
            }
            _ if subcommand == SUBCOMMAND_START => return self.update(ioid),
            // An acknowledgement.
            _ => return,
        }
        self.send(command, &answer);
    }

    fn description(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.manner.names_types {
            bytes.push(if self.types_named == 0 { 0xfd } else { 0xfe });
            bytes.extend(self.bytes(7_u16.to_be_bytes()));
            self.types_named += 1;
        }
        if self.types_named < 2 {
            bytes.extend_from_slice(self.manner.description);
        }
        bytes
    }

    /// Two updates, of which the second has a new value and nothing else.
    fn update(&mut self, ioid: u32) {
        for (bits, number) in [(0x06_u8, 0_u16), (0x02, 1)] {
            let mut update = self.number(ioid).to_vec();
            update.extend_from_slice(&[0, 1, bits]);
            if self.manner.description == FRAME {
                update.extend_from_slice(b"\xfe");
                update.extend(self.number(PIXELS));
                (0..PIXELS).for_each(|at| {
                    update.extend(self.bytes(pixel(number, at).to_be_bytes()));
                });
            } else {
                update.extend(self.bytes((self.value + f64::from(number)).to_be_bytes()));
            }
            if bits & 4 != 0 {
                update.extend(self.bytes(1_i64.to_be_bytes()));
                update.extend(self.bytes(5_i32.to_be_bytes()));
            }
            update.push(0);
            self.send(CMD_MONITOR, &update);
        }
    }
}

const PIXELS: u32 = 100_003;

fn pixel(number: u16, at: u32) -> u16 {
    match at {
        0 => number,
        1 => 0,
        at => (at as u16).wrapping_mul(40_503),
    }
}

fn client<P: Pipeline>(address: SocketAddr, pvs: usize) -> Session<P> {
    client_within(address, pvs, 2.0)
}

fn client_within<P: Pipeline>(address: SocketAddr, pvs: usize, timeout_s: f64) -> Session<P> {
    let pvs = (0..pvs).map(|pv| format!("pv:{pv}")).collect();
    let job = Job { pvs, timeout_s, slowdown: None };
    let variable = |name: &str| (name == "EPICS_PVA_NAME_SERVERS").then(|| address.to_string());
    Session::open(&job, variable).unwrap()
}

fn monitor(content: Content) -> Monitor {
    Monitor {
        content,
        step: 1.0,
        room: 4,
        monitors: 1,
        callback_s: None,
        frames: 0,
        may_be_silent: false,
    }
}

/// Everything that a client does, against a server of that manner.
fn works<P: Pipeline>(manner: Manner) {
    let (address, played) = Played::start(manner);
    let mut client = client::<P>(address, 300);
    client.connect(Mode::Bulk).unwrap();
    let times = &mut PerPvTimes::new(Mode::Bulk, 3);
    let all: Vec<usize> = (0..300).collect();
    for _ in 0..2 {
        assert_eq!(client.get(Mode::Bulk, &all, times).unwrap(), [1.5; 300]);
    }
    client.put(Mode::Serial, &[7, 8], &[2.5, 3.5], times).unwrap();
    // Operations that are ready are used again.
    client.put(Mode::Bulk, &[8], &[4.5], times).unwrap();
    assert_eq!(client.get(Mode::Serial, &[299, 0], times).unwrap(), [4.5; 2]);
    client.subscribe(Mode::Bulk, &[3], monitor(Content::Scalars)).unwrap();
    let updates = client.collect(Duration::from_millis(50)).unwrap();
    let runs: Vec<_> = updates.runs.iter().map(|run| (run.pv, run.first, run.count)).collect();
    assert_eq!(runs, [(3, 4.5, 2)]);
    drop(client);
    played.join().unwrap();
}

#[test]
fn a_server_is_understood_in_both_byte_orders_and_with_types_by_name() {
    for is_big_endian in [false, true] {
        for names_types in [false, true] {
            works::<Plain>(Manner { is_big_endian, names_types, ..RIGHT });
        }
        works::<Pipelined>(Manner { is_big_endian, ..RIGHT });
        works::<Plain>(Manner { is_big_endian, answers_changes: true, ..RIGHT });
        works::<Plain>(Manner { is_big_endian, segment_bytes: 5, ..RIGHT });
    }
}

#[test]
fn frames_are_added_up_however_they_are_cut() {
    for (is_big_endian, segment_bytes) in [(false, usize::MAX), (true, 1 << 20), (false, 4097)] {
        let manner = Manner { is_big_endian, segment_bytes, description: FRAME, ..RIGHT };
        let (address, played) = Played::start(manner);
        let mut client = client::<Plain>(address, 1);
        client.connect(Mode::Bulk).unwrap();
        client.subscribe(Mode::Bulk, &[0], monitor(Content::Frames)).unwrap();
        let updates = client.collect(Duration::from_millis(100)).unwrap();
        let sum = |number| (0..PIXELS).map(|at| u64::from(pixel(number, at))).sum::<u64>();
        assert_eq!((updates.runs.len(), updates.runs[0].first, updates.runs[0].count), (1, 0.0, 2));
        assert_eq!(updates.runs[0].sums, [sum(0), sum(1)]);
        drop(client);
        played.join().unwrap();
    }
}

/// As when more connect at once than a server has room to accept.
#[test]
fn a_server_that_does_not_begin_is_connected_to_again() {
    works::<Plain>(Manner { is_silent_first: true, ..RIGHT });
}

/// What the client says of a server of that manner.
fn complaint(manner: Manner) -> String {
    let (address, played) = Played::start(manner);
    let mut client = client::<Plain>(address, 2);
    let times = &mut PerPvTimes::new(Mode::Bulk, 2);
    let done = client
        .connect(Mode::Bulk)
        .and_then(|()| client.get(Mode::Bulk, &[0, 1], times).map(drop))
        .and_then(|()| client.put(Mode::Bulk, &[0, 1], &[1.0, 2.0], times))
        .and_then(|()| client.subscribe(Mode::Bulk, &[0, 1], monitor(Content::Scalars)));
    drop(client);
    played.join().unwrap();
    done.unwrap_err().0
}

#[test]
fn what_a_server_does_wrong_is_reported() {
    let instead =
        |command, bytes: &'static [u8]| Manner { instead: Some((command, bytes)), ..RIGHT };
    let of_type = |description| Manner { description, ..RIGHT };
    for (manner, words) in [
        (
            of_type(b"\x80\0\x01\x05value\x60"),
            "2 of 2 PVs not read, first pv:0: the field `value` is no double",
        ),
        (of_type(b"\x80\0\x01\x05other\x43"), "not read, first pv:0: the PV has no field `value`"),
        (
            of_type(b"\x80\0\x01\x05value\x99"),
            "the type 0x99 is not known, in the description 80 00 01",
        ),
        (
            instead(CMD_GET, b"HTTP/1.1 400 Bad Request"),
            "no message of pvAccess begins with 48 54 54 50",
        ),
        // The status 9, in the answer to the first get.
        (
            instead(CMD_GET, b"\xca\x02\x40\x0a\x08\0\0\0\0\0\0\0\x08\x09\0\0"),
            "the status 9 is not known",
        ),
        (
            instead(CMD_GET, b"\xca\x02\x40\x0a\x04\0\0\0\0\0\0\0"),
            "the message ends before what it announces",
        ),
        // The flag says the other byte order, so that there seem to be 100 MB.
        (instead(CMD_PUT, b"\xca\x02\xc0\x0b\x06\0\0\0\0\0\0\0\0\xff"), "not written"),
        (
            instead(CMD_MONITOR, b"\xca\x02\x60\x0d\x01\0\0\0\0"),
            "a segment of a message 13 out of place",
        ),
        (
            instead(CMD_CREATE_CHANNEL, b""),
            "2 of 2 PVs not connected after 2 s, first pv:0: 2 found but without a channel",
        ),
        (
            instead(CMD_CONNECTION_VALIDATION, b""),
            "2 of 2 PVs not connected after 2 s, first pv:0: 2 not found",
        ),
        (
            instead(CMD_CONNECTION_VALIDATED, b"\xca\x02\x40\x09\x05\0\0\0\x02\x02no\0"),
            "it refuses this client: error: no",
        ),
    ] {
        let error = complaint(manner);
        assert!(error.contains(words), "{error}\n{words}");
    }
}

#[test]
fn what_cannot_be_written_is_reported_each_time() {
    let manner = Manner { description: b"\x80\0\x01\x05value\x60", ..RIGHT };
    let (address, played) = Played::start(manner);
    let mut client = client::<Plain>(address, 1);
    client.connect(Mode::Bulk).unwrap();
    let times = &mut PerPvTimes::new(Mode::Bulk, 1);
    for _ in 0..2 {
        let refused = client.put(Mode::Bulk, &[0], &[1.0], times).unwrap_err().0;
        assert_eq!(refused, "1 of 1 PV not written, first pv:0: the field `value` is no double");
    }
    drop(client);
    played.join().unwrap();
}

#[test]
fn segments_without_an_end_are_refused() {
    let mut assembly = Assembly::default();
    let header = |segment| Header {
        command: CMD_GET,
        is_control: false,
        is_big_endian: false,
        segment,
        size: 1 << 16,
    };
    let bytes = [0; 1 << 16];
    let first = Piece { header: header(pv_access::Segment::First), at: 0, bytes: &bytes };
    assert_eq!(assembly.add(&first), Ok(None));
    let next = Piece { header: header(pv_access::Segment::Middle), ..first };
    let refused = (0..100).map(|_| assembly.add(&next)).find(Result::is_err).unwrap();
    assert_eq!(refused.unwrap_err(), "a message 10 of more than 1048576 bytes");
}

/// Bytes that begin like messages of pvAccess and go on at random.
fn nearly_messages() -> impl Strategy<Value = Vec<u8>> {
    let command = prop_oneof![Just(CMD_GET), Just(CMD_MONITOR), Just(CMD_CREATE_CHANNEL), 0_u8..32];
    let flags = prop_oneof![8 => Just(0x40_u8), 1 => any::<u8>()];
    let payload = prop::collection::vec(prop_oneof![0_u8..9, any::<u8>()], 0..80);
    let message = (flags, command, payload).prop_map(|(flags, command, payload)| {
        let mut message = vec![MAGIC, 2, flags, command];
        let size = payload.len() as u32;
        message.extend(if flags & 0x80 == 0 { size.to_le_bytes() } else { size.to_be_bytes() });
        message.extend(payload);
        message
    });
    prop::collection::vec(message, 1..6).prop_map(|messages| messages.concat())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 40, failure_persistence: None, ..ProptestConfig::default()
    })]

    /// A server that says anything at all ends the stage, with or without an error.
    #[test]
    fn no_server_makes_the_client_panic(
        bytes in nearly_messages(),
        content in prop_oneof![Just(Content::Scalars), Just(Content::Frames)],
    ) {
        let description = if content == Content::Frames { FRAME } else { SCALAR };
        let bytes: &'static [u8] = bytes.leak();
        let manner = Manner { description, instead: Some((CMD_MONITOR, bytes)), ..RIGHT };
        let (address, played) = Played::start(manner);
        let mut client = client_within::<Plain>(address, 1, 0.02);
        if client.connect(Mode::Bulk).is_ok() {
            let _ = client.subscribe(Mode::Bulk, &[0], monitor(content));
        }
        drop(client);
        prop_assert!(played.join().is_ok());
    }
}
