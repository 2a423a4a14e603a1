//! Commands that measure a figure again.

use std::fmt;

use crate::judge::MonitorFigures;
use crate::record::{RunRecords, Scenario};
use crate::scenario::{Dimension, definition};
use crate::worker_protocol::Mode;

/// A command line of this program.
#[derive(Debug, Clone)]
pub(super) struct Command(Vec<String>);

/// Options of a run that change what every figure of it means: files with approaches,
/// servers and limits of one's own, the delay that matters, and how long a stage may take.
const KEPT: [&str; 7] = [
    "--approach",
    "--approaches",
    "--servers",
    "--limits",
    "--budget",
    "--timeout",
    "--most-memory",
];

/// How PVs were found; kept for scenarios that have it.
const LOOKUP: &str = "--lookup";

impl Command {
    /// Runs one scenario of `run` again, with its seed and its approaches.
    pub(super) fn of(run: &RunRecords, scenario: Scenario) -> Command {
        let mut words = vec!["epics-gauge".to_owned(), "run".to_owned(), scenario.to_string()];
        let has_lookup = definition(scenario).varies.contains(&Dimension::Lookup);
        words.extend(kept(&run.run.arguments, has_lookup));
        let command = Command(words).option("--seed", &run.run.seed.to_string());
        let own = run.records.iter().filter(|record| record.scenario == scenario);
        match own.filter(|record| !record.confirms).map(|record| record.block).max() {
            Some(last) => command.option("--blocks", &(last + 1).to_string()),
            None => command,
        }
    }

    /// Runs this configuration with monitors again.
    pub(super) fn of_monitors(run: &RunRecords, configuration: &MonitorFigures) -> Command {
        let MonitorFigures { scenario, server, pvs, load, .. } = configuration;
        let rate_hz = load.rate_hz.to_string();
        let command = Command::of(run, *scenario).server(server).option("--rate", &rate_hz);
        let command = match load.pixels {
            Some(pixels) => command.option("--pixels", &pixels.to_string()),
            None => command.pvs(vec![*pvs]),
        };
        let command = match load.array_bytes {
            Some(bytes) => command.option("--array-bytes", &bytes.to_string()),
            None => command,
        };
        match scenario {
            Scenario::Recovery => command,
            _ => command.option("--seconds", &load.seconds.to_string()),
        }
    }

    pub(super) fn server(self, name: &str) -> Command {
        self.option("--server", name)
    }

    /// One approach, instead of those of the run.
    pub(super) fn approach(mut self, name: &str) -> Command {
        while let Some(at) = self.0.iter().position(|word| word == "--approach") {
            self.0.drain(at..at + 2);
        }
        self.option("--approach", name)
    }

    pub(super) fn pvs(self, mut counts: Vec<usize>) -> Command {
        counts.sort_unstable();
        counts.dedup();
        let counts: Vec<String> = counts.iter().map(usize::to_string).collect();
        self.option("--pvs", &counts.join(","))
    }

    pub(super) fn mode(self, mode: Mode) -> Command {
        self.option("--mode", &mode.to_string())
    }

    pub(super) fn option(mut self, name: &str, value: &str) -> Command {
        self.0.extend([name.to_owned(), value.to_owned()]);
        self
    }
}

/// The options of a command line that are kept, `--name value` and `--name=value`.
fn kept(arguments: &[String], has_lookup: bool) -> Vec<String> {
    let is_kept = |name: &str| KEPT.contains(&name) || has_lookup && name == LOOKUP;
    let mut kept = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if is_kept(argument) {
            kept.push(argument.clone());
            kept.extend(arguments.next().cloned());
        } else if let Some((name, value)) = argument.split_once('=')
            && is_kept(name)
        {
            kept.extend([name.to_owned(), value.to_owned()]);
        }
    }
    kept
}

impl fmt::Display for Command {
    /// As a shell takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |word: &str| {
            let plain =
                |letter: char| letter.is_ascii_alphanumeric() || "-_./,=:@+".contains(letter);
            !word.is_empty() && word.chars().all(plain)
        };
        let quoted = |word: &String| match is_plain(word) {
            true => word.clone(),
            false => format!("'{}'", word.replace('\'', r"'\''")),
        };
        f.write_str(&self.0.iter().map(quoted).collect::<Vec<String>>().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn options_that_every_figure_depends_on_are_kept() {
        let arguments = words(
            "run connect --pvs 1,10 --approaches=my.toml --lookup udp --approach a,b --out x",
        );
        let without_lookup = words("--approaches my.toml --approach a,b");
        assert_eq!(kept(&arguments, false), without_lookup);
        assert_eq!(
            kept(&arguments, true),
            words("--approaches my.toml --lookup udp --approach a,b")
        );
    }

    #[test]
    fn one_approach_takes_the_place_of_those_of_the_run() {
        let command = Command(words("epics-gauge run scale --approach a,b --seed 1"));
        assert_eq!(
            command.approach("b").to_string(),
            "epics-gauge run scale --seed 1 --approach b"
        );
    }

    #[test]
    fn a_word_with_a_blank_or_a_quote_is_quoted_for_a_shell() {
        let command = Command(vec!["--limits".to_owned(), "it's mine.toml".to_owned()]);
        assert_eq!(command.to_string(), r"--limits 'it'\''s mine.toml'");
    }
}
