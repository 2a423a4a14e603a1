//! Which side could not keep up.

use schemars::JsonSchema;
use serde::Serialize;

use crate::metric::mean_cpu_percent;
use crate::named::named;
use crate::record::{FailureKind, Monitored, Record};
use crate::scenario::{RATE_HELD_IN_SEARCH, is_answer};

/// A process that uses more of one core is limited by it: Python holds its interpreter lock, and
/// libraries have one thread for updates.
const ALL_OF_A_CORE_PERCENT: f64 = 90.0;

named! {
    /// Which side could not keep up, as far as counters and CPU use show.
    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    pub enum Bottleneck {
        /// The client used all of a core.
        ClientCpu = "the client's CPU",
        /// The server used all of a core.
        ServerCpu = "the server's CPU",
        /// The server did not make its updates in time.
        ServerScan = "the server's scan",
        /// A queue of the server was full: it replaced updates of a subscription, or lost requests,
        /// because a reader paused for longer than the queue holds.
        ServerQueue = "the server's queue",
        /// The library dropped or merged them, by its own counters.
        Library = "the library's own queue",
        /// They were still on their way at the end of the run.
        Late = "not in time",
        /// The client could not make its subscriptions, or did not answer any more.
        Client = "the client, which gave up",
        /// The client held so much memory that it was stopped.
        Memory = "the client's memory",
        /// Subscriptions that were made never brought an update.
        Silent = "subscriptions without any update",
        /// No counter shows it.
        Unknown = "unknown",
    }
}

/// The bottleneck; none if the server made every update and all arrived, or if the worker
/// failed for another reason.
pub(super) fn bottleneck(record: &Record) -> Option<Bottleneck> {
    if is_answer(record) {
        let kind = record.failure.as_ref().map(|failure| failure.kind);
        return Some(match kind {
            Some(FailureKind::TooMuchMemory) => Bottleneck::Memory,
            _ => Bottleneck::Client,
        });
    }
    let (monitored, load) = (record.monitored.as_deref()?, record.load?);
    if monitored.made_hz < RATE_HELD_IN_SEARCH * load.rate_hz {
        return Some(in_making(monitored));
    }
    (monitored.lost() > 0).then(|| in_delivering(monitored))
}

fn in_making(monitored: &Monitored) -> Bottleneck {
    match monitored {
        _ if uses_all_of_a_core(monitored, Side::Server) => Bottleneck::ServerCpu,
        _ if has_full_queue(monitored) => Bottleneck::ServerQueue,
        _ => Bottleneck::ServerScan,
    }
}

fn in_delivering(monitored: &Monitored) -> Bottleneck {
    let dropped = monitored.library_counters.values().any(|count| *count > 0);
    match monitored {
        _ if uses_all_of_a_core(monitored, Side::Client) => Bottleneck::ClientCpu,
        _ if uses_all_of_a_core(monitored, Side::Server) => Bottleneck::ServerCpu,
        // What nobody sent to them counts as merged too.
        _ if monitored.silent > 0 => Bottleneck::Silent,
        _ if has_full_queue(monitored) => Bottleneck::ServerQueue,
        _ if dropped => Bottleneck::Library,
        _ if monitored.late == monitored.lost() => Bottleneck::Late,
        _ => Bottleneck::Unknown,
    }
}

fn has_full_queue(monitored: &Monitored) -> bool {
    let counted = &monitored.server_counters;
    counted.merged() > 0
        || counted.callback_overflows.unwrap_or(0) > 0
        || !counted.overloads.is_empty()
}

enum Side {
    Client,
    Server,
}

fn uses_all_of_a_core(monitored: &Monitored, side: Side) -> bool {
    let usage = match side {
        Side::Client => &monitored.client,
        Side::Server => &monitored.server,
    };
    mean_cpu_percent(monitored, usage).is_some_and(|percent| percent >= ALL_OF_A_CORE_PERCENT)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Four seconds in which one of ten updates was lost, with this CPU use in % of a core
    /// and these counters of the server and the library.
    fn monitored(client: u64, server: u64, counted: Value, library: Value) -> Monitored {
        let usage = |percent: u64| {
            let sample = |at_s: u64| {
                json!({
                    "at_ns": at_s * 1_000_000_000,
                    "cpu_ns": at_s * percent * 10_000_000,
                    "rss_bytes": 1,
                })
            };
            json!({"samples": (0..=4).map(sample).collect::<Vec<_>>(), "peak_rss_bytes": 1})
        };
        serde_json::from_value(json!({
            "start_ns": 0, "end_ns": 4_000_000_000u64, "made_hz": 10.0, "expected": 10,
            "received": 9, "late": 0, "latencies": [], "server_counters": counted,
            "library_counters": library, "client": usage(client), "server": usage(server),
            "sampler_cpu_ns": 0,
        }))
        .unwrap()
    }

    fn full_queues() -> [Value; 3] {
        [
            json!({"merged_updates": 1}),
            json!({"callback_overflows": 1}),
            json!({"overloads": {"scan overrun": 1}}),
        ]
    }

    #[test]
    fn a_server_that_makes_too_few_updates_lacks_cpu_or_its_queue_is_full_or_it_scans_late() {
        let of = |server, counted| in_making(&monitored(100, server, counted, json!({})));
        assert_eq!(of(90, json!({"merged_updates": 1})), Bottleneck::ServerCpu);
        for counted in full_queues() {
            assert_eq!(of(89, counted), Bottleneck::ServerQueue);
        }
        let none = json!({"merged_updates": 0, "callback_overflows": 0});
        assert_eq!(of(89, none), Bottleneck::ServerScan);
    }

    #[test]
    fn lost_updates_are_the_clients_cpu_first_then_the_servers_its_queue_and_the_library() {
        let of = |client, server, counted, library| {
            in_delivering(&monitored(client, server, counted, library))
        };
        let dropped = || json!({"dropped": 1});
        assert_eq!(of(90, 90, json!({"merged_updates": 1}), dropped()), Bottleneck::ClientCpu);
        assert_eq!(of(89, 90, json!({"merged_updates": 1}), dropped()), Bottleneck::ServerCpu);
        for counted in full_queues() {
            assert_eq!(of(89, 89, counted, dropped()), Bottleneck::ServerQueue);
        }
        assert_eq!(of(89, 89, json!({}), dropped()), Bottleneck::Library);
        assert_eq!(of(89, 89, json!({}), json!({"dropped": 0})), Bottleneck::Unknown);
    }

    #[test]
    fn updates_that_all_came_too_late_were_not_lost_anywhere_else() {
        let with = |late| {
            let monitored = monitored(0, 0, json!({}), json!({}));
            in_delivering(&Monitored { late, ..monitored })
        };
        assert_eq!((with(1), with(0)), (Bottleneck::Late, Bottleneck::Unknown));
    }
}
