//! Quantities as people read them.

/// Seconds as the write-ups print them: `2.84e-2`.
pub fn scientific(seconds: f64) -> String {
    format!("{seconds:.2e}")
}

/// The same with its sign, for differences: `+1.20e-5`.
pub fn signed(seconds: f64) -> String {
    format!("{seconds:+.2e}")
}

/// A part of a core, in percent: `28.8`.
pub fn percent(percent: f64) -> String {
    format!("{percent:.1}")
}

/// Nanoseconds in milliseconds, to three digits: `0.152`, `12.4`.
pub fn milliseconds(ns: u64) -> String {
    let milliseconds = ns as f64 / 1e6;
    match milliseconds {
        small if small < 10.0 => format!("{small:.3}"),
        middle if middle < 1000.0 => format!("{middle:.1}"),
        large => format!("{large:.0}"),
    }
}

/// Bytes in MiB: `62.4`.
pub fn mebibytes(bytes: f64) -> String {
    format!("{:.1}", bytes / f64::from(1 << 20))
}

/// A count with thin groups of three digits: `10 000`.
pub fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_like_those_of_the_write_ups() {
        assert_eq!(scientific(0.0284), "2.84e-2");
        assert_eq!(signed(0.000_012), "+1.20e-5");
        assert_eq!(grouped(1_000_000), "1 000 000");
        assert_eq!(grouped(42), "42");
        assert_eq!(percent(28.776), "28.8");
        assert_eq!(
            [152_400, 12_440_000, 5_000_400_000].map(milliseconds),
            ["0.152", "12.4", "5000"]
        );
        assert_eq!(mebibytes(1_048_576.0 * 62.42), "62.4");
    }
}
