//! The order in which the schema of an MPD has the elements within another (ISO/IEC 23009-1 annex B). Players that read
//! against the schema refuse any other, and a reader that goes by names alone does not see it.

use quick_xml::Reader;
use quick_xml::events::Event;

use super::MpdError;

/// The elements that the farm's profiles use within the others, in the schema's order: those of RepresentationBaseType
/// come before those of the type that extends it.
const ORDER: [(&str, &[&str]); 2] = [
    (
        "AdaptationSet",
        &[
            "AudioChannelConfiguration",
            "ContentProtection",
            "SupplementalProperty",
            "Label",
            "Role",
            "Representation",
        ],
    ),
    (
        "Representation",
        &["AudioChannelConfiguration", "ContentProtection", "BaseURL", "SegmentBase", "SegmentTemplate"],
    ),
];

/// Whether the elements within one of this name have an order.
pub(crate) fn is_of(parent: &str) -> bool {
    ORDER.iter().any(|(element, _)| *element == parent)
}

/// The place of an element within another, where the schema orders what the farm's profiles use of it.
pub(crate) fn place(parent: &str, name: &str) -> Option<usize> {
    let (_, order) = ORDER.iter().find(|(element, _)| *element == parent)?;
    order.iter().position(|known| *known == name)
}

/// An element that is open.
struct Open {
    name: String,
    /// The last element in it, and its place in the order.
    last: Option<(usize, String)>,
}

/// Refuses elements that stand in another order than the schema's.
pub(super) fn check(mpd: &[u8]) -> Result<(), MpdError> {
    let mut reader = Reader::from_reader(mpd);
    let mut open: Vec<Open> = Vec::new();
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        let (name, is_empty) =
            match reader.read_event_into(&mut buffer).map_err(|error| MpdError(error.to_string()))? {
                Event::Start(element) => (element.name().as_ref().to_owned(), false),
                Event::Empty(element) => (element.name().as_ref().to_owned(), true),
                Event::End(_) => {
                    open.pop();
                    continue;
                }
                Event::Eof => return Ok(()),
                _ => continue,
            };
        if let Some(parent) = open.last_mut() {
            match (place(&parent.name, &name), &parent.last) {
                (Some(place), Some((last, before))) if place < *last => {
                    return Err(MpdError(format!(
                        "{name} stands behind {before} in {}, and belongs before it (annex B)",
                        parent.name
                    )));
                }
                (Some(place), _) => parent.last = Some((place, name.clone())),
                (None, _) => {}
            }
        }
        if !is_empty {
            open.push(Open { name, last: None });
        }
    }
}
