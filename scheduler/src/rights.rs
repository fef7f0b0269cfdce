//! What rights rules leave of the profiles that a call asks for: those of the call, and those that stand for a title.
//!
//! Promises: a title's rules become narrower with any call, and wider only with one that says `--new-rights`.

use reelfarm_model::{Code, Failure, Profile, Rights, TitleId};

/// What a title gets.
#[derive(Debug, PartialEq, Eq)]
pub struct Allowed {
    /// The rules that hold for it from now on.
    pub rights: Rights,
    /// The profiles that they allow.
    pub profiles: Vec<Profile>,
    /// Those that the call would have allowed, and the title's own rules do not.
    pub left_out: Vec<String>,
}

/// The rights rules of a call.
#[derive(Clone, Debug)]
pub struct CallRights {
    /// What the flags, the environment and the project file say.
    pub rights: Rights,
    /// Whether they replace those that titles have.
    pub are_new: bool,
}

impl CallRights {
    /// What a title gets of `profiles`, which the call's own rules allow. `standing` are those that it has so far.
    ///
    /// # Errors
    /// [`Code::TitleRightsLeaveNothing`].
    pub fn of_title(
        &self,
        title: &TitleId,
        profiles: &[Profile],
        standing: &Rights,
    ) -> Result<Allowed, Failure> {
        let rights = if self.are_new { self.rights.clone() } else { standing.and(&self.rights) };
        let (profiles, left_out): (Vec<_>, Vec<_>) =
            profiles.iter().cloned().partition(|profile| rights.allow(profile));
        if profiles.is_empty() {
            return Err(Failure::new(
                Code::TitleRightsLeaveNothing,
                format!(
                    "the rights of title {title} allow none of the profiles asked for: it may have {standing}; ask for others (--profiles), or say --new-rights to give it the rules of this call"
                ),
            ));
        }
        Ok(Allowed { rights, profiles, left_out: left_out.into_iter().map(|profile| profile.id).collect() })
    }
}

#[cfg(test)]
mod tests {
    use reelfarm_model::profile::DrmSystem::{self, Fairplay, Playready, Widevine};
    use reelfarm_packaging::profiles::{BUILT_IN, ProfileList};

    use super::*;

    fn rights(systems: Option<&[DrmSystem]>, no_clear: bool) -> Rights {
        Rights { systems: systems.map(|systems| systems.iter().copied().collect()), no_clear }
    }

    fn all() -> Vec<Profile> {
        ProfileList::parse("profiles.toml", BUILT_IN).unwrap().all().to_vec()
    }

    fn left(rights: &Rights) -> Vec<String> {
        all().into_iter().filter(|profile| rights.allow(profile)).map(|profile| profile.id).collect()
    }

    #[test]
    fn rules_leave_what_they_allow() {
        assert_eq!(left(&Rights::default()).len(), 52);
        let protected = left(&rights(None, true));
        assert_eq!(protected.len(), 39);
        assert!(!protected.iter().any(|id| id.contains("clr") || id.contains("ts-aes")));
        let systems: &[_] = &[Fairplay, Playready];
        let two = left(&rights(Some(systems), true));
        // A profile that also tells a third system is not allowed.
        assert!(two.contains(&"dash-pr-2s".to_owned()) && two.contains(&"hls-fp-4s".to_owned()), "{two:?}");
        assert!(!two.contains(&"hls-multi-2s".to_owned()) && !two.contains(&"dash-wvpr-2s".to_owned()));
        assert_eq!(left(&rights(Some(systems), false)).len(), two.len() + 11);
        assert_eq!(left(&rights(Some(&[]), true)), Vec::<String>::new());
    }

    #[test]
    fn rules_of_a_title_become_narrower_by_themselves_and_wider_only_where_it_is_said() {
        let title = "film".parse().unwrap();
        let any = Rights::default();
        for (standing, call, are_new, expected) in [
            (&any, &any, false, &any),
            (&any, &rights(Some(&[Widevine]), true), false, &rights(Some(&[Widevine]), true)),
            (&rights(None, true), &any, false, &rights(None, true)),
            (&rights(None, true), &any, true, &any),
            (
                &rights(Some(&[Widevine]), false),
                &rights(Some(&[Widevine, Playready]), true),
                false,
                &rights(Some(&[Widevine]), true),
            ),
            (
                &rights(Some(&[Widevine]), true),
                &rights(Some(&[Widevine, Playready]), false),
                true,
                &rights(Some(&[Widevine, Playready]), false),
            ),
        ] {
            let call = CallRights { rights: call.clone(), are_new };
            let asked: Vec<_> = all().into_iter().filter(|profile| call.rights.allow(profile)).collect();
            let allowed = call.of_title(&title, &asked, standing).unwrap();
            assert_eq!(allowed.rights, *expected, "{standing} {call:?}");
            let ids: Vec<_> = allowed.profiles.iter().map(|profile| profile.id.clone()).collect();
            assert_eq!(ids, left(expected));
            assert_eq!(ids.len() + allowed.left_out.len(), asked.len());
        }
    }

    #[test]
    fn a_title_of_which_nothing_is_left_is_refused_with_its_rules_and_the_way_out() {
        let call = CallRights { rights: Rights::default(), are_new: false };
        let clear: Vec<_> = all().into_iter().filter(|profile| profile.scheme.is_none()).collect();
        let title = "film".parse().unwrap();
        let refused = call.of_title(&title, &clear, &rights(None, true)).unwrap_err();
        assert_eq!(refused.code, Code::TitleRightsLeaveNothing);
        for part in ["title film", "nothing in clear", "--new-rights"] {
            assert!(refused.message.contains(part), "{refused}");
        }
    }
}
