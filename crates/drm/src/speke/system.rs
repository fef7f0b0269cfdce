//! What a key server is asked to say to each DRM system: SPEKE wants every element that is asked for filled, so no more
//! is asked for than players of that scheme need.

use reelfarm_model::profile::{DrmSystem, Scheme};

/// One system with what the server is asked to say to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SystemAsked {
    /// The system.
    pub system: DrmSystem,
    /// Its id in this scheme (DASH-IF content protection identifiers).
    pub uuid: &'static str,
    /// `PSSH` and `ContentProtectionData`, for ISO base media files.
    pub boxes: bool,
    /// `HLSSignalingData` for both kinds of playlist.
    pub playlists: bool,
    /// `SmoothStreamingProtectionHeaderData`.
    pub smooth: bool,
}

/// HLS with whole segments encrypted and the key by URL.
const CLEARKEY_AES_128: &str = "3ea8778f-7742-4bf9-b18b-e834b2acbd47";

impl SystemAsked {
    /// What the server is asked to say to this system in this scheme; `None` where players know no such pair.
    pub(super) fn of(system: DrmSystem, scheme: Scheme) -> Option<Self> {
        use DrmSystem as D;
        let iso = matches!(scheme, Scheme::Cenc | Scheme::Cbcs);
        let hls = match system {
            D::Fairplay => matches!(scheme, Scheme::Cbcs | Scheme::SampleAes),
            D::Widevine | D::Playready => scheme == Scheme::Cbcs,
            D::Clearkey | D::Verimatrix => scheme == Scheme::Aes128,
            D::Marlin => false,
        };
        let asked = Self {
            system,
            uuid: match (system, scheme) {
                (D::Clearkey, Scheme::Aes128) => CLEARKEY_AES_128,
                _ => system.uuid(),
            },
            boxes: iso && system != D::Fairplay,
            playlists: hls,
            smooth: system == D::Playready && scheme == Scheme::Cenc,
        };
        (asked.boxes || asked.playlists).then_some(asked)
    }

    /// Those of these systems that the server can be asked about in this scheme.
    pub(super) fn all(systems: impl Iterator<Item = DrmSystem>, scheme: Scheme) -> Vec<Self> {
        systems.filter_map(|system| Self::of(system, scheme)).collect()
    }
}

/// The scheme as `commonEncryptionScheme` names it (ISO/IEC 23001-7). HLS's own schemes go by the names that AWS's
/// encryptors use for them.
pub(super) const fn common_encryption_scheme(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Cenc => "cenc",
        Scheme::Cbcs | Scheme::SampleAes => "cbcs",
        Scheme::Aes128 => "cbc1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::ContentKey;
    use crate::secret::Secret;
    use crate::signal::signal;
    use crate::uris::KeyUris;
    use reelfarm_model::KeyId;

    const SCHEMES: [Scheme; 4] = [Scheme::Cenc, Scheme::Cbcs, Scheme::Aes128, Scheme::SampleAes];

    #[test]
    fn no_more_is_asked_of_a_server_than_would_be_said_without_one() {
        let key = ContentKey { id: KeyId([1; 16]), key: Secret::new([2; 16]) };
        for system in DrmSystem::ALL.into_iter().filter(|system| *system != DrmSystem::Marlin) {
            for scheme in SCHEMES {
                let told = signal(system, scheme, &key, &"film".parse().unwrap(), &KeyUris::default());
                let asked = SystemAsked::of(system, scheme);
                assert_eq!(
                    asked.is_some_and(|asked| asked.boxes),
                    told.pssh.is_some(),
                    "{system:?} {scheme:?}"
                );
                assert_eq!(
                    asked.is_some_and(|asked| asked.playlists),
                    told.hls_uri.is_some(),
                    "{system:?} {scheme:?}"
                );
            }
        }
    }

    #[test]
    fn smooth_streaming_is_playready_in_ctr_mode() {
        for system in DrmSystem::ALL {
            for scheme in SCHEMES {
                let smooth = SystemAsked::of(system, scheme).is_some_and(|asked| asked.smooth);
                assert_eq!(smooth, system == DrmSystem::Playready && scheme == Scheme::Cenc);
            }
        }
    }

    #[test]
    fn every_system_is_known_in_a_scheme_of_common_encryption() {
        for system in DrmSystem::ALL {
            let known = [Scheme::Cenc, Scheme::Cbcs].map(|scheme| SystemAsked::of(system, scheme).is_some());
            assert_eq!(known, [system != DrmSystem::Fairplay, true], "{system:?}");
        }
    }
}
