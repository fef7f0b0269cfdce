//! One picture and its sound in every layout, as FFmpeg writes them: all readers agree on it, and none panics on what
//! becomes of it when bytes are changed.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use proptest::prelude::*;
use reelfarm_drm::Secret;
use reelfarm_model::profile::Scheme;

use crate::aes128;
use crate::clip::{CLIP, Layout, VECTOR, VIDEO_KEY, keys};
use crate::mpd::Mpd;
use crate::playlist::{Master, Media};
use crate::readback::encryption::Decryption;
use crate::readback::segments::SegmentReader;
use crate::readback::{AccessUnit, Codec, Track, fragments, progressive};

/// Frames of the picture: one second.
const FRAMES: usize = 25;

/// The same track in three layouts.
struct Layouts {
    progressive: Vec<u8>,
    header: Vec<u8>,
    index: Vec<u8>,
    segment: Vec<u8>,
    transport_stream: Vec<u8>,
}

static VIDEO: LazyLock<Layouts> = LazyLock::new(|| {
    layouts(
        "testsrc2=s=64x36:r=25:d=1",
        &["-c:v", "libx264", "-preset", "veryfast", "-threads", "1", "-pix_fmt", "yuv420p"],
    )
});
static AUDIO: LazyLock<Layouts> =
    LazyLock::new(|| layouts("aevalsrc='sin(440*t)|sin(550*t)':s=48000:d=1", &["-c:a", "aac"]));

/// Header and last segment of a track, which is short.
type Fragments = (Vec<u8>, Vec<u8>);

/// Both tracks of a clip as they are encrypted.
struct Encrypted {
    /// By track and scheme.
    fragments: BTreeMap<(&'static str, &'static str), Fragments>,
    packets: BTreeMap<&'static str, Vec<u8>>,
    progressive: BTreeMap<&'static str, Vec<u8>>,
}

static ENCRYPTED: LazyLock<Encrypted> = LazyLock::new(|| {
    let last = |layout, scheme, track| {
        let (header, mut segments) = CLIP.track(layout, Some(scheme), track);
        (header.unwrap_or_default(), segments.pop().unwrap())
    };
    let pairs = [("v", Scheme::Cenc), ("v", Scheme::Cbcs), ("a", Scheme::Cenc), ("a", Scheme::Cbcs)];
    Encrypted {
        fragments: pairs
            .map(|(track, scheme)| ((track, scheme.as_str()), last(Layout::Cmaf, scheme, track)))
            .into(),
        packets: ["v", "a"].map(|track| (track, last(Layout::Ts, Scheme::Cbcs, track).1)).into(),
        progressive: ["v", "a"].map(|track| (track, CLIP.progressive(track).0)).into(),
    }
});

fn layouts(source: &str, encoder: &[&str]) -> Layouts {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str], output: &Path| {
        let program =
            Command::new("ffmpeg").args(["-nostdin", "-v", "error"]).args(arguments).arg(output).output();
        let program = program.unwrap();
        assert!(program.status.success(), "{}", String::from_utf8_lossy(&program.stderr));
        fs_err::read(output).unwrap()
    };
    let encoded = folder.path().join("encoded.mp4");
    let progressive = run(&[&["-f", "lavfi", "-i", source], encoder].concat(), &encoded);
    let copy = ["-i", encoded.to_str().unwrap(), "-c", "copy"];
    let fragmented = run(
        &[&copy[..], &["-movflags", "+dash+delay_moov+skip_trailer+frag_custom"]].concat(),
        &folder.path().join("fragmented.mp4"),
    );
    let find = |kind: &[u8; 4]| fragmented.windows(4).position(|window| window == kind).unwrap() - 4;
    let (index, segment) = (find(b"sidx"), find(b"moof"));
    let transport_stream = run(&copy, &folder.path().join("stream.ts"));
    // FFmpeg adds a description of the service, which no program has.
    let is_service = |packet: &&[u8]| u16::from_be_bytes([packet[1], packet[2]]) & 0x1FFF != 0x11;
    Layouts {
        header: fragmented[..index].to_vec(),
        index: fragmented[index..segment].to_vec(),
        segment: fragmented[segment..].to_vec(),
        transport_stream: transport_stream.chunks(188).filter(is_service).flatten().copied().collect(),
        progressive,
    }
}

fn read_progressive(bytes: &[u8]) -> Option<Track> {
    open_progressive(bytes, Decryption::Clear)
}

