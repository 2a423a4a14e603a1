//! What `DBR_…` types hold, byte by byte, as `db_access.h` lays them out.

use crate::worker_protocol::{Detail, Fields, Form, Value};

pub(super) const DBR_STRING: u16 = 0;
const DBR_SHORT: u16 = 1;
const DBR_FLOAT: u16 = 2;
const DBR_ENUM: u16 = 3;
pub(super) const DBR_CHAR: u16 = 4;
pub(super) const DBR_LONG: u16 = 5;
pub(super) const DBR_DOUBLE: u16 = 6;
/// What is added to a plain type for its `DBR_TIME_…` and `DBR_CTRL_…`.
const TIME: u16 = 14;
const CTRL: u16 = 28;

/// From the Unix epoch to the start of 1990, which EPICS counts from.
const EPICS_EPOCH_S: i128 = 631_152_000;

const MAX_STRING_SIZE: usize = 40;
const MAX_ENUM_STRING_SIZE: usize = 26;
const MAX_ENUM_STATES: usize = 16;
const MAX_UNITS_SIZE: usize = 8;

/// The types to read one after the other for all that is wanted of a PV of type `native`.
pub(in crate::worker) fn types_of(native: u16, form: Form, detail: Detail) -> Vec<u16> {
    let plain = match form {
        Form::Native => native,
        Form::Text => DBR_STRING,
        Form::LongText => DBR_CHAR,
    };
    match detail {
        Detail::Value => vec![plain],
        Detail::Time => vec![plain + TIME],
        Detail::Metadata => vec![plain + TIME, native + CTRL],
    }
}

/// In which order the bytes of a number are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::worker) enum ByteOrder {
    /// As the protocol has it: the highest first.
    Network,
    /// As libca hands them over.
    Native,
}

impl ByteOrder {
    /// From the network's order, or to it.
    fn turned<const COUNT: usize>(self, mut bytes: [u8; COUNT]) -> [u8; COUNT] {
        if self == ByteOrder::Native && cfg!(target_endian = "little") {
            bytes.reverse();
        }
        bytes
    }
}

/// What an answer or an update brought.
#[derive(Clone, Copy)]
pub(in crate::worker) struct Payload<'a> {
    pub(in crate::worker) data_type: u16,
    pub(in crate::worker) count: usize,
    pub(in crate::worker) bytes: &'a [u8],
    pub(in crate::worker) order: ByteOrder,
}

/// The fields of `payload`, which was asked for in `form` of a channel with `elements`.
pub(in crate::worker) fn fields(
    payload: Payload<'_>,
    elements: usize,
    form: Form,
) -> Result<Fields, String> {
    let is_array = elements != 1 || form == Form::LongText;
    let Payload { data_type, count, .. } = payload;
    let mut fields = plain_fields(payload, is_array)
        .ok_or_else(|| format!("the payload does not fit {count} of type {data_type}"))?;
    if form == Form::LongText && fields.contains_key("value") {
        as_long_text(&mut fields).ok_or("no characters")?;
    }
    Ok(fields)
}

/// None where the payload is too short.
fn plain_fields(payload: Payload<'_>, is_array: bool) -> Option<Fields> {
    let Payload { data_type, count, bytes, order } = payload;
    let mut fields = Fields::new();
    let mut bytes = Bytes { rest: bytes, order };
    let plain = data_type % 7;
    match data_type / 7 {
        0 => {}
        2 => time(plain, &mut bytes, &mut fields)?,
        4 => return control(plain, &mut bytes),
        _ => return None,
    }
    fields.insert("value".to_owned(), value(plain, count, is_array, bytes)?);
    Some(fields)
}

/// The array of characters in `fields` as a text, up to its end mark.
fn as_long_text(fields: &mut Fields) -> Option<()> {
    let characters = match fields.remove("value")? {
        Value::List(characters) => characters,
        single => vec![single],
    };
    let bytes: Vec<u8> = (characters.iter())
        .map_while(|character| u8::try_from(character.as_integer()?).ok())
        .take_while(|byte| *byte != 0)
        .collect();
    fields.insert("value".to_owned(), Value::text_of(&bytes));
    Some(())
}

fn value(plain: u16, count: usize, is_array: bool, bytes: Bytes<'_>) -> Option<Value> {
    let size = element_bytes(plain)?;
    let elements: Option<Vec<Value>> = bytes
        .rest
        .chunks(size)
        .take(count)
        .map(|element| scalar(plain, element, bytes.order))
        .collect();
    let mut elements = elements?;
    match is_array {
        true if elements.len() == count => Some(Value::List(elements)),
        false if elements.len() == 1 => elements.pop(),
        _ => None,
    }
}

