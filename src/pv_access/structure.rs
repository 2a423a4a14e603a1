//! Types as servers describe them, and finding fields in what they send.

use std::collections::HashMap;
use std::rc::Rc;

use super::bytes::{Reader, Trouble, hexadecimal};

/// The code of a 16 bit number.
pub(crate) const INT16: u8 = 0x21;
/// The code of an unsigned 16 bit number.
pub(crate) const UINT16: u8 = 0x25;
/// The code of a 64 bit floating-point number.
pub(crate) const DOUBLE: u8 = 0x43;

const STRING: u8 = 0x60;
const STRUCTURE: u8 = 0x80;
const UNION: u8 = 0x81;
const ANY: u8 = 0x82;
const BOUNDED_STRING: u8 = 0x83;
const STRUCTURE_ARRAY: u8 = 0x88;
const UNION_ARRAY: u8 = 0x89;
const ANY_ARRAY: u8 = 0x8a;
/// Names a type and describes it.
const FULL_WITH_ID: u8 = 0xfd;
/// Names a type that was described before.
const ONLY_ID: u8 = 0xfe;
/// No type.
const NULL: u8 = 0xff;

/// The bits of a scalar's code that say which array it is.
const ARRAY_BITS: u8 = 0x18;
const BOUNDED_ARRAY: u8 = 0x10;
const FIXED_ARRAY: u8 = 0x18;

/// Types within types.
const MOST_DEPTH: usize = 20;
/// Fields of one type.
const MOST_FIELDS: usize = 4096;
/// Fields of all types that a server may have this client remember.
const MOST_REMEMBERED: usize = 1 << 20;
/// Bytes of a description that an error shows.
const BYTES_SHOWN: usize = 64;

/// A type: its fields as they follow on one another in the description, each before
/// those within it. The first is the type itself.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Structure {
    fields: Vec<Field>,
}

#[derive(Debug, Clone, PartialEq)]
struct Field {
    name: String,
    kind: Kind,
    /// How many fields it is with all within it.
    length: usize,
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Structure,
    Scalar {
        code: u8,
        bytes: usize,
    },
    String,
    /// Its size is sent.
    Array {
        code: u8,
        bytes: usize,
    },
    StringArray,
    /// Its size is that of the type.
    FixedArray {
        bytes: usize,
        count: usize,
    },
    FixedStringArray {
        count: usize,
    },
    Union(Rc<[Structure]>),
    UnionArray(Rc<[Structure]>),
    StructureArray(Rc<Structure>),
    Any,
    AnyArray,
}

/// The types that a server has named.
#[derive(Debug, Default)]
pub(crate) struct Types {
    named: HashMap<u16, Structure>,
    remembered: usize,
}

/// Which fields of a value are there: one bit for each, the lowest first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bits<'a>(&'a [u8]);

impl<'a> Bits<'a> {
    /// Reads a set of bits.
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Bits<'a>, Trouble> {
        let size = reader.size()?;
        Ok(Bits(reader.take(size)?))
    }

    fn has(self, index: usize) -> bool {
        self.0.get(index / 8).is_some_and(|byte| byte >> (index % 8) & 1 != 0)
    }
}

impl Types {
    /// Reads the description of a type.
    ///
    /// # Errors
    /// When it is none that is known here, with its bytes.
    pub(crate) fn read(&mut self, reader: &mut Reader<'_>) -> Result<Structure, Trouble> {
        let begin = reader.clone();
        let mut fields = Vec::new();
        self.field(reader, &mut fields, String::new(), 0).map_err(|trouble| match trouble {
            Trouble::Short => Trouble::Short,
            Trouble::Bad(why) => {
                let bytes = &begin.rest()[..begin.rest().len().min(BYTES_SHOWN)];
                Trouble::Bad(format!("{why}, in the description {}", hexadecimal(bytes)))
            }
        })?;
        Ok(Structure { fields })
    }

