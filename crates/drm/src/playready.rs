//! The PlayReady Object: what PlayReady's players read to ask for a licence (Microsoft, "PlayReady Header
//! Specification").

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reelfarm_model::KeyId;

use crate::keys::ContentKey;

/// The cipher that a header names. CBC came with version 4.3 of the header, and sets before PlayReady 4 refuse it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cipher {
    /// Header 4.0.0.0 for AES in counter mode.
    Counter,
    /// Header 4.3.0.0 for AES in CBC mode.
    Chaining,
}

/// A PlayReady Object with one record, a rights management header (type 1) for this key.
pub(crate) fn object(cipher: Cipher, key: &ContentKey) -> Vec<u8> {
    let header: Vec<u8> = header(cipher, key).encode_utf16().flat_map(u16::to_le_bytes).collect();
    // All parts of the header have fixed lengths: it has some 500 bytes, far from what 16 bits hold.
    let record = header.len() as u16;
    let mut object = Vec::with_capacity(header.len() + 10);
    object.extend((u32::from(record) + 10).to_le_bytes());
    object.extend(1_u16.to_le_bytes());
    object.extend(1_u16.to_le_bytes());
    object.extend(record.to_le_bytes());
    object.extend(header);
    object
}

fn header(cipher: Cipher, key: &ContentKey) -> String {
    let id = BASE64.encode(guid(key.id));
    let (version, data) = match cipher {
        Cipher::Counter => {
            let checksum = BASE64.encode(checksum(key));
            let info = "<PROTECTINFO><KEYLEN>16</KEYLEN><ALGID>AESCTR</ALGID></PROTECTINFO>";
            ("4.0.0.0", format!("{info}<KID>{id}</KID><CHECKSUM>{checksum}</CHECKSUM>"))
        }
        // This version knows a checksum for counter mode only.
        Cipher::Chaining => (
            "4.3.0.0",
            format!("<PROTECTINFO><KIDS><KID ALGID=\"AESCBC\" VALUE=\"{id}\"></KID></KIDS></PROTECTINFO>"),
        ),
    };
    let namespace = "http://schemas.microsoft.com/DRM/2007/03/PlayReadyHeader";
    format!("<WRMHEADER xmlns=\"{namespace}\" version=\"{version}\"><DATA>{data}</DATA></WRMHEADER>")
}

/// The id as Microsoft's GUID, the first three groups of the UUID little-endian; or back, which is the same.
pub(crate) fn guid(id: KeyId) -> [u8; 16] {
    let mut bytes = id.0;
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    bytes
}

/// The first 8 bytes of the GUID encrypted with the key (AES-ECB): players tell a wrong key by it.
pub(crate) fn checksum(key: &ContentKey) -> [u8; 8] {
    let mut block = guid(key.id).into();
    Aes128::new(key.key.expose().into()).encrypt_block(&mut block);
    let mut checksum = [0; 8];
    checksum.copy_from_slice(&block[..8]);
    checksum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn a_guid_turns_its_first_three_groups_around() {
        let id: KeyId = "00112233-4455-6677-8899-aabbccddeeff".parse().unwrap();
        assert_eq!(hex::encode(guid(id)), "33221100554477668899aabbccddeeff");
    }

    /// The values are those that the Python package `cpix` tests its own with.
    #[test]
    fn the_checksum_is_the_one_that_others_make() {
        let mut key = [0; 16];
        hex::decode_to_slice("dbfd6922c321c4bb486f4a1c44097ed6", &mut key).unwrap();
        let id = "8ba94ade-6eb9-449d-b44f-a5beefaf43b0".parse().unwrap();
        assert_eq!(BASE64.encode(checksum(&ContentKey { id, key: Secret::new(key) })), "Me48z71nuqY=");
    }

    #[test]
    fn lengths_count_bytes_and_the_header_is_little_endian_utf_16() {
        let key = ContentKey { id: KeyId([1; 16]), key: Secret::new([2; 16]) };
        for cipher in [Cipher::Counter, Cipher::Chaining] {
            let object = object(cipher, &key);
            assert_eq!(object[..4], u32::try_from(object.len()).unwrap().to_le_bytes());
            assert_eq!(object[4..8], [1, 0, 1, 0]);
            assert_eq!(object[8..10], u16::try_from(object.len() - 10).unwrap().to_le_bytes());
            let units: Vec<_> =
                object[10..].chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
            assert_eq!(String::from_utf16(&units).unwrap(), header(cipher, &key));
        }
    }
}
