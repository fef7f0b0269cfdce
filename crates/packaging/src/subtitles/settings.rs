//! Where a cue stands: WebVTT's cue settings (W3C WebVTT 3.5), which the other formats' places are put into.

use std::fmt;

/// How a cue's lines are aligned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Align {
    /// Where the language's lines begin.
    Start,
    /// In the middle.
    #[default]
    Center,
    /// Where the language's lines end.
    End,
    /// At the left.
    Left,
    /// At the right.
    Right,
}

impl Align {
    /// The name, which WebVTT and TTML share.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Center => "center",
            Self::End => "end",
            Self::Left => "left",
            Self::Right => "right",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        // WebVTT said "middle" until 2016.
        let name = if name == "middle" { "center" } else { name };
        [Self::Start, Self::Center, Self::End, Self::Left, Self::Right]
            .into_iter()
            .find(|align| align.as_str() == name)
    }
}

/// WebVTT's settings of one cue. Prints as they stand behind its times; nothing for the usual place, the middle of the
/// lowest lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings(Vec<(&'static str, String)>);

impl Settings {
    /// The settings for a place at the top or at the bottom.
    pub fn placed(top: bool, align: Align) -> Self {
        let line = top.then(|| ("line", "0".to_owned()));
        let align = (align != Align::Center).then(|| ("align", align.as_str().to_owned()));
        Self(line.into_iter().chain(align).collect())
    }

    /// Reads what stands behind a cue's times. As the specification demands, what makes no sense is left out; so are
    /// regions, which are not read.
    pub(super) fn parse(text: &str) -> Self {
        let mut settings = Vec::new();
        for (name, value) in text.split_ascii_whitespace().filter_map(|setting| setting.split_once(':')) {
            let known =
                ["vertical", "line", "position", "size", "align"].into_iter().find(|known| *known == name);
            let Some(name) = known.filter(|known| settings.iter().all(|(other, _)| other != known)) else {
                continue;
            };
            let value = match name {
                "align" => Align::from_name(value)
                    .filter(|align| *align != Align::Center)
                    .map(|align| align.as_str()),
                name => Some(value).filter(|value| is_valid(name, value)),
            };
            settings.extend(value.map(|value| (name, value.to_owned())));
        }
        Self(settings)
    }

    #[cfg(test)]
    fn get(&self, wanted: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.as_str())
    }

    /// Whether the cue stands in the upper half: for formats that know no more than that.
    #[cfg(test)]
    pub(super) fn is_top(&self) -> bool {
        /// Half the lines that most players have room for.
        const HALF: u32 = 8;

        let line = self.get("line").map(|line| line.split(',').next().unwrap_or_default());
        line.is_some_and(|line| match line.strip_suffix('%') {
            Some(percent) => percent.parse::<f64>().is_ok_and(|percent| percent < 50.0),
            // A negative number counts from the bottom, and is none of this type.
            None => line.parse::<u32>().is_ok_and(|line| line < HALF),
        })
    }

    /// How the lines are aligned.
    #[cfg(test)]
    pub(super) fn align(&self) -> Align {
        self.get("align").and_then(Align::from_name).unwrap_or_default()
    }
}

/// Whether a setting other than `align` may have the value (W3C WebVTT 4.4).
fn is_valid(name: &str, value: &str) -> bool {
    let (place, align) = value.split_once(',').map_or((value, None), |(place, align)| (place, Some(align)));
    let aligned = |known: &[&str]| align.is_none_or(|align| known.contains(&align));
    match name {
        "vertical" => matches!(value, "rl" | "lr"),
        "line" => {
            let is_line = is_digits(place.strip_prefix('-').unwrap_or(place));
            (is_line || is_percentage(place)) && aligned(&["start", "center", "end"])
        }
        "position" => is_percentage(place) && aligned(&["line-left", "center", "line-right"]),
        _ => is_percentage(value),
    }
}

fn is_percentage(text: &str) -> bool {
    let Some(number) = text.strip_suffix('%') else { return false };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = is_digits(whole) && is_digits(fraction);
    is_number && number.parse::<f64>().is_ok_and(|number| number <= 100.0)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.0.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{name}:{value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_and_nonsense_does_not() {
        for (text, kept, top, align) in [
            ("", "", false, Align::Center),
            ("line:0 align:start", "line:0 align:start", true, Align::Start),
            (
                "position:10%,line-left  line:84.5%,end\tsize:35%",
                "position:10%,line-left line:84.5%,end size:35%",
                false,
                Align::Center,
            ),
            ("line:10% align:middle", "line:10%", true, Align::Center),
            ("line:-1 vertical:rl align:right", "line:-1 vertical:rl align:right", false, Align::Right),
            ("line:14", "line:14", false, Align::Center),
            ("region:fred color:red line: size align:up line:0>", "", false, Align::Center),
            ("line:1 line:2", "line:1", true, Align::Center),
            ("line:abc size:999% position:x vertical:foo align:left", "align:left", false, Align::Left),
            ("line:0,left position:10 size:50 vertical:RL", "", false, Align::Center),
            ("line:1.5 size:100.1% position:.5%", "", false, Align::Center),
            ("line:--1 size:1e1% position:50.%", "", false, Align::Center),
            (
                "line:5%,center size:100% position:0%,line-right",
                "line:5%,center size:100% position:0%,line-right",
                true,
                Align::Center,
            ),
        ] {
            let settings = Settings::parse(text);
            assert_eq!(
                (settings.to_string().as_str(), settings.is_top(), settings.align()),
                (kept, top, align)
            );
            assert_eq!(Settings::parse(kept), settings);
        }
        for (top, align) in
            [(false, Align::Center), (true, Align::Center), (true, Align::End), (false, Align::Left)]
        {
            let settings = Settings::placed(top, align);
            assert_eq!((settings.is_top(), settings.align()), (top, align));
            assert_eq!(Settings::parse(&settings.to_string()), settings);
        }
    }
}