fn element_bytes(plain: u16) -> Option<usize> {
    Some(match plain {
        DBR_STRING => MAX_STRING_SIZE,
        DBR_SHORT | DBR_ENUM => 2,
        DBR_FLOAT | DBR_LONG => 4,
        DBR_CHAR => 1,
        DBR_DOUBLE => 8,
        _ => return None,
    })
}

/// One number or text. Of a text a server sends no more bytes than it has.
fn scalar(plain: u16, element: &[u8], order: ByteOrder) -> Option<Value> {
    let mut bytes = Bytes { rest: element, order };
    Some(match plain {
        DBR_STRING => text(element),
        DBR_SHORT => Value::integer(i16::from_be_bytes(bytes.array()?)),
        DBR_ENUM => Value::integer(u16::from_be_bytes(bytes.array()?)),
        DBR_CHAR => Value::integer(bytes.array::<1>()?[0]),
        DBR_LONG => Value::integer(i32::from_be_bytes(bytes.array()?)),
        DBR_FLOAT => Value::float(widened(f32::from_be_bytes(bytes.array()?))),
        DBR_DOUBLE => Value::float(f64::from_be_bytes(bytes.array()?)),
        _ => return None,
    })
}

fn widened(narrow: f32) -> f64 {
    f64::from(narrow)
}

fn text(bytes: &[u8]) -> Value {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    Value::text_of(&bytes[..end])
}

fn alarm(bytes: &mut Bytes<'_>, fields: &mut Fields) -> Option<()> {
    for name in ["status", "severity"] {
        let number = i16::from_be_bytes(bytes.array()?);
        fields.insert(name.to_owned(), Value::integer(number));
    }
    Some(())
}

fn time(plain: u16, bytes: &mut Bytes<'_>, fields: &mut Fields) -> Option<()> {
    alarm(bytes, fields)?;
    let seconds = i128::from(u32::from_be_bytes(bytes.array()?)) + EPICS_EPOCH_S;
    let nanoseconds = u32::from_be_bytes(bytes.array()?);
    fields.insert("seconds".to_owned(), Value::integer(seconds));
    fields.insert("nanoseconds".to_owned(), Value::integer(nanoseconds));
    let padding = match plain {
        DBR_SHORT | DBR_ENUM => 2,
        DBR_CHAR => 3,
        DBR_DOUBLE => 4,
        _ => 0,
    };
    bytes.take(padding).map(drop)
}

/// Everything but the value, which the same read has with its time.
fn control(plain: u16, bytes: &mut Bytes<'_>) -> Option<Fields> {
    const LIMITS: [&str; 8] = [
        "display_high",
        "display_low",
        "alarm_high",
        "warning_high",
        "warning_low",
        "alarm_low",
        "control_high",
        "control_low",
    ];
    let mut fields = Fields::new();
    alarm(bytes, &mut fields)?;
    match plain {
        DBR_STRING => return Some(fields),
        DBR_ENUM => {
            let count = usize::try_from(i16::from_be_bytes(bytes.array()?)).ok()?;
            let states = bytes.take(MAX_ENUM_STATES * MAX_ENUM_STRING_SIZE)?;
            let states = states.chunks(MAX_ENUM_STRING_SIZE).take(count).map(text).collect();
            fields.insert("choices".to_owned(), Value::List(states));
            return Some(fields);
        }
        DBR_FLOAT | DBR_DOUBLE => {
            let precision = i16::from_be_bytes(bytes.array()?);
            fields.insert("precision".to_owned(), Value::integer(precision));
            bytes.take(2)?;
        }
        _ => {}
    }
    fields.insert("units".to_owned(), text(bytes.take(MAX_UNITS_SIZE)?));
    for name in LIMITS {
        let limit = scalar(plain, bytes.take(element_bytes(plain)?)?, bytes.order)?;
        fields.insert(name.to_owned(), limit);
    }
    Some(fields)
}

/// A value to write: its type, its count and its bytes.
pub(in crate::worker) fn encoded(
    value: &Value,
    form: Form,
    order: ByteOrder,
) -> Result<(u16, u32, Vec<u8>), String> {
    if form == Form::LongText {
        let mut bytes = value.bytes().ok_or("only a text is written as a long text")?;
        bytes.push(0);
        return Ok((DBR_CHAR, bytes.len() as u32, bytes));
    }
    let single = [value.clone()];
    let elements = match value {
        Value::List(elements) => elements.as_slice(),
        _ => &single,
    };
    let data_type = elements.iter().map(type_for).max().unwrap_or(DBR_DOUBLE);
    let mut bytes = Vec::new();
    for element in elements {
        encode_element(data_type, element, order, &mut bytes)?;
    }
    Ok((data_type, elements.len() as u32, bytes))
}

