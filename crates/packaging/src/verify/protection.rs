//! What a profile's manifests tell DRM systems: of each system of the profile, of no other, and of the right key.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reelfarm_drm::{ContentKey, Secret, Signal, TitleKeys};
use reelfarm_model::KeyUse;
use reelfarm_model::profile::{DrmSystem, Profile, Scheme};

use super::finding::{Book, Check, Place};
use crate::mpd::ContentProtection;
use crate::playlist::Key;
use crate::readback::encryption::{Decryption, Encryption};

/// The scheme of the element that names the key itself (ISO/IEC 23009-1 clause 5.8.5.2).
const MP4_PROTECTION: &str = "urn:mpeg:dash:mp4protection:2011";

/// What a manifest states of a track's encryption; of a clear one, nothing at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct StatedProtection {
    /// The scheme or method, each time it is named.
    schemes: Vec<String>,
    /// The key's id, each time it is named.
    key_ids: Vec<String>,
    /// The initialisation vector, where a playlist names it.
    pub(super) vector: Option<[u8; 16]>,
    told: Vec<Told>,
}

/// What one system is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Told {
    /// The system's name in the manifest: its UUID or key format.
    name: String,
    pssh: Option<String>,
    playready_object: Option<String>,
    marlin_ids: Vec<String>,
    uri: Option<String>,
    key_id: Option<String>,
}

impl StatedProtection {
    /// From the elements of an MPD.
    pub(super) fn of_elements<'a>(elements: impl Iterator<Item = &'a ContentProtection>) -> Self {
        let mut stated = Self::default();
        for element in elements {
            if element.scheme == MP4_PROTECTION {
                stated.schemes.push(element.value.clone().unwrap_or_default());
                stated.key_ids.push(element.key_id.clone().unwrap_or_default());
            } else {
                stated.told.push(Told {
                    name: element.scheme.strip_prefix("urn:uuid:").unwrap_or(&element.scheme).to_owned(),
                    pssh: element.pssh.clone(),
                    playready_object: element.playready_object.as_ref().map(|object| object.text.clone()),
                    marlin_ids: element.marlin.as_ref().map(|marlin| marlin.ids.clone()).unwrap_or_default(),
                    uri: None,
                    key_id: None,
                });
            }
        }
        stated
    }

    /// From the keys of a playlist.
    pub(super) fn of_keys(keys: &[Key]) -> Self {
        let mut stated = Self { vector: keys.first().and_then(|key| key.vector), ..Self::default() };
        stated.schemes.extend(keys.first().map(|key| key.method.clone()));
        for key in keys {
            stated.told.push(Told {
                name: key.format.strip_prefix("urn:uuid:").unwrap_or(&key.format).to_owned(),
                uri: Some(key.uri.clone()),
                key_id: key.id.clone(),
                ..Told::default()
            });
        }
        stated
    }
}

/// Compares what is stated of a track with the profile and with the title's keys, of which the track takes the one for
/// `wanted`.
pub(super) fn check(
    book: &mut Book,
    place: Place<'_>,
    profile: &Profile,
    keys: Option<&TitleKeys>,
    wanted: KeyUse,
    stated: &StatedProtection,
) {
    let Some(scheme) = profile.scheme else {
        let is_clear = *stated == StatedProtection::default();
        book.check(Check::Protection, place, is_clear, "nothing about keys", format_args!("{stated:?}"));
        return;
    };
    let key = keys.and_then(|keys| keys.key(wanted).map(|key| (keys, key))).ok_or("none");
    let Some((keys, key)) = book.done(Check::Protection, place, "the track's key", key) else { return };
    let (name, id) = if scheme_is_named(profile) {
        (scheme.as_str(), Some(key.id.to_uuid()))
    } else if scheme == Scheme::Aes128 {
        ("AES-128", None)
    } else {
        ("SAMPLE-AES", None)
    };
    book.equal(
        Check::Protection,
        place,
        "the scheme",
        format!("{:?}", [name]),
        format!("{:?}", stated.schemes),
    );
    let ids: Vec<_> = id.into_iter().collect();
    book.equal(Check::Protection, place, "the key's id", format!("{ids:?}"), format!("{:?}", stated.key_ids));
    let vector = stated.vector.is_some();
    book.equal(Check::Protection, place, "an initialisation vector:", scheme == Scheme::Aes128, vector);

    let mut expected: Vec<_> = profile.drm.iter().map(|system| name_of(profile, scheme, *system)).collect();
    let mut found: Vec<_> = stated.told.iter().map(|told| told.name.clone()).collect();
    expected.sort();
    found.sort();
    book.equal(Check::Protection, place, "DRM systems", expected.join(", "), found.join(", "));
    for system in &profile.drm {
        let signal = keys.signal(*system, key.id).ok_or("nothing");
        let what = format!("what {} is told", system.as_str());
        let Some(signal) = book.done(Check::Protection, place, &what, signal) else { continue };
        let name = name_of(profile, scheme, *system);
        let Some(told) = stated.told.iter().find(|told| told.name == name) else { continue };
        let should = expected_of(profile, *system, key.id, signal, &name);
        book.check(
            Check::Protection,
            place,
            *told == should,
            format_args!("{what}: {should:?}"),
            format_args!("{told:?}"),
        );
    }
}

