//! The film that clips are made of.

use std::path::PathBuf;

use crate::judge::Clips;

/// A film in which nothing is wrong: graphics and a little grain that move throughout, and pink noise, different in either
/// channel, as loud as EBU R 128 asks for.
#[derive(Clone)]
pub(super) struct Film {
    /// The file's name, which says in what container it is.
    pub(super) name: String,
    seconds: f64,
    rate: u32,
    size: (u32, u32),
    picture: Option<String>,
    filters: String,
    video: String,
    sound: String,
    file: String,
}

impl Film {
    /// At 25 frames a second, 426x240, in H.264 next to lossless.
    pub(super) fn new(name: &str, seconds: f64) -> Self {
        let is_mp4 = name.ends_with(".mp4") || name.ends_with(".ts");
        Self {
            name: name.to_owned(),
            seconds,
            rate: 25,
            size: (426, 240),
            picture: None,
            filters: String::new(),
            video: "-c:v libx264 -preset ultrafast -qp 12 -pix_fmt yuv420p".to_owned(),
            sound: if is_mp4 { "-c:a aac -b:a 192k" } else { "-c:a pcm_s16le" }.to_owned(),
            file: String::new(),
        }
    }

    pub(super) fn rate(self, rate: u32) -> Self {
        Self { rate, ..self }
    }

    pub(super) fn size(self, width: u32, height: u32) -> Self {
        Self { size: (width, height), ..self }
    }

    /// Filters that its pictures go through.
    pub(super) fn filtered(self, filters: impl Into<String>) -> Self {
        Self { filters: format!("{},{}", self.filters, filters.into()), ..self }
    }

    /// Another picture: a source of FFmpeg's, with filters of its own, without size, rate and length.
    pub(super) fn showing(self, source: impl Into<String>) -> Self {
        Self { picture: Some(source.into()), ..self }
    }

    /// Another codec for the picture, with its options.
    pub(super) fn coded(self, video: impl Into<String>) -> Self {
        Self { video: video.into(), ..self }
    }

    /// Further options for the picture's codec.
    pub(super) fn with(self, options: &str) -> Self {
        Self { video: format!("{} {options}", self.video), ..self }
    }

    /// Another codec for the sound.
    pub(super) fn sounding(self, sound: &str) -> Self {
        Self { sound: sound.to_owned(), ..self }
    }

    /// Further options for the file.
    pub(super) fn filed(self, options: &str) -> Self {
        Self { file: options.to_owned(), ..self }
    }

    /// Makes the file.
    pub(super) fn make(&self, clips: &Clips) -> PathBuf {
        let Self { seconds, rate, size: (width, height), filters, video, sound, file, .. } = self;
        let form = format!("size={width}x{height}:rate={rate}");
        let picture = match &self.picture {
            Some(picture) => {
                let (source, rest) = picture.split_once(',').unwrap_or((picture, "null"));
                let separator = if source.contains('=') { ':' } else { '=' };
                format!("{source}{separator}{form},{rest}")
            }
            None => format!("testsrc2={form},scroll=horizontal=0.01,noise=alls=12:allf=t:all_seed=1"),
        };
        let noise = |seed: u32| {
            format!("anoisesrc=color=pink:sample_rate=48000:amplitude=0.27:seed={seed}:duration={seconds}")
        };
        clips.make(
            &self.name,
            &format!(
                "-f lavfi -i {picture},trim=duration={seconds}{filters} -f lavfi -i {} -f lavfi -i {} \
                 -filter_complex [1][2]join=inputs=2:channel_layout=stereo[sound] -map 0:v -map [sound] {video} {sound} \
                 -metadata:s:a:0 language=eng {file}",
                noise(1),
                noise(2)
            ),
        )
    }
}
