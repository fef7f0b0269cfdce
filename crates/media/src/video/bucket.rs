//! The buffer of a decoder that is fed at a rung's rate: does what was encoded fit through it. ITU-T H.264, C.1.
//!
//! Chunks are encoded without knowing of each other, and yet their rendition must fit. So each begins as if the buffer were
//! no fuller than [`AT_JOINS`], and leaves it at least as full: whatever it begins with in truth, it then fits.

use reelfarm_model::Rung;

/// How full the buffer is taken to be where a chunk begins, and must be where it ends. From half full on x264 lets its lookahead
/// spend no more than comes in, so a chunk that is as dear as the rate allows ends within a hundredth of that.
pub(super) const AT_JOINS: f64 = 0.48;
/// How full it is where a rendition begins: x264's own default.
pub(super) const AT_START: f64 = 0.9;

/// A buffer between what arrives at the rate and what frames take out.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    /// In bits.
    size: f64,
    /// Bits that arrive from one frame to the next.
    arrives: f64,
    level: f64,
    lowest: f64,
}

impl Bucket {
    /// A rung's buffer, filled to this share.
    pub(super) fn new(rung: &Rung, frame_rate: u32, filled: f64) -> Self {
        let size = f64::from(rung.bufsize_kbps) * 1e3;
        let level = size * filled;
        let arrives = f64::from(rung.maxrate_kbps) * 1e3 / f64::from(frame_rate.max(1));
        Self { size, arrives, level, lowest: level }
    }

    /// Takes out a frame, in the order of decoding; whether it was all there.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        self.level -= bytes as f64 * 8.0;
        self.lowest = self.lowest.min(self.level);
        let was_there = self.level >= 0.0;
        // What was not there arrives later, and nothing else meanwhile.
        self.level = (self.level + self.arrives).min(self.size);
        was_there
    }

    /// Whether every frame was there, and the next chunk can begin.
    pub(super) fn holds(&self) -> bool {
        self.lowest >= 0.0 && self.level >= self.size * AT_JOINS
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reelfarm_model::ladder::VideoCodec;

    use super::*;

    fn rung(maxrate_kbps: u32, bufsize_kbps: u32) -> Rung {
        Rung {
            name: "r".into(),
            codec: VideoCodec::H264,
            width: 640,
            height: 360,
            min_source_kbps: 1,
            crf: 23,
            maxrate_kbps,
            bufsize_kbps,
            preset: "medium".into(),
            profile: "high".into(),
        }
    }

    #[test]
    fn a_frame_is_there_when_its_bits_have_arrived() {
        // 1,000 bits a frame, and room for 2,000.
        let mut bucket = Bucket::new(&rung(25, 2), 25, 0.5);
        assert!(bucket.take(125), "all that is there");
        assert!(bucket.take(125), "all that has arrived");
        assert!(bucket.holds());
        assert!(bucket.take(0) && bucket.take(0) && bucket.take(0));
        assert!(bucket.take(250), "it holds no more than its size");
        assert!(!bucket.take(126));
        assert!(!bucket.holds());
    }

    #[test]
    fn a_chunk_leaves_as_much_as_it_began_with() {
        // 200 bits a frame, and room for 2,000.
        let mut bucket = Bucket::new(&rung(5, 2), 25, AT_JOINS);
        assert!(bucket.take(25) && bucket.holds(), "as much as arrives: {bucket:?}");
        assert!(bucket.take(26) && !bucket.holds(), "{bucket:?}");
        assert!(bucket.take(24) && bucket.holds(), "{bucket:?}");
    }

    proptest! {
        #[test]
        fn what_holds_chunk_by_chunk_holds_when_it_is_joined(
            chunks in prop::collection::vec(prop::collection::vec(0_usize..400, 1..60), 1..8),
        ) {
            let rung = rung(25, 2);
            let kept: Vec<_> = chunks
                .into_iter()
                .filter(|chunk| {
                    let mut bucket = Bucket::new(&rung, 25, AT_JOINS);
                    chunk.iter().for_each(|bytes| { bucket.take(*bytes); });
                    bucket.holds()
                })
                .collect();
            for filled in [AT_JOINS, AT_START, 1.0] {
                let mut joined = Bucket::new(&rung, 25, filled);
                for bytes in kept.iter().flatten() {
                    prop_assert!(joined.take(*bytes));
                }
            }
        }
    }
}
