//! Decoded pictures in a form that can be read: luma and chroma as planes of their own.
//!
//! Most are so as they come out of the decoder. Others are converted by FFmpeg: components that lie between each other are
//! put apart, colours become BT.709 in limited range.

use ffmpeg_next::frame;
use reelfarm_analysis::picture::{Matrix, Plane};

use crate::ffmpeg::filter::{FilterGraph, Pulled};
use crate::ffmpeg::frame::{self as raw, Layout, blank, take};

/// What must stay the same for a filter graph to take the next picture. The filter `idet` reads a picture by the line sizes
/// of the one after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    width: u32,
    height: u32,
    layout: Layout,
    linesizes: [i32; 4],
}

impl Shape {
    fn of(frame: &frame::Video) -> Option<Self> {
        let layout = raw::layout(frame)?;
        Some(Self { width: frame.width(), height: frame.height(), layout, linesizes: raw::linesizes(frame) })
    }

    /// The source of a filter graph for such pictures. Nothing here depends on times, so their unit is arbitrary.
    pub(super) fn buffer(&self) -> String {
        let Self { width, height, layout, .. } = self;
        format!("buffer@in0=video_size={width}x{height}:pix_fmt={}:time_base=1/1000000", layout.name)
    }

    /// Width and height in samples.
    pub(super) fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Whether the last row comes first in memory.
    fn is_upside_down(&self) -> bool {
        self.linesizes.iter().any(|linesize| *linesize < 0)
    }
}

/// A picture that can be read.
pub(super) struct Picture {
    pub frame: frame::Video,
    pub shape: Shape,
    /// Whether samples use all their values.
    pub full_range: bool,
    /// How luma was made up from colours.
    pub matrix: Matrix,
}

impl Picture {
    /// Luma.
    pub(super) fn luma(&self) -> Option<Plane<'_>> {
        self.plane(0)
    }

    /// The blue and the red difference.
    pub(super) fn chroma(&self) -> Option<(Plane<'_>, Plane<'_>)> {
        self.shape.layout.chroma?;
        self.plane(1).zip(self.plane(2))
    }

    fn plane(&self, index: usize) -> Option<Plane<'_>> {
        let Shape { width, height, layout, .. } = self.shape;
        let (across, down) = layout.chroma.filter(|_| index > 0).unwrap_or_default();
        let size = |luma: u32, powers: u32| u64::from(luma).div_ceil(1 << powers.min(8)) as usize;
        let (columns, rows) = (size(width, across), size(height, down));
        let (bytes, stride) = raw::plane(&self.frame, index, columns * self.sample_bytes(), rows)?;
        Plane::new(bytes, stride, columns, rows, layout.bit_depth)
    }

    /// The bytes of luma from the first row's first sample to the last row's last one, and how many bytes apart rows begin.
    pub(super) fn luma_bytes(&self) -> Option<(&[u8], usize)> {
        raw::plane(
            &self.frame,
            0,
            self.shape.width as usize * self.sample_bytes(),
            self.shape.height as usize,
        )
    }

    /// Bytes of a sample.
    pub(super) fn sample_bytes(&self) -> usize {
        if self.bit_depth() > 8 { 2 } else { 1 }
    }

    /// Bits of a sample.
    pub(super) fn bit_depth(&self) -> u32 {
        self.shape.layout.bit_depth
    }
}

/// Makes pictures readable.
#[derive(Default)]
pub(super) struct Converter {
    /// The graph for pictures of one shape and range; none where there is no way.
    graph: Option<((Shape, bool), Option<FilterGraph>)>,
}

