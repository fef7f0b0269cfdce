//! Checks the tags of HLS playlists (RFC 8216 clause 4.3) that a key server gave.

use std::collections::BTreeMap;

use reelfarm_model::profile::{DrmSystem, Scheme};
use url::Url;

use super::system::SystemAsked;
use super::{playready_header, pssh, xml};
use crate::keys::ContentKey;

/// The attributes of a tag by name, each with whether it was quoted.
type Attributes = BTreeMap<String, (String, bool)>;

/// Checks what is to stand in media and in master playlists, and returns the URI that both give.
pub(super) fn check(
    media: &str,
    master: &str,
    asked: &SystemAsked,
    scheme: Scheme,
    key: &ContentKey,
) -> Result<String, String> {
    let attributes = key_tag(media, "#EXT-X-KEY:")?;
    if key_tag(master, "#EXT-X-SESSION-KEY:")? != attributes {
        return Err("its tags for media and for master playlists differ".to_owned());
    }
    let quoted = |name| attributes.get(name).filter(|(_, quoted)| *quoted).map(|(value, _)| value.as_str());
    let method = if scheme == Scheme::Aes128 { "AES-128" } else { "SAMPLE-AES" };
    if attributes.get("METHOD") != Some(&(method.to_owned(), false)) {
        return Err(format!("the METHOD of its EXT-X-KEY is not {method}"));
    }
    let format = key_format(asked.system);
    // A tag without it means "identity".
    if quoted("KEYFORMAT").unwrap_or("identity") != format {
        return Err(format!("the KEYFORMAT of its EXT-X-KEY is not \"{format}\""));
    }
    let uri = quoted("URI").ok_or("its EXT-X-KEY has no URI")?;
    check_uri(uri, asked, key)?;
    Ok(uri.to_owned())
}

/// How HLS names a system.
const fn key_format(system: DrmSystem) -> &'static str {
    match system {
        DrmSystem::Widevine => "urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed",
        DrmSystem::Playready => "com.microsoft.playready",
        DrmSystem::Fairplay => "com.apple.streamingkeydelivery",
        DrmSystem::Marlin | DrmSystem::Verimatrix | DrmSystem::Clearkey => "identity",
    }
}

fn check_uri(uri: &str, asked: &SystemAsked, key: &ContentKey) -> Result<(), String> {
    let data = || data_of(uri).ok_or("the URI of its EXT-X-KEY is not \"data:\" with base64");
    match asked.system {
        DrmSystem::Widevine => pssh::check(&data()?, asked.system, asked.uuid, key).map(drop),
        DrmSystem::Playready => playready_header::check(&data()?, key),
        DrmSystem::Fairplay if uri.strip_prefix("skd://").is_none_or(str::is_empty) => {
            Err("the URI of its EXT-X-KEY does not begin with skd://".to_owned())
        }
        DrmSystem::Fairplay => Ok(()),
        DrmSystem::Marlin | DrmSystem::Verimatrix | DrmSystem::Clearkey => match Url::parse(uri) {
            // The parser forgives an address without slashes, and players take it for the name of a file.
            Ok(url) if url.has_host() && uri.contains("://") => Ok(()),
            _ => Err("the URI of its EXT-X-KEY is not an address".to_owned()),
        },
    }
}

/// What a `data:` URL holds in base64 (RFC 2397).
fn data_of(uri: &str) -> Option<Vec<u8>> {
    let (kind, data) = uri.strip_prefix("data:")?.split_once(',')?;
    kind.strip_suffix(";base64")?;
    xml::base64(data).ok().map(|bytes| bytes.to_vec())
}

/// The attributes of the one tag of this name. Other lines are comments or further tags, which are not ours to judge.
fn key_tag(text: &str, tag: &str) -> Result<Attributes, String> {
    let name = tag.trim_matches(['#', ':']);
    let mut found = None;
    for line in text.lines() {
        if let Some(list) = line.strip_prefix(tag) {
            let attributes = attributes(list.trim_end()).ok_or(format!("its {name} is malformed"))?;
            if found.replace(attributes).is_some() {
                return Err(format!("it has more than one {name}"));
            }
        } else if !line.is_empty() && !line.starts_with('#') {
            return Err(format!("beside its {name} there is more than tags"));
        }
    }
    found.ok_or(format!("it has no {name}"))
}

