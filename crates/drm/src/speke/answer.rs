//! Holds a key server's answer against what was asked. Whatever is missing, added or changed refuses the whole answer:
//! a title must not be encrypted with another one's keys, nor told to players in words that lead to another key.

mod signaling;

use std::collections::{BTreeMap, BTreeSet};

use reelfarm_model::profile::{DrmSystem, Scheme};
use reelfarm_model::{KeyId, KeyUse};
use zeroize::Zeroizing;

use super::request::{Asked, CPIX, CPIX_VERSION, PSKC, usage_rule};
use super::system::common_encryption_scheme;
use super::xml::{self, Element};
use crate::keys::{ContentKey, Signal};
use crate::secret::Secret;

/// What a server said.
pub(super) struct Answer {
    pub keys: BTreeMap<KeyUse, ContentKey>,
    pub signals: BTreeMap<(DrmSystem, KeyId), Signal>,
    /// Initialisation vectors that were agreed.
    pub vectors: BTreeMap<KeyId, [u8; 16]>,
}

/// Reads an answer and holds it against what was asked.
///
/// # Errors
/// What is wrong with it. This may repeat words of the server, so it must be scrubbed before anybody sees it.
pub(super) fn read(body: &[u8], asked: &Asked) -> Result<Answer, String> {
    let text = str::from_utf8(body).map_err(|_| "it is not UTF-8")?;
    let root = xml::document(text).map_err(|reason| format!("it is not the XML of an answer: {reason}"))?;
    check_root(&root, asked)?;
    let list = root.only(CPIX, "ContentKeyList")?;
    let keys = read_keys(list, asked)?;
    let vectors = read_vectors(list, asked, &keys)?;
    check_rules(root.only(CPIX, "ContentKeyUsageRuleList")?, asked)?;
    let signals = signaling::read(root.only(CPIX, "DRMSystemList")?, asked, &keys)?;
    Ok(Answer { keys, signals, vectors })
}

fn check_root(root: &Element, asked: &Asked) -> Result<(), String> {
    if !root.is(CPIX, "CPIX") {
        return Err("it is no CPIX document".to_owned());
    }
    if root.attribute("contentId") != Some(asked.title.as_str()) {
        let found = root.attribute("contentId").unwrap_or_default();
        return Err(format!("it is for another title: its contentId is {found:?}"));
    }
    if root.attribute("version") != Some(CPIX_VERSION) {
        return Err(format!("its version is not {CPIX_VERSION}"));
    }
    for part in root.children() {
        match part.name() {
            _ if part.namespace() != CPIX => return Err(not_in_speke(part)),
            "ContentKeyList" | "DRMSystemList" | "ContentKeyUsageRuleList" => {}
            // SPEKE has this one ignored.
            "UpdateHistoryItemList" => {}
            "DeliveryDataList" => return Err("its keys are encrypted, which was not asked for".to_owned()),
            _ => return Err(not_in_speke(part)),
        }
    }
    Ok(())
}

fn not_in_speke(part: &Element) -> String {
    match part.name() {
        // To pass over a signature would look as if it had been checked.
        "Signature" => "it is signed; SPEKE has no signatures, and this one is not checked".to_owned(),
        name => format!("it has a part that was not asked for: {name}"),
    }
}

fn key_id_of(element: &Element) -> Result<KeyId, String> {
    let id = element.attribute("kid").ok_or(format!("a {} has no kid", element.name()))?;
    id.parse().map_err(|_| format!("the kid of a {} is no UUID", element.name()))
}

