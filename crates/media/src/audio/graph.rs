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
//! divided by the sum of the coefficients, so that full scale in every channel cannot clip; other layouts are
//! mixed by the same coefficients and divided in the same way. A mono track goes to both sides as it is.

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
                (1, ChannelLayout::Stereo) => {
                    "asplit[l][r];[l][r]join=inputs=2:channel_layout=stereo:map=0.0-FL|1.0-FR,".to_owned()
                }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn tracks(channels: &[u32]) -> Vec<InputFormat> {
        channels
            .iter()
            .map(|channels| InputFormat { channels: *channels, ..InputFormat::silence() })
            .collect()
    }

    #[test]
    fn only_what_has_the_channels_becomes_surround() {
        use ChannelLayout::{Stereo, Surround51};
        for (channels, layout, possible) in [
            (&[1][..], Stereo, true),
            (&[2], Stereo, true),
            (&[6], Stereo, true),
            (&[8], Surround51, true),
            (&[2], Surround51, false),
            (&[1, 1], Stereo, true),
            (&[1, 1], Surround51, false),
            (&[1; 6], Stereo, true),
            (&[1; 6], Surround51, true),
            (&[1; 4], Stereo, false),
            (&[], Stereo, false),
        ] {
            assert_eq!(text(&tracks(channels), layout, 1).is_ok(), possible, "{channels:?} to {layout:?}");
        }
    }

    #[test]
    fn every_track_is_an_input_of_its_own() {
        let text = text(&tracks(&[1; 6]), ChannelLayout::Stereo, 96_000).unwrap();
        for index in 0..6 {
            assert!(text.contains(&format!("abuffer@in{index}=")), "{text}");
        }
        assert_eq!(text.matches("apad=whole_len=96000,atrim=end_sample=96000").count(), 6, "{text}");
    }
}
