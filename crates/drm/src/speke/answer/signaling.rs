//! The part of an answer that players are told: what is said to each DRM system of each key.

use std::collections::BTreeMap;

use reelfarm_model::profile::DrmSystem;
use reelfarm_model::{KeyId, KeyUse};
use zeroize::Zeroizing;

use super::key_id_of;
use crate::keys::{ContentKey, Signal};
use crate::speke::request::{Asked, CPIX};
use crate::speke::system::SystemAsked;
use crate::speke::xml::{self, Element};
use crate::speke::{hls, playready_header, pssh};

const CENC: &str = "urn:mpeg:cenc:2013";
const PLAYREADY: &str = "urn:microsoft:playready";

/// Reads what is said to each system that was asked about, of each key.
pub(super) fn read(
    list: &Element,
    asked: &Asked,
    keys: &BTreeMap<KeyUse, ContentKey>,
) -> Result<BTreeMap<(DrmSystem, KeyId), Signal>, String> {
    let mut signals = BTreeMap::new();
    for element in list.all(CPIX, "DRMSystem") {
        let id = key_id_of(element)?;
        let uuid = element.attribute("systemId").unwrap_or_default();
        let system = asked.systems.iter().find(|system| system.uuid.eq_ignore_ascii_case(uuid));
        let (Some(system), Some(key)) = (system, keys.values().find(|key| key.id == id)) else {
            return Err("it has a DRMSystem that was not asked for".to_owned());
        };
        let of = |reason: &str| format!("{} for the key {}: {reason}", system.system.as_str(), id.to_uuid());
        let signal = signal(element, system, asked, key).map_err(|reason| of(&reason))?;
        if signals.insert((system.system, id), signal).is_some() {
            return Err(of("it is there twice"));
        }
    }
    for system in asked.systems.iter().map(|asked| asked.system) {
        for id in keys.values().map(|key| key.id) {
            if !signals.contains_key(&(system, id)) {
                return Err(format!("{} for the key {}: it is missing", system.as_str(), id.to_uuid()));
            }
        }
    }
    Ok(signals)
}

fn signal(
    element: &Element,
    system: &SystemAsked,
    asked: &Asked,
    key: &ContentKey,
) -> Result<Signal, String> {
    let mut signal = Signal::default();
    if system.boxes {
        let bytes = filled(element.only(CPIX, "PSSH")?)?;
        let data = pssh::check(&bytes, system.system, system.uuid, key)?;
        if system.system == DrmSystem::Playready {
            signal.playready_object = Some(data.to_vec());
        }
        check_content_protection(element.only(CPIX, "ContentProtectionData")?, &bytes, key)?;
        signal.pssh = Some(bytes.to_vec());
    }
    if system.playlists {
        let (media, master) = (playlist(element, "media")?, playlist(element, "master")?);
        signal.hls_uri = Some(hls::check(&media, &master, system, asked.scheme, key)?);
    }
    if system.smooth {
        let object = filled(element.only(CPIX, "SmoothStreamingProtectionHeaderData")?)?;
        playready_header::check(&object, key)?;
        // Preferred to the one in the box: old sets read only the oldest version of the header, and the server knows
        // what this one is for.
        signal.playready_object = Some(object.to_vec());
    }
    Ok(signal)
}

/// What an element holds in base64, which must not be nothing: SPEKE wants all that was asked for filled.
fn filled(element: &Element) -> Result<Zeroizing<Vec<u8>>, String> {
    let bytes = element.base64()?;
    if bytes.is_empty() { Err(format!("its {} is empty", element.name())) } else { Ok(bytes) }
}

fn text(element: &Element) -> Result<String, String> {
    let bytes = filled(element)?;
    str::from_utf8(&bytes).map(str::to_owned).map_err(|_| format!("its {} is not UTF-8", element.name()))
}

fn playlist(element: &Element, kind: &str) -> Result<String, String> {
    let mut found =
        element.all(CPIX, "HLSSignalingData").filter(|data| data.attribute("playlist") == Some(kind));
    match (found.next(), found.next()) {
        (Some(data), None) => text(data),
        (None, _) => Err(format!("it has no HLSSignalingData for {kind} playlists")),
        (Some(_), Some(_)) => Err(format!("it has more than one HLSSignalingData for {kind} playlists")),
    }
}

/// What is to stand inside of `ContentProtection` in an MPD: a box there must be the very box of `PSSH`.
fn check_content_protection(element: &Element, pssh: &[u8], key: &ContentKey) -> Result<(), String> {
    let malformed = |reason| format!("its ContentProtectionData is malformed: {reason}");
    for top in xml::fragment(&text(element)?).map_err(malformed)? {
        for found in top.descendants(CENC, "pssh") {
            if found.base64()?.as_slice() != pssh {
                return Err("the pssh in its ContentProtectionData is not that of its PSSH".to_owned());
            }
        }
        for found in top.descendants(PLAYREADY, "pro") {
            playready_header::check(&found.base64()?, key)?;
        }
    }
    Ok(())
}