/// The narrowest type that holds it.
fn type_for(element: &Value) -> u16 {
    match element {
        Value::Text(_) | Value::Bytes(_) => DBR_STRING,
        Value::Integer(digits) if digits.parse::<i32>().is_ok() => DBR_LONG,
        _ => DBR_DOUBLE,
    }
}

fn encode_element(
    data_type: u16,
    element: &Value,
    order: ByteOrder,
    output: &mut Vec<u8>,
) -> Result<(), String> {
    let wrong = || format!("Channel Access has no type for {element:?}");
    match data_type {
        DBR_STRING => {
            let mut text = element.bytes().ok_or_else(wrong)?;
            if text.len() >= MAX_STRING_SIZE {
                return Err(format!("a DBR_STRING holds {} bytes", MAX_STRING_SIZE - 1));
            }
            text.resize(MAX_STRING_SIZE, 0);
            output.extend(text);
        }
        DBR_LONG => {
            let number = element.as_integer().and_then(|number| i32::try_from(number).ok());
            output.extend(order.turned(number.ok_or_else(wrong)?.to_be_bytes()));
        }
        _ => output.extend(order.turned(element.as_float().ok_or_else(wrong)?.to_be_bytes())),
    }
    Ok(())
}

/// Bytes that are taken from the front.
struct Bytes<'a> {
    rest: &'a [u8],
    order: ByteOrder,
}

impl<'a> Bytes<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn array<const COUNT: usize>(&mut self) -> Option<[u8; COUNT]> {
        Some(self.order.turned(self.take(COUNT)?.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(data_type: u16, count: usize, is_array: bool, bytes: &[u8]) -> Option<Fields> {
        plain_fields(Payload { data_type, count, bytes, order: ByteOrder::Network }, is_array)
    }

    #[test]
    fn a_time_stamped_double_is_read() {
        let payload = b"\x00\x03\x00\x02\x00\x00\x00\x07\x00\x00\x00\x08\
                        \x00\x00\x00\x00\x3f\xf8\x00\x00\x00\x00\x00\x00";
        let fields = read(DBR_DOUBLE + TIME, 1, false, payload).unwrap();
        assert_eq!(fields["value"], Value::float(1.5));
        assert_eq!(fields["severity"], Value::integer(2));
        assert_eq!(fields["seconds"], Value::integer(EPICS_EPOCH_S + 7));
    }

    #[test]
    fn an_array_has_as_many_elements_as_its_header_counts() {
        let payload = [1, 2, 3, 0, 0, 0, 0, 0];
        let three = read(DBR_CHAR, 3, true, &payload).unwrap();
        assert_eq!(three["value"], Value::List([1, 2, 3].map(Value::integer).to_vec()));
        let none = read(DBR_CHAR, 0, true, &[]).unwrap();
        assert_eq!(none["value"], Value::List(Vec::new()));
        assert!(read(DBR_DOUBLE, 2, true, &payload).is_none());
    }

    #[test]
    fn the_widest_element_decides_in_which_type_an_array_is_written() {
        let list = Value::List(vec![Value::integer(1), Value::integer(1_i64 << 40)]);
        let (data_type, count, bytes) = encoded(&list, Form::Native, ByteOrder::Network).unwrap();
        assert_eq!((data_type, count, bytes.len()), (DBR_DOUBLE, 2, 16));
        let long = Value::Text("x".repeat(40));
        assert!(encoded(&long, Form::Native, ByteOrder::Network).is_err());
        assert_eq!(encoded(&long, Form::LongText, ByteOrder::Network).unwrap().1, 41);
    }

    #[test]
    fn what_is_written_in_this_machines_order_is_read_in_it() {
        for number in [Value::integer(-7), Value::float(1.5)] {
            let order = ByteOrder::Native;
            let (data_type, _, bytes) = encoded(&number, Form::Native, order).unwrap();
            let payload = Payload { data_type, count: 1, bytes: &bytes, order };
            assert_eq!(fields(payload, 1, Form::Native).unwrap()["value"], number);
        }
        let (_, _, bytes) = encoded(&Value::integer(1), Form::Native, ByteOrder::Native).unwrap();
        assert_eq!(bytes, 1_i32.to_ne_bytes());
    }
}
