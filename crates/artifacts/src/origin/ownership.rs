//! Which files in a title's folder are the farm's. An origin may be a folder that people keep their own files in, even
//! under the title's name: what is not the farm's is never removed.

use std::collections::BTreeSet;

use reelfarm_model::index::Index;

use super::INDEX_NAME;
use super::superseded::Superseded;

/// The folder of a title that holds its media sets, each as `media/<set>/<12 hexadecimal digits>/`.
const MEDIA: &str = "media";
/// The hexadecimal digits in a media set's folder.
const DIGITS: usize = 12;

/// Whether a path from a title's folder is one of media. All else that an index names is a manifest.
pub(super) fn is_media(path: &str) -> bool {
    path.strip_prefix(MEDIA).is_some_and(|rest| rest.starts_with('/'))
}

/// What may be removed of a title: what is the farm's, less what is to be kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Sweep {
    /// Profiles, by id. Each has a folder for its manifests.
    profiles: BTreeSet<String>,
    /// Files that an index names, of whatever generation.
    named: BTreeSet<String>,
    kept: BTreeSet<String>,
    keep_media: bool,
}

impl Sweep {
    /// Takes the folders of these profiles, and what the farm's names alone tell.
    pub(super) fn of_profiles(ids: impl IntoIterator<Item = String>) -> Self {
        Self { profiles: ids.into_iter().collect(), ..Self::default() }
    }

    /// Takes what this index names, too, and the folders of its profiles.
    #[must_use]
    pub(super) fn and_of(mut self, index: &Index) -> Self {
        self.profiles.extend(index.profiles.iter().map(|profile| profile.id.clone()));
        self.named.extend(index.files.iter().map(|file| file.path.clone()));
        self
    }

    /// Takes what [`and_of`](Self::and_of) does, but keeps this index and what it names.
    #[must_use]
    pub(super) fn but_for(mut self, index: &Index) -> Self {
        self.kept.extend(index.files.iter().map(|file| file.path.clone()));
        self.kept.insert(INDEX_NAME.to_owned());
        self.and_of(index)
    }

    /// Takes what a publication was to take away, too.
    #[must_use]
    pub(super) fn and_superseded(mut self, noted: &Superseded) -> Self {
        self.profiles.extend(noted.profiles.iter().cloned());
        self.named.extend(noted.files.iter().cloned());
        self
    }

    /// Takes this file.
    pub(super) fn of_file(path: &str) -> Self {
        let mut sweep = Self { keep_media: true, ..Self::default() };
        sweep.kept.insert(INDEX_NAME.to_owned());
        sweep.named.insert(path.to_owned());
        sweep
    }

    /// Keeps all media.
    #[must_use]
    pub(super) fn but_for_media(mut self) -> Self {
        self.keep_media = true;
        self
    }

    /// Whether the file at this path from the title's folder goes.
    pub(super) fn takes(&self, path: &str) -> bool {
        let kept = self.kept.contains(path) || (self.keep_media && is_media(path));
        !kept && (self.owns(path) || finished(path).is_some_and(|path| self.owns(path)))
    }

    /// Whether the folder at this path from the title's folder goes once it is empty: those that the farm makes.
    pub(super) fn takes_folder(&self, path: &str) -> bool {
        let mut segments = path.split('/');
        match (segments.next(), segments.next(), segments.next()) {
            // One that is empty may be about to be filled.
            (Some(MEDIA), ..) if self.keep_media => false,
            (Some(MEDIA), _, None) => true,
            (Some(MEDIA), _, Some(set)) => is_set_folder(set),
            (Some(first), ..) => self.profiles.contains(first) || self.leads_to_named(path),
            (None, ..) => false,
        }
    }

    fn owns(&self, path: &str) -> bool {
        if path == INDEX_NAME || self.named.contains(path) {
            return true;
        }
        let mut segments = path.split('/');
        match (segments.next(), segments.next(), segments.next(), segments.next()) {
            // Not even a profile of that name makes all of it the farm's.
            (Some(MEDIA), _, set, file) => file.is_some() && set.is_some_and(is_set_folder),
            (Some(first), ..) => self.profiles.contains(first),
            (None, ..) => false,
        }
    }

