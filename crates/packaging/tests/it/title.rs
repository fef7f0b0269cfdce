//! A small title made from nothing: encoded renditions, media sets, manifests, laid out as at an origin.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use reelfarm_model::ArtifactKey;
use reelfarm_model::key::Digest;
use reelfarm_model::ladder::ChannelLayout;
use reelfarm_model::profile::{Container, MediaFormat, Profile};
use reelfarm_model::subtitles::{SubtitlePurpose, SubtitleTrack};
use reelfarm_model::task::{AudioRendition, ManifestSpec, PackageSpec, VerifySpec, VideoRendition};
use reelfarm_packaging::profiles::{BUILT_IN, ProfileList};
use reelfarm_packaging::shaka::Packager;
use reelfarm_packaging::verify::{Finding, VerificationReport, verify};
use reelfarm_packaging::{layout, manifest, progressive, subtitles};
use tempfile::TempDir;

/// Frames a second of every picture.
pub(crate) const FRAME_RATE: u32 = 25;
/// Frames of every picture: 11 s, so that the last segment is short.
pub(crate) const FRAMES: u64 = 275;

/// A title with three rungs, stereo and 5.1 sound, and two tracks of subtitles.
pub(crate) struct Title {
    folder: TempDir,
    renditions: BTreeMap<ArtifactKey, PathBuf>,
    video: Vec<VideoRendition>,
    audio: Vec<AudioRendition>,
    subtitles: Vec<SubtitleTrack>,
}

/// Subtitles for all of the film, one of which is still seen when it has ended.
const SUBTITLES: &str =
    "1\n00:00:00,500 --> 00:00:02,000\nHello\n\n2\n00:00:09,960 --> 00:00:12,000\nGoodbye\n";

/// The packager under test.
pub(crate) fn packager() -> Packager {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/bin/packager");
    let executable = std::env::var_os("REELFARM_PACKAGER")
        .map(PathBuf::from)
        .unwrap_or_else(|| if built.exists() { built } else { PathBuf::from("packager") });
    Packager::new(executable, Vec::new())
}

/// The clear profiles that ship with the farm and that the packager or FFmpeg makes alone.
pub(crate) fn profiles() -> Vec<Profile> {
    let list = ProfileList::parse("profiles.toml", BUILT_IN).unwrap();
    let made_alone = |profile: &&Profile| profile.scheme.is_none() && profile.container != Container::Smooth;
    list.all().iter().filter(made_alone).cloned().collect()
}

/// One of them.
pub(crate) fn profile(id: &str) -> Profile {
    profiles().into_iter().find(|profile| profile.id == id).unwrap()
}

