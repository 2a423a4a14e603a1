//! Holds the documents to the repository: links lead somewhere, messages exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files
}

fn documents() -> Vec<PathBuf> {
    let mut documents = files_below(&root().join("docs"), "md");
    documents.extend(
        ["README.md", "vendor/README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
            .map(|name| root().join(name)),
    );
    documents
}

/// The targets of `[text](target)` outside of code blocks.
fn links(text: &str) -> Vec<String> {
    let mut is_code = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            prose += line;
            prose.push('\n');
        }
    }
    let parts = prose.split("](").skip(1);
    parts.filter_map(|part| Some(part.split_once(')')?.0.to_owned())).collect()
}

/// The anchors of a document's headings, as code hosts make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let name = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = name.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

/// The parts of the program that print, in one text: without comments and tests, and
/// with string literals that go on in the next line joined.
fn sources() -> String {
    let folders = ["src", "vendor/build"].map(|folder| root().join(folder));
    let files = folders.iter().flat_map(|folder| files_below(folder, "rs"));
    let mut all = String::new();
    for file in files {
        let text = read(&file);
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in lines {
            match line.strip_suffix('\\') {
                Some(goes_on) => all += goes_on.trim_start(),
                None => {
                    all += line.trim_start();
                    all.push('\n');
                }
            }
        }
    }
    all
}

/// The first cell of each table row that is nothing but a quoted message.
fn quoted_messages(text: &str) -> Vec<&str> {
    let cells = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` |"));
    cells.map(|(message, _)| message.trim_matches('`').trim()).collect()
}

/// What a message says in every case: the words around what is filled in.
fn stable_parts(message: &str) -> impl Iterator<Item = &str> {
    message
        .split(['…', '`'])
        .map(|part| part.trim_matches([' ', ':', ',', '.']))
        .filter(|part| part.chars().filter(|c| c.is_alphabetic()).count() >= 2)
}

/// The longest run of words of a format string that nothing is filled into.
fn longest_stable_words(format: &str) -> &str {
    // What follows an opening brace begins with what is filled in.
    let outside = format.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest));
    let runs =
        outside.flat_map(|part| part.split("\\n")).flat_map(|part| part.split(['`', ';', ':']));
    runs.map(str::trim).max_by_key(|run| run.len()).unwrap_or_default()
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let mut broken = Vec::new();
    for document in documents() {
        let text = read(&document);
        for link in links(&text) {
            if link.contains("://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match path {
                "" => document.clone(),
                path => document.parent().unwrap().join(path),
            };
            let has_anchor =
                |anchor: &str| anchor.is_empty() || anchors(&read(&target)).contains(anchor);
            if !target.exists() || !has_anchor(anchor) {
                broken.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_readme_is_short_and_has_one_picture() {
    let readme = read(&root().join("README.md"));
    assert!(readme.lines().count() <= 120, "{} lines", readme.lines().count());
    assert_eq!(readme.matches("![").count(), 1);
}

#[test]
fn every_message_of_the_troubleshooting_page_is_one_of_the_program() {
    let (page, sources) = (read(&root().join("docs/troubleshooting.md")), sources());
    let messages = quoted_messages(&page);
    assert!(messages.len() > 60, "{} messages", messages.len());
    let mut unknown = Vec::new();
    for message in messages {
        let mut parts = stable_parts(message).peekable();
        assert!(parts.peek().is_some(), "nothing is stable in {message}");
        if let Some(part) = parts.find(|part| !sources.contains(part)) {
            unknown.push(format!("{part:?} of {message:?}"));
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn every_error_of_the_library_is_on_the_troubleshooting_page() {
    let (page, sources) = (read(&root().join("docs/troubleshooting.md")), sources());
    let errors = sources.split("#[error(\"").skip(1).filter_map(|rest| rest.split_once('"'));
    let mut missing = Vec::new();
    for (error, _) in errors {
        let longest = longest_stable_words(error);
        if longest.len() >= 4 && !page.contains(longest) {
            missing.push(longest);
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

/// The README and the program list the commands: they are the same.
#[test]
fn the_readme_names_the_packages_that_the_program_names() {
    use epics_gauge::system_packages::{Need, System};
    let readme = read(&root().join("README.md"));
    for system in System::ALL {
        for need in [Need::Compiler, Need::Python] {
            let command = system.command(need);
            // One command installs both there.
            let packages = command.split_once("install ").map_or(command, |(_, packages)| packages);
            assert!(readme.contains(packages), "{command}");
        }
    }
}

/// Words that read as translated, each with what to write instead.
const FOREIGN: [(&str, &str); 14] = [
    ("another mood", "conditions changed between runs"),
    ("two moods", "bimodal"),
    ("gave way", "was the bottleneck"),
    ("by lot", "in random order"),
    ("must be preferred for speed", "is slower than"),
    ("a typing error", "a typo"),
    ("mend it", "fix it"),
    ("one PV more", "each additional PV"),
    ("is told", "reports"),
    ("are told", "report"),
    ("is said", "is reported"),
    ("to be rid of", "to have closed"),
    ("crowded", "contended"),
    ("some 10 minutes", "about 10 minutes"),
];

#[test]
fn texts_use_the_words_of_the_field() {
    let mut pages: Vec<String> = documents().iter().map(|page| read(page)).collect();
    pages.push(sources());
    for page in pages {
        for (foreign, better) in FOREIGN {
            assert!(!page.contains(foreign), "write `{better}`, not `{foreign}`");
        }
    }
}
