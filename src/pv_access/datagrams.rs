//! What a third party reads in datagrams, and changes in them: searches, and the addresses
//! that they and their answers carry.

use std::net::Ipv4Addr;

use super::bytes::{Reader, Trouble};
use super::{CMD_BEACON, CMD_SEARCH, CMD_SEARCH_RESPONSE, HEADER_BYTES, Header};

/// How many PVs a datagram asks for; none where it holds no search.
pub(crate) fn searches_in(datagram: &[u8]) -> u64 {
    let mut searches = 0;
    for_each_message(datagram, |header, start, payload| {
        if header.command == CMD_SEARCH && !header.is_control {
            let payload = &datagram[start..start + payload];
            let count = count_of_search(&mut Reader::new(payload, header.is_big_endian));
            searches += u64::from(count.unwrap_or(0));
        }
    });
    searches
}

/// The names that the searches of a datagram ask for.
pub(crate) fn searched_names(datagram: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    for_each_message(datagram, |header, start, payload| {
        if header.command == CMD_SEARCH && !header.is_control {
            let mut reader = Reader::new(&datagram[start..start + payload], header.is_big_endian);
            let count = count_of_search(&mut reader).unwrap_or(0);
            for _ in 0..count {
                let name = reader.u32().and_then(|_| reader.text());
                names.extend(name);
            }
        }
    });
    names
}

/// Where a search, an answer to one, or a beacon names the one who answers.
const ADDRESS_OF_SEARCH: usize = 4 + 4;
const ADDRESS_OF_ANSWER: usize = 12 + 4;
const ADDRESS_OF_BEACON: usize = 12 + 4;
const ADDRESS_BYTES: usize = 16;

/// Has the answers to the searches of a datagram go to `to`: those that were to go to `from`,
/// or all when there is none. Returns whether any was changed.
pub(crate) fn replace_reply_address(
    datagram: &mut [u8],
    from: Option<Ipv4Addr>,
    to: (Ipv4Addr, Option<u16>),
) -> bool {
    replace_addresses(datagram, &[(CMD_SEARCH, ADDRESS_OF_SEARCH)], from, to)
}

/// Has answers to searches, and beacons, that name a server at `from` name one at `to`.
/// Returns whether any did.
pub(crate) fn replace_server_address(datagram: &mut [u8], from: Ipv4Addr, to: Ipv4Addr) -> bool {
    let fields = [(CMD_SEARCH_RESPONSE, ADDRESS_OF_ANSWER), (CMD_BEACON, ADDRESS_OF_BEACON)];
    replace_addresses(datagram, &fields, Some(from), (to, None))
}

fn replace_addresses(
    datagram: &mut [u8],
    fields: &[(u8, usize)],
    from: Option<Ipv4Addr>,
    (to, port): (Ipv4Addr, Option<u16>),
) -> bool {
    let mut places = Vec::new();
    for_each_message(datagram, |header, start, payload| {
        let field = fields.iter().find(|(command, _)| *command == header.command);
        if let Some((_, at)) = field.filter(|(_, at)| !header.is_control && at + 18 <= payload) {
            places.push((start + at, header.is_big_endian));
        }
    });
    let mut is_changed = false;
    for (at, is_big_endian) in places {
        let address = &mut datagram[at..at + ADDRESS_BYTES];
        if from.is_some_and(|from| *address != from.to_ipv6_mapped().octets()) {
            continue;
        }
        address.copy_from_slice(&to.to_ipv6_mapped().octets());
        if let Some(port) = port {
            let port = if is_big_endian { port.to_be_bytes() } else { port.to_le_bytes() };
            datagram[at + ADDRESS_BYTES..at + ADDRESS_BYTES + 2].copy_from_slice(&port);
        }
        is_changed = true;
    }
    is_changed
}

