//! Types and values of pvAccess as a server sends them, with the names of all fields.

use std::collections::{BTreeMap, HashMap};

use crate::pv_access::{Reader, Trouble};
use crate::worker_protocol::Value;

const STRING: u8 = 0x60;
/// The bits of a code that say which array it is; the highest two mean that a size follows.
const ARRAY_BITS: u8 = 0x18;
const SIZED_ARRAY: u8 = 0x10;
const FIXED_ARRAY: u8 = 0x18;
/// Types within types.
const MOST_DEPTH: usize = 20;
/// Elements of one array.
const MOST_ELEMENTS: usize = 1 << 26;

/// A type.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Type {
    /// A number, a boolean or a text, by its code.
    Scalar(u8),
    /// An array of them, and its size where that is part of the type.
    Array(u8, Option<usize>),
    Structure(Vec<(String, Type)>),
    StructureArray(Box<Type>),
    Union(Vec<(String, Type)>),
    UnionArray(Box<Type>),
    Any,
    AnyArray,
}

/// The types that a server has named.
#[derive(Default)]
pub(super) struct Types(HashMap<u16, Type>);

impl Types {
    /// Reads the description of a type; none where there is none.
    pub(super) fn read(&mut self, reader: &mut Reader<'_>) -> Result<Option<Type>, Trouble> {
        self.at_depth(reader, 0)
    }

    fn at_depth(&mut self, reader: &mut Reader<'_>, depth: usize) -> Result<Option<Type>, Trouble> {
        if depth > MOST_DEPTH {
            return bad("a type of too many levels");
        }
        Ok(Some(match reader.u8()? {
            0xff => return Ok(None),
            0xfd => {
                let id = reader.u16()?;
                let named = self.inner(reader, depth)?;
                self.0.insert(id, named.clone());
                named
            }
            0xfe => {
                let id = reader.u16()?;
                match self.0.get(&id) {
                    Some(known) => known.clone(),
                    None => return bad("a type that was never described"),
                }
            }
            0x80 => Type::Structure(self.members(reader, depth)?),
            0x81 => Type::Union(self.members(reader, depth)?),
            0x82 => Type::Any,
            0x88 => Type::StructureArray(Box::new(self.inner(reader, depth)?)),
            0x89 => Type::UnionArray(Box::new(self.inner(reader, depth)?)),
            0x8a => Type::AnyArray,
            0x83 => {
                reader.size()?;
                Type::Scalar(STRING)
            }
            code => scalar_or_array(reader, code)?,
        }))
    }

    fn inner(&mut self, reader: &mut Reader<'_>, depth: usize) -> Result<Type, Trouble> {
        self.at_depth(reader, depth + 1)?.map_or_else(|| bad("no type"), Ok)
    }

    fn members(
        &mut self,
        reader: &mut Reader<'_>,
        depth: usize,
    ) -> Result<Vec<(String, Type)>, Trouble> {
        reader.text()?;
        let count = reader.size()?;
        (0..count).map(|_| Ok((reader.text()?, self.inner(reader, depth)?))).collect()
    }
}

fn scalar_or_array(reader: &mut Reader<'_>, code: u8) -> Result<Type, Trouble> {
    let element = code & !ARRAY_BITS;
    if !matches!(element, 0x00 | 0x20..=0x27 | 0x42 | 0x43 | STRING) {
        return bad(&format!("the type {code:#04x} is not known"));
    }
    let array = code & ARRAY_BITS;
    let size = if array >= SIZED_ARRAY { Some(reader.size()?) } else { None };
    Ok(match array {
        0 => Type::Scalar(element),
        FIXED_ARRAY => Type::Array(element, size),
        _ => Type::Array(element, None),
    })
}

fn bad<T>(why: &str) -> Result<T, Trouble> {
    Err(Trouble::Bad(why.to_owned()))
}

/// Which fields of a value were sent, the lowest bit first.
pub(super) struct Sent<'a>(&'a [u8]);

impl<'a> Sent<'a> {
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Sent<'a>, Trouble> {
        let size = reader.size()?;
        Ok(Sent(reader.take(size)?))
    }

    fn has(&self, index: usize) -> bool {
        self.0.get(index / 8).is_some_and(|byte| byte >> (index % 8) & 1 != 0)
    }
}

