//! Tracks without end, and tracks of nothing.

use super::element::{self, KEY_FRAME, block, cluster};
use super::judge::judge_bytes;
use super::movie::{MEDIA_AT, Track, boxed, movie, pictures};

/// Of a transport stream's 8,192 PID, nearly all.
const MOST_PIDS: u16 = 8_000;

#[test]
fn ten_thousand_tracks_are_too_many() {
    let track = Track::sound();
    let entries: Vec<_> = (1..=10_000).map(|id| track.written(id)).collect();
    let judged = judge_bytes("tracks.mov", &movie(25, &entries, &pictures(&track, 25)));
    assert_eq!(judged.codes, ["RF-QC-046"], "{judged:?}");

    let track = element::Track::sound();
    let entries: Vec<_> = (1..=10_000).map(|id| track.written(id)).collect();
    let blocks = [block(1, 0, KEY_FRAME, &track.picture())];
    let judged = judge_bytes("tracks.mkv", &element::file(&entries, &[cluster(0, &blocks)]));
    assert_eq!(judged.codes, ["RF-QC-046"], "{judged:?}");

    let judged = judge_bytes("tracks.ts", &transport_stream(MOST_PIDS));
    assert_eq!(judged.verdict, "reject", "{judged:?}");
}

#[test]
fn a_hundred_tracks_are_measured() {
    let bytes = 16 * 16 * 3;
    let small = Track { width: 16, height: 16, sizes: [bytes, 25], ..Track::sound() };
    // Each has pictures of its own: who names the same bytes a hundred times is broken off.
    let own = |id: u32| Track { offsets: vec![MEDIA_AT + (id - 1) * 25 * bytes], ..small.clone() };
    let entries: Vec<_> = (1..=100).map(|id| own(id).written(id)).collect();
    let judged = judge_bytes("tracks.mov", &movie(25, &entries, &pictures(&small, 100 * 25)));
    assert!(judged.is_for("RF-QC-003") && judged.found.contains("100 tracks"), "{judged:?}");
}

#[test]
fn tracks_of_nothing_hold_no_film() {
    let none = Track {
        duration: 0,
        times: vec![],
        chunks: vec![],
        sizes: [0, 0],
        offsets: vec![],
        ..Track::sound()
    };
    let of_nothing = Track { sizes: [0, 25], ..Track::sound() };
    for track in [none, of_nothing] {
        let judged = judge_bytes("nothing.mov", &movie(25, &[track.written(1)], &[]));
        assert!(judged.is_for("RF-QC-001") || judged.is_for("RF-QC-003"), "{judged:?}");
    }
    let file_type = boxed(b"ftyp", b"qt  \0\0\x02\0qt  ");
    for contents in [
        vec![],
        boxed(b"moov", &[]),
        boxed(b"moof", &[]),
        [boxed(b"moov", &[]), boxed(b"moof", &[])].concat(),
    ] {
        let judged = judge_bytes("empty.mov", &[&file_type[..], &contents].concat());
        assert!(judged.is_for("RF-QC-001") || judged.is_for("RF-QC-003"), "{judged:?}");
    }
    let track = element::Track::sound();
    for clusters in [vec![], vec![cluster(0, &[])], vec![cluster(0, &[block(1, 0, KEY_FRAME, &[])])]] {
        let judged = judge_bytes("nothing.mkv", &element::file(&[track.written(1)], &clusters));
        assert!(judged.is_for("RF-QC-001") || judged.is_for("RF-QC-003"), "{judged:?}");
    }
    for bytes in [
        &b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x02\0\x80\xBB\0\0\0\xEE\x02\0\x04\0\x10\0data\0\0\0\0"[..],
        b"fLaC",
    ] {
        assert_eq!(judge_bytes("nothing.wav", bytes).verdict, "reject");
    }
}

/// A transport stream whose programmes name so many streams of video, and hold nothing (ISO/IEC 13818-1, 2.4.4).
fn transport_stream(streams: u16) -> Vec<u8> {
    const IN_A_PROGRAMME: u16 = 30;
    const FIRST_PID: u16 = 32;
    let programmes = streams.div_ceil(IN_A_PROGRAMME);
    let mut bytes = Vec::new();
    // As many programmes as fit into one section of 183 bytes, in one version of the table after the other.
    for (version, group) in (1..=programmes).collect::<Vec<_>>().chunks(40).enumerate() {
        let entries: Vec<u8> = group
            .iter()
            .flat_map(|programme| [programme.to_be_bytes(), (0xE000 | (FIRST_PID + programme)).to_be_bytes()])
            .flatten()
            .collect();
        bytes.extend(packet(0, &section(0, 1, version as u8, &entries)));
        for programme in group {
            let streams = (0..IN_A_PROGRAMME).flat_map(|index| {
                let pid = 0xE000 | (300 + (programme * IN_A_PROGRAMME + index) % 7_800);
                [&[0x1B][..], &u16::to_be_bytes(pid), &[0xF0, 0]].concat()
            });
            let contents: Vec<u8> = [0xFF, 0xFF, 0xF0, 0].into_iter().chain(streams).collect();
            bytes.extend(packet(FIRST_PID + programme, &section(2, *programme, 0, &contents)));
        }
    }
    bytes
}

/// A section of programme-specific information with its checksum.
fn section(table: u8, id: u16, version: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len() + 9).unwrap();
    let head = [
        &[table][..],
        &(0xB000 | length).to_be_bytes(),
        &id.to_be_bytes(),
        &[0xC1 | (version & 31) << 1, 0, 0],
    ];
    let mut section = [&head.concat(), content].concat();
    section.extend(checksum(&section).to_be_bytes());
    section
}

/// The section in one packet, filled up.
fn packet(pid: u16, section: &[u8]) -> Vec<u8> {
    let mut packet = [&[0x47][..], &(0x4000 | pid).to_be_bytes(), &[0x10, 0], section].concat();
    assert!(packet.len() <= 188, "{}", packet.len());
    packet.resize(188, 0xFF);
    packet
}

/// CRC-32 of ISO/IEC 13818-1, annex A.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ (u32::from(*byte) << 24), |sum, _| {
            if sum >> 31 == 1 { (sum << 1) ^ 0x04C1_1DB7 } else { sum << 1 }
        })
    })
}
