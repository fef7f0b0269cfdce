//! The filter graph of a rendition, as text: a pure function of what the tracks look like.
//!
//! Every track is brought to 48 kHz on the sound's timeline, with gaps of more than 10 ms filled or overlaps cut,
//! and padded or cut to the rendition's length; then channels are joined or mixed. Mixing down follows ITU-R
//! BS.775-3, annex 4: centre and surrounds at −3 dB into left and right, without the low-frequency channel,
//!
//! ```text
//! L' = (L + √½ C + √½ Ls) / (1 + 2·√½)      R' = (R + √½ C + √½ Rs) / (1 + 2·√½)
//! ```
//!
//! divided by the sum of the coefficients, so that full scale in every channel cannot clip. A mono track goes to
//! both sides as it is.

use reelfarm_model::ladder::ChannelLayout;

use super::SAMPLE_RATE;
use super::zero::TICKS_PER_SECOND;
use crate::MediaError;

/// What a track's decoded frames look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct InputFormat {
    /// Samples per second.
    pub sample_rate: u32,
    /// FFmpeg's name of the form of the samples.
    pub sample_format: String,
    /// FFmpeg's name of the channel layout.
    pub layout: String,
    /// Number of channels.
    pub channels: u32,
}

impl InputFormat {
    /// That of a track that holds no sound.
    pub(super) fn silence() -> Self {
        Self { sample_rate: SAMPLE_RATE, sample_format: "fltp".into(), layout: "mono".into(), channels: 1 }
    }
}

/// The graph that makes `samples` samples in `layout` from the inputs: one track with all channels, or one mono
/// track a channel.
pub(super) fn text(
    inputs: &[InputFormat],
    layout: ChannelLayout,
    samples: u64,
) -> Result<String, MediaError> {
    let tracks = inputs.iter().enumerate();
    let output = format!("aformat=sample_fmts=fltp:channel_layouts={},abuffersink@out", layout.ffmpeg_name());
    match inputs {
        [track] => {
            let channels = match (track.channels, layout) {
                (1, ChannelLayout::Stereo) => "pan=stereo|c0=c0|c1=c0,".to_owned(),
                (_, ChannelLayout::Stereo) => mix_down(),
                (6.., ChannelLayout::Surround51) => String::new(),
                (channels, ChannelLayout::Surround51) => {
                    return Err(MediaError::Unsupported(format!(
                        "5.1 cannot be made from a track with {channels} channels"
                    )));
                }
            };
            Ok(format!("{},{channels}{output}", on_timeline(0, track, None, samples)))
        }
        [_, _] | [_, _, _, _, _, _] => {
            let surround = inputs.len() == 6;
            let channels = match (surround, layout) {
                (true, ChannelLayout::Stereo) => mix_down(),
                (true, ChannelLayout::Surround51) | (false, ChannelLayout::Stereo) => String::new(),
                (false, ChannelLayout::Surround51) => {
                    return Err(MediaError::Unsupported(
                        "5.1 cannot be made from two mono tracks".to_owned(),
                    ));
                }
            };
            let (joined, map) = if surround {
                ("5.1", "0.0-FL|1.0-FR|2.0-FC|3.0-LFE|4.0-BL|5.0-BR")
            } else {
                ("stereo", "0.0-FL|1.0-FR")
            };
            let chains: Vec<_> = tracks
                .map(|(index, track)| {
                    format!("{}[t{index}]", on_timeline(index, track, Some("mono"), samples))
                })
                .collect();
            let labels: String = (0..inputs.len()).map(|index| format!("[t{index}]")).collect();
            Ok(format!(
                "{};{labels}join=inputs={}:channel_layout={joined}:map={map},{channels}{output}",
                chains.join(";"),
                inputs.len()
            ))
        }
        _ => Err(MediaError::Unsupported(format!("{} mono tracks are no programme", inputs.len()))),
    }
}

/// A track from its source to exactly the wanted samples.
fn on_timeline(index: usize, track: &InputFormat, layout: Option<&str>, samples: u64) -> String {
    let InputFormat { sample_rate, sample_format, layout: own, .. } = track;
    let layout = layout.unwrap_or(own);
    format!(
        "abuffer@in{index}=time_base=1/{TICKS_PER_SECOND}:sample_rate={sample_rate}:sample_fmt={sample_format}\
         :channel_layout={own},\
         aresample=sample_rate={SAMPLE_RATE}:async=1:min_comp=0.00001:min_hard_comp=0.01:first_pts=0\
         :rematrix_maxval=1,\
         aformat=sample_fmts=fltp:channel_layouts={layout},\
         apad=whole_len={samples},atrim=end_sample={samples}"
    )
}

fn mix_down() -> String {
    "aresample=rematrix_maxval=1:clev=0.70710678:slev=0.70710678:lfe_mix_level=0,".to_owned()
}
