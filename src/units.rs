//! Quantities as people read them.

/// Seconds as the write-ups print them: `2.84e-2`.
pub fn scientific(seconds: f64) -> String {
    format!("{seconds:.2e}")
}

/// The same with its sign, for differences: `+1.20e-5`.
pub fn signed(seconds: f64) -> String {
    format!("{seconds:+.2e}")
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
    }
}
