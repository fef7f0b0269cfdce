//! How alike pictures are: SSIM of luma, by FFmpeg's filter.

use ffmpeg_next::{Rational, frame};

use super::convert::zscale;
use crate::MediaError;
use crate::ffmpeg::filter::{FilterGraph, Pulled};
use crate::ffmpeg::frame::{blank, metadata};

/// Compares pictures of 8-bit 4:2:0, pair by pair.
pub(super) struct Similarity {
    graph: FilterGraph,
    subject: String,
    sum: f64,
    pairs: u64,
}

impl Similarity {
    /// Compares pictures of one size with references of another one, to which they are scaled.
    pub(super) fn new(
        size: (u32, u32),
        reference: (u32, u32),
        frame_rate: u32,
        subject: String,
    ) -> Result<Self, MediaError> {
        let time_base = Rational::new(1, i32::try_from(frame_rate).unwrap_or(i32::MAX));
        let input = |number: u32, (width, height): (u32, u32)| {
            format!("buffer@in{number}=video_size={width}x{height}:pix_fmt=yuv420p:time_base={time_base}")
        };
        let scale = match size == reference {
            true => String::new(),
            false => format!(",{}", zscale(reference.0, reference.1, "yuv420p").join(",")),
        };
        let text = format!(
            "{}{scale}[picture];{}[reference];[picture][reference]ssim,buffersink@out",
            input(0, size),
            input(1, reference)
        );
        Ok(Self { graph: FilterGraph::new(&text, subject.clone())?, subject, sum: 0.0, pairs: 0 })
    }

    /// Takes in a pair with the same time.
    pub(super) fn compare(
        &mut self,
        picture: &frame::Video,
        reference: &frame::Video,
    ) -> Result<(), MediaError> {
        self.graph.push(0, Some(picture))?;
        self.graph.push(1, Some(reference))?;
        self.take()
    }

    /// The mean of exactly so many pairs, from 0 to 1.
    ///
    /// # Errors
    /// There were not so many.
    pub(super) fn mean(mut self, expected: u64) -> Result<f64, MediaError> {
        self.graph.push(0, None)?;
        self.graph.push(1, None)?;
        self.take()?;
        if self.pairs != expected || expected == 0 {
            let Self { subject, pairs, .. } = self;
            return Err(MediaError::Count { subject, unit: "frames", expected, found: pairs });
        }
        Ok(self.sum / self.pairs as f64)
    }

    fn take(&mut self) -> Result<(), MediaError> {
        let mut compared = blank();
        while self.graph.pull(&mut compared)? == Pulled::Frame {
            let found = metadata(&compared, c"lavfi.ssim.Y").and_then(|text| text.parse::<f64>().ok());
            let Some(ssim) = found.filter(|ssim| ssim.is_finite()) else {
                return Err(MediaError::Unsupported(format!("{}: no SSIM of a frame", self.subject)));
            };
            self.sum += ssim;
            self.pairs += 1;
        }
        Ok(())
    }
}
