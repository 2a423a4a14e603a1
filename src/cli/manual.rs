//! `completions` and `man`: what clap knows of the arguments, for shells and for
//! readers.

use std::fs;
use std::path::Path;

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;

use super::Failure;
use super::arguments::{Arguments, CompletionsArguments, ManArguments, RunArguments};
use super::exit::Exit;
use super::stdout::print;

const NAME: &str = "epics-gauge";

pub(super) fn completions(arguments: &CompletionsArguments) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut shown(), NAME, &mut script);
    let script = String::from_utf8_lossy(&script);
    // clap_complete 4.6 names the parts of its bash script in two ways when the
    // program's name has a hyphen, and then completes no subcommand's options.
    print(&script.replace("epics__subcmd__gauge", "epics__gauge"))?;
    Ok(Exit::Good)
}

pub(super) fn pages(arguments: &ManArguments) -> Result<Exit, Failure> {
    let mut program = shown();
    program.build();
    let Some(folder) = &arguments.folder else {
        print(&page(program)?)?;
        return Ok(Exit::Good);
    };
    let is_page = |command: &&Command| command.get_name() != "help";
    let of_subcommands: Vec<Command> = program.get_subcommands().filter(is_page).cloned().collect();
    for command in std::iter::once(program).chain(of_subcommands) {
        write(folder, command)?;
    }
    Ok(Exit::Good)
}

/// The program without what is hidden: generators of completions would show it.
fn shown() -> Command {
    let program = Arguments::command();
    let shown = program.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let bare = Command::new(NAME)
        .version(env!("CARGO_PKG_VERSION"))
        .args_conflicts_with_subcommands(true)
        .about(program.get_about().cloned().unwrap_or_default())
        .long_about(program.get_long_about().cloned().unwrap_or_default())
        .after_help(program.get_after_help().cloned().unwrap_or_default())
        .subcommands(shown.collect::<Vec<_>>());
    RunArguments::augment_args(bare)
}

/// `command` is a built one, which knows its whole name: epics-gauge-run.
fn page(command: Command) -> Result<String, Failure> {
    let cannot = |error| Failure::unmeasured(format!("cannot write the manual page: {error}"));
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let has_subcommands = command.has_subcommands();
    let source = format!("{NAME} {}", env!("CARGO_PKG_VERSION"));
    let name = page_name(&command);
    let page = Man::new(command).title(name.to_uppercase()).source(source);
    let mut text = Vec::new();
    page.render_title(&mut text).map_err(cannot)?;
    page.render_name_section(&mut text).map_err(cannot)?;
    page.render_synopsis_section(&mut text).map_err(cannot)?;
    page.render_description_section(&mut text).map_err(cannot)?;
    page.render_options_section(&mut text).map_err(cannot)?;
    if has_subcommands {
        page.render_subcommands_section(&mut text).map_err(cannot)?;
    }
    let text = String::from_utf8_lossy(&text).into_owned() + &as_they_are(&examples);
    Ok(in_ascii(&text))
}

/// A section whose lines are not filled: the columns of examples stay columns.
fn as_they_are(examples: &str) -> String {
    let lines = examples.strip_prefix("Examples:\n").unwrap_or(examples);
    let escaped = lines.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
    // `\&` keeps a line that begins with a dot from being an order to roff.
    let lines: String = escaped.lines().map(|line| format!("\\&{line}\n")).collect();
    format!(".SH EXAMPLES\n.nf\n{lines}.fi\n")
}

/// roff itself reads ASCII only.
fn in_ascii(text: &str) -> String {
    let named = |letter: char| match letter.is_ascii() {
        true => letter.to_string(),
        false => format!("\\[u{:04X}]", u32::from(letter)),
    };
    text.chars().map(named).collect()
}

fn page_name(command: &Command) -> String {
    command.get_display_name().unwrap_or(command.get_name()).to_owned()
}

fn write(folder: &Path, command: Command) -> Result<(), Failure> {
    let path = folder.join(format!("{}.1", page_name(&command)));
    let text = page(command)?;
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&path, text))
        .map_err(|error| Failure::unmeasured(format!("cannot write {}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::{as_they_are, in_ascii};

    #[test]
    fn examples_keep_their_columns_and_nothing_in_them_orders_roff() {
        let section = as_they_are("Examples:\n  a --b   c\n.so /etc/passwd\n");
        assert_eq!(section, ".SH EXAMPLES\n.nf\n\\&  a \\-\\-b   c\n\\&.so /etc/passwd\n.fi\n");
    }

    #[test]
    fn what_is_not_ascii_is_named_for_roff() {
        assert_eq!(in_ascii("a\u{2026}"), "a\\[u2026]");
    }
}
