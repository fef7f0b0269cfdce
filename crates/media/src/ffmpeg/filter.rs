//! A graph of FFmpeg's filters, given as text.
#![allow(unsafe_code)]

use std::ffi::CString;

use ffmpeg_next::{Frame, ffi, filter};

use super::Error;
use super::codec::check;
use crate::MediaError;

/// A configured graph with numbered inputs and one output.
pub(crate) struct FilterGraph {
    /// Owns what the pointers below lead to.
    _graph: filter::Graph,
    subject: String,
    inputs: Vec<*mut ffi::AVFilterContext>,
    output: *mut ffi::AVFilterContext,
}

// SAFETY: the pointers lead into the graph, which is owned here and moves with them; nothing in a graph is bound to
// the thread that made it.
unsafe impl Send for FilterGraph {}

/// What a graph's output gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pulled {
    /// A frame.
    Frame,
    /// Nothing before the next input.
    Nothing,
    /// Nothing ever again.
    End,
}

impl FilterGraph {
    /// Builds the graph of `text`, in FFmpeg's language of filter graphs. Sources are named `@in0`, `@in1`, … and
    /// the sink `@out`, as in `buffer@in0=…,scale=…,buffersink@out`.
    pub(crate) fn new(text: &str, subject: String) -> Result<Self, MediaError> {
        let mut graph = filter::Graph::new();
        // SAFETY: the graph is valid and not configured. Its filters run in the caller's thread.
        unsafe { (*graph.as_mut_ptr()).nb_threads = 1 };
        let call = |call, source| MediaError::Call { subject: format!("{subject}: {text}"), call, source };
        graph.parse(text).map_err(|source| call("avfilter_graph_parse_ptr", source))?;
        graph.validate().map_err(|source| call("avfilter_graph_config", source))?;
        let mut inputs = Vec::new();
        while let Some(input) = find(&graph, &["buffer", "abuffer"], &format!("in{}", inputs.len())) {
            inputs.push(input);
        }
        let output = find(&graph, &["buffersink", "abuffersink"], "out")
            .ok_or_else(|| MediaError::Unsupported(format!("{subject}: no output in {text}")))?;
        Ok(Self { _graph: graph, subject, inputs, output })
    }

    /// Puts in a frame, whose samples stay shared with the caller's; none says that the input has ended.
    pub(crate) fn push(&mut self, input: usize, frame: Option<&Frame>) -> Result<(), MediaError> {
        let Some(input) = self.inputs.get(input) else { return Ok(()) };
        // SAFETY: the input lives in the graph; a frame that is only written is not changed.
        let status = unsafe {
            ffi::av_buffersrc_write_frame(*input, frame.map_or(std::ptr::null(), |frame| frame.as_ptr()))
        };
        check(status, "av_buffersrc_write_frame", &self.subject).map(drop)
    }

    /// Takes the next frame out.
    pub(crate) fn pull(&mut self, frame: &mut Frame) -> Result<Pulled, MediaError> {
        // SAFETY: the output lives in the graph, the frame is valid; its old content is let go first.
        let status = unsafe {
            ffi::av_frame_unref(frame.as_mut_ptr());
            ffi::av_buffersink_get_frame(self.output, frame.as_mut_ptr())
        };
        self.pulled(status, "av_buffersink_get_frame")
    }

    /// Takes exactly so many samples out; fewer only at the end.
    pub(crate) fn pull_samples(&mut self, frame: &mut Frame, samples: i32) -> Result<Pulled, MediaError> {
        // SAFETY: as in `pull`.
        let status = unsafe {
            ffi::av_frame_unref(frame.as_mut_ptr());
            ffi::av_buffersink_get_samples(self.output, frame.as_mut_ptr(), samples)
        };
        self.pulled(status, "av_buffersink_get_samples")
    }

    fn pulled(&self, status: i32, call: &'static str) -> Result<Pulled, MediaError> {
        match Error::from(status) {
            _ if status >= 0 => Ok(Pulled::Frame),
            Error::Eof => Ok(Pulled::End),
            Error::Other { errno: ffmpeg_next::error::EAGAIN } => Ok(Pulled::Nothing),
            _ => check(status, call, &self.subject).map(|_| Pulled::Nothing),
        }
    }

    /// Number of inputs.
    pub(crate) fn inputs(&self) -> usize {
        self.inputs.len()
    }
}

fn find(graph: &filter::Graph, filters: &[&str], name: &str) -> Option<*mut ffi::AVFilterContext> {
    filters.iter().find_map(|filter| {
        let name = CString::new(format!("{filter}@{name}")).ok()?;
        // SAFETY: the graph is valid and is not changed by the search; the name ends in NUL.
        let found = unsafe { ffi::avfilter_graph_get_filter(graph.as_ptr().cast_mut(), name.as_ptr()) };
        (!found.is_null()).then_some(found)
    })
}
