//! CPU and memory of client and server, and losses, in the course of time.

use super::command::Command;
use super::styles::Styles;
use crate::judge::{Judgement, MonitorFigures, TimeSeries, time_series};
use crate::record::RunRecords;
use crate::report::document::{
    Chart, Columns, Figure, Line, LineChart, Point, Quantity, Spread, Table, slug,
};
use crate::units::{megabytes, percent, quantity};

/// One of the things that are drawn over time.
struct Shown {
    id: &'static str,
    title: &'static str,
    unit: &'static str,
    y: Quantity,
    of: fn(&TimeSeries) -> &[(f64, f64)],
    written: fn(f64) -> String,
    explanation: &'static str,
    /// The summary of each approach, and how it is computed from its points.
    in_all: (&'static str, fn(&[(f64, f64)]) -> f64),
}

const SHOWN: [Shown; 4] = [
    Shown {
        id: "client-cpu",
        title: "CPU of the client",
        unit: " %",
        y: Quantity::count("% of a core", Spread::Linear),
        of: |course| &course.client_cpu,
        written: percent,
        explanation: "CPU use of the client's process and its descendants, window by window.",
        in_all: ("On the average", mean),
    },
    Shown {
        id: "server-cpu",
        title: "CPU of the server",
        unit: " %",
        y: Quantity::count("% of a core", Spread::Linear),
        of: |course| &course.server_cpu,
        written: percent,
        explanation: "CPU use of the server's process while it served that client.",
        in_all: ("On the average", mean),
    },
    Shown {
        id: "client-memory",
        title: "Memory of the client",
        unit: " MB",
        y: Quantity::megabytes("MB held", Spread::Log),
        of: |course| &course.client_bytes,
        written: megabytes,
        explanation: "Memory that the client's process and its descendants hold.",
        in_all: ("On the average", mean),
    },
    Shown {
        id: "updates-lost",
        title: "Updates lost so far",
        unit: " updates",
        y: Quantity::count("updates lost", Spread::Linear),
        of: |course| &course.lost,
        written: quantity,
        explanation: "A loss is seen when the update after it arrives, or at the end. Approaches \
                      without a loss are not drawn.",
        in_all: ("In all", last),
    },
];

/// The figures of each configuration with monitors.
pub(super) fn figures(run: &RunRecords, judgement: &Judgement, styles: &Styles<'_>) -> Vec<Figure> {
    let of_configuration = |configuration: &MonitorFigures| {
        let time_series = time_series(run, configuration);
        let figures: Vec<Figure> = SHOWN
            .iter()
            .filter_map(|shown| figure(run, styles, configuration, &time_series, shown))
            .collect();
        figures
    };
    judgement.monitors.iter().flat_map(of_configuration).collect()
}

fn figure(
    run: &RunRecords,
    styles: &Styles<'_>,
    configuration: &MonitorFigures,
    time_series: &[TimeSeries],
    shown: &Shown,
) -> Option<Figure> {
    let has_figures = |course: &&TimeSeries| !(shown.of)(course).is_empty();
    let time_series: Vec<&TimeSeries> = time_series.iter().filter(has_figures).collect();
    if time_series.is_empty() {
        return None;
    }
    let means: Vec<String> = time_series
        .iter()
        .map(|course| {
            let all = (shown.in_all.1)((shown.of)(course));
            format!("{} {}{}", course.approach, (shown.written)(all), shown.unit)
        })
        .collect();
    let command = Command::of_monitors(run, configuration);
    Some(Figure {
        id: format!("{}-{}", shown.id, slug(&configuration.heading())),
        title: format!("{}, {}", shown.title, configuration.heading()),
        summary: format!(
            "{} First block. {}: {}.",
            shown.explanation,
            shown.in_all.0,
            means.join(", ")
        ),
        chart: Chart::Lines(LineChart {
            x: Quantity::count("seconds", Spread::Linear),
            y: shown.y,
            lines: time_series.iter().map(|course| line(styles, course, shown)).collect(),
            height: 220.0,
        }),
        table: table(&time_series, shown),
        command: Some(command.to_string()),
    })
}

fn last(values: &[(f64, f64)]) -> f64 {
    values.last().map_or(0.0, |(_, value)| *value)
}

fn mean(values: &[(f64, f64)]) -> f64 {
    values.iter().map(|(_, value)| value).sum::<f64>() / values.len().max(1) as f64
}

fn line(styles: &Styles<'_>, course: &TimeSeries, shown: &Shown) -> Line {
    let points = (shown.of)(course).iter().map(|(at_s, value)| Point {
        x: *at_s,
        y: *value,
        interval: None,
        tip: format!(
            "{} at {} s: {}{}",
            course.approach,
            quantity(*at_s),
            (shown.written)(*value),
            shown.unit
        ),
    });
    Line::through_points(&course.approach, styles.style(&course.approach), points.collect())
}

fn table(time_series: &[&TimeSeries], shown: &Shown) -> Table {
    let rows = time_series.iter().flat_map(|course| {
        (shown.of)(course).iter().map(|(at_s, value)| (course.approach.as_str(), *at_s, *value))
    });
    Columns::of(rows)
        .words("approach", |(approach, _, _)| (*approach).to_owned())
        .number("s", |(_, at_s, _)| format!("{at_s:.2}"))
        .number(shown.unit.trim_start(), |(_, _, value)| (shown.written)(*value))
        .table()
}
