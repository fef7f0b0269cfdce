//! Rights rules: which of the profiles a title may have.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::profile::{DrmSystem, Profile, Scheme};

/// What the rights to a title allow. By default, everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Rights {
    /// The only DRM systems that may have the title's keys; `None` for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub systems: Option<BTreeSet<DrmSystem>>,
    /// Whether the title must never be offered in clear.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_clear: bool,
}

impl Rights {
    /// Whether the title may have this profile.
    pub fn allow(&self, profile: &Profile) -> bool {
        // Whoever can fetch the playlist of AES-128 without a DRM system can fetch its key.
        let is_open = profile.scheme == Some(Scheme::Aes128) && profile.drm.contains(&DrmSystem::Clearkey);
        if (profile.scheme.is_none() || is_open) && self.no_clear {
            return false;
        }
        if profile.scheme.is_none() {
            return true;
        }
        self.systems.as_ref().is_none_or(|allowed| profile.drm.iter().all(|system| allowed.contains(system)))
    }

    /// What both allow.
    pub fn and(&self, other: &Self) -> Self {
        let systems = match (&self.systems, &other.systems) {
            (Some(one), Some(other)) => Some(one & other),
            (one, other) => one.as_ref().or(other.as_ref()).cloned(),
        };
        Self { systems, no_clear: self.no_clear || other.no_clear }
    }

    /// Whether they allow every profile.
    pub fn are_unlimited(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clear = if self.no_clear { "nothing in clear" } else { "clear profiles" };
        match &self.systems {
            None => write!(f, "{clear}, any DRM system"),
            Some(none) if none.is_empty() => write!(f, "{clear}, no DRM system"),
            Some(systems) => {
                let names: Vec<_> = systems.iter().map(|system| system.as_str()).collect();
                write!(f, "{clear}, of DRM systems only {}", names.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(systems: &[DrmSystem], no_clear: bool) -> Rights {
        Rights { systems: Some(systems.iter().copied().collect()), no_clear }
    }

    #[test]
    fn what_both_allow_is_never_more_than_what_one_does() {
        use DrmSystem::{Fairplay, Playready, Widevine};
        let any = Rights::default();
        for (one, other, both) in [
            (any.clone(), any.clone(), any.clone()),
            (any.clone(), only(&[Widevine], true), only(&[Widevine], true)),
            (
                only(&[Widevine, Playready], false),
                only(&[Playready, Fairplay], true),
                only(&[Playready], true),
            ),
            (only(&[Widevine], false), only(&[Fairplay], false), only(&[], false)),
        ] {
            assert_eq!(one.and(&other), both);
            assert_eq!(other.and(&one), both);
        }
    }

    #[test]
    fn rules_survive_their_text_form_and_none_need_no_text() {
        assert_eq!(serde_json::to_string(&Rights::default()).unwrap(), "{}");
        for rights in [Rights::default(), only(&[], true), only(&[DrmSystem::Marlin], false)] {
            let text = serde_json::to_string(&rights).unwrap();
            assert_eq!(serde_json::from_str::<Rights>(&text).unwrap(), rights);
        }
        assert_eq!(
            only(&[DrmSystem::Playready, DrmSystem::Widevine], true).to_string(),
            "nothing in clear, of DRM systems only widevine, playready"
        );
    }
}
