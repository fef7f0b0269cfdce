//! Options for FFmpeg, with a check that each was taken: FFmpeg drops names it does not know without a word.
#![allow(unsafe_code)]

use ffmpeg_next::Dictionary;
use ffmpeg_next::ffi::AVDictionary;

use crate::MediaError;

/// Names and values to pass on opening something.
pub(crate) struct Options(Vec<(&'static str, String)>);

impl Options {
    /// These options.
    pub(crate) fn new<const N: usize>(pairs: [(&'static str, &str); N]) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name, value.to_owned())).collect())
    }

    /// The same options and one more.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: &impl ToString) -> Self {
        self.0.push((name, value.to_string()));
        self
    }

    /// Calls FFmpeg's `open` with the options, then checks that it took all of them.
    ///
    /// `open` gets FFmpeg's dictionary, from which it takes the entries that it knows. Its own failure comes before
    /// that of an option left over.
    pub(crate) fn pass<T>(
        self,
        subject: &str,
        open: impl FnOnce(*mut *mut AVDictionary) -> Result<T, MediaError>,
    ) -> Result<T, MediaError> {
        let mut dictionary = Dictionary::new();
        for (name, value) in &self.0 {
            dictionary.set(name, value);
        }
        // SAFETY: ownership goes to the local pointer and, whatever `open` replaced it by, back to a new owner.
        let mut pointer = unsafe { dictionary.disown() };
        let result = open(&raw mut pointer);
        // SAFETY: as above; FFmpeg leaves a valid dictionary or null.
        let left = unsafe { Dictionary::own(pointer) };
        let value = result?;
        match left.iter().next() {
            Some((option, _)) => {
                Err(MediaError::OptionNotTaken { subject: subject.to_owned(), option: option.to_owned() })
            }
            None => Ok(value),
        }
    }
}
