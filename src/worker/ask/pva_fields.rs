//! The names that answers have in common for both protocols, from a structure of pvAccess.

use std::collections::BTreeMap;

use crate::worker_protocol::{Fields, Value};

/// Where each field is in a normative type.
const PLACES: &[(&str, &[&str])] = &[
    ("severity", &["alarm", "severity"]),
    ("status", &["alarm", "status"]),
    ("message", &["alarm", "message"]),
    ("seconds", &["timeStamp", "secondsPastEpoch"]),
    ("nanoseconds", &["timeStamp", "nanoseconds"]),
    ("tag", &["timeStamp", "userTag"]),
    ("units", &["display", "units"]),
    ("precision", &["display", "precision"]),
    ("description", &["display", "description"]),
    ("display_low", &["display", "limitLow"]),
    ("display_high", &["display", "limitHigh"]),
    ("control_low", &["control", "limitLow"]),
    ("control_high", &["control", "limitHigh"]),
    ("alarm_low", &["valueAlarm", "lowAlarmLimit"]),
    ("warning_low", &["valueAlarm", "lowWarningLimit"]),
    ("warning_high", &["valueAlarm", "highWarningLimit"]),
    ("alarm_high", &["valueAlarm", "highAlarmLimit"]),
    ("choices", &["value", "choices"]),
    ("labels", &["labels"]),
    ("dimension", &["dimension"]),
];

/// The fields of a whole structure. One without the field `value` is the value itself.
pub(super) fn fields_of(whole: &Value) -> Fields {
    let mut fields: Fields = PLACES
        .iter()
        .filter_map(|(name, path)| Some(((*name).to_owned(), at(whole, path)?.clone())))
        .collect();
    let index = fields.contains_key("choices").then(|| at(whole, &["value", "index"])).flatten();
    let value = index.or_else(|| at(whole, &["value"])).unwrap_or(whole);
    fields.insert("value".to_owned(), value.clone());
    fields
}

fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| members(value)?.get(*name))
}

fn members(value: &Value) -> Option<&BTreeMap<String, Value>> {
    match value {
        Value::Structure(members) => Some(members),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn structure<const COUNT: usize>(members: [(&str, Value); COUNT]) -> Value {
        Value::Structure(members.map(|(name, value)| (name.to_owned(), value)).into())
    }

    #[test]
    fn an_enum_is_its_index_and_its_choices() {
        let choices = Value::List(vec![Value::Text("off".to_owned())]);
        let value = structure([("index", Value::integer(0)), ("choices", choices.clone())]);
        let fields = fields_of(&structure([("value", value)]));
        assert_eq!(fields["value"], Value::integer(0));
        assert_eq!(fields["choices"], choices);
    }

    #[test]
    fn a_group_without_a_value_is_a_value() {
        let group = structure([("x", Value::integer(1))]);
        assert_eq!(fields_of(&group)["value"], group);
    }
}
