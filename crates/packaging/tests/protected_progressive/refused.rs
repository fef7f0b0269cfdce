//! What is refused, and how it is said.

use reelfarm_drm::{ContentKey, Secret};
use reelfarm_packaging::protected_progressive::{ProtectError, TrackProtection};

use crate::clip::{Clip, bodies, common_pssh, ffmpeg, key, other_key};

#[test]
fn protection_that_does_not_fit_is_refused() {
    let clip = Clip::generated();
    let (key, other) = (key(), other_key());
    let renamed = ContentKey { id: other.id, key: key.key.clone() };
    let changed = ContentKey { id: key.id, key: Secret::new([1; 16]) };
    let pictures = 75u64;
    let with = |key, vector: u64| TrackProtection { key, vector: vector.to_be_bytes() };
    let far = with(&key, 1 << 32);
    let refused = |protections: &[TrackProtection<'_>], pssh: &[Vec<u8>]| {
        let refused = clip.protect(&clip.path("refused.mp4"), protections, pssh);
        let Err(ProtectError::Protection { reason, .. }) = refused else { panic!("{refused:?}") };
        reason
    };
    for (protections, reason) in [
        (vec![far; 2], "it has 3 tracks, there are keys for 2"),
        (vec![far; 4], "it has 3 tracks, there are keys for 4"),
        (vec![far, far, with(&key, 0)], "tracks 1 and 2 would use one key stream"),
        // The last picture and the first sound; and the same where the counter runs over.
        (vec![with(&key, 5), with(&key, 4 + pictures), far], "tracks 1 and 2 would use one key stream"),
        (vec![with(&key, u64::MAX - 1), with(&key, 0), far], "tracks 1 and 2 would use one key stream"),
        (
            vec![far, with(&renamed, 0), with(&renamed, 1 << 16)],
            "tracks 1 and 2 have one key under two ids, or two keys under one",
        ),
        (
            vec![far, with(&other, 0), with(&changed, 0)],
            "tracks 1 and 3 have one key under two ids, or two keys under one",
        ),
    ] {
        assert_eq!(refused(&protections, &[]), reason);
    }
    let apart = [with(&key, 5), with(&key, 5 + pictures), with(&other, 5)];
    clip.protect(&clip.path("apart.mp4"), &apart, &[]).unwrap();
    let pssh = common_pssh();
    for bad in [
        Vec::new(),
        b"pssh".to_vec(),
        [&pssh[..], b"x"].concat(),
        [&pssh[..], &pssh].concat(),
        [&[0; 4], &pssh[4..]].concat(),
        [&pssh[..4], b"free", &pssh[8..]].concat(),
        pssh[..pssh.len() - 1].to_vec(),
    ] {
        assert_eq!(refused(&apart, &[pssh.clone(), bad]), "pssh 2 is not one such box");
    }
}

#[test]
fn other_files_are_refused_by_the_name_of_the_box() {
    let clip = Clip::generated();
    let make = |name: &str, arguments: &str| {
        let path = clip.path(name);
        let clear = clip.clear();
        let mut all = vec!["-i", clear.to_str().unwrap()];
        all.extend(arguments.split(' '));
        all.push(path.to_str().unwrap());
        ffmpeg(&all);
        fs_err::read(path).unwrap()
    };
    let clear = fs_err::read(clip.clear()).unwrap();
    let protected = fs_err::read(clip.protected()).unwrap();
    let longer = [&clear[..], b"\0\0\0\x0Auuidxy"].concat();
    let media = clear.len() - bodies(&clear, "mdat")[0].len();
    for (bytes, place) in [
        (make("end.mp4", "-map 0 -c copy"), "moov"),
        (
            make("fragmented.mp4", "-map 0 -c copy -movflags +frag_keyframe+empty_moov+default_base_moof"),
            "moof",
        ),
        (
            make("mpeg4.mp4", "-map 0:v -c:v mpeg4 -movflags +faststart"),
            "moov/trak 1/mdia/minf/stbl/stsd/mp4v",
        ),
        (protected, "moov/trak 1/mdia/minf/stbl"),
        (longer, "uuid"),
        (clear[..media + 100].to_vec(), "the file's boxes"),
        (clear[..media - 8].to_vec(), "mdat"),
        (b"not a movie at all".to_vec(), "the file's boxes"),
        (Vec::new(), "ftyp"),
    ] {
        fs_err::write(clip.clear(), bytes).unwrap();
        let key = key();
        let refused =
            clip.protect(&clip.path("refused.mp4"), &[TrackProtection { key: &key, vector: [0; 8] }], &[]);
        let Err(ProtectError::Source { file, malformed }) = refused else { panic!("{place}: {refused:?}") };
        assert_eq!((file, malformed.place.as_str()), (clip.clear(), place), "{malformed}");
    }
}

#[test]
fn files_that_are_not_there_are_told_apart() {
    let clip = Clip::generated();
    let key = key();
    let protections = [TrackProtection { key: &key, vector: [0; 8] }];
    let unwritable = clip.protect(&clip.path("no folder/protected.mp4"), &protections, &[]);
    assert!(matches!(unwritable, Err(ProtectError::Write(_))), "{unwritable:?}");
    fs_err::remove_file(clip.clear()).unwrap();
    let missing = clip.protect(&clip.path("protected.mp4"), &protections, &[]);
    assert!(matches!(missing, Err(ProtectError::Read(_))), "{missing:?}");
}