/// Runs FFmpeg, which must succeed.
pub(crate) fn ffmpeg(arguments: &[&str]) {
    let output =
        Command::new("ffmpeg").args(["-nostdin", "-v", "error", "-y"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Title {
    /// Encodes the renditions as the farm does: an IDR every 2 s, closed GOPs with B-frames and an edit list for them,
    /// AAC with its priming in an edit list.
    pub(crate) fn encode() -> Self {
        let folder = TempDir::new().unwrap();
        let mut title = Self {
            folder,
            renditions: BTreeMap::new(),
            video: Vec::new(),
            audio: Vec::new(),
            subtitles: Vec::new(),
        };
        for purpose in [SubtitlePurpose::Dialogue, SubtitlePurpose::HardOfHearing] {
            let id = SubtitleTrack::id_of("eng", purpose);
            let artifact = ArtifactKey(Digest::of(id.as_bytes()));
            let path = format!("media/{id}/0f3a");
            title.subtitles.push(SubtitleTrack { id, artifact, path, language: "eng".into(), purpose });
        }
        for (name, width, height) in [("180p", 320, 180), ("144p", 256, 144), ("108p", 192, 108)] {
            let source = format!("testsrc2=s={width}x{height}:r={FRAME_RATE}:d=11");
            let (artifact, path) = title.add(name);
            ffmpeg(&[
                "-f",
                "lavfi",
                "-i",
                &source,
                "-c:v",
                "libx264",
                "-preset",
                "veryfast",
                "-threads",
                "1",
                "-pix_fmt",
                "yuv420p",
                "-g",
                "50",
                "-keyint_min",
                "50",
                "-sc_threshold",
                "0",
                "-bf",
                "2",
                "-x264-params",
                "open-gop=0:colorprim=bt709:transfer=bt709:colormatrix=bt709",
                "-movflags",
                "+faststart",
                path.to_str().unwrap(),
            ]);
            title.video.push(VideoRendition {
                name: name.into(),
                codec: reelfarm_model::ladder::VideoCodec::H264,
                artifact,
                width,
                height,
                frame_rate: FRAME_RATE,
                frame_count: FRAMES,
            });
        }
        for (id, layout, filter) in [
            ("audio-en-stereo", ChannelLayout::Stereo, "aevalsrc='sin(440*t)|sin(550*t)':s=48000:d=11"),
            (
                "audio-en-surround",
                ChannelLayout::Surround51,
                "aevalsrc='sin(440*t)|sin(500*t)|sin(660*t)|sin(60*t)|sin(770*t)|sin(880*t)':c=5.1:s=48000:d=11",
            ),
        ] {
            let (artifact, path) = title.add(id);
            let path = path.to_str().unwrap();
            ffmpeg(&[
                "-f",
                "lavfi",
                "-i",
                filter,
                "-c:a",
                "aac",
                "-b:a",
                "96k",
                "-movflags",
                "+faststart",
                path,
            ]);
            title.audio.push(AudioRendition { id: id.into(), artifact, language: "eng".into(), layout });
        }
        title
    }

    fn add(&mut self, name: &str) -> (ArtifactKey, PathBuf) {
        let artifact = ArtifactKey(Digest::of(name.as_bytes()));
        let path = self.folder.path().join(format!("{name}.mp4"));
        self.renditions.insert(artifact, path.clone());
        (artifact, path)
    }

    /// The encoded renditions.
    pub(crate) fn renditions(&self) -> &BTreeMap<ArtifactKey, PathBuf> {
        &self.renditions
    }

    /// The title's folder at the origin.
    pub(crate) fn origin(&self) -> PathBuf {
        self.folder.path().join("title")
    }

    /// Where the profile's media set lies, from the title's folder.
    pub(crate) fn media_path(profile: &Profile) -> String {
        format!("media/{}/0f3a", profile.media_set)
    }

    /// How the profile's media set is made.
    pub(crate) fn package_spec(&self, profile: &Profile) -> PackageSpec {
        PackageSpec {
            media_set: profile.media_set.clone(),
            format: profile.container.media_format(),
            segment_seconds: profile.segment_seconds,
            video: self.video.clone(),
            audio: self.audio.clone(),
            encryption: None,
            base: None,
        }
    }

    /// The folders of the subtitles.
    pub(crate) fn subtitle_folders(&self) -> BTreeMap<ArtifactKey, PathBuf> {
        self.subtitles.iter().map(|track| (track.artifact, self.origin().join(&track.path))).collect()
    }

    /// Writes the subtitles, where they are not there yet.
    pub(crate) fn write_subtitles(&self) {
        for folder in self.subtitle_folders().values().filter(|folder| !folder.exists()) {
            for (path, content) in subtitles::track_files(SUBTITLES.as_bytes(), FRAMES * 40).unwrap() {
                let path = folder.join(path);
                fs_err::create_dir_all(path.parent().unwrap()).unwrap();
                fs_err::write(path, content).unwrap();
            }
        }
    }

    /// Makes the profile's media set and manifests, and lays them out as at an origin.
    pub(crate) fn publish(&self, profile: &Profile) {
        let media = self.origin().join(Self::media_path(profile));
        let spec = self.package_spec(profile);
        if !media.exists() && spec.format == MediaFormat::Progressive {
            fs_err::create_dir_all(&media).unwrap();
            self.mux(&spec, &media);
        } else if !media.exists() {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(packager().package(&spec, &self.renditions, None, &media, |_| {})).unwrap();
        }
        self.write_subtitles();
        let spec = self.manifest_spec(profile);
        for file in manifest::derive(&spec, &media, &self.subtitle_folders(), None).unwrap() {
            let path = self.origin().join(&profile.id).join(file.path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, file.content).unwrap();
        }
        assert!(self.origin().join(layout::manifest_path(profile, &Self::media_path(profile))).is_file());
    }

    fn mux(&self, spec: &PackageSpec, media: &Path) {
        let plan = progressive::plan(spec).unwrap();
        let path = |artifact: &ArtifactKey| self.renditions[artifact].to_str().unwrap().to_owned();
        ffmpeg(&[
            "-i",
            &path(&plan.video.artifact),
            "-i",
            &path(&plan.audio[0].artifact),
            "-map",
            "0:v",
            "-map",
            "1:a",
            "-c",
            "copy",
            "-metadata:s:a:0",
            "language=eng",
            "-movflags",
            "+faststart",
            media.join(plan.file_name).to_str().unwrap(),
        ]);
    }

    /// How the profile's manifests are made.
    pub(crate) fn manifest_spec(&self, profile: &Profile) -> ManifestSpec {
        ManifestSpec {
            profile: profile.clone(),
            media: ArtifactKey(Digest::of(b"media")),
            media_path: Self::media_path(profile),
            keys: None,
            key_uses: BTreeMap::new(),
            subtitles: self.subtitles.clone(),
        }
    }

    /// Reads the profile back.
    pub(crate) fn verify(&self, profile: &Profile) -> Result<VerificationReport, Vec<Finding>> {
        let spec = VerifySpec {
            profile: profile.clone(),
            manifests: profile.segment_seconds.map(|_| ArtifactKey(Digest::of(b"manifests"))),
            media_path: Self::media_path(profile),
            media: ArtifactKey(Digest::of(b"media")),
            package: self.package_spec(profile),
            subtitles: match profile.container {
                Container::Progressive | Container::Smooth => Vec::new(),
                _ => self.subtitles.clone(),
            },
        };
        let manifests = self.origin().join(&profile.id);
        let manifests = profile.segment_seconds.map(|_| manifests.as_path());
        let media = self.origin().join(Self::media_path(profile));
        verify(&spec, &media, manifests, &self.renditions, &self.subtitle_folders(), None)
    }
}