/// Reads an attribute list (RFC 8216 clause 4.2).
fn attributes(mut list: &str) -> Option<Attributes> {
    let mut found = Attributes::new();
    loop {
        let (name, rest) = list.split_once('=')?;
        let named = !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-');
        let (value, rest, quoted) = match rest.strip_prefix('"') {
            Some(rest) => {
                let (value, rest) = rest.split_once('"')?;
                (value, rest, true)
            }
            None => {
                let (value, rest) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
                (value, rest, false)
            }
        };
        let valid = named
            && !value.chars().any(char::is_control)
            && (quoted || !value.is_empty() && !value.contains(['"', ' ']));
        if !valid || found.insert(name.to_owned(), (value.to_owned(), quoted)).is_some() {
            return None;
        }
        if rest.is_empty() {
            return Some(found);
        }
        list = rest.strip_prefix(',')?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use proptest::prelude::*;
    use reelfarm_model::KeyId;

    fn checked(list: &str, system: DrmSystem, scheme: Scheme) -> Result<String, String> {
        let key = ContentKey { id: KeyId([7; 16]), key: Secret::new([1; 16]) };
        let asked = SystemAsked::of(system, scheme).unwrap();
        check(&format!("#EXT-X-KEY:{list}\n"), &format!("#EXT-X-SESSION-KEY:{list}"), &asked, scheme, &key)
    }

    #[test]
    fn a_tag_is_for_its_system_and_scheme() {
        use DrmSystem::{Clearkey, Fairplay};
        let skd = "METHOD=SAMPLE-AES,URI=\"skd://a,b=c\",KEYFORMAT=\"com.apple.streamingkeydelivery\",KEYFORMATVERSIONS=\"1\"";
        assert_eq!(checked(skd, Fairplay, Scheme::Cbcs).unwrap(), "skd://a,b=c");
        let url = "METHOD=AES-128,URI=\"https://keys.example/1\"";
        assert_eq!(checked(url, Clearkey, Scheme::Aes128).unwrap(), "https://keys.example/1");
        for (list, system, scheme, reason) in [
            ("", Clearkey, Scheme::Aes128, "malformed"),
            (&url.replace("AES-128", "SAMPLE-AES"), Clearkey, Scheme::Aes128, "METHOD"),
            (&skd.replace("SAMPLE-AES", "\"SAMPLE-AES\""), Fairplay, Scheme::Cbcs, "METHOD"),
            (&skd.replace("com.apple", "com.other"), Fairplay, Scheme::Cbcs, "KEYFORMAT"),
            (&url.replace("AES-128", "SAMPLE-AES"), Fairplay, Scheme::Cbcs, "KEYFORMAT"),
            (&skd.replace("skd://a,b=c", "https://a"), Fairplay, Scheme::Cbcs, "skd://"),
            (&skd.replace("skd://a,b=c", "skd://"), Fairplay, Scheme::Cbcs, "skd://"),
            (&url.replace("https://keys.example/1", "key.bin"), Clearkey, Scheme::Aes128, "address"),
            (
                &url.replace("https://keys.example/1", "https:keys.example"),
                Clearkey,
                Scheme::Aes128,
                "address",
            ),
            (&url.replace(",URI=\"https://keys.example/1\"", ""), Clearkey, Scheme::Aes128, "no URI"),
            (&url.replace("URI", "uri"), Clearkey, Scheme::Aes128, "malformed"),
            (&format!("{url},METHOD=NONE"), Clearkey, Scheme::Aes128, "malformed"),
            (&format!("{url},IV="), Clearkey, Scheme::Aes128, "malformed"),
            (&format!("{url},"), Clearkey, Scheme::Aes128, "malformed"),
            (&format!("{url}\nhttps://elsewhere.example"), Clearkey, Scheme::Aes128, "more than tags"),
            (&format!("{url}\n#EXT-X-KEY:{url}"), Clearkey, Scheme::Aes128, "more than one"),
        ] {
            let error = checked(list, system, scheme).unwrap_err();
            assert!(error.contains(reason), "{list}: {error}");
        }
    }

    #[test]
    fn both_playlists_are_told_the_same() {
        let key = ContentKey { id: KeyId([7; 16]), key: Secret::new([1; 16]) };
        let asked = SystemAsked::of(DrmSystem::Clearkey, Scheme::Aes128).unwrap();
        let list = "METHOD=AES-128,URI=\"https://keys.example/1\"";
        let media = format!("#EXT-X-KEY:{list}");
        for (master, reason) in [
            (String::new(), "no EXT-X-SESSION-KEY"),
            (media.clone(), "no EXT-X-SESSION-KEY"),
            (format!("#EXT-X-SESSION-KEY:{}", list.replace("/1", "/2")), "differ"),
        ] {
            let error = check(&media, &master, &asked, Scheme::Aes128, &key).unwrap_err();
            assert!(error.contains(reason), "{master}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(list in "[A-Z\"=,a: \\n#-]{0,60}") {
            drop(checked(&list, DrmSystem::Widevine, Scheme::Cbcs));
        }
    }
}
