//! From how many PVs on something matters.

use crate::judge::Crossing;
use crate::units::grouped;

/// The interval, for a table in which it has no more room: `8 100 to 10 200`.
pub(in crate::report) fn crossing(crossing: Crossing) -> String {
    match crossing {
        Crossing::From { low, high, .. } => range(low, high),
        Crossing::NotBelow(pvs) => format!("over {}", count(pvs)),
        Crossing::Never => "never".to_owned(),
        Crossing::Undecided => "undecided".to_owned(),
    }
}

/// The count with its interval: `9 000 (8 100 to 10 200)`.
pub(in crate::report) fn crossing_in_full(crossing: Crossing) -> String {
    match crossing {
        Crossing::From { pvs, low, high } => format!("{} ({})", count(pvs), range(low, high)),
        Crossing::NotBelow(pvs) => format!("over {}, or never", count(pvs)),
        other => self::crossing(other),
    }
}

fn range(low: usize, high: usize) -> String {
    match (count(low), count(high)) {
        (low, high) if low == high => low,
        (low, high) => format!("{low} to {high}"),
    }
}

/// To three digits: no interval is narrower.
fn count(pvs: usize) -> String {
    let digits = pvs.checked_ilog10().unwrap_or(0);
    let step = 10_usize.pow(digits.saturating_sub(2));
    grouped((pvs / step).saturating_add(usize::from(pvs % step >= step.div_ceil(2))) * step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_three_digits_and_their_interval() {
        let from = Crossing::From { pvs: 9_004, low: 8_096, high: 10_249 };
        assert_eq!(crossing_in_full(from), "9 000 (8 100 to 10 200)");
        assert_eq!(crossing(from), "8 100 to 10 200");
        assert_eq!(
            [1, 99, 100, 999, 1_005, 350_812].map(count).join(";"),
            "1;99;100;999;1 010;351 000"
        );
    }

    #[test]
    fn an_interval_of_one_count_is_that_count() {
        assert_eq!(crossing(Crossing::From { pvs: 112, low: 112, high: 112 }), "112");
    }

    #[test]
    fn what_is_not_known_is_not_called_never() {
        let not_below = Crossing::NotBelow(40_000);
        assert_eq!(crossing_in_full(not_below), "over 40 000, or never");
        assert_eq!(crossing(not_below), "over 40 000");
        assert_eq!(crossing(Crossing::Undecided), "undecided");
        assert_eq!(crossing(Crossing::Never), "never");
    }
}
