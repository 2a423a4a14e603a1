//! What is wrong with a limits file, and what was probably meant.

/// Why text is no limits file: where, what, and what was probably meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {}{message}; docs/limits.md lists every key", at(*line))]
pub struct LimitsError {
    /// The file's name.
    pub file: String,
    /// The line, from 1; none when it is about the whole file.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
}

fn at(line: Option<usize>) -> String {
    line.map_or(String::new(), |line| format!("line {line}: "))
}

/// Something wrong at a byte of the text.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) at: Option<usize>,
    pub(super) message: String,
}

impl Wrong {
    pub(super) fn at(at: usize, message: impl Into<String>) -> Wrong {
        Wrong { at: Some(at), message: message.into() }
    }

    pub(super) fn in_file(self, file: &str, text: &str) -> LimitsError {
        let line = self.at.map(|at| line_of(text, at));
        LimitsError { file: file.to_owned(), line, message: self.message }
    }
}

/// The line of a byte, from 1.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

/// `unknown metric `grwth`; did you mean `growth`?`, or what there is when nothing is
/// near.
pub(super) fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    match nearest(name, known) {
        Some(near) => format!("unknown {what} `{name}`; did you mean `{near}`?"),
        None => format!("unknown {what} `{name}`; there are: {}", known.join(", ")),
    }
}

/// The most alike of the known names, unless it is quite another word.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance =
        |known: &str| strsim::damerau_levenshtein(&name.to_lowercase(), &known.to_lowercase());
    let near = known.iter().min_by_key(|known| distance(known))?;
    let is_alike = distance(near) <= 1 + name.len().max(near.len()) / 4;
    (is_alike || near.starts_with(name)).then_some(*near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_is_answered_with_the_nearest_name() {
        let known = ["growth", "client cpu", "get serial"];
        assert_eq!(nearest("grwth", &known), Some("growth"));
        assert_eq!(nearest("Client CPU", &known), Some("client cpu"));
        assert_eq!(nearest("speed of light", &known), None);
        assert!(unknown("metric", "weight", &known).ends_with("client cpu, get serial"));
    }
}
