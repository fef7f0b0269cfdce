//! Expressions of the policy's rules: CEL, the Common Expression Language, over what was measured of a source.
//!
//! Promises: an expression that was read names only what there is, and is true or false for a source of which all was
//! measured; evaluating one takes bounded time and never panics. What a source lacks is an error, never a silent `false`.

use std::fmt;
use std::sync::Arc;

use cel::{Context, ExecutionError, OverloadError, Program, Value};

use self::facts::Fact;
use crate::text::plain;

pub(crate) mod facts;
mod names;

/// The longest expression, in characters.
const LONGEST: usize = 1_000;

/// An expression that was read and checked.
#[derive(Clone)]
pub struct Expression {
    text: String,
    program: Arc<Program>,
    mentions: Vec<String>,
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// Why it is refused, in words.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let length = text.chars().count();
        if text.trim().is_empty() || length > LONGEST {
            return Err(format!("an expression has 1 to {LONGEST} characters, not {length}"));
        }
        let program = Program::compile(text).map_err(|errors| {
            format!("the expression cannot be read: {}", plain(errors.to_string().trim()))
        })?;
        let mentions = names::check(program.expression(), &facts::example(0))?;
        let expression = Self { text: text.to_owned(), program: Arc::new(program), mentions };
        for example in 0..facts::EXAMPLES {
            expression.try_out(&facts::example(example))?;
        }
        Ok(expression)
    }

    /// What the operator wrote.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The variables that it mentions by their full names, such as `source.video.width`.
    pub(crate) fn mentions(&self) -> &[String] {
        &self.mentions
    }

    /// Whether it is true of a source.
    ///
    /// # Errors
    /// Why it is neither true nor false, in words: something that it needs was not measured.
    pub(crate) fn holds(&self, source: &Fact) -> Result<bool, String> {
        match self.evaluate(source) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(other) => Err(format!("it gives {}, not true or false", kind(&other))),
            Err(ExecutionError::NoSuchOverload(overload)) if compares_numbers(&overload) => {
                Err("it compares what is no number, such as 0.0 / 0.0".to_owned())
            }
            Err(error) => Err(plain(&error.to_string())),
        }
    }

    /// Evaluates it on an example, in which everything is there. What went wrong with the example's values alone, such as a
    /// division by zero, says nothing about the expression.
    fn try_out(&self, example: &Fact) -> Result<(), String> {
        match self.evaluate(example) {
            Ok(Value::Bool(_))
            | Err(
                ExecutionError::DivisionByZero(_)
                | ExecutionError::RemainderByZero(_)
                | ExecutionError::Overflow(..)
                | ExecutionError::IndexOutOfBounds(_),
            ) => Ok(()),
            Err(ExecutionError::NoSuchOverload(overload)) if compares_numbers(&overload) => Ok(()),
            Ok(other) => Err(format!("the expression gives {}, not true or false", kind(&other))),
            Err(error) => Err(format!("the expression cannot be evaluated: {}", plain(&error.to_string()))),
        }
    }

    fn evaluate(&self, source: &Fact) -> Result<Value, ExecutionError> {
        let mut context = Context::default();
        context.add_variable_from_value(facts::ROOT, source.to_value());
        self.program.execute(&context)
    }
}

/// Whether a comparison of two numbers failed. All of them compare but for what is no number, of which `cel` says that there
/// is nothing to compare it.
fn compares_numbers(overload: &OverloadError) -> bool {
    let is_number = |kind: &String| ["int", "uint", "double"].contains(&kind.as_str());
    ["_<_", "_<=_", "_>_", "_>=_"].contains(&overload.function())
        && overload.argument_types().iter().all(is_number)
}

