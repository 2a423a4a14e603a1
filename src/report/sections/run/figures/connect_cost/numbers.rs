//! The same in words and numbers.

use super::Drawn;
use crate::judge::{Figures, Row, Scaling};
use crate::report::document::{Columns, Table};
use crate::report::words::{crossing_in_full, or_dash};
use crate::units::{counted, duration, grouped, microseconds, quantity};

pub(super) fn summary(drawn: &Drawn<'_>) -> String {
    let sentences = [
        drawn.configurations.last().and_then(|configuration| at_the_most_pvs(configuration)),
        slopes(&drawn.lines),
        matters(drawn),
        Some(
            "Both axes give equal steps to equal ratios. Light points are single blocks, markers \
             their medians, upright strokes the intervals of these. A dashed line is the floor \
             and what the limit allows over it, or the fastest and the delay that matters."
                .to_owned(),
        ),
    ];
    sentences.into_iter().flatten().collect::<Vec<String>>().join(" ")
}

fn at_the_most_pvs(configuration: &Figures) -> Option<String> {
    let choices = || configuration.rows.iter().filter(|row| !row.floor);
    let of = |row: &Row| {
        format!("{} {}", row.approach, duration(row.figure_s.median * configuration.pvs as f64))
    };
    let by_time = |a: &&Row, b: &&Row| a.figure_s.median.total_cmp(&b.figure_s.median);
    let (least, most) = choices().min_by(by_time).zip(choices().max_by(by_time))?;
    let mut text = format!("To connect {} takes {}", counted(configuration.pvs, "PV"), of(least));
    if least.approach != most.approach {
        text += &format!(" and {}", of(most));
    }
    let floor = configuration.rows.iter().find(|row| row.floor);
    text += &floor.map_or(String::new(), |row| format!("; the floor, {}", of(row)));
    Some(text + ".")
}

fn slopes(lines: &[&Scaling]) -> Option<String> {
    let slopes: Vec<String> = lines
        .iter()
        .map(|line| format!("{} {}", line.approach, duration(line.slope_s.median)))
        .collect();
    (!slopes.is_empty()).then(|| format!("Each additional PV costs: {}.", slopes.join(", ")))
}

fn matters(drawn: &Drawn<'_>) -> Option<String> {
    let fastest = &drawn.matters.first()?.fastest;
    let each: Vec<String> = drawn
        .matters
        .iter()
        .map(|one| format!("{} {}", one.approach, crossing_in_full(one.crossing)))
        .collect();
    Some(format!(
        "From how many PVs on connecting takes {} longer than with {fastest}, a hollow marker where \
         it is drawn: {}.",
        duration(drawn.budget_s),
        each.join(", ")
    ))
}

/// An approach in one configuration, and the line through all of its counts of PVs.
struct Measured<'a> {
    pvs: usize,
    row: &'a Row,
    fitted: Option<&'a Scaling>,
    blocks: Vec<f64>,
}

pub(super) fn table(drawn: &Drawn<'_>) -> Table {
    let rows = drawn.configurations.iter().flat_map(|configuration| {
        configuration.rows.iter().map(|row| Measured {
            pvs: configuration.pvs,
            row,
            fitted: drawn.fitted(&row.approach),
            blocks: blocks(drawn, configuration.pvs, &row.approach),
        })
    });
    let in_words = |blocks: &[f64]| blocks.iter().map(|one| microseconds(*one)).collect::<Vec<_>>();
    Columns::of(rows)
        .words("approach", |one| one.row.approach.clone())
        .number("PVs", |one| grouped(one.pvs))
        .number("ms for all", |one| quantity(1e3 * one.row.figure_s.median * one.pvs as f64))
        .number("µs/PV", |one| microseconds(one.row.figure_s.median))
        .number("from", |one| microseconds(one.row.figure_s.low))
        .number("to", |one| microseconds(one.row.figure_s.high))
        .number("slope µs/PV", |one| or_dash(one.fitted, |line| microseconds(line.slope_s.median)))
        .words("blocks, µs/PV", |one| in_words(&one.blocks).join(", "))
        .table()
}

/// In order of size.
fn blocks(drawn: &Drawn<'_>, pvs: usize, approach: &str) -> Vec<f64> {
    let own = drawn.blocks.iter().filter(|block| (block.approach, block.pvs) == (approach, pvs));
    let mut blocks: Vec<f64> = own.map(|block| block.per_pv_s).collect();
    blocks.sort_by(f64::total_cmp);
    blocks
}
