//! What players are told of a key: pure functions of the key, its title and the system. With a key server of the
//! operator's, its words go before these.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reelfarm_model::profile::{DrmSystem, Scheme};
use reelfarm_model::{KeyId, KeyUse, TitleId};

use crate::keys::{ContentKey, Signal, TitleKeys};
use crate::playready::{self, Cipher};
use crate::provider::KeyRequest;
use crate::uris::KeyUris;

/// The system's id in a `pssh` box: the bytes of [`DrmSystem::uuid`].
pub const fn system_id(system: DrmSystem) -> [u8; 16] {
    let id: u128 = match system {
        DrmSystem::Widevine => 0xedef8ba9_79d6_4ace_a3c8_27dcd51d21ed,
        DrmSystem::Playready => 0x9a04f079_9840_4286_ab92_e65be0885f95,
        DrmSystem::Fairplay => 0x94ce86fb_07ff_4f43_adb8_93d2fa968ca2,
        DrmSystem::Marlin => 0x5e629af5_38da_4063_8977_97ffbd9902d4,
        DrmSystem::Verimatrix => 0x9a27dd82_fde2_4725_8cbc_4234aa06ec09,
        DrmSystem::Clearkey => 0x1077efec_c0b2_4d02_ace3_3c1e52e2fb4b,
    };
    id.to_be_bytes()
}

/// What `system` is told of `key` where content is encrypted with it in `scheme`. Nothing where no player of the system
/// takes the scheme, and for Marlin, whose players need no more than the key's id.
pub fn signal(
    system: DrmSystem,
    scheme: Scheme,
    key: &ContentKey,
    title: &TitleId,
    uris: &KeyUris,
) -> Signal {
    use DrmSystem as D;
    match (system, scheme) {
        (D::Widevine, Scheme::Cenc) => Signal { pssh: Some(widevine(key.id, *b"cenc")), ..Signal::default() },
        (D::Widevine, Scheme::Cbcs) => {
            let pssh = widevine(key.id, *b"cbcs");
            let uri = format!("data:text/plain;base64,{}", BASE64.encode(&pssh));
            Signal { pssh: Some(pssh), hls_uri: Some(uri), ..Signal::default() }
        }
        (D::Playready, Scheme::Cenc) => playready(playready::object(Cipher::Counter, key)),
        (D::Playready, Scheme::Cbcs) => {
            let object = playready::object(Cipher::Chaining, key);
            let uri = format!("data:text/plain;charset=UTF-16;base64,{}", BASE64.encode(&object));
            Signal { hls_uri: Some(uri), ..playready(object) }
        }
        (D::Fairplay, Scheme::Cbcs | Scheme::SampleAes) => {
            Signal { hls_uri: Some(uris.fairplay(key.id, title)), ..Signal::default() }
        }
        // The W3C's common box (cenc Initialization Data Format, clause 4): a list of ids and no data. Verimatrix keeps the
        // form of its data to itself; what can be said without its server is the same list.
        (D::Clearkey | D::Verimatrix, Scheme::Cenc | Scheme::Cbcs) => {
            Signal { pssh: Some(pssh(system, &[key.id], &[])), ..Signal::default() }
        }
        (D::Clearkey, Scheme::Aes128) => {
            Signal { hls_uri: Some(uris.clearkey(key.id, title)), ..Signal::default() }
        }
        (D::Verimatrix, Scheme::Aes128) => {
            Signal { hls_uri: Some(uris.verimatrix(key.id, title)), ..Signal::default() }
        }
        (D::Marlin, _)
        | (D::Fairplay, Scheme::Cenc | Scheme::Aes128)
        | (D::Widevine | D::Playready, Scheme::Aes128 | Scheme::SampleAes)
        | (D::Clearkey | D::Verimatrix, Scheme::SampleAes) => Signal::default(),
    }
}

/// The `pssh` box of the W3C's common system that lists this key (cenc Initialization Data Format, clause 4).
pub fn common_system_box(id: KeyId) -> Vec<u8> {
    pssh(DrmSystem::Clearkey, &[id], &[])
}

/// These keys, with what every system of the request is told of each of them.
pub fn title_keys(keys: BTreeMap<KeyUse, ContentKey>, request: &KeyRequest, uris: &KeyUris) -> TitleKeys {
    let signals = request.systems.iter().flat_map(|system| {
        keys.values()
            .map(|key| ((*system, key.id), signal(*system, request.scheme, key, &request.title, uris)))
    });
    let signals = signals.collect();
    TitleKeys::new(keys, signals)
}

/// `WidevinePsshData`, a protobuf message: `key_ids` (field 2, bytes) and `protection_scheme` (field 9, varint, the four
/// letters big-endian).
fn widevine(id: KeyId, scheme: [u8; 4]) -> Vec<u8> {
    let mut data = vec![2 << 3 | 2, 16];
    data.extend(id.0);
    data.push(9 << 3);
    let mut scheme = u32::from_be_bytes(scheme);
    while scheme > 0x7f {
        data.push(scheme as u8 | 0x80);
        scheme >>= 7;
    }
    data.push(scheme as u8);
    pssh(DrmSystem::Widevine, &[], &data)
}

fn playready(object: Vec<u8>) -> Signal {
    let pssh = pssh(DrmSystem::Playready, &[], &object);
    Signal { pssh: Some(pssh), playready_object: Some(object), hls_uri: None }
}

