//! `--db FILE -m MACROS`, any number of times: macros belong to the file before them, so the
//! order of both counts.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches, value_parser};

const FILE: &str = "db";
const MACROS: &str = "macros";

/// Databases, each with its macros.
#[derive(Debug, Clone, Default)]
pub(super) struct Databases {
    pub(super) files: Vec<(PathBuf, String)>,
}

impl Args for Databases {
    fn augment_args(command: Command) -> Command {
        command
            .arg(
                Arg::new(FILE)
                    .long(FILE)
                    .value_name("FILE")
                    .value_parser(value_parser!(PathBuf))
                    .action(ArgAction::Append)
                    .help("A database, template or .substitutions file to load; may be repeated"),
            )
            .arg(
                Arg::new(MACROS)
                    .short('m')
                    .long(MACROS)
                    .value_name("MACROS")
                    .action(ArgAction::Append)
                    .help("Macros for the --db before it: NAME=VALUE,… or NAME=\"a,b\",…"),
            )
    }

    fn augment_args_for_update(command: Command) -> Command {
        Databases::augment_args(command)
    }
}

impl FromArgMatches for Databases {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Databases, Error> {
        let mut databases = Databases::default();
        databases.update_from_arg_matches(matches)?;
        Ok(databases)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        let files = placed::<PathBuf>(matches, FILE);
        self.files = files.iter().map(|(_, file)| (file.clone(), String::new())).collect();
        for (place, macros) in placed::<String>(matches, MACROS) {
            check(&macros)?;
            let before = files.iter().filter(|(of_file, _)| *of_file < place).count();
            let Some(index) = before.checked_sub(1) else {
                return Err(Error::raw(
                    ErrorKind::MissingRequiredArgument,
                    format!(
                        "the macros `{macros}` come before every --db; write --db FILE -m {macros}\n"
                    ),
                ));
            };
            let all = &mut self.files[index].1;
            if !all.is_empty() {
                all.push(',');
            }
            all.push_str(&macros);
        }
        Ok(())
    }
}

/// The values of an argument, each with its place on the command line.
fn placed<T: Clone + Send + Sync + 'static>(matches: &ArgMatches, name: &str) -> Vec<(usize, T)> {
    let values = matches.get_many::<T>(name).into_iter().flatten().cloned();
    matches.indices_of(name).into_iter().flatten().zip(values).collect()
}

/// Refuses what macLib would take for the end of a macro: a name without `=`.
fn check(macros: &str) -> Result<(), Error> {
    let nameless = assignments(macros).into_iter().find(|part| !part.contains('='));
    match nameless.filter(|part| !part.trim().is_empty()) {
        Some(part) => Err(Error::raw(
            ErrorKind::InvalidValue,
            format!("macro `{}` has no value; write NAME=VALUE\n", part.trim()),
        )),
        None => Ok(()),
    }
}

/// The parts between commas that stand neither between quotes nor after a backslash.
fn assignments(macros: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut quote, mut is_escaped) = (None, false);
    for letter in macros.chars() {
        match letter {
            ',' if quote.is_none() && !is_escaped => {
                parts.push(String::new());
                continue;
            }
            '"' | '\'' if !is_escaped => match quote {
                None => quote = Some(letter),
                Some(open) if open == letter => quote = None,
                Some(_) => {}
            },
            _ => {}
        }
        is_escaped = letter == '\\' && !is_escaped;
        parts.last_mut().into_iter().for_each(|part| part.push(letter));
    }
    parts
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        databases: Databases,
    }

    fn parsed(line: &[&str]) -> Result<Vec<(String, String)>, String> {
        let line = std::iter::once("x").chain(line.iter().copied());
        let parsed = Line::try_parse_from(line).map_err(|error| error.to_string())?;
        let shown = |(file, macros): (PathBuf, String)| (file.display().to_string(), macros);
        Ok(parsed.databases.files.into_iter().map(shown).collect())
    }

    #[test]
    fn macros_belong_to_the_database_before_them() {
        let files = parsed(&[
            "--db",
            "a.db",
            "-m",
            "P=t:",
            "--db",
            "b.db",
            "--db",
            "c.db",
            "-m",
            "N=\"a,b\"",
            "-m",
            "M=1",
        ])
        .unwrap();
        let expected = [("a.db", "P=t:"), ("b.db", ""), ("c.db", "N=\"a,b\",M=1")];
        assert_eq!(files, expected.map(|(file, macros)| (file.to_owned(), macros.to_owned())));
        assert!(parsed(&[]).unwrap().is_empty());
    }

    #[test]
    fn macros_that_cannot_be_are_refused() {
        let error = parsed(&["-m", "P=1", "--db", "a.db"]).unwrap_err();
        assert!(error.contains("--db FILE -m P=1"), "{error}");
        let error = parsed(&["--db", "a.db", "-m", "P=1,b"]).unwrap_err();
        assert!(error.contains("macro `b` has no value"), "{error}");
        for good in ["P=t:,N=\"a,b\"", "P='a,b',", "P=a\\,b", "P=", " P = 1 , Q = 2 "] {
            assert!(parsed(&["--db", "a.db", "-m", good]).is_ok(), "{good}");
        }
    }
}
