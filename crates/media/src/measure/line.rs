//! How far times lie from the straight line through the first and the last of them, taken in one by one.
//!
//! Only corners of the points' convex hull can be the furthest from a line, and of points that nearly lie on one these are
//! few, however many points there are.

/// Corners that are kept on each side. Only frames that follow each other ever faster, or ever slower, have more: then about half
/// of them stay, evenly apart, which makes little difference to so fine a curve.
const MOST_CORNERS: usize = 4_096;

/// The index of a frame and its time in ticks.
type Point = (i128, i128);

/// Points, of which it remembers the corners.
#[derive(Debug, Default)]
pub(super) struct Line {
    first: Option<Point>,
    last: Point,
    above: Vec<Point>,
    below: Vec<Point>,
}

impl Line {
    /// The next frame's index, which is above that of the one before, and its time in ticks.
    pub(super) fn push(&mut self, index: u64, time: i64) {
        let point = (i128::from(index), i128::from(time));
        self.first.get_or_insert(point);
        self.last = point;
        push(&mut self.above, point, |turn| turn < 0);
        push(&mut self.below, point, |turn| turn > 0);
    }

    /// The largest distance of a time from the line, in ticks; `None` of fewer than two.
    pub(super) fn largest_deviation(&self) -> Option<f64> {
        let (index, time) = self.first?;
        let (length, rise) = (self.last.0 - index, self.last.1 - time);
        let corners = self.above.iter().chain(&self.below);
        let largest =
            corners.map(|corner| ((corner.1 - time) * length - (corner.0 - index) * rise).abs()).max()?;
        (length > 0).then(|| largest as f64 / length as f64)
    }
}

/// Adds a point to the corners of one side and lets those go that are none any more (Andrew's monotone chain).
fn push(corners: &mut Vec<Point>, point: Point, is_corner: impl Fn(i128) -> bool) {
    while let [.., before, corner] = corners.as_slice() {
        let turn =
            (corner.0 - before.0) * (point.1 - before.1) - (corner.1 - before.1) * (point.0 - before.0);
        if is_corner(turn) {
            break;
        }
        corners.pop();
    }
    if let Some((first, _)) = corners.first().filter(|_| corners.len() >= MOST_CORNERS) {
        let apart = (point.0 - first) / (MOST_CORNERS / 2) as i128;
        let mut next = *first;
        corners.retain(|(index, _)| {
            let is_kept = *index >= next;
            if is_kept {
                next = index + apart;
            }
            is_kept
        });
    }
    corners.push(point);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(times: &[i64]) -> Line {
        let mut line = Line::default();
        times.iter().zip(0..).for_each(|(time, index)| line.push(index, *time));
        line
    }

    #[test]
    fn a_bend_in_the_middle_is_seen() {
        // 24 frames a second, then 25: the middle lies half the difference off.
        let times: Vec<i64> =
            (0..48).map(|frame| frame * 3750).chain((0..=50).map(|frame| 180_000 + frame * 3600)).collect();
        let deviation = line(&times).largest_deviation().unwrap();
        let mean = 360_000.0 / 98.0;
        assert!((deviation - (180_000.0 - 48.0 * mean)).abs() < 1e-6, "{deviation}");
    }

    #[test]
    fn fewer_than_two_have_none() {
        assert_eq!(line(&[]).largest_deviation(), None);
        assert_eq!(line(&[7]).largest_deviation(), None);
        assert_eq!(line(&[7, i64::MAX]).largest_deviation(), Some(0.0));
    }

    #[test]
    fn times_that_run_ever_faster_are_remembered_in_part() {
        let times: Vec<i64> = (0..100_000).map(|frame: i64| frame * frame).collect();
        let line = line(&times);
        assert!(line.below.len() <= MOST_CORNERS + 1, "{}", line.below.len());
        let (deviation, expected) = (line.largest_deviation().unwrap(), 99_999.0 * 99_999.0 / 4.0);
        assert!((deviation - expected).abs() < 0.001 * expected, "{deviation}");
    }

    proptest! {
        #[test]
        fn it_is_the_largest_of_all_distances(times in prop::collection::vec(any::<i64>(), 2..60)) {
            let (first, last) = (i128::from(times[0]), i128::from(times[times.len() - 1]));
            let length = times.len() as i128 - 1;
            let largest = times.iter().zip(0i128..).map(|(time, index)| {
                ((i128::from(*time) - first) * length - index * (last - first)).abs()
            });
            let largest = largest.max().unwrap() as f64 / length as f64;
            prop_assert_eq!(line(&times).largest_deviation(), Some(largest));
        }
    }
}
