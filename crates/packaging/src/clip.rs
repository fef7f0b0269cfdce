//! A clip in the layouts and schemes of the real packager, for tests.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use reelfarm_drm::{ContentKey, Secret, TitleKeys};
use reelfarm_model::profile::Scheme;
use reelfarm_model::{KeyId, KeyUse};

use crate::readback::{boxes, fragments};

/// The key of picture.
pub(crate) const VIDEO_KEY: [u8; 16] = [0x11; 16];
/// The key of sound.
pub(crate) const AUDIO_KEY: [u8; 16] = [0x22; 16];
/// The first initialisation vector of both; of 8 bytes with cenc.
pub(crate) const VECTOR: [u8; 16] =
    [0x10, 0x21, 0x32, 0x43, 0x54, 0x65, 0x76, 0x87, 0x98, 0xA9, 0xBA, 0xCB, 0xDC, 0xED, 0xFE, 0x0F];

/// A clip of picture and sound in every layout and scheme.
pub(crate) static CLIP: LazyLock<Clip> = LazyLock::new(Clip::make);

/// The folder of a clip's packages.
pub(crate) struct Clip {
    folder: tempfile::TempDir,
}

/// How the packager lays files out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    Cmaf,
    SingleFile,
    Ts,
}

/// Keys whose ids are those that the packages name: right ones, or others.
pub(crate) fn keys(is_right: bool) -> TitleKeys {
    let key = |id: u8, key: [u8; 16]| {
        let key = if is_right { key } else { key.map(|byte| !byte) };
        ContentKey { id: KeyId([id; 16]), key: Secret::new(key) }
    };
    let keys = [(KeyUse::Hd, key(0xD1, VIDEO_KEY)), (KeyUse::Audio, key(0xA1, AUDIO_KEY))];
    TitleKeys::new(keys.into(), BTreeMap::new())
}

fn packager() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/bin/packager");
    std::env::var_os("REELFARM_PACKAGER")
        .map(PathBuf::from)
        .unwrap_or_else(|| if built.exists() { built } else { PathBuf::from("packager") })
}

impl Clip {
    fn make() -> Self {
        let clip = Self { folder: tempfile::tempdir().unwrap() };
        // Noise for large pictures of several slices, and a still for small ones which are not encrypted at all.
        let lavfi = |arguments: &[&str], output: &str| {
            clip.ffmpeg(&[&["-f", "lavfi", "-i"], arguments].concat(), output);
        };
        lavfi(
            &[
                "testsrc2=s=160x90:r=25:d=3,noise=alls=8:allf=t,trim=duration=3[a];color=gray:s=160x90:r=25:d=3[b];[a][b]concat",
                "-c:v",
                "libx264",
                "-preset",
                "veryfast",
                "-threads",
                "1",
                "-pix_fmt",
                "yuv420p",
                "-x264-params",
                "keyint=50:min-keyint=50:scenecut=0:bframes=2:slices=3:open-gop=0",
            ],
            "v.mp4",
        );
        lavfi(&["aevalsrc='sin(440*t)*lt(t,3)|sin(550*t)*lt(t,3)':s=48000:d=6", "-c:a", "aac"], "a.mp4");
        for (track, id, key) in [("v", "d1", VIDEO_KEY), ("a", "a1", AUDIO_KEY)] {
            let input = clip.folder.path().join(format!("{track}.mp4"));
            let (id, key) = (id.repeat(16), hex::encode(key));
            let encrypt =
                ["-encryption_scheme", "cenc-aes-ctr", "-encryption_key", &key, "-encryption_kid", &id];
            let copy = ["-i", input.to_str().unwrap(), "-c", "copy"];
            let encrypt = [&copy[..], &encrypt].concat();
            clip.ffmpeg(&[&encrypt[..], &["-movflags", "+faststart"]].concat(), &format!("{track}-cenc.mp4"));
        }
        for layout in [Layout::Cmaf, Layout::SingleFile, Layout::Ts] {
            clip.package(layout, None);
            if layout != Layout::Ts {
                clip.package(layout, Some(Scheme::Cenc));
            }
            clip.package(layout, Some(Scheme::Cbcs));
        }
        clip
    }

