//! The sum of a frame's pixels, where they lie in the receive buffer.

/// Bytes that are added up together: as many as the compiler makes good use of.
const ROW_BYTES: usize = 32;

/// So many bytes never overflow a sum of 16 bit.
const ADDENDS: usize = 256;

/// The sum of 16 bit numbers whose bytes come in pieces that end anywhere.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::worker) struct PixelSum {
    /// Of the first bytes of all numbers.
    first: u64,
    /// Of the second bytes.
    second: u64,
    /// Whether the next byte is a number's second one.
    is_split: bool,
}

impl PixelSum {
    /// Adds the bytes that follow.
    pub(in crate::worker) fn add(&mut self, mut bytes: &[u8]) {
        if self.is_split
            && let Some((byte, rest)) = bytes.split_first()
        {
            self.second += u64::from(*byte);
            self.is_split = false;
            bytes = rest;
        }
        let (first, second) = sums_of_pairs(bytes);
        self.first += first;
        self.second += second;
        if !bytes.len().is_multiple_of(2)
            && let Some(byte) = bytes.last()
        {
            self.first += u64::from(*byte);
            self.is_split = true;
        }
    }

    /// The sum of all whole numbers.
    pub(in crate::worker) fn total(&self, is_big_endian: bool) -> u64 {
        if is_big_endian {
            (self.first << 8) + self.second
        } else {
            self.first + (self.second << 8)
        }
    }
}

/// The sums of the first and of the second bytes of 16 bit numbers; a last byte without
/// another is left out.
///
/// They are added up apart, each in 16 bit, four to a word: that takes no turning of
/// bytes and half the time of adding the numbers.
fn sums_of_pairs(pixels: &[u8]) -> (u64, u64) {
    const EVERY_OTHER_BYTE: u64 = 0x00ff_00ff_00ff_00ff;
    const WORDS: usize = ROW_BYTES / 8;
    let mut sums = (0, 0);
    for pixels in pixels.chunks(ROW_BYTES * ADDENDS) {
        let (rows, rest) = pixels.as_chunks::<ROW_BYTES>();
        let (mut first, mut second) = ([0; WORDS], [0; WORDS]);
        for row in rows {
            let (words, _) = row.as_chunks();
            for (at, word) in words.iter().enumerate() {
                let word = u64::from_le_bytes(*word);
                // `ADDENDS` keeps each quarter below 2^16; a check here takes time.
                first[at] = u64::wrapping_add(first[at], word & EVERY_OTHER_BYTE);
                second[at] = u64::wrapping_add(second[at], word >> 8 & EVERY_OTHER_BYTE);
            }
        }
        let of_words = |words: [u64; WORDS]| words.into_iter().map(sum_of_quarters).sum::<u64>();
        let (rest, _) = rest.as_chunks::<2>();
        let of_rest = |at: usize| rest.iter().map(|pixel| u64::from(pixel[at])).sum::<u64>();
        sums.0 += of_words(first) + of_rest(0);
        sums.1 += of_words(second) + of_rest(1);
    }
    sums
}

fn sum_of_quarters(word: u64) -> u64 {
    [0, 16, 32, 48].into_iter().map(|shift| word >> shift & 0xffff).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(pixels: &[u8], piece: usize, is_big_endian: bool) -> u64 {
        let mut sum = PixelSum::default();
        pixels.chunks(piece).for_each(|piece| sum.add(piece));
        sum.total(is_big_endian)
    }

    #[test]
    fn no_sum_overflows_and_none_leaves_out_a_pixel() {
        for pixels in [0_usize, 1, 15, 16, 4095, 4096, 4097, 200_000] {
            let white = vec![0xff; 2 * pixels];
            let ramp = (0..pixels).map(|index| index as u16);
            let expected: u64 = ramp.clone().map(u64::from).sum();
            let big: Vec<u8> = ramp.clone().flat_map(u16::to_be_bytes).collect();
            let little: Vec<u8> = ramp.flat_map(u16::to_le_bytes).collect();
            for piece in [1, 7, 64, 65_536, 1 << 20] {
                assert_eq!(sum(&white, piece, true), 65_535 * pixels as u64);
                assert_eq!(sum(&big, piece, true), expected, "{pixels} {piece}");
                assert_eq!(sum(&little, piece, false), expected, "{pixels} {piece}");
            }
        }
    }
}
