//! `{good}` and `{checkout}` in the arguments of a comparison and in the user's files.

use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::cli::Failure;

/// What stands for the two sides.
pub(super) struct Placeholders {
    good: String,
    checkout: String,
}

impl Placeholders {
    pub(super) fn new(good: &Path, checkout: &Path) -> Placeholders {
        let shown = |path: &Path| path.display().to_string();
        Placeholders { good: shown(good), checkout: shown(checkout) }
    }

    /// The text with the folders filled in.
    pub(super) fn fill_in(&self, text: &str) -> String {
        text.replace("{good}", &self.good).replace("{checkout}", &self.checkout)
    }

    /// Whether the text names the commit that is tested.
    pub(super) fn is_in(text: &str) -> bool {
        text.contains("{checkout}")
    }

    /// The user's file with the folders filled in, as another file; `{folder}`, and programs
    /// beside the file, are still those of the user's.
    pub(super) fn filled_file(&self, file: &Path, to: PathBuf) -> Result<PathBuf, Failure> {
        let text = read(file)?;
        let mut table: Table =
            text.parse().map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?;
        let file = std::path::absolute(file).map_err(Failure::usage)?;
        let folder = file.parent().unwrap_or(Path::new("/"));
        for (_, named) in table.iter_mut() {
            let entries = named.as_table_mut().into_iter().flatten();
            entries.for_each(|(_, entry)| anchor(entry, folder));
        }
        let mut filled = Value::Table(table);
        self.fill_strings(&mut filled, &folder.display().to_string());
        let written = toml::to_string(&filled).map_err(Failure::usage)?;
        fs::write(&to, written).map_err(|error| {
            Failure::unmeasured(format!("cannot write {}: {error}", to.display()))
        })?;
        Ok(to)
    }

    fn fill_strings(&self, value: &mut Value, folder: &str) {
        match value {
            Value::String(text) => *text = self.fill_in(&text.replace("{folder}", folder)),
            Value::Array(values) => {
                values.iter_mut().for_each(|value| self.fill_strings(value, folder));
            }
            Value::Table(table) => {
                table.iter_mut().for_each(|(_, value)| self.fill_strings(value, folder));
            }
            _ => {}
        }
    }
}

/// A program with a path is relative to the file that names it.
fn anchor(entry: &mut Value, folder: &Path) {
    let command = entry.get_mut("command").and_then(Value::as_array_mut);
    let Some(Value::String(program)) = command.and_then(|words| words.first_mut()) else { return };
    if program.contains('/') && !program.starts_with('{') {
        *program = folder.join(&*program).display().to_string();
    }
}

pub(super) fn read(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_filled_in_and_finds_what_is_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gauge.toml");
        let text = "[approach.a]\ncommand = [\"./worker\", \"{good}\", \"{folder}/x\"]\n\
                    [approach.b]\ncommand = [\"{checkout}/worker\"]\nenv = { A = \"{checkout}\" }\n";
        fs::write(&file, text).unwrap();
        let placeholders = Placeholders::new(Path::new("/g"), Path::new("/c"));
        let to = placeholders.filled_file(&file, folder.path().join("to.toml")).unwrap();
        let filled: Table = read(&to).unwrap().parse().unwrap();
        let here = folder.path().display().to_string();
        let command = |name: &str| filled["approach"][name]["command"].to_string();
        assert_eq!(command("a"), format!("[\"{here}/./worker\", \"/g\", \"{here}/x\"]"));
        assert_eq!(command("b"), "[\"/c/worker\"]");
        assert_eq!(filled["approach"]["b"]["env"]["A"].as_str(), Some("/c"));
    }
}