impl Type {
    /// What a field is that was never sent.
    pub(super) fn default(&self) -> Value {
        match self {
            Type::Scalar(0x00) => Value::Boolean(false),
            Type::Scalar(STRING) => Value::Text(String::new()),
            Type::Scalar(0x42 | 0x43) => Value::float(0.0),
            Type::Scalar(_) => Value::integer(0),
            Type::Structure(members) => Value::Structure(
                members.iter().map(|(name, member)| (name.clone(), member.default())).collect(),
            ),
            Type::Union(_) | Type::Any => Value::Nothing(()),
            _ => Value::List(Vec::new()),
        }
    }

    /// Reads the fields that were sent into `value`, which keeps the others.
    pub(super) fn merge(
        &self,
        sent: &Sent<'_>,
        reader: &mut Reader<'_>,
        value: &mut Value,
    ) -> Result<(), Trouble> {
        self.merge_from(&mut 0, false, sent, reader, value)
    }

    fn merge_from(
        &self,
        next: &mut usize,
        is_whole: bool,
        sent: &Sent<'_>,
        reader: &mut Reader<'_>,
        value: &mut Value,
    ) -> Result<(), Trouble> {
        let is_whole = is_whole || sent.has(*next);
        *next += 1;
        match (self, value) {
            (Type::Structure(members), Value::Structure(fields)) => {
                for (name, member) in members {
                    let field = fields.entry(name.clone()).or_insert_with(|| member.default());
                    member.merge_from(next, is_whole, sent, reader, field)?;
                }
            }
            (_, value) if is_whole => *value = self.read(reader, 0)?,
            _ => {}
        }
        Ok(())
    }

    /// How many fields it has with all within it, itself included.
    fn fields(&self) -> usize {
        match self {
            Type::Structure(members) => {
                1 + members.iter().map(|(_, member)| member.fields()).sum::<usize>()
            }
            _ => 1,
        }
    }

    /// The number and the type of a field, by its names from the outermost on.
    pub(super) fn find(&self, path: &[&str]) -> Option<(usize, &Type)> {
        let Some((first, rest)) = path.split_first() else { return Some((0, self)) };
        let Type::Structure(members) = self else { return None };
        let mut number = 1;
        for (name, member) in members {
            if name == first {
                let (within, found) = member.find(rest)?;
                return Some((number + within, found));
            }
            number += member.fields();
        }
        None
    }

    fn read(&self, reader: &mut Reader<'_>, depth: usize) -> Result<Value, Trouble> {
        if depth > MOST_DEPTH {
            return bad("values within values that are too deep");
        }
        Ok(match self {
            Type::Scalar(code) => scalar(*code, reader)?,
            Type::Array(code, fixed) => {
                let count = fixed.map_or_else(|| reader.size(), Ok)?;
                list(count, || scalar(*code, reader))?
            }
            Type::Structure(members) => {
                let mut fields = BTreeMap::new();
                for (name, member) in members {
                    fields.insert(name.clone(), member.read(reader, depth + 1)?);
                }
                Value::Structure(fields)
            }
            Type::StructureArray(element) | Type::UnionArray(element) => {
                list(reader.size()?, || match reader.u8()? {
                    0 => Ok(Value::Nothing(())),
                    _ => element.read(reader, depth + 1),
                })?
            }
            Type::Union(members) => match reader.optional_size()? {
                None => Value::Nothing(()),
                Some(chosen) => match members.get(chosen) {
                    Some((_, member)) => member.read(reader, depth + 1)?,
                    None => return bad("a member that the union does not have"),
                },
            },
            Type::Any => any(reader, depth)?,
            Type::AnyArray => list(reader.size()?, || match reader.u8()? {
                0 => Ok(Value::Nothing(())),
                _ => any(reader, depth),
            })?,
        })
    }
}

fn any(reader: &mut Reader<'_>, depth: usize) -> Result<Value, Trouble> {
    match Types::default().read(reader)? {
        None => Ok(Value::Nothing(())),
        Some(held) => held.read(reader, depth + 1),
    }
}

fn list(
    count: usize,
    mut element: impl FnMut() -> Result<Value, Trouble>,
) -> Result<Value, Trouble> {
    if count > MOST_ELEMENTS {
        return bad("more elements than this client takes");
    }
    (0..count).map(|_| element()).collect::<Result<_, _>>().map(Value::List)
}

