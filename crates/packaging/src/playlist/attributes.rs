//! Attribute lists of tags (RFC 8216 clause 4.2).

use std::collections::BTreeMap;

/// The attribute list of a tag (4.2). Each value is taken once; what is left over at the end is an error.
pub(super) struct Attributes<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Attributes<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, String> {
        let mut attributes = BTreeMap::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (name, value) = rest.split_once('=').ok_or_else(|| format!("{rest:?} is no attribute"))?;
            let end = if let Some(inner) = value.strip_prefix('"') {
                2 + inner.find('"').ok_or_else(|| format!("the quotation mark of {name} is not closed"))?
            } else {
                value.find(',').unwrap_or(value.len())
            };
            if attributes.insert(name, &value[..end]).is_some() {
                return Err(format!("{name} stands twice"));
            }
            rest = match &value[end..] {
                "" => "",
                tail => tail.strip_prefix(',').ok_or_else(|| format!("{tail:?} follows {name}"))?,
            };
        }
        Ok(Self(attributes))
    }

    pub(super) fn optional(&mut self, name: &str) -> Option<&'a str> {
        self.0.remove(name)
    }

    pub(super) fn unquoted(&mut self, name: &str) -> Result<&'a str, String> {
        self.optional(name).ok_or_else(|| format!("there is no {name}"))
    }

    pub(super) fn number<T: std::str::FromStr>(&mut self, name: &str) -> Result<T, String> {
        let value = self.unquoted(name)?;
        value.parse().map_err(|_| format!("{name} is {value}"))
    }

    pub(super) fn quoted(&mut self, name: &str) -> Result<String, String> {
        let value = self.unquoted(name)?;
        unquote(name, value)
    }

    pub(super) fn optional_quoted(&mut self, name: &str) -> Result<Option<String>, String> {
        self.optional(name).map(|value| unquote(name, value)).transpose()
    }

    pub(super) fn finish(self) -> Result<(), String> {
        match self.0.first_key_value() {
            None => Ok(()),
            Some((name, value)) => Err(format!("{name}={value} is not used by any profile")),
        }
    }
}

fn unquote(name: &str, value: &str) -> Result<String, String> {
    value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
        .map(str::to_owned)
        .ok_or_else(|| format!("{name} is {value}, without quotation marks"))
}

pub(super) fn yes(attributes: &mut Attributes<'_>, name: &str) -> Result<bool, String> {
    match attributes.optional(name) {
        Some("YES") => Ok(true),
        Some("NO") | None => Ok(false),
        Some(value) => Err(format!("{name} is {value}")),
    }
}
