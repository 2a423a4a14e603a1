//! Figures in the formats of other programs: one format a file.

mod bencher;
mod github_action_benchmark;
mod openmetrics;
mod otava;

use crate::judge::history::{RunFigure, RunFigures};
use crate::metric::Better;
use crate::named::named;

named! {
    /// A format of another program.
    pub enum Export {
        /// Figures of which less is better, for github-action-benchmark.
        SmallerIsBetter = "github-action-benchmark",
        /// Figures of which more is better, for the same.
        BiggerIsBetter = "github-action-benchmark-bigger",
        /// Bencher Metric Format.
        Bencher = "bencher",
        /// A CSV file of several runs for Apache Otava.
        Otava = "otava",
        /// Text of OpenMetrics, as Prometheus reads it.
        OpenMetrics = "openmetrics",
    }
}

/// Why figures cannot be written in a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// The format is of one run.
    #[error("{format} takes one run, and {count} were named: name the newest")]
    SeveralRuns {
        /// The format.
        format: &'static str,
        /// How many runs there are.
        count: usize,
    },
    /// Runs of several machines in one series would be one machine's changes.
    #[error(
        "the runs are of different machines, which {format} cannot tell apart: name those of one"
    )]
    SeveralMachines {
        /// The format.
        format: &'static str,
    },
    /// No figure is of the kind that the format is for.
    #[error("there is no figure for {format} in these runs")]
    Nothing {
        /// The format.
        format: &'static str,
    },
}

impl Export {
    /// What it is, in a line of a list.
    pub fn description(self) -> &'static str {
        match self {
            Export::SmallerIsBetter => "customSmallerIsBetter of github-action-benchmark",
            Export::BiggerIsBetter => "customBiggerIsBetter of github-action-benchmark",
            Export::Bencher => "Bencher Metric Format (JSON)",
            Export::Otava => "CSV of one or more runs for Apache Otava",
            Export::OpenMetrics => "OpenMetrics text, for Prometheus",
        }
    }

    /// The figures of these runs in this format. Otava takes several runs, in the order of
    /// time; the others one.
    ///
    /// # Errors
    /// When there are more runs than the format takes, or no figure for it.
    pub fn written(self, runs: &[RunFigures]) -> Result<String, ExportError> {
        let format = self.name();
        let written = match (self, runs) {
            (Export::Otava, runs) => {
                if runs.windows(2).any(|pair| !pair[0].is_of_same_machine(&pair[1])) {
                    return Err(ExportError::SeveralMachines { format });
                }
                otava::written(runs)
            }
            (Export::SmallerIsBetter, [run]) => {
                github_action_benchmark::written(run, Better::Lower)
            }
            (Export::BiggerIsBetter, [run]) => {
                github_action_benchmark::written(run, Better::Higher)
            }
            (Export::Bencher, [run]) => bencher::written(run),
            (Export::OpenMetrics, [run]) => openmetrics::written(run),
            (_, runs) => return Err(ExportError::SeveralRuns { format, count: runs.len() }),
        };
        written.ok_or(ExportError::Nothing { format })
    }
}

/// The name of what is measured, without the figure: `connect::pyca::n10000`.
fn place(figure: &RunFigure) -> String {
    figure.configuration.name_with(&figure.approach)
}
