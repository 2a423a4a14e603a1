//! Whether a reply is right; no I/O.

use std::collections::BTreeMap;

use super::check::Check;
use super::expected::{Expected, shown};
use super::matrix::{Field, Outcome};
use crate::protocol::Protocol;
use crate::worker_protocol::{Call, Fields, Reply};

/// What a client did, and what the IOC held afterwards.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answered {
    /// The reply.
    pub(super) reply: Reply,
    /// What `dbgf` showed, by field.
    pub(super) stored: BTreeMap<String, String>,
}

/// The outcome of a check.
pub(super) fn judged(check: &Check, protocol: Protocol, answered: &Answered) -> Field {
    let expected = expected_in_words(check, protocol);
    let (outcome, got) = match &answered.reply {
        Reply::Unable(reason) => (Outcome::Unable, reason.clone()),
        Reply::Error(error) if check.refused => match stored_wrong(check, answered) {
            None => (Outcome::Pass, format!("error: {error}")),
            Some(wrong) => (Outcome::Wrong, wrong),
        },
        Reply::Error(error) => (Outcome::Error, error.clone()),
        Reply::Fields(fields) => match check.refused {
            true => (Outcome::Wrong, format!("no error; {}", fields_in_words(fields))),
            false => of_fields(check, protocol, fields, answered),
        },
        Reply::Updates(updates) => of_updates(check, protocol, updates),
    };
    Field { outcome, expected, got, known: None }
}

fn of_fields(
    check: &Check,
    protocol: Protocol,
    fields: &Fields,
    answered: &Answered,
) -> (Outcome, String) {
    if check.call == Call::Put {
        return match stored_wrong(check, answered) {
            None => (Outcome::Pass, stored_in_words(&answered.stored)),
            Some(wrong) => (Outcome::Wrong, wrong),
        };
    }
    let expected = check.expected(protocol);
    let got: Fields = fields
        .iter()
        .filter(|(name, _)| expected.contains_key(*name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let outcome = if has_all(&expected, fields) { Outcome::Pass } else { Outcome::Wrong };
    (outcome, fields_in_words(&got))
}

fn has_all(expected: &BTreeMap<String, Expected>, fields: &Fields) -> bool {
    expected
        .iter()
        .all(|(name, expected)| fields.get(name).is_some_and(|value| expected.accepts(value)))
}

fn of_updates(check: &Check, protocol: Protocol, updates: &[Fields]) -> (Outcome, String) {
    let expected = check.expected_updates(protocol);
    let is_right = updates.len() == expected.len()
        && expected.iter().zip(updates).all(|(expected, update)| has_all(expected, update));
    let names = |update: &Fields| -> Fields {
        update
            .iter()
            .filter(|(name, _)| expected.iter().any(|one| one.contains_key(*name)))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    };
    let texts: Vec<String> = updates.iter().map(|one| fields_in_words(&names(one))).collect();
    (if is_right { Outcome::Pass } else { Outcome::Wrong }, texts.join(" | "))
}

/// What the IOC holds that it must not.
fn stored_wrong(check: &Check, answered: &Answered) -> Option<String> {
    let is_right = check
        .stored
        .iter()
        .all(|(field, expected)| answered.stored.get(field).is_some_and(|got| got == expected));
    (!is_right).then(|| format!("the IOC holds {}", stored_in_words(&answered.stored)))
}

fn stored_in_words(stored: &BTreeMap<String, String>) -> String {
    let texts: Vec<String> =
        stored.iter().map(|(field, value)| format!("{field} = {value}")).collect();
    texts.join(", ")
}

fn fields_in_words(fields: &Fields) -> String {
    let texts: Vec<String> =
        fields.iter().map(|(name, value)| format!("{name} {}", shown(value))).collect();
    texts.join(", ")
}

fn expected_in_words(check: &Check, protocol: Protocol) -> String {
    let of = |expected: &BTreeMap<String, Expected>| {
        let texts: Vec<String> =
            expected.iter().map(|(name, value)| format!("{name} {}", value.shown())).collect();
        texts.join(", ")
    };
    let updates: Vec<String> = check.expected_updates(protocol).iter().map(of).collect();
    let stored = stored_in_words(&check.stored);
    let parts = [
        if check.refused { "an error of the library".to_owned() } else { String::new() },
        of(&check.expected(protocol)),
        updates.join(" | "),
        if stored.is_empty() { stored } else { format!("the IOC holds {stored}") },
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("; ")
}
