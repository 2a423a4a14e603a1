//! A brief report on one screen: the statements and the rows that fit, the first ones first, and
//! how many there are beside them.

use super::text::{heading, wrapped, written};
use crate::report::document::{Part, Role, Section};
use crate::units::counted;

/// The lines of a screen, less the two that a run prints below its answer.
const LINES: usize = 38;

/// The least that the answer takes, however long the rest is.
const LEAST: usize = 8;

/// A table keeps so many rows, however long the others are.
const LEAST_ROWS: usize = 3;

/// The most lines of one statement, so that one does not hide the others.
const LINES_OF_ONE: usize = 4;

/// Shortens the answer until title and sections fit.
pub(super) fn fit(title: &str, sections: &mut [Section]) {
    shorten_summary(title, sections);
    let parts = sections.iter().flat_map(|section| &section.parts);
    let all: usize = parts.map(|part| lines(&written(part))).sum();
    let Some(statements) = answer(sections) else { return };
    let own: usize = statements.iter().map(|one| lines(&wrapped(one, "* "))).sum();
    let others = lines(&heading(1, title)) + all - own;
    // Nothing follows the last empty line.
    shorten(statements, (LINES + 1).saturating_sub(others).max(LEAST));
}

fn lines(text: &str) -> usize {
    text.lines().count()
}

/// Leaves the first rows of the summary, so that the answer has the least that it takes.
fn shorten_summary(title: &str, sections: &mut [Section]) {
    let (answer, others): (Vec<&Section>, Vec<&Section>) =
        sections.iter().partition(|section| section.role == Role::Answer);
    let taken = lines_of(&others) + lines_of(&answer).min(LEAST) + lines(&heading(1, title));
    let over = taken.saturating_sub(LINES + 1);
    let summary = sections.iter_mut().find(|section| section.role == Role::Summary);
    let Some(Section { parts, .. }) = summary.filter(|_| over > 0) else { return };
    let is_table = |part: &Part| matches!(part, Part::Table(_));
    let Some(index) = parts.iter().position(is_table) else { return };
    // The line that counts the rows left out, and the one below it, take two more.
    let most = lines(&written(&parts[index])).saturating_sub(over + 2);
    let left_out = leave_rows(&mut parts[index], most);
    if left_out > 0 {
        let rest = format!("And {}: `--tables` prints all.", counted(left_out, "more row"));
        parts.insert(index + 1, Part::Text(rest));
    }
}

/// Leaves the first rows of a table that take at most this many lines; returns how many it left
/// out.
fn leave_rows(part: &mut Part, most_lines: usize) -> usize {
    let mut left_out = 0;
    while lines(&written(part)) > most_lines {
        let Part::Table(table) = part else { break };
        let rows = table.rows().len();
        if rows <= LEAST_ROWS {
            break;
        }
        table.truncate(rows - 1);
        left_out += 1;
    }
    left_out
}

fn lines_of(sections: &[&Section]) -> usize {
    sections.iter().flat_map(|section| &section.parts).map(|part| lines(&written(part))).sum()
}

/// The statements of the answer.
fn answer(sections: &mut [Section]) -> Option<&mut Vec<String>> {
    let answer = sections.iter_mut().find(|section| section.role == Role::Answer)?;
    answer.parts.iter_mut().find_map(|part| match part {
        Part::List(statements) => Some(statements),
        _ => None,
    })
}

/// Leaves those that take at most this many lines, and counts the others.
fn shorten(statements: &mut Vec<String>, lines: usize) {
    let line_counts = |all: &[String]| -> Vec<usize> {
        all.iter().map(|one| wrapped(one, "* ").lines().count()).collect()
    };
    if line_counts(statements).iter().sum::<usize>() <= lines {
        return;
    }
    statements.iter_mut().for_each(cut);
    let mut left = lines;
    let counts = line_counts(statements);
    if counts.iter().sum::<usize>() <= lines {
        return;
    }
    // The line that counts the others takes up to two.
    left = left.saturating_sub(2);
    let fits = |count: &&usize| {
        left.checked_sub(**count).is_some_and(|rest| {
            left = rest;
            true
        })
    };
    let shown = counts.iter().take_while(fits).count();
    let others = statements.split_off(shown);
    statements.push(rest(&others));
}

