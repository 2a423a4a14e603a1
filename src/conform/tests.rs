//! The suite checked itself: every group finds a client that errs in just its way, and a client
//! that answers by heart passes nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::check::{Check, Checks};
use super::expected::Expected;
use super::judged::{Answered, judged};
use super::known::Known;
use super::matrix::Outcome;
use crate::protocol::Protocol;
use crate::worker_protocol::{Call, Fields, Reply, Value};

fn checks() -> Checks {
    Checks::built_in().unwrap()
}

/// Each check with each of its protocols.
fn asked(checks: &Checks) -> impl Iterator<Item = (&Check, Protocol)> {
    checks.all.iter().flat_map(|check| check.protocols.iter().map(move |one| (check, *one)))
}

fn fields(expected: &BTreeMap<String, Expected>) -> Fields {
    expected.iter().map(|(name, value)| (name.clone(), value.value())).collect()
}

/// What a client answers that is right.
fn right(check: &Check, protocol: Protocol) -> Answered {
    let updates = check.expected_updates(protocol);
    let reply = if check.must_fail() {
        Reply::Error("refused".to_owned())
    } else if check.call == Call::Monitor {
        Reply::Updates(updates.iter().map(fields).collect())
    } else {
        Reply::Fields(fields(&check.expected(protocol)))
    };
    Answered { reply, stored: check.stored.clone() }
}

fn outcome(check: &Check, protocol: Protocol, answered: &Answered) -> Outcome {
    judged(check, protocol, answered).outcome
}

/// The checks that a client fails which answers right and then lies.
fn found(lie: impl Fn(&Check, &mut Answered)) -> BTreeSet<String> {
    let checks = checks();
    let failing = asked(&checks).filter(|(check, protocol)| {
        let mut answered = right(check, *protocol);
        lie(check, &mut answered);
        outcome(check, *protocol, &answered) != Outcome::Pass
    });
    failing.map(|(check, _)| check.id.clone()).collect()
}

/// Changes every value of a reply.
fn each_value(answered: &mut Answered, change: impl Fn(&str, &mut Value)) {
    let all = match &mut answered.reply {
        Reply::Fields(fields) => std::slice::from_mut(fields),
        Reply::Updates(updates) => updates.as_mut_slice(),
        _ => return,
    };
    for fields in all {
        fields.iter_mut().for_each(|(name, value)| change(name, value));
    }
}

#[test]
fn right_answers_pass() {
    let checks = checks();
    for (check, protocol) in asked(&checks) {
        let field = judged(check, protocol, &right(check, protocol));
        assert_eq!(field.outcome, Outcome::Pass, "{}: {field:?}", check.id);
    }
}

#[test]
fn there_are_checks_enough_and_each_names_its_source() {
    let checks = checks();
    assert!(checks.all.len() >= 120, "{}", checks.all.len());
    assert!(checks.all.iter().all(|check| check.source.len() > 10));
    let groups: BTreeSet<&String> = checks.all.iter().map(|check| &check.group).collect();
    assert_eq!(groups.len(), 12);
}

#[test]
fn known_failures_name_checks_that_there_are() {
    let checks = checks();
    for (name, _) in Known::built_in().unwrap().names() {
        assert!(checks.all.iter().any(|check| check.id == *name), "{name}");
    }
}

#[test]
fn a_client_that_returns_what_was_last_put_passes_nothing() {
    let last_put = Value::float(12_345.678);
    let checks = checks();
    for (check, protocol) in asked(&checks) {
        let remembered = Fields::from([("value".to_owned(), last_put.clone())]);
        let reply = match check.call {
            Call::Monitor => Reply::Updates(vec![remembered]),
            _ => Reply::Fields(remembered),
        };
        // A put that was never sent leaves the IOC as it was.
        let before = check.stored.keys().map(|name| (name.clone(), "as before".to_owned()));
        let answered = Answered { reply, stored: before.collect() };
        assert_ne!(outcome(check, protocol, &answered), Outcome::Pass, "{}", check.id);
    }
}

#[test]
fn an_answer_of_another_call_is_no_pass() {
    let checks = checks();
    for (check, protocol) in asked(&checks) {
        let reply = match check.call {
            Call::Monitor => Reply::Fields(Fields::new()),
            _ => Reply::Updates(Vec::new()),
        };
        let answered = Answered { reply, ..right(check, protocol) };
        assert_ne!(outcome(check, protocol, &answered), Outcome::Pass, "{}", check.id);
    }
}

#[test]
fn a_library_that_cannot_is_no_pass() {
    let checks = checks();
    for (check, protocol) in asked(&checks) {
        let answered =
            Answered { reply: Reply::Unable("no call".to_owned()), stored: BTreeMap::new() };
        assert_eq!(outcome(check, protocol, &answered), Outcome::Unable, "{}", check.id);
    }
}

