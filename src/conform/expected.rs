//! Right answers as files write them, and answers in words.

use std::fmt::Write as _;

use serde::Deserialize;
use serde::de::Error as _;

use crate::worker_protocol::Value;

/// Elements of a list that are shown.
const MOST_SHOWN: usize = 12;

/// A right answer, or several that are all right.
///
/// In a file it is what TOML writes, and these tables for what TOML has no word for:
/// `{ integer = "18446744073709551615" }`, `{ float = "7ff8000000000000" }` (the bits),
/// `{ float32 = 1.1 }` (a number that went through 32 bits), `{ bytes = "b043" }`,
/// `{ repeat = 1.5, times = 1000 }`, `{ any = […] }`, `{ nothing = true }`, and any other table
/// for a structure.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// This value.
    Is(Value),
    /// One of these.
    AnyOf(Vec<Value>),
}

impl Expected {
    /// Whether an answer is right. Numbers are equal bit for bit; any NaN is one where the
    /// expected one is the usual NaN, because no protocol promises its bits.
    pub fn accepts(&self, got: &Value) -> bool {
        match self {
            Expected::Is(value) => is_same(value, got),
            Expected::AnyOf(values) => values.iter().any(|value| is_same(value, got)),
        }
    }

    /// The value, of several the first.
    pub fn value(&self) -> Value {
        match self {
            Expected::Is(value) => value.clone(),
            Expected::AnyOf(values) => values.first().cloned().unwrap_or(Value::Nothing(())),
        }
    }

    /// In words.
    pub fn shown(&self) -> String {
        match self {
            Expected::Is(value) => shown(value),
            Expected::AnyOf(values) => values.iter().map(shown).collect::<Vec<_>>().join(" or "),
        }
    }
}

fn is_same(expected: &Value, got: &Value) -> bool {
    match (expected, got) {
        (Value::Float(_), Value::Float(_)) => {
            let is_usual_nan = *expected == Value::float(f64::NAN);
            expected == got || is_usual_nan && got.as_float().is_some_and(f64::is_nan)
        }
        (Value::List(expected), Value::List(got)) => {
            expected.len() == got.len()
                && expected.iter().zip(got).all(|(expected, got)| is_same(expected, got))
        }
        (Value::Structure(expected), Value::Structure(got)) => expected
            .iter()
            .all(|(name, expected)| got.get(name).is_some_and(|got| is_same(expected, got))),
        _ => expected == got,
    }
}

