//! Connecting by UDP and by name server, side by side.

use crate::judge::{Judgement, LookupRow, Lookups};
use crate::report::document::{Columns, Part, Table};
use crate::report::words::{factor, or_dash, place};
use crate::stats::Interval;
use crate::units::{counted, microseconds};

pub(super) fn section(judgement: &Judgement) -> Vec<Part> {
    judgement.lookups.iter().flat_map(of_place).collect()
}

fn of_place(lookups: &Lookups) -> [Part; 3] {
    let (pvs, place) = (counted(lookups.pvs, "PV"), place(&lookups.server));
    [
        Part::Heading(2, format!("connect bulk: {pvs}{place} by either lookup")),
        Part::Text(EXPLAINED.to_owned()),
        Part::Table(table(&lookups.rows)),
    ]
}

const EXPLAINED: &str = "Time to connect each PV, found by UDP search or by name server. The ratio \
                         is name server over UDP, within blocks. An approach that is unable finds \
                         no PVs by name server.";

fn table(rows: &[LookupRow]) -> Table {
    let cost = |cost| or_dash(cost, |cost: Interval| microseconds(cost.median));
    Columns::of(rows)
        .words("approach", |row| row.approach.clone())
        .number("UDP µs/PV", |row| cost(row.udp_s))
        .number("name server µs/PV", |row| match row.is_unable {
            true => "unable".to_owned(),
            false => cost(row.name_server_s),
        })
        .number("ratio", |row| or_dash(row.ratio.as_ref(), factor))
        .table()
}
