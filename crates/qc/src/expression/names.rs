//! Does an expression name only what there is, and how much is there to do at most. Evaluating it on an example is not
//! enough: what stands after `||` may not be looked at, and a source has more tracks than an example.

use cel::IdedExpr;
use cel::common::ast::{ComprehensionExpr, EntryExpr, Expr};

use super::facts::{Fact, MOST_TRACKS, ROOT};

/// Functions that rules can call. `has`, `all`, `exists`, `exists_one`, `filter` and `map` are no functions: they are taken
/// apart as the expression is read.
const FUNCTIONS: [&str; 8] =
    ["size", "contains", "startsWith", "endsWith", "int", "uint", "double", "string"];
/// The name of what `list[0]` calls.
const INDEX: &str = "_[_]";

/// Elements that an expression may go through, nested ones multiplied: two lists of all tracks in each other, and more.
const MOST_ELEMENTS: usize = 10_000;

/// Checks every name, and how many elements are gone through; gives the variables with a single value by their full names, each once, in the order of the
/// expression.
///
/// # Errors
/// The first name that there is not, or that there is too much to do.
pub(super) fn check(expression: &IdedExpr, source: &Fact) -> Result<Vec<String>, String> {
    let mut reader = Reader { source, bound: Vec::new(), mentions: Vec::new(), times: 1, elements: 0 };
    reader.read(expression)?;
    Ok(reader.mentions)
}

/// What a part of an expression stands for, as far as that can be told without a source.
#[derive(Clone)]
enum Meaning<'a> {
    /// A part of the source, and how the expression gets there.
    Part(&'a Fact, String),
    /// A list of at most so many elements that is made by the expression.
    List(usize),
    /// Something else.
    Anything,
}

struct Reader<'a> {
    source: &'a Fact,
    /// What the names stand for that `exists` and its like bring, the innermost last.
    bound: Vec<(String, Meaning<'a>)>,
    mentions: Vec<String>,
    /// How often the part that is being read is evaluated at most.
    times: usize,
    /// Elements gone through so far.
    elements: usize,
}

impl<'a> Reader<'a> {
    fn read(&mut self, part: &IdedExpr) -> Result<Meaning<'a>, String> {
        match &part.expr {
            Expr::Ident(name) => self.variable(name),
            Expr::Select(select) => {
                let of = self.read(&select.operand)?;
                self.field(of, &select.field)
            }
            Expr::Call(call) => {
                if !is_known(&call.func_name) {
                    return Err(format!(
                        "there is no function {}; there are {}",
                        call.func_name,
                        FUNCTIONS.join(", ")
                    ));
                }
                if let Some(target) = &call.target {
                    self.read(target)?;
                }
                let mut arguments = call.args.iter();
                let first = arguments.next().map_or(Ok(Meaning::Anything), |first| self.read(first))?;
                for argument in arguments {
                    self.read(argument)?;
                }
                Ok(if call.func_name == INDEX { element(first, "[0]") } else { Meaning::Anything })
            }
            Expr::List(list) => {
                list.elements.iter().try_for_each(|element| self.read(element).map(drop))?;
                Ok(Meaning::List(list.elements.len()))
            }
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.read(&entry.key)?;
                        self.read(&entry.value)?;
                    }
                }
                Ok(Meaning::Anything)
            }
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            _ => Ok(Meaning::Anything),
        }
    }

    /// `exists`, `all`, `filter`, `map` and their like.
    fn comprehension(&mut self, comprehension: &ComprehensionExpr) -> Result<Meaning<'a>, String> {
        let range = self.read(&comprehension.iter_range)?;
        let length = length(&range)?;
        let (outside, times) = (self.bound.len(), self.times);
        self.times = times.saturating_mul(length.max(1));
        self.elements = self.elements.saturating_add(self.times);
        if self.elements > MOST_ELEMENTS {
            return Err(format!("the expression goes through too many elements: at most {MOST_ELEMENTS}"));
        }
        self.read(&comprehension.accu_init)?;
        self.bound.push((comprehension.accu_var.clone(), Meaning::Anything));
        let each = match element(range, "") {
            Meaning::Part(fact, _) => Meaning::Part(fact, comprehension.iter_var.clone()),
            other => other,
        };
        self.bound.push((comprehension.iter_var.clone(), each));
        if let Some(second) = &comprehension.iter_var2 {
            self.bound.push((second.clone(), Meaning::Anything));
        }
        for inner in [&comprehension.loop_cond, &comprehension.loop_step, &comprehension.result] {
            self.read(inner)?;
        }
        self.bound.truncate(outside);
        self.times = times;
        // Where it makes a list, that has no more elements than it went through.
        Ok(Meaning::List(length))
    }

    fn variable(&self, name: &str) -> Result<Meaning<'a>, String> {
        if let Some((_, meaning)) = self.bound.iter().rev().find(|(bound, _)| bound == name) {
            return Ok(meaning.clone());
        }
        if name == ROOT {
            return Ok(Meaning::Part(self.source, ROOT.to_owned()));
        }
        Err(format!("there is no {name}; there is {ROOT}"))
    }

    fn field(&mut self, of: Meaning<'a>, field: &str) -> Result<Meaning<'a>, String> {
        let Meaning::Part(fact, path) = of else { return Ok(Meaning::Anything) };
        let inner = format!("{path}.{field}");
        match fact {
            Fact::Group(group) => match group.get(field) {
                Some(found) => {
                    let is_single = !matches!(found, Fact::Group(_) | Fact::List(_));
                    if is_single && is_from_root(&inner) {
                        self.mention(&inner);
                    }
                    Ok(Meaning::Part(found, inner))
                }
                None => {
                    let names: Vec<_> = group.keys().copied().collect();
                    Err(format!("there is no {inner}; {path} has {}", names.join(", ")))
                }
            },
            Fact::List(_) => Err(format!("{path} is a list: take one, {path}[0], or {path}.exists(one, …)")),
            _ => Err(format!("{path} is a single value and has nothing named {field}")),
        }
    }

    fn mention(&mut self, path: &str) {
        if !self.mentions.iter().any(|mentioned| mentioned == path) {
            self.mentions.push(path.to_owned());
        }
    }
}

/// Whether the same place can be found again in any source.
fn is_from_root(path: &str) -> bool {
    path.strip_prefix(ROOT).is_some_and(|inner| inner.starts_with('.') && !inner.contains('['))
}

/// Operators are calls too, with names that hold no letters or begin with `@`.
fn is_known(function: &str) -> bool {
    FUNCTIONS.contains(&function)
        || function.starts_with('@')
        || !function.contains(|character: char| character.is_alphabetic())
}

/// One of a list, reached by `how`.
fn element<'a>(list: Meaning<'a>, how: &str) -> Meaning<'a> {
    match list {
        Meaning::Part(Fact::List(elements), path) => match elements.first() {
            Some(first) => Meaning::Part(first, format!("{path}{how}")),
            None => Meaning::Anything,
        },
        _ => Meaning::Anything,
    }
}

/// How many elements a list has at most that is gone through.
fn length(range: &Meaning<'_>) -> Result<usize, String> {
    match range {
        Meaning::Part(Fact::List(_), _) => Ok(MOST_TRACKS),
        Meaning::List(length) => Ok(*length),
        _ => Err(format!(
            "an expression can only go through {ROOT}.audio, {ROOT}.subtitles, a list that is written out, or what filter \
             and map make of these"
        )),
    }
}