fn scalar(code: u8, reader: &mut Reader<'_>) -> Result<Value, Trouble> {
    if code == STRING {
        let size = reader.size()?;
        return reader.take(size).map(Value::text_of);
    }
    let size = 1_usize << (code & 0x03);
    let mut bytes = [0; 8];
    let is_big_endian = reader.is_big_endian();
    for (at, byte) in reader.take(size)?.iter().enumerate() {
        bytes[if is_big_endian { size - 1 - at } else { at }] = *byte;
    }
    let bits = u64::from_le_bytes(bytes);
    let unused = 64 - 8 * size as u32;
    Ok(match code {
        0x00 => Value::Boolean(bits & 0xff != 0),
        0x20..=0x23 => Value::integer((bits << unused) as i64 >> unused),
        0x42 => Value::float(f64::from(f32::from_bits(bits as u32))),
        0x43 => Value::float(f64::from_bits(bits)),
        _ => Value::integer(bits),
    })
}

/// Appends a value of a type to a put.
pub(super) fn encode(
    kind: &Type,
    value: &Value,
    is_big_endian: bool,
    output: &mut Vec<u8>,
) -> Result<(), String> {
    match (kind, value) {
        (Type::Scalar(STRING), value) => {
            let bytes = value.bytes().ok_or("only a text is written to a text")?;
            size(bytes.len(), is_big_endian, output);
            output.extend(bytes);
            Ok(())
        }
        (Type::Scalar(code), value) => encode_number(*code, value, is_big_endian, output),
        (Type::Array(code, None), Value::List(elements)) => {
            size(elements.len(), is_big_endian, output);
            let element_type = Type::Scalar(*code);
            elements.iter().try_for_each(|one| encode(&element_type, one, is_big_endian, output))
        }
        (kind, value) => Err(format!("{value:?} is not written to {kind:?}")),
    }
}

fn encode_number(
    code: u8,
    value: &Value,
    is_big_endian: bool,
    output: &mut Vec<u8>,
) -> Result<(), String> {
    let wrong = || format!("{value:?} is not written to a number");
    let bits = match code {
        0x42 => u64::from((value.as_float().ok_or_else(wrong)? as f32).to_bits()),
        0x43 => value.as_float().ok_or_else(wrong)?.to_bits(),
        _ => value.as_integer().ok_or_else(wrong)? as u64,
    };
    let size = 1_usize << (code & 0x03);
    match is_big_endian {
        true => output.extend(&bits.to_be_bytes()[8 - size..]),
        false => output.extend(&bits.to_le_bytes()[..size]),
    }
    Ok(())
}

/// Appends a size.
pub(super) fn size(size: usize, is_big_endian: bool, output: &mut Vec<u8>) {
    const LONG: u8 = 254;
    if size < usize::from(LONG) {
        return output.push(size as u8);
    }
    output.push(LONG);
    let long = size as u32;
    output.extend(if is_big_endian { long.to_be_bytes() } else { long.to_le_bytes() });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_with_their_signs_in_both_byte_orders() {
        let read = |code, bytes: &[u8], is_big_endian| {
            scalar(code, &mut Reader::new(bytes, is_big_endian)).unwrap()
        };
        assert_eq!(read(0x20, b"\xff", false), Value::integer(-1));
        assert_eq!(read(0x24, b"\xff", false), Value::integer(255));
        assert_eq!(read(0x21, b"\xff\xfe", true), Value::integer(-2));
        assert_eq!(read(0x21, b"\xfe\xff", false), Value::integer(-2));
        assert_eq!(read(0x27, &[0xff; 8], false), Value::integer(u64::MAX));
        assert_eq!(read(0x43, &1.5_f64.to_be_bytes(), true), Value::float(1.5));
    }

    #[test]
    fn what_is_written_is_read_again() {
        for is_big_endian in [false, true] {
            let kind = Type::Array(0x22, None);
            let value = Value::List(vec![Value::integer(-7), Value::integer(1 << 20)]);
            let mut bytes = Vec::new();
            encode(&kind, &value, is_big_endian, &mut bytes).unwrap();
            let read = kind.read(&mut Reader::new(&bytes, is_big_endian), 0).unwrap();
            assert_eq!(read, value);
        }
    }

    #[test]
    fn fields_that_were_not_sent_keep_their_values() {
        let kind = Type::Structure(vec![
            ("value".to_owned(), Type::Scalar(0x22)),
            ("text".to_owned(), Type::Scalar(STRING)),
        ]);
        let mut value = kind.default();
        let bytes = [7, 0, 0, 0];
        kind.merge(&Sent(&[0b10]), &mut Reader::new(&bytes, false), &mut value).unwrap();
        let Value::Structure(fields) = value else { panic!("no structure") };
        assert_eq!(fields["value"], Value::integer(7));
        assert_eq!(fields["text"], Value::Text(String::new()));
        assert_eq!(kind.find(&["text"]).unwrap().0, 2);
    }
}
