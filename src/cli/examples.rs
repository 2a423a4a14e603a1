//! The examples below the `--help` of each subcommand. Tests hold each of them to
//! the arguments.

pub(super) const RUN: &str = "\
Examples:
  epics-gauge run                                     the quick profile
  epics-gauge run connect --pvs 1,100,10000           connect, get and put at three sizes
  epics-gauge run --approach libca,pyepics --mode bulk
  epics-gauge run waveform --pixels 2048x2048 --rate 10
  epics-gauge run connect --server softioc --out first --format markdown
  epics-gauge run many-iocs --iocs 100 --pvs 100000   many IOCs, found by search
  epics-gauge run faults --fault frozen-5s,restart    how clients come back
  epics-gauge run --approaches docs/examples/approaches.toml --approach minimal,pyepics

Exit codes:
  0 every verdict as expected    1 a limit broken    3 undecided
  4 could not measure    64 bad arguments or input    130 interrupted";

pub(super) const CONFORM: &str = "\
Examples:
  epics-gauge conform                                 every check, every client
  epics-gauge conform --approach pyepics --group arrays
  epics-gauge conform --check strings.latin1 --approach aioca --server softioc
  epics-gauge conform --approach p4p@4.1.12 --out p4p-4.1.12
  epics-gauge conform --approaches my.toml --approach mine --format junit
  epics-gauge conform --list                          the checks

Exit codes:
  0 no new failure    1 a new failure    4 no client answered    64 bad arguments or input
  130 interrupted";

pub(super) const IOC: &str = "\
Examples:
  epics-gauge ioc --pvs 100                           gauge:0 to gauge:99
  epics-gauge ioc --pvs 10 --rate 10                  the same, counting up ten times a second
  epics-gauge ioc --db a.db -m P=t: --db b.substitutions --acf x.acf -- pytest tests
  epics-gauge ioc --cmd st.cmd --program ../bin/linux-x86_64/myIoc
  epics-gauge ioc --server softioc-pva --db a.db --for 60s
  epics-gauge ioc --db a.db --json                    for a program in any language

Without a command it prints the `export` lines that a client needs. It ends by `exit`, by
SIGTERM or SIGINT, after --for, or with the process that started it. docs/ioc.md says more.

Exit codes:
  0 stopped, or the COMMAND's own    4 the IOC failed    64 bad arguments or input";

pub(super) const LINK_CHECK: &str = "\
Examples:
  epics-gauge link-check                              delay, loss and rate, one after another
  epics-gauge link-check delay=2ms,loss=5%            one link of your own
  epics-gauge link-check --relay                      what there is without network namespaces
  epics-gauge link-check delay=10ms --instead delay=11ms

Exit codes:
  0 the link does what it is to do    1 it does not    4 there is no link    64 bad arguments";

pub(super) const LIST: &str = "\
Examples:
  epics-gauge list approaches
  epics-gauge list servers --servers docs/examples/servers.toml
  epics-gauge list faults                             what goes wrong, and what is a failure
  epics-gauge list limits                             each with its derivation";

pub(super) const CALIBRATE: &str = "\
Examples:
  epics-gauge calibrate                               libca with itself, 1000 PVs
  epics-gauge calibrate --approach pyepics --rounds 100 --whole-runs 0";

pub(super) const JUDGE: &str = "\
Examples:
  epics-gauge judge epics-gauge-out/20260722T120000Z/records.jsonl
  epics-gauge judge records.jsonl --limits my-limits.toml

Exit codes: 0 every verdict as expected    1 a limit broken    3 undecided    4 could not measure";

pub(super) const REPORT: &str = "\
Examples:
  epics-gauge report RUN                              the answer, for a terminal
  epics-gauge report RUN --tables                     every table
  epics-gauge report RUN --format html > report.html  every figure, drawn
  epics-gauge report monday tuesday friday            what became of each figure
  epics-gauge report RUN --figure connect-cost-softioc > connect-cost.svg
  epics-gauge report records.jsonl --limits my-limits.toml";

pub(super) const HISTORY: &str = "\
Examples:
  epics-gauge history monday tuesday friday           what became of each figure
  epics-gauge history gauge --append history.jsonl    remember a run, and show all
  epics-gauge history history.jsonl --branch main --format html > history.html
  epics-gauge history history.jsonl --format csv > history.csv

Exit codes: 0 nothing got worse lately    2 a figure got worse    64 bad arguments or input";

