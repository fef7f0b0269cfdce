//! A strict reader for the small documents of a key server. What a hostile document can do is bounded: there are no
//! entities but the five that XML itself knows, no document type, no processing instruction, a limit on depth, on
//! elements and on attributes, and every prefix must be declared. Text is kept in memory that is zeroed when dropped,
//! because some of it is a key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use quick_xml::NsReader;
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use quick_xml::name::{PrefixDeclaration, ResolveResult};
use zeroize::Zeroizing;

/// The documents that are read here are about six deep.
const MAXIMUM_DEPTH: usize = 16;
/// The largest answer, five keys for six systems, has about 200.
const MAXIMUM_ELEMENTS: usize = 4096;
/// The most that an element of CPIX has is eight.
const MAXIMUM_ATTRIBUTES: usize = 32;

/// An element with all that is in it.
#[derive(Default)]
pub(super) struct Element {
    namespace: String,
    name: String,
    attributes: Vec<(String, String)>,
    children: Vec<Element>,
    text: Zeroizing<String>,
}

impl Element {
    /// Whether it has this name in this namespace.
    pub(super) fn is(&self, namespace: &str, name: &str) -> bool {
        self.namespace == namespace && self.name == name
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The attributes that are in no namespace.
    pub(super) fn attributes(&self) -> &[(String, String)] {
        &self.attributes
    }

    /// The attribute of this name, in no namespace.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn children(&self) -> &[Element] {
        &self.children
    }

    /// Its own text, without that of its children.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The children of this name.
    pub(super) fn all(&self, namespace: &'static str, name: &'static str) -> impl Iterator<Item = &Element> {
        self.children.iter().filter(move |child| child.is(namespace, name))
    }

    /// The child of this name, of which there is exactly one.
    pub(super) fn only(&self, namespace: &'static str, name: &'static str) -> Result<&Element, String> {
        let mut found = self.all(namespace, name);
        match (found.next(), found.next()) {
            (Some(child), None) => Ok(child),
            (None, _) => Err(format!("{} has no {name}", self.name)),
            (Some(_), Some(_)) => Err(format!("{} has more than one {name}", self.name)),
        }
    }

    /// Every element of this name below this one.
    pub(super) fn descendants(&self, namespace: &'static str, name: &'static str) -> Vec<&Element> {
        let mut found = Vec::new();
        let mut open = vec![self];
        while let Some(element) = open.pop() {
            found.extend(element.is(namespace, name).then_some(element));
            open.extend(&element.children);
        }
        found
    }

    /// What its text says in base64 (XML Schema Part 2 clause 3.2.16, which allows white space).
    pub(super) fn base64(&self) -> Result<Zeroizing<Vec<u8>>, String> {
        base64(&self.text).map_err(|()| format!("{} is not base64", self.name))
    }
}

/// Decodes base64 as XML writes it: with white space anywhere. The error says nothing of the text, which may be a key.
pub(super) fn base64(text: &str) -> Result<Zeroizing<Vec<u8>>, ()> {
    let mut plain = Zeroizing::new(Vec::with_capacity(text.len()));
    plain.extend(text.bytes().filter(|byte| !byte.is_ascii_whitespace()));
    // Filled to the length that base64 may need, so that it does not grow and leave a copy behind.
    let mut decoded = Zeroizing::new(vec![0; plain.len() / 4 * 3 + 3]);
    let length = STANDARD.decode_slice(plain.as_slice(), &mut decoded).map_err(|_| ())?;
    decoded.truncate(length);
    Ok(decoded)
}

/// Reads a whole document: one element, in UTF-8.
pub(super) fn document(text: &str) -> Result<Element, String> {
    let mut tops = read(text.strip_prefix('\u{feff}').unwrap_or(text))?;
    match (tops.pop(), tops.pop()) {
        (Some(root), None) => Ok(root),
        (None, _) => Err("there is no element".to_owned()),
        (Some(_), Some(_)) => Err("there is more than one root element".to_owned()),
    }
}

/// Reads what may stand inside an element: elements one after the other.
pub(super) fn fragment(text: &str) -> Result<Vec<Element>, String> {
    read(text)
}

