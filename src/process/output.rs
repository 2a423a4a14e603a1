//! What a process printed, bounded.

use std::collections::VecDeque;

/// Lines beyond this many bytes in all push out the oldest.
const KEPT_BYTES: usize = 1 << 20;

/// The lines of both streams in the order of arrival; the last mebibyte.
#[derive(Debug, Default)]
pub struct Output {
    lines: VecDeque<String>,
    bytes: usize,
    dropped: usize,
}

impl Output {
    /// Takes one line, without its end.
    pub fn push(&mut self, line: String) {
        self.bytes += line.len() + 1;
        self.lines.push_back(line);
        while self.bytes > KEPT_BYTES && self.lines.len() > 1 {
            if let Some(oldest) = self.lines.pop_front() {
                self.bytes -= oldest.len() + 1;
                self.dropped += 1;
            }
        }
    }

    /// All that is kept; says how much is not.
    pub fn text(&self) -> String {
        let mut text = String::with_capacity(self.bytes + 64);
        if self.dropped > 0 {
            text += &format!("[{} earlier lines dropped]\n", self.dropped);
        }
        for line in &self.lines {
            text += line;
            text.push('\n');
        }
        text
    }

    /// The last `count` lines.
    pub fn tail(&self, count: usize) -> String {
        let skipped = self.lines.len().saturating_sub(count);
        let lines: Vec<&str> = self.lines.iter().skip(skipped).map(String::as_str).collect();
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_end_and_reports_what_it_dropped() {
        let mut output = Output::default();
        output.push("x".repeat(KEPT_BYTES));
        output.push("last".to_owned());
        assert_eq!(output.text(), "[1 earlier lines dropped]\nlast\n");
        assert_eq!(output.tail(5), "last");
    }
}
