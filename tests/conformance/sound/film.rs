//! The films: one picture, many sounds.

use std::path::PathBuf;

use crate::judge::Clips;
use crate::support::clips::real;

/// The level at which the tone in two channels has −23 LUFS, in dBFS (EBU Tech 3341, case 1).
pub(super) const TARGET: f64 = -23.0;

/// Films of one clean picture.
pub(super) struct Films {
    clips: Clips,
    picture: PathBuf,
    seconds: f64,
}

impl Films {
    /// Whose picture lasts so many seconds, at 25 frames a second: a real one, again and again.
    pub(super) fn of(seconds: f64) -> Self {
        let clips = Clips::new();
        let picture = clips.make(
            "picture.mp4",
            &format!(
                "-stream_loop -1 -i {} -t {seconds} -an -vf scale=320:180 -c:v libx264 -preset ultrafast -g 50 \
                 -pix_fmt yuv420p",
                real("bigbuckbunny.mp4").display()
            ),
        );
        Self { clips, picture, seconds }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.clips.path(name)
    }

    /// A film from the picture and what these arguments say of sound; its second input is the first of theirs.
    pub(super) fn with(&self, name: &str, arguments: &str) -> PathBuf {
        self.clips.make(name, &format!("-i {} {arguments} -c:v copy", self.picture.display()))
    }

    /// A film with English sound of 24 bits, whose channels are these expressions of FFmpeg's.
    pub(super) fn sounding(&self, name: &str, channels: &[String]) -> PathBuf {
        self.with(
            name,
            &format!("{} -map 0:v -map 1:a -c:a pcm_s24le {ENGLISH}", source(channels, self.seconds)),
        )
    }

    /// Pink noise, in which a pair of channels are these of three independent ones, `val(0)` to `val(2)`.
    pub(super) fn noise(&self, name: &str, left: &str, right: &str) -> PathBuf {
        let inputs: String = (1..=3)
            .map(|seed| format!("-f lavfi -i anoisesrc=c=pink:r=48000:seed={seed}:a=0.3:d={} ", self.seconds))
            .collect();
        self.with(
            name,
            &format!(
                "{inputs} -filter_complex [1][2][3]amerge=inputs=3,aeval=exprs='{left}|{right}':c=stereo[sound] \
                 -map 0:v -map [sound] -c:a pcm_s24le {ENGLISH}"
            ),
        )
    }
}

/// That all tracks of sound are in English.
pub(super) const ENGLISH: &str = "-metadata:s:a language=eng";

/// An input of FFmpeg's of so many seconds at 48 kHz.
pub(super) fn source(channels: &[String], seconds: f64) -> String {
    let layout = match channels.len() {
        1 => "mono",
        2 => "stereo",
        5 => "5.0",
        6 => "5.1",
        other => panic!("{other} channels"),
    };
    format!("-f lavfi -i aevalsrc=exprs='{}':c={layout}:s=48000:d={seconds}", channels.join("|"))
}

/// The tone with peaks at so many dBFS; `turn` is a number of periods.
pub(super) fn tone(dbfs: f64, turn: f64) -> String {
    format!("{:.7}*sin(2*PI*(1000*t+{turn}))", amplitude(dbfs))
}

/// The tone left and right, a quarter of a period apart.
pub(super) fn stereo(dbfs: f64) -> Vec<String> {
    vec![tone(dbfs, 0.0), tone(dbfs, 0.25)]
}

/// Channels that are something else from `start` to `end`, in seconds: the first sample at `end` is their own again.
pub(super) fn but(channels: &[String], start: f64, end: f64, else_: &str) -> Vec<String> {
    channels.iter().map(|own| format!("if(gte(t,{start})*lt(t,{end}),{else_},{own})")).collect()
}

pub(super) fn amplitude(decibels: f64) -> f64 {
    10.0_f64.powf(decibels / 20.0)
}
