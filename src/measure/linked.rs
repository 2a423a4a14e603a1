//! Workers whose server is at the other end of a link.

use crate::ioc::Server;
use crate::process::Command;
use crate::process::link::PacketCounts;
use crate::record::{LinkUse, PacketsSeen, Record, SearchesSeen};
use crate::worker_protocol::Stage;

/// The command of a worker, run on the clients' side of the server's link if it has one.
pub(super) fn across(ioc: &dyn Server, command: Command) -> Command {
    match ioc.link() {
        Some(link) => link.command(command),
        None => command,
    }
}

/// Forgets what the link carried before a worker is started.
pub(super) fn begin(ioc: &dyn Server) {
    if let Some(link) = ioc.link() {
        // A link that has ended is seen by the worker.
        let _ = link.take_counts();
    }
}

/// Records what the link carried since. `origin_ns` is the start of the worker's import on
/// the machine's clock.
pub(super) fn note(ioc: &dyn Server, record: &mut Record, origin_ns: u64) {
    let Some(link) = ioc.link() else { return };
    let Ok(counts) = link.take_counts() else { return };
    let connects = |stage: Stage| matches!(stage, Stage::Create | Stage::Connect);
    let first = record.samples.iter().find(|sample| connects(sample.stage));
    let start_ns = origin_ns + first.map_or(0, |sample| sample.start_ns);
    let times = counts.searches.values().map(Vec::as_slice);
    record.link = Some(Box::new(LinkUse {
        conditions: link.conditions(),
        kind: link.kind(),
        to_server: seen(counts.to_server),
        to_client: seen(counts.to_client),
        searches: SearchesSeen::of(times, counts.search_datagrams, start_ns),
    }));
}

fn seen(counts: PacketCounts) -> PacketsSeen {
    let PacketCounts { packets, bytes, lost, overflowed, cut } = counts;
    PacketsSeen { packets, bytes, lost, overflowed, cut }
}
