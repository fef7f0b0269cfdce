//! Checks a PlayReady Object with its header (PlayReady Header Specification, versions 4.0 to 4.3) that a key server
//! gave: that it names the key and, where it has a checksum of it, that the checksum is that of the key which came with it.

use reelfarm_model::KeyId;

use super::xml::{self, Element};
use crate::keys::ContentKey;
use crate::playready::{self, guid};

const NAMESPACE: &str = "http://schemas.microsoft.com/DRM/2007/03/PlayReadyHeader";

/// The kind of record that holds the header.
const HEADER_RECORD: u16 = 1;

/// Checks that a PlayReady Object is well formed and its header names this key.
pub(super) fn check(object: &[u8], key: &ContentKey) -> Result<(), String> {
    let header = header(object).ok_or("its PlayReady object is malformed")?;
    let header =
        xml::document(&header).map_err(|reason| format!("its PlayReady header is malformed: {reason}"))?;
    if !header.is(NAMESPACE, "WRMHEADER") {
        return Err("its PlayReady object holds no WRMHEADER".to_owned());
    }
    let data = header.only(NAMESPACE, "DATA")?;
    for named in data.descendants(NAMESPACE, "KID") {
        // Version 4.0 has the id as text and the checksum beside it, later ones have both as attributes.
        let (id, checksum) = match named.attribute("VALUE") {
            Some(id) => (id, named.attribute("CHECKSUM")),
            None => (named.text(), data.all(NAMESPACE, "CHECKSUM").next().map(Element::text)),
        };
        let id = xml::base64(id)
            .ok()
            .and_then(|bytes| Some(KeyId(guid(KeyId(bytes.as_slice().try_into().ok()?)))));
        if id.ok_or("a KID in its PlayReady header is malformed")? != key.id {
            continue;
        }
        return match checksum {
            Some(found)
                if !xml::base64(found).is_ok_and(|found| found.as_slice() == playready::checksum(key)) =>
            {
                Err("the checksum in its PlayReady header is not that of the key".to_owned())
            }
            _ => Ok(()),
        };
    }
    Err("its PlayReady header names another key".to_owned())
}

/// The header in a PlayReady Object: length, number of records, then each with its kind and length, all little-endian.
fn header(object: &[u8]) -> Option<String> {
    let (length, rest) = object.split_first_chunk()?;
    let (count, mut rest) = rest.split_first_chunk()?;
    if usize::try_from(u32::from_le_bytes(*length)) != Ok(object.len()) {
        return None;
    }
    let mut header = None;
    for _ in 0..u16::from_le_bytes(*count) {
        let (kind, after) = rest.split_first_chunk()?;
        let (length, after) = after.split_first_chunk()?;
        let (record, after) = after.split_at_checked(u16::from_le_bytes(*length).into())?;
        if u16::from_le_bytes(*kind) == HEADER_RECORD && header.replace(record).is_some() {
            return None;
        }
        rest = after;
    }
    let (units, odd) = header.filter(|_| rest.is_empty())?.as_chunks();
    let units = units.iter().map(|unit| u16::from_le_bytes(*unit));
    char::decode_utf16(units).collect::<Result<_, _>>().ok().filter(|_| odd.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    fn key() -> ContentKey {
        ContentKey {
            id: "00112233-4455-6677-8899-aabbccddeeff".parse().unwrap(),
            key: Secret::new(*b"0123456789abcdef"),
        }
    }

    fn object(header: &str) -> Vec<u8> {
        let header: Vec<u8> = header.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let length = u16::try_from(header.len()).unwrap();
        let mut object = (u32::from(length) + 10).to_le_bytes().to_vec();
        object.extend([1, 0, 1, 0]);
        object.extend(length.to_le_bytes());
        object.extend(header);
        object
    }

    fn header(data: &str) -> String {
        format!("<WRMHEADER xmlns=\"{NAMESPACE}\" version=\"4.x\"><DATA>{data}</DATA></WRMHEADER>")
    }

    #[test]
    fn every_version_names_its_keys_in_its_own_way() {
        // The order of bytes is that of Microsoft's GUIDs.
        let ours = "MyIRAFVEd2aImaq7zN3u/w==";
        let other = STANDARD.encode([1; 16]);
        let right = STANDARD.encode(playready::checksum(&key()));
        let wrong = STANDARD.encode([0; 8]);
        for (expected, data) in [
            (Ok(()), format!("<KID>{ours}</KID>")),
            (Ok(()), format!("<PROTECTINFO><KID VALUE=\"{ours}\"/></PROTECTINFO>")),
            (
                Ok(()),
                format!(
                    "<PROTECTINFO><KIDS><KID VALUE=\"{other}\"/><KID VALUE=\"{ours}\"/></KIDS></PROTECTINFO>"
                ),
            ),
            (Ok(()), format!("<KID>{ours}</KID><CHECKSUM>{right}</CHECKSUM>")),
            (Ok(()), format!("<PROTECTINFO><KID CHECKSUM=\"{right}\" VALUE=\"{ours}\"/></PROTECTINFO>")),
            (Err("names another key"), format!("<KID>{other}</KID>")),
            (Err("names another key"), String::new()),
            (Err("checksum"), format!("<KID>{ours}</KID><CHECKSUM>{wrong}</CHECKSUM>")),
            (
                Err("checksum"),
                format!("<PROTECTINFO><KID CHECKSUM=\"{wrong}\" VALUE=\"{ours}\"/></PROTECTINFO>"),
            ),
            (Err("a KID"), "<KID>AAAA</KID>".to_owned()),
            (Err("malformed"), "<KID>".to_owned()),
        ] {
            match (check(&object(&header(&data)), &key()), expected) {
                (Ok(()), Ok(())) => {}
                (Err(found), Err(reason)) => assert!(found.contains(reason), "{data}: {found}"),
                (found, _) => panic!("{data}: {found:?}"),
            }
        }
    }

    #[test]
    fn an_object_is_whole_or_refused() {
        let whole = object(&header("<KID>MyIRAFVEd2aImaq7zN3u/w==</KID>"));
        assert_eq!(check(&whole, &key()), Ok(()));
        for length in 0..whole.len() {
            assert!(check(&whole[..length], &key()).is_err(), "{length}");
        }
        assert!(check(&[&whole[..], &[0]].concat(), &key()).is_err());
        for at in [0, 4, 8] {
            let mut wrong = whole.clone();
            wrong[at] += 1;
            assert!(check(&wrong, &key()).is_err(), "{at}");
        }
        assert!(check(&object("<WRMHEADER/>"), &key()).unwrap_err().contains("no WRMHEADER"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            drop(check(&bytes, &key()));
        }
    }
}
