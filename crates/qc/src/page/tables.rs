//! Tables: heads with their scope, cells of text, and never more rows than a page can bear.

use super::markup::Markup;

/// The most rows of a table; how many more there are is said below it.
const MOST_ROWS: usize = 100;

/// A table with a heading over each column; the first cell of a row is its heading. Nothing where there are no rows.
pub(super) fn table(markup: &mut Markup, caption: &str, columns: &[&str], rows: &[Vec<String>]) {
    if rows.is_empty() {
        return;
    }
    markup.within("div", &[("class", "wide")], |markup| {
        markup.within("table", &[], |markup| {
            markup.element("caption", &[], caption);
            markup.within("thead", &[], |markup| {
                markup.within("tr", &[], |markup| {
                    for column in columns {
                        markup.element("th", &[("scope", "col")], column);
                    }
                });
            });
            markup.within("tbody", &[], |markup| {
                for row in rows.iter().take(MOST_ROWS) {
                    markup.within("tr", &[], |markup| cells(markup, row));
                }
            });
        });
    });
    if rows.len() > MOST_ROWS {
        markup.element("p", &[("class", "note")], &format!("{} more are left out.", rows.len() - MOST_ROWS));
    }
}

fn cells(markup: &mut Markup, row: &[String]) {
    let mut cells = row.iter();
    if let Some(first) = cells.next() {
        markup.element("th", &[("scope", "row")], first);
    }
    for cell in cells {
        markup.element("td", &[], cell);
    }
}

/// Names and values, one a line. Nothing where there are none.
pub(super) fn properties(markup: &mut Markup, properties: &[(&str, String)]) {
    if properties.is_empty() {
        return;
    }
    markup.within("dl", &[], |markup| {
        for (name, value) in properties {
            markup.element("dt", &[], name);
            markup.element("dd", &[], value);
        }
    });
}

/// A number with its unit; a dash where there is none.
pub(super) fn number(value: Option<f64>, decimals: usize, unit: &str) -> String {
    match value.filter(|value| value.is_finite()) {
        Some(value) => {
            let number = crate::text::decimal(value, decimals);
            if unit.is_empty() { number } else { format!("{number} {unit}") }
        }
        None => "–".to_owned(),
    }
}

/// A share, 0 to 1, in per cent.
pub(super) fn percent(share: f64) -> String {
    number(Some(share * 100.0), 2, "%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_table_is_cut_and_says_so() {
        let rows: Vec<_> = (0..150).map(|row| vec![row.to_string(), "x".to_owned()]).collect();
        let mut markup = Markup::default();
        table(&mut markup, "rows", &["row", "x"], &rows);
        let text = markup.into_text();
        assert_eq!(text.matches("<tr>").count(), 1 + MOST_ROWS);
        assert!(text.contains("50 more are left out."));
    }

    #[test]
    fn what_is_no_number_is_a_dash() {
        assert_eq!(number(Some(f64::NAN), 1, "dB"), "–");
        assert_eq!(number(None, 1, "dB"), "–");
        assert_eq!(number(Some(-3.01), 1, "dB"), "-3 dB");
        assert_eq!(percent(0.0123), "1.23 %");
    }
}
