//! The messages of `docs/server-protocol.md` as the server reads and writes them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What the harness asks.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "message", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Command {
    Serve(Serve),
    Tick,
    Scan { rate_hz: f64 },
    StopScan,
    Made,
    Value { pv: usize },
    Counters,
}

/// What is to be served.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Serve {
    pub(super) pvs: usize,
    pub(super) identity: String,
    pub(super) without: Option<usize>,
    /// Any rate can be updated at: nothing depends on it.
    #[serde(rename = "rate_hz")]
    _rate_hz: Option<f64>,
}

/// What the server answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "message", rename_all = "kebab-case")]
pub(super) enum FromServer {
    Hello {
        protocol: u32,
        server: &'static str,
        pid: u32,
        versions: BTreeMap<&'static str, &'static str>,
    },
    Ready {
        ports: BTreeMap<&'static str, u16>,
    },
    Done,
    Made {
        counts: Vec<u64>,
    },
    Value {
        value: f64,
    },
    Counters(Counters),
    Failed {
        error: String,
    },
}

impl FromServer {
    /// It serves Channel Access on this TCP port.
    pub(super) fn ready(port: u16) -> FromServer {
        FromServer::Ready { ports: BTreeMap::from([("ca", port)]) }
    }
}

/// What it counts of its own work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Counters {
    pub(super) subscriptions: u64,
    pub(super) merged_updates: u64,
    pub(super) scan_overruns: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_those_of_the_protocol() {
        let heard = |line: &str| serde_json::from_str::<Command>(line);
        let serve = heard(r#"{"message":"serve","pvs":2,"identity":"7-8","without":1}"#);
        assert!(matches!(serve, Ok(Command::Serve(Serve { pvs: 2, without: Some(1), .. }))));
        assert_eq!(heard(r#"{"message":"stop-scan"}"#).unwrap(), Command::StopScan);
        for wrong in [
            r#"{"message":"serve","pvs":2,"identity":"7-8","colour":"red"}"#,
            r#"{"message":"scan","rate_hz":1.0,"colour":"red"}"#,
            r#"{"message":"hurrah"}"#,
            r#"{"message":"value","pv":-1}"#,
        ] {
            assert!(heard(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn answers_are_spelled_as_documented() {
        let spelled = |message: &FromServer| serde_json::to_string(message).unwrap();
        assert_eq!(spelled(&FromServer::ready(5)), r#"{"message":"ready","ports":{"ca":5}}"#);
        assert_eq!(spelled(&FromServer::Done), r#"{"message":"done"}"#);
        let counters = Counters { subscriptions: 1, merged_updates: 2, scan_overruns: 3 };
        assert_eq!(
            spelled(&FromServer::Counters(counters)),
            r#"{"message":"counters","subscriptions":1,"merged_updates":2,"scan_overruns":3}"#
        );
    }
}
