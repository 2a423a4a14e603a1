//! The bytes that a protocol requires a client to send, and a count of those that it sent.

use serde::Serialize;

use crate::channel_access as ca;
use crate::protocol::Protocol;
use crate::pv_access as pva;
use crate::scenario::least_update_bytes;
use crate::worker_protocol::Stage;

/// A count of messages and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Messages of the protocol.
    pub messages: u64,
    /// Their bytes, headers included, without those of TCP and IP.
    pub bytes: u64,
}

impl Traffic {
    fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
    }
}

/// The messages in `bytes`; an incomplete one counts as one that reaches to the end.
pub(super) fn traffic(protocol: Protocol, bytes: &[u8]) -> Traffic {
    let mut traffic = Traffic::default();
    let mut rest = bytes;
    while !rest.is_empty() {
        let length = match protocol {
            Protocol::Ca => ca::decode_header(rest)
                .map_or(rest.len(), |(header, start)| start + header.payload_bytes as usize),
            Protocol::Pva => match pva::Header::decode(rest) {
                Ok(Some(header)) => pva::HEADER_BYTES + header.payload_bytes(),
                _ => rest.len(),
            },
        };
        let length = length.clamp(1, rest.len());
        traffic.add(length);
        rest = &rest[length..];
    }
    traffic
}

/// What a client must send in a stage over all PVs of these names at once, to a server that is
/// its own name server. It leaves out the greeting, whose length depends on the names of user
/// and host.
pub(super) fn required(
    protocol: Protocol,
    stage: Stage,
    names: impl Iterator<Item = String>,
) -> Traffic {
    let mut traffic = Traffic::default();
    match protocol {
        Protocol::Ca => names.for_each(|name| of_channel_access(&mut traffic, stage, &name)),
        Protocol::Pva => of_pv_access(&mut traffic, stage, names),
    }
    traffic
}

/// What a server must send for one update of each PV: a message with value and time stamp. None
/// in stages without updates.
pub(super) fn to_receive(protocol: Protocol, stage: Stage, pvs: usize) -> Option<Traffic> {
    let messages = pvs as u64;
    let bytes = messages * least_update_bytes(protocol, None);
    (stage == Stage::Collect).then_some(Traffic { messages, bytes })
}

/// A search and a request for a channel contain the name and its terminator, padded. A
/// subscription contains limits that no server uses, and the requested events.
fn of_channel_access(traffic: &mut Traffic, stage: Stage, name: &str) {
    let named = ca::search_bytes(name.len());
    match stage {
        Stage::Connect => [named, named].into_iter().for_each(|bytes| traffic.add(bytes)),
        Stage::Subscribe => traffic.add(ca::HEADER_BYTES + EVENT_MASK_BYTES),
        Stage::Collect => {}
        _ => traffic.add(ca::HEADER_BYTES),
    }
}

/// Three floating-point limits of four bytes, the events, and padding.
const EVENT_MASK_BYTES: usize = 16;

/// One search may hold all PVs; a channel takes one message, the first get and a monitor take
/// two.
fn of_pv_access(traffic: &mut Traffic, stage: Stage, names: impl Iterator<Item = String>) {
    const NUMBERS: usize = 4 + 4 + 1;
    const COUNT_AND_CID: usize = 2 + 4;
    let get = pva::HEADER_BYTES + NUMBERS;
    let mut searched = 0;
    for name in names {
        let named = pva::Search::bytes(name.len());
        match stage {
            Stage::Connect => {
                searched += named;
                traffic.add(pva::HEADER_BYTES + COUNT_AND_CID + named - size_of::<u32>());
            }
            Stage::Get => {
                traffic.add(get + pva::PV_REQUEST_VALUE.len());
                traffic.add(get);
            }
            Stage::Subscribe => {
                traffic.add(get + pva::PV_REQUEST_TIMED.len());
                traffic.add(get);
            }
            Stage::Collect => {}
            _ => traffic.add(get),
        }
    }
    if stage == Stage::Connect {
        let mut search = Vec::new();
        pva::Search::begin(&mut search, false, 0, None, false);
        traffic.add(search.len() + searched);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> impl Iterator<Item = String> {
        ["gauge:0", "gauge:10"].map(str::to_owned).into_iter()
    }

    #[test]
    fn what_is_required_is_what_messages_of_that_length_count() {
        let mut sent = Vec::new();
        for (cid, name) in (0..).zip(names()) {
            ca::encode_search(&mut sent, cid, &name);
            ca::encode_create_channel(&mut sent, cid, &name);
        }
        let required_of = |protocol, stage| required(protocol, stage, names());
        assert_eq!(traffic(Protocol::Ca, &sent), required_of(Protocol::Ca, Stage::Connect));

        let mut sent = Vec::new();
        let search = pva::Search::begin(&mut sent, false, 1, None, false);
        (0..).zip(names()).for_each(|(cid, name)| pva::Search::add(&mut sent, false, cid, &name));
        search.end(&mut sent, false, 2);
        for (cid, name) in (0..).zip(names()) {
            pva::encode_create_channel(&mut sent, false, cid, &name);
        }
        assert_eq!(traffic(Protocol::Pva, &sent), required_of(Protocol::Pva, Stage::Connect));

        let mut first = Vec::new();
        for ioid in 0..2 {
            let request = pva::PV_REQUEST_VALUE;
            pva::encode_operation_init(&mut first, false, pva::CMD_GET, (1, ioid), request, None);
            pva::encode_operation(&mut first, false, pva::CMD_GET, (1, ioid), 0);
        }
        assert_eq!(traffic(Protocol::Pva, &first), required_of(Protocol::Pva, Stage::Get));
        assert_eq!(required_of(Protocol::Ca, Stage::Get), Traffic { messages: 2, bytes: 32 });
        assert_eq!(required_of(Protocol::Pva, Stage::GetAgain), Traffic { messages: 2, bytes: 34 });
    }

    #[test]
    fn what_is_no_message_is_counted_as_one() {
        assert_eq!(traffic(Protocol::Pva, b"nonsense!"), Traffic { messages: 1, bytes: 9 });
        assert_eq!(traffic(Protocol::Ca, b""), Traffic::default());
    }
}
