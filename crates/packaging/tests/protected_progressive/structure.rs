//! What protected files consist of.

use reelfarm_packaging::protected_progressive::TrackProtection;

use crate::clip::{Clip, bodies, common_pssh, key, marlin_pssh};

const STBL: &str = "moov/trak/mdia/minf/stbl";

#[test]
fn the_header_grows_before_the_media_and_samples_keep_their_sizes() {
    let clip = Clip::generated();
    let (clear, protected) = (fs_err::read(clip.clear()).unwrap(), fs_err::read(clip.protected()).unwrap());
    let kinds: Vec<_> = ["ftyp", "moov", "mdat"].into_iter().map(|kind| bodies(&protected, kind)).collect();
    assert_eq!(kinds.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1]);
    // Eight bytes of every box's own, one behind the other from the beginning.
    assert_eq!(kinds.iter().map(|boxes| boxes[0].len() + 8).sum::<usize>(), protected.len());
    assert_eq!(protected[4..8], *b"ftyp");
    assert_eq!(protected[protected.len() - kinds[2][0].len() - 4..][..4], *b"mdat");

    assert_eq!(bodies(&clear, "ftyp"), bodies(&protected, "ftyp"));
    for same in ["stts", "ctts", "stss", "stsc", "stsz"] {
        let path = format!("{STBL}/{same}");
        assert_eq!(bodies(&clear, &path), bodies(&protected, &path), "{same}");
    }
    for same in ["moov/mvhd", "moov/udta", "moov/trak/tkhd", "moov/trak/edts", "moov/trak/mdia/mdhd"] {
        assert_eq!(bodies(&clear, same), bodies(&protected, same), "{same}");
    }
    assert_eq!(bodies(&clear, "mdat")[0].len(), bodies(&protected, "mdat")[0].len());
    let pssh = bodies(&protected, "moov/pssh");
    assert_eq!(pssh, [&common_pssh()[8..], &marlin_pssh()[8..]]);
}

#[test]
fn auxiliary_offsets_lead_to_the_entries_of_each_track() {
    let clip = Clip::generated();
    let protected = fs_err::read(clip.protected()).unwrap();
    let (senc, saio) = (bodies(&protected, "moov/trak/senc"), bodies(&protected, &format!("{STBL}/saio")));
    let saiz = bodies(&protected, &format!("{STBL}/saiz"));
    assert_eq!((senc.len(), saio.len(), saiz.len()), (3, 3, 3));
    for ((senc, saio), saiz) in senc.iter().zip(saio).zip(saiz) {
        let offset = u32::from_be_bytes(saio[8..12].try_into().unwrap()) as usize;
        assert!(protected[offset..].starts_with(&senc[8..]));
        let sizes = match saiz[4] {
            0 => saiz[9..].iter().map(|size| usize::from(*size)).sum(),
            common => usize::from(common) * u32::from_be_bytes(saiz[5..9].try_into().unwrap()) as usize,
        };
        assert_eq!(sizes, senc.len() - 8);
    }
}

#[test]
fn no_sample_of_sound_stays_as_it_was_and_pictures_keep_only_their_headers() {
    let generated = Clip::generated();
    let differing = |clip: &Clip| {
        let (clear, protected) =
            (fs_err::read(clip.clear()).unwrap(), fs_err::read(clip.protected()).unwrap());
        let (clear, protected) = (bodies(&clear, "mdat")[0], bodies(&protected, "mdat")[0]);
        let differing = clear.iter().zip(protected).filter(|(clear, protected)| clear != protected).count();
        differing as f64 / clear.len() as f64
    };
    // One byte in 256 stays the same by chance.
    assert!(differing(&generated.track(1)) > 0.98);
    assert!(differing(&Clip::real("bigbuckbunny.mp4", &["0:v"])) > 0.95);
}

#[test]
fn equal_inputs_give_equal_bytes_and_each_track_a_key_stream_of_its_own() {
    let clip = Clip::generated();
    let first = fs_err::read(clip.protected()).unwrap();
    assert!(first == fs_err::read(clip.protected()).unwrap());

    let key = key();
    let protections: Vec<_> = (0..clip.tracks())
        .map(|track| TrackProtection {
            key: &key,
            vector: key.initialization_vector(&format!("other {track}")),
        })
        .collect();
    let other = clip.path("other.mp4");
    clip.protect(&other, &protections, &[common_pssh(), marlin_pssh()]).unwrap();
    let other = fs_err::read(other).unwrap();
    assert_eq!(first.len(), other.len());
    assert!(bodies(&first, "mdat") != bodies(&other, "mdat"));
    let vectors: Vec<_> = bodies(&first, "moov/trak/senc").iter().map(|senc| senc[8..16].to_vec()).collect();
    assert!(vectors[0] != vectors[1] && vectors[0] != vectors[2] && vectors[1] != vectors[2]);
}