    fn field(
        &mut self,
        reader: &mut Reader<'_>,
        fields: &mut Vec<Field>,
        name: String,
        depth: usize,
    ) -> Result<(), Trouble> {
        if depth > MOST_DEPTH || fields.len() >= MOST_FIELDS {
            return bad("a type of too many fields");
        }
        match reader.u8()? {
            NULL => bad("no type"),
            FULL_WITH_ID => {
                let id = reader.u16()?;
                let begin = fields.len();
                self.field(reader, fields, name, depth + 1)?;
                self.remember(id, fields[begin..].to_vec())
            }
            ONLY_ID => {
                let id = reader.u16()?;
                let Some(known) = self.named.get(&id) else {
                    return Err(Trouble::Bad(format!("the type {id} was never described")));
                };
                if fields.len() + known.fields.len() > MOST_FIELDS {
                    return bad("a type of too many fields");
                }
                let begin = fields.len();
                fields.extend_from_slice(&known.fields);
                fields[begin].name = name;
                Ok(())
            }
            STRUCTURE => self.structure(reader, fields, name, depth),
            code => {
                let kind = self.kind(reader, code, depth)?;
                fields.push(Field { name, kind, length: 1 });
                Ok(())
            }
        }
    }

    fn structure(
        &mut self,
        reader: &mut Reader<'_>,
        fields: &mut Vec<Field>,
        name: String,
        depth: usize,
    ) -> Result<(), Trouble> {
        let begin = fields.len();
        fields.push(Field { name, kind: Kind::Structure, length: 0 });
        reader.text()?;
        for _ in 0..reader.size()? {
            let name = reader.text()?;
            self.field(reader, fields, name, depth + 1)?;
        }
        fields[begin].length = fields.len() - begin;
        Ok(())
    }

    fn kind(&mut self, reader: &mut Reader<'_>, code: u8, depth: usize) -> Result<Kind, Trouble> {
        Ok(match code {
            UNION => Kind::Union(self.members(reader, depth)?),
            UNION_ARRAY => {
                expect(reader, UNION)?;
                Kind::UnionArray(self.members(reader, depth)?)
            }
            STRUCTURE_ARRAY => {
                let mut fields = Vec::new();
                self.field(reader, &mut fields, String::new(), depth + 1)?;
                Kind::StructureArray(Rc::new(Structure { fields }))
            }
            ANY => Kind::Any,
            ANY_ARRAY => Kind::AnyArray,
            BOUNDED_STRING => {
                reader.size()?;
                Kind::String
            }
            code => scalar(reader, code)?,
        })
    }

    fn members(
        &mut self,
        reader: &mut Reader<'_>,
        depth: usize,
    ) -> Result<Rc<[Structure]>, Trouble> {
        reader.text()?;
        let count = reader.size()?;
        let mut members = Vec::new();
        let mut all = 0;
        for _ in 0..count {
            let name = reader.text()?;
            let mut fields = Vec::new();
            self.field(reader, &mut fields, name, depth + 1)?;
            all += fields.len();
            if all > MOST_FIELDS {
                return bad("a type of too many fields");
            }
            members.push(Structure { fields });
        }
        Ok(members.into())
    }

    fn remember(&mut self, id: u16, fields: Vec<Field>) -> Result<(), Trouble> {
        self.remembered += fields.len();
        if self.remembered > MOST_REMEMBERED {
            return bad("more types than are remembered");
        }
        if let Some(before) = self.named.insert(id, Structure { fields }) {
            self.remembered -= before.fields.len();
        }
        Ok(())
    }
}

/// A number, a text or an array of one of them.
fn scalar(reader: &mut Reader<'_>, code: u8) -> Result<Kind, Trouble> {
    let element = code & !ARRAY_BITS;
    let bytes = match element {
        0x00 | 0x20 | 0x24 => Some(1),
        0x21 | 0x25 => Some(2),
        0x22 | 0x26 | 0x42 => Some(4),
        0x23 | 0x27 | DOUBLE => Some(8),
        STRING => None,
        _ => return Err(Trouble::Bad(format!("the type {code:#04x} is not known"))),
    };
    let array = code & ARRAY_BITS;
    let count = if array >= BOUNDED_ARRAY { reader.size()? } else { 0 };
    Ok(match (array, bytes) {
        (0, Some(bytes)) => Kind::Scalar { code: element, bytes },
        (0, None) => Kind::String,
        (FIXED_ARRAY, Some(bytes)) => Kind::FixedArray { bytes, count },
        (FIXED_ARRAY, None) => Kind::FixedStringArray { count },
        (_, Some(bytes)) => Kind::Array { code: element, bytes },
        (_, None) => Kind::StringArray,
    })
}

fn expect(reader: &mut Reader<'_>, code: u8) -> Result<(), Trouble> {
    match reader.u8()? {
        found if found == code => Ok(()),
        found => Err(Trouble::Bad(format!("the type {found:#04x} where {code:#04x} must be"))),
    }
}

fn bad<T>(why: &str) -> Result<T, Trouble> {
    Err(Trouble::Bad(why.to_owned()))
}

