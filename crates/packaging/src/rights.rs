//! Rights rules: which of the profiles a title may have.

use std::collections::BTreeSet;

use reelfarm_model::Profile;
use reelfarm_model::profile::{DrmSystem, Scheme};

/// What the rights to a title allow. By default, everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// The only DRM systems that may have the title's keys; `None` for any.
    pub systems: Option<BTreeSet<DrmSystem>>,
    /// Whether the title must never be offered in clear.
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profiles::{BUILT_IN, ProfileList};

    fn left(rights: &Rights) -> Vec<String> {
        let list = ProfileList::parse("profiles.toml", BUILT_IN).unwrap();
        list.all().iter().filter(|profile| rights.allow(profile)).map(|profile| profile.id.clone()).collect()
    }

    #[test]
    fn rules_leave_what_they_allow() {
        assert_eq!(left(&Rights::default()).len(), 52);
        let protected = left(&Rights { no_clear: true, ..Rights::default() });
        assert_eq!(protected.len(), 39);
        assert!(!protected.iter().any(|id| id.contains("clr") || id.contains("ts-aes")));
        let systems = Some([DrmSystem::Fairplay, DrmSystem::Playready].into());
        let two = left(&Rights { systems: systems.clone(), no_clear: true });
        // A profile that also tells a third system is not allowed.
        assert!(two.contains(&"dash-pr-2s".to_owned()) && two.contains(&"hls-fp-4s".to_owned()), "{two:?}");
        assert!(!two.contains(&"hls-multi-2s".to_owned()) && !two.contains(&"dash-wvpr-2s".to_owned()));
        assert_eq!(left(&Rights { systems, no_clear: false }).len(), two.len() + 11);
        assert_eq!(left(&Rights { systems: Some(BTreeSet::new()), no_clear: true }), Vec::<String>::new());
    }
}
