//! TTML (W3C TTML1), in so far as side files use it: paragraphs with times, spans, line breaks, styles and regions, as in
//! DFXP, EBU-TT-D and IMSC text.

mod paragraph;
mod place;
mod read;
mod style;
mod time;
#[cfg(test)]
mod write;

pub(super) use self::read::read;
#[cfg(test)]
pub(super) use self::write::write;
