//! Settings: flag, then `REELFARM_…` variable, then the project file `reelfarm.toml` in the current folder, then the
//! default. Flags and variables are clap's (see [`crate::arguments`]); this is the rest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use reelfarm_model::title::LadderText;
use reelfarm_model::{Code, Failure, Ladder, RouteName};
use reelfarm_priority::Rules;
use serde::Deserialize;

use crate::drm::DrmSettings;

/// The project file's name.
const PROJECT_FILE: &str = "reelfarm.toml";

/// Ladders that come with the farm: name and text.
pub const BUILT_IN_LADDERS: [(&str, &str); 3] = [
    ("default", include_str!("../../../ladders/default.toml")),
    ("fast", include_str!("../../../ladders/fast.toml")),
    ("per-title", include_str!("../../../ladders/per-title.toml")),
];

/// What a project file may set.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Project {
    /// As `--origin`.
    pub origin: Option<String>,
    /// As `--state`.
    pub state: Option<PathBuf>,
    /// As `--ladder`.
    pub ladder: Option<String>,
    /// As `--profiles`.
    pub profiles: Option<Vec<String>>,
    /// As `--audio-lang`.
    pub audio_lang: Option<String>,
    /// As `--no-subtitles`.
    pub no_subtitles: bool,
    /// The QC policy by name or file, in place of the default one.
    pub qc_policy: Option<String>,
    /// QC policies of routes, by name or file, in place of that one.
    pub qc_policies: BTreeMap<RouteName, String>,
    /// Rules of order in place of the built-in ones.
    pub order: Option<PathBuf>,
    /// A profile list in place of the built-in one.
    pub profile_list: Option<PathBuf>,
    /// Encryption.
    pub drm: DrmSettings,
    /// As `--farm`.
    pub farm: Option<String>,
    /// As `--token-file`.
    pub token_file: Option<PathBuf>,
    /// As `--authority-file`.
    pub authority_file: Option<PathBuf>,
    /// The packager's executable; otherwise `REELFARM_PACKAGER`, then `packager` on the PATH.
    pub packager: Option<PathBuf>,
}

impl Project {
    /// Reads the project file of the current folder, if there is one.
    ///
    /// # Errors
    /// It cannot be read, or holds a key that does not exist.
    pub fn load() -> Result<Self, Failure> {
        let text = match fs_err::read_to_string(PROJECT_FILE) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(Failure::new(Code::SettingsInvalid, error.to_string())),
        };
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, Failure> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            let reason = error.message();
            Failure::new(Code::SettingsInvalid, format!("{PROJECT_FILE}, line {line}: {reason}"))
        })
    }

    /// The origin as an absolute path or a URL.
    ///
    /// # Errors
    /// The current folder is gone, or the path is not UTF-8.
    pub fn origin(&self, flag: Option<&str>) -> Result<String, Failure> {
        let origin = flag.or(self.origin.as_deref()).unwrap_or("origin");
        if origin.contains("://") {
            return Ok(origin.to_owned());
        }
        let absolute = std::path::absolute(origin)
            .map_err(|error| Failure::new(Code::OriginUnreachable, format!("origin {origin:?}: {error}")))?;
        // Spelt one way, because the origin's name is part of keys: `out/` is `out`.
        let normal: PathBuf = absolute.components().collect();
        let text = normal.to_str().ok_or_else(|| {
            Failure::new(
                Code::OriginUnreachable,
                format!("the origin's path {} is not UTF-8", normal.display()),
            )
        })?;
        Ok(text.to_owned())
    }

    /// The state folder.
    pub fn state(&self, flag: Option<&PathBuf>) -> PathBuf {
        flag.or(self.state.as_ref()).cloned().unwrap_or_else(|| PathBuf::from(".reelfarm"))
    }

    /// The rules of order: the project's own, or those that come with the farm.
    ///
    /// # Errors
    /// They cannot be read, or are refused.
    pub fn order_rules(&self) -> Result<Rules, Failure> {
        order_rules(self.order.as_deref())
    }

    /// The ladder by name or file, checked.
    ///
    /// # Errors
    /// There is no such ladder, or it is refused.
    pub fn ladder(&self, flag: Option<&str>) -> Result<(LadderText, Ladder), Failure> {
        let name = flag.or(self.ladder.as_deref()).unwrap_or("default");
        let text = ladder_text(name)?;
        let ladder = Ladder::parse(&text.file, &text.text)
            .map_err(|error| Failure::new(Code::LadderInvalid, error.to_string()))?;
        Ok((text, ladder))
    }
}

/// The rules of order of a file, or those that come with the farm.
///
/// # Errors
/// They cannot be read, or are refused.
pub fn order_rules(path: Option<&Path>) -> Result<Rules, Failure> {
    let refuse = |reason: String| Failure::new(Code::OrderInvalid, reason);
    let (file, text) = match path {
        Some(path) => {
            let text = fs_err::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
            (path.display().to_string(), text)
        }
        None => ("ladders/order.toml".to_owned(), reelfarm_priority::rules::BUILT_IN.to_owned()),
    };
    Rules::parse(&file, &text).map_err(|error| refuse(error.to_string()))
}

fn ladder_text(name: &str) -> Result<LadderText, Failure> {
    if name.contains('/') || name.ends_with(".toml") {
        let text = fs_err::read_to_string(name)
            .map_err(|error| Failure::new(Code::LadderInvalid, error.to_string()))?;
        return Ok(LadderText { file: name.to_owned(), text });
    }
    let built_in = BUILT_IN_LADDERS.iter().find(|(built_in, _)| *built_in == name);
    let (_, text) = built_in.ok_or_else(|| {
        let names: Vec<_> = BUILT_IN_LADDERS.iter().map(|(name, _)| *name).collect();
        Failure::new(
            Code::UnknownName,
            format!(
                "no ladder is called {name:?}; there are {}, or name a ladder file (*.toml)",
                names.join(" and ")
            ),
        )
    })?;
    Ok(LadderText { file: format!("ladders/{name}.toml"), text: (*text).to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let failure = Project::parse("origin = \"o\"\norigni = \"p\"\n").unwrap_err();
        assert!(failure.message.contains("line 2"), "{failure}");
        assert!(failure.message.contains("origni"), "{failure}");
    }

    #[test]
    fn the_ladders_that_come_with_the_farm_are_sound() {
        for (name, _) in BUILT_IN_LADDERS {
            let (_, ladder) = Project::default().ladder(Some(name)).unwrap();
            assert_eq!(ladder.name, name);
        }
        assert_eq!(Project::default().ladder(Some("best")).unwrap_err().code, Code::UnknownName);
    }
}
