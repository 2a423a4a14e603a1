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
    print(&String::from_utf8_lossy(&script))?;
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
    let mut text = Vec::new();
    let name = page_name(&command);
    Man::new(command)
        .title(name.to_uppercase())
        .render(&mut text)
        .map_err(|error| Failure::unmeasured(format!("cannot write the manual page: {error}")))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
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
