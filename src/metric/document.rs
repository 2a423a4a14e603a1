//! The table of figures as a page of the documents.

use std::fmt::Write as _;

use super::{Better, Metric, Pooled, Row, Source, rows};

const HEAD: &str = "\
# Figures

Every figure that epics-gauge measures. Limits, `compare --metric`, the CSV file, the JSON
report and histories use these names. `epics-gauge list figures` prints this page.

- **better**: lower or higher; `-` where the figure only describes the load.
- **kind**: an exact figure is counted, so one block decides. A noisy one is timed or
  sampled, and is judged by a confidence interval.
- **over blocks**: how the figures of several blocks become one.
- **use**: `limit` where a limits file may set the most that it may be, `compare` where two
  sides can be compared by it.

| figure | unit | better | kind | over blocks | scenarios | use | what it is |
|---|---|---|---|---|---|---|---|
";

/// The page, in Markdown.
pub fn document() -> String {
    let mut page = HEAD.to_owned();
    for row in rows() {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {} | {} | {} | {} | {} |",
            row.name,
            row.unit.name(),
            better(row.better),
            if row.exact { "exact" } else { "noisy" },
            pooled(row.pooled),
            scenarios(row),
            uses(row),
            row.about,
        );
    }
    page
}

fn better(better: Better) -> &'static str {
    match better {
        Better::Lower => "lower",
        Better::Higher => "higher",
        Better::Neither => "-",
    }
}

fn pooled(pooled: Pooled) -> &'static str {
    match pooled {
        Pooled::Median => "median",
        Pooled::Sum => "sum",
        Pooled::Greatest => "greatest",
        Pooled::Peak => "greatest; median from five blocks on",
        Pooled::Growth => "median of the blocks' slopes",
    }
}

fn scenarios(row: &Row) -> String {
    if row.group.is_none() {
        return "all".to_owned();
    }
    let names: Vec<&str> = row.scenarios().iter().map(|scenario| scenario.name()).collect();
    names.join(", ")
}

fn uses(row: &Row) -> &'static str {
    match (can_be_limited(row.metric), can_be_compared(row.metric)) {
        (true, true) => "limit, compare",
        (true, false) => "limit",
        (false, true) => "compare",
        (false, false) => "-",
    }
}

/// Whether a limits file may set the most that this figure may be: less is better.
pub fn can_be_limited(metric: Metric) -> bool {
    metric.row().better == Better::Lower
}

/// Whether two sides can be compared by it: it is a figure of one worker, and one way is
/// better. What failed ends a comparison, so failures are not compared.
pub fn can_be_compared(metric: Metric) -> bool {
    let row = metric.row();
    let is_of_workers = matches!(row.source, Source::Record(_));
    is_of_workers && row.better != Better::Neither && !metric.is_of_failures()
}
