//! Headers that cannot be true.

use super::element::{self, KEY_FRAME, block, cluster, element, number};
use super::judge::judge_bytes;
use super::movie::{MEDIA_AT, Track, boxed, full, movie, pictures};

/// A picture of 2^31 by 2 samples, and others that no memory holds.
#[test]
fn pictures_larger_than_any_are_not_decoded() {
    let clusters =
        [cluster(0, &(0..25).map(|at| block(1, at * 40, KEY_FRAME, &[0; 4096])).collect::<Vec<_>>())];
    for (width, height) in [(1 << 31, 2), (2, 1 << 31), (30_000, 30_000), (u64::MAX, u64::MAX), (0, 0)] {
        for codec in ["V_UNCOMPRESSED", "V_FFV1", "V_VP9"] {
            let track = element::Track { codec, width, height, ..element::Track::sound() };
            let judged = judge_bytes("wide.mkv", &element::file(&[track.written(1)], &clusters));
            assert!(
                judged.is_for("RF-QC-001") || judged.is_for("RF-QC-003"),
                "{codec} {width}x{height}: {judged:?}"
            );
        }
    }
    for codec in [*b"raw ", *b"rle ", *b"avc1", *b"mjpg"] {
        let track = Track { codec, width: u16::MAX, height: u16::MAX, ..Track::sound() };
        let judged = judge_bytes("wide.mov", &movie(25, &[track.written(1)], &[0; 25 * 9216]));
        assert!(judged.is_for("RF-QC-001") || judged.is_for("RF-QC-003"), "{codec:?}: {judged:?}");
    }
}

#[test]
fn rates_and_clocks_of_nothing_are_no_rate() {
    let track = Track { clock: 0, duration: 0, times: vec![[25, 0]], ..Track::sound() };
    let judged = judge_bytes("clock.mov", &movie(0, &[track.written(1)], &pictures(&track, 25)));
    assert!(judged.is_for("RF-QC-015"), "{judged:?}");
    for times in [[[25, u32::MAX]], [[25, 0x7FFF_FFFF]], [[25, 0x8000_0000]]] {
        let track = Track { times: times.to_vec(), ..Track::sound() };
        let judged = judge_bytes("times.mov", &movie(25, &[track.written(1)], &pictures(&track, 25)));
        assert_eq!(judged.verdict, "reject", "{times:?}: {judged:?}");
    }
    let track = element::Track { duration: 0, ..element::Track::sound() };
    let blocks: Vec<_> = (0..25).map(|_| block(1, 0, KEY_FRAME, &track.picture())).collect();
    for scale in [0, 1, u64::MAX] {
        let contents =
            [element::information(scale), element::tracks(&[track.written(1)]), cluster(u64::MAX, &blocks)]
                .concat();
        let judged = judge_bytes("scale.mkv", &[element::head(), element(0x1853_8067, &contents)].concat());
        assert_eq!(judged.verdict, "reject", "{scale}: {judged:?}");
    }
}

#[test]
fn tables_of_more_entries_than_there_are_bytes_are_not_believed() {
    let all = u32::MAX;
    for (count, size) in [(all, 1), (all, 0), (all, all), (1 << 31, 1), (100_000_000, 9216)] {
        let track = Track {
            times: vec![[count, 1]],
            chunks: vec![[1, count, 1]],
            sizes: [size, count],
            ..Track::sound()
        };
        let judged = judge_bytes("table.mov", &movie(25, &[track.written(1)], &pictures(&track, 1)));
        assert_eq!(judged.verdict, "reject", "{count} of {size}: {judged:?}");
    }
    // The tables themselves say that they are long, and end at once.
    let track = Track::sound();
    let good = movie(25, &[track.written(1)], &pictures(&track, 25));
    for kind in [b"stsd", b"stts", b"stsc", b"stsz", b"stco", b"dref"] {
        let at = good.windows(4).position(|window| window == kind).unwrap() + 8;
        for at in [at, at + 4] {
            let mut bytes = good.clone();
            bytes[at..at + 4].copy_from_slice(&u32::MAX.to_be_bytes());
            let judged = judge_bytes("count.mov", &bytes);
            assert_eq!(judged.verdict, "reject", "{kind:?}: {judged:?}");
        }
    }
}

