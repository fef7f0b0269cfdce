//! Styles and regions (TTML1 8 and 9), in so far as they reach cues.

use std::collections::HashMap;

use super::super::cue::Style;
use super::super::settings::Align;
use super::place::Place;

/// An element's attributes by their local names.
#[derive(Debug, Default)]
pub(super) struct Attributes(pub(super) Vec<(String, String)>);

impl Attributes {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// Those of a text such as `id=a;origin=10% 10%`.
    #[cfg(test)]
    pub(super) fn of(text: &str) -> Self {
        let pairs = text.split_terminator(';').filter_map(|pair| pair.split_once('='));
        Self(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

/// What is said of the looks of text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Looks {
    italic: Option<bool>,
    bold: Option<bool>,
    underline: Option<bool>,
    align: Option<Align>,
    /// Whether its letters are seen (`visibility`).
    visible: Option<bool>,
    /// Whether it is there at all (`display`).
    displayed: Option<bool>,
    place: Place,
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
            visible: attributes.get("visibility").map(|value| value != "hidden"),
            displayed: attributes.get("display").map(|value| value != "none"),
            place: Place::stated(attributes),
        }
    }

    /// What this says, and what `other` says where this is silent.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            italic: self.italic.or(other.italic),
            bold: self.bold.or(other.bold),
            underline: self.underline.or(other.underline),
            align: self.align.or(other.align),
            visible: self.visible.or(other.visible),
            displayed: self.displayed.or(other.displayed),
            place: self.place.or(other.place),
        }
    }

    /// What of this holds for the elements within as well.
    pub(super) fn inherited(self) -> Self {
        Self { displayed: None, place: Place::default(), ..self }
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

    pub(super) fn is_visible(self) -> bool {
        self.visible.unwrap_or(true)
    }

    pub(super) fn is_displayed(self) -> bool {
        self.displayed.unwrap_or(true)
    }

    pub(super) const fn place(self) -> Place {
        self.place
    }
}

/// A style or region, in the order in which its parts go before one another (TTML1 8.4.4.2).
#[derive(Clone, Copy, Debug, Default)]
struct Definition {
    own: Looks,
    /// By the styles within a region, of which a later one goes before an earlier.
    nested: Looks,
    /// By the styles that it names.
    named: Looks,
}

/// The styles and regions of a file's head, by their ids.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    definitions: HashMap<String, Definition>,
}

impl Sheet {
    /// Takes note of a style or region whose attributes these are.
    pub(super) fn define(&mut self, attributes: &Attributes) {
        if let Some(id) = attributes.get("id") {
            let (own, named) = (Looks::stated(attributes), self.styles(attributes));
            self.definitions.insert(id.to_owned(), Definition { own, nested: Looks::default(), named });
        }
    }

    /// Adds what a style within a region says to the region.
    pub(super) fn extend(&mut self, id: &str, attributes: &Attributes) {
        let looks = self.looks(attributes);
        if let Some(region) = self.definitions.get_mut(id) {
            region.nested = looks.or(region.nested);
        }
    }

    /// What an element says: itself, and by the styles that it names. Styles are known once they were defined.
    pub(super) fn looks(&self, attributes: &Attributes) -> Looks {
        Looks::stated(attributes).or(self.styles(attributes))
    }

    /// What the region says that an element names, if it names one.
    pub(super) fn region(&self, attributes: &Attributes) -> Option<Looks> {
        attributes.get("region").map(|id| self.defined(id))
    }

    /// What the styles say that an element names, of which a later one goes before an earlier.
    fn styles(&self, attributes: &Attributes) -> Looks {
        let ids = attributes.get("style").unwrap_or_default().split_ascii_whitespace();
        ids.rev().fold(Looks::default(), |looks, id| looks.or(self.defined(id)))
    }

    fn defined(&self, id: &str) -> Looks {
        let Definition { own, nested, named } = self.definitions.get(id).copied().unwrap_or_default();
        own.or(nested).or(named)
    }
}

#[cfg(test)]
mod tests {
    use super::super::place::Screen;
    use super::*;

    fn attributes(text: &str) -> Attributes {
        Attributes::of(text)
    }

    fn is_top(looks: Looks) -> bool {
        looks.place().is_top(Screen::of(&attributes("extent=640px 360px")))
    }

    #[test]
    fn styles_are_looked_up_nearest_first() {
        let mut sheet = Sheet::default();
        sheet.define(&attributes("id=a;fontStyle=italic;fontWeight=bold;textAlign=start"));
        sheet.define(&attributes("id=b;style=a;fontWeight=normal;textDecoration=lineThrough underline"));
        let looks = sheet.looks(&attributes("style=missing a b;fontStyle=normal"));
        assert_eq!(looks.style(), Style { italic: false, bold: false, underline: true });
        assert_eq!(looks.align(), Align::Start);
        assert_eq!(
            sheet.looks(&attributes("style=b a")).style(),
            Style { italic: true, bold: true, underline: true }
        );
    }

    /// What a region says in several places is one place: neither part is judged without the others.
    #[test]
    fn the_parts_of_a_region_are_put_together_before_it_is_judged() {
        let mut sheet = Sheet::default();
        sheet.define(&attributes("id=s;displayAlign=before;textAlign=start"));
        sheet.define(&attributes("id=a;origin=10% 10%;extent=80% 80%"));
        sheet.extend("a", &attributes("displayAlign=after"));
        sheet.define(&attributes("id=b;style=s"));
        for nested in ["displayAlign=after", "origin=32px 280px", "extent=576px 60px", "textAlign=end"] {
            sheet.extend("b", &attributes(nested));
        }
        sheet.extend("b", &attributes("displayAlign=before"));
        sheet.define(&attributes("id=c;displayAlign=before"));
        sheet.extend("c", &attributes("displayAlign=after;origin=10% 5%"));
        for (region, top, align) in
            [("a", false, Align::Center), ("b", false, Align::End), ("c", true, Align::Center)]
        {
            let looks = sheet.region(&attributes(&format!("region={region}"))).unwrap();
            assert_eq!((is_top(looks), looks.align()), (top, align), "{region}");
        }
        assert_eq!(sheet.region(&attributes("style=a")), None);
        assert_eq!(sheet.region(&attributes("region=x")), Some(Looks::default()));
    }

    #[test]
    fn a_place_and_being_there_hold_for_one_element_alone() {
        let looks =
            Looks::stated(&attributes("fontStyle=italic;visibility=hidden;display=none;displayAlign=before"));
        assert!(is_top(looks) && !looks.is_displayed());
        let within = looks.inherited();
        assert!(!is_top(within) && within.is_displayed() && !within.is_visible() && within.style().italic);
    }
}
