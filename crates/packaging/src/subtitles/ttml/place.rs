//! Where a region's text stands (TTML1 8.2.5, 8.2.7 and 8.2.16), for formats that know the top and the bottom alone.

use super::super::time::number;
use super::style::Attributes;

/// What lengths are counted in, as the root element says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    /// Its height in pixels, where that is said (TTML1 8.2.7).
    pixels: Option<f64>,
    /// Its height in cells (TTML1 6.2.1).
    cells: f64,
}

impl Screen {
    /// Cells from top to bottom where nothing is said.
    const CELLS: f64 = 15.0;

    /// From the root element's attributes.
    pub(super) fn of(root: &Attributes) -> Self {
        let pixels = match root.get("extent").and_then(Length::vertical) {
            Some(Length::Pixels(pixels)) if pixels > 0.0 => Some(pixels),
            _ => None,
        };
        let cells = root.get("cellResolution").and_then(|text| text.split_ascii_whitespace().nth(1));
        let cells = cells.and_then(|cells| number(cells, 1..=4)).filter(|cells| *cells > 0);
        Self { pixels, cells: cells.map_or(Self::CELLS, |cells| cells as f64) }
    }
}

/// What is said of a place; its parts may come from different elements.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Place {
    origin: Option<Length>,
    extent: Option<Length>,
    align: Option<DisplayAlign>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DisplayAlign {
    Before,
    Center,
    After,
}

impl Place {
    /// What the attributes themselves say.
    pub(super) fn stated(attributes: &Attributes) -> Self {
        let align = attributes.get("displayAlign").and_then(|align| match align {
            "before" => Some(DisplayAlign::Before),
            "center" => Some(DisplayAlign::Center),
            "after" => Some(DisplayAlign::After),
            _ => None,
        });
        let length = |name, auto| match attributes.get(name)?.trim() {
            "auto" => Some(Length::Percent(auto)),
            text => Some(Length::vertical(text).unwrap_or(Length::Unknown)),
        };
        Self { origin: length("origin", 0.0), extent: length("extent", 100.0), align }
    }

    /// What this says, and what `other` says where this is silent.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            origin: self.origin.or(other.origin),
            extent: self.extent.or(other.extent),
            align: self.align.or(other.align),
        }
    }

    /// Whether the text stands in the upper half. Where nothing is said it does not: by the letter of TTML it would, but
    /// no player does that. Nor does it where a length cannot be known.
    pub(super) fn is_top(self, screen: Screen) -> bool {
        /// In percent of the height.
        const MIDDLE: f64 = 50.0;

        if self.origin.is_none() && self.align.is_none() {
            return false;
        }
        let Some(top) = self.origin.unwrap_or(Length::Percent(0.0)).percent(screen) else { return false };
        let height = self.extent.map_or(Some(100.0 - top), |extent| extent.percent(screen));
        let line = match (self.align, height) {
            (None | Some(DisplayAlign::Before), _) => top,
            (Some(DisplayAlign::Center), Some(height)) => top + height / 2.0,
            (Some(DisplayAlign::After), Some(height)) => top + height,
            (Some(_), None) => return false,
        };
        line < MIDDLE
    }
}

/// A vertical length (TTML1 8.3.9; the last is IMSC's).
#[derive(Clone, Copy, Debug, PartialEq)]
enum Length {
    /// Of the height.
    Percent(f64),
    Pixels(f64),
    Cells(f64),
    /// One that counts in something else.
    Unknown,
}

impl Length {
    /// The second of two lengths.
    fn vertical(text: &str) -> Option<Self> {
        let text = text.split_ascii_whitespace().nth(1)?;
        let unit = text.find(|c: char| c.is_ascii_alphabetic() || c == '%')?;
        let value: f64 = text[..unit].parse().ok().filter(|value: &f64| value.is_finite())?;
        match &text[unit..] {
            "%" | "rh" => Some(Self::Percent(value)),
            "px" => Some(Self::Pixels(value)),
            "c" => Some(Self::Cells(value)),
            _ => None,
        }
    }

    fn percent(self, screen: Screen) -> Option<f64> {
        match self {
            Self::Percent(percent) => Some(percent),
            Self::Pixels(pixels) => screen.pixels.map(|height| pixels / height * 100.0),
            Self::Cells(cells) => Some(cells / screen.cells * 100.0),
            Self::Unknown => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_stands_where_its_text_does() {
        let screen = Screen::of(&Attributes::of("extent=640px 360px;cellResolution=40 20"));
        for (text, expected) in [
            ("", false),
            ("extent=80% 20%", false),
            ("displayAlign=before", true),
            ("displayAlign=after", false),
            ("origin=10% 80%", false),
            ("origin=10% 5%;extent=80% 20%;displayAlign=after", true),
            ("origin=10% 5%;extent=80% 90%;displayAlign=after", false),
            ("origin=10% 5%;extent=80% 90%;displayAlign=center", false),
            ("origin=10px 5px;displayAlign=before", true),
            ("origin=32px 280px;displayAlign=before", false),
            ("origin=32px 20px;extent=500px 100px;displayAlign=after", true),
            ("origin=32px 20px;extent=500px 300px;displayAlign=after", false),
            ("origin=2c 2c;extent=30c 3c;displayAlign=after", true),
            ("origin=2c 16c;extent=30c 3c", false),
            ("origin=2rw 80rh", false),
            ("origin=auto;extent=auto;displayAlign=after", false),
            ("origin=auto", true),
            // Nobody knows where these are.
            ("origin=1em 30em;displayAlign=before", false),
            ("origin=10% 10%;extent=1em 9em;displayAlign=after", false),
        ] {
            assert_eq!(Place::stated(&Attributes::of(text)).is_top(screen), expected, "{text}");
        }
    }

    #[test]
    fn without_a_size_pixels_say_nothing_and_cells_are_fifteen() {
        let screen = Screen::of(&Attributes::of("extent=100% 100%;cellResolution=32"));
        for (text, expected) in
            [("origin=32px 20px;displayAlign=before", false), ("origin=2c 7c", true), ("origin=2c 8c", false)]
        {
            assert_eq!(Place::stated(&Attributes::of(text)).is_top(screen), expected, "{text}");
        }
    }
}
