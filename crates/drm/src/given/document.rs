//! The document that keys are given in. serde's own errors repeat what they found, which may be a key; so any JSON is read
//! into a tree that is zeroed when dropped, and the form is checked on that.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use reelfarm_model::{KeyId, TitleId};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use crate::keys::ContentKey;
use crate::secret::Secret;

/// What the document says.
#[derive(Debug, Default)]
pub(super) struct Entries {
    pub(super) titles: BTreeMap<TitleId, ContentKey>,
    pub(super) others: Option<ContentKey>,
}

/// Any JSON, with what cannot be right left out.
enum Value {
    Text(Zeroizing<String>),
    Object(Vec<(Zeroizing<String>, Value)>),
    Other,
}

/// Reads the document.
///
/// # Errors
/// What is wrong and where, with nothing of what stands there.
pub(super) fn parse(text: &[u8]) -> Result<Entries, String> {
    let value = serde_json::from_slice(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let what = if error.is_eof() { "the JSON is cut" } else { "this is no JSON" };
        format!("line {line}, column {column}: {what}")
    })?;
    let Value::Object(members) = value else { return Err("it is no JSON object".to_owned()) };
    let mut reader = Reader::default();
    for (index, (name, value)) in members.iter().enumerate() {
        reader.add(index, name, value).map_err(|reason| format!("{}: {reason}", place(index, name)))?;
    }
    if let Some((index, _)) = reader.keys.values().find(|(_, key)| reader.shown.contains(key.expose())) {
        let place = place(*index, &members[*index].0);
        return Err(format!("{place}: its key is also a kid or a title, which everybody sees"));
    }
    if members.is_empty() { Err("it has no key".to_owned()) } else { Ok(reader.entries) }
}

/// What was read so far.
#[derive(Default)]
struct Reader {
    entries: Entries,
    /// The keys by their ids, each with the place of its first entry.
    keys: BTreeMap<KeyId, (usize, Secret<16>)>,
    /// All that could be a key and stands where everybody sees it: ids, and titles of 32 hexadecimal digits.
    shown: BTreeSet<[u8; 16]>,
}

impl Reader {
    fn add(&mut self, index: usize, name: &str, value: &Value) -> Result<(), &'static str> {
        let key = content_key(value)?;
        let (_, before) = self.keys.entry(key.id).or_insert_with(|| (index, key.key.clone()));
        if *before != key.key {
            return Err("an entry before it has the same kid with another key");
        }
        self.shown.insert(key.id.0);
        self.shown.extend(name.parse::<KeyId>().ok().map(|id| id.0));
        let before = if name == "*" {
            self.entries.others.replace(key)
        } else {
            let title = name.parse().map_err(|_| "this is no title's name, nor *")?;
            self.entries.titles.insert(title, key)
        };
        if before.is_some() { Err("there is an entry for it already") } else { Ok(()) }
    }
}

fn content_key(value: &Value) -> Result<ContentKey, &'static str> {
    let Value::Object(fields) = value else { return Err("it is not {\"kid\": …, \"key\": …}") };
    let (mut id, mut key) = (None, None);
    for (name, value) in fields {
        let before = match name.as_str() {
            "kid" => id.replace(bytes(value).ok_or("its kid is not 32 hexadecimal digits")?),
            "key" => key.replace(bytes(value).ok_or("its key is not 32 hexadecimal digits")?),
            _ => return Err("it has a field other than kid and key"),
        };
        if before.is_some() {
            return Err("it has a field twice");
        }
    }
    let (id, key) = (id.ok_or("it has no kid")?, key.ok_or("it has no key")?);
    Ok(ContentKey { id: KeyId(*id), key: Secret::new(*key) })
}

fn bytes(value: &Value) -> Option<Zeroizing<[u8; 16]>> {
    let Value::Text(text) = value else { return None };
    let mut bytes = Zeroizing::new([0; 16]);
    hex::decode_to_slice(text.as_str(), &mut *bytes).ok()?;
    Some(bytes)
}

