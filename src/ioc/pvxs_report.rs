//! The report of pvxs' server, read from the answer to `pvxsr 5`; no I/O.
//!
//! Every line must have a known shape, else the whole answer is refused with the reason.
//! The shapes are those of `src/server.cpp` of pvxs 1.3 to 1.5.

use std::collections::BTreeMap;

/// The detail from which on channels are shown.
pub(super) const COMMAND: &str = "pvxsr 5";

/// What stands before the channels and operations of a client.
const CHANNEL_INDENT: &str = "        ";

/// What pvxs' server reports of its clients, all of them together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PvxsReport {
    /// How many channels clients have.
    pub(super) channels: usize,
    /// The bytes of messages that were sent for the channels of each PV.
    pub(super) sent_bytes: BTreeMap<String, u64>,
}

/// Reads the answer to [`COMMAND`].
pub(super) fn pvxs_report(answer: &str) -> Result<PvxsReport, String> {
    let mut lines = answer.lines().map(str::trim_end).filter(|line| !line.is_empty());
    for line in lines.by_ref() {
        if line.starts_with("State: Running ") {
            return of_clients(lines);
        }
        let is_known = ["EPICS_PVA", "Source: ", "    "].iter().any(|it| line.starts_with(it));
        if !is_known {
            return Err(format!("`{line}` is neither configuration nor a source of PVs"));
        }
    }
    Err("it shows no running server".to_owned())
}

fn of_clients<'a>(lines: impl Iterator<Item = &'a str>) -> Result<PvxsReport, String> {
    let mut report = PvxsReport::default();
    for line in lines {
        let mut rest = line;
        // No line ends after who a client says that it is.
        if !line.starts_with(' ') {
            let (who, more) = line.split_at(line.find("    ").unwrap_or(line.len()));
            if !who.contains('/') || !who.contains('@') {
                return Err(format!("`{line}` does not say who a client is"));
            }
            rest = more;
        }
        if rest.is_empty() || is_client(rest) {
            continue;
        }
        let own = rest.strip_prefix(CHANNEL_INDENT).unwrap_or_default();
        if let Some((name, bytes)) = channel(own) {
            report.channels += 1;
            *report.sent_bytes.entry(name.to_owned()).or_default() += bytes;
        } else if !is_operation(own) {
            return Err(format!("`{line}` is neither client, channel nor operation"));
        }
    }
    Ok(report)
}

/// A line such as `    Peer127.0.0.1:37802 backlog=0 TX=2380 RX=224 auth=ca`.
fn is_client(line: &str) -> bool {
    let parts = [" backlog=", " TX=", " RX=", " auth="];
    line.starts_with("    Peer") && parts.iter().all(|part| line.contains(part))
}

/// A line such as `gauge:0 TX=1534 RX=92         Executing ioid=268443648 MONITOR`.
fn channel(line: &str) -> Option<(&str, u64)> {
    let (name, rest) = line.split_once(" TX=")?;
    let (sent, rest) = rest.split_once(" RX=")?;
    let (received, what) = rest.split_once(' ')?;
    received.parse::<u64>().ok()?;
    let is_without_operations =
        ["CREATING ", "DESTROY ", "IDLE "].iter().any(|state| what.starts_with(state));
    let is_known = is_without_operations || is_operation(what.trim_start());
    Some((name, sent.parse().ok()?)).filter(|_| is_known)
}

/// A line such as `Executing ioid=268443649 MONITOR`.
fn is_operation(line: &str) -> bool {
    let states = ["Creating", "Idle", "Executing", "Dead", "NULL"];
    line.split_once(" ioid=").is_some_and(|(state, _)| states.contains(&state))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "\
EPICS_PVAS_AUTO_BEACON_ADDR_LIST=NO
EPICS_PVAS_SERVER_PORT=31075
Source: __builtin prio=-1 StaticProvider
Source: qsrvSingle prio=0 IOC
    gauge:0
    gauge:1
Source: qsrvGroup prio=1 IOC
State: Running TCP_Port: 31075 evmethod: epoll
";

    /// As pvxs 1.5.3 printed it for p4p with two monitors on the first PV, beside a client
    /// without channels.
    const CLIENTS: &str = "    Peer127.0.0.1:37802 backlog=0 TX=2380 RX=224 auth=ca
ca/root@127.0.0.1:37802        gauge:0 TX=1534 RX=92         Executing ioid=268443648 MONITOR
        Executing ioid=268443649 MONITOR
        gauge:1 TX=767 RX=46 IDLE     sid=2 cid=3
    Peer127.0.0.1:37900 backlog=0 TX=30 RX=90 auth=anonymous
anonymous/@127.0.0.1:37900    Peer127.0.0.1:37901 backlog=0 TX=30 RX=90 auth=ca
ca/root@127.0.0.1:37901        gauge:1 TX=10 RX=46 CREATING sid=2 cid=3
";

    #[test]
    fn bytes_are_those_of_all_channels_to_a_pv() {
        let report = pvxs_report(&format!("{HEAD}{CLIENTS}")).unwrap();
        let sent = [("gauge:0", 1534), ("gauge:1", 777)];
        assert_eq!(report.sent_bytes, sent.map(|(pv, bytes)| (pv.to_owned(), bytes)).into());
        assert_eq!(report.channels, 3);
        assert_eq!(pvxs_report(HEAD), Ok(PvxsReport::default()));
        let alone = format!("{HEAD}    Peer1 backlog=0 TX=1 RX=1 auth=ca\nca/root@127.0.0.1:1");
        assert_eq!(pvxs_report(&alone), Ok(PvxsReport::default()));
    }

    #[track_caller]
    fn refused(answer: &str, word: &str) {
        let reason = pvxs_report(answer).unwrap_err();
        assert!(reason.contains(word), "{reason}");
    }

    #[test]
    fn a_report_in_other_words_is_refused() {
        refused("", "no running server");
        refused("NULL\n", "`NULL` is neither");
        refused(&HEAD.replace("Running", "Stopped"), "`State: Stopped");
        refused(&format!("{HEAD}two clients\n"), "does not say who");
        let changed = |from: &str, to: &str| format!("{HEAD}{}", CLIENTS.replace(from, to));
        refused(&changed("TX=1534", "TX=many"), "TX=many");
        refused(&changed("Executing ioid=268443649", "Waiting ioid=268443649"), "Waiting");
        refused(&changed("IDLE     sid", "GONE sid"), "GONE");
        refused(
            &changed("    Peer127.0.0.1:37900 backlog", "    Peer127.0.0.1:37900 queue"),
            "37900",
        );
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig {
            failure_persistence: None, ..proptest::prelude::ProptestConfig::default()
        })]

        #[test]
        fn no_answer_makes_the_parser_panic(
            answer in "(?s)([A-Za-z0-9 :=/@\n-]|    | TX=| RX=| ioid=|State: Running |Peer){0,60}",
        ) {
            let _ = pvxs_report(&answer);
            let _ = pvxs_report(&format!("State: Running x\n{answer}"));
        }
    }
}
