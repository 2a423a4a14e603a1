//! Tables of the published figures beside those of this run.

use crate::judge::Judgement;
use crate::report::document::{Columns, Part};
use crate::report::published::{OfCamera, OnePv, OnePvStage, PublishedCpu};
use crate::report::words::or_dash;
use crate::stats::CpuLoad;
use crate::units::{percent, scientific};

pub(super) fn one_pv(judgement: &Judgement) -> Vec<Part> {
    let modules = OnePv::modules(judgement);
    if modules.iter().all(|module| module.of(OnePvStage::Connect).here.is_none()) {
        return Vec::new();
    }
    let mut columns = Columns::of(&modules).words("Module", |module| module.approach.to_owned());
    for stage in OnePvStage::ALL {
        let heading = match stage {
            OnePvStage::Connect => "Connect",
            OnePvStage::Get => "Get 1",
            OnePvStage::GetAgain => "Get 2",
        };
        columns = columns
            .number(heading, |module| or_dash(module.of(stage).published, scientific))
            .number("here", |module| {
                or_dash(module.of(stage).here, |row| scientific(row.figure_s.median))
            });
    }
    let text = "Seconds for one PV as SLAC published them, and as measured here. Machines \
                differ: compare the columns' order, not their values. The gets are ordinary ones, \
                with the defaults of the library: pyepics' second is answered by its monitor. The \
                published second get of pyca is a stale read; here every value is checked.";
    vec![
        Part::Heading(2, "beside the published figures".to_owned()),
        Part::Text(text.to_owned()),
        Part::Table(columns.table()),
    ]
}

pub(super) fn camera(judgement: &Judgement) -> Vec<Part> {
    let Some((_, modules)) = OfCamera::modules(judgement) else { return Vec::new() };
    let mut columns =
        Columns::of(&modules).words("Module, CPU %", |module| module.approach.to_owned());
    for (heading, published, here) in CPU {
        columns = columns
            .number(heading, |module| or_dash(module.published, |row| published(row).to_string()))
            .number("here", |module| {
                let load = module.here.and_then(|row| row.client_cpu.as_ref());
                or_dash(load, |load| percent(here(load)))
            });
    }
    let columns =
        columns.number("lost", |module| or_dash(module.here, |row| row.updates.lost.to_string()));
    let text = "CPU of the client as SLAC published it for the same image at the same rate, and as \
                measured here. Machines differ: compare the order, not the values. Nobody checked \
                there how many of the images arrived.";
    vec![
        Part::Heading(2, "beside the published CPU".to_owned()),
        Part::Text(text.to_owned()),
        Part::Table(columns.table()),
    ]
}

/// A published figure of CPU use, and the same of a load here.
type PublishedAndHere = (&'static str, fn(&PublishedCpu) -> f64, fn(&CpuLoad) -> f64);

const CPU: [PublishedAndHere; 4] = [
    ("mean", |row| row.mean, |load| load.mean_percent),
    ("median", |row| row.median, |load| load.median_percent),
    ("max", |row| row.max, |load| load.max_percent),
    ("min", |row| row.min, |load| load.min_percent),
];
