//! A policy as it is written: its own text, and those of the policies that it is based on.
//!
//! A policy may begin with `base = "default"`, or with the path of another policy's file, and say only what differs.
//! Promises: nothing is read here, whoever gathers the texts says how a file is read; no policy is its own base, however
//! indirectly; the digest is another one wherever any of the texts is.

use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use reelfarm_model::Digest;
use toml::Spanned;
use toml::de::DeTable;

use super::{BuiltIn, PolicyError};

/// The most texts that a policy is made of: nobody keeps more in mind at a time.
const MOST_TEXTS: usize = 4;

/// A file's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyText {
    /// The file as errors name it.
    pub file: String,
    /// The TOML.
    pub text: String,
}

/// A policy's text and those of its bases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyTexts {
    own: PolicyText,
    bases: Vec<PolicyText>,
}

/// Whether a setting names a policy's file; otherwise it is the name of a policy that comes with the farm.
pub fn is_file(reference: &str) -> bool {
    reference.contains('/') || reference.ends_with(".toml")
}

impl PolicyTexts {
    /// The texts of a policy whose base, if it has one, comes with the farm.
    ///
    /// # Errors
    /// As [`gather`](Self::gather); a file as its base is refused.
    pub fn of(file: &str, text: &str) -> Result<Self, PolicyError> {
        Self::gather(file, text, |path| Err(format!("{} is a file, and none is read here", path.display())))
    }

    /// The texts of the policy that this file holds. A base's path is relative to the file that names it; `read` reads one,
    /// or says why it can't.
    ///
    /// # Errors
    /// A text is no TOML; a base is unknown or cannot be read, leads back to a policy that is based on it, or is one too
    /// many.
    pub fn gather(
        file: &str,
        text: &str,
        mut read: impl FnMut(&Path) -> Result<String, String>,
    ) -> Result<Self, PolicyError> {
        let mut texts = Self { own: PolicyText::new(file, text), bases: Vec::new() };
        let mut files = vec![normal(Path::new(file))];
        loop {
            let upper = texts.bases.last().unwrap_or(&texts.own);
            let Some(base) = upper.base()? else { return Ok(texts) };
            let refuse = |reason: String| upper.refuse(base.span(), &reason);
            let name = base.get_ref();
            if texts.bases.len() + 1 == MOST_TEXTS {
                return Err(refuse(format!(
                    "the base {name:?} is one too many: a policy is made of at most {MOST_TEXTS} files, its own and those below it"
                )));
            }
            let lower = if is_file(name) {
                let path = Path::new(&upper.file).parent().unwrap_or(Path::new("")).join(name);
                if files.contains(&normal(&path)) {
                    return Err(refuse(format!(
                        "the base {name:?} is this policy, or is based on it: no policy can be its own base"
                    )));
                }
                let text =
                    read(&path).map_err(|reason| refuse(format!("the base cannot be read: {reason}")))?;
                files.push(normal(&path));
                PolicyText { file: path.display().to_string(), text }
            } else {
                let built_in = BuiltIn::find(name).ok_or_else(|| {
                    refuse(format!(
                        "no policy is called {name:?}; there are {}, or name a policy file (*.toml)",
                        BuiltIn::names()
                    ))
                })?;
                PolicyText::new(built_in.file, built_in.text)
            };
            texts.bases.push(lower);
        }
    }

    /// Its own text.
    pub const fn own(&self) -> &PolicyText {
        &self.own
    }

    /// The texts of its bases, the nearest first.
    pub fn bases(&self) -> &[PolicyText] {
        &self.bases
    }

    /// What tells the policy from every other: the SHA-256 of its text; of one with bases, the SHA-256 of the SHA-256s of its
    /// own text and of its bases', the nearest first, each in 64 hexadecimal digits and a line of its own.
    pub fn digest(&self) -> Digest {
        let own = Digest::of(self.own.text.as_bytes());
        if self.bases.is_empty() {
            return own;
        }
        let bases = self.bases.iter().map(|base| Digest::of(base.text.as_bytes()));
        let lines: String = std::iter::once(own).chain(bases).map(|digest| format!("{digest}\n")).collect();
        Digest::of(lines.as_bytes())
    }
}

impl PolicyText {
    fn new(file: &str, text: &str) -> Self {
        Self { file: file.to_owned(), text: text.to_owned() }
    }

    /// Its tables, keys and values with their places.
    pub(super) fn table(&self) -> Result<Spanned<DeTable<'_>>, PolicyError> {
        DeTable::parse(&self.text).map_err(|error| self.refuse_toml(&error))
    }

    fn base(&self) -> Result<Option<Spanned<String>>, PolicyError> {
        let table = self.table()?;
        let Some(base) = table.get_ref().get("base") else { return Ok(None) };
        match base.get_ref().as_str() {
            Some(name) => Ok(Some(Spanned::new(base.span(), name.to_owned()))),
            None => Err(self.refuse(
                base.span(),
                "base is the name of a policy or of its file (*.toml), as a text in quotes",
            )),
        }
    }

    pub(super) fn refuse(&self, span: Range<usize>, reason: &str) -> PolicyError {
        let before = self.text.as_bytes().iter().take(span.start);
        PolicyError {
            file: self.file.clone(),
            line: 1 + before.filter(|byte| **byte == b'\n').count(),
            reason: reason.to_owned(),
        }
    }

    pub(super) fn refuse_toml(&self, error: &toml::de::Error) -> PolicyError {
        self.refuse(error.span().unwrap_or_default(), error.message())
    }
}