fn open_progressive(bytes: &[u8], decryption: Decryption<'_>) -> Option<Track> {
    let movie = progressive::read_from(Cursor::new(bytes), bytes.len() as u64, decryption).ok()?;
    movie.tracks.into_iter().next().map(|(track, _)| track)
}

fn read_segment(header: Option<&[u8]>, segment: &[u8]) -> Option<(Vec<AccessUnit>, Codec)> {
    open_segment(header, segment, Decryption::Clear)
}

fn open_segment(
    header: Option<&[u8]>,
    segment: &[u8],
    decryption: Decryption<'_>,
) -> Option<(Vec<AccessUnit>, Codec)> {
    let mut reader = SegmentReader::opening(header, decryption).ok()?;
    let units = reader.read(segment).ok()?;
    let (start, end) = reader.span(&units, 0);
    assert!(end.checked_sub(start).is_some());
    Some((units, reader.codec()?.clone()))
}

#[test]
fn every_layout_gives_the_same_payloads() {
    for (layouts, units) in [(&*VIDEO, FRAMES), (&*AUDIO, 48)] {
        let encoded = read_progressive(&layouts.progressive).unwrap();
        let (fragments, codec) = read_segment(Some(&layouts.header), &layouts.segment).unwrap();
        let (packets, _) = read_segment(None, &layouts.transport_stream).unwrap();
        let payloads = |units: &[AccessUnit]| units.iter().map(|unit| unit.payload).collect::<Vec<_>>();
        assert_eq!(encoded.units.len(), units);
        assert_eq!(payloads(&encoded.units), payloads(&fragments));
        assert_eq!(payloads(&encoded.units), payloads(&packets));
        assert_eq!(encoded.codec, codec);
        assert_eq!(
            encoded.units.iter().filter(|unit| unit.idr).count(),
            if units == FRAMES { 1 } else { 48 }
        );
        // Priming comes before zero; pictures begin at it.
        assert_eq!(encoded.units[0].pts, if units == FRAMES { 0 } else { -1024 });
        assert_eq!(fragments::segment_index(&layouts.index).unwrap().segments.len(), 1);
    }
}

/// Changes some bytes, and cuts the end off.
fn damage(bytes: &[u8], changes: &[(prop::sample::Index, u8)], cut: Option<prop::sample::Index>) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (at, value) in changes {
        let at = at.index(bytes.len());
        bytes[at] = *value;
    }
    if let Some(cut) = cut {
        bytes.truncate(cut.index(bytes.len()));
    }
    bytes
}

fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    // Values that lengths and counts break on, beside any.
    let value = prop_oneof![Just(0), Just(0xFF), Just(0x7F), Just(0x80), any::<u8>()];
    prop::collection::vec((any::<prop::sample::Index>(), value), 1..12)
}