fn read(text: &str) -> Result<Vec<Element>, String> {
    let mut reader = NsReader::from_str(text);
    let mut tree = Tree::default();
    loop {
        let at_start = reader.buffer_position() == 0;
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(start) => tree.open(element(&reader, &start)?)?,
            Event::Empty(start) => {
                tree.open(element(&reader, &start)?)?;
                tree.close();
            }
            Event::End(_) => tree.close(),
            Event::Text(text) => tree.text(&text)?,
            Event::CData(text) => tree.text(&text)?,
            Event::GeneralRef(reference) => tree.text(character(&reference)?.as_str())?,
            Event::Comment(_) => {}
            Event::Decl(declaration) if at_start => check_declaration(&declaration)?,
            Event::Decl(_) => return Err("the XML declaration is not at the start".to_owned()),
            Event::DocType(_) => return Err("document types are not accepted".to_owned()),
            Event::PI(_) => return Err("processing instructions are not accepted".to_owned()),
            Event::Eof => return tree.finish(),
        }
    }
}

/// The element that a start tag opens.
fn element(reader: &NsReader<&[u8]>, start: &BytesStart<'_>) -> Result<Element, String> {
    let (namespace, name) = reader.resolver().resolve_element(start.name());
    let mut element =
        Element { namespace: namespace_of(namespace)?, name: name.as_ref().to_owned(), ..Element::default() };
    for (count, attribute) in start.attributes().enumerate() {
        if count == MAXIMUM_ATTRIBUTES {
            return Err(format!("an element has more than {MAXIMUM_ATTRIBUTES} attributes"));
        }
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| error.to_string())?;
        let declares = matches!(
            attribute.key.as_namespace_binding(),
            Some(PrefixDeclaration::Default | PrefixDeclaration::Named(_))
        );
        let (namespace, name) = reader.resolver().resolve_attribute(attribute.key);
        if !declares && namespace_of(namespace)?.is_empty() {
            element.attributes.push((name.as_ref().to_owned(), value.into_owned()));
        }
    }
    Ok(element)
}

fn namespace_of(found: ResolveResult<'_>) -> Result<String, String> {
    match found {
        ResolveResult::Unbound => Ok(String::new()),
        ResolveResult::Bound(namespace) => Ok(namespace.as_ref().to_owned()),
        ResolveResult::Unknown(prefix) => Err(format!("the prefix {prefix} is not declared")),
    }
}

/// The character that a reference stands for: by number, or one of the five that need no declaration.
fn character(reference: &BytesRef<'_>) -> Result<String, String> {
    if let Some(character) = reference.resolve_char_ref().map_err(|error| error.to_string())? {
        return Ok(character.to_string());
    }
    resolve_predefined_entity(reference)
        .map(str::to_owned)
        .ok_or_else(|| "entities of its own are not accepted".to_owned())
}

fn check_declaration(declaration: &BytesDecl<'_>) -> Result<(), String> {
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(encoding)) if encoding.eq_ignore_ascii_case("utf-8") => Ok(()),
        Some(_) => Err("the encoding is not UTF-8".to_owned()),
    }
}

/// What was read so far.
#[derive(Default)]
struct Tree {
    done: Vec<Element>,
    open: Vec<Element>,
    elements: usize,
}

impl Tree {
    fn open(&mut self, element: Element) -> Result<(), String> {
        self.elements += 1;
        if self.elements > MAXIMUM_ELEMENTS {
            return Err(format!("there are more than {MAXIMUM_ELEMENTS} elements"));
        }
        if self.open.len() == MAXIMUM_DEPTH {
            return Err(format!("elements are nested deeper than {MAXIMUM_DEPTH}"));
        }
        self.open.push(element);
        Ok(())
    }

    fn close(&mut self) {
        // The reader has already refused an end tag without its start.
        if let Some(element) = self.open.pop() {
            self.open.last_mut().map_or(&mut self.done, |parent| &mut parent.children).push(element);
        }
    }