/// What kind of value it is, in words.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Int(_) | Value::UInt(_) | Value::Float(_) => "a number",
        Value::String(_) | Value::Bytes(_) => "a text",
        Value::List(_) => "a list",
        Value::Null => "nothing",
        _ => "a value",
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.text).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reason(text: &str) -> String {
        Expression::parse(text).unwrap_err()
    }

    #[test]
    fn expressions_are_read() {
        for text in [
            "source.video.width < 1920",
            "source.video.width < 1920 || source.duration_s > 7200.0",
            "source.duration_s > 7200",
            "has(source.video.frame_rate) && source.video.frame_rate == 25.0",
            "source.audio.exists(track, track.channels == 6)",
            "source.audio.all(track, has(track.language))",
            "source.audio[0].loudness_lufs > -16.0",
            "source.audio[1].channels == 2",
            "size(source.audio) > 8",
            "source.video.codec in ['prores', 'dnxhd']",
            "source.video.codec.startsWith('pro')",
            "!(source.black.leading_s > 10.0)",
            "double(source.video.width) / double(source.video.height) > 2.0",
            "source.duration_s / source.header_duration_s <= 0.5 || source.video.codec == 'h264'",
            "1000000 / source.video.width > 2",
        ] {
            Expression::parse(text).unwrap_or_else(|reason| panic!("{text}: {reason}"));
        }
    }

    #[test]
    fn what_can_never_be_judged_is_refused() {
        for (text, expected) in [
            ("", "1 to 1000 characters, not 0"),
            (&"(".repeat(1_001), "not 1001"),
            ("source.video.width <", "cannot be read"),
            ("source.video.widht < 1920", "there is no source.video.widht; source.video has bit_depth"),
            ("true || source.video.widht < 1920", "there is no source.video.widht"),
            ("source.audio.exists(track, track.chanels > 2)", "there is no track.chanels"),
            ("source.audio[0].chanels > 2", "there is no source.audio[0].chanels"),
            ("source.audio.channels > 2", "source.audio is a list"),
            ("source.video.width.max > 2", "source.video.width is a single value"),
            ("video.width < 1920", "there is no video; there is source"),
            ("width(source) < 1920", "there is no function width"),
            ("true || source.foo()", "there is no function foo"),
            ("source.video.width", "gives a number, not true or false"),
            ("source.video.codec", "gives a text"),
            ("source.video.codec > 3", "cannot be evaluated"),
            ("source.video.width / 2.0 > 900.0", "cannot be evaluated"),
        ] {
            assert!(reason(text).contains(expected), "{text}: {}", reason(text));
        }
    }

    #[test]
    fn what_is_no_number_makes_it_neither_true_nor_false() {
        for (text, expected) in [
            (
                "0.0 / source.duration_s > 1.0",
                Err("it compares what is no number, such as 0.0 / 0.0".to_owned()),
            ),
            ("1.0 / source.duration_s > 1.0", Ok(true)),
        ] {
            assert_eq!(Expression::parse(text).unwrap().holds(&facts::example(0)), expected, "{text}");
        }
    }

    #[test]
    fn an_expression_says_what_it_mentions() {
        let expression = Expression::parse(
            "source.video.width < 1920 || source.duration_s > 1.0 || source.video.width > 9",
        )
        .unwrap();
        assert_eq!(expression.mentions(), ["source.video.width", "source.duration_s"]);
    }

    #[test]
    fn an_expression_cannot_go_on_for_long() {
        let numbers = (0..100).map(|number| number.to_string()).collect::<Vec<_>>().join(",");
        let text =
            format!("[{numbers}].all(a, [{numbers}].all(b, [{}].all(c, a + b + c >= 0)))", &numbers[..40]);
        assert!(reason(&text).contains("too many elements"), "{}", reason(&text));
        let twice = "source.audio.all(a, source.audio.all(b, a.channels == b.channels))";
        Expression::parse(twice).unwrap();
        let thrice =
            "source.audio.all(a, source.audio.all(b, source.audio.all(c, a.channels == c.channels)))";
        assert!(reason(thrice).contains("too many elements"), "{}", reason(thrice));
        assert!(reason("([1] + [2]).all(a, a > 0)").contains("can only go through"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = Expression::parse(&text);
        }

        #[test]
        fn anything_like_an_expression_is_read_or_refused(
            text in r"[a-z(\[{.! ]{0,12}source\.(video|audio|black)[\[\].(){}!?:0-9a-z+\-*/%<>=&|'\x22 ,]{0,40}"
        ) {
            let _ = Expression::parse(&text);
        }
    }
}