const MPD: &str = r#"<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="p" minBufferTime="PT2S" type="static" mediaPresentationDuration="PT11S"><Period id="0"><AdaptationSet id="1" contentType="audio" lang="en" segmentAlignment="true"><Representation id="2" bandwidth="1" codecs="mp4a.40.2" mimeType="audio/mp4"><SegmentTemplate timescale="48000" initialization="a/init.mp4" media="a/$Number$.m4s" startNumber="1"><SegmentTimeline><S t="0" d="96256" r="2"/></SegmentTimeline></SegmentTemplate></Representation></AdaptationSet></Period></MPD>"#;
const PLAYLIST: &str = "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:3\n#EXT-X-STREAM-INF:BANDWIDTH=1,AVERAGE-BANDWIDTH=1,CODECS=\"a,b\",RESOLUTION=2x2,FRAME-RATE=25.000,AUDIO=\"s\"\n#EXT-X-MAP:URI=\"a\"\n#EXTINF:2.005,\na/1.m4s\n#EXT-X-ENDLIST\n";

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn changed_media_never_panics(
        is_video: bool,
        changes in changes(),
        cut: Option<prop::sample::Index>,
    ) {
        let layouts = if is_video { &*VIDEO } else { &*AUDIO };
        // Most of a file is samples: aim at the headers as well.
        let headers = layouts.header.len().min(layouts.segment.len());
        let segment = damage(&layouts.segment[..headers], &changes, None);
        let segment = [&segment, &layouts.segment[headers..]].concat();
        let _ = read_segment(Some(&layouts.header), &segment);
        let _ = read_segment(Some(&damage(&layouts.header, &changes, cut)), &layouts.segment);
        let _ = read_segment(Some(&layouts.header), &damage(&layouts.segment, &changes, cut));
        let _ = read_segment(None, &damage(&layouts.transport_stream, &changes, cut));
        let _ = fragments::segment_index(&damage(&layouts.index, &changes, cut));
        let _ = read_progressive(&damage(&layouts.progressive, &changes, cut));
        let moov = layouts.progressive.windows(4).position(|window| window == b"moov").unwrap();
        let changed = damage(&layouts.progressive[moov + 4..], &changes, cut);
        let _ = read_progressive(&[&layouts.progressive[..moov + 4], &changed].concat());
    }

    #[test]
    fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = read_progressive(&bytes);
        let _ = read_segment(Some(&VIDEO.header), &bytes);
        let _ = read_segment(Some(&bytes), &VIDEO.segment);
        let _ = read_segment(None, &bytes);
        let keys = keys(true);
        let (header, segment) = &ENCRYPTED.fragments[&("v", "cenc")];
        let _ = open_segment(Some(header), &bytes, Decryption::Common(&keys));
        let _ = open_segment(Some(&bytes), segment, Decryption::Common(&keys));
        let _ = fragments::segment_index(&bytes);
        let _ = Mpd::parse_published(&bytes);
        let _ = Master::parse(&bytes);
        let _ = Media::parse(&bytes);
    }

    #[test]
    fn changed_manifests_never_panic(changes in changes(), cut: Option<prop::sample::Index>) {
        if let Ok(mpd) = Mpd::parse(&damage(MPD.as_bytes(), &changes, cut)) {
            for set in mpd.periods.iter().flat_map(|period| &period.adaptation_sets) {
                for template in set.representations.iter().filter_map(|r| r.segment_template.as_ref()) {
                    let _ = template.segments();
                }
            }
        }
        let _ = Master::parse(&damage(PLAYLIST.as_bytes(), &changes, cut));
        let _ = Media::parse(&damage(PLAYLIST.as_bytes(), &changes, cut));
    }
}

proptest! {
    // Each case reads eight files.
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn changed_encrypted_media_never_panics(
        track in prop::sample::select(&["v", "a"]),
        scheme in prop::sample::select(&[Scheme::Cenc, Scheme::Cbcs]),
        changes in changes(),
        cut: Option<prop::sample::Index>,
    ) {
        let keys = keys(true);
        let open = Decryption::Common(&keys);
        let (header, segment) = &ENCRYPTED.fragments[&(track, scheme.as_str())];
        prop_assert!(open_segment(Some(header), segment, open).is_some());
        let fragment = segment.windows(4).position(|window| window == b"mdat").unwrap();
        let changed = damage(&segment[..fragment], &changes, None);
        let _ = open_segment(Some(header), &[&changed, &segment[fragment..]].concat(), open);
        let _ = open_segment(Some(header), &damage(segment, &changes, cut), open);
        // Few of the header's bytes speak of encryption.
        let entry = header.windows(4).position(|window| window == b"sinf").unwrap() - 4;
        let changed = [&header[..entry], &damage(&header[entry..], &changes, None)].concat();
        let _ = open_segment(Some(&changed), segment, open);
        let _ = open_segment(Some(&changed), segment, Decryption::Sealed);

        let packets = &ENCRYPTED.packets[track];
        let key = Secret::new(VIDEO_KEY);
        let samples = Decryption::SampleAes { key: &key, vector: VECTOR };
        prop_assert!(open_segment(None, packets, samples).is_some());
        let _ = open_segment(None, &damage(packets, &changes, cut), samples);
        let _ = open_segment(None, &aes128::encrypt_segment(&key, VECTOR, &damage(packets, &changes, cut)), Decryption::WholeSegments { key: &key, vector: VECTOR });
        let _ = open_segment(None, &damage(packets, &changes, cut), Decryption::WholeSegments { key: &key, vector: VECTOR });

        let file = &ENCRYPTED.progressive[track];
        let tables = file.windows(4).position(|window| window == b"stsd").unwrap();
        let media = file.windows(4).position(|window| window == b"mdat").unwrap();
        let changed = damage(&file[tables..media], &changes, None);
        let _ = open_progressive(&[&file[..tables], &changed, &file[media..]].concat(), open);
        let _ = open_progressive(&damage(file, &changes, cut), open);
    }
}