pub(super) const EXPORT: &str = "\
Examples:
  epics-gauge export gauge --as github-action-benchmark > figures.json
  epics-gauge export gauge --as bencher > bencher.json
  epics-gauge export history.jsonl --as otava > otava.csv
  epics-gauge export gauge --as openmetrics > epics-gauge.prom

docs/over-time.md says where each of them goes.";

pub(super) const BISECT: &str = "\
Examples:
  epics-gauge bisect v1.0 main before after --approaches gauge.toml -- make
  epics-gauge bisect v1.0 main --ioc-a {good}/bin/softIoc --ioc-b {checkout}/bin/softIoc -- make

In the file, and in the options, {good} and {checkout} are the folders of the two commits.
Your own checkout stays as it is. docs/over-time.md says more.

Exit codes: 0 found    3 undecided    4 could not measure    64 bad arguments or input";

pub(super) const FLOOR: &str = "\
Examples:
  epics-gauge floor                                   wire and wire-pva, 100 000 PVs
  epics-gauge floor --pvs 10000 --blocks 9

docs/wire.md says what the columns are.";

pub(super) const DOCTOR: &str = "\
Examples:
  epics-gauge doctor
  epics-gauge doctor --approaches mine.toml           approaches of your own as well

Exit codes: 0 nothing is missing    4 something is";

pub(super) const COMPLETIONS: &str = "\
Examples:
  . <(epics-gauge completions bash)                   in this shell
  epics-gauge completions bash > ~/.local/share/bash-completion/completions/epics-gauge
  epics-gauge completions zsh > ~/.zfunc/_epics-gauge
  epics-gauge completions fish > ~/.config/fish/completions/epics-gauge.fish";

pub(super) const MAN: &str = "\
Examples:
  epics-gauge man | man -l -                          read the main page
  epics-gauge man ~/.local/share/man/man1             then `man epics-gauge-run` finds its page";

pub(super) const HOSTS: &str = "\
Examples:
  epics-gauge hosts check hosts.toml --dry-run        every address and command; starts nothing
  epics-gauge hosts check hosts.toml --json           one JSON object for each host

Exit codes: 0 all hosts answer, 4 at least one does not, 64 bad file. docs/hosts.md has the file.";

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory, Parser, error::ErrorKind};

    use super::super::arguments::Arguments;

    /// Below the help of the program and of each subcommand that is shown.
    fn all_examples() -> Vec<(String, String)> {
        let program = Arguments::command();
        let shown = program.get_subcommands().filter(|command| !command.is_hide_set());
        let text = |command: &Command| {
            let below = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            (command.get_name().to_owned(), below)
        };
        std::iter::once(text(&program)).chain(shown.map(text)).collect()
    }

    /// The words of the example in a line of help, without what a shell or a reader
    /// takes from it.
    fn words(line: &str) -> Option<Vec<String>> {
        let example = &line[line.find("epics-gauge")?..];
        let ends = ["  ", ")", " > ", " | "].iter().filter_map(|end| example.find(end));
        let example = &example[..ends.min().unwrap_or(example.len())];
        Some(example.split_whitespace().map(str::to_owned).collect())
    }

    /// The lines of examples: indented ones that name the program.
    fn example_lines(text: &str) -> impl Iterator<Item = &str> {
        let is_example = |line: &&str| line.starts_with("  ") && line.contains("epics-gauge");
        text.lines().take_while(|line| !line.starts_with("Exit codes")).filter(is_example)
    }

    #[test]
    fn every_subcommand_has_examples_of_itself() {
        for (name, text) in all_examples() {
            assert!(text.starts_with("Examples:\n"), "{name}: {text}");
            let is_of_itself = |line: &str| {
                words(line).is_some_and(|words| {
                    name == "epics-gauge" || words.get(1).is_some_and(|word| *word == name)
                })
            };
            let mut lines = example_lines(&text).peekable();
            assert!(lines.peek().is_some(), "{name} has no example");
            lines.for_each(|line| assert!(is_of_itself(line), "{name}: {line}"));
        }
    }

    #[test]
    fn every_example_is_understood() {
        for (name, text) in all_examples() {
            for line in example_lines(&text) {
                let words = words(line).unwrap();
                let understood = Arguments::try_parse_from(&words)
                    .map_err(|error| (error.kind(), error.to_string()));
                // An example may ask for a help, which clap returns as an error.
                assert!(
                    matches!(understood, Ok(_) | Err((ErrorKind::DisplayHelp, _))),
                    "{name}: {line}\n{understood:?}"
                );
            }
        }
    }
}