/// What opens a track.
pub(super) enum Opening {
    /// It is clear.
    Clear,
    /// Samples are encrypted, and the file names its key.
    Common {
        /// The title's keys, of which the file names one.
        keys: TitleKeys,
        /// The key that it must name.
        key: ContentKey,
    },
    /// Samples of MPEG-TS are encrypted.
    SampleAes(ContentKey, [u8; 16]),
    /// Whole segments are.
    WholeSegments(ContentKey, [u8; 16]),
}

impl Opening {
    /// What opens a track of the profile whose key is the one for `wanted`.
    ///
    /// # Errors
    /// The key is not there, or the playlist states no vector.
    pub(super) fn of(
        profile: &Profile,
        keys: Option<&TitleKeys>,
        wanted: KeyUse,
        stated: &StatedProtection,
    ) -> Result<Self, &'static str> {
        let Some(scheme) = profile.scheme else { return Ok(Self::Clear) };
        let keys = keys.ok_or("none")?;
        let key = keys.key(wanted).ok_or("none for this track")?.clone();
        Ok(match scheme {
            Scheme::Cenc | Scheme::Cbcs => Self::Common { keys: keys.clone(), key },
            Scheme::SampleAes => {
                // Its playlist names none, and one key has one vector whatever the track.
                let vector = keys.block_vector(scheme, &key, "");
                Self::SampleAes(key, vector)
            }
            Scheme::Aes128 => Self::WholeSegments(key, stated.vector.ok_or("no vector in the playlist")?),
        })
    }

    /// The key; `None` for a clear track.
    pub(super) const fn key(&self) -> Option<&ContentKey> {
        match self {
            Self::Clear => None,
            Self::Common { key, .. } | Self::SampleAes(key, _) | Self::WholeSegments(key, _) => Some(key),
        }
    }

    pub(super) const fn decryption(&self) -> Decryption<'_> {
        match self {
            Self::Clear => Decryption::Clear,
            Self::Common { keys, .. } => Decryption::Common(keys),
            Self::SampleAes(key, vector) => Decryption::SampleAes { key: &key.key, vector: *vector },
            Self::WholeSegments(key, vector) => Decryption::WholeSegments { key: &key.key, vector: *vector },
        }
    }

    /// The same with a key that differs in one bit.
    pub(super) fn with_a_wrong_key(&self) -> Self {
        match self {
            Self::Clear => Self::Clear,
            Self::Common { keys, key } => {
                let keys = TitleKeys::new(
                    keys.keys().map(|(key_use, key)| (key_use, wrong(key))).collect(),
                    std::collections::BTreeMap::new(),
                );
                Self::Common { keys, key: wrong(key) }
            }
            Self::SampleAes(key, vector) => Self::SampleAes(wrong(key), *vector),
            Self::WholeSegments(key, vector) => Self::WholeSegments(wrong(key), *vector),
        }
    }
}

/// A key of the same id that differs in one bit.
pub(super) fn wrong(key: &ContentKey) -> ContentKey {
    let mut bytes = *key.key.expose();
    bytes[0] ^= 1;
    ContentKey { id: key.id, key: Secret::new(bytes) }
}

