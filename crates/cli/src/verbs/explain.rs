//! `reelfarm explain`: the page of an error code.

use reelfarm_model::Code;

use crate::arguments::Explain;
use crate::exit::Exit;
use crate::printer::Printer;

macro_rules! pages {
    ($($code:literal)*) => {
        /// The pages that come with the program.
        const PAGES: &[(&str, &str)] =
            &[$(($code, include_str!(concat!("../../../../docs/errors/", $code, ".md"))),)*];
    };
}

pages! {
    "RF-SRC-001" "RF-SRC-002" "RF-SRC-003" "RF-SRC-004" "RF-SRC-005" "RF-SRC-006"
    "RF-SRC-007"
    "RF-TTL-001" "RF-TTL-002" "RF-TTL-003" "RF-TTL-004" "RF-TTL-005" "RF-TTL-006"
    "RF-TTL-007" "RF-TTL-008"
    "RF-SUB-001" "RF-SUB-002" "RF-SUB-003"
    "RF-QC-001" "RF-QC-002" "RF-QC-003" "RF-QC-004" "RF-QC-005" "RF-QC-006" "RF-QC-007" "RF-QC-008"
    "RF-QC-009" "RF-QC-010" "RF-QC-011" "RF-QC-012" "RF-QC-013" "RF-QC-014" "RF-QC-015" "RF-QC-016"
    "RF-QC-017" "RF-QC-018" "RF-QC-019" "RF-QC-020" "RF-QC-021" "RF-QC-022" "RF-QC-023" "RF-QC-024"
    "RF-QC-025" "RF-QC-026" "RF-QC-027" "RF-QC-028" "RF-QC-029" "RF-QC-030" "RF-QC-031" "RF-QC-032"
    "RF-QC-033" "RF-QC-034" "RF-QC-035" "RF-QC-036" "RF-QC-037" "RF-QC-038" "RF-QC-039" "RF-QC-040"
    "RF-QC-041" "RF-QC-042" "RF-QC-043" "RF-QC-044" "RF-QC-045" "RF-QC-046"
    "RF-QC-047" "RF-QC-048" "RF-QC-049"
    "RF-CFG-001" "RF-CFG-002" "RF-CFG-003" "RF-CFG-004" "RF-CFG-005" "RF-CFG-006"
    "RF-CFG-007" "RF-CFG-008" "RF-CFG-009"
    "RF-ENC-001" "RF-ENC-002" "RF-ENC-003" "RF-ENC-004" "RF-ENC-005"
    "RF-PKG-001" "RF-PKG-002" "RF-PKG-003" "RF-PKG-004"
    "RF-KEY-001" "RF-KEY-002" "RF-KEY-003" "RF-KEY-004" "RF-KEY-005" "RF-KEY-006" "RF-KEY-007"
    "RF-KEY-008"
    "RF-VER-001"
    "RF-ORG-001" "RF-ORG-002" "RF-ORG-003"
    "RF-ART-001" "RF-ART-002" "RF-STO-001" "RF-STO-002"
    "RF-API-001" "RF-API-002" "RF-API-003" "RF-API-004" "RF-API-005" "RF-API-006" "RF-API-007" "RF-API-008"
    "RF-API-009" "RF-API-010"
    "RF-BRK-001" "RF-WRK-001" "RF-WRK-002" "RF-INT-001"
}

/// Prints a code's page, or all codes.
pub fn run(verb: &Explain, printer: &Printer) -> Exit {
    let Some(wanted) = &verb.code else {
        let lines: Vec<_> = Code::ALL.iter().map(|code| format!("{code}  {}", code.summary())).collect();
        printer.data(&lines.join("\n"));
        return Exit::Done;
    };
    match wanted.parse::<Code>().ok().and_then(page) {
        Some(page) => {
            printer.data(page);
            Exit::Done
        }
        None => {
            printer.error(&format!("no error has the code {wanted:?}; `reelfarm explain` lists all codes"));
            Exit::NotFound
        }
    }
}

fn page(code: Code) -> Option<&'static str> {
    PAGES.iter().find(|(text, _)| *text == code.as_str()).map(|(_, page)| *page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_page() {
        for code in Code::ALL {
            let page = page(*code).unwrap_or_else(|| panic!("{code} has no page"));
            assert!(page.starts_with(&format!("# {code}: ")), "{code}'s page has another heading");
        }
        assert_eq!(PAGES.len(), Code::ALL.len(), "a page without a code");
    }
}
