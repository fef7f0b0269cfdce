//! Verification of protected Smooth Streaming: it counts by itself what lies open, which key streams are shared and which
//! key is named, also where every sample would decrypt to what it should.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use reelfarm_drm::signal::signal;
use reelfarm_drm::{ContentKey, KeyUris, Secret, TitleKeys};
use reelfarm_model::key::{ArtifactKey, Digest};
use reelfarm_model::ladder::ChannelLayout;
use reelfarm_model::profile::{DrmSystem, Profile, Scheme};
use reelfarm_model::task::{PackageSpec, VerifySpec};
use reelfarm_model::{KeyId, KeyUse};
use reelfarm_packaging::profiles::{BUILT_IN, ProfileList};
use reelfarm_packaging::smooth::Protection;
use reelfarm_packaging::verify::{Check, Finding, verify};

use crate::cmaf::{CLIP, Clip, Picture, Renditions, Sound, key};
use crate::readback::manifest;

/// Four seconds of one picture and one sound.
const SHORT: Clip<'static> = Clip {
    frame_count: 100,
    pictures: &[Picture { name: "108p", width: 192, height: 108, b_frames: 2 }],
    sounds: &[Sound { id: "audio-en", language: "en", layout: ChannelLayout::Stereo }],
    ..CLIP
};

/// What PlayReady is told of a key.
fn object(key: &ContentKey) -> Vec<u8> {
    let title = "film".parse().unwrap();
    let signal = signal(DrmSystem::Playready, Scheme::Cenc, key, &title, &KeyUris::default());
    signal.playready_object.unwrap()
}

/// A title's keys: one, of which PlayReady is told what it is of `told`.
fn keys(key: &ContentKey, told: &ContentKey) -> TitleKeys {
    let title = "film".parse().unwrap();
    let signal = signal(DrmSystem::Playready, Scheme::Cenc, told, &title, &KeyUris::default());
    let signals = [((DrmSystem::Playready, key.id), signal)].into();
    TitleKeys::new([(KeyUse::All, key.clone())].into(), signals)
}

fn profile(id: &str) -> Profile {
    let list = ProfileList::parse("profiles.toml", BUILT_IN).unwrap();
    list.all().iter().find(|profile| profile.id == id).unwrap().clone()
}

/// Reads a profile of the renditions back from `folder`.
fn read_back(
    renditions: &Renditions,
    id: &str,
    folder: &Path,
    keys: Option<&TitleKeys>,
) -> Result<(), Vec<Finding>> {
    let profile = profile(id);
    let artifact = |name: &str| ArtifactKey(Digest::of(name.as_bytes()));
    let package = PackageSpec {
        media_set: profile.media_set.clone(),
        format: profile.container.media_format(),
        segment_seconds: profile.segment_seconds,
        video: renditions.video.clone(),
        audio: renditions.audio.clone(),
        encryption: None,
        base: None,
    };
    let media_path = format!("media/{}/0f3a", profile.media_set);
    let spec = VerifySpec {
        profile,
        manifests: None,
        media_path,
        media: artifact("media"),
        package,
        subtitles: Vec::new(),
    };
    let video = renditions.video.iter().map(|video| (video.artifact, renditions.file(&video.name)));
    let audio = renditions.audio.iter().map(|audio| (audio.artifact, renditions.file(&audio.id)));
    let files: BTreeMap<ArtifactKey, PathBuf> = video.chain(audio).collect();
    verify(&spec, folder, None, &files, &BTreeMap::new(), keys)
        .map(|report| assert_eq!(report.renditions.len(), 2))
}

fn words(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("{:?} {finding}\n", finding.check)).collect()
}

/// The files of the first fragment of every track.
fn first_fragments(folder: &Path) -> Vec<PathBuf> {
    let streams = manifest(folder).streams;
    streams.iter().map(|stream| folder.join(stream.path(&stream.levels[0], stream.chunks[0]))).collect()
}

fn position(bytes: &[u8], needle: &[u8]) -> usize {
    bytes.windows(needle.len()).position(|window| window == needle).unwrap()
}

/// Where the first entry of a fragment's sample encryption box stands.
fn entries(fragment: &[u8]) -> usize {
    const USER_TYPE: [u8; 4] = [0xa2, 0x39, 0x4f, 0x52];
    // User type, version and flags, count.
    position(fragment, &USER_TYPE) + 16 + 4 + 4
}

/// An encrypted media set in a folder of this name.
fn encrypted(renditions: &Renditions, name: &str, cmaf: &Path) -> PathBuf {
    let protection = Protection { key_id: key().id, playready_object: object(&key()) };
    renditions.smooth(name, cmaf, Some(&protection))
}

#[test]
fn what_is_made_reads_back() {
    let renditions = Renditions::encode(&SHORT);
    let clear = renditions.smooth("clear", &renditions.cmaf("cmaf", 2, false), None);
    read_back(&renditions, "hss-clr-2s", &clear, None).unwrap();
    let encrypted = encrypted(&renditions, "encrypted", &renditions.cmaf("cenc", 2, true));
    let keys = keys(&key(), &key());
    read_back(&renditions, "hss-pr-2s", &encrypted, Some(&keys)).unwrap();

    // One in place of the other, or without a key.
    for (id, folder, keys, expected) in [
        ("hss-pr-2s", &clear, Some(&keys), "the PlayReady Object of the title's key"),
        ("hss-pr-2s", &clear, Some(&keys), "found moof/traf/uuid (sample encryption): there is none"),
        ("hss-clr-2s", &encrypted, None, "expected protection headers 0, found 1"),
        ("hss-clr-2s", &encrypted, None, "expected encrypted samples: false, found true"),
        ("hss-pr-2s", &encrypted, None, "expected one key for all tracks, found none"),
    ] {
        let findings = words(&read_back(&renditions, id, folder, keys).unwrap_err());
        assert!(findings.contains(expected), "{expected} is not in\n{findings}");
    }
}

