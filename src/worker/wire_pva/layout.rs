//! Where in a type the fields are that this client asks for.

use std::rc::Rc;

use crate::pv_access::{Bits, DOUBLE, INT16, Reader, Structure, Trouble, UINT16};
use crate::worker::updates::Update;

const NANOSECONDS: i64 = 1_000_000_000;

/// A type and its fields of interest.
#[derive(Debug)]
pub(super) struct Layout {
    structure: Structure,
    value: usize,
    seconds: Option<usize>,
    nanoseconds: Option<usize>,
}

/// The types of a job, of which most PVs have the same.
#[derive(Debug, Default)]
pub(super) struct Layouts {
    all: Vec<Rc<Layout>>,
    /// The bytes of the latest description that names no type, and its number.
    latest: Option<(Vec<u8>, bool, u16)>,
}

impl Layouts {
    /// The layout of a number.
    pub(super) fn get(&self, number: u16) -> &Rc<Layout> {
        &self.all[usize::from(number)]
    }

    /// The number of a description that was the latest before.
    pub(super) fn same_as_latest(&self, description: &[u8], is_big_endian: bool) -> Option<u16> {
        let (bytes, order, number) = self.latest.as_ref()?;
        (bytes == description && *order == is_big_endian).then_some(*number)
    }

    /// The number of a type, which `description` describes; descriptions that name
    /// types mean something else at another time.
    ///
    /// # Errors
    /// When it has no field `value`, or there are more types than this client knows.
    pub(super) fn add(
        &mut self,
        structure: Structure,
        (description, is_big_endian): (&[u8], bool),
        names_types: bool,
    ) -> Result<u16, String> {
        let known = self.all.iter().position(|layout| layout.structure == structure);
        let number = match known {
            Some(number) => number,
            None => {
                self.all.push(Rc::new(Layout::of(structure)?));
                self.all.len() - 1
            }
        };
        // One number is left for what has none.
        let number = u16::try_from(number)
            .ok()
            .filter(|number| *number < u16::MAX)
            .ok_or("more than 65534 types")?;
        if !names_types {
            self.latest = Some((description.to_vec(), is_big_endian, number));
        }
        Ok(number)
    }
}

impl Layout {
    fn of(structure: Structure) -> Result<Layout, String> {
        let find = |path: &[&str]| structure.find(path);
        Ok(Layout {
            value: find(&["value"]).ok_or("the PV has no field `value`")?,
            seconds: find(&["timeStamp", "secondsPastEpoch"]),
            nanoseconds: find(&["timeStamp", "nanoseconds"]),
            structure,
        })
    }

    /// The field to write a double to.
    ///
    /// # Errors
    /// When it is of another type.
    pub(super) fn double_field(&self) -> Result<usize, String> {
        match self.structure.scalar_code(self.value) {
            Some(DOUBLE) => Ok(self.value),
            _ => Err("the field `value` is no double".to_owned()),
        }
    }

    /// Reads a double with what else is there of it; fields that are not there stay as
    /// they are.
    pub(super) fn read_scalar(
        &self,
        reader: &mut Reader<'_>,
        update: &mut Update,
    ) -> Result<(), Trouble> {
        self.double_field().map_err(Trouble::Bad)?;
        self.read(reader, update, |update, reader| {
            update.number = reader.f64()?;
            Ok(())
        })
    }

    /// Reads what is there of a frame whose pixels were taken out: only their count is
    /// left. Calls `pixels` with that count where there are any.
    pub(super) fn read_frame(
        &self,
        reader: &mut Reader<'_>,
        update: &mut Update,
        mut pixels: impl FnMut(&mut Reader<'_>, usize) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        if !matches!(self.structure.array_code(self.value), Some(INT16 | UINT16)) {
            return Err(Trouble::Bad("the field `value` is no array of 16 bit numbers".to_owned()));
        }
        self.read(reader, update, |_, reader| {
            let count = reader.size()?;
            pixels(reader, count)
        })
    }

    fn read(
        &self,
        reader: &mut Reader<'_>,
        update: &mut Update,
        mut value: impl FnMut(&mut Update, &mut Reader<'_>) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let bits = Bits::read(reader)?;
        let (mut seconds, mut nanoseconds) =
            (update.stamp_ns.div_euclid(NANOSECONDS), update.stamp_ns.rem_euclid(NANOSECONDS));
        self.structure.visit(bits, reader, |field, reader| {
            if field == self.value {
                value(update, reader)?;
            } else if Some(field) == self.seconds {
                seconds = reader.i64()?;
            } else if Some(field) == self.nanoseconds {
                nanoseconds = i64::from(reader.i32()?);
            } else {
                return Ok(false);
            }
            Ok(true)
        })?;
        update.stamp_ns = seconds.wrapping_mul(NANOSECONDS).wrapping_add(nanoseconds);
        Ok(())
    }
}