/// Each lie is found in its own group.
#[track_caller]
fn is_found_in(group: &str, lie: impl Fn(&Check, &mut Answered)) {
    let found = found(lie);
    assert!(found.iter().any(|id| id.starts_with(&format!("{group}."))), "{group}: {found:?}");
}

#[test]
fn a_client_whose_numbers_go_through_32_bits_is_found() {
    is_found_in("scalars", |_, answered| {
        each_value(answered, |_, value| {
            if let (Value::Float(_), Some(number)) = (&*value, value.as_float()) {
                *value = Value::float(f64::from(number as f32));
            }
        });
    });
}

#[test]
fn a_client_that_cuts_texts_is_found() {
    is_found_in("strings", |_, answered| {
        each_value(answered, |_, value| {
            if let Value::Text(text) = value {
                text.pop();
            }
        });
    });
}

#[test]
fn a_client_that_leaves_empty_states_out_is_found() {
    let found = found(|_, answered| {
        each_value(answered, |name, value| {
            if let ("choices", Value::List(states)) = (name, value) {
                states.retain(|state| *state != Value::Text(String::new()));
            }
        });
    });
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["enums.gap"]);
}

#[test]
fn a_client_that_makes_scalars_of_short_arrays_is_found() {
    is_found_in("arrays", |_, answered| {
        each_value(answered, |_, value| {
            if let Value::List(elements) = value
                && elements.len() == 1
            {
                *value = elements[0].clone();
            }
        });
    });
}

#[test]
fn a_client_without_severities_is_found() {
    is_found_in("alarms", |_, answered| {
        each_value(answered, |name, value| {
            if name == "severity" {
                *value = Value::integer(0);
            }
        });
    });
}

#[test]
fn a_client_that_counts_from_another_year_is_found() {
    is_found_in("times", |_, answered| {
        each_value(answered, |name, value| {
            if name == "seconds" {
                *value = Value::integer(0);
            }
        });
    });
}

#[test]
fn a_client_that_swaps_limits_is_found() {
    is_found_in("limits", |_, answered| {
        if let Reply::Fields(fields) = &mut answered.reply {
            let (low, high) = (fields.remove("display_low"), fields.remove("display_high"));
            fields.extend(low.map(|low| ("display_high".to_owned(), low)));
            fields.extend(high.map(|high| ("display_low".to_owned(), high)));
        }
    });
}

#[test]
fn a_client_that_answers_for_pvs_that_are_not_there_is_found() {
    for group in ["names", "filters"] {
        is_found_in(group, |check, answered| {
            if check.absent {
                answered.reply = Reply::Fields(Fields::new());
            }
        });
    }
}

#[test]
fn a_client_that_loses_the_first_update_or_swaps_two_is_found() {
    is_found_in("monitors", |_, answered| {
        if let Reply::Updates(updates) = &mut answered.reply {
            updates.remove(0);
        }
    });
    is_found_in("monitors", |_, answered| {
        if let Reply::Updates(updates) = &mut answered.reply {
            updates.reverse();
        }
    });
}

#[test]
fn a_client_that_does_not_report_refusals_or_does_not_write_is_found() {
    is_found_in("puts", |check, answered| {
        if check.refused {
            answered.reply = Reply::Fields(Fields::new());
        }
    });
    is_found_in("puts", |_, answered| {
        answered.stored.values_mut().for_each(|value| value.clear());
    });
}

#[test]
fn a_timeout_is_no_refusal_but_what_an_absent_pv_gives() {
    let checks = checks();
    for (check, protocol) in asked(&checks).filter(|(check, _)| check.must_fail()) {
        let reply = Reply::Unanswered("timed out".to_owned());
        let answered = Answered { reply, ..right(check, protocol) };
        let expected = if check.absent { Outcome::Pass } else { Outcome::Error };
        assert_eq!(outcome(check, protocol, &answered), expected, "{}", check.id);
    }
}

#[test]
fn a_check_that_must_fail_needs_the_permitted_call() {
    let file = "group = \"mine\"\nrecords = \"\"\n[[check]]\nid = \"mine.refused\"\n\
                pv = \"x\"\nsource = \"none\"\nrefused = true\n";
    let error = Checks::default().add("mine.toml", file).unwrap_err().to_string();
    assert!(error.contains("mine.refused") && error.contains("`permitted`"), "{error}");
    let alone =
        file.replace("refused = true", "expect = { value = 1 }\npermitted = { pv = \"y\" }");
    assert!(Checks::default().add("mine.toml", &alone).is_err());
}

#[test]
fn a_client_that_loses_members_of_structures_is_found() {
    is_found_in("structures", |_, answered| {
        each_value(answered, |_, value| {
            if let Value::Structure(members) = value {
                members.pop_last();
            }
        });
    });
}
