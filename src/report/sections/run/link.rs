//! What the link between server and clients saw.

use crate::link::LinkKind;
use crate::metric::{AtLink, Metric};
use crate::record::{LinkUse, Record, RunRecords};
use crate::report::document::{Columns, Part};
use crate::report::words::or_dash;
use crate::scenario::{Configuration, Words};
use crate::stats::median;
use crate::units::{duration, grouped, quantity};

/// A table for each configuration that was measured over a link.
pub(super) fn section(run: &RunRecords) -> Vec<Part> {
    let mut configurations: Vec<Configuration> = Vec::new();
    for record in run.records.iter().filter(|record| record.link.is_some()) {
        let own = Configuration::of(record);
        if !configurations.contains(&own) {
            configurations.push(own);
        }
    }
    configurations.iter().flat_map(|configuration| of_configuration(run, configuration)).collect()
}

/// One approach.
struct Line<'a> {
    approach: &'a str,
    records: Vec<&'a Record>,
}

impl Line<'_> {
    /// The median over the blocks.
    fn median(&self, seen: AtLink) -> Option<f64> {
        let figures: Vec<f64> =
            self.records.iter().filter_map(|record| Metric::AtLink(seen).of(record)).collect();
        (!figures.is_empty()).then(|| median(&figures))
    }
}

fn of_configuration(run: &RunRecords, configuration: &Configuration) -> Vec<Part> {
    let records: Vec<&Record> = run
        .records
        .iter()
        .filter(|record| record.link.is_some() && configuration.holds(record))
        .collect();
    let Some(link) = records.iter().find_map(|record| record.link.as_deref()) else {
        return Vec::new();
    };
    let mut lines: Vec<Line<'_>> = Vec::new();
    for record in &records {
        match lines.iter_mut().find(|line| line.approach == record.approach) {
            Some(line) => line.records.push(record),
            None => lines.push(Line { approach: &record.approach, records: vec![record] }),
        }
    }
    lines.sort_by_key(|line| line.approach);
    let table = Columns::of(&lines)
        .words("approach", |line| line.approach.to_owned())
        .number("searches/PV", |line| or_dash(line.median(AtLink::SearchesPerPv), quantity))
        .number("repeated/PV", |line| or_dash(line.median(AtLink::RepeatsPerPv), quantity))
        .number("most of one", |line| or_dash(line.median(AtLink::MostOfOne), quantity))
        .number("first search", |line| or_dash(line.median(AtLink::FirstSearch), duration))
        .number("last search", |line| or_dash(line.median(AtLink::LastSearch), duration))
        .number("packets lost", |line| or_dash(line.median(AtLink::PacketsLost), quantity))
        .number("in seconds 1, 2, 3 …", |line| by_second(line))
        .table();
    vec![
        Part::Heading(2, format!("link: {}", configuration.in_words(Words::Heading))),
        Part::Text(text(link)),
        Part::Table(table),
    ]
}

/// Searches of the first seconds, of the first block.
fn by_second(line: &Line<'_>) -> String {
    const SHOWN: usize = 5;
    let link = line.records.first().and_then(|record| record.link.as_deref());
    let seconds = link.map(|link| &link.searches.by_second[..]).unwrap_or_default();
    let shown: Vec<String> =
        seconds.iter().take(SHOWN).map(|count| grouped(*count as usize)).collect();
    if shown.is_empty() { "-".to_owned() } else { shown.join(", ") }
}

fn text(link: &LinkUse) -> String {
    let carried = match link.kind {
        LinkKind::Namespaces => "A program between two network namespaces carried every packet.",
        LinkKind::Relay => {
            "A relay on loopback carried datagrams and TCP connections, since this system allows \
             no network namespaces here: it lost datagrams only, and no byte of a connection; a \
             connection opened without a round trip over the link; a cut held bytes back."
        }
    };
    format!(
        "Server and clients were connected by a link with {} each way. {carried} Searches over UDP \
         are counted as they came to the link, from the start of create; *most of one* is the \
         count of the name that was searched most often.",
        link.conditions
    )
}