#[test]
fn a_picture_that_lies_open_is_found_though_it_decrypts_to_itself() {
    let renditions = Renditions::encode(&SHORT);
    let clear = renditions.smooth("clear", &renditions.cmaf("cmaf", 2, false), None);
    let folder = encrypted(&renditions, "encrypted", &renditions.cmaf("cenc", 2, true));
    let mut bytes = fs_err::read(&first_fragments(&folder)[0]).unwrap();
    // All of the first picture is said to be clear, and is.
    let entry = entries(&bytes) + 8;
    let count = usize::from(u16::from_be_bytes([bytes[entry], bytes[entry + 1]]));
    let mut size = 0;
    for subsample in bytes[entry + 2..][..count * 6].chunks_mut(6) {
        size += u32::from(u16::from_be_bytes([subsample[0], subsample[1]]));
        size += u32::from_be_bytes([subsample[2], subsample[3], subsample[4], subsample[5]]);
        subsample.fill(0);
    }
    bytes[entry + 2..][..2].copy_from_slice(&u16::try_from(size).unwrap().to_be_bytes());
    let opened = fs_err::read(&first_fragments(&clear)[0]).unwrap();
    let (from, to) = (position(&opened, b"mdat") + 4, position(&bytes, b"mdat") + 4);
    bytes[to..][..size as usize].copy_from_slice(&opened[from..][..size as usize]);
    fs_err::write(&first_fragments(&folder)[0], bytes).unwrap();

    let findings = read_back(&renditions, "hss-pr-2s", &folder, Some(&keys(&key(), &key()))).unwrap_err();
    let text = words(&findings);
    assert_eq!(findings.len(), 1, "{text}");
    assert_eq!(findings[0].check, Check::Protection);
    assert_eq!(findings[0].to_string(), "hss-pr-2s, video-108p: expected samples that lie open: 0, found 1");
}

#[test]
fn a_vector_that_comes_twice_is_found() {
    let renditions = Renditions::encode(&SHORT);
    let folder = encrypted(&renditions, "encrypted", &renditions.cmaf("cenc", 2, true));
    // Frames of sound have no ranges, so that the vectors stand one after the other.
    let path = &first_fragments(&folder)[1];
    let mut bytes = fs_err::read(path).unwrap();
    let entries = entries(&bytes);
    bytes.copy_within(entries..entries + 8, entries + 8);
    fs_err::write(path, bytes).unwrap();
    let findings = read_back(&renditions, "hss-pr-2s", &folder, Some(&keys(&key(), &key()))).unwrap_err();
    let text = words(&findings);
    assert!(text.contains("audio-en, segment 1: expected a whole fragment, found"), "{text}");
    assert!(text.contains("a sample has counter blocks of the one before"), "{text}");
}

#[test]
fn tracks_that_share_a_key_stream_are_found() {
    let renditions = Renditions::encode(&SHORT);
    let cmaf = renditions.cmaf_with("cenc", 2, Some(&["--iv", "0102030405060708"]));
    let folder = encrypted(&renditions, "encrypted", &cmaf);
    let findings = read_back(&renditions, "hss-pr-2s", &folder, Some(&keys(&key(), &key()))).unwrap_err();
    let text = words(&findings);
    assert_eq!(findings.len(), 1, "{text}");
    assert_eq!(findings[0].check, Check::Protection);
    assert_eq!(
        findings[0].to_string(),
        "hss-pr-2s, audio-en: expected a key stream of its own, found the one of video-108p"
    );
}

#[test]
fn another_key_is_found_in_the_samples_and_in_what_playready_is_told() {
    let renditions = Renditions::encode(&SHORT);
    let cmaf = renditions.cmaf("cenc", 2, true);
    let folder = encrypted(&renditions, "encrypted", &cmaf);
    let wrong = ContentKey { key: Secret::new([7; 16]), ..key() };
    let findings = read_back(&renditions, "hss-pr-2s", &folder, Some(&keys(&wrong, &key()))).unwrap_err();
    assert!(findings.iter().any(|finding| finding.check == Check::AccessUnits), "{}", words(&findings));

    // What the title's keys say and the manifest says is the same, but of another key.
    let other = ContentKey { id: KeyId([9; 16]), ..key() };
    let protection = Protection { key_id: key().id, playready_object: object(&other) };
    let folder = renditions.smooth("other", &cmaf, Some(&protection));
    let findings = read_back(&renditions, "hss-pr-2s", &folder, Some(&keys(&key(), &other))).unwrap_err();
    assert_eq!(
        words(&findings),
        format!(
            "Protection hss-pr-2s: expected a PlayReady Object that names the key {}, found another key or none\n",
            key().id
        )
    );
}