impl<'de> Deserialize<'de> for Expected {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Expected, D::Error> {
        expected_of(toml::Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

fn expected_of(written: toml::Value) -> Result<Expected, String> {
    match written {
        toml::Value::Table(table) if table.contains_key("any") => {
            let Some(toml::Value::Array(values)) = table.get("any") else {
                return Err("`any` is an array".to_owned());
            };
            let values = values.iter().cloned().map(value_of).collect::<Result<_, _>>()?;
            Ok(Expected::AnyOf(values))
        }
        written => value_of(written).map(Expected::Is),
    }
}

fn value_of(written: toml::Value) -> Result<Value, String> {
    Ok(match written {
        toml::Value::Integer(number) => Value::integer(number),
        toml::Value::Float(number) if number.is_nan() => Value::float(f64::NAN),
        toml::Value::Float(number) => Value::float(number),
        toml::Value::String(text) => Value::Text(text),
        toml::Value::Boolean(value) => Value::Boolean(value),
        toml::Value::Array(elements) => {
            Value::List(elements.into_iter().map(value_of).collect::<Result<_, _>>()?)
        }
        toml::Value::Table(table) => of_table(table)?,
        toml::Value::Datetime(_) => return Err("a date is no value of EPICS".to_owned()),
    })
}

fn of_table(mut table: toml::Table) -> Result<Value, String> {
    let text = |value: &toml::Value| value.as_str().map(str::to_owned);
    if let Some(digits) = table.get("integer").and_then(text) {
        return Ok(Value::Integer(digits));
    }
    if let Some(bits) = table.get("float").and_then(text) {
        return Ok(Value::Float(bits));
    }
    if let Some(number) = table.get("float32").and_then(toml::Value::as_float) {
        return Ok(Value::float(f64::from(number as f32)));
    }
    if let Some(digits) = table.get("bytes").and_then(text) {
        return Ok(Value::Bytes(digits));
    }
    if table.contains_key("nothing") {
        return Ok(Value::Nothing(()));
    }
    if let Some(times) = table.get("times").and_then(toml::Value::as_integer) {
        let element = table.remove("repeat").ok_or("`times` without `repeat`")?;
        let times = usize::try_from(times).map_err(|error| error.to_string())?;
        return Ok(Value::List(vec![value_of(element)?; times]));
    }
    let members = table.into_iter().map(|(name, value)| Ok((name, value_of(value)?)));
    members.collect::<Result<_, String>>().map(Value::Structure)
}

/// A value in words: what a reader can type again.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::Nothing(()) => "nothing".to_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::Integer(digits) => digits.clone(),
        Value::Float(bits) => match value.as_float() {
            Some(number) if number.is_nan() => format!("NaN ({bits})"),
            Some(number) => format!("{number:?}"),
            None => bits.clone(),
        },
        Value::Text(text) => format!("{text:?}"),
        Value::Bytes(_) => {
            let mut text = "b\"".to_owned();
            for byte in value.bytes().unwrap_or_default() {
                match byte {
                    b' '..=b'~' => text.push(char::from(byte)),
                    // Writing to a text cannot fail.
                    _ => drop(write!(text, "\\x{byte:02x}")),
                }
            }
            text + "\""
        }
        Value::List(elements) => {
            let mut texts: Vec<String> = elements.iter().take(MOST_SHOWN).map(shown).collect();
            if elements.len() > MOST_SHOWN {
                texts.push(format!("… {} elements", elements.len()));
            }
            format!("[{}]", texts.join(", "))
        }
        Value::Structure(members) => {
            let members: Vec<String> =
                members.iter().map(|(name, member)| format!("{name}: {}", shown(member))).collect();
            format!("{{{}}}", members.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(text: &str) -> Expected {
        toml::from_str::<std::collections::BTreeMap<String, Expected>>(&format!("x = {text}"))
            .unwrap()
            .remove("x")
            .unwrap()
    }

    #[test]
    fn kinds_signs_and_bits_are_distinguished() {
        assert!(expected("1").accepts(&Value::integer(1)));
        assert!(!expected("1").accepts(&Value::float(1.0)));
        assert!(!expected("-0.0").accepts(&Value::float(0.0)));
        assert!(!expected("[1]").accepts(&Value::integer(1)));
        assert!(!expected("\"1\"").accepts(&Value::integer(1)));
        assert!(expected("nan").accepts(&Value::float(f64::from_bits(0xfff8_0000_0000_0000))));
        assert!(expected("{ float32 = 1.1 }").accepts(&Value::float(f64::from(1.1_f32))));
        assert!(!expected("{ float32 = 1.1 }").accepts(&Value::float(1.1)));
        assert!(
            !expected("{ repeat = 1, times = 3 }")
                .accepts(&Value::List(vec![Value::integer(1), Value::integer(1)]))
        );
    }

    #[test]
    fn a_structure_may_have_more_members_and_no_fewer() {
        let of = |names: &[&str]| {
            let member = |name: &&str| ((*name).to_owned(), Value::integer(1));
            Value::Structure(names.iter().map(member).collect())
        };
        assert!(expected("{ a = 1 }").accepts(&of(&["a", "b"])));
        assert!(!expected("{ a = 1 }").accepts(&of(&["b"])));
        assert!(
            expected("{ any = [\"x\", { bytes = \"b0\" }] }").accepts(&Value::text_of(b"\xb0"))
        );
    }

    #[test]
    fn values_are_shown_as_they_are() {
        assert_eq!(shown(&Value::text_of(b"\xb0C")), "b\"\\xb0C\"");
        assert_eq!(shown(&Value::float(-0.0)), "-0.0");
        assert_eq!(shown(&Value::List(vec![Value::integer(1); 20])).matches('1').count(), 12);
    }
}