/// Samples are encrypted as the profile says, with this key, and lie open nowhere.
pub(super) fn samples(
    book: &mut Book,
    place: Place<'_>,
    profile: &Profile,
    key: &ContentKey,
    found: Option<&Encryption>,
) {
    let found = found.ok_or("clear samples");
    let Some(found) = book.done(Check::Protection, place, "encrypted samples", found) else { return };
    let scheme = profile.scheme.map_or("none", Scheme::as_str);
    book.equal(Check::Protection, place, "the scheme of samples:", scheme, found.scheme.as_str());
    if let Some(id) = found.key_id {
        book.equal(Check::Protection, place, "the samples' key", key.id, id);
    }
    book.equal(Check::Protection, place, "samples that lie open:", 0, found.exposed);
    // A frame of silence may be shorter than a block of the cipher.
    book.check(
        Check::Protection,
        place,
        found.unchanged * 2 <= found.units,
        "samples that decryption changes",
        format_args!("{} of {} unchanged", found.unchanged, found.units),
    );
}

/// The media have the initialisation vector that was agreed with whoever gives licences, where one was: players of
/// FairPlay get it together with the key.
pub(super) fn agreed(
    book: &mut Book,
    place: Place<'_>,
    vector: Option<[u8; 16]>,
    found: Option<&Encryption>,
) {
    let (Some(vector), Some(found)) = (vector, found) else { return };
    let what = "the initialisation vector of licences:";
    book.equal(Check::Protection, place, what, hex::encode(vector), hex::encode(&found.first_vector));
}

/// The file of the key itself, which playlists name beside them where players ask no DRM system, holds the key.
pub(super) fn key_file(
    book: &mut Book,
    place: Place<'_>,
    profile: &Profile,
    folder: &Path,
    (stated, key): (&StatedProtection, Option<&ContentKey>),
) {
    let (Some(Scheme::Aes128), Some(key)) = (profile.scheme, key) else { return };
    let uri = stated.told.iter().find_map(|told| told.uri.as_deref());
    // Elsewhere a server gives the key.
    let is_own = profile.drm.contains(&DrmSystem::Clearkey);
    let Some(name) = uri.filter(|uri| is_own && !uri.contains(['/', '\\', ':'])) else { return };
    let bytes = book.done(Check::Reference, place, "the key file", fs_err::read(folder.join(name)));
    let Some(bytes) = bytes else { return };
    let is_right = bytes == key.key.expose();
    // Neither key is told: findings are read by many.
    book.check(Check::Protection, place, is_right, "the key in its file", "something else");
}

/// No two tracks with one key share a part of its key stream, nor begin their chains alike.
pub(super) fn streams(book: &mut Book, tracks: &[(&str, Encryption)]) {
    for (at, (name, track)) in tracks.iter().enumerate() {
        for (other_name, other) in &tracks[..at] {
            let (apart, expected) = match (track.counters, other.counters) {
                (Some(one), Some(other)) => (one.1 <= other.0 || other.1 <= one.0, "a key stream of its own"),
                // In SAMPLE-AES of MPEG-TS the vector comes with the key, so that all tracks have one.
                _ if track.scheme == Scheme::SampleAes => continue,
                _ => (track.first_vector != other.first_vector, "an initialisation vector of its own"),
            };
            book.check(
                Check::Protection,
                Place::rendition(name),
                apart || track.key_id != other.key_id,
                expected,
                format_args!("the one of {other_name}"),
            );
        }
    }
}

/// Whether the manifest names the scheme itself, as DASH does.
fn scheme_is_named(profile: &Profile) -> bool {
    use reelfarm_model::profile::Container;
    matches!(profile.container, Container::Dash | Container::DashOnDemand)
}

fn name_of(profile: &Profile, scheme: Scheme, system: DrmSystem) -> String {
    match (scheme_is_named(profile), scheme, system) {
        (true, _, _) => system.uuid().to_owned(),
        (false, Scheme::Aes128, _) => "identity".to_owned(),
        (false, _, DrmSystem::Fairplay) => "com.apple.streamingkeydelivery".to_owned(),
        (false, _, DrmSystem::Playready) => "com.microsoft.playready".to_owned(),
        (false, _, other) => other.uuid().to_owned(),
    }
}

