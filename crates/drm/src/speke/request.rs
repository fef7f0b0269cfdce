//! What a key server is asked: the CPIX document (DASH-IF CPIX 2.3 in the profile of SPEKE v2.0) of a request.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reelfarm_model::profile::{DrmSystem, Scheme};
use reelfarm_model::{KeyId, KeyUse, TitleId};

use super::key_id::{key_id, proposed_vector};
use super::system::{SystemAsked, common_encryption_scheme};
use crate::provider::KeyRequest;

/// The version of CPIX that goes with SPEKE 2.0.
pub(super) const CPIX_VERSION: &str = "2.3";
pub(super) const CPIX: &str = "urn:dashif:org:cpix";
pub(super) const PSKC: &str = "urn:ietf:params:xml:ns:keyprov:pskc";

/// What is asked, which the answer is held against.
pub(super) struct Asked {
    pub title: TitleId,
    /// The scheme that is asked in: another than the request's where the server knows no system that takes that.
    pub scheme: Scheme,
    pub keys: BTreeMap<KeyUse, KeyId>,
    pub systems: Vec<SystemAsked>,
}

/// An element that says which tracks take a key, with its attributes.
pub(super) type Filter = (&'static str, &'static [(&'static str, &'static str)]);

/// Which tracks take the key for a use: SPEKE's name of them, and the filters. The bounds are those of
/// [`KeyUse::of_picture`].
pub(super) const fn usage_rule(wanted: KeyUse) -> (&'static str, &'static [Filter]) {
    match wanted {
        KeyUse::All => ("ALL", &[("VideoFilter", &[]), ("AudioFilter", &[])]),
        KeyUse::Audio => ("AUDIO", &[("AudioFilter", &[])]),
        KeyUse::Sd => ("SD", &[("VideoFilter", &[("maxPixels", "442368")])]),
        KeyUse::Hd => ("HD", &[("VideoFilter", &[("minPixels", "442369"), ("maxPixels", "2073600")])]),
        KeyUse::Uhd => ("UHD", &[("VideoFilter", &[("minPixels", "2073601")])]),
    }
}

impl Asked {
    /// What is asked of the server at this URL, which serves those systems, of which there is one. SPEKE has no request
    /// without a system, and each is known in one of the schemes of Common Encryption.
    pub(super) fn new(request: &KeyRequest, url: &str, served: &BTreeSet<DrmSystem>) -> Self {
        let mut scheme = request.scheme;
        let mut systems = SystemAsked::all(request.systems.intersection(served).copied(), scheme);
        for other in [Scheme::Cenc, Scheme::Cbcs] {
            if systems.is_empty() {
                scheme = other;
                systems = SystemAsked::all(served.iter().copied(), other);
            }
        }
        let id = |wanted| key_id(url, &request.title, wanted, scheme);
        let keys = request.division.uses().iter().map(|wanted| (*wanted, id(*wanted))).collect();
        Self { title: request.title.clone(), scheme, keys, systems }
    }

    /// The initialisation vector that the server is told of for the key `id` (`explicitIV`): FairPlay's players get it
    /// together with the key, so that the server must know it. A server may answer another.
    pub(super) fn vector(&self, id: KeyId) -> Option<[u8; 16]> {
        let fairplay = self.systems.iter().any(|asked| asked.system == DrmSystem::Fairplay);
        fairplay.then(|| proposed_vector(id))
    }

    /// The ids in it, which are no secrets.
    pub(super) fn ids(&self) -> Vec<String> {
        let keys = self.keys.values().map(|id| id.to_uuid());
        keys.chain(self.systems.iter().map(|system| system.uuid.to_owned())).collect()
    }

    /// The document. Nothing in it needs escaping: a title's name, UUIDs, and words from here.
    pub(super) fn document(&self) -> String {
        let mut keys = String::new();
        let mut systems = String::new();
        let mut rules = String::new();
        let scheme = common_encryption_scheme(self.scheme);
        for id in self.keys.values() {
            let vector = self.vector(*id).map(|vector| STANDARD.encode(vector));
            let vector = vector.map(|vector| format!(" explicitIV=\"{vector}\"")).unwrap_or_default();
            let id = id.to_uuid();
            keys += &format!("<cpix:ContentKey kid=\"{id}\" commonEncryptionScheme=\"{scheme}\"{vector}/>");
        }
        for system in &self.systems {
            for id in self.keys.values() {
                let (id, uuid) = (id.to_uuid(), system.uuid);
                systems += &format!("<cpix:DRMSystem kid=\"{id}\" systemId=\"{uuid}\">");
                // In the order of the schema.
                if system.boxes {
                    systems += "<cpix:PSSH/><cpix:ContentProtectionData/>";
                }
                if system.playlists {
                    systems += "<cpix:HLSSignalingData playlist=\"media\"/>";
                    systems += "<cpix:HLSSignalingData playlist=\"master\"/>";
                }
                if system.smooth {
                    systems += "<cpix:SmoothStreamingProtectionHeaderData/>";
                }
                systems += "</cpix:DRMSystem>";
            }
        }
        for (wanted, id) in &self.keys {
            let (tracks, filters) = usage_rule(*wanted);
            let id = id.to_uuid();
            rules += &format!("<cpix:ContentKeyUsageRule kid=\"{id}\" intendedTrackType=\"{tracks}\">");
            for (name, attributes) in filters {
                let attributes: String =
                    attributes.iter().map(|(name, value)| format!(" {name}=\"{value}\"")).collect();
                rules += &format!("<cpix:{name}{attributes}/>");
            }
            rules += "</cpix:ContentKeyUsageRule>";
        }
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <cpix:CPIX xmlns:cpix=\"{CPIX}\" xmlns:pskc=\"{PSKC}\" contentId=\"{}\" version=\"{CPIX_VERSION}\">\
             <cpix:ContentKeyList>{keys}</cpix:ContentKeyList>\
             <cpix:DRMSystemList>{systems}</cpix:DRMSystemList>\
             <cpix:ContentKeyUsageRuleList>{rules}</cpix:ContentKeyUsageRuleList>\
             </cpix:CPIX>",
            self.title
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reelfarm_model::KeyDivision;

    #[test]
    fn rules_divide_pictures_where_the_model_does() {
        for wanted in KeyDivision::Quality.uses() {
            for (name, attributes) in usage_rule(*wanted).1 {
                for (attribute, value) in attributes.iter().filter(|_| *name == "VideoFilter") {
                    let samples = value.parse().unwrap();
                    assert_eq!(KeyUse::of_picture(samples, 1), *wanted, "{attribute}");
                    let beyond = if *attribute == "minPixels" { samples - 1 } else { samples + 1 };
                    assert_ne!(KeyUse::of_picture(beyond, 1), *wanted, "{attribute}");
                }
            }
        }
    }
}
