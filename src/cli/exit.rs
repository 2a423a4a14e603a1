//! Exit codes and what they mean; docs/environment.md lists them.

use std::process::ExitCode;

use epics_gauge::judge::Judgement;
use epics_gauge::record::FailureKind;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// Every verdict as expected.
    Good,
    /// A limit is broken, and fresh blocks confirm it.
    LimitBroken,
    /// A comparison found that something got worse.
    Regressed,
    /// Whether a limit is broken, or something got worse, is undecided.
    Undecided,
    /// An IOC or an approach failed or is missing; or nothing was measured.
    CouldNotMeasure,
    /// Bad arguments or input.
    Usage,
    /// A worker received what is not of the protocol (EX_DATAERR).
    NotOfTheProtocol,
    /// Stopped by the user: 128 + SIGINT.
    Interrupted,
    /// As the user's own command of `ioc … -- COMMAND` ended.
    OfCommand(u8),
}

impl Exit {
    /// The number.
    pub(super) fn code(self) -> u8 {
        match self {
            Exit::Good => 0,
            Exit::LimitBroken => 1,
            Exit::Regressed => 2,
            Exit::Undecided => 3,
            Exit::CouldNotMeasure => 4,
            Exit::Usage => 64,
            Exit::NotOfTheProtocol => 65,
            Exit::Interrupted => 130,
            Exit::OfCommand(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// What the user asked of the exit code.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    /// That missing approaches do not count.
    pub(super) allow_missing: bool,
    /// That limits of a file of the user's own are held: what a run is too short for, or has too
    /// few PVs for, is open then. By the limits of this build it is only reported, because a
    /// quick run is meant to be short and small.
    pub(super) own_limits: bool,
}

impl Exit {
    /// The worst that a judgement says. A failed measurement outweighs a broken
    /// limit: what was not measured may hide more.
    pub(super) fn of(judgement: &Judgement, asked: Asked) -> Exit {
        let failed = judgement
            .failures
            .iter()
            .any(|failure| !(asked.allow_missing && failure.kind == FailureKind::Missing));
        let timed =
            judgement.figures.iter().any(|planned| planned.rows.iter().any(|row| !row.floor));
        let monitored = judgement
            .monitors
            .iter()
            .any(|planned| planned.rows.iter().any(|row| !row.floor))
            || judgement.capacities.iter().any(|capacity| !capacity.floor)
            || judgement.scale.iter().any(|pair| pair.rows.iter().any(|row| row.figures.is_some()))
            || judgement.many_iocs.iter().any(|row| !row.floor && row.cost_s.is_some())
            || judgement.faults.iter().any(|cell| !cell.floor && cell.figure.is_some());
        if failed || !(timed || monitored) {
            Exit::CouldNotMeasure
        } else if judgement.verdicts.iter().any(|verdict| verdict.is_worse_than_expected()) {
            Exit::LimitBroken
        } else if judgement.verdicts.iter().any(|verdict| verdict.is_open())
            || asked.own_limits && has_unjudged(judgement)
        {
            Exit::Undecided
        } else {
            Exit::Good
        }
    }
}

/// Whether a longer run, or one with more PVs, would judge more. What is expected to be over
/// cannot break its limit further.
fn has_unjudged(judgement: &Judgement) -> bool {
    !judgement.unreached.is_empty()
        || judgement.too_short.iter().any(|verdict| !verdict.may_be_over())
}
