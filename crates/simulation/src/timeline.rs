//! A day as lines that a person reads: each title with a deadline, when it came, when it was due, and how it went.

use std::fmt::Write as _;

use crate::MINUTE_MS;
use crate::draw::Drawn;
use crate::engine::Outcome;
use crate::orders::Contender;

/// Columns of the strip from arrival to deadline.
const STRIP: i64 = 30;

/// The titles with a deadline in the order of arrival. In the strip, which ends with the deadline, `.` is waiting, `=` is
/// work, and `!` at its end says that it was late.
pub fn timeline(drawn: &Drawn, policy: Contender, outcome: &Outcome) -> String {
    let mut text = format!(
        "{}\n{:15}{:>8}{:>8}{:>8}  {:31} by, min\n",
        policy.as_str(),
        "",
        "came",
        "due",
        "online",
        ""
    );
    let times = outcome.begun_ms.iter().zip(&outcome.online_ms);
    for (title, (begun_ms, online_ms)) in drawn.titles.iter().zip(times) {
        let Some(due_ms) = title.required_by_ms else { continue };
        let window_ms = (due_ms - title.arrives_ms).max(1);
        let column = |ms: i64| ((ms - title.arrives_ms) * STRIP / window_ms).clamp(0, STRIP);
        let (begun, online) = (column(*begun_ms), column(*online_ms));
        let strip: String = (0..STRIP)
            .map(|at| match at {
                at if at < begun => '.',
                at if at <= online => '=',
                _ => ' ',
            })
            .collect();
        let late_ms = online_ms - due_ms;
        let mark = if late_ms > 0 { '!' } else { '|' };
        let how = if late_ms > 0 { "late" } else { "early" };
        let _ = writeln!(
            text,
            "{:15}{:>8}{:>8}{:>8}  {strip}{mark} {:.1} {how}",
            title.kind.as_str(),
            clock(title.arrives_ms),
            clock(due_ms),
            clock(*online_ms),
            late_ms.abs() as f64 / MINUTE_MS as f64
        );
    }
    text
}

/// Hours and minutes since the start of the day; they go on after 24 hours.
fn clock(ms: i64) -> String {
    let minutes = ms.div_euclid(MINUTE_MS);
    format!("{}:{:02}", minutes.div_euclid(60), minutes.rem_euclid(60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_goes_on_after_a_day() {
        assert_eq!(clock(0), "0:00");
        assert_eq!(clock(61 * MINUTE_MS + 59_999), "1:01");
        assert_eq!(clock(1_500 * MINUTE_MS), "25:00");
    }
}
