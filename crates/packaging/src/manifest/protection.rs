//! What a profile's manifests tell its DRM systems.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reelfarm_drm::{ContentKey, Secret, Signal, TitleKeys};
use reelfarm_model::profile::{DrmSystem, Profile, Scheme};
use reelfarm_model::task::ManifestSpec;
use reelfarm_model::{KeyId, KeyUse};

use super::ManifestFile;
use crate::playlist::Media;

/// A profile's systems, and the keys of its tracks.
pub(super) struct Protection<'a> {
    profile: &'a Profile,
    scheme: Scheme,
    keys: &'a TitleKeys,
    uses: &'a BTreeMap<String, KeyUse>,
}

impl<'a> Protection<'a> {
    /// That of the specification's profile; `None` for a clear one.
    ///
    /// # Errors
    /// The profile is encrypted and its keys are not at hand, or the other way round.
    pub(super) fn of(spec: &'a ManifestSpec, keys: Option<&'a TitleKeys>) -> Result<Option<Self>, String> {
        match (spec.profile.scheme, keys) {
            (None, None) => Ok(None),
            (Some(scheme), Some(keys)) => {
                Ok(Some(Self { profile: &spec.profile, scheme, keys, uses: &spec.key_uses }))
            }
            (Some(_), None) => Err(format!("the keys of profile {} are not at hand", spec.profile.id)),
            (None, Some(_)) => Err(format!("profile {} is clear and has keys", spec.profile.id)),
        }
    }

    fn signals(&self, id: KeyId) -> impl Iterator<Item = Result<(DrmSystem, &Signal), String>> {
        self.profile.drm.iter().map(move |system| {
            self.keys.signal(*system, id).map(|signal| (*system, signal)).ok_or_else(|| {
                format!(
                    "profile {}: nothing is known to tell {} of key {id}",
                    self.profile.id,
                    system.as_str()
                )
            })
        })
    }

    /// The elements that follow the one which names the key `id` in an MPD (DASH-IF IOP part 6, clause 6.2).
    ///
    /// # Errors
    /// A system of the profile cannot be told of the key.
    pub(super) fn elements(&self, id: KeyId) -> Result<String, String> {
        let mut text = String::new();
        for signal in self.signals(id) {
            let (system, signal) = signal?;
            text.push_str(&format!(
                "<ContentProtection schemeIdUri=\"urn:uuid:{}\" value=\"{}\">",
                system.uuid(),
                value(system)
            ));
            if let Some(pssh) = &signal.pssh {
                text.push_str(&format!("<cenc:pssh>{}</cenc:pssh>", BASE64.encode(pssh)));
            }
            if let Some(object) = &signal.playready_object {
                text.push_str(&format!(
                    "<mspr:pro xmlns:mspr=\"urn:microsoft:playready\">{}</mspr:pro>",
                    BASE64.encode(object)
                ));
            }
            if system == DrmSystem::Marlin {
                text.push_str(&format!(
                    "<mas:MarlinContentIds xmlns:mas=\"urn:marlin:mas:1-0:services:schemas:mpd\"><mas:MarlinContentId>urn:marlin:kid:{id}</mas:MarlinContentId></mas:MarlinContentIds>"
                ));
            }
            text.push_str("</ContentProtection>");
        }
        Ok(text)
    }

    fn key_of(&self, track: &str) -> Result<&ContentKey, String> {
        let wanted = *self.uses.get(track).ok_or_else(|| format!("{track} is no track of the media set"))?;
        self.keys.key(wanted).ok_or_else(|| format!("there is no {} key for {track}", wanted.as_str()))
    }

