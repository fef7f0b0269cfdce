//! Few bytes that ask for much work.

use super::element::{self, KEY_FRAME, block, cluster, element, number};
use super::judge::judge_bytes;
use super::movie::{MEDIA_AT, Track, movie, pictures};

#[test]
fn the_same_bytes_named_a_hundred_thousand_times_are_broken_off() {
    let small = Track { width: 16, height: 16, ..Track::sound() };
    // Ten pictures in each of ten thousand chunks, which all lie at the same place.
    let track = Track {
        times: vec![[100_000, 1]],
        chunks: vec![[1, 10, 1]],
        sizes: [16 * 16 * 3, 100_000],
        offsets: vec![MEDIA_AT; 10_000],
        duration: 100_000,
        ..small
    };
    let judged = judge_bytes("again.mov", &movie(25, &[track.written(1)], &pictures(&track, 10)));
    assert_eq!(judged.codes, ["RF-QC-046"], "{judged:?}");
    assert!(judged.found.contains("broken off"), "{judged:?}");
}

/// Twenty thousand pictures of eight bytes, all of them before what is shown.
#[test]
fn pictures_that_are_left_out_are_work_as_well() {
    let track = Track {
        codec: *b"rle ",
        width: 2048,
        height: 2048,
        times: vec![[20_000, 1]],
        chunks: vec![[1, 10, 1]],
        sizes: [8, 20_000],
        offsets: vec![MEDIA_AT; 2_000],
        duration: 20_000,
        key_frames: vec![1],
        edits: vec![[25, 30_000, 1 << 16]],
        ..Track::sound()
    };
    let judged = judge_bytes("before.mov", &movie(25, &[track.written(1)], &[0; 80]));
    assert_eq!(judged.codes, ["RF-QC-046"], "{judged:?}");
}

/// One picture that is decoded and never shown, twenty thousand times.
#[test]
fn pictures_that_are_hidden_are_work_as_well() {
    let bench = crate::support::Bench::new();
    let stream = bench.path("one.ivf");
    let source = "color=black:size=256x256:rate=25:duration=0.04";
    crate::support::clips::make(&stream, &format!("-f lavfi -i {source} -c:v libvpx-vp9 -f ivf"));
    // Behind the headers of file and frame (https://wiki.multimedia.cx/index.php/IVF).
    let mut picture = fs_err::read(stream).unwrap().split_off(32 + 12);
    // frame_marker 2, profile 0, a key frame that is shown (VP9 Bitstream & Decoding Process Specification, 6.2).
    assert_eq!(picture[0] & 0b1111_1110, 0b1000_0010);
    picture[0] &= !0b10;
    let track = Track {
        codec: *b"vp09",
        width: 256,
        height: 256,
        times: vec![[20_000, 1]],
        chunks: vec![[1, 10, 1]],
        sizes: [picture.len() as u32, 20_000],
        offsets: vec![MEDIA_AT; 2_000],
        duration: 20_000,
        ..Track::sound()
    };
    let judged = judge_bytes("hidden.mov", &movie(25, &[track.written(1)], &picture.repeat(10)));
    assert_eq!(judged.codes, ["RF-QC-046"], "{judged:?}");
}

#[test]
fn packets_of_nothing_do_not_go_on_for_ever() {
    // Each block holds 256 frames of no bytes: lacing, of which every length is nought.
    let lace = [&[255][..], &[0; 255]].concat();
    let track = element::Track { codec: "V_MPEG2", ..element::Track::sound() };
    let clusters: Vec<_> = (0..20)
        .map(|time| {
            cluster(time, &(0..1000).map(|at| block(1, at, KEY_FRAME | 6, &lace)).collect::<Vec<_>>())
        })
        .collect();
    let judged = judge_bytes("laces.mkv", &element::file(&[track.written(1)], &clusters));
    assert_eq!(judged.verdict, "reject", "{judged:?}");
}

#[test]
fn blocks_that_unpack_to_hundreds_of_megabytes_take_no_memory() {
    // Track-wide compression by zlib (RFC 9559, 5.1.4.1.31): 190 kB to 30 MB, a hundred times over.
    let compression = element(0x5034, &number(0x4254, 0));
    let encoding =
        element(0x6240, &[number(0x5031, 0), number(0x5032, 1), number(0x5033, 0), compression].concat());
    let further = element(0x6D80, &encoding);
    for (zeroes, width, height, is_picture) in
        [(30_000_000, 4000, 5000, false), (1_000_000, 64, 48, true), (4608, 64, 48, true)]
    {
        let track = element::Track { further: further.clone(), width, height, ..element::Track::sound() };
        let packed = deflated_zeroes(zeroes);
        let blocks: Vec<_> = (0..100).map(|at| block(1, at * 40, KEY_FRAME, &packed)).collect();
        let judged = judge_bytes("bomb.mkv", &element::file(&[track.written(1)], &[cluster(0, &blocks)]));
        assert_eq!(judged.verdict, "reject", "{zeroes}: {judged:?}");
        // What packs them is understood, up to a size.
        assert_eq!(judged.is_for("RF-QC-003"), !is_picture, "{zeroes}: {judged:?}");
    }
}

/// So many zeroes, and some more, in the form of zlib (RFC 1950, RFC 1951): one, and copies of 258 of it.
fn deflated_zeroes(count: usize) -> Vec<u8> {
    let copies = count.div_ceil(258);
    let mut bits: Vec<bool> = Vec::new();
    let mut put = |value: u32, count: u32| bits.extend((0..count).map(|bit| value >> bit & 1 == 1));
    // The last block, with the fixed codes; Huffman codes begin with their first bit.
    put(1, 1);
    put(1, 2);
    put(0b0000_1100, 8); // a literal 0 is 00110000
    for _ in 0..copies {
        put(0b1010_0011, 8); // a length of 258 is 11000101
        put(0, 5); // a distance of 1
    }
    put(0, 7);
    let deflated =
        bits.chunks(8).map(|byte| byte.iter().enumerate().map(|(at, bit)| u8::from(*bit) << at).sum::<u8>());
    let length = 1 + copies as u64 * 258;
    let adler = ((length % 65_521) << 16 | 1) as u32;
    [0x78, 0x9C].into_iter().chain(deflated).chain(adler.to_be_bytes()).collect()
}

#[test]
fn pictures_that_change_size_all_the_time_are_judged() {
    // Two tracks' descriptions in one: each picture has another shape than the one before.
    let bench = crate::support::Bench::new();
    let part = |name: &str, size: &str| {
        let path = bench.path(name);
        crate::support::clips::make(
            &path,
            &format!("-f lavfi -i testsrc2=size={size}:rate=25:duration=0.04 -c:v mpeg1video -f mpeg1video"),
        );
        fs_err::read(path).unwrap()
    };
    let (one, other) = (part("one.m1v", "64x48"), part("other.m1v", "80x64"));
    let stream = [one, other].concat().repeat(100);
    let raw = bench.path("changing.m1v");
    fs_err::write(&raw, stream).unwrap();
    let film = bench.path("changing.ts");
    crate::support::clips::make(&film, &format!("-f mpegvideo -i {} -c copy", raw.display()));
    let judged = super::judge::judge(&bench, &film);
    assert!(judged.is_for("RF-QC-007"), "{judged:?}");
}
