//! Packaging alone, for `scripts/bench package`: all profiles of the built-in list from encoded renditions, either as the
//! farm does it, each media set once, or each profile by itself with media of its own.
//!
//! `package_title shared|separate RENDITIONS OUTPUT PACKAGER FRAME_RATE FRAME_COUNT NAME=WIDTHxHEIGHT…`; the folder of
//! renditions has a `NAME.mp4` each and a `stereo.mp4`.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reelfarm_drm::{ContentKey, KeyRequest, KeyUris, Secret, TitleKeys, signal};
use reelfarm_model::key::Digest;
use reelfarm_model::ladder::ChannelLayout;
use reelfarm_model::profile::{DrmSystem, MediaFormat, MediaSetId, Scheme};
use reelfarm_model::task::{AudioRendition, Encryption, ManifestSpec, PackageSpec, VideoRendition};
use reelfarm_model::{ArtifactKey, Failure, KeyDivision, KeyId, KeyUse, Profile};
use reelfarm_packaging::profiles::{BUILT_IN, ProfileList};
use reelfarm_packaging::shaka::Packager;
use reelfarm_packaging::{derived, manifest, progressive, protection};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

type Fault = Box<dyn Error + Send + Sync>;
/// A media set by what it holds: format, scheme and seconds a segment.
type Made = (MediaFormat, Option<Scheme>, Option<u32>);

struct Title {
    video: Vec<VideoRendition>,
    audio: Vec<AudioRendition>,
    files: BTreeMap<ArtifactKey, PathBuf>,
    packager: Packager,
}

#[tokio::main]
async fn main() -> Result<(), Fault> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [mode, folder, output, packager, frame_rate, frame_count, rungs @ ..] = arguments.as_slice() else {
        return Err(
            "package_title MODE RENDITIONS OUTPUT PACKAGER FRAME_RATE FRAME_COUNT NAME=WIDTHxHEIGHT…".into(),
        );
    };
    let title =
        Arc::new(title(Path::new(folder), packager, (frame_rate.parse()?, frame_count.parse()?), rungs)?);
    let output = PathBuf::from(output);
    let list = ProfileList::parse("profiles.toml", BUILT_IN)?;
    // As many at once as there are processors, either way.
    let slots = Arc::new(Semaphore::new(std::thread::available_parallelism()?.get()));
    if mode == "shared" {
        shared(&title, list.all(), &output, &slots).await
    } else {
        separate(&title, list.all(), &output, &slots).await
    }
}

/// Every media set once, those that others are made of first; then the manifests of every profile.
async fn shared(
    title: &Arc<Title>,
    profiles: &[Profile],
    output: &Path,
    slots: &Arc<Semaphore>,
) -> Result<(), Fault> {
    let sets: BTreeMap<String, Made> =
        profiles.iter().map(|profile| (profile.media_set.0.clone(), made(profile))).collect();
    let folder_of = |wanted: Made| {
        sets.iter().find(|(_, set)| **set == wanted).map(|(name, _)| output.join("media").join(name))
    };
    for with_base in [false, true] {
        let mut tasks = JoinSet::new();
        for (name, set) in &sets {
            let base = base(*set);
            if base.is_some() != with_base {
                continue;
            }
            let base = base.map(|base| folder_of(base).ok_or("a base is in the list")).transpose()?;
            let (title, slots) = (title.clone(), slots.clone());
            let (set, target) = (*set, output.join("media").join(name));
            tasks.spawn(async move {
                let _slot = slots.acquire().await?;
                title.package(set, base, &target).await
            });
        }
        while let Some(result) = tasks.join_next().await {
            result??;
        }
    }
    for profile in profiles {
        title.manifests(profile, &output.join("media").join(&profile.media_set.0), output)?;
    }
    Ok(())
}

/// Every profile with media of its own, and with those that they are made of.
async fn separate(
    title: &Arc<Title>,
    profiles: &[Profile],
    output: &Path,
    slots: &Arc<Semaphore>,
) -> Result<(), Fault> {
    let mut tasks = JoinSet::new();
    for profile in profiles {
        let (title, slots, profile) = (title.clone(), slots.clone(), profile.clone());
        let (target, scratch) =
            (output.join("media").join(&profile.id), output.join("scratch").join(&profile.id));
        let output = output.to_owned();
        tasks.spawn(async move {
            let _slot = slots.acquire().await?;
            let set = made(&profile);
            if let Some(base) = base(set) {
                title.package(base, None, &scratch).await?;
                title.package(set, Some(scratch.clone()), &target).await?;
                fs_err::remove_dir_all(&scratch)?;
            } else {
                title.package(set, None, &target).await?;
            }
            title.manifests(&profile, &target, &output)
        });
    }
    while let Some(result) = tasks.join_next().await {
        result??;
    }
    Ok(())
}

fn made(profile: &Profile) -> Made {
    (profile.container.media_format(), profile.scheme, profile.segment_seconds)
}