    /// The `EXT-X-KEY` lines of a track's playlist (RFC 8216 clause 4.3.2.4), `vector` the initialisation vector where
    /// the playlist itself must name it.
    ///
    /// # Errors
    /// A system of the profile cannot be told of the key.
    pub(super) fn lines(&self, track: &str, vector: Option<&str>) -> Result<String, String> {
        let key = self.key_of(track)?;
        let method = match self.scheme {
            Scheme::Aes128 => "AES-128",
            Scheme::Cbcs | Scheme::SampleAes => "SAMPLE-AES",
            Scheme::Cenc => return Err("HLS has no method for cenc here".to_owned()),
        };
        let mut text = String::new();
        for signal in self.signals(key.id) {
            let (system, signal) = signal?;
            let uri = signal.hls_uri.as_ref().ok_or_else(|| {
                format!("profile {}: there is no key URI for {}", self.profile.id, system.as_str())
            })?;
            if uri.contains(['"', '\n', '\r']) {
                return Err(format!("the key URI for {} cannot stand in a playlist", system.as_str()));
            }
            text.push_str(&format!("#EXT-X-KEY:METHOD={method},URI=\"{uri}\""));
            if let Some(vector) = vector {
                text.push_str(&format!(",IV={vector}"));
            }
            if system == DrmSystem::Widevine {
                text.push_str(&format!(",KEYID=0x{}", key.id));
            }
            if let Some(format) = key_format(self.scheme, system) {
                text.push_str(&format!(",KEYFORMAT=\"{format}\",KEYFORMATVERSIONS=\"1\""));
            }
            text.push('\n');
        }
        Ok(text)
    }

    /// What opens the segments of a playlist where they are encrypted whole: the key, and the vector that the playlist
    /// names.
    ///
    /// # Errors
    /// There is no key, or the playlist names no vector.
    pub(super) fn opening(&self, playlist: &Media) -> Result<Option<(&Secret<16>, [u8; 16])>, String> {
        if self.scheme != Scheme::Aes128 {
            return Ok(None);
        }
        let key = self.keys.key(KeyUse::All).ok_or("whole segments take one key for all tracks")?;
        let vector = playlist.keys.first().and_then(|key| key.vector);
        Ok(Some((&key.key, vector.ok_or("the media set's playlist names no initialisation vector")?)))
    }

    /// The file that players of AES-128 without a DRM system fetch: the key itself, for QA.
    ///
    /// # Errors
    /// There is no key for the tracks, or no name for its file.
    pub(super) fn key_file(&self) -> Result<Option<ManifestFile>, String> {
        if self.scheme != Scheme::Aes128 || !self.profile.drm.contains(&DrmSystem::Clearkey) {
            return Ok(None);
        }
        let key = self.keys.key(KeyUse::All).ok_or("whole segments take one key for all tracks")?;
        let signal = self.keys.signal(DrmSystem::Clearkey, key.id).and_then(|signal| signal.hls_uri.clone());
        let path = signal.ok_or("there is no name for the key file")?;
        // A key server gives the key itself.
        if path.contains("://") {
            return Ok(None);
        }
        if path.contains('/') || !super::is_plain(&path) {
            return Err(format!("{path:?} cannot name a file beside the playlists"));
        }
        Ok(Some(ManifestFile { path, content: key.key.expose().to_vec() }))
    }
}

/// What people read in an MPD.
const fn value(system: DrmSystem) -> &'static str {
    match system {
        DrmSystem::Widevine => "Widevine",
        DrmSystem::Playready => "MSPR 2.0",
        DrmSystem::Fairplay => "FairPlay",
        DrmSystem::Marlin => "Marlin",
        DrmSystem::Verimatrix => "Verimatrix",
        DrmSystem::Clearkey => "ClearKey1.0",
    }
}

/// What tells a player whose key a line names; `None` where the URI gives the key itself.
fn key_format(scheme: Scheme, system: DrmSystem) -> Option<String> {
    match (scheme, system) {
        (Scheme::Aes128, _) => None,
        (_, DrmSystem::Fairplay) => Some("com.apple.streamingkeydelivery".to_owned()),
        (_, DrmSystem::Playready) => Some("com.microsoft.playready".to_owned()),
        (_, other) => Some(format!("urn:uuid:{}", other.uuid())),
    }
}