    fn ffmpeg(&self, arguments: &[&str], output: &str) {
        let program = Command::new("ffmpeg")
            .args(["-nostdin", "-v", "error"])
            .args(arguments)
            .arg(self.folder.path().join(output))
            .output()
            .unwrap();
        assert!(program.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&program.stderr));
    }

    /// A track as FFmpeg encrypts it by cenc, and in clear, both in files with a sample table.
    pub(crate) fn progressive(&self, track: &str) -> (Vec<u8>, Vec<u8>) {
        let read = |name: String| fs_err::read(self.folder.path().join(name)).unwrap();
        (read(format!("{track}-cenc.mp4")), read(format!("{track}.mp4")))
    }

    fn package(&self, layout: Layout, scheme: Option<Scheme>) {
        let folder = self.folder(layout, scheme);
        fs_err::create_dir_all(&folder).unwrap();
        let mut command = Command::new(packager());
        command.current_dir(&folder).arg("--quiet").stdin(Stdio::piped()).stderr(Stdio::piped());
        for (track, stream) in [("v", "video"), ("a", "audio")] {
            let output = match layout {
                Layout::Cmaf => {
                    format!("init_segment={track}/init.mp4,segment_template={track}/$Number$.m4s")
                }
                Layout::SingleFile => format!("out={track}.mp4"),
                Layout::Ts => format!("segment_template={track}/$Number$.ts"),
            };
            let playlist =
                if layout == Layout::Ts { format!(",playlist_name={track}.m3u8") } else { String::new() };
            command.arg(format!("in=../{track}.mp4,stream={stream},{output}{playlist},drm_label={track}"));
        }
        command.args(["--segment_duration=2", "--fragment_duration=2", "--temp_dir=."]);
        match layout {
            Layout::Cmaf => _ = command.arg("--generate_sidx_in_media_segments=false"),
            Layout::Ts => _ = command.arg("--hls_master_playlist_output=manifests/master.m3u8"),
            Layout::SingleFile => {}
        }
        if let Some(scheme) = scheme {
            command.arg(format!("--protection_scheme={}", scheme.as_str()));
            command.args([
                "--enable_raw_key_encryption",
                "--clear_lead=0",
                "--mp4_include_pssh_in_stream=false",
                "--flagfile=/dev/fd/0",
            ]);
        }
        let mut child = command.spawn().unwrap();
        let vector = hex::encode(&VECTOR[..if scheme == Some(Scheme::Cenc) { 8 } else { 16 }]);
        let track = |label: &str, id: &str, key: [u8; 16]| {
            format!("label={label}:key_id={}:key={}:iv={vector}", id.repeat(16), hex::encode(key))
        };
        let flag = format!("--keys={},{}\n", track("v", "d1", VIDEO_KEY), track("a", "a1", AUDIO_KEY));
        let mut input = child.stdin.take().unwrap();
        if scheme.is_some() {
            input.write_all(flag.as_bytes()).unwrap();
        }
        drop(input);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// The folder of a package.
    pub(crate) fn folder(&self, layout: Layout, scheme: Option<Scheme>) -> PathBuf {
        self.folder.path().join(format!("{layout:?}-{}", scheme.map_or("clear", Scheme::as_str)))
    }

    /// The header, if there is one, and the segments of a track.
    pub(crate) fn track(
        &self,
        layout: Layout,
        scheme: Option<Scheme>,
        track: &str,
    ) -> (Option<Vec<u8>>, Vec<Vec<u8>>) {
        let folder = self.folder(layout, scheme);
        let numbered = |extension: &str| {
            let file = |number| folder.join(track).join(format!("{number}.{extension}"));
            (1..).map(file).take_while(|path| path.exists()).map(|path| fs_err::read(path).unwrap()).collect()
        };
        match layout {
            Layout::Cmaf => {
                (Some(fs_err::read(folder.join(track).join("init.mp4")).unwrap()), numbered("m4s"))
            }
            Layout::Ts => (None, numbered("ts")),
            Layout::SingleFile => {
                let file = fs_err::read(folder.join(format!("{track}.mp4"))).unwrap();
                let index = boxes::boxes(&file).map(Result::unwrap).find(|b| b.kind == *b"sidx").unwrap();
                let mut at = index.end;
                let sizes = fragments::segment_index(&file[index.start..index.end]).unwrap().segments;
                let segment = |(size, _): (u32, u32)| {
                    at += size as usize;
                    file[at - size as usize..at].to_vec()
                };
                (Some(file[..index.start].to_vec()), sizes.into_iter().map(segment).collect())
            }
        }
    }
}
