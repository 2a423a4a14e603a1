//! Lines of older formats, put into the present one.

use serde_json::Value;

use super::{Line, Record, Run, least_bytes};
use crate::lookup::Lookup;
use crate::protocol::Protocol;

/// From this format on each record says by which lookup its PVs were found, and those of
/// many IOCs were shuffled.
const SAYS_LOOKUP: u32 = 7;

/// From this format on records say the least bytes of updates over pvAccess too.
const SAYS_LEAST_BYTES: u32 = 8;

/// Reads a line of a file of this format; `run` is its first line, if that was read.
pub(super) fn line(text: &str, format: u32, run: Option<&Run>) -> serde_json::Result<Line> {
    let mut line: Line = match format >= SAYS_LOOKUP {
        true => serde_json::from_str(text)?,
        false => {
            let mut line: Value = serde_json::from_str(text)?;
            if line["line"] == "record" {
                say_lookup(&mut line, run);
            }
            serde_json::from_value(line)?
        }
    };
    if format < SAYS_LEAST_BYTES
        && let Line::Record(record) = &mut line
    {
        say_least_bytes(record, run);
    }
    Ok(line)
}

/// The least of updates over pvAccess follows from what is there.
fn say_least_bytes(record: &mut Record, run: Option<&Run>) {
    let protocol = protocol_of(&record.approach, run);
    let (Some(load), Some(Protocol::Pva)) = (record.load, protocol) else { return };
    let Some(monitored) = record.monitored.as_deref_mut() else { return };
    let counts = (monitored.received, monitored.repeated);
    if let Some(network) = &mut monitored.network {
        network.least_bytes = least_bytes(Protocol::Pva, &load, record.pvs, counts);
    }
}

fn protocol_of(approach: &str, run: Option<&Run>) -> Option<Protocol> {
    let own = run?.approaches.iter().find(|facts| facts.name == approach)?;
    Some(own.protocol)
}

/// Of many IOCs the lookup stood with their shape. One IOC was found by UDP over Channel
/// Access and by name server over pvAccess.
fn say_lookup(record: &mut Value, run: Option<&Run>) {
    let of_many_iocs = record.get_mut("fleet").and_then(Value::as_object_mut).and_then(|shape| {
        shape.insert("in_order".to_owned(), true.into());
        shape.remove("lookup")
    });
    record["lookup"] = match of_many_iocs {
        // A word of the enum of those formats, where it was in the plural.
        Some(lookup) if lookup == "name-servers" => Lookup::NameServer.option().into(),
        Some(lookup) => lookup,
        None => usual(record["approach"].as_str().unwrap_or_default(), run).option().into(),
    };
}

fn usual(approach: &str, run: Option<&Run>) -> Lookup {
    match protocol_of(approach, run) {
        Some(Protocol::Pva) => Lookup::NameServer,
        Some(Protocol::Ca) | None => Lookup::Udp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{RECORD_FORMAT, RunRecords};

    /// What is read of records of `libca` and `p4p` with these further fields, in a file of
    /// this format.
    fn read(format: u32, fields: &str) -> Vec<Record> {
        let facts = |name: &str, protocol: &str| {
            format!(
                r#"{{"name":"{name}","protocol":"{protocol}","floor":false,"simplicity":null,"simplicity_reason":""}}"#
            )
        };
        let record = |approach: &str| {
            format!(
                r#"{{"line":"record","scenario":"connect","server":"softioc","pvs":1,"mode":"bulk","block":0,"position":0,"approach":"{approach}"{fields}}}"#
            )
        };
        let text = format!(
            r#"{{"line":"run","format":{format},"version":"0","base":"0","compiler":"0","started_utc":"0","arguments":[],"seed":0,"blocks":1,"machine":{{"cores":1,"model":"","system":"","kernel":"","memory_bytes":0}},"approaches":[{},{}]}}
{}
{}
"#,
            facts("libca", "ca"),
            facts("p4p", "pva"),
            record("libca"),
            record("p4p"),
        );
        RunRecords::parse(&text).unwrap().records
    }

    fn lookups(format: u32, fields: &str) -> Vec<Lookup> {
        read(format, fields).iter().map(|record| record.lookup).collect()
    }

    #[test]
    fn older_records_were_found_by_udp_over_ca_and_by_name_server_over_pv_access() {
        for format in 4..SAYS_LOOKUP {
            assert_eq!(lookups(format, ""), [Lookup::Udp, Lookup::NameServer], "{format}");
        }
        assert_eq!(lookups(RECORD_FORMAT, ""), [Lookup::Udp; 2]);
        let field = r#","lookup":"name-server""#;
        assert_eq!(lookups(RECORD_FORMAT, field), [Lookup::NameServer; 2]);
    }

    #[test]
    fn the_lookup_of_many_iocs_stood_with_their_shape() {
        for (word, lookup) in [("udp", Lookup::Udp), ("name-servers", Lookup::NameServer)] {
            let shape = format!(r#","fleet":{{"lookup":"{word}","iocs":3}}"#);
            let records = read(6, &shape);
            assert_eq!(records[0].lookup, lookup);
            let shape = records[0].many_iocs.unwrap();
            assert_eq!((shape.iocs, shape.in_order), (3, true));
        }
    }
}
