//! Imports between the files of the library go one way.
//!
//! A folder's `mod.rs`, or the file beside a folder, is the door of what is inside: they
//! may name each other. Between any two others a cycle means that neither can be
//! understood, or tested, without the other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Files by the path of their module, such as `judge/monitors`.
type Files = BTreeMap<String, String>;

fn files_below(folder: &Path, prefix: &str, files: &mut Files) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            files_below(&path, &format!("{prefix}{name}/"), files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let module = match name.as_str() {
                "mod" => prefix.trim_end_matches('/').to_owned(),
                _ => format!("{prefix}{name}"),
            };
            files.insert(module, fs::read_to_string(&path).unwrap());
        }
    }
}

/// The paths of a `use`, with its braces resolved.
fn expanded(tree: &str) -> Vec<String> {
    let Some((before, rest)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default();
        return vec![path.trim().to_owned()];
    };
    let inside = rest.rsplit_once('}').map_or(rest, |(inside, _)| inside);
    let (mut depth, mut start, mut items) = (0, 0, Vec::new());
    for (at, letter) in inside.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(&inside[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items.push(&inside[start..]);
    let items = items.into_iter().map(str::trim).filter(|item| !item.is_empty());
    items.flat_map(|item| expanded(&format!("{}{item}", before.trim()))).collect()
}

/// The modules that this file uses, tests left out.
fn used(module: &str, text: &str, files: &Files) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let uses = code.split('\n').enumerate().filter_map(|(at, line)| {
        let line = line.trim_start().trim_start_matches("pub ").trim_start_matches("pub(super) ");
        line.starts_with("use ").then_some(at)
    });
    let lines: Vec<&str> = code.split('\n').collect();
    let mut all = BTreeSet::new();
    for at in uses {
        let statement = lines[at..].join(" ");
        let statement = statement.split(';').next().unwrap_or_default();
        let Some((_, tree)) = statement.split_once("use ") else { continue };
        for path in expanded(tree) {
            all.extend(file_of(module, &path, files));
        }
    }
    all
}

/// The file that holds what this path names; none outside of the library.
fn file_of(module: &str, path: &str, files: &Files) -> Option<String> {
    let mut words: Vec<&str> = path.split("::").map(str::trim).collect();
    let mut base: Vec<&str> = match *words.first()? {
        "crate" => Vec::new(),
        "self" | "super" => module.split('/').collect(),
        _ => return None,
    };
    while let Some("crate" | "self" | "super") = words.first().copied() {
        if words.remove(0) == "super" {
            base.pop();
        }
    }
    base.extend(words);
    while !base.is_empty() {
        let name = base.join("/");
        if files.contains_key(&name) {
            return Some(name);
        }
        base.pop();
    }
    None
}

fn is_door(one: &str, other: &str) -> bool {
    one == other || other.starts_with(&format!("{one}/")) || one.starts_with(&format!("{other}/"))
}

/// Every file from which a way of imports leads back to it.
fn in_cycles(files: &Files) -> Vec<String> {
    let edges: BTreeMap<&String, BTreeSet<String>> = files
        .iter()
        .map(|(module, text)| {
            let mut used = used(module, text, files);
            used.retain(|other| !is_door(module, other));
            (module, used)
        })
        .collect();
    let leads_back = |start: &String| {
        let mut seen = BTreeSet::new();
        let mut next: Vec<&String> = edges[start].iter().collect();
        while let Some(one) = next.pop() {
            if one == start {
                return true;
            }
            if seen.insert(one) {
                next.extend(&edges[one]);
            }
        }
        false
    };
    files.keys().filter(|module| leads_back(module)).cloned().collect()
}

fn library() -> Files {
    let mut files = Files::new();
    files_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut files);
    files.remove("lib");
    files.remove("main");
    files
}

#[test]
fn no_file_imports_what_imports_it() {
    let files = library();
    assert!(files.len() > 200, "{} files", files.len());
    assert_eq!(in_cycles(&files), Vec::<String>::new());
}

#[test]
fn a_cycle_of_three_files_is_found() {
    let mut files = library();
    files.insert("judge/a".to_owned(), "use super::b::{self, B};\n".to_owned());
    files.insert("judge/b".to_owned(), "use crate::judge::{verdict::X,\n    c};\n".to_owned());
    files.insert("judge/c".to_owned(), "pub use super::a::A;\n".to_owned());
    assert_eq!(in_cycles(&files), ["judge/a", "judge/b", "judge/c"]);
}
