//! What a limits file has the gate measure.

use schemars::JsonSchema;
use serde::Serialize;

use super::error::{Wrong, unknown};
use super::table::Table;
use crate::lookup::Lookup;
use crate::record::{Pixels, Scenario};
use crate::scenario::{Definition, Single, USUAL_SERVER, Values, gated};

const KEYS: [&str; 9] =
    ["scenario", "server", "approach", "lookup", "pvs", "rate_hz", "pixels", "seconds", "blocks"];

/// Five blocks are the least that an interval needs.
const USUAL_BLOCKS: f64 = 5.0;

/// The write-ups' camera.
const USUAL_PIXELS: Pixels = Pixels { width: 680, height: 480 };

/// One `[[measure]]`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Measured {
    /// The scenario.
    pub scenario: Scenario,
    /// The server.
    pub server: String,
    /// The approaches; all that speak a protocol of the server when empty.
    pub approaches: Vec<String>,
    /// How PVs are found.
    pub lookups: Vec<Lookup>,
    /// Counts of PVs.
    pub pvs: Vec<usize>,
    /// Updates of one PV per second.
    pub rate_hz: f64,
    /// The size of frames; none for scalars.
    pub pixels: Option<Pixels>,
    /// Seconds that monitors monitor run.
    pub seconds: f64,
    /// Screening blocks.
    pub blocks: usize,
}

pub(super) fn measured(table: Table) -> Result<Measured, Wrong> {
    table.only(&KEYS)?;
    let (definition, single) = defined(table)?;
    let has_frames = definition.values == Values::Frames;
    for key in ["rate_hz", "seconds"].into_iter().filter(|_| !definition.model.has_rate()) {
        refuse(table, key, "connecting has no monitors")?;
    }
    if has_frames {
        refuse(table, "pvs", "the camera is one PV")?;
    } else {
        refuse(table, "pixels", "only waveform has frames")?;
    }
    let approaches = table.names("approach")?.into_iter().map(|name| name.name).collect();
    let lookups = match table.lookups()? {
        none if none.is_empty() => vec![Lookup::default()],
        named => named,
    };
    let server = table.text("server")?.unwrap_or_else(|| USUAL_SERVER.to_owned());
    Ok(Measured {
        pvs: if has_frames { vec![1] } else { counts(table)? },
        pixels: has_frames.then(|| pixels(table)).transpose()?,
        rate_hz: at_least(table, "rate_hz", 0.1, single.rate_hz)?,
        seconds: at_least(table, "seconds", 1.0, single.seconds)?,
        blocks: at_least(table, "blocks", 1.0, USUAL_BLOCKS)? as usize,
        scenario: definition.scenario,
        server,
        approaches,
        lookups,
    })
}

/// The scenario, of those that take no longer than a gate may.
fn defined(table: Table) -> Result<(&'static Definition, Single), Wrong> {
    let given = table.text("scenario")?;
    let given = given.ok_or_else(|| Wrong::at(table.at, "this measure has no `scenario`"))?;
    let found = gated().find(|(definition, _)| given.parse() == Ok(definition.scenario));
    found.ok_or_else(|| {
        let at = table.place("scenario").unwrap_or(table.at);
        let known: Vec<&str> = gated().map(|(definition, _)| definition.scenario.name()).collect();
        Wrong::at(at, unknown("scenario to measure", &given, &known))
    })
}

fn counts(table: Table) -> Result<Vec<usize>, Wrong> {
    let counts = table.numbers("pvs")?;
    let is_count = |count: &f64| *count >= 1.0 && count.fract() == 0.0;
    if counts.is_empty() || !counts.iter().all(is_count) {
        let at = table.place("pvs").unwrap_or(table.at);
        return Err(Wrong::at(at, "give counts of PVs such as `pvs = [1000, 10000]`"));
    }
    Ok(counts.into_iter().map(|count| count as usize).collect())
}

fn pixels(table: Table) -> Result<Pixels, Wrong> {
    let Some(given) = table.text("pixels")? else { return Ok(USUAL_PIXELS) };
    let at = table.place("pixels").unwrap_or(table.at);
    given.parse().map_err(|error: String| Wrong::at(at, error))
}

fn at_least(table: Table, key: &str, least: f64, usual: f64) -> Result<f64, Wrong> {
    match table.number(key)? {
        None => Ok(usual),
        Some(number) if number >= least => Ok(number),
        Some(_) => {
            let at = table.place(key).unwrap_or(table.at);
            Err(Wrong::at(at, format!("`{key}` must be {least} or more")))
        }
    }
}

fn refuse(table: Table, key: &str, why: &str) -> Result<(), Wrong> {
    match table.place(key) {
        Some(at) => Err(Wrong::at(at, format!("`{key}` means nothing here: {why}"))),
        None => Ok(()),
    }
}
