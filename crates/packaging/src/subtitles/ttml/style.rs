//! Styles and regions (TTML1 8 and 9), in so far as they reach cues.

use std::collections::HashMap;

use super::super::cue::Style;
use super::super::settings::Align;

/// An element's attributes by their local names.
#[derive(Debug, Default)]
pub(super) struct Attributes(pub(super) Vec<(String, String)>);

impl Attributes {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

/// What an element says of the looks of its text; what it leaves open comes from around it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Looks {
    italic: Option<bool>,
    bold: Option<bool>,
    underline: Option<bool>,
    align: Option<Align>,
    top: Option<bool>,
}

impl Looks {
    /// What the attributes themselves say.
    pub(super) fn stated(attributes: &Attributes) -> Self {
        let is = |name, on: &[&str]| attributes.get(name).map(|value| on.contains(&value));
        let decoration = attributes.get("textDecoration").and_then(|value| {
            let mut words = value.split_ascii_whitespace();
            words.find_map(|word| match word {
                "underline" => Some(true),
                "noUnderline" | "none" => Some(false),
                _ => None,
            })
        });
        Self {
            italic: is("fontStyle", &["italic", "oblique"]),
            bold: is("fontWeight", &["bold"]),
            underline: decoration,
            align: attributes.get("textAlign").and_then(Align::from_name),
            top: is_top(attributes),
        }
    }

    /// What this says, and what `other` says where this is silent.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            italic: self.italic.or(other.italic),
            bold: self.bold.or(other.bold),
            underline: self.underline.or(other.underline),
            align: self.align.or(other.align),
            top: self.top.or(other.top),
        }
    }

    pub(super) fn style(self) -> Style {
        Style {
            italic: self.italic.unwrap_or(false),
            bold: self.bold.unwrap_or(false),
            underline: self.underline.unwrap_or(false),
        }
    }

    pub(super) fn align(self) -> Align {
        self.align.unwrap_or_default()
    }

    /// Whether the text stands in the upper half. Where nothing is said it does not: by the letter of TTML it would, but
    /// no player does that.
    pub(super) fn top(self) -> bool {
        self.top.unwrap_or(false)
    }
}

/// Whether what a region's attributes say puts its text into the upper half; `None` where they say nothing.
fn is_top(attributes: &Attributes) -> Option<bool> {
    /// In percent of the height.
    const MIDDLE: f64 = 50.0;

    let vertical = |name| {
        let second = attributes.get(name)?.split_ascii_whitespace().nth(1)?;
        second.strip_suffix('%')?.parse::<f64>().ok()
    };
    let (origin, extent, align) = (vertical("origin"), vertical("extent"), attributes.get("displayAlign"));
    if origin.is_none() && align.is_none() {
        return None;
    }
    let top = origin.unwrap_or(0.0);
    let height = extent.unwrap_or(100.0 - top);
    let line = match align {
        Some("after") => top + height,
        Some("center") => top + height / 2.0,
        _ => top,
    };
    Some(line < MIDDLE)
}

/// The styles and regions of a file's head, by their ids.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    looks: HashMap<String, Looks>,
}

impl Sheet {
    /// Takes note of a style or region whose attributes these are.
    pub(super) fn define(&mut self, attributes: &Attributes) {
        if let Some(id) = attributes.get("id") {
            let looks = self.looks(attributes);
            self.looks.insert(id.to_owned(), looks);
        }
    }

    /// Adds what a style within a region says to the region.
    pub(super) fn extend(&mut self, id: &str, attributes: &Attributes) {
        let looks = self.looks(attributes);
        if let Some(region) = self.looks.get_mut(id) {
            *region = region.or(looks);
        }
    }

    /// What an element says: itself, by the styles that it names, of which a later one goes before an earlier, and by its
    /// region. Styles are known once they were defined.
    pub(super) fn looks(&self, attributes: &Attributes) -> Looks {
        let named = |name| {
            let ids = attributes.get(name).unwrap_or_default().split_ascii_whitespace();
            ids.rev()
                .filter_map(|id| self.looks.get(id))
                .fold(Looks::default(), |looks, other| looks.or(*other))
        };
        Looks::stated(attributes).or(named("style")).or(named("region"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(text: &str) -> Attributes {
        let pairs = text.split_terminator(';').filter_map(|pair| pair.split_once('='));
        Attributes(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    #[test]
    fn a_region_stands_where_its_text_does() {
        for (text, expected) in [
            ("", None),
            ("extent=80% 20%", None),
            ("displayAlign=before", Some(true)),
            ("displayAlign=after", Some(false)),
            ("origin=10% 80%", Some(false)),
            ("origin=10% 5%;extent=80% 20%;displayAlign=after", Some(true)),
            ("origin=10% 5%;extent=80% 90%;displayAlign=after", Some(false)),
            ("origin=10% 5%;extent=80% 90%;displayAlign=center", Some(false)),
            ("origin=10px 5px;displayAlign=before", Some(true)),
            ("origin=10px 5px", None),
        ] {
            assert_eq!(is_top(&attributes(text)), expected, "{text}");
        }
    }

    #[test]
    fn styles_are_looked_up_nearest_first() {
        let mut sheet = Sheet::default();
        sheet.define(&attributes("id=a;fontStyle=italic;fontWeight=bold;textAlign=start"));
        sheet.define(&attributes("id=b;style=a;fontWeight=normal;textDecoration=lineThrough underline"));
        sheet.define(&attributes("id=r;displayAlign=before"));
        sheet.extend("r", &attributes("textAlign=end;displayAlign=after"));
        let looks = sheet.looks(&attributes("style=missing a b;fontStyle=normal;region=r"));
        assert_eq!(looks.style(), Style { italic: false, bold: false, underline: true });
        assert_eq!((looks.align(), looks.top()), (Align::Start, true));
        assert_eq!(sheet.looks(&attributes("region=r")).align(), Align::End);
        assert_eq!(
            sheet.looks(&attributes("style=b a")).style(),
            Style { italic: true, bold: true, underline: true }
        );
    }
}
