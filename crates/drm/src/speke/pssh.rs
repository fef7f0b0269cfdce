//! Checks a `pssh` box (ISO/IEC 23001-7 clause 8.1) that a key server gave.

use reelfarm_model::KeyId;
use reelfarm_model::profile::DrmSystem;

use super::playready_header;
use crate::keys::ContentKey;

/// A `pssh` box, taken apart.
struct Pssh<'a> {
    system: [u8; 16],
    /// The keys that it names; `None` in version 0, which names none.
    keys: Option<Vec<KeyId>>,
    data: &'a [u8],
}

/// Checks that these bytes are one box for this system and, where its form is known, that it names this key. Returns the
/// system's own data.
pub(super) fn check<'a>(
    bytes: &'a [u8],
    system: DrmSystem,
    uuid: &str,
    key: &ContentKey,
) -> Result<&'a [u8], String> {
    let found = parse(bytes).ok_or("it is not one well-formed pssh box")?;
    if KeyId(found.system).to_uuid() != uuid {
        return Err("its pssh box is for another system".to_owned());
    }
    let another = || Err("its pssh box names another key".to_owned());
    if found.keys.as_ref().is_some_and(|keys| !keys.contains(&key.id)) {
        return another();
    }
    match system {
        DrmSystem::Playready => playready_header::check(found.data, key)?,
        DrmSystem::Widevine => {
            let keys = widevine_keys(found.data).ok_or("the data of its pssh box is malformed")?;
            // Without any, Widevine finds the keys by the content's id.
            if !keys.is_empty() && !keys.contains(&key.id) {
                return another();
            }
        }
        DrmSystem::Clearkey if found.keys.is_none() => return another(),
        DrmSystem::Clearkey | DrmSystem::Fairplay | DrmSystem::Marlin | DrmSystem::Verimatrix => {}
    }
    Ok(found.data)
}

fn parse(bytes: &[u8]) -> Option<Pssh<'_>> {
    let mut rest = bytes;
    let size = u32::from_be_bytes(take(&mut rest)?);
    let kind: [u8; 4] = take(&mut rest)?;
    let [version, flags @ ..]: [u8; 4] = take(&mut rest)?;
    if usize::try_from(size) != Ok(bytes.len()) || &kind != b"pssh" || version > 1 || flags != [0; 3] {
        return None;
    }
    let system = take(&mut rest)?;
    let keys = match version {
        0 => None,
        _ => {
            let count = u32::from_be_bytes(take(&mut rest)?);
            // Stops where the bytes end, whatever the count says.
            Some((0..count).map(|_| take(&mut rest).map(KeyId)).collect::<Option<Vec<_>>>()?)
        }
    };
    let size = u32::from_be_bytes(take(&mut rest)?);
    (usize::try_from(size) == Ok(rest.len())).then_some(Pssh { system, keys, data: rest })
}

/// The `key_ids` of Widevine's `WidevinePsshData`: field 2 of a protobuf message, repeated.
fn widevine_keys(mut data: &[u8]) -> Option<Vec<KeyId>> {
    let mut keys = Vec::new();
    while !data.is_empty() {
        let tag = variable_integer(&mut data)?;
        let length = match tag & 7 {
            0 => {
                variable_integer(&mut data)?;
                0
            }
            1 => 8,
            2 => usize::try_from(variable_integer(&mut data)?).ok()?,
            5 => 4,
            _ => return None,
        };
        let (value, rest) = data.split_at_checked(length)?;
        data = rest;
        if tag == (2 << 3 | 2) {
            keys.push(KeyId(value.try_into().ok()?));
        }
    }
    Some(keys)
}