#[test]
fn lengths_that_point_beyond_the_file_or_around_end_nowhere() {
    let track = Track::sound();
    let good = movie(25, &[track.written(1)], &pictures(&track, 25));
    for kind in [b"ftyp", b"mdat", b"moov", b"trak", b"stbl", b"stsd"] {
        let at = good.windows(4).position(|window| window == kind).unwrap() - 4;
        for length in [0_u32, 1, 7, 0x8000_0000, u32::MAX] {
            let mut bytes = good.clone();
            bytes[at..at + 4].copy_from_slice(&length.to_be_bytes());
            let judged = judge_bytes("length.mov", &bytes);
            assert_eq!(judged.verdict, "reject", "{kind:?} {length}: {judged:?}");
        }
    }
}

#[test]
fn boxes_and_elements_in_each_other_without_end_take_no_stack() {
    let mut movie = full(b"mvhd", 0, &[0; 96]);
    for _ in 0..5_000 {
        movie = boxed(b"udta", &movie);
    }
    // Said to be as long as the file, each is the parent of all after it.
    let endless = [&u32::MAX.to_be_bytes()[..], b"trak"].concat().repeat(100_000);
    for contents in [movie, endless] {
        let bytes = [boxed(b"ftyp", b"qt  \0\0\x02\0qt  "), boxed(b"moov", &contents)].concat();
        let judged = judge_bytes("deep.mov", &bytes);
        assert!(judged.is_for("RF-QC-001") || judged.is_for("RF-QC-003"), "{judged:?}");
    }
    let nested = element::endless(0x1654_AE6B, &[]).repeat(100_000);
    let judged = judge_bytes("deep.mkv", &[element::head(), element::endless(0x1853_8067, &nested)].concat());
    assert!(judged.is_for("RF-QC-001"), "{judged:?}");
}

#[test]
fn sound_of_absurd_rates_and_channels_is_no_programme() {
    for (rate, channels, bits) in [
        (0, 2, 16),
        (1, 1, 8),
        (u32::MAX, 2, 16),
        (0x7FFF_FFFF, 65_535, 16),
        (48_000, 0, 16),
        (48_000, 65_535, 32),
        (48_000, 64, 64),
        (48_000, 2, 0),
    ] {
        let align = u16::try_from(u32::from(channels) * u32::from(bits) / 8).unwrap_or(u16::MAX);
        let format = [
            &1u16.to_le_bytes()[..],
            &u16::to_le_bytes(channels),
            &u32::to_le_bytes(rate),
            &rate.wrapping_mul(u32::from(align)).to_le_bytes(),
            &align.to_le_bytes(),
            &u16::to_le_bytes(bits),
        ]
        .concat();
        let chunk = |name: &[u8], content: &[u8]| {
            [name, &u32::try_from(content.len()).unwrap().to_le_bytes(), content].concat()
        };
        let contents = [&b"WAVE"[..], &chunk(b"fmt ", &format), &chunk(b"data", &[7; 100_000])].concat();
        let judged = judge_bytes("absurd.wav", &chunk(b"RIFF", &contents));
        assert_eq!(judged.verdict, "reject", "{rate} Hz, {channels} channels of {bits} bit: {judged:?}");
    }
    // FLAC: the largest blocks and 2^36 - 1 samples, of which there is none.
    let information =
        [&[0xFF; 4][..], &[0; 6], &[0x0B, 0xB8, 0x03, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], &[0; 16]].concat();
    let judged = judge_bytes("absurd.flac", &[&b"fLaC\x80\0\0\x22"[..], &information, &[0; 50_000]].concat());
    assert_eq!(judged.verdict, "reject", "{judged:?}");
}

#[test]
fn what_is_as_it_should_be_is_decoded() {
    // Or else the cases above would be refused for another reason.
    let track = Track::sound();
    assert_eq!(track.offsets, [MEDIA_AT]);
    let judged = judge_bytes("good.mov", &movie(25, &[track.written(1)], &pictures(&track, 25)));
    assert!(
        judged.is_for("RF-QC-007") && !judged.is_for("RF-QC-002") && !judged.is_for("RF-QC-015"),
        "{judged:?}"
    );
    let track = element::Track::sound();
    let blocks: Vec<_> = (0..25).map(|at| block(1, at * 40, KEY_FRAME, &track.picture())).collect();
    let judged = judge_bytes("good.mkv", &element::file(&[track.written(1)], &[cluster(0, &blocks)]));
    assert!(
        judged.is_for("RF-QC-007") && !judged.is_for("RF-QC-002") && !judged.is_for("RF-QC-015"),
        "{judged:?}"
    );
    assert_eq!(number(0xD7, 1).len(), 17);
}
