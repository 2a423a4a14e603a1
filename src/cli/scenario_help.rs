//! `SCENARIO --help`: what a scenario asks, and the options that apply to it.

use clap::CommandFactory;
use epics_gauge::record::Scenario;
use epics_gauge::report::hanging;
use epics_gauge::scenario::{Definition, Dimension, definition};

use super::arguments::Arguments;

/// Options that apply to every scenario.
const GENERAL: [&str; 8] =
    ["approach", "server", "profile", "blocks", "limits", "approaches", "out", "tables"];

/// The help of the one scenario that these words ask help of; none where they ask for
/// something else.
pub(super) fn asked(words: impl Iterator<Item = String>) -> Option<String> {
    let words: Vec<String> = words.collect();
    let is_help = |word: &String| word == "--help" || word == "-h";
    let rest: Vec<&String> = words.iter().filter(|word| !is_help(word) && *word != "run").collect();
    match &rest[..] {
        [name] if words.iter().any(is_help) => name.parse().ok().map(help),
        _ => None,
    }
}

fn help(scenario: Scenario) -> String {
    let definition = definition(scenario);
    let mut text = hanging(&format!("{scenario}: "), definition.asks);
    text += &format!("\nUsage: epics-gauge {scenario} [OPTIONS]\n\nOptions of this scenario:\n");
    text += &options(&definition.varies.iter().map(|one| option(*one)).collect::<Vec<_>>());
    if scenario == Scenario::Connect {
        text += &options(&["budget"]);
    }
    text += "\nOptions of every scenario (all of them: `epics-gauge run --help`):\n";
    text += &options(&GENERAL);
    text + "\nExamples, the last with a client of your own:\n" + &examples(definition)
}

/// The option that varies it.
fn option(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Pvs => "pvs",
        Dimension::Fault => "fault",
        Dimension::Iocs => "iocs",
        Dimension::Order => "in-order",
        Dimension::Mode => "mode",
        Dimension::Lookup => "lookup",
        Dimension::Rate => "rate",
        Dimension::Monitors => "monitors",
        Dimension::Table => "table",
        Dimension::Pixels => "pixels",
        Dimension::Seconds => "seconds",
        Dimension::ArrayBytes => "array-bytes",
        Dimension::Memory => "most-memory",
    }
}

/// A line or more for each option, in the words of the command line.
fn options(names: &[&str]) -> String {
    let command = Arguments::command();
    let known: Vec<_> = command.get_arguments().collect();
    let of = |name: &&str| known.iter().find(|one| one.get_long() == Some(*name));
    let lines = names.iter().filter_map(of).map(|one| {
        let value = one.get_value_names().and_then(|names| names.first());
        let value = value.filter(|_| one.get_action().takes_values());
        let value = value.map_or(String::new(), |value| format!(" <{value}>"));
        let label = format!("  --{}{value}", one.get_long().unwrap_or_default());
        let about = one.get_help().map_or(String::new(), ToString::to_string);
        hanging(&format!("{label:<26} "), &about)
    });
    lines.collect()
}

fn examples(definition: &Definition) -> String {
    let scenario = definition.scenario;
    let own = "--approaches docs/examples/approaches.toml --approach minimal";
    let varied = definition.varies.iter().find_map(|dimension| match dimension {
        Dimension::Pvs => Some("--pvs 100"),
        Dimension::Fault => Some("--fault frozen-5s,restart"),
        Dimension::Pixels => Some("--pixels 2048x2048"),
        _ => None,
    });
    format!(
        "  epics-gauge {scenario}\n  epics-gauge {scenario} --approach libca,pyepics {}\n  \
         epics-gauge {scenario} {own}\n",
        varied.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &str) -> Option<String> {
        asked(words.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_scenario_has_a_help_with_its_own_options_and_an_own_client() {
        for scenario in Scenario::ALL {
            let text = of(&format!("{scenario} --help")).unwrap();
            for dimension in definition(scenario).varies {
                assert!(text.contains(&format!("--{}", option(*dimension))), "{text}");
            }
            assert!(text.contains("--approaches"), "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= 90), "{text}");
        }
        assert!(!of("connect -h").unwrap().contains("--pixels"));
        assert_eq!(of("run waveform --help"), of("waveform --help"));
    }

    #[test]
    fn other_helps_are_left_to_the_command_line() {
        assert_eq!(of("--help"), None);
        assert_eq!(of("compare --help"), None);
        assert_eq!(of("waveform"), None);
    }
}
