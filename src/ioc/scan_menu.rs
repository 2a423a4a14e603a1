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
    Err(IocError::InvalidRequest(format!(
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

/// The database definition with the fast choices that `is_named` affirms: with those that
/// it lacks, as the softIoc of another Base does, and, unless it `keeps_all`, without
/// others that it has.
pub(super) fn with_named_rates(
    dbd: &str,
    keeps_all: bool,
    is_named: impl Fn(&str) -> bool,
) -> String {
    let kept = without_unnamed_rates(dbd, |choice| keeps_all || is_named(choice));
    let lacking = |choice: &String| {
        choice.ends_with(" Hz") && is_named(choice) && !kept.contains(&format!("\"{choice}\""))
    };
    let lacking: String = SCAN_RATES_HZ
        .map(scan_choice)
        .iter()
        .filter(|choice| lacking(choice))
        .map(|choice| {
            format!("choice(menuScan{}, \"{choice}\")\n", choice.replace([' ', '.'], "_"))
        })
        .collect();
    match end_of_menu(&kept) {
        Some(end) => format!("{}{lacking}{}", &kept[..end], &kept[end..]),
        None => kept,
    }
}

/// Where the closing brace of the scan menu is. Fields name the menu too, but without
/// a brace.
fn end_of_menu(dbd: &str) -> Option<usize> {
    const MENU: &str = "menu(menuScan)";
    let is_defined = |at: &usize| dbd[at + MENU.len()..].trim_start().starts_with('{');
    let menu = dbd.match_indices(MENU).map(|(at, _)| at).find(is_defined)?;
    dbd[menu..].find('}').map(|end| menu + end)
}

fn without_unnamed_rates(dbd: &str, is_named: impl Fn(&str) -> bool) -> String {
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

    #[test]
    fn fast_rates_that_another_base_lacks_are_added_to_its_menu_and_to_no_other() {
        let dbd = "menu(menuPini) {\n    choice(menuPiniNO, \"NO\")\n}\nmenu(menuScan) {\n    \
                   choice(menuScanPassive, \"Passive\")\n}\nrecordtype(ai) {\n    \
                   field(SCAN,DBF_MENU) {\n        menu(menuScan)\n    }\n}\n";
        let made = with_named_rates(dbd, false, |choice| choice == "120 Hz");
        let (menu, rest) = made.split_once("recordtype").unwrap();
        assert!(menu.ends_with("choice(menuScan120_Hz, \"120 Hz\")\n}\n"), "{made}");
        assert_eq!(made.matches(" Hz").count(), 1, "{made}");
        assert!(!rest.contains("choice"), "{made}");
        // A menu of the user's own keeps what it has.
        let own = dbd.replace("\"Passive\")", "\"Passive\")\n    choice(menuScan7_Hz, \"7 Hz\")");
        let made_own = with_named_rates(&own, true, |choice| choice == "120 Hz");
        assert!(made_own.contains("7 Hz") && made_own.contains("120 Hz"), "{made_own}");
        // A menu that has the rate keeps it as it is.
        assert_eq!(with_named_rates(&made, false, |choice| choice == "120 Hz"), made);
        assert_eq!(with_named_rates("registrar(x)\n", false, |_| true), "registrar(x)\n");
    }
}