    fn leads_to_named(&self, folder: &str) -> bool {
        let prefix = format!("{folder}/");
        self.named.range(prefix.clone()..).next().is_some_and(|path| path.starts_with(&prefix))
    }
}

fn is_set_folder(name: &str) -> bool {
    name.len() == DIGITS && name.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
}

/// The file that this one was to become, where it is one that was still being written: `object_store` writes to
/// `<name>#<number>` in a folder, and a name with `#` is never given to it (see [`file_path`](super::path::file_path)).
fn finished(path: &str) -> Option<&str> {
    let (name, number) = path.rsplit_once('#')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(files: &[&str]) -> Index {
        let file = |path: &&str| reelfarm_model::index::IndexFile {
            path: (*path).to_owned(),
            size: 0,
            md5: String::new(),
        };
        Index {
            schema: 1,
            title: "film".parse().unwrap(),
            source: reelfarm_model::Digest::of(b"source"),
            profiles: Vec::new(),
            more_follow: false,
            cue_points: Vec::new(),
            files: files.iter().map(file).collect(),
        }
    }

    #[test]
    fn only_what_is_the_farms_goes() {
        let sweep = Sweep::of_profiles(["dash-clr-2s".to_owned(), "media".to_owned()])
            .and_of(&index(&["old/a.mpd", "media/b.m4s"]))
            .but_for(&index(&["dash-clr-2s/manifest.mpd", "media/set/0123456789ab/v/1.m4s"]));
        for (path, taken) in [
            ("alien.mov", false),
            ("media/alien.mov", false),
            ("media/set/alien.mov", false),
            ("media/set/0123456789ab", false),
            ("media/set/0123456789ab/v/2.m4s", true),
            ("media/set/0123456789ab/v/2.m4s#17", true),
            ("media/set/ba9876543210/1", true),
            ("media/set/0123456789AB/1", false),
            ("media/set/0123456789a/1", false),
            ("media/set/0123456789abc/1", false),
            ("media/set/0123456789ag/1", false),
            ("media/0123456789ab/1", false),
            ("other/set/0123456789ab/1", false),
            ("dash-clr-2s/audio/en.m3u8", true),
            ("dash-clr-2s-mine/a", false),
            ("hls-clr-6s/master.m3u8", false),
            ("old/a.mpd", true),
            ("old/a.mpd#3", true),
            ("old/a.mpd#mine", false),
            ("old/a.mpd#", false),
            ("old/b.mpd", false),
            ("media/b.m4s", true),
            ("index.json#1", true),
            ("index.json.bak", false),
            ("sub/index.json", false),
            ("index.json", false),
            ("dash-clr-2s/manifest.mpd", false),
            ("media/set/0123456789ab/v/1.m4s", false),
        ] {
            assert_eq!(sweep.takes(path), taken, "{path}");
        }
        assert!(!sweep.clone().but_for_media().takes("media/set/ba9876543210/1"));
        assert!(sweep.but_for_media().takes("old/a.mpd"));
    }

    #[test]
    fn only_folders_that_the_farm_makes_go() {
        let sweep = Sweep::of_profiles(["dash-clr-2s".to_owned()]).and_of(&index(&["a/b/c.mpd", "ab.mpd"]));
        for (path, taken) in [
            ("media", true),
            ("media/set", true),
            ("media/set/0123456789ab", true),
            ("media/set/0123456789ab/v", true),
            ("media/set/mine", false),
            ("dash-clr-2s", true),
            ("dash-clr-2s/audio", true),
            ("a", true),
            ("a/b", true),
            ("a/mine", false),
            ("extras", false),
        ] {
            assert_eq!(sweep.takes_folder(path), taken, "{path}");
        }
    }
}
