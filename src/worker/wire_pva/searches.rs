//! Searches over pvAccess: in datagrams, and on the circuits of name servers.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};

use crate::pv_access::{
    CMD_SEARCH_RESPONSE, HEADER_BYTES, Header, Reader, Search, Segment, Trouble, decode_found,
};
use crate::worker::floor::{Datagrams, Names};

/// The most bytes in a datagram that Ethernet does not cut to pieces.
const ETHERNET_MAX_UDP: usize = 1500 - 20 - 8;

/// The datagrams.
#[derive(Debug, Clone, Copy)]
pub(in crate::worker) struct Searches {
    reply_to: SocketAddrV4,
}

/// Datagrams have the byte order of networks: no server has set another one yet.
const IS_BIG_ENDIAN: bool = true;

impl Searches {
    /// Answers come to this port of loopback.
    pub(super) fn new(reply_to: SocketAddrV4) -> Searches {
        Searches { reply_to }
    }
}

impl Datagrams for Searches {
    const BYTES: usize = ETHERNET_MAX_UDP;
    // An answer of so many, of 4 bytes each, fits a datagram.
    const SEARCHES: usize = (ETHERNET_MAX_UDP - 64) / 4;

    fn begin(&self, buffer: &mut Vec<u8>, sequence: u32) {
        Search::begin(buffer, IS_BIG_ENDIAN, sequence, Some(self.reply_to), false);
    }

    fn search_bytes(name_bytes: usize) -> usize {
        Search::bytes(name_bytes)
    }

    fn add(buffer: &mut Vec<u8>, cid: u32, name: &str) {
        Search::add(buffer, IS_BIG_ENDIAN, cid, name);
    }

    fn end(buffer: &mut Vec<u8>, searches: usize) {
        Search::of_datagram().end(buffer, IS_BIG_ENDIAN, searches as u16);
    }

    fn answers(datagram: &[u8], sender: Ipv4Addr, mut found: impl FnMut(u32, SocketAddrV4)) {
        let mut rest = datagram;
        while let Ok(Some(header)) = Header::decode(rest) {
            let end = HEADER_BYTES + header.payload_bytes();
            let Some(payload) = rest.get(HEADER_BYTES..end) else {
                return;
            };
            rest = &rest[end..];
            let is_answer = header.command == CMD_SEARCH_RESPONSE && !header.is_control;
            if !is_answer || header.segment != Segment::Whole {
                continue;
            }
            let mut reader = Reader::new(payload, header.is_big_endian);
            if let Ok(answer) = decode_found(&mut reader, sender) {
                answer.cids.iter().for_each(|cid| found(*cid, answer.server));
            }
        }
    }
}

/// What name servers were asked for and are to answer in any case.
#[derive(Debug, Default)]
pub(super) struct Asked {
    sequence: u32,
    /// By number of the search: its PVs. Each server gets a search of its own.
    awaited: HashMap<u32, Vec<u32>>,
}

impl Asked {
    /// Puts a search into a circuit's output.
    pub(super) fn search(
        &mut self,
        is_big_endian: bool,
        output: &mut Vec<u8>,
        pvs: &[u32],
        names: &Names,
        awaited: bool,
    ) {
        self.sequence = self.sequence.wrapping_add(1);
        let search = Search::begin(output, is_big_endian, self.sequence, None, awaited);
        for pv in pvs {
            Search::add(output, is_big_endian, *pv, names.get(*pv));
        }
        search.end(output, is_big_endian, pvs.len() as u16);
        if awaited {
            self.awaited.insert(self.sequence, pvs.to_vec());
        }
    }

    /// Takes an answer: the PVs that it finds, those that it denies, and the server.
    pub(super) fn answer(
        &mut self,
        reader: &mut Reader<'_>,
        sender: Ipv4Addr,
    ) -> Result<(Vec<u32>, Vec<u32>, SocketAddrV4), Trouble> {
        let answer = decode_found(reader, sender)?;
        let mut denied = self.awaited.remove(&answer.sequence).unwrap_or_default();
        denied.retain(|pv| !answer.cids.contains(pv));
        Ok((answer.cids, denied, answer.server))
    }
}
