//! Where HLS players ask for keys: templates that an operator sets, because only he knows his key servers.

use reelfarm_model::{KeyId, TitleId};
use serde::{Deserialize, Serialize};

/// The URIs of keys in playlists (RFC 8216 clause 4.3.2.4), with `{kid}` for the key's id in 32 hexadecimal digits and
/// `{title}` for the title's name. Neither ever needs escaping in a URI.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Texts", into = "Texts")]
pub struct KeyUris(Texts);

/// The templates as they are written down; those left out have their defaults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Texts {
    fairplay: String,
    clearkey: String,
    verimatrix: String,
}

impl Default for Texts {
    /// Verimatrix's is the form of VCAS's key file request, at a host that cannot exist (RFC 2606 clause 2): better than one
    /// that might.
    fn default() -> Self {
        Self {
            fairplay: "skd://{kid}".to_owned(),
            clearkey: "{kid}.key".to_owned(),
            verimatrix: "https://vcas.invalid/CAB/keyfile?r={title}&t=VOD&p=0".to_owned(),
        }
    }
}

/// A template cannot give the URI of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key URI {template:?} for {system}: {reason}")]
pub struct InvalidKeyUri {
    /// The system whose template it is.
    pub system: &'static str,
    /// The template.
    pub template: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl KeyUris {
    /// Takes the three templates: FairPlay's begins with `skd://`, ClearKey's names a file beside the playlists.
    ///
    /// # Errors
    /// A template that cannot stand in a playlist, has another placeholder, or is not of its system's form.
    pub fn new(fairplay: &str, clearkey: &str, verimatrix: &str) -> Result<Self, InvalidKeyUri> {
        Texts {
            fairplay: fairplay.to_owned(),
            clearkey: clearkey.to_owned(),
            verimatrix: verimatrix.to_owned(),
        }
        .try_into()
    }

    /// The URI that FairPlay's players hand to their application.
    pub fn fairplay(&self, id: KeyId, title: &TitleId) -> String {
        fill(&self.0.fairplay, id, title)
    }

    /// The name of the file, beside the playlists, that holds the key itself.
    pub fn clearkey(&self, id: KeyId, title: &TitleId) -> String {
        fill(&self.0.clearkey, id, title)
    }

    /// Where Verimatrix's players ask.
    pub fn verimatrix(&self, id: KeyId, title: &TitleId) -> String {
        fill(&self.0.verimatrix, id, title)
    }
}

impl TryFrom<Texts> for KeyUris {
    type Error = InvalidKeyUri;

    fn try_from(texts: Texts) -> Result<Self, InvalidKeyUri> {
        let refused =
            |system, template: &String, reason| InvalidKeyUri { system, template: template.clone(), reason };
        for (system, template) in
            [("fairplay", &texts.fairplay), ("clearkey", &texts.clearkey), ("verimatrix", &texts.verimatrix)]
        {
            check(template).map_err(|reason| refused(system, template, reason))?;
        }
        if !texts.fairplay.starts_with("skd://") {
            return Err(refused("fairplay", &texts.fairplay, "it does not begin with skd://"));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '{' | '}');
        if !texts.clearkey.chars().all(plain) || texts.clearkey.starts_with('.') {
            return Err(refused("clearkey", &texts.clearkey, "it does not name a file beside the playlists"));
        }
        Ok(Self(texts))
    }
}

impl From<KeyUris> for Texts {
    fn from(uris: KeyUris) -> Self {
        uris.0
    }
}

/// Whether the template can stand between the quotes of an attribute and has no placeholder but those two.
fn check(template: &str) -> Result<(), &'static str> {
    if template.is_empty() {
        return Err("it is empty");
    }
    if !template
        .chars()
        .all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '|'))
    {
        return Err("it has characters that a URI cannot have");
    }
    if template.replace("{kid}", "").replace("{title}", "").contains(['{', '}']) {
        return Err("it has a placeholder other than {kid} and {title}");
    }
    Ok(())
}

fn fill(template: &str, id: KeyId, title: &TitleId) -> String {
    // A title's name has no braces, so that the order changes nothing.
    template.replace("{kid}", &id.to_string()).replace("{title}", title.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: KeyId = KeyId([0xab; 16]);

    #[test]
    fn placeholders_are_filled_in_every_place() {
        let title = "film".parse().unwrap();
        let uris =
            KeyUris::new("skd://{title}/{kid}?again={kid}", "{title}.bin", "https://keys.example/{title}");
        let uris = uris.unwrap();
        let kid = ID.to_string();
        assert_eq!(uris.fairplay(ID, &title), format!("skd://film/{kid}?again={kid}"));
        assert_eq!(uris.clearkey(ID, &title), "film.bin");
        assert_eq!(uris.verimatrix(ID, &title), "https://keys.example/film");
    }

    #[test]
    fn defaults_pass_their_own_checks_and_fill_what_is_left_out() {
        let Texts { fairplay, clearkey, verimatrix } = Texts::default();
        assert_eq!(KeyUris::new(&fairplay, &clearkey, &verimatrix).unwrap(), KeyUris::default());
        let uris: KeyUris = serde_json::from_str(r#"{"clearkey": "{title}.key"}"#).unwrap();
        assert_eq!(uris, KeyUris::new(&fairplay, "{title}.key", &verimatrix).unwrap());
        let again: KeyUris = serde_json::from_value(serde_json::to_value(&uris).unwrap()).unwrap();
        assert_eq!(again, uris);
        assert!(serde_json::from_str::<KeyUris>(r#"{"widevine": "x"}"#).is_err());
    }

    #[test]
    fn templates_that_break_a_playlist_or_a_player_are_refused() {
        let Texts { fairplay, clearkey, verimatrix } = Texts::default();
        for (system, uris) in [
            ("fairplay", KeyUris::new("https://keys.example/{kid}", &clearkey, &verimatrix)),
            ("fairplay", KeyUris::new("skd://{kid}\",IV=0", &clearkey, &verimatrix)),
            ("fairplay", KeyUris::new("skd://{KID}", &clearkey, &verimatrix)),
            ("fairplay", KeyUris::new("skd://{kid", &clearkey, &verimatrix)),
            ("clearkey", KeyUris::new(&fairplay, "../{kid}.key", &verimatrix)),
            ("clearkey", KeyUris::new(&fairplay, "..", &verimatrix)),
            ("clearkey", KeyUris::new(&fairplay, "https://keys.example/{kid}", &verimatrix)),
            ("clearkey", KeyUris::new(&fairplay, "", &verimatrix)),
            ("verimatrix", KeyUris::new(&fairplay, &clearkey, "https://keys.example/a b")),
            (
                "verimatrix",
                KeyUris::new(&fairplay, &clearkey, "https://keys.example/\n#EXT-X-KEY:METHOD=NONE"),
            ),
            ("verimatrix", KeyUris::new(&fairplay, &clearkey, "https://keys.example/é")),
        ] {
            assert_eq!(uris.unwrap_err().system, system);
        }
    }
}
