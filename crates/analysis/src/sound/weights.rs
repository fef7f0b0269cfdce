//! How much each channel counts in a programme's loudness.

use reelfarm_model::measurement::sound::Position;

/// What surround channels count for: +1.5 dB (ITU-R BS.1770-5, annex 1, table 3).
const SURROUND: f64 = 1.41;

/// The weights of a programme's channels. Only what comes from 60° to 120° to the side, at the height of the ears, counts
/// for more (ITU-R BS.1770-5, annex 3, table 4): the two surround channels of 5.1, at 110°, and the side channels of 7.1, at
/// 90°, but not the back channels of 7.1, at 135°. FFmpeg's `ebur128` takes these for surround channels as well.
///
/// A channel on its own is heard, wherever it belongs.
pub(super) fn weights(positions: impl ExactSizeIterator<Item = Position> + Clone) -> Vec<f64> {
    if positions.len() == 1 {
        return vec![1.0];
    }
    let has_sides =
        positions.clone().any(|position| matches!(position, Position::SideLeft | Position::SideRight));
    positions
        .map(|position| match position {
            Position::LowFrequency => 0.0,
            Position::SideLeft | Position::SideRight => SURROUND,
            Position::BackLeft | Position::BackRight if !has_sides => SURROUND,
            _ => 1.0,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Position::{
        BackLeft, BackRight, FrontCentre, FrontLeft, FrontRight, LowFrequency, Mono, Other, SideLeft,
        SideRight,
    };

    #[test]
    fn layouts_have_their_weights() {
        let front = [FrontLeft, FrontRight, FrontCentre, LowFrequency];
        for (more, expected) in [
            (&[][..], &[][..]),
            (&[BackLeft, BackRight], &[1.41, 1.41]),
            (&[SideLeft, SideRight], &[1.41, 1.41]),
            (&[BackLeft, BackRight, SideLeft, SideRight], &[1.0, 1.0, 1.41, 1.41]),
            (&[BackLeft, BackRight, Other], &[1.41, 1.41, 1.0]),
        ] {
            let positions = [&front[..], more].concat();
            let found = weights(positions.into_iter());
            assert_eq!(found, [&[1.0, 1.0, 1.0, 0.0][..], expected].concat());
        }
        for only in [Mono, FrontLeft, LowFrequency, BackLeft] {
            assert_eq!(weights([only].into_iter()), [1.0]);
        }
    }
}