/// Gives each whole message of a datagram: its header, and where its payload is.
fn for_each_message(datagram: &[u8], mut give: impl FnMut(Header, usize, usize)) {
    let mut start = 0;
    while let Ok(Some(header)) = Header::decode(&datagram[start..]) {
        let payload = header.payload_bytes();
        start += HEADER_BYTES;
        if datagram.len() - start < payload {
            break;
        }
        give(header, start, payload);
        start += payload;
    }
}

fn count_of_search(reader: &mut Reader<'_>) -> Result<u16, Trouble> {
    const SEQUENCE_FLAGS_AND_ADDRESS: usize = 4 + 4 + 16 + 2;
    reader.take(SEQUENCE_FLAGS_AND_ADDRESS)?;
    for _ in 0..reader.size()? {
        reader.text()?;
    }
    reader.u16()
}

#[cfg(test)]
mod tests {
    use super::super::{Search, control, decode_found, message};
    use super::*;

    const FAR: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

    fn search(is_big_endian: bool) -> Vec<u8> {
        let mut output = Vec::new();
        let search = Search::begin(
            &mut output,
            is_big_endian,
            5,
            Some("127.0.0.1:4000".parse().unwrap()),
            false,
        );
        for (cid, name) in [(7, "a"), (8, "bc")] {
            Search::add(&mut output, is_big_endian, cid, name);
        }
        search.end(&mut output, is_big_endian, 2);
        output
    }

    #[test]
    fn searches_are_counted_and_their_names_read() {
        let one = search(true);
        assert_eq!(searches_in(&one), 2);
        assert_eq!(searches_in(&one.repeat(3)), 6);
        assert_eq!(searched_names(&[search(false), one.clone()].concat()), ["a", "bc", "a", "bc"]);
        assert_eq!(searched_names(&one[..one.len() - 1]), [""; 0]);
    }

    #[test]
    fn answers_go_where_the_link_has_them_go() {
        for is_big_endian in [false, true] {
            let mut asked = search(is_big_endian);
            assert!(!replace_reply_address(&mut asked, Some(FAR), (FAR, None)));
            assert_eq!(asked, search(is_big_endian));
            assert!(replace_reply_address(&mut asked, Some(Ipv4Addr::LOCALHOST), (FAR, None)));
            assert!(replace_reply_address(&mut asked, None, (FAR, Some(0x1234))));
            let mut reader = Reader::new(&asked[HEADER_BYTES + 8..], is_big_endian);
            assert_eq!(reader.take(16).unwrap(), FAR.to_ipv6_mapped().octets());
            assert_eq!(reader.u16(), Ok(0x1234));
            assert_eq!(searched_names(&asked), ["a", "bc"]);
        }
    }

    #[test]
    fn a_server_on_the_other_side_is_named_as_the_link_has_it() {
        let mut answer = Vec::new();
        message(&mut answer, false, CMD_SEARCH_RESPONSE, |writer| {
            writer.bytes(&[9; 12]);
            writer.u32(5);
            writer.bytes(&Ipv4Addr::LOCALHOST.to_ipv6_mapped().octets());
            writer.u16(5075);
            writer.text("tcp");
            writer.u8(1);
            writer.u16(0);
        });
        assert!(replace_server_address(&mut answer, Ipv4Addr::LOCALHOST, FAR));
        assert!(!replace_server_address(&mut answer, Ipv4Addr::LOCALHOST, FAR));
        let found = decode_found(&mut Reader::new(&answer[HEADER_BYTES..], false), FAR).unwrap();
        assert_eq!(found.server.to_string(), "127.0.0.2:5075");
    }

    #[test]
    fn control_messages_and_halves_are_left_alone() {
        let mut output = Vec::new();
        control(&mut output, false, CMD_SEARCH_RESPONSE, 1 << 20);
        output.extend_from_slice(&search(false)[..20]);
        let before = output.clone();
        assert!(!replace_server_address(&mut output, Ipv4Addr::LOCALHOST, FAR));
        assert!(!replace_reply_address(&mut output, None, (FAR, None)));
        assert_eq!(output, before);
    }
}
