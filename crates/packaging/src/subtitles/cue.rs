//! What side files hold, whatever their format.

use super::settings::Settings;

/// A text with the time in which it is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cue {
    /// When it appears, in milliseconds.
    pub start: u64,
    /// When it goes, in milliseconds; after `start`.
    pub end: u64,
    /// Where it stands.
    pub settings: Settings,
    /// Its lines from top to bottom, at least one.
    pub lines: Vec<Line>,
}

/// A cue with the line of its file that it begins in, counted from 1.
pub(super) type Numbered = (usize, Cue);

/// A line of text: never empty, without spaces at its ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line(Vec<Span>);

impl Line {
    /// Its parts, each of another style than the one before.
    pub fn spans(&self) -> &[Span] {
        &self.0
    }
}

/// Text of one style.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The text: never empty, without line breaks.
    pub text: String,
    /// How it looks.
    pub style: Style,
}

/// How text looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Slanted.
    pub italic: bool,
    /// Heavy.
    pub bold: bool,
    /// Underlined.
    pub underline: bool,
}

/// Spaces that nobody sees at the end of a line.
const BLANK: [char; 2] = [' ', '\t'];

/// Puts a cue's text together.
#[derive(Debug, Default)]
pub(super) struct Text {
    lines: Vec<Line>,
    current: Line,
}

impl Text {
    /// Adds text; line breaks in it break the line.
    pub(super) fn push(&mut self, text: &str, style: Style) {
        for (index, part) in text.split('\n').enumerate() {
            if index > 0 {
                self.break_line();
            }
            match self.current.0.last_mut() {
                _ if part.is_empty() => {}
                Some(last) if last.style == style => last.text.push_str(part),
                _ => self.current.0.push(Span { text: part.to_owned(), style }),
            }
        }
    }

    /// Adds text in which any white space counts as one space (TTML, `xml:space="default"`).
    pub(super) fn push_collapsed(&mut self, text: &str, style: Style) {
        for (index, word) in text.split([' ', '\t', '\n']).enumerate() {
            if index > 0 && self.current.0.last().is_some_and(|span| !span.text.ends_with(BLANK)) {
                self.push(" ", style);
            }
            self.push(word, style);
        }
    }

    /// Begins the next line.
    pub(super) fn break_line(&mut self) {
        self.lines.push(std::mem::take(&mut self.current));
    }

    /// The lines; none where there is nothing to see. A blank line between others becomes a hard space, because WebVTT
    /// cannot have it blank.
    pub(super) fn complete(mut self) -> Vec<Line> {
        self.break_line();
        let mut lines: Vec<_> = self.lines.into_iter().map(trimmed).collect();
        let is_blank = |line: &Line| line.0.is_empty();
        let last = lines.iter().rposition(|line| !is_blank(line)).map_or(0, |last| last + 1);
        lines.truncate(last);
        lines.drain(..lines.iter().take_while(|line| is_blank(line)).count());
        for blank in lines.iter_mut().filter(|line| is_blank(line)) {
            blank.0.push(Span { text: "\u{A0}".to_owned(), style: Style::default() });
        }
        lines
    }
}

fn trimmed(mut line: Line) -> Line {
    while let Some(last) = line.0.last_mut() {
        last.text.truncate(last.text.trim_end_matches(BLANK).len());
        if !last.text.is_empty() {
            break;
        }
        line.0.pop();
    }
    while let Some(first) = line.0.first_mut() {
        first.text.drain(..first.text.len() - first.text.trim_start_matches(BLANK).len());
        if !first.text.is_empty() {
            break;
        }
        line.0.remove(0);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Style = Style { italic: false, bold: false, underline: false };
    const ITALIC: Style = Style { italic: true, ..PLAIN };

    fn texts(lines: &[Line]) -> Vec<Vec<&str>> {
        lines.iter().map(|line| line.0.iter().map(|span| span.text.as_str()).collect()).collect()
    }

    #[test]
    fn spans_of_one_style_are_one_and_ends_are_trimmed() {
        let mut text = Text::default();
        text.push(" \n a", PLAIN);
        text.push("b ", PLAIN);
        text.push("c", ITALIC);
        text.push(" \t", PLAIN);
        text.push("\n \n", ITALIC);
        text.push("  d  e\n\n", PLAIN);
        assert_eq!(texts(&text.complete()), [vec!["ab ", "c"], vec!["\u{A0}"], vec!["d  e"]]);
        assert!(Text::default().complete().is_empty());
    }

    #[test]
    fn white_space_is_collapsed_across_spans() {
        let mut text = Text::default();
        text.push_collapsed("\n   one\n\t two ", PLAIN);
        text.push_collapsed(" three", ITALIC);
        text.break_line();
        text.push_collapsed("  four ", PLAIN);
        assert_eq!(texts(&text.complete()), [vec!["one two ", "three"], vec!["four"]]);
    }
}
