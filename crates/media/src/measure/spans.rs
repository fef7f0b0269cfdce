//! Stretches of time that are found one by one.

use reelfarm_model::measurement::{Span, Spans};

/// Stretches that are kept; beyond so many they are only counted.
const KEPT: usize = 1_000;

/// Adds a stretch to those that were found.
pub(super) fn add(found: &mut Spans, span: Span) {
    found.count += 1;
    found.seconds += span.end - span.start;
    if found.first.len() < KEPT {
        found.first.push(span);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_a_thousand_they_are_counted() {
        let mut found = Spans::default();
        for start in 0..1_500 {
            add(&mut found, Span { start: f64::from(start), end: f64::from(start) + 0.5 });
        }
        assert_eq!((found.count, found.seconds, found.first.len()), (1_500, 750.0, KEPT));
    }
}
