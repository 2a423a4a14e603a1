//! The scan rates of an IOC's records.
//!
//! Base wakes a thread for every choice of the scan menu beyond the passive
//! ones, whether a record uses it or not: the ten fast choices of
//! `db/menuScan.dbd` cost an idle IOC nearly 5 % of a core. So an IOC gets only
//! those that its records name.

use super::IocError;

/// Scan rates that the menu of this build offers, in Hz.
pub const SCAN_RATES_HZ: [f64; 17] = [
    0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 50.0, 60.0, 100.0, 120.0, 200.0, 250.0, 500.0,
    1000.0,
];

/// Refuses a rate that the menu does not have.
pub(super) fn check_rate(rate_hz: f64) -> Result<(), IocError> {
    if SCAN_RATES_HZ.contains(&rate_hz) {
        return Ok(());
    }
    Err(IocError::Asked(format!(
        "the IOC cannot scan at {rate_hz} Hz; its rates are {SCAN_RATES_HZ:?}"
    )))
}

/// The menu's choice for a rate: up to 10 Hz it names the period.
pub(super) fn scan_choice(rate_hz: f64) -> String {
    let period_s = 1.0 / rate_hz;
    match rate_hz {
        10.0 => ".1 second".to_owned(),
        5.0 => ".2 second".to_owned(),
        2.0 => ".5 second".to_owned(),
        _ if rate_hz <= 1.0 => format!("{period_s} second"),
        _ => format!("{rate_hz} Hz"),
    }
}

/// The database definition without the fast choices that `is_named` denies.
pub(super) fn without_unnamed_rates(dbd: &str, is_named: impl Fn(&str) -> bool) -> String {
    let mut kept = String::with_capacity(dbd.len());
    for line in dbd.lines() {
        if fast_choice(line).is_none_or(&is_named) {
            kept += line;
            kept.push('\n');
        }
    }
    kept
}

/// `120 Hz` in the line `choice(menuScan120_Hz, "120 Hz")`.
fn fast_choice(line: &str) -> Option<&str> {
    let (_, choice) = line.trim_start().strip_prefix("choice(menuScan")?.split_once('"')?;
    choice.split('"').next().filter(|choice| choice.ends_with(" Hz"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scan_choices_are_spelled_as_in_the_menu() {
        let choices: Vec<String> = SCAN_RATES_HZ[..9].iter().copied().map(scan_choice).collect();
        let spelled = [
            "10 second",
            "5 second",
            "2 second",
            "1 second",
            ".5 second",
            ".2 second",
            ".1 second",
            "20 Hz",
            "30 Hz",
        ];
        assert_eq!(choices, spelled);
    }

    #[test]
    fn only_named_fast_rates_are_kept() {
        let menu = "menu(menuScan) {\n    choice(menuScan_1_second, \".1 second\")\n    \
                    choice(menuScan20_Hz, \"20 Hz\")\n    choice(menuScan120_Hz, \"120 Hz\")\n}\n";
        let kept = without_unnamed_rates(menu, |choice| choice == "120 Hz");
        assert!(kept.contains(".1 second") && kept.contains("\"120 Hz\""), "{kept}");
        assert!(!kept.contains("\"20 Hz\""), "{kept}");
    }
}
