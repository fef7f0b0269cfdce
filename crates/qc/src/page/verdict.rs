//! Verdicts in words, signs and classes of the style sheet: each is told from the others without colour.

use reelfarm_model::qc::Verdict;

use super::markup::Markup;

/// What becomes of a source with this verdict.
pub(super) fn sentence(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "Passed",
        Verdict::Warn => "Passed with warnings",
        Verdict::Human => "Somebody has to look",
        Verdict::Reject => "Rejected",
    }
}

/// The verdict of one check.
pub(super) fn word(verdict: Verdict) -> &'static str {
    verdict.as_str()
}

/// The class of a mark in the time line.
pub(super) fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "mark pass",
        Verdict::Warn => "mark warn",
        Verdict::Human => "mark human",
        Verdict::Reject => "mark reject",
    }
}

/// The class of what is said of a check.
pub(super) fn finding(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "finding pass",
        Verdict::Warn => "finding warn",
        Verdict::Human => "finding human",
        Verdict::Reject => "finding reject",
    }
}

/// Writes a verdict as a badge.
pub(super) fn badge(markup: &mut Markup, verdict: Verdict, words: &str) {
    let (class, sign) = match verdict {
        Verdict::Pass => ("badge pass", "✓"),
        Verdict::Warn => ("badge warn", "!"),
        Verdict::Human => ("badge human", "?"),
        Verdict::Reject => ("badge reject", "✕"),
    };
    markup.within("span", &[("class", class)], |markup| {
        markup.element("span", &[("aria-hidden", "true")], sign);
        markup.text(&format!(" {words}"));
    });
}
