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
        Reply::Unanswered(error) if !check.absent => {
            (Outcome::Error, format!("no answer: {error}"))
        }
        Reply::Error(error) | Reply::Unanswered(error) if check.must_fail() => {
            match stored_wrong(check, answered) {
                None => (Outcome::Pass, format!("error: {error}")),
                Some(wrong) => (Outcome::Wrong, wrong),
            }
        }
        Reply::Error(error) | Reply::Unanswered(error) => (Outcome::Error, error.clone()),
        Reply::Fields(fields) => match check.must_fail() {
            true => (Outcome::Wrong, format!("no error; {}", fields_in_words(fields))),
            // What ends a subscription is a list of updates, and nothing else is.
            false if check.call == Call::Monitor => {
                (Outcome::Wrong, format!("no updates, but {}", fields_in_words(fields)))
            }
            false => of_fields(check, protocol, fields, answered),
        },
        Reply::Updates(_) if check.call != Call::Monitor => {
            (Outcome::Wrong, "updates, though it was not a monitor".to_owned())
        }
        Reply::Updates(updates) => of_updates(check, protocol, updates),
    };
    Field { outcome, expected, got, known: None }
}

/// The outcome of a check that is to fail, where the permitted call before it did not succeed:
/// an error would prove nothing.
pub(super) fn without_proof(check: &Check, protocol: Protocol, permitted: &Field) -> Field {
    let pv = check.permitted().map(|permitted| permitted.pv).unwrap_or_default();
    let call = if check.call == Call::Put { "put to" } else { "get of" };
    Field {
        outcome: permitted.outcome,
        expected: expected_in_words(check, protocol),
        got: format!(
            "the permitted {call} {pv} failed too, so an error proves no refusal: {}",
            permitted.got
        ),
        known: None,
    }
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
        match (check.refused, check.absent) {
            (true, _) => "the library reports the refusal, not a timeout".to_owned(),
            (_, true) => "an error of the library".to_owned(),
            _ => String::new(),
        },
        of(&check.expected(protocol)),
        updates.join(" | "),
        if stored.is_empty() { stored } else { format!("the IOC holds {stored}") },
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("; ")
}