/// Names an entry. A key may stand where a title should, so only names that cannot hold a part of one are repeated.
fn place(index: usize, name: &str) -> String {
    let number = index + 1;
    let title = name == "*" || name.parse::<TitleId>().is_ok();
    let digits = name.split(|c: char| !c.is_ascii_hexdigit()).any(|run| run.len() >= 8);
    if title && !digits { format!("entry {number}, {name}") } else { format!("entry {number}") }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(Zeroizing::new(text.to_owned())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = map.next_entry::<Name, Value>()? {
            members.push((name.0, value));
        }
        Ok(Value::Object(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        while sequence.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Other)
    }
}

/// A member's name.
struct Name(Zeroizing<String>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|name| Self(Zeroizing::new(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KID: &str = "00112233445566778899aabbccddeeff";
    const KEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";

    fn entry(kid: &str, key: &str) -> String {
        format!(r#"{{"kid": "{kid}", "key": "{key}"}}"#)
    }

    #[test]
    fn titles_and_all_others_are_read() {
        let other = entry("ffeeddccbbaa99887766554433221100", "A0B1C2D3E4F5061728394A5B6C7D8E9F");
        let text = format!(r#"{{"film": {}, "film.2_b-c": {0}, "*": {other}}}"#, entry(KID, KEY));
        let Entries { titles, others } = parse(text.as_bytes()).unwrap();
        let names: Vec<_> = titles.keys().map(TitleId::as_str).collect();
        assert_eq!(names, ["film", "film.2_b-c"]);
        for key in titles.values() {
            assert_eq!((key.id.to_string().as_str(), hex::encode(key.key.expose()).as_str()), (KID, KEY));
        }
        assert_eq!(hex::encode(others.unwrap().key.expose()), "a0b1c2d3e4f5061728394a5b6c7d8e9f");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place_and_without_its_content() {
        let good = entry(KID, KEY);
        let other_key = "1".repeat(32);
        for (text, expected) in [
            (String::new(), "line 1, column 0: the JSON is cut"),
            ("{\n  \"film\": {\"kid\": ".to_owned(), "line 2, column 18: the JSON is cut"),
            (format!("{{\"film\": {good}}} {KEY}"), "line 1, column 98: this is no JSON"),
            (format!("{{\"film\": {KEY}}}"), "line 1, column 11: this is no JSON"),
            ("{\"a\":".repeat(200), "line 1, column 636: this is no JSON"),
            (format!("\"{KEY}\""), "it is no JSON object"),
            (format!("[{good}]"), "it is no JSON object"),
            ("{}".to_owned(), "it has no key"),
            (format!("{{\"film\": \"{KEY}\"}}"), "entry 1, film: it is not {\"kid\": …, \"key\": …}"),
            (format!("{{\"film\": [{good}]}}"), "entry 1, film: it is not {\"kid\": …, \"key\": …}"),
            (
                format!("{{\"film\": {good}, \"film\": {good}}}"),
                "entry 2, film: there is an entry for it already",
            ),
            (format!("{{\"*\": {good}, \"*\": {good}}}"), "entry 2, *: there is an entry for it already"),
            (format!("{{\"a/b\": {good}}}"), "entry 1: this is no title's name, nor *"),
            (format!("{{\"{KEY}\": \"{KID}\"}}"), "entry 1: it is not {\"kid\": …, \"key\": …}"),
            (format!("{{\"film\": {good}, \"x-{KEY}\": {{}}}}"), "entry 2: it has no kid"),
            (format!("{{\"film\": {{\"kid\": \"{KID}\"}}}}"), "entry 1, film: it has no key"),
            (format!("{{\"film\": {{\"key\": \"{KEY}\"}}}}"), "entry 1, film: it has no kid"),
            (
                format!("{{\"film\": {{\"kid\": \"{KID}\", \"{KEY}\": \"\"}}}}"),
                "entry 1, film: it has a field other than kid and key",
            ),
            (
                format!("{{\"film\": {{\"kid\": \"{KID}\", \"key\": \"{KEY}\", \"key\": \"{KEY}\"}}}}"),
                "entry 1, film: it has a field twice",
            ),
            (
                format!("{{\"film\": {{\"kid\": 7, \"key\": \"{KEY}\"}}}}"),
                "entry 1, film: its kid is not 32 hexadecimal digits",
            ),
            (
                format!("{{\"film\": {}}}", entry(KID, &KEY[1..])),
                "entry 1, film: its key is not 32 hexadecimal digits",
            ),
            (
                format!("{{\"film\": {}}}", entry(KID, &format!("{KEY}00"))),
                "entry 1, film: its key is not 32 hexadecimal digits",
            ),
            (
                format!("{{\"film\": {}}}", entry(KEY, KEY)),
                "entry 1, film: its key is also a kid or a title, which everybody sees",
            ),
            (
                format!("{{\"film\": {good}, \"{}\": {}}}", KEY.to_uppercase(), entry(&other_key, KID)),
                "entry 1, film: its key is also a kid or a title, which everybody sees",
            ),
            (
                format!("{{\"film\": {good}, \"*\": {}}}", entry(&other_key, KID)),
                "entry 2, *: its key is also a kid or a title, which everybody sees",
            ),
            (
                format!("{{\"*\": {good}, \"film\": {}}}", entry(KID, &other_key)),
                "entry 2, film: an entry before it has the same kid with another key",
            ),
        ] {
            let reason = parse(text.as_bytes()).unwrap_err();
            assert_eq!(reason, expected, "{text}");
        }
    }

    proptest! {
        /// A slip of the hand anywhere in the file.
        #[test]
        fn no_message_repeats_a_part_of_a_key(at: prop::sample::Index, slip in any::<u8>(), cut: bool) {
            let text = format!(r#"{{"*": {}, "film": {}}}"#, entry(KID, KEY), entry(KID, KEY));
            let mut bytes = text.into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = slip;
            if cut {
                bytes.truncate(at + 1);
            }
            if let Err(reason) = parse(&bytes) {
                for part in KEY.as_bytes().windows(4) {
                    let part = str::from_utf8(part).unwrap();
                    prop_assert!(!reason.contains(part), "{}", reason);
                }
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            prop_assert!(parse(&bytes).is_err());
        }
    }
}
