//! The frames of the frame generator (`vendor/shim/frame_generator.cpp`): what
//! each holds, and the sum of its pixels; no I/O.
//!
//! A frame is an array of unsigned 16-bit pixels. Pixels 0 and 1 are its number,
//! low half first. Every other pixel is a ramp over the picture plus a shade that
//! all pixels of one frame share:
//!
//! `pixel(i) = i mod 32749 + number * 40503 mod 32768`
//!
//! Nothing overflows 16 bits. Frames in a row have different shades (the factor is
//! odd), so a frame of which any part is another frame's has another sum.

/// The length of the ramp: a prime, so that no row of a usual width repeats it.
const RAMP: u64 = 32_749;

/// By how much the shade grows from frame to frame, modulo [`SHADES`].
const SHADE_STEP: u64 = 40_503;

/// How many shades there are.
const SHADES: u64 = 32_768;

/// Pixels that hold the number.
const NUMBER_PIXELS: usize = 2;

/// The sum of all `pixels` of the frame `number`; at least two pixels.
pub fn sum(number: u32, pixels: usize) -> u64 {
    let number_sum = u64::from(number & 0xffff) + u64::from(number >> 16);
    let shaded = (pixels - NUMBER_PIXELS) as u64;
    number_sum + ramp_sum(pixels) + shaded * shade(number)
}

/// One pixel of the frame `number`.
pub fn pixel(number: u32, index: usize) -> u16 {
    match index {
        0 => number as u16,
        1 => (number >> 16) as u16,
        _ => (index as u64 % RAMP + shade(number)) as u16,
    }
}

fn shade(number: u32) -> u64 {
    u64::from(number) * SHADE_STEP % SHADES
}

/// The ramp's part of the sum: 0 + 1 + … over whole ramps and the rest, without
/// the two pixels of the number.
fn ramp_sum(pixels: usize) -> u64 {
    let (whole, rest) = (pixels as u64 / RAMP, pixels as u64 % RAMP);
    let up_to = |count: u64| count * count.saturating_sub(1) / 2;
    let number_pixels = up_to(NUMBER_PIXELS as u64);
    whole * up_to(RAMP) + up_to(rest) - number_pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added_up(number: u32, pixels: usize) -> u64 {
        (0..pixels).map(|index| u64::from(pixel(number, index))).sum()
    }

    #[test]
    fn the_sum_is_that_of_the_pixels() {
        for number in [0, 1, 77, 65_536, 1_000_000_007] {
            for pixels in [2, 3, 32_749, 32_750, 326_400] {
                assert_eq!(sum(number, pixels), added_up(number, pixels), "{number} {pixels}");
            }
        }
    }

    #[test]
    fn a_torn_frame_has_another_sum() {
        let pixels = 326_400;
        for number in 0..200 {
            let whole = sum(number, pixels);
            let torn = |from: usize| {
                (from..pixels).fold(whole, |sum, index| {
                    sum - u64::from(pixel(number, index)) + u64::from(pixel(number + 1, index))
                })
            };
            assert_ne!(torn(pixels - 1), whole);
            assert_ne!(torn(pixels / 2), whole);
        }
    }

    #[test]
    fn no_pixel_overflows() {
        let most = (0..SHADES as u32).map(|number| shade(number) + RAMP - 1).max().unwrap();
        assert!(most <= u64::from(u16::MAX));
    }
}