fn base((format, scheme, seconds): Made) -> Option<Made> {
    match (format, scheme) {
        (MediaFormat::Ts, Some(Scheme::Aes128)) => Some((MediaFormat::Ts, None, seconds)),
        (MediaFormat::Smooth, scheme) => Some((MediaFormat::Cmaf, scheme, seconds)),
        (MediaFormat::Progressive, Some(_)) => Some((MediaFormat::Progressive, None, seconds)),
        _ => None,
    }
}

fn title(
    folder: &Path,
    packager: &str,
    (frame_rate, frame_count): (u32, u64),
    rungs: &[String],
) -> Result<Title, Fault> {
    let mut files = BTreeMap::new();
    let mut file = |name: &str| {
        let artifact = ArtifactKey(Digest::of(name.as_bytes()));
        files.insert(artifact, folder.join(format!("{name}.mp4")));
        artifact
    };
    let mut video = Vec::new();
    for rung in rungs {
        let (name, size) = rung.split_once('=').ok_or("NAME=WIDTHxHEIGHT")?;
        let (width, height) = size.split_once('x').ok_or("WIDTHxHEIGHT")?;
        let (width, height) = (width.parse()?, height.parse()?);
        video.push(VideoRendition {
            name: name.into(),
            codec: reelfarm_model::ladder::VideoCodec::H264,
            artifact: file(name),
            width,
            height,
            frame_rate,
            frame_count,
        });
    }
    let audio = vec![AudioRendition {
        id: "audio-en-stereo".into(),
        artifact: file("stereo"),
        language: "en".into(),
        layout: ChannelLayout::Stereo,
    }];
    Ok(Title { video, audio, files, packager: Packager::new(packager.into(), Vec::new()) })
}

impl Title {
    async fn package(
        &self,
        (format, scheme, seconds): Made,
        base: Option<PathBuf>,
        target: &Path,
    ) -> Result<(), Fault> {
        let artifact = |name: &str| ArtifactKey(Digest::of(name.as_bytes()));
        let spec = PackageSpec {
            media_set: MediaSetId("set".into()),
            format,
            segment_seconds: seconds,
            video: if format == MediaFormat::Progressive {
                self.video[..1].to_vec()
            } else {
                self.video.clone()
            },
            audio: self.audio.clone(),
            encryption: scheme.map(|scheme| Encryption { scheme, keys: artifact("keys") }),
            base: base.as_ref().map(|_| artifact("base")),
        };
        let keys = scheme.map(keys).transpose()?;
        fs_err::create_dir_all(target)?;
        let target = target.to_owned();
        if let Some(base) = base {
            let made = move || derived::package(&spec, &base, keys.as_ref(), &target, |_| {});
            return Ok(tokio::task::spawn_blocking(made).await??);
        }
        if format == MediaFormat::Progressive {
            return self.progressive(&spec, &target).await;
        }
        Ok(self.packager.package(&spec, &self.files, keys.as_ref(), &target, |_| {}).await?)
    }

    async fn progressive(&self, spec: &PackageSpec, target: &Path) -> Result<(), Fault> {
        let plan = progressive::plan(spec)?;
        let mut command = tokio::process::Command::new("ffmpeg");
        command
            .args(["-nostdin", "-v", "error", "-y", "-i"])
            .arg(&self.files[&plan.video.artifact])
            .arg("-i");
        command.arg(&self.files[&plan.audio[0].artifact]).args(["-map", "0:v", "-map", "1:a", "-c", "copy"]);
        command.args(["-metadata:s:a:0", "language=eng", "-movflags", "+faststart"]);
        let status = command.arg(target.join(plan.file_name)).status().await?;
        if status.success() { Ok(()) } else { Err(format!("ffmpeg: {status}").into()) }
    }

    fn manifests(&self, profile: &Profile, media: &Path, output: &Path) -> Result<(), Fault> {
        let keys = profile.scheme.map(keys).transpose()?;
        let spec = ManifestSpec {
            profile: profile.clone(),
            media: ArtifactKey(Digest::of(b"media")),
            media_path: format!("media/{}", profile.media_set),
            keys: keys.as_ref().map(|_| ArtifactKey(Digest::of(b"keys"))),
            key_uses: protection::key_uses(&self.video, &self.audio),
            subtitles: Vec::new(),
        };
        for file in manifest::derive(&spec, media, &BTreeMap::new(), keys.as_ref()).map_err(Failure::from)? {
            let path = output.join(&profile.id).join(file.path);
            fs_err::create_dir_all(path.parent().ok_or("a file lies in a folder")?)?;
            fs_err::write(path, file.content)?;
        }
        Ok(())
    }
}

fn keys(scheme: Scheme) -> Result<TitleKeys, Fault> {
    let key = ContentKey { id: KeyId([0x11; 16]), key: Secret::new([0x22; 16]) };
    let request = KeyRequest {
        title: "bench".parse()?,
        division: KeyDivision::Title,
        scheme,
        systems: DrmSystem::ALL.into(),
    };
    Ok(signal::title_keys([(KeyUse::All, key)].into(), &request, &KeyUris::default()))
}