/// Ends a statement that takes too many lines with an ellipsis.
fn cut(statement: &mut String) {
    let text = wrapped(statement, "* ");
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= LINES_OF_ONE {
        return;
    }
    let words = lines[..LINES_OF_ONE].iter().flat_map(|line| line.split_whitespace());
    let start = words.skip_while(|word| *word == "*").collect::<Vec<_>>().join(" ");
    let whole_words = start.rsplit_once(' ').map_or(&*start, |(before, _)| before);
    *statement = format!("{} …", whole_words.trim_end());
}

/// Such as `And 12 more (9 LIMIT BROKEN, 2 UNDECIDED): the full report has all of them.`
fn rest(others: &[String]) -> String {
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    let is_kind = |word: &&str| word.chars().all(|c| c.is_uppercase() || c == ' ');
    for kind in others.iter().filter_map(|one| Some(one.split_once(": ")?.0)).filter(is_kind) {
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((kind, 1)),
        }
    }
    let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
    format!("And {} more{kinds}: the full report has all of them.", others.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::document::Columns;

    fn sections(statements: Vec<String>, rows: usize) -> Vec<Section> {
        let table = Columns::of(0..rows).number("figure", |row| row.to_string()).table();
        vec![
            Section::new(Role::Answer, [Part::List(statements)]),
            Section::new(Role::Summary, [Part::Table(table)]),
        ]
    }

    fn fitted(statements: Vec<String>, rows: usize) -> (Vec<String>, usize) {
        let mut sections = sections(statements, rows);
        fit("The answer", &mut sections);
        let parts = sections.iter().flat_map(|section| &section.parts);
        let text: String = parts.map(written).collect();
        let lines = (heading(1, "The answer") + &text).trim_end().lines().count();
        (std::mem::take(answer(&mut sections).unwrap()), lines)
    }

    fn broken(count: usize) -> Vec<String> {
        (0..count).map(|index| format!("LIMIT BROKEN: {index} {}", "word ".repeat(20))).collect()
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        let few = broken(5);
        assert_eq!(fitted(few.clone(), 3).0, few);
    }

    #[test]
    fn the_first_statements_stay_and_the_others_are_counted() {
        let undecided = "UNDECIDED: one".to_owned();
        let all = [broken(40), vec![undecided, "Fast enough: libca".to_owned()]].concat();
        let (shown, lines) = fitted(all.clone(), 3);
        assert!((LINES - 2..=LINES).contains(&lines), "{lines}: {shown:#?}");
        let (last, first) = shown.split_last().unwrap();
        assert_eq!(first, &all[..first.len()]);
        let expected = format!(
            "And {} more ({} LIMIT BROKEN, 1 UNDECIDED): the full report has all of them.",
            all.len() - first.len(),
            40 - first.len()
        );
        assert_eq!(last, &expected);
    }

    #[test]
    fn a_long_statement_does_not_hide_the_others() {
        let long = format!("FAILED: {}", "word ".repeat(500));
        let (shown, lines) = fitted(vec![long.clone(), "one".to_owned()], 0);
        assert_eq!(shown.len(), 2);
        assert!(shown[0].ends_with("word …") && long.starts_with(shown[0].trim_end_matches(" …")));
        assert!(lines <= LINES, "{lines}");
        assert_eq!(wrapped(&shown[0], "* ").lines().count(), LINES_OF_ONE);
    }

    #[test]
    fn a_long_table_leaves_the_worst_news_and_counts_its_rows() {
        for statements in [broken(1), broken(40)] {
            let (shown, lines) = fitted(statements.clone(), 60);
            assert!(shown.len() > 3 || shown == statements, "{shown:#?}");
            assert!((LINES - 2..=LINES).contains(&lines), "{lines}");
        }
        let mut sections = sections(broken(40), 60);
        fit("The answer", &mut sections);
        let [Part::Table(table), Part::Text(rest)] = &sections[1].parts[..] else {
            panic!("{:?}", sections[1].parts)
        };
        assert_eq!(
            *rest,
            format!("And {} more rows: `--tables` prints all.", 60 - table.rows().len())
        );
    }
}
