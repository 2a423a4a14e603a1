//! What figures are counted in.

use schemars::JsonSchema;
use serde::Serialize;

use crate::units::duration;

/// What a figure is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Seconds per PV.
    SecondsPerPv,
    /// CPU time over wall time, in % of one core.
    PercentOfACore,
    /// A part, in %.
    Percent,
    /// Bytes.
    Bytes,
    /// Bytes per PV.
    BytesPerPv,
    /// Bytes per minute.
    BytesPerMinute,
    /// Per second.
    Hertz,
    /// A count.
    Count,
    /// A count per PV.
    CountPerPv,
}

impl Unit {
    /// The name in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Seconds => "s",
            Unit::SecondsPerPv => "s/PV",
            Unit::PercentOfACore => "% of a core",
            Unit::Percent => "%",
            Unit::Bytes => "bytes",
            Unit::BytesPerPv => "bytes/PV",
            Unit::BytesPerMinute => "bytes/min",
            Unit::Hertz => "Hz",
            Unit::Count => "count",
            Unit::CountPerPv => "count/PV",
        }
    }

    /// A figure with its unit.
    pub fn amount(self, figure: f64) -> String {
        match self {
            Unit::Seconds => duration(figure),
            Unit::SecondsPerPv => format!("{}/PV", duration(figure)),
            Unit::PercentOfACore => format!("{figure:.1} % of a core"),
            Unit::Percent => format!("{figure:.1} %"),
            Unit::Bytes => format!("{:.1} MB", figure / 1e6),
            Unit::BytesPerPv => format!("{figure:.0} bytes/PV"),
            Unit::BytesPerMinute => format!("{:.2} MB/min", figure / 1e6),
            Unit::Hertz => format!("{figure:.2} Hz"),
            Unit::Count => format!("{figure}"),
            Unit::CountPerPv => format!("{figure:.2}/PV"),
        }
    }
}