fn read_keys(list: &Element, asked: &Asked) -> Result<BTreeMap<KeyUse, ContentKey>, String> {
    let mut keys: BTreeMap<KeyUse, ContentKey> = BTreeMap::new();
    for element in list.all(CPIX, "ContentKey") {
        let id = key_id_of(element)?;
        let Some((wanted, _)) = asked.keys.iter().find(|(_, asked)| **asked == id) else {
            return Err("it has a key that was not asked for".to_owned());
        };
        let of = |reason: &str| format!("the key {}: {reason}", id.to_uuid());
        let scheme = common_encryption_scheme(asked.scheme);
        if element.attribute("commonEncryptionScheme") != Some(scheme) {
            return Err(of(&format!("its commonEncryptionScheme is not {scheme}")));
        }
        let secret = element.only(CPIX, "Data")?.only(PSKC, "Secret")?;
        if secret.all(PSKC, "EncryptedValue").next().is_some() {
            return Err(of("it is encrypted, which was not asked for"));
        }
        let bytes = secret.only(PSKC, "PlainValue")?.base64().map_err(|reason| of(&reason))?;
        let mut value = Zeroizing::new([0; 16]);
        if bytes.len() != value.len() {
            return Err(of(&format!("it has {} bytes and not 16", bytes.len())));
        }
        value.copy_from_slice(&bytes);
        if *value == [0; 16] || *value == id.0 {
            return Err(of("it is no secret: all zero, or its own id"));
        }
        let key = ContentKey { id, key: Secret::new(*value) };
        if keys.contains_key(wanted) {
            return Err(of("it is there twice"));
        }
        if keys.values().any(|other| other.key == key.key) {
            return Err(of("it equals another key"));
        }
        keys.insert(*wanted, key);
    }
    match asked.keys.iter().find(|(wanted, _)| !keys.contains_key(wanted)) {
        None => Ok(keys),
        Some((_, missing)) => Err(format!("the key {} is missing", missing.to_uuid())),
    }
}

/// The initialisation vectors of keys: the server's, or those that it was told of. CPIX has `explicitIV` for vectors that
/// reach players together with the key; counter mode and whole segments state theirs elsewhere.
fn read_vectors(
    list: &Element,
    asked: &Asked,
    keys: &BTreeMap<KeyUse, ContentKey>,
) -> Result<BTreeMap<KeyId, [u8; 16]>, String> {
    let mut vectors = BTreeMap::new();
    if !matches!(asked.scheme, Scheme::Cbcs | Scheme::SampleAes) {
        return Ok(vectors);
    }
    for element in list.all(CPIX, "ContentKey") {
        let id = key_id_of(element)?;
        let of = |reason: &str| format!("the key {}: its explicitIV {reason}", id.to_uuid());
        let vector = match element.attribute("explicitIV") {
            None => asked.vector(id),
            Some(text) => {
                let bytes = xml::base64(text).map_err(|()| of("is not base64"))?;
                Some(bytes.as_slice().try_into().map_err(|_| of("has not 16 bytes"))?)
            }
        };
        // Media files state the vector for all to read.
        if keys.values().any(|key| Some(*key.key.expose()) == vector) {
            return Err(of("is a key"));
        }
        vectors.extend(vector.map(|vector| (id, vector)));
    }
    Ok(vectors)
}

/// The rules must come back as they were sent: a server that changes them means the keys for other tracks.
fn check_rules(list: &Element, asked: &Asked) -> Result<(), String> {
    type Rule<'a> = (KeyId, &'a str, Vec<(&'a str, BTreeSet<(&'a str, &'a str)>)>);
    let mut found: Vec<Rule<'_>> = Vec::new();
    for rule in list.all(CPIX, "ContentKeyUsageRule") {
        // SPEKE has this filter and this attribute ignored.
        let filters = rule.children().iter().filter(|filter| !filter.is(CPIX, "BitrateFilter"));
        let filters = filters.map(|filter| {
            let attributes = filter.attributes().iter().map(|(name, value)| (name.as_str(), value.as_str()));
            (filter.name(), attributes.filter(|(name, _)| *name != "wcg").collect())
        });
        found.push((
            key_id_of(rule)?,
            rule.attribute("intendedTrackType").unwrap_or_default(),
            filters.collect(),
        ));
    }
    let mut sent: Vec<Rule<'_>> = Vec::new();
    for (wanted, id) in &asked.keys {
        let (tracks, filters) = usage_rule(*wanted);
        let filters = filters.iter().map(|(name, attributes)| (*name, attributes.iter().copied().collect()));
        sent.push((*id, tracks, filters.collect()));
    }
    for rule in found.iter_mut().chain(&mut sent) {
        rule.2.sort();
    }
    found.sort();
    sent.sort();
    if found == sent {
        Ok(())
    } else {
        Err("its ContentKeyUsageRuleList is not the one that was sent".to_owned())
    }
}
