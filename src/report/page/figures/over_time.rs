//! CPU and memory of client and server in the course of time.

use super::{Figure, Styles, axes, drawn, slug};
use crate::judge::{Course, Judgement, MonitorFigures, courses};
use crate::record::RunRecords;
use crate::report::document::{Table, number, words};
use crate::report::monitors::title as title_of;
use crate::report::page::chart::{Line, LineChart, Point, Quantity, Spread};
use crate::report::page::command::Command;
use crate::units::{mebibytes, percent, quantity};

/// One of the things that are drawn over time.
struct Shown {
    id: &'static str,
    title: &'static str,
    unit: &'static str,
    y: Quantity,
    of: fn(&Course) -> &[(f64, f64)],
    told: fn(f64) -> String,
    says: &'static str,
}

const SHOWN: [Shown; 3] = [
    Shown {
        id: "client-cpu",
        title: "CPU of the client",
        unit: " %",
        y: axes::count("% of a core", Spread::Linear),
        of: |course| &course.client_cpu,
        told: percent,
        says: "CPU use of the client's process and its descendants, window by window.",
    },
    Shown {
        id: "server-cpu",
        title: "CPU of the server",
        unit: " %",
        y: axes::count("% of a core", Spread::Linear),
        of: |course| &course.server_cpu,
        told: percent,
        says: "CPU use of the server's process while it served that client.",
    },
    Shown {
        id: "client-memory",
        title: "Memory of the client",
        unit: " MiB",
        y: Quantity {
            name: "MiB held",
            spread: Spread::Log,
            told: |bytes| quantity(bytes / f64::from(1 << 20)),
        },
        of: |course| &course.client_bytes,
        told: mebibytes,
        says: "Memory that the client's process and its descendants hold.",
    },
];

/// Three figures for each cell with monitors.
pub(super) fn figures(run: &RunRecords, judgement: &Judgement, styles: &Styles<'_>) -> Vec<Figure> {
    let of_cell = |cell: &MonitorFigures| {
        let courses = courses(run, cell);
        let figures: Vec<Figure> =
            SHOWN.iter().filter_map(|shown| figure(run, styles, cell, &courses, shown)).collect();
        figures
    };
    judgement.monitors.iter().flat_map(of_cell).collect()
}

fn figure(
    run: &RunRecords,
    styles: &Styles<'_>,
    cell: &MonitorFigures,
    courses: &[Course],
    shown: &Shown,
) -> Option<Figure> {
    let has_figures = |course: &&Course| !(shown.of)(course).is_empty();
    let courses: Vec<&Course> = courses.iter().filter(has_figures).collect();
    if courses.is_empty() {
        return None;
    }
    let chart = LineChart {
        x: axes::count("seconds", Spread::Linear),
        y: shown.y,
        lines: courses.iter().map(|course| line(styles, course, shown)).collect(),
        height: 220.0,
    };
    let title = format!("{}, {}", shown.title, title_of(cell));
    let means: Vec<String> = courses
        .iter()
        .map(|course| {
            format!("{} {}{}", course.approach, (shown.told)(mean(course, shown)), shown.unit)
        })
        .collect();
    let says = format!("{} First block. On the average: {}.", shown.says, means.join(", "));
    Some(Figure {
        id: format!("{}-{}", shown.id, slug(&title_of(cell))),
        legend: Vec::new(),
        drawings: drawn(|width| chart.draw(width, &format!("{title}. {says}"))),
        table: table(&courses, shown),
        command: Some(Command::of_load(run, cell.scenario, &cell.server, cell.pvs, &cell.load)),
        title,
        says,
    })
}

fn mean(course: &Course, shown: &Shown) -> f64 {
    let values = (shown.of)(course);
    values.iter().map(|(_, value)| value).sum::<f64>() / values.len().max(1) as f64
}

fn line(styles: &Styles<'_>, course: &Course, shown: &Shown) -> Line {
    let points = (shown.of)(course).iter().map(|(at_s, value)| Point {
        x: *at_s,
        y: *value,
        interval: None,
        tip: format!(
            "{} at {} s: {}{}",
            course.approach,
            quantity(*at_s),
            (shown.told)(*value),
            shown.unit
        ),
    });
    Line {
        name: course.approach.clone(),
        style: styles.style(&course.approach),
        points: points.collect(),
        through: (shown.of)(course).to_vec(),
        dashed: false,
    }
}

fn table(courses: &[&Course], shown: &Shown) -> Table {
    let rows = courses.iter().flat_map(|course| {
        (shown.of)(course).iter().map(|(at_s, value)| {
            vec![course.approach.clone(), format!("{at_s:.2}"), (shown.told)(*value)]
        })
    });
    Table {
        columns: vec![words("approach"), number("s"), number(shown.unit.trim_start())],
        rows: rows.collect(),
    }
}
