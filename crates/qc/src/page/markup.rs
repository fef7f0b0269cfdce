//! Markup that is read alike as HTML and as XML. Names of elements and attributes are the program's own; all else passes
//! through one escape, so what a film or FFmpeg says can't become markup.

use crate::text::printable;

/// An attribute's name and value.
pub(super) type Attribute<'a> = (&'static str, &'a str);

/// Elements after which no line ends, because white space beside them is seen or would tear a table's row.
const INLINE: [&str; 9] = ["a", "b", "code", "span", "strong", "title", "td", "th", "time"];

/// A document in the making.
#[derive(Debug, Default)]
pub(super) struct Markup {
    text: String,
}

impl Markup {
    /// The document as it is so far.
    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// An element with what `inside` writes.
    pub(super) fn within(
        &mut self,
        name: &'static str,
        attributes: &[Attribute<'_>],
        inside: impl FnOnce(&mut Self),
    ) {
        self.start(name, attributes);
        self.text.push('>');
        inside(self);
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
        self.line_end(name);
    }

    /// An element with text alone. Without text it still gets its end tag: HTML knows no `<p/>`.
    pub(super) fn element(&mut self, name: &'static str, attributes: &[Attribute<'_>], text: &str) {
        self.within(name, attributes, |markup| markup.text(text));
    }

    /// An element that HTML has no end tag for, or a shape of a drawing with nothing in it.
    pub(super) fn void(&mut self, name: &'static str, attributes: &[Attribute<'_>]) {
        self.start(name, attributes);
        self.text.push_str("/>");
        self.line_end(name);
    }

    /// Text.
    pub(super) fn text(&mut self, text: &str) {
        escape(text, &mut self.text);
    }

    /// The program's own words that are no markup of HTML: the document's type, the style sheet.
    pub(super) fn verbatim(&mut self, text: &'static str) {
        self.text.push_str(text);
    }

    fn start(&mut self, name: &'static str, attributes: &[Attribute<'_>]) {
        self.text.push('<');
        self.text.push_str(name);
        for (attribute, value) in attributes {
            self.text.push(' ');
            self.text.push_str(attribute);
            self.text.push_str("=\"");
            escape(value, &mut self.text);
            self.text.push('"');
        }
    }

    fn line_end(&mut self, name: &str) {
        if !INLINE.contains(&name) {
            self.text.push('\n');
        }
    }
}

/// Writes text for an element or a quoted attribute. Control characters, and those that turn the writing direction, are
/// question marks; so are the two that XML does not have.
fn escape(text: &str, into: &mut String) {
    for character in printable(text).chars() {
        match character {
            '&' => into.push_str("&amp;"),
            '<' => into.push_str("&lt;"),
            '>' => into.push_str("&gt;"),
            '"' => into.push_str("&quot;"),
            '\'' => into.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => into.push('?'),
            other => into.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_attributes_cannot_become_markup() {
        let mut markup = Markup::default();
        markup.element("p", &[("title", "\"><script>'")], "</p><b>&\u{202e}\u{0}\u{ffff}");
        assert_eq!(
            markup.into_text(),
            "<p title=\"&quot;&gt;&lt;script&gt;&#39;\">&lt;/p&gt;&lt;b&gt;&amp;???</p>\n"
        );
    }

    #[test]
    fn an_element_without_text_has_its_end_tag() {
        let mut markup = Markup::default();
        markup.element("td", &[], "");
        markup.void("br", &[]);
        assert_eq!(markup.into_text(), "<td></td><br/>\n");
    }
}
