//! Bytes as base64 (RFC 4648 clause 4) in JSON, for serde's `with`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize as _, Deserializer, Serializer, de};

pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&base64::display::Base64Display::new(bytes, &STANDARD))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    // The decoder's own words would repeat a byte of the text.
    STANDARD.decode(text).map_err(|_| de::Error::custom("not base64"))
}

/// The same where there may be none.
pub(crate) mod optional {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Text(#[serde(with = "super")] Vec<u8>);

    pub(crate) fn serialize<S: Serializer>(
        bytes: &Option<Vec<u8>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => super::serialize(bytes, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        Ok(Option::<Text>::deserialize(deserializer)?.map(|text| text.0))
    }
}

#[cfg(test)]
mod tests {
    use crate::keys::Signal;

    #[test]
    fn what_there_is_not_is_left_out_and_comes_back() {
        let signal = Signal { pssh: Some(vec![0xfb, 0xff]), ..Signal::default() };
        let text = serde_json::to_string(&signal).unwrap();
        assert_eq!(text, r#"{"pssh":"+/8="}"#);
        assert_eq!(serde_json::from_str::<Signal>(&text).unwrap(), signal);
        assert_eq!(serde_json::from_str::<Signal>("{}").unwrap(), Signal::default());
    }

    #[test]
    fn text_that_is_not_base64_is_refused_and_not_repeated() {
        for text in ["+/8", "+/9=", "-_8=", "????"] {
            let error = serde_json::from_str::<Signal>(&format!(r#"{{"pssh":"{text}"}}"#)).unwrap_err();
            assert!(!error.to_string().contains(text), "{error}");
        }
    }
}
