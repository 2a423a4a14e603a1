//! Quantities as people read them.

/// Seconds as the write-ups print them: `2.84e-2`.
pub fn scientific(seconds: f64) -> String {
    format!("{seconds:.2e}")
}

/// Seconds in µs, to three digits: `97.1`.
pub fn microseconds(seconds: f64) -> String {
    quantity(1e6 * seconds)
}

/// The same with its sign, for differences: `+97.1`.
pub fn signed_microseconds(seconds: f64) -> String {
    let sign = if seconds < 0.0 { "-" } else { "+" };
    format!("{sign}{}", microseconds(seconds.abs()))
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

/// Bytes in MB (10^6 bytes): `62.4`.
pub fn megabytes(bytes: f64) -> String {
    format!("{:.1}", bytes / 1e6)
}

/// Seconds with a unit, to three digits: `32.1 ms`, `480 ns`, `1.2 s`, `-3 µs`.
pub fn duration(seconds: f64) -> String {
    let units = [(1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")];
    let size = seconds.abs();
    // What would be rounded up to 1000 of a unit is 1 of the next.
    let fits = |(factor, _): &&(f64, &str)| size >= 0.9995 * factor;
    let (factor, unit) = units.iter().find(fits).unwrap_or(match size == 0.0 {
        true => &units[0],
        false => &units[3],
    });
    format!("{} {unit}", quantity(seconds / factor))
}

/// A number to three digits, without those that say nothing: `0.5`, `12.4`, `1500`;
/// `1e6` from a million on.
pub fn quantity(number: f64) -> String {
    let size = number.abs();
    let digits = match size {
        _ if size >= 1e6 || (size > 0.0 && size < 1e-3) => return exponential(number),
        _ if size >= 99.95 => 0,
        _ if size >= 9.995 => 1,
        _ if size >= 0.9995 => 2,
        _ => 3,
    };
    let fixed = format!("{number:.digits$}");
    match fixed.contains('.') {
        true => fixed.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => fixed,
    }
}

fn exponential(number: f64) -> String {
    let text = format!("{number:.2e}");
    let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    format!("{digits}e{power}")
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

/// A count of things: `1 PV`, `10 000 PVs`, `2 approaches`.
pub fn counted(count: usize, thing: &str) -> String {
    let ending = match count {
        1 => "",
        _ if thing.ends_with("ch") => "es",
        _ => "s",
    };
    format!("{} {thing}{ending}", grouped(count))
}

/// A part of such things: `1 of 1 PV`, `3 of 10 000 PVs`.
pub fn counted_of(part: usize, all: usize, thing: &str) -> String {
    format!("{} of {}", grouped(part), counted(all, thing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_like_those_of_the_write_ups() {
        assert_eq!(scientific(0.0284), "2.84e-2");
        assert_eq!([9.713e-5, -1.2e-6].map(signed_microseconds), ["+97.1", "-1.2"]);
        assert_eq!(grouped(1_000_000), "1 000 000");
        assert_eq!(grouped(42), "42");
        assert_eq!(
            [0, 1, 10_000].map(|count| counted(count, "PV")),
            ["0 PVs", "1 PV", "10 000 PVs"]
        );
        assert_eq!(
            [(1, 1), (1, 2), (0, 10_000)].map(|(part, all)| counted_of(part, all, "PV")),
            ["1 of 1 PV", "1 of 2 PVs", "0 of 10 000 PVs"]
        );
        assert_eq!(percent(28.776), "28.8");
        assert_eq!(
            [152_400, 12_440_000, 5_000_400_000].map(milliseconds),
            ["0.152", "12.4", "5000"]
        );
        assert_eq!(
            [0.0321, 4.8e-7, 1.2, -3e-6, 0.0, 0.9999, 1e-12].map(duration),
            ["32.1 ms", "480 ns", "1.2 s", "-3 µs", "0 s", "1 s", "0.001 ns"]
        );
        assert_eq!(
            [0.5, 12.44, 1500.0, 2e6, 1e-5, 0.0, 100.0].map(quantity),
            ["0.5", "12.4", "1500", "2e6", "1e-5", "0", "100"]
        );
        assert_eq!(megabytes(62.42e6), "62.4");
    }
}
