//! Numbers, texts and sizes as bytes.

use std::fmt::Write as _;

/// Bytes of a size from which on it is no longer one byte.
const LONG_SIZE: u8 = 254;
/// No size at all.
const NO_SIZE: u8 = 255;

/// Why bytes cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// They end too early.
    Short,
    /// They are not of the protocol.
    Bad(String),
}

impl Trouble {
    /// As a sentence about a message of which all is there.
    pub(crate) fn in_words(self) -> String {
        match self {
            Trouble::Short => "the message ends before what it announces".to_owned(),
            Trouble::Bad(why) => why,
        }
    }
}

/// Reads one value after another.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    is_big_endian: bool,
}

macro_rules! numbers {
    ($($number:ident),*) => {$(
        /// Reads a number.
        pub(crate) fn $number(&mut self) -> Result<$number, Trouble> {
            let bytes = self.rest().first_chunk().ok_or(Trouble::Short)?;
            self.at += size_of::<$number>();
            Ok(match self.is_big_endian {
                true => $number::from_be_bytes(*bytes),
                false => $number::from_le_bytes(*bytes),
            })
        }
    )*};
}

impl<'a> Reader<'a> {
    /// At the beginning of `bytes`.
    pub(crate) fn new(bytes: &'a [u8], is_big_endian: bool) -> Reader<'a> {
        Reader { bytes, at: 0, is_big_endian }
    }

    numbers!(u8, u16, u32, i32, i64, f64);

    /// Whether numbers begin with their highest byte.
    pub(crate) fn is_big_endian(&self) -> bool {
        self.is_big_endian
    }

    /// What was not read.
    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// How many bytes were read.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Reads so many bytes.
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Trouble> {
        let taken = self.rest().get(..count).ok_or(Trouble::Short)?;
        self.at += count;
        Ok(taken)
    }

    /// Leaves out so many elements of so many bytes.
    pub(crate) fn skip(&mut self, count: usize, bytes: usize) -> Result<(), Trouble> {
        let all = count.checked_mul(bytes).ok_or(Trouble::Short)?;
        self.take(all).map(drop)
    }

    /// Reads a size that may be missing.
    pub(crate) fn optional_size(&mut self) -> Result<Option<usize>, Trouble> {
        match self.u8()? {
            NO_SIZE => Ok(None),
            LONG_SIZE => match usize::try_from(self.i32()?) {
                Ok(size) if size < i32::MAX as usize => Ok(Some(size)),
                _ => Err(Trouble::Bad("a size of 2 GiB or more".to_owned())),
            },
            size => Ok(Some(usize::from(size))),
        }
    }

    /// Reads a size; one that is missing is 0.
    pub(crate) fn size(&mut self) -> Result<usize, Trouble> {
        Ok(self.optional_size()?.unwrap_or(0))
    }

    /// Reads a text; bytes that are none are shown as such.
    pub(crate) fn text(&mut self) -> Result<String, Trouble> {
        let size = self.size()?;
        Ok(String::from_utf8_lossy(self.take(size)?).into_owned())
    }
}

/// Writes one value after another.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    output: &'a mut Vec<u8>,
    is_big_endian: bool,
}

impl<'a> Writer<'a> {
    /// At the end of `output`.
    pub(crate) fn new(output: &'a mut Vec<u8>, is_big_endian: bool) -> Writer<'a> {
        Writer { output, is_big_endian }
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.output.extend_from_slice(bytes);
    }

    /// Writes one byte.
    pub(crate) fn u8(&mut self, number: u8) {
        self.output.push(number);
    }

    /// Writes a number.
    pub(crate) fn u16(&mut self, number: u16) {
        self.number(number.to_be_bytes());
    }

    /// Writes a number.
    pub(crate) fn u32(&mut self, number: u32) {
        self.number(number.to_be_bytes());
    }

    /// Writes a number.
    pub(crate) fn f64(&mut self, number: f64) {
        self.number(number.to_be_bytes());
    }

    /// Writes a size.
    ///
    /// # Panics
    /// When it is one of 2 GiB or more, which no request of this client has.
    pub(crate) fn size(&mut self, size: usize) {
        if size < usize::from(LONG_SIZE) {
            return self.u8(size as u8);
        }
        self.u8(LONG_SIZE);
        self.u32(u32::try_from(size).expect("less than 2 GiB"));
    }

    /// Writes a text.
    pub(crate) fn text(&mut self, text: &str) {
        self.size(text.len());
        self.bytes(text.as_bytes());
    }

    fn number<const BYTES: usize>(&mut self, mut big_endian: [u8; BYTES]) {
        if !self.is_big_endian {
            big_endian.reverse();
        }
        self.bytes(&big_endian);
    }
}

/// Bytes as two digits each.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        let blank = if text.is_empty() { "" } else { " " };
        // Writing to a string cannot fail.
        let _ = write!(text, "{blank}{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_in_both_byte_orders() {
        for is_big_endian in [false, true] {
            let mut output = Vec::new();
            let mut writer = Writer::new(&mut output, is_big_endian);
            writer.u8(1);
            writer.u16(2);
            writer.u32(3);
            writer.f64(0.1);
            writer.text("four");
            writer.text(&"x".repeat(300));
            let mut reader = Reader::new(&output, is_big_endian);
            assert_eq!((reader.u8(), reader.u16(), reader.u32()), (Ok(1), Ok(2), Ok(3)));
            assert_eq!(reader.f64(), Ok(0.1));
            assert_eq!(reader.text().unwrap(), "four");
            assert_eq!(reader.text().unwrap().len(), 300);
            assert_eq!(reader.u8(), Err(Trouble::Short));
        }
    }

    #[test]
    fn sizes_may_be_missing_but_not_negative() {
        assert_eq!(Reader::new(b"\xff", false).optional_size(), Ok(None));
        assert_eq!(Reader::new(b"\xfe\x00\x01\x00\x00", false).size(), Ok(256));
        let negative = Reader::new(b"\xfe\xff\xff\xff\xff", false).size();
        assert!(matches!(negative, Err(Trouble::Bad(_))));
        assert_eq!(Reader::new(b"\x05abc", false).text(), Err(Trouble::Short));
        assert_eq!(Reader::new(b"abc", false).skip(usize::MAX, 8), Err(Trouble::Short));
    }
}
