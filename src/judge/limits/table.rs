//! Reading a TOML table key by key, so that an error has its place.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Wrong, unknown};
use crate::lookup::Lookup;

/// A table of the file.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    entries: &'a DeTable<'a>,
    /// Where it begins.
    pub(super) at: usize,
}

/// A name, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name {
    pub(super) name: String,
    pub(super) at: usize,
}

impl<'a> Table<'a> {
    pub(super) fn new(entries: &'a DeTable<'a>, at: usize) -> Table<'a> {
        Table { entries, at }
    }

    /// Every key must be one of these.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Wrong> {
        let wrong = self.entries.keys().find(|key| !known.contains(&key.get_ref().as_ref()));
        wrong.map_or(Ok(()), |key| {
            Err(Wrong::at(key.span().start, unknown("key", key.get_ref(), known)))
        })
    }

    /// Where the key stands; none when it does not.
    pub(super) fn place(&self, key: &str) -> Option<usize> {
        let own = self.entries.keys().find(|own| own.get_ref().as_ref() == key);
        own.map(|own| own.span().start)
    }

    /// Keys and texts of a whole table, such as approaches and reasons.
    pub(super) fn texts(&self) -> Result<Vec<(Name, String)>, Wrong> {
        let text = |(key, value): (&Spanned<_>, &Spanned<DeValue>)| {
            let name = named(key);
            let text = text_of(&name.name, value)?;
            Ok((name, text))
        };
        self.entries.iter().map(text).collect()
    }

    /// The lookups that the table names; none where it names none.
    pub(super) fn lookups(&self) -> Result<Vec<Lookup>, Wrong> {
        let lookup = |one: Name| {
            let known = Lookup::ALL.map(Lookup::option);
            one.name.parse().map_err(|_| Wrong::at(one.at, unknown("lookup", &one.name, &known)))
        };
        self.names("lookup")?.into_iter().map(lookup).collect()
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<String>, Wrong> {
        self.value(key).map(|value| text_of(key, value)).transpose()
    }

    pub(super) fn number(&self, key: &str) -> Result<Option<f64>, Wrong> {
        self.value(key).map(|value| number_of(key, value)).transpose()
    }

    /// One number, or a list of them.
    pub(super) fn numbers(&self, key: &str) -> Result<Vec<f64>, Wrong> {
        let Some(value) = self.value(key) else { return Ok(Vec::new()) };
        match value.get_ref() {
            DeValue::Array(listed) => listed.iter().map(|one| number_of(key, one)).collect(),
            _ => Ok(vec![number_of(key, value)?]),
        }
    }

    /// One name, or a list of them; `*` is all, and like no key at all an empty list.
    pub(super) fn names(&self, key: &str) -> Result<Vec<Name>, Wrong> {
        let Some(value) = self.value(key) else { return Ok(Vec::new()) };
        let listed = match value.get_ref() {
            DeValue::String(name) if name == "*" => return Ok(Vec::new()),
            DeValue::String(_) => std::slice::from_ref(value),
            DeValue::Array(listed) if !listed.is_empty() => listed.iter().as_slice(),
            DeValue::Array(_) => {
                return Err(Wrong::at(value.span().start, format!("`{key}` is empty")));
            }
            _ => return Err(wrong_type(key, "a name, or a list of names", value)),
        };
        let name =
            |one: &Spanned<DeValue>| Ok(Name { name: text_of(key, one)?, at: one.span().start });
        listed.iter().map(name).collect()
    }

    /// The table under this key.
    pub(super) fn table(&self, key: &str) -> Result<Option<Table<'a>>, Wrong> {
        let Some(value) = self.value(key) else { return Ok(None) };
        match value.get_ref() {
            DeValue::Table(entries) => Ok(Some(Table::new(entries, value.span().start))),
            _ => Err(wrong_type(key, "a table", value)),
        }
    }

    /// The tables of `[[key]]`.
    pub(super) fn tables(&self, key: &str) -> Result<Vec<Table<'a>>, Wrong> {
        let Some(value) = self.value(key) else { return Ok(Vec::new()) };
        let DeValue::Array(all) = value.get_ref() else {
            return Err(wrong_type(key, &format!("tables: write [[{key}]]"), value));
        };
        let table = |one: &'a Spanned<DeValue<'a>>| match one.get_ref() {
            DeValue::Table(entries) => Ok(Table::new(entries, one.span().start)),
            _ => Err(wrong_type(key, &format!("tables: write [[{key}]]"), one)),
        };
        all.iter().map(table).collect()
    }

    fn value(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        let entry = self.entries.iter().find(|(own, _)| own.get_ref().as_ref() == key);
        entry.map(|(_, value)| value)
    }
}

fn named<T: AsRef<str>>(key: &Spanned<T>) -> Name {
    let Range { start: at, .. } = key.span();
    Name { name: key.get_ref().as_ref().to_owned(), at }
}

fn number_of(key: &str, value: &Spanned<DeValue>) -> Result<f64, Wrong> {
    let number = match value.get_ref() {
        DeValue::Integer(whole) => {
            i64::from_str_radix(whole.as_str(), whole.radix()).ok().map(|whole| whole as f64)
        }
        DeValue::Float(float) => float.as_str().parse().ok(),
        _ => return Err(wrong_type(key, "a number", value)),
    };
    match number.filter(|number: &f64| number.is_finite() && *number >= 0.0) {
        Some(number) => Ok(number),
        None => Err(Wrong::at(value.span().start, format!("`{key}` must be 0 or more"))),
    }
}

fn text_of(key: &str, value: &Spanned<DeValue>) -> Result<String, Wrong> {
    match value.get_ref() {
        DeValue::String(text) if !text.trim().is_empty() => Ok(text.as_ref().to_owned()),
        DeValue::String(_) => Err(Wrong::at(value.span().start, format!("`{key}` is empty"))),
        _ => Err(wrong_type(key, "text in quotes", value)),
    }
}

fn wrong_type(key: &str, wanted: &str, value: &Spanned<DeValue>) -> Wrong {
    let is = value.get_ref().type_str();
    Wrong::at(value.span().start, format!("`{key}` must be {wanted}, not of type {is}"))
}
