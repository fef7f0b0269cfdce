//! The text of a paragraph, whose spans may come and go at times of their own (TTML1 10.2): a cue for each stretch of
//! time in which the same of it is seen.

use std::collections::BTreeSet;

use super::super::LARGEST;
use super::super::cue::{Cue, Style, Text};
use super::super::settings::Settings;
use super::super::time::{Clock, LATEST};

/// When something is seen, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interval {
    /// When it begins.
    pub(super) begin: u64,
    /// When it ends, where that is said.
    pub(super) end: Option<u64>,
}

/// How much text all cues of a file may have, in bytes: text that stays while other text comes and goes is in many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room(usize);

impl Default for Room {
    fn default() -> Self {
        Self(4 * LARGEST)
    }
}

#[derive(Clone, Debug)]
enum Content {
    Text { text: String, style: Style, preserves: bool },
    Break,
}

/// Puts a paragraph together.
#[derive(Debug, Default)]
pub(super) struct Paragraph(Vec<(Interval, Content)>);

impl Paragraph {
    /// Adds text; unless white space counts, any of it is one space.
    pub(super) fn push(&mut self, interval: Interval, text: &str, style: Style, preserves: bool) {
        let text = if preserves || !is_blank(text) { text } else { " " };
        self.0.push((interval, Content::Text { text: text.to_owned(), style, preserves }));
    }

    /// Begins the next line.
    pub(super) fn break_line(&mut self, interval: Interval) {
        self.0.push((interval, Content::Break));
    }

    /// Its cues in the order of their beginnings.
    ///
    /// # Errors
    /// Text comes without going, or not before it goes; or there is no room for all cues.
    pub(super) fn cues(self, settings: &Settings, room: &mut Room) -> Result<Vec<Cue>, String> {
        let mut moments = BTreeSet::new();
        for (Interval { begin, end }, content) in &self.0 {
            match content {
                Content::Text { text, .. } if !is_blank(text) => {}
                _ => continue,
            }
            let end = end.ok_or("the paragraph that ends here does not say when its text goes")?;
            if end <= *begin || end >= LATEST {
                let (begin, end) = (Clock(*begin), Clock(end));
                return Err(format!(
                    "the text of the paragraph that ends here comes at {begin} and goes at {end}"
                ));
            }
            moments.extend([*begin, end]);
        }
        let mut coming: Vec<_> = (0..self.0.len()).collect();
        coming.sort_by_key(|index| self.0[*index].0.begin);
        let mut coming = coming.into_iter().peekable();
        let mut seen = BTreeSet::new();
        let mut cues = Vec::new();
        for (start, end) in moments.iter().zip(moments.iter().skip(1)) {
            while let Some(index) = coming.next_if(|index| self.0[*index].0.begin <= *start) {
                seen.insert(index);
            }
            seen.retain(|index| self.0[*index].0.end.is_none_or(|end| end > *start));
            let lines = self.lines(&seen, room)?;
            if !lines.is_empty() {
                cues.push(Cue { start: *start, end: *end, settings: settings.clone(), lines });
            }
        }
        Ok(cues)
    }

    /// The lines of what is seen.
    fn lines(&self, seen: &BTreeSet<usize>, room: &mut Room) -> Result<Vec<super::super::Line>, String> {
        let mut lines = Text::default();
        for index in seen {
            let length = match &self.0[*index].1 {
                Content::Break => {
                    lines.break_line();
                    1
                }
                Content::Text { text, style, preserves } => {
                    let push = if *preserves { Text::push } else { Text::push_collapsed };
                    push(&mut lines, text, *style);
                    text.len()
                }
            };
            room.0 =
                room.0.checked_sub(length).ok_or("the text changes so often that its cues have no room")?;
        }
        Ok(lines.complete())
    }
}

fn is_blank(text: &str) -> bool {
    text.chars().all(|character| matches!(character, ' ' | '\t' | '\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: Style = Style { italic: false, bold: false, underline: false };

    fn during(begin: u64, end: u64) -> Interval {
        Interval { begin, end: Some(end) }
    }

    fn cues(pieces: &[(Interval, &str)], room: &mut Room) -> Result<Vec<(u64, u64, String)>, String> {
        let mut paragraph = Paragraph::default();
        for (interval, text) in pieces {
            match *text {
                "|" => paragraph.break_line(*interval),
                text => paragraph.push(*interval, text, STYLE, false),
            }
        }
        let text = |cue: &Cue| {
            let lines: Vec<String> = cue
                .lines
                .iter()
                .map(|line| line.spans().iter().map(|span| span.text.as_str()).collect())
                .collect();
            lines.join("|")
        };
        let cues = paragraph.cues(&Settings::default(), room)?;
        Ok(cues.iter().map(|cue| (cue.start, cue.end, text(cue))).collect())
    }

    #[test]
    fn there_is_a_cue_for_each_stretch_in_which_the_same_is_seen() {
        let always = Interval { begin: 0, end: None };
        for (pieces, expected) in [
            (vec![(during(1, 5), "a"), (during(1, 5), "|"), (during(1, 5), "b")], vec![(1, 5, "a|b")]),
            (
                vec![
                    (always, "\n  "),
                    (during(5, 7), "b"),
                    (always, "|"),
                    (always, " "),
                    (during(1, 3), "a"),
                ],
                vec![(1, 3, "a"), (5, 7, "b")],
            ),
            (
                vec![(during(0, 9), "stays "), (during(3, 5), "comes"), (during(5, 9), "then")],
                vec![(0, 3, "stays"), (3, 5, "stays comes"), (5, 9, "stays then")],
            ),
            (vec![(always, " "), (always, "|")], vec![]),
        ] {
            let expected: Vec<_> = expected.iter().map(|(a, b, text)| (*a, *b, (*text).to_owned())).collect();
            assert_eq!(cues(&pieces, &mut Room::default()), Ok(expected), "{pieces:?}");
        }
    }

    #[test]
    fn text_without_end_or_without_room_is_refused() {
        let open = Interval { begin: 1, end: None };
        let error = cues(&[(open, "a")], &mut Room::default()).unwrap_err();
        assert!(error.ends_with("does not say when its text goes"), "{error}");
        assert!(cues(&[(during(2, 2), "a")], &mut Room::default()).is_err());
        let pieces: Vec<_> = (0..100).map(|begin| (during(begin, 200), "word ")).collect();
        assert!(cues(&pieces, &mut Room(100 * 101 / 2 * 5)).is_ok());
        assert!(cues(&pieces, &mut Room(100 * 101 / 2 * 5 - 1)).unwrap_err().contains("no room"));
    }
}