/// A path spelt in one way, as far as that can be said without looking: `a/./b` and `a/c/../b` are `a/b`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(normal.components().next_back(), Some(Component::Normal(_))) => {
                normal.pop();
            }
            component => normal.push(component),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::policy::{BUILT_IN, BUILT_IN_POLICIES};

    /// Gathers the first of these files, of which others may be bases.
    fn gather(files: &[(&str, &str)]) -> Result<PolicyTexts, PolicyError> {
        let known: BTreeMap<PathBuf, &str> = files.iter().map(|(file, text)| (file.into(), *text)).collect();
        PolicyTexts::gather(files[0].0, files[0].1, |path| {
            let text = known.get(path).ok_or_else(|| format!("{} is not there", path.display()))?;
            Ok((*text).to_owned())
        })
    }

    fn files(texts: &PolicyTexts) -> Vec<&str> {
        std::iter::once(&texts.own).chain(&texts.bases).map(|text| text.file.as_str()).collect()
    }

    #[test]
    fn bases_are_found_by_name_or_beside_the_file_that_names_them() {
        let texts = gather(&[
            ("qc/ads.toml", "base = \"house.toml\"\n"),
            ("qc/house.toml", "base = \"../shared/all.toml\"\n"),
            ("qc/../shared/all.toml", "base = \"default\"\n"),
        ])
        .unwrap();
        assert_eq!(
            files(&texts),
            ["qc/ads.toml", "qc/house.toml", "qc/../shared/all.toml", "ladders/qc.toml"]
        );
        let absolute = gather(&[("ads.toml", "base = \"/etc/qc.toml\""), ("/etc/qc.toml", "")]).unwrap();
        assert_eq!(files(&absolute), ["ads.toml", "/etc/qc.toml"]);
        for built_in in BUILT_IN_POLICIES {
            let texts = gather(&[(built_in.file, built_in.text)]).unwrap();
            assert_eq!(texts.bases.len(), usize::from(built_in.text != BUILT_IN), "{}", built_in.name);
        }
        // One's own file may be called what the farm's own is.
        assert!(gather(&[("ladders/qc.toml", "base = \"default\"")]).is_ok());
    }

    #[test]
    fn a_base_that_cannot_be_one_is_refused_where_it_is_named() {
        let own = ("a.toml", "# of the house\nbase = \"b.toml\"\n");
        for (files, at, line, reason) in [
            (&[("a.toml", "name = \"a\"\nbase = \"best\"")][..], "a.toml", 2, "no policy is called \"best\""),
            (&[("a.toml", "base = \"best\"")], "a.toml", 1, "default, broadcast, a85, streaming, or name"),
            (&[("a.toml", "\n\nbase = 7")], "a.toml", 3, "in quotes"),
            (&[("a.toml", "base = ")], "a.toml", 1, ""),
            (&[own], "a.toml", 2, "the base cannot be read: b.toml is not there"),
            (&[own, ("b.toml", "name = \"b\"\nname = \"c\"")], "b.toml", 2, "duplicate key"),
            (&[("a.toml", "base = \"./a.toml\"")], "a.toml", 1, "its own base"),
            (&[own, ("b.toml", "\n\nbase = \"x/../a.toml\"")], "b.toml", 3, "its own base"),
            (
                &[own, ("b.toml", "base = \"c.toml\""), ("c.toml", "base = \"b.toml\"")],
                "c.toml",
                1,
                "its own base",
            ),
            (
                &[
                    own,
                    ("b.toml", "base = \"c.toml\""),
                    ("c.toml", "base = \"d.toml\""),
                    ("d.toml", "base = \"default\""),
                ],
                "d.toml",
                1,
                "the base \"default\" is one too many",
            ),
        ] {
            let error = gather(files).unwrap_err();
            assert_eq!((error.file.as_str(), error.line), (at, line), "{error}");
            assert!(error.reason.contains(reason), "{reason}: {error}");
        }
    }

    #[test]
    fn the_digest_is_of_every_text() {
        let digest = |base: &str, own: &str| {
            gather(&[("a.toml", own), ("b.toml", base)]).map(|texts| texts.digest()).unwrap()
        };
        let own = "base = \"b.toml\"";
        assert_eq!(digest("", "name = \"a\""), Digest::of(b"name = \"a\""));
        let (of_own, of_base) = (Digest::of(own.as_bytes()), Digest::of(b"x = 1"));
        assert_eq!(digest("x = 1", own), Digest::of(format!("{of_own}\n{of_base}\n").as_bytes()));
        assert_ne!(digest("x = 1", own), digest("x = 2", own));
        assert_ne!(digest("x = 1", own), digest("x = 1", &format!("{own}\n")));
    }

    #[test]
    fn paths_are_spelt_in_one_way() {
        for (path, as_one) in [
            ("./a/./b", "a/b"),
            ("a/c/../b", "a/b"),
            ("../a", "../a"),
            ("../../a", "../../a"),
            ("/../a", "/../a"),
        ] {
            assert_eq!(normal(Path::new(path)), Path::new(as_one), "{path}");
        }
    }
}
