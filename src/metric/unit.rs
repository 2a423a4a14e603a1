//! What figures are counted in.

use schemars::JsonSchema;
use serde::Serialize;

use crate::named::named;
use crate::units::duration;

named! {
    /// What a figure is counted in.
    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    pub enum Unit {
        /// Seconds.
        Seconds = "s",
        /// Seconds per PV.
        SecondsPerPv = "s/PV",
        /// CPU time over wall time, in % of one core.
        PercentOfACore = "% of a core",
        /// A part, in %.
        Percent = "%",
        /// Bytes.
        Bytes = "bytes",
        /// Bytes per PV.
        BytesPerPv = "bytes/PV",
        /// Bytes per minute.
        BytesPerMinute = "bytes/min",
        /// Per second.
        Hertz = "Hz",
        /// A count.
        Count = "count",
        /// A count per PV.
        CountPerPv = "count/PV",
    }
}

impl Unit {
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