impl Structure {
    /// The number of a field, by its names from the outermost on.
    pub(crate) fn find(&self, path: &[&str]) -> Option<usize> {
        let mut at = 0;
        for name in path {
            let end = at + self.fields[at].length;
            if self.fields[at].kind != Kind::Structure {
                return None;
            }
            at += 1;
            while at < end && self.fields[at].name != *name {
                at += self.fields[at].length;
            }
            if at >= end {
                return None;
            }
        }
        Some(at)
    }

    /// The code of a field that is one number; none of any other.
    pub(crate) fn scalar_code(&self, field: usize) -> Option<u8> {
        match self.fields.get(field)?.kind {
            Kind::Scalar { code, .. } => Some(code),
            _ => None,
        }
    }

    /// The code of the elements of a field that is an array of numbers.
    pub(crate) fn array_code(&self, field: usize) -> Option<u8> {
        match self.fields.get(field)?.kind {
            Kind::Array { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Goes through those fields of a value that `bits` says are there. `taken` may take
    /// one off the reader, and says whether it did.
    pub(crate) fn visit<'a>(
        &self,
        bits: Bits<'_>,
        reader: &mut Reader<'a>,
        mut taken: impl FnMut(usize, &mut Reader<'a>) -> Result<bool, Trouble>,
    ) -> Result<(), Trouble> {
        // Fields before this one are there with the structure that has them.
        let mut whole_until = 0;
        for (at, field) in self.fields.iter().enumerate() {
            if bits.has(at) {
                whole_until = whole_until.max(at + field.length);
            }
            let is_there = at < whole_until;
            if is_there && field.kind != Kind::Structure && !taken(at, reader)? {
                skip(&field.kind, reader, 0)?;
            }
        }
        Ok(())
    }

    fn skip(&self, reader: &mut Reader<'_>, depth: usize) -> Result<(), Trouble> {
        self.fields.iter().try_for_each(|field| skip(&field.kind, reader, depth))
    }
}

/// Leaves out a field's value.
fn skip(kind: &Kind, reader: &mut Reader<'_>, depth: usize) -> Result<(), Trouble> {
    if depth > MOST_DEPTH {
        return bad("values within values that are too deep");
    }
    match kind {
        Kind::Structure => Ok(()),
        Kind::Scalar { bytes, .. } => reader.skip(1, *bytes),
        Kind::String => text(reader),
        Kind::Array { bytes, .. } => {
            let count = reader.size()?;
            reader.skip(count, *bytes)
        }
        Kind::FixedArray { bytes, count } => reader.skip(*count, *bytes),
        Kind::StringArray => each(reader, text),
        Kind::FixedStringArray { count } => (0..*count).try_for_each(|_| text(reader)),
        Kind::Union(members) => member(members, reader, depth),
        Kind::UnionArray(members) => each(reader, |reader| match reader.u8()? {
            0 => Ok(()),
            _ => member(members, reader, depth),
        }),
        Kind::StructureArray(element) => each(reader, |reader| match reader.u8()? {
            0 => Ok(()),
            _ => element.skip(reader, depth + 1),
        }),
        Kind::Any => any(reader, depth),
        Kind::AnyArray => each(reader, |reader| match reader.u8()? {
            0 => Ok(()),
            _ => any(reader, depth),
        }),
    }
}

/// Each takes at least a byte, so a size that is a lie ends with the message.
fn each(
    reader: &mut Reader<'_>,
    mut one: impl FnMut(&mut Reader<'_>) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    let count = reader.size()?;
    (0..count).try_for_each(|_| one(reader))
}

fn text(reader: &mut Reader<'_>) -> Result<(), Trouble> {
    let size = reader.size()?;
    reader.skip(size, 1)
}

fn member(members: &[Structure], reader: &mut Reader<'_>, depth: usize) -> Result<(), Trouble> {
    match reader.optional_size()? {
        None => Ok(()),
        Some(chosen) => match members.get(chosen) {
            Some(member) => member.skip(reader, depth + 1),
            None => Err(Trouble::Bad(format!("member {chosen} of a union of {}", members.len()))),
        },
    }
}

/// A value that brings its type. What it names is not remembered: this client asks for
/// no field of such a type.
fn any(reader: &mut Reader<'_>, depth: usize) -> Result<(), Trouble> {
    if reader.rest().first() == Some(&NULL) {
        return reader.skip(1, 1);
    }
    Types::default().read(reader)?.skip(reader, depth + 1)
}

#[cfg(test)]
mod tests;