impl Converter {
    /// The picture of a decoded frame; none where it cannot be made readable.
    pub(super) fn readable(&mut self, frame: frame::Video) -> Option<Picture> {
        let shape = Shape::of(&frame)?;
        let full_range = is_full_range(&frame, &shape);
        let Some(filters) = filters(&shape, full_range) else {
            let matrix = matrix(&frame, &shape);
            return Some(Picture { frame, shape, full_range, matrix });
        };
        let key = (shape, full_range);
        if self.graph.as_ref().is_none_or(|(made_for, _)| *made_for != key) {
            let text = format!("{},{filters},buffersink@out", shape.buffer());
            self.graph = Some((key, FilterGraph::new(&text, "making pictures readable".to_owned()).ok()));
        }
        let (_, graph) = self.graph.as_mut()?;
        let converted = convert(graph.as_mut()?, &frame)?;
        let (full_range, matrix) = if is_of_colours(&shape.layout) {
            (false, Matrix::Bt709)
        } else {
            (full_range, matrix(&frame, &shape))
        };
        let shape =
            Shape::of(&converted).filter(|shape| shape.layout.is_planar && !shape.is_upside_down())?;
        Some(Picture { frame: converted, shape, full_range, matrix })
    }
}

fn convert(graph: &mut FilterGraph, frame: &frame::Video) -> Option<frame::Video> {
    graph.push(0, Some(frame)).ok()?;
    let mut converted = blank();
    (graph.pull(&mut converted).ok()? == Pulled::Frame).then(|| take(&mut converted).into())
}

/// Whether pictures are converted by their colours: they have no luma, or nothing but luma in a form of its own.
fn is_of_colours(layout: &Layout) -> bool {
    !layout.is_planar && (!layout.is_yuv || layout.chroma.is_none())
}

/// What makes pictures of a shape readable; none where they are.
fn filters(shape: &Shape, full_range: bool) -> Option<String> {
    let Layout { bit_depth, chroma, is_planar, .. } = shape.layout;
    if is_planar {
        return shape.is_upside_down().then(|| "copy".to_owned());
    }
    if is_of_colours(&shape.layout) {
        return Some("scale=out_range=tv:out_color_matrix=bt709,format=yuv420p".to_owned());
    }
    let sampling = match chroma {
        Some((1, 1)) => "420",
        Some((1, 0)) => "422",
        _ => "444",
    };
    let depth = match bit_depth {
        0..=8 => "",
        9..=10 => "10le",
        11..=12 => "12le",
        _ => "16le",
    };
    let range = if full_range { "pc" } else { "tv" };
    Some(format!("scale=in_range={range}:out_range={range},format=yuv{sampling}p{depth}"))
}

fn is_full_range(frame: &frame::Video, shape: &Shape) -> bool {
    let Layout { name, chroma, .. } = shape.layout;
    // FFmpeg's old way to say full range; and what it takes grey for where nothing is stated.
    name.starts_with("yuvj") || raw::is_full_range(frame).unwrap_or(chroma.is_none())
}

/// What is not stated is taken by size, as players do.
fn matrix(frame: &frame::Video, shape: &Shape) -> Matrix {
    let is_bt601 = raw::is_bt601(frame).unwrap_or(shape.width < 1280 && shape.height < 720);
    if is_bt601 { Matrix::Bt601 } else { Matrix::Bt709 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_be_read_is_converted() {
        let planar = Layout { name: "", bit_depth: 8, chroma: Some((1, 1)), is_planar: true, is_yuv: true };
        let between = Layout { is_planar: false, ..planar };
        let colours = "scale=out_range=tv:out_color_matrix=bt709,format=yuv420p";
        for (layout, linesize, full_range, expected) in [
            (planar, 64, false, None),
            (planar, -64, false, Some("copy")),
            (between, 64, false, Some("scale=in_range=tv:out_range=tv,format=yuv420p")),
            (between, -64, true, Some("scale=in_range=pc:out_range=pc,format=yuv420p")),
            (
                Layout { bit_depth: 10, chroma: Some((1, 0)), ..between },
                64,
                false,
                Some("scale=in_range=tv:out_range=tv,format=yuv422p10le"),
            ),
            (
                Layout { bit_depth: 14, chroma: Some((0, 0)), ..between },
                64,
                false,
                Some("scale=in_range=tv:out_range=tv,format=yuv444p16le"),
            ),
            (Layout { is_yuv: false, ..between }, 64, true, Some(colours)),
            (Layout { chroma: None, ..between }, 64, true, Some(colours)),
        ] {
            let shape = Shape { width: 64, height: 36, layout, linesizes: [linesize; 4] };
            assert_eq!(filters(&shape, full_range).as_deref(), expected, "{layout:?} {linesize}");
        }
    }
}
