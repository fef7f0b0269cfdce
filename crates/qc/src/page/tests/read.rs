//! Reads a page as XML.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// An element with its attributes' names and values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
}

/// Every element of a page in the order of the file, or why it is no XML.
pub(super) fn elements(page: &str) -> Result<Vec<Element>, String> {
    let mut reader = Reader::from_str(page);
    let mut elements = Vec::new();
    let mut depth = 0_i64;
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(start) => {
                depth += 1;
                elements.push(element(&start)?);
            }
            Event::Empty(start) => elements.push(element(&start)?),
            Event::End(_) => depth -= 1,
            Event::Eof => break,
            Event::Text(_) | Event::GeneralRef(_) | Event::DocType(_) => {}
            other => return Err(format!("a page has no {other:?}")),
        }
    }
    if depth == 0 { Ok(elements) } else { Err(format!("{depth} elements have no end")) }
}

fn element(start: &BytesStart<'_>) -> Result<Element, String> {
    let attributes = start.attributes().map(|attribute| {
        let attribute = attribute.map_err(|error| error.to_string())?;
        Ok((attribute.key.as_ref().to_owned(), attribute.value.into_owned()))
    });
    let attributes = attributes.collect::<Result<_, String>>()?;
    Ok(Element { name: start.name().as_ref().to_owned(), attributes })
}