    fn text(&mut self, more: &str) -> Result<(), String> {
        match self.open.last_mut() {
            Some(element) => append(&mut element.text, more),
            None if more.chars().all(char::is_whitespace) => {}
            None => return Err("there is text outside of the root element".to_owned()),
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<Element>, String> {
        match self.open.last() {
            None => Ok(self.done),
            Some(element) => Err(format!("the document ends inside of {}", element.name)),
        }
    }
}

/// Appends without leaving a copy behind: a string that grows by itself frees its old memory as it is.
fn append(text: &mut Zeroizing<String>, more: &str) {
    let needed = text.len() + more.len();
    if needed > text.capacity() {
        let mut grown = Zeroizing::new(String::with_capacity(needed.max(2 * text.capacity())));
        grown.push_str(text);
        *text = grown;
    }
    text.push_str(more);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_attributes_and_text_are_resolved() {
        let root = document(
            "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<!-- a comment --><a:top xmlns:a=\"urn:one\" xmlns=\"urn:two\" \
             version=\"2&#46;3\" a:other=\"no\"><low xml:lang=\"en\">A&amp;<![CDATA[<]]>&#x42;</low></a:top>\n",
        )
        .unwrap();
        assert!(root.is("urn:one", "top") && !root.is("", "top"));
        assert_eq!(root.attributes(), [("version".to_owned(), "2.3".to_owned())]);
        let low = root.only("urn:two", "low").unwrap();
        assert_eq!(low.text(), "A&<B");
        assert!(low.attributes().is_empty());
    }

    #[test]
    fn what_could_harm_or_mislead_is_refused() {
        let deep = format!("{}{}", "<a>".repeat(17), "</a>".repeat(17));
        let many = format!("<a>{}</a>", "<b/>".repeat(MAXIMUM_ELEMENTS));
        let attributes: String = (0..33).map(|number| format!(" a{number}=\"\"")).collect();
        for (text, reason) in [
            ("", "no element"),
            ("<a>", "ends inside"),
            ("<a></b>", "expected"),
            ("<a/><a/>", "more than one root"),
            ("<a/>text", "outside"),
            ("text<a/>", "outside"),
            ("<a>&lol;</a>", "entities"),
            ("<a b=\"&lol;\"/>", "entity"),
            ("<!DOCTYPE a [<!ENTITY lol \"lol\">]><a>&lol;</a>", "document types"),
            ("<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>", "document types"),
            ("<?php exit ?><a/>", "processing instructions"),
            ("<?xml version=\"1.0\" encoding=\"UTF-16\"?><a/>", "UTF-8"),
            ("<a/><?xml version=\"1.0\"?>", "not at the start"),
            ("<a:b/>", "prefix a is not declared"),
            ("<a b:c=\"\"/>", "prefix b is not declared"),
            ("<a b=\"1\" b=\"2\"/>", "duplicated"),
            ("<a>& b</a>", "reference"),
            (&deep, "deeper"),
            (&many, "more than 4096"),
            (&format!("<a{attributes}/>"), "more than 32"),
        ] {
            let error = document(text).err().unwrap_or_else(|| panic!("accepted: {text}"));
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn base64_has_white_space_and_padding() {
        let decoded =
            |text: &str| document(&format!("<a>{text}</a>")).unwrap().base64().map(|it| it.to_vec());
        assert_eq!(decoded(" AA\n EC \t").unwrap(), [0, 1, 2]);
        assert_eq!(decoded("AAE=").unwrap(), [0, 1]);
        assert_eq!(decoded("").unwrap(), [0; 0]);
        for text in ["AAE", "A", "AA-_", "AAF=", "=AAE"] {
            assert_eq!(decoded(text).unwrap_err(), "a is not base64", "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_the_reader_panic(text in "(<a|<b:c| d=\"|>|/>|</a>|&amp;|&#x;|<!--|-->|]]>|<!|\\?|x| ){0,40}") {
            drop(document(&text));
        }

        #[test]
        fn text_that_grows_stays_whole(parts in proptest::collection::vec("[a-z&]{0,9}", 0..20)) {
            let text: String = parts.concat();
            let root = document(&format!("<a>{}</a>", text.replace('&', "&#38;"))).unwrap();
            prop_assert_eq!(root.text(), text);
        }
    }
}
