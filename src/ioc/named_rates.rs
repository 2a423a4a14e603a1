//! Which scan rates the records of an IOC name, wherever they do: in databases of any
//! encoding, in files that those include, in macros and in commands.

use std::fs;
use std::path::{Path, PathBuf};

use super::records::{IncludePath, Records, is_substitutions};

/// Commands that load what this crate does not follow: any rate may be in it.
const LOADING: [&str; 4] = ["dbLoad", "iocshLoad", "iocshRun", "<"];

/// Everything that may name a scan rate.
#[derive(Debug, Default)]
pub(super) struct NamedRates {
    texts: Vec<Vec<u8>>,
    /// Something could not be followed.
    may_be_any: bool,
}

impl NamedRates {
    /// Whether this choice of the scan menu is named, or may be.
    pub(super) fn names(&self, choice: &str) -> bool {
        // A rate may be put together from a macro: `$(RATE) Hz`.
        let patterns = [choice, ") Hz", "} Hz"];
        self.may_be_any
            || self.texts.iter().any(|text| patterns.iter().any(|p| contains(text, p.as_bytes())))
    }

    /// Adds a text: a choice of the menu, macros, a database.
    pub(super) fn add_text(&mut self, text: impl Into<Vec<u8>>) {
        self.texts.push(text.into());
    }

    /// Adds a shell command. What it loads is not followed.
    pub(super) fn add_command(&mut self, command: &str) {
        self.may_be_any |= LOADING.iter().any(|loading| command.contains(loading));
        self.add_text(command);
    }

    /// Adds a script: its commands.
    pub(super) fn add_script(&mut self, script: &Path) {
        let text = if script.is_file() { fs::read(script).unwrap_or_default() } else { Vec::new() };
        self.add_command(&String::from_utf8_lossy(&text));
    }

    /// Adds records, and what they include.
    pub(super) fn add_records(&mut self, records: &Records, include_path: &IncludePath) {
        match records {
            Records::Template { file, instances } => {
                for (_, value) in instances.iter().flatten() {
                    self.add_text(value.as_str());
                }
                self.add_file(file, include_path, &mut Vec::new());
            }
            Records::Text { text, macros } => {
                self.add_text(macros.as_str());
                self.follow(text.as_bytes(), None, include_path, &mut Vec::new());
                self.add_text(text.as_str());
            }
            Records::File { file, macros } => {
                self.add_text(macros.as_str());
                self.add_file(file, include_path, &mut Vec::new());
            }
        }
    }

    /// A file that cannot be read is left to Base, which says so with file and line.
    fn add_file(&mut self, file: &Path, include_path: &IncludePath, seen: &mut Vec<PathBuf>) {
        if seen.iter().any(|known| known == file) {
            return;
        }
        seen.push(file.to_owned());
        // A pipe would block here, where no deadline is.
        if !file.is_file() {
            return;
        }
        let Ok(text) = fs::read(file) else { return };
        self.follow(&text, Some(file), include_path, seen);
        self.texts.push(text);
    }

    fn follow(
        &mut self,
        text: &[u8],
        file: Option<&Path>,
        include_path: &IncludePath,
        seen: &mut Vec<PathBuf>,
    ) {
        let mut keywords = vec!["include"];
        if file.is_some_and(is_substitutions) {
            keywords.push("file");
        }
        // Base looks in the folder of the file that it was asked to load.
        let loaded = seen.first().cloned();
        for name in keywords.iter().flat_map(|keyword| names_after(text, keyword)) {
            if name.contains('$') {
                self.may_be_any = true;
                continue;
            }
            let folders = include_path.for_file(loaded.as_deref());
            if let Some(found) = folders.iter().map(|f| f.join(&name)).find(|path| path.is_file()) {
                self.add_file(&found, include_path, seen);
            }
        }
    }
}

fn contains(text: &[u8], pattern: &[u8]) -> bool {
    text.windows(pattern.len()).any(|window| window == pattern)
}

/// The names after each `keyword` that stands as a word: `include "a.db"`, `file a.template {`.
fn names_after(text: &[u8], keyword: &str) -> Vec<String> {
    let is_end = |byte: u8| byte.is_ascii_whitespace() || byte == b'{';
    let mut names = Vec::new();
    for line in text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
        let Some(rest) = line.strip_prefix(keyword.as_bytes()) else { continue };
        if !rest.first().is_some_and(|byte| byte.is_ascii_whitespace() || *byte == b'"') {
            continue;
        }
        let rest = rest.trim_ascii_start();
        let name = match rest.strip_prefix(b"\"") {
            Some(quoted) => quoted.split(|byte| *byte == b'"').next(),
            None => rest.split(|byte| is_end(*byte)).next(),
        };
        names.extend(name.map(|name| String::from_utf8_lossy(name).into_owned()));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_file(file: &Path) -> NamedRates {
        let mut rates = NamedRates::default();
        let records = Records::File { file: file.to_owned(), macros: String::new() };
        rates.add_records(&records, &IncludePath::default());
        rates
    }

    #[test]
    fn a_database_of_another_encoding_names_its_rate() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        fs::write(&file, b"record(ai, x) { field(EGU, \"\xb0C\") field(SCAN, \"100 Hz\") }")
            .unwrap();
        let rates = of_file(&file);
        assert!(rates.names("100 Hz") && !rates.names("120 Hz"));
    }

    #[test]
    fn rates_of_included_files_count_and_a_circle_ends() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write(
            "a.substitutions",
            "file b.template {\n pattern { A } { 1 }\n}\nfile \"a.db\" { {} }\n",
        );
        write("b.template", "include \"c.db\"\n");
        write("c.db", "  include \"b.template\"\nrecord(ai, x) { field(SCAN, \"50 Hz\") }\n");
        write("a.db", "record(ai, y) { field(SCAN, \"60 Hz\") }\n");
        let rates = of_file(&folder.path().join("a.substitutions"));
        assert!(rates.names("50 Hz") && rates.names("60 Hz") && !rates.names("20 Hz"));
    }

    #[test]
    fn what_cannot_be_followed_may_name_every_rate() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        fs::write(&file, "include \"$(KIND).db\"\n").unwrap();
        assert!(of_file(&file).names("500 Hz"));
        let mut rates = NamedRates::default();
        rates.add_command("dbpf x 1");
        assert!(!rates.names("20 Hz"));
        rates.add_command("dbLoadRecords /somewhere/x.db");
        assert!(rates.names("20 Hz"));
        // A file that is not there is Base's to complain about.
        assert!(!of_file(Path::new("/no/such.db")).names("20 Hz"));
    }

    #[test]
    fn a_rate_from_a_macro_counts() {
        let mut rates = NamedRates::default();
        rates.add_text("field(SCAN, \"$(RATE) Hz\")");
        assert!(rates.names("20 Hz") && rates.names("1000 Hz"));
    }
}
