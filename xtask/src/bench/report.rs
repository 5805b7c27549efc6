//! Samples become a median and a 99th percentile, a row of a table and a line of JSON. What was measured is not known.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Result;
use serde::Serialize;

/// All results of a run.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    cases: BTreeMap<String, Case>,
}

/// One case: for each column (a side, or a way through it) its samples.
#[derive(Debug, Default, Serialize)]
struct Case {
    unit: &'static str,
    results: BTreeMap<String, Summary>,
    #[serde(skip)]
    samples: BTreeMap<String, Vec<f64>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Summary {
    median: f64,
    p99: f64,
    samples: usize,
}

impl Report {
    /// Adds samples; cases and columns appear as they are named.
    pub(super) fn add(&mut self, case: &str, unit: &'static str, column: &str, samples: &[f64]) {
        if samples.is_empty() {
            return;
        }
        let case = self.cases.entry(case.to_owned()).or_default();
        case.unit = unit;
        let all = case.samples.entry(column.to_owned()).or_default();
        all.extend_from_slice(samples);
        if let Some(summary) = summary(all) {
            case.results.insert(column.to_owned(), summary);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }

    /// Everything, for programs.
    pub(super) fn json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)?)
    }

    /// Everything, for people: one line for each case and column, with the ratio to the reference's median.
    pub(super) fn table(&self) -> String {
        let mut table =
            format!("{:<36} {:<18} {:>10} {:>10} {:>6} {:>7}\n", "case", "side", "median", "p99", "unit", "ratio");
        for (name, case) in &self.cases {
            let reference = case.results.get("reference").map(|it| it.median);
            for (column, it) in &case.results {
                let ratio = match reference {
                    Some(reference) if column != "reference" => format!("{:.2}", it.median / reference),
                    _ => String::new(),
                };
                let (median, p99) = (short(it.median), short(it.p99));
                // Writing to a string does not fail.
                let _ = writeln!(table, "{name:<36} {column:<18} {median:>10} {p99:>10} {:>6} {ratio:>7}", case.unit);
            }
        }
        table
    }
}

fn short(value: f64) -> String {
    if value >= 1000.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

fn summary(samples: &[f64]) -> Option<Summary> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |percent: usize| sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied();
    Some(Summary { median: at(50)?, p99: at(99)?, samples: sorted.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_p99() {
        let samples: Vec<f64> = (0..100).rev().map(f64::from).collect();
        assert_eq!(summary(&samples), Some(Summary { median: 50.0, p99: 99.0, samples: 100 }));
        assert_eq!(summary(&[]), None);
    }

    #[test]
    fn the_table_compares_with_the_reference() {
        let mut report = Report::default();
        report.add("x", "us", "virtbus direct", &[20.0]);
        report.add("x", "us", "reference", &[80.0]);
        assert!(report.table().contains("0.25"), "{}", report.table());
    }
}
