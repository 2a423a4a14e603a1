//! What harness and server say to one another, one JSON object per line;
//! described in `docs/server-protocol.md`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::protocol::Protocol;

/// The version of the protocol that this harness speaks.
pub(super) const PROTOCOL_VERSION: u32 = 1;

/// What the harness asks.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "message", rename_all = "kebab-case")]
pub(super) enum ToServer {
    /// Make the PVs and serve them.
    Serve(Serve),
    /// Update every PV once.
    Tick,
    /// Update every PV by rate from now on.
    Scan { rate_hz: f64 },
    /// End that.
    StopScan,
    /// Report how often each PV was updated.
    Made,
    /// Report the value that a PV holds.
    Value { pv: usize },
    /// Report what you count of your own work.
    Counters,
    /// Run a command of the IOC's shell.
    Shell { command: String },
}

/// What is to be served.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Serve {
    /// How many PVs `gauge:0`, `gauge:1`, …
    pub(super) pvs: usize,
    /// A PV `epics-gauge:IDENTITY` is to be there too: no other server has it.
    pub(super) identity: String,
    /// The PV that is to be left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) without: Option<usize>,
    /// The rate at which updates will be asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rate_hz: Option<f64>,
    /// The text of a database: these records are to be there too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) records: Option<String>,
    /// The file with the rules of access security for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) access_rules: Option<PathBuf>,
}

/// What the server answers.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "message", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum FromServer {
    Hello(Hello),
    Ready(Ready),
    Done(Nothing),
    Made(Made),
    Value(Value),
    Counters(Counters),
    Printed(Printed),
    Failed(Failed),
}

impl FromServer {
    /// The word in the message.
    pub(super) fn name(&self) -> &'static str {
        match self {
            FromServer::Hello(_) => "hello",
            FromServer::Ready(_) => "ready",
            FromServer::Done(_) => "done",
            FromServer::Made(_) => "made",
            FromServer::Value(_) => "value",
            FromServer::Counters(_) => "counters",
            FromServer::Printed(_) => "printed",
            FromServer::Failed(_) => "failed",
        }
    }
}

/// Who the server is; the first message, when its library is loaded.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hello {
    pub(super) protocol: u32,
    /// Its name in the catalogue.
    pub(super) server: String,
    /// The process that serves.
    pub(super) pid: u32,
    /// Of the library, and of what is below it.
    pub(super) versions: BTreeMap<String, String>,
    /// The rates at which it can update; any rate when absent.
    pub(super) rates_hz: Option<Vec<f64>>,
}

/// It serves, on these TCP ports.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ready {
    pub(super) ports: BTreeMap<Protocol, u16>,
}

/// An answer that only confirms that something is done.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// How often each PV was updated since the start, by its index.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Made {
    pub(super) counts: Vec<u64>,
}

/// What a PV holds.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Value {
    pub(super) value: f64,
}

/// What it counts of its own work; absent where it does not count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Counters {
    pub(super) subscriptions: Option<u64>,
    pub(super) merged_updates: Option<u64>,
    pub(super) scan_overruns: Option<u64>,
    pub(super) callback_overflows: Option<u64>,
}

/// What a command of the shell printed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Printed {
    pub(super) text: String,
}

/// A command that it could not do; it stays.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Failed {
    pub(super) error: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_spelled_as_documented() {
        let spelled = |command: &ToServer| serde_json::to_string(command).unwrap();
        let serve = Serve {
            pvs: 2,
            identity: "7-8".to_owned(),
            without: Some(1),
            rate_hz: None,
            records: None,
            access_rules: None,
        };
        assert_eq!(
            spelled(&ToServer::Serve(serve)),
            r#"{"message":"serve","pvs":2,"identity":"7-8","without":1}"#
        );
        let shell = ToServer::Shell { command: "dbgf x".to_owned() };
        assert_eq!(spelled(&shell), r#"{"message":"shell","command":"dbgf x"}"#);
        assert_eq!(spelled(&ToServer::StopScan), r#"{"message":"stop-scan"}"#);
        assert_eq!(
            spelled(&ToServer::Scan { rate_hz: 0.5 }),
            r#"{"message":"scan","rate_hz":0.5}"#
        );
    }

    #[test]
    fn unknown_messages_and_fields_are_errors() {
        let heard = |line: &str| serde_json::from_str::<FromServer>(line);
        assert!(heard(r#"{"message":"done"}"#).is_ok());
        assert!(heard(r#"{"message":"counters"}"#).is_ok());
        for wrong in [
            r#"{"message":"done","colour":"red"}"#,
            r#"{"message":"hurrah"}"#,
            r#"{"message":"made","counts":[-1]}"#,
            r#"{"message":"ready","ports":{"ftp":21}}"#,
            r#"{"message":"counters","lost":1}"#,
        ] {
            assert!(heard(wrong).is_err(), "{wrong}");
        }
    }
}