fn variable_integer(data: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let [byte] = take(data)?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use proptest::prelude::*;

    fn ours() -> ContentKey {
        ContentKey { id: KeyId([7; 16]), key: Secret::new([0x55; 16]) }
    }

    fn boxed(version: u8, system: DrmSystem, keys: &[u8], data: &[u8]) -> Vec<u8> {
        let system: KeyId = system.uuid().parse().unwrap();
        let mut body = [b"pssh", &[version, 0, 0, 0][..], &system.0].concat();
        if version == 1 {
            body.extend(u32::try_from(keys.len()).unwrap().to_be_bytes());
            body.extend(keys.iter().flat_map(|key| [*key; 16]));
        }
        body.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        body.extend(data);
        [&u32::try_from(body.len() + 4).unwrap().to_be_bytes(), &body[..]].concat()
    }

    fn widevine(keys: &[u8]) -> Vec<u8> {
        let fields = keys.iter().flat_map(|key| [&[0x12, 16][..], &[*key; 16]].concat());
        // An algorithm before and a content id after them.
        [8, 1].into_iter().chain(fields).chain([0x22, 2, b'i', b'd']).collect()
    }

    #[test]
    fn a_box_names_the_key_in_its_list_or_in_its_data() {
        use DrmSystem::{Clearkey, Marlin, Widevine};
        for (accepted, system, bytes) in [
            (true, Widevine, boxed(0, Widevine, &[], &widevine(&[7]))),
            (true, Widevine, boxed(0, Widevine, &[], &widevine(&[6, 7]))),
            (true, Widevine, boxed(0, Widevine, &[], &widevine(&[]))),
            (false, Widevine, boxed(0, Widevine, &[], &widevine(&[6]))),
            (true, Widevine, boxed(1, Widevine, &[7], &widevine(&[7]))),
            (false, Widevine, boxed(1, Widevine, &[6], &widevine(&[7]))),
            (false, Widevine, boxed(1, Widevine, &[7], &widevine(&[6]))),
            (false, Widevine, boxed(1, Widevine, &[], &widevine(&[]))),
            (true, Clearkey, boxed(1, Clearkey, &[6, 7], &[])),
            (false, Clearkey, boxed(0, Clearkey, &[], &[])),
            (true, Marlin, boxed(0, Marlin, &[], b"anything")),
            (false, Marlin, boxed(0, Widevine, &[], &widevine(&[7]))),
            (false, Marlin, [boxed(0, Marlin, &[], &[]), boxed(0, Marlin, &[], &[])].concat()),
            (false, Marlin, boxed(2, Marlin, &[], &[])),
        ] {
            assert_eq!(check(&bytes, system, system.uuid(), &ours()).is_ok(), accepted, "{bytes:?}");
        }
    }

    #[test]
    fn lengths_and_flags_are_right_to_the_byte() {
        let system = DrmSystem::Marlin;
        let whole = boxed(0, system, &[], b"data");
        assert_eq!(check(&whole, system, system.uuid(), &ours()), Ok(&b"data"[..]));
        // The last bytes of the box's length, of its flags, and of the data's length.
        for at in [3, 11, 31] {
            for change in [1, 0xff] {
                let mut wrong = whole.clone();
                wrong[at] = wrong[at].wrapping_add(change);
                assert!(check(&wrong, system, system.uuid(), &ours()).is_err(), "{at} {change}");
            }
        }
        assert!(check(&[&whole[..], &[0]].concat(), system, system.uuid(), &ours()).is_err());
    }

    #[test]
    fn a_cut_box_is_refused_wherever_it_is_cut() {
        let whole = boxed(1, DrmSystem::Widevine, &[7], &widevine(&[7]));
        for length in 0..whole.len() {
            let cut = check(&whole[..length], DrmSystem::Widevine, DrmSystem::Widevine.uuid(), &ours());
            assert!(cut.is_err(), "{length}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, data: Vec<u8>) {
            let system = DrmSystem::Widevine;
            drop(check(&bytes, system, system.uuid(), &ours()));
            drop(check(&boxed(0, system, &[], &data), system, system.uuid(), &ours()));
        }
    }
}