fn expected_of(
    profile: &Profile,
    system: DrmSystem,
    id: reelfarm_model::KeyId,
    signal: &Signal,
    name: &str,
) -> Told {
    let name = name.to_owned();
    if !scheme_is_named(profile) {
        let key_id = (system == DrmSystem::Widevine).then(|| format!("0x{id}"));
        return Told { name, uri: signal.hls_uri.clone(), key_id, ..Told::default() };
    }
    Told {
        name,
        pssh: signal.pssh.as_ref().map(|pssh| BASE64.encode(pssh)),
        playready_object: signal.playready_object.as_ref().map(|object| BASE64.encode(object)),
        marlin_ids: if system == DrmSystem::Marlin {
            vec![format!("urn:marlin:kid:{id}")]
        } else {
            Vec::new()
        },
        uri: None,
        key_id: None,
    }
}

#[cfg(test)]
mod tests {
    use reelfarm_model::KeyId;

    use super::*;
    use crate::profiles::{BUILT_IN, ProfileList};

    /// A track's key, vector and counters.
    type Track = (u8, u8, Option<(u128, u128)>);

    /// What is found of tracks that were encrypted so.
    fn findings(scheme: Scheme, tracks: [Track; 2]) -> Vec<String> {
        let [one, other] = tracks.map(|(key_id, vector, counters)| Encryption {
            first_vector: vec![vector; 16],
            counters,
            ..Encryption::new(scheme, Some(KeyId([key_id; 16])), (0, 0))
        });
        let mut book = Book::new("profile");
        streams(&mut book, &[("video", one), ("audio", other)]);
        book.close().err().unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn tracks_of_one_key_share_neither_key_stream_nor_vector() {
        let none = Vec::<String>::new();
        let cenc = |key, first, end| (key, 1, Some((first, end)));
        assert_eq!(findings(Scheme::Cenc, [cenc(1, 0, 10), cenc(1, 10, 20)]), none);
        assert_eq!(findings(Scheme::Cenc, [cenc(1, 10, 20), cenc(2, 10, 20)]), none);
        for other in [cenc(1, 9, 12), cenc(1, 0, 10), cenc(1, 3, 4)] {
            let found = findings(Scheme::Cenc, [cenc(1, 0, 10), other]);
            assert_eq!(found, ["profile, audio: expected a key stream of its own, found the one of video"]);
        }
        assert_eq!(findings(Scheme::Cbcs, [(1, 1, None), (1, 2, None)]), none);
        assert_eq!(findings(Scheme::Cbcs, [(1, 1, None), (2, 1, None)]), none);
        let found = findings(Scheme::Cbcs, [(1, 1, None), (1, 1, None)]);
        assert_eq!(
            found,
            ["profile, audio: expected an initialisation vector of its own, found the one of video"]
        );
        assert_eq!(findings(Scheme::SampleAes, [(1, 1, None), (1, 1, None)]), none);
    }

    #[test]
    fn the_key_file_is_there_and_holds_the_key_and_findings_hold_neither() {
        let list = ProfileList::parse("profiles.toml", BUILT_IN).unwrap();
        let profile = list.all().iter().find(|profile| profile.id == "ts-aes-2s").unwrap();
        let key = ContentKey { id: KeyId([1; 16]), key: Secret::new([0xAB; 16]) };
        let folder = tempfile::tempdir().unwrap();
        let told = Told { name: "identity".to_owned(), uri: Some("film.key".to_owned()), ..Told::default() };
        let stated = StatedProtection { told: vec![told], ..StatedProtection::default() };
        let check = || {
            let mut book = Book::new("ts-aes-2s");
            key_file(&mut book, Place::PROFILE, profile, folder.path(), (&stated, Some(&key)));
            book.close().map_err(|findings| findings[0].to_string())
        };
        assert!(check().unwrap_err().starts_with("ts-aes-2s: expected the key file, found "));
        fs_err::write(folder.path().join("film.key"), [0xAB; 15]).unwrap();
        assert_eq!(check().unwrap_err(), "ts-aes-2s: expected the key in its file, found something else");
        fs_err::write(folder.path().join("film.key"), [0xAB; 16]).unwrap();
        assert_eq!(check().unwrap().len(), 2);
    }
}
