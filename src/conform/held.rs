//! Which checks a server can hold: by its manifest and the database of the checks.

use std::collections::{BTreeMap, BTreeSet};

use super::check::Check;
use crate::ioc::Holds;
use crate::protocol::Protocol;

/// The records of a database, by name.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Records(BTreeMap<String, Record>);

/// What a record consists of.
#[derive(Debug, PartialEq)]
struct Record {
    kind: String,
    /// Its fields; `alias`, `info` and `bytes`, texts that are not UTF-8, are three more.
    parts: BTreeSet<String>,
}

impl Records {
    /// Those of a text that EPICS Base loads.
    pub(super) fn of(text: &str) -> Records {
        let mut records = BTreeMap::new();
        let text = without_comments(text);
        for part in text.split("record(").skip(1) {
            let Some((kind, rest)) = part.split_once(',') else { continue };
            let Some(name) = rest.split('"').nth(1) else { continue };
            let mut parts = parts_of(rest);
            if !is_utf8(rest) {
                parts.insert("bytes".to_owned());
            }
            records.insert(name.to_owned(), Record { kind: kind.trim().to_owned(), parts });
        }
        Records(records)
    }

    /// The record that a channel's name begins with, and what follows.
    fn find<'n>(&self, channel: &'n str) -> Option<(&Record, &'n str)> {
        let end = channel.find('.').unwrap_or(channel.len());
        let (name, rest) = channel.split_at(end);
        self.0.get(name).map(|record| (record, rest))
    }
}

fn without_comments(text: &str) -> String {
    let is_code = |line: &&str| !line.trim_start().starts_with('#');
    text.lines().filter(is_code).collect::<Vec<_>>().join("\n")
}

/// Names of fields, and of what else a record has.
fn parts_of(body: &str) -> BTreeSet<String> {
    let mut parts = BTreeSet::new();
    let mut is_quoted = false;
    let mut is_escaped = false;
    for (at, letter) in body.char_indices() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            'f' if body[at..].starts_with("field(") => {
                let name = body[at + "field(".len()..].split(',').next().unwrap_or_default();
                parts.insert(name.trim().trim_matches('"').to_owned());
            }
            'a' if body[at..].starts_with("alias(") => drop(parts.insert("alias".to_owned())),
            'i' if body[at..].starts_with("info(") => drop(parts.insert("info".to_owned())),
            _ => {}
        }
    }
    parts
}

/// Whether the texts are UTF-8 when their escapes are bytes.
fn is_utf8(body: &str) -> bool {
    let mut parts = body.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2).unwrap_or_default();
        bytes.extend(u8::from_str_radix(digits, 16).ok());
        bytes.extend_from_slice(part.get(2..).unwrap_or_default().as_bytes());
    }
    std::str::from_utf8(&bytes).is_ok()
}

/// Why a server cannot hold a check; none when it can.
pub(super) fn why_not_held(
    check: &Check,
    protocol: Protocol,
    records: &Records,
    holds: &Holds,
) -> Option<String> {
    if holds.database {
        return None;
    }
    let of_permitted = || why_not_held(&check.permitted()?, protocol, records, holds);
    of_commands(check, records, holds)
        .or_else(|| of_channel(&check.pv, check.absent, records, holds))
        .or_else(|| check.stored.keys().find_map(|one| of_channel(one, false, records, holds)))
        .or_else(|| of_answers(check, protocol, holds))
        .or_else(of_permitted)
}

fn of_commands(check: &Check, records: &Records, holds: &Holds) -> Option<String> {
    let is_read = (!check.stored.is_empty()).then_some("dbgf");
    let commands = check.before.iter().chain(&check.during);
    let mut words = commands.map(|command| {
        let mut words = command.split_whitespace();
        (words.next().unwrap_or_default(), words.next())
    });
    let used = words.clone().map(|(command, _)| command).chain(is_read);
    for command in used {
        if !holds.commands.iter().any(|one| one == command) {
            return Some(format!("its shell has no {command}"));
        }
    }
    words.find_map(|(_, channel)| of_channel(channel?, false, records, holds))
}

fn of_channel(channel: &str, is_absent: bool, records: &Records, holds: &Holds) -> Option<String> {
    let Some((record, rest)) = records.find(channel) else {
        return (!is_absent).then(|| format!("no record of the checks has the name {channel}"));
    };
    if !matches!(rest, "" | ".VAL") {
        return Some(format!("it has no fields and no filters, so no {channel}"));
    }
    if !holds.record_types.contains(&record.kind) {
        return Some(format!("it has no {} records", record.kind));
    }
    let ignored = |part: &&String| !holds.fields.contains(part);
    let part = record.parts.iter().find(ignored)?;
    Some(format!("it does not follow {part} of a record"))
}

fn of_answers(check: &Check, protocol: Protocol, holds: &Holds) -> Option<String> {
    let expected = check.expected(protocol);
    let updates = check.expected_updates(protocol);
    let mut names = expected.keys().chain(updates.iter().flat_map(BTreeMap::keys));
    let name = names.find(|name| !holds.answers.contains(name))?;
    Some(format!("it does not send {name} of its records"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conform::Checks;

    const DATABASE: &str = r#"
record(ao, "a") { field(VAL, "field(X, {") field(PINI, "YES") alias("b") }
# record(ai, "none") { }
record(waveform, "w") { field(FTVL, "LONG")
  info(Q:group, {"g": {"x": {+channel: "VAL"}}}) }
"#;

    #[test]
    fn records_are_read_with_their_parts() {
        let records = Records::of(DATABASE);
        assert_eq!(records.0.keys().collect::<Vec<_>>(), ["a", "w"]);
        let parts = |name: &str| records.0[name].parts.iter().cloned().collect::<Vec<_>>();
        assert_eq!(parts("a"), ["PINI", "VAL", "alias"]);
        assert_eq!(parts("w"), ["FTVL", "info"]);
        let texts = r#"record(ao, "x") { field(EGU, "\xb0C") } record(ao, "y") { field(EGU, "\xc2\xb0C") }"#;
        let records = Records::of(texts);
        assert!(records.0["x"].parts.contains("bytes") && !records.0["y"].parts.contains("bytes"));
    }

    #[test]
    fn a_server_holds_what_its_manifest_has() {
        let texts = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
        let holds = Holds {
            record_types: texts(&["ao"]),
            fields: texts(&["VAL", "PINI", "EGU"]),
            answers: texts(&["value"]),
            commands: texts(&["dbpf"]),
            ..Holds::default()
        };
        let checks = Checks::built_in().unwrap();
        let records = Records::of(&checks.records);
        let why = |id: &str| {
            let check = checks.all.iter().find(|check| check.id == id).unwrap();
            why_not_held(check, Protocol::Ca, &records, &holds).unwrap_or_default()
        };
        assert_eq!(why("scalars.double"), "");
        assert_eq!(why("monitors.order"), "");
        for (id, reason) in [
            ("scalars.long", "it has no longout records"),
            ("limits.units", "it does not follow DRVH of a record"),
            ("strings.latin1-units", "it does not follow bytes of a record"),
            ("names.egu-field", "it has no fields and no filters, so no na:real.EGU"),
            ("puts.double", "its shell has no dbgf"),
            ("times.never-processed", "it does not send nanoseconds of its records"),
        ] {
            assert_eq!(why(id), reason, "{id}");
        }
        let base = Holds { database: true, ..Holds::default() };
        let held = |check: &&Check| why_not_held(check, Protocol::Ca, &records, &base).is_none();
        assert_eq!(checks.all.iter().filter(held).count(), checks.all.len());
    }
}
