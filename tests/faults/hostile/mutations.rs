//! Good films with bytes changed: a small part of what `scripts/bench hostile` does, the same each time.

use std::path::{Path, PathBuf};

use super::judge::judge;
use crate::support::{Bench, clips};

/// Files that are judged of each film.
const OF_EACH: u64 = 15;
const LENGTHS: [u64; 8] = [0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 1 << 40, i64::MAX as u64, u64::MAX];
const PICTURE: &str = "-f lavfi -i testsrc2=size=160x90:rate=25:duration=0.6";
const SOUND: &str = "-f lavfi -i sine=sample_rate=48000:duration=0.6";

/// A film in each container of the list of those that are opened.
const FILMS: [(&str, &str); 15] = [
    ("film.mov", "-c:v prores_ks -c:a pcm_s16le"),
    ("film.mp4", "-c:v libx264 -preset veryfast -c:a aac -movflags +faststart"),
    ("fragments.mp4", "-c:v libx264 -preset veryfast -c:a aac -movflags +frag_keyframe+empty_moov"),
    ("sound.m4a", "-vn -c:a aac -f ipod"),
    ("film.3gp", "-c:v mpeg4 -c:a aac"),
    ("film.3g2", "-c:v mpeg4 -c:a aac"),
    ("film.mj2", "-c:v jpeg2000 -c:a pcm_s16be -f mov"),
    ("film.mkv", "-c:v ffv1 -c:a flac"),
    ("film.webm", "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -c:a libopus"),
    ("film.ts", "-c:v mpeg2video -c:a mp2"),
    ("film.mpg", "-c:v mpeg1video -c:a mp2"),
    ("film.mxf", "-c:v mpeg2video -c:a pcm_s16le"),
    ("film.avi", "-c:v mjpeg -c:a libmp3lame"),
    ("sound.wav", "-vn -c:a pcm_s16le"),
    ("sound.flac", "-vn -c:a flac"),
];

/// SplitMix64: small, and the same on every machine.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

/// One to three faults.
fn mutate(bytes: &mut Vec<u8>, chance: &mut Chance) {
    for _ in 0..=chance.below(3) {
        let length = bytes.len();
        let at = if chance.below(2) == 0 { chance.below(length.min(4096)) } else { chance.below(length) };
        let end = (at + 1 + chance.below(2048)).min(length);
        match chance.below(8) {
            0 | 1 => (0..16).for_each(|_| {
                let at = chance.below(length.min(4096));
                bytes[at] ^= 1 << chance.below(8);
            }),
            2 => (0..32).for_each(|_| {
                let at = chance.below(length);
                bytes[at] ^= 1 << chance.below(8);
            }),
            3 => bytes.truncate(at.max(1)),
            4 => bytes[at..end].fill(0),
            5 => drop(bytes.drain(at..end)),
            6 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            _ => {
                let value = LENGTHS[chance.below(LENGTHS.len())].to_be_bytes();
                let value = if chance.below(2) == 0 { &value[4..] } else { &value[..] };
                for (byte, value) in bytes.iter_mut().skip(at).zip(value) {
                    *byte = *value;
                }
            }
        }
        if bytes.len() < 2 {
            return;
        }
    }
}

fn make(bench: &Bench, (name, codecs): (&str, &str)) -> PathBuf {
    let inputs = if codecs.starts_with("-vn") { SOUND.to_owned() } else { format!("{PICTURE} {SOUND}") };
    let path = bench.path(name);
    clips::make(&path, &format!("{inputs} {} -threads 1 -pix_fmt yuv420p", codecs.trim_start_matches("-vn")));
    path
}

/// The verdicts that became of a film's damaged copies.
fn verdicts(bench: &Bench, film: &Path, seed: u64) -> Vec<String> {
    let original = fs_err::read(film).unwrap();
    let name = film.file_name().unwrap().to_str().unwrap();
    let judged = (0..OF_EACH).map(|number| {
        let mut bytes = original.clone();
        mutate(&mut bytes, &mut Chance(seed << 32 | number));
        let copy = bench.path(&format!("{number}-{name}"));
        fs_err::write(&copy, bytes).unwrap();
        judge(bench, &copy).verdict
    });
    judged.collect()
}

#[test]
fn damaged_films_of_every_container_end_in_a_verdict() {
    // Two halves at the same time, each in a folder of its own.
    let halves = std::thread::scope(|scope| {
        let half = |first: usize| {
            move || {
                let bench = Bench::new();
                let films = FILMS.iter().enumerate().skip(first).step_by(2);
                films
                    .flat_map(|(seed, film)| verdicts(&bench, &make(&bench, *film), seed as u64))
                    .collect::<Vec<_>>()
            }
        };
        [0, 1].map(|first| scope.spawn(half(first))).map(|half| half.join().unwrap())
    });
    let verdicts = halves.concat();
    assert_eq!(verdicts.len() as u64, OF_EACH * FILMS.len() as u64);
    // A process that died costs an attempt. None of these files costs one today; more than a few would be a fault.
    let died = verdicts.iter().filter(|verdict| verdict.is_empty()).count();
    assert!(died <= 2, "{died} media processes died");
}
