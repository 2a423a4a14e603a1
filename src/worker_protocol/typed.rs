//! What a worker is asked in `ask`, and typed answers that lose nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One value as a library returned it.
///
/// Numbers travel as texts, because JSON has no 64 bit integers, NaN or infinities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Value {
    /// A union or an `any` that holds nothing, or a value that the library has no word for.
    Nothing(()),
    /// True or false.
    Boolean(bool),
    /// An integer in decimal digits.
    Integer(String),
    /// The bits of a double, 16 hexadecimal digits. A narrower number is widened to it.
    Float(String),
    /// A text.
    Text(String),
    /// A text that is not UTF-8, two hexadecimal digits a byte.
    Bytes(String),
    /// An array, in order.
    List(Vec<Value>),
    /// A structure by the names of its fields.
    Structure(BTreeMap<String, Value>),
}

impl Value {
    /// An integer.
    pub fn integer(number: impl Into<i128>) -> Value {
        Value::Integer(number.into().to_string())
    }

    /// A double, bit for bit.
    pub fn float(number: f64) -> Value {
        Value::Float(format!("{:016x}", number.to_bits()))
    }

    /// A text as bytes, which need not be UTF-8.
    pub fn text_of(bytes: &[u8]) -> Value {
        match std::str::from_utf8(bytes) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => Value::Bytes(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        }
    }

    /// The bytes of a text.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Value::Text(text) => Some(text.clone().into_bytes()),
            Value::Bytes(digits) if digits.is_ascii() => (0..digits.len() / 2)
                .map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).ok())
                .collect(),
            _ => None,
        }
    }

    /// The number of an integer.
    pub fn as_integer(&self) -> Option<i128> {
        match self {
            Value::Integer(digits) => digits.parse().ok(),
            _ => None,
        }
    }

    /// The number of a double, of an integer too.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Value::Float(digits) => u64::from_str_radix(digits, 16).ok().map(f64::from_bits),
            Value::Integer(digits) => digits.parse().ok(),
            _ => None,
        }
    }
}

/// Which call of the library is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Call {
    /// Reads once.
    Get,
    /// Writes and waits for the server.
    Put,
    /// Subscribes, and answers when the first update has arrived.
    Monitor,
    /// Answers with all updates since `monitor`, and ends the subscription.
    Updates,
}

/// How much of a PV is wanted beside its value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Detail {
    /// The value alone.
    #[default]
    Value,
    /// Alarm and time stamp too.
    Time,
    /// Units, precision, limits and choices too.
    Metadata,
}

/// In which form the library is asked for the value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// In the PV's own type.
    #[default]
    Native,
    /// As a text: what the server makes of the value.
    Text,
    /// As a text of any length: an array of characters.
    LongText,
}

/// One question to the library.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The call.
    pub call: Call,
    /// The PV, by its whole name.
    pub pv: String,
    /// How much is wanted beside the value.
    #[serde(default)]
    pub detail: Detail,
    /// In which form.
    #[serde(default)]
    pub form: Form,
    /// How many elements of an array; as many as there are when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// For `monitor`: the changes to report, out of `value`, `log`, `alarm`, `property`; value
    /// and alarm when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<Vec<String>>,
    /// Over pvAccess: the request as libraries write it; all fields when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// For `put`: what to write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// For `updates`: seconds to wait for those that are on their way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

/// What a library returned of a PV at one moment, by the names of `docs/conformance.md`.
pub type Fields = BTreeMap<String, Value>;

/// What the library's call came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Reply {
    /// It returned.
    Fields(Fields),
    /// Updates in the order of arrival.
    Updates(Vec<Fields>),
    /// It reported an error, in its own words.
    Error(String),
    /// It reported that no answer came: a timeout, or no connection. No refusal.
    Unanswered(String),
    /// The library has no call for this, and why.
    Unable(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_values_lose_nothing_on_their_way() {
        let values = [
            Value::float(-0.0),
            Value::float(f64::from_bits(0x7ff8_0000_0000_0001)),
            Value::integer(u64::MAX),
            Value::integer(i64::MIN),
            Value::text_of(b"\xb0C"),
            Value::text_of("°C".as_bytes()),
            Value::List(vec![Value::Nothing(()), Value::Boolean(true)]),
        ];
        for value in values {
            let line = serde_json::to_string(&value).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), value, "{line}");
        }
        assert_eq!(Value::text_of(b"\xb0C"), Value::Bytes("b043".to_owned()));
        assert_eq!(Value::Bytes("b043".to_owned()).bytes().unwrap(), b"\xb0C");
    }
}