/// A `pssh` box (ISO/IEC 23001-7 clause 8.1): of version 1 where it lists ids itself, else of version 0.
fn pssh(system: DrmSystem, ids: &[KeyId], data: &[u8]) -> Vec<u8> {
    let version = u8::from(!ids.is_empty());
    let mut body = vec![b'p', b's', b's', b'h', version, 0, 0, 0];
    body.extend(system_id(system));
    if version == 1 {
        body.extend((ids.len() as u32).to_be_bytes());
        body.extend(ids.iter().flat_map(|id| id.0));
    }
    body.extend((data.len() as u32).to_be_bytes());
    body.extend(data);
    let mut boxed = Vec::with_capacity(body.len() + 4);
    boxed.extend((body.len() as u32 + 4).to_be_bytes());
    boxed.append(&mut body);
    boxed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    const SCHEMES: [Scheme; 4] = [Scheme::Cenc, Scheme::Cbcs, Scheme::Aes128, Scheme::SampleAes];

    fn told(system: DrmSystem, scheme: Scheme) -> Signal {
        let key = ContentKey { id: KeyId([0xfe; 16]), key: Secret::new([0x55; 16]) };
        signal(system, scheme, &key, &"film".parse().unwrap(), &KeyUris::default())
    }

    #[test]
    fn ids_are_the_bytes_of_the_uuids() {
        for system in DrmSystem::ALL {
            assert_eq!(KeyId(system_id(system)).to_uuid(), system.uuid());
        }
    }

    /// Box, object and URI of every system in every scheme.
    #[test]
    fn each_system_is_told_what_its_players_read_in_a_scheme() {
        use DrmSystem as D;
        for system in DrmSystem::ALL {
            for scheme in SCHEMES {
                let expected = match (system, scheme) {
                    (D::Widevine, Scheme::Cenc) => (true, false, false),
                    (D::Widevine, Scheme::Cbcs) => (true, false, true),
                    (D::Playready, Scheme::Cenc) => (true, true, false),
                    (D::Playready, Scheme::Cbcs) => (true, true, true),
                    (D::Fairplay, Scheme::Cbcs | Scheme::SampleAes) => (false, false, true),
                    (D::Clearkey | D::Verimatrix, Scheme::Cenc | Scheme::Cbcs) => (true, false, false),
                    (D::Clearkey | D::Verimatrix, Scheme::Aes128) => (false, false, true),
                    _ => (false, false, false),
                };
                let Signal { pssh, playready_object, hls_uri } = told(system, scheme);
                let found = (pssh.is_some(), playready_object.is_some(), hls_uri.is_some());
                assert_eq!(found, expected, "{system:?} {scheme:?}");
            }
        }
    }

    #[test]
    fn uris_carry_what_each_player_unpacks() {
        let kid = "fe".repeat(16);
        let uri = |system, scheme| told(system, scheme).hls_uri.unwrap();
        assert_eq!(uri(DrmSystem::Fairplay, Scheme::SampleAes), format!("skd://{kid}"));
        assert_eq!(uri(DrmSystem::Clearkey, Scheme::Aes128), format!("{kid}.key"));
        assert_eq!(
            uri(DrmSystem::Verimatrix, Scheme::Aes128),
            "https://vcas.invalid/CAB/keyfile?r=film&t=VOD&p=0"
        );
        let widevine = uri(DrmSystem::Widevine, Scheme::Cbcs);
        let pssh = BASE64.decode(widevine.strip_prefix("data:text/plain;base64,").unwrap()).unwrap();
        assert_eq!(Some(pssh), told(DrmSystem::Widevine, Scheme::Cbcs).pssh);
        let playready = uri(DrmSystem::Playready, Scheme::Cbcs);
        let object = playready.strip_prefix("data:text/plain;charset=UTF-16;base64,").unwrap();
        assert_eq!(BASE64.decode(object).ok(), told(DrmSystem::Playready, Scheme::Cbcs).playready_object);
    }

    #[test]
    fn verimatrix_is_told_the_key_id_in_a_box_of_its_own() {
        let common = told(DrmSystem::Clearkey, Scheme::Cenc).pssh.unwrap();
        let mut expected = common.clone();
        expected[12..28].copy_from_slice(&system_id(DrmSystem::Verimatrix));
        assert_eq!(told(DrmSystem::Verimatrix, Scheme::Cenc).pssh, Some(expected));
        assert_eq!(hex::encode(&common[28..]), format!("00000001{}00000000", "fe".repeat(16)));
    }

    #[test]
    fn every_system_is_told_of_every_key() {
        let key = |id| ContentKey { id: KeyId([id; 16]), key: Secret::new([id ^ 0xff; 16]) };
        let request = KeyRequest {
            title: "film".parse().unwrap(),
            division: reelfarm_model::KeyDivision::Quality,
            scheme: Scheme::Cenc,
            systems: [DrmSystem::Widevine, DrmSystem::Marlin].into(),
        };
        let uris = KeyUris::default();
        let keys = title_keys([(KeyUse::Sd, key(1)), (KeyUse::Hd, key(2))].into(), &request, &uris);
        let of: Vec<_> = keys.signals().map(|(system, id, _)| (system, id.0[0])).collect();
        assert_eq!(
            of,
            [
                (DrmSystem::Widevine, 1),
                (DrmSystem::Widevine, 2),
                (DrmSystem::Marlin, 1),
                (DrmSystem::Marlin, 2)
            ]
        );
        let expected = signal(DrmSystem::Widevine, Scheme::Cenc, &key(2), &request.title, &uris);
        assert_eq!(keys.signal(DrmSystem::Widevine, KeyId([2; 16])), Some(&expected));
    }
}
