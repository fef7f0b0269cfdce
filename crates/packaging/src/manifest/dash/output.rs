//! Writes an MPD event by event, and puts elements into the schema's order: the packager has a set's role before its
//! label, and its supplemental properties before its content protection.

use quick_xml::Writer;
use quick_xml::events::Event;

use crate::mpd::order;

/// An MPD that is being written.
pub(super) struct Output {
    writer: Writer<Vec<u8>>,
    waiting: Option<Children>,
}

/// The elements within one that the schema orders, until all are known.
struct Children {
    parent: String,
    /// How many elements are open within it.
    depth: usize,
    /// Each with its place and the white space before it.
    elements: Vec<(usize, Vec<u8>)>,
    /// White space that no element has followed yet.
    blank: Vec<u8>,
}

impl Output {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { writer: Writer::new(Vec::with_capacity(bytes)), waiting: None }
    }

    pub(super) fn write(&mut self, event: Event<'_>) -> Result<(), String> {
        let (name, is_end) = match &event {
            Event::Start(element) | Event::Empty(element) => {
                (Some(element.name().as_ref().to_owned()), false)
            }
            Event::End(_) => (None, true),
            _ => (None, false),
        };
        let is_within = self.waiting.as_ref().is_some_and(|children| children.depth > 0);
        let begins =
            matches!(event, Event::Start(_)) && !is_within && name.as_deref().is_some_and(order::is_of);
        if begins || (is_end && !is_within) {
            self.flush();
        }
        let Some(children) = &mut self.waiting else {
            let begun = begins.then_some(name).flatten();
            self.waiting =
                begun.map(|parent| Children { parent, depth: 0, elements: Vec::new(), blank: Vec::new() });
            return self.writer.write_event(event).map_err(|error| error.to_string());
        };
        if let Some(name) = name.filter(|_| children.depth == 0) {
            let before = children.elements.last().map_or(0, |(place, _)| *place);
            let place = order::place(&children.parent, &name).unwrap_or(before);
            children.elements.push((place, std::mem::take(&mut children.blank)));
        }
        match &event {
            Event::Start(_) => children.depth += 1,
            Event::End(_) => children.depth -= 1,
            _ => {}
        }
        let is_element = children.depth > 0 || matches!(event, Event::Empty(_) | Event::End(_));
        let bytes = match children.elements.last_mut() {
            Some((_, bytes)) if is_element => bytes,
            _ => &mut children.blank,
        };
        Writer::new(bytes).write_event(event).map_err(|error| error.to_string())
    }

    /// Writes text of XML behind the last element.
    pub(super) fn write_text(&mut self, text: &str) {
        let last = self.waiting.as_mut().and_then(|children| children.elements.last_mut());
        last.map_or_else(|| self.writer.get_mut(), |(_, bytes)| bytes).extend_from_slice(text.as_bytes());
    }

    pub(super) fn into_inner(mut self) -> Vec<u8> {
        self.flush();
        self.writer.into_inner()
    }

    fn flush(&mut self) {
        let Some(mut children) = self.waiting.take() else { return };
        children.elements.sort_by_key(|(place, _)| *place);
        let output = self.writer.get_mut();
        children.elements.into_iter().for_each(|(_, bytes)| output.extend(bytes));
        output.extend(children.blank);
    }
}

#[cfg(test)]
mod tests {
    use quick_xml::Reader;

    use super::*;

    fn written(text: &str) -> String {
        let mut reader = Reader::from_str(text);
        let mut output = Output::with_capacity(0);
        loop {
            match reader.read_event().unwrap() {
                Event::Eof => return String::from_utf8(output.into_inner()).unwrap(),
                event => output.write(event).unwrap(),
            }
        }
    }

    #[test]
    fn elements_are_put_into_the_schemas_order_and_nothing_else_changes() {
        let set =
            |content: &str| format!("<P>\n <AdaptationSet id=\"1\">\n  {content}\n </AdaptationSet>\n</P>");
        for (text, expected) in [
            (
                "<Role a=\"1\"/>\n  <Role a=\"2\"/>\n  <Label>x &amp; y</Label>\n  <Representation>\n  </Representation>",
                "<Label>x &amp; y</Label>\n  <Role a=\"1\"/>\n  <Role a=\"2\"/>\n  <Representation>\n  </Representation>",
            ),
            (
                "<SupplementalProperty/>\n  <ContentProtection><Role/></ContentProtection>\n  <Other/>\n  <Role/>",
                "<ContentProtection><Role/></ContentProtection>\n  <Other/>\n  <SupplementalProperty/>\n  <Role/>",
            ),
            (
                "<Role/>\n  <Representation>\n   <BaseURL>a</BaseURL>\n   <ContentProtection/>\n  </Representation>\n  <Representation/>",
                "<Role/>\n  <Representation>\n   <ContentProtection/>\n   <BaseURL>a</BaseURL>\n  </Representation>\n  <Representation/>",
            ),
            ("<Label>x</Label>\n  <Role/>", "<Label>x</Label>\n  <Role/>"),
        ] {
            assert_eq!(written(&set(text)), set(expected));
        }
        let other = "<P>\n <Role/>\n <Label>x</Label>\n</P>";
        assert_eq!(written(other), other);
    }

    #[test]
    fn text_goes_along_with_the_element_before_it() {
        let mut output = Output::with_capacity(0);
        let mut reader =
            Reader::from_str("<AdaptationSet><SupplementalProperty/><ContentProtection/></AdaptationSet>");
        loop {
            match reader.read_event().unwrap() {
                Event::Eof => break,
                event => {
                    let is_protection =
                        matches!(&event, Event::Empty(e) if e.name().as_ref() == "ContentProtection");
                    output.write(event).unwrap();
                    if is_protection {
                        output.write_text("<ContentProtection a=\"1\"/>");
                    }
                }
            }
        }
        let expected = "<AdaptationSet><ContentProtection/><ContentProtection a=\"1\"/><SupplementalProperty/></AdaptationSet>";
        assert_eq!(String::from_utf8(output.into_inner()).unwrap(), expected);
    }
}
