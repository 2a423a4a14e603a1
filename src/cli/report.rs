//! `report`: of one run, or the history of several, without measuring.

use epics_gauge::campaign;
use epics_gauge::judge::compared::judge_comparison;
use epics_gauge::judge::history::{RunFigures, history};
use epics_gauge::judge::judge as judgement_of;
use epics_gauge::record::RunRecords;
use epics_gauge::report::{Described, Format, Subject, comment, picture, render, render_csv};

use super::Failure;
use super::arguments::ReportArguments;
use super::exit::Exit;
use super::formats::Written;
use super::judge::{limits, read};
use super::stdout::print;

pub(super) fn run(arguments: &ReportArguments) -> Result<Exit, Failure> {
    if let Some(described) = arguments.schema {
        print(&Described::from(described).schema())?;
        return Ok(Exit::Good);
    }
    let runs: Vec<RunRecords> =
        arguments.runs.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
    if arguments.link.is_some()
        && !matches!(arguments.format, Written::Report(format) if format.is_comment())
    {
        return Err(Failure::usage("--link belongs to --format comment"));
    }
    let Written::Report(format) = arguments.format else {
        print(&render_csv(&runs))?;
        return Ok(Exit::Good);
    };
    if let Some(id) = &arguments.figure {
        return figure(&runs, arguments, id);
    }
    match &runs[..] {
        [run] => {
            let shown = if arguments.all_tables { format } else { format.summarized() };
            of_one(run, arguments, shown)
        }
        _ => of_several(runs, arguments, format),
    }
}

fn of_one(run: &RunRecords, arguments: &ReportArguments, format: Format) -> Result<Exit, Failure> {
    let known = campaign::kept_calibrations(&run.run.machine);
    if let Some(judgement) = judge_comparison(run).map_err(Failure::usage)? {
        let subject = Subject::Comparison { run, judgement: &judgement, known: &known };
        print(&written(&subject, arguments, format))?;
        return Ok(Exit::Good);
    }
    let judgement = judgement_of(run, &limits(arguments.limits_file.as_deref(), run)?);
    let budget_s = arguments.budget_s;
    let subject = Subject::Run { run, judgement: &judgement, known: &known, budget_s };
    print(&written(&subject, arguments, format))?;
    Ok(Exit::Good)
}

fn figure(runs: &[RunRecords], arguments: &ReportArguments, id: &str) -> Result<Exit, Failure> {
    let [run] = runs else {
        return Err(Failure::usage("--figure is of one run: name one"));
    };
    if run.run.comparison.is_some() {
        return Err(Failure::usage("--figure is of a run, and this is a comparison"));
    }
    let judgement = judgement_of(run, &limits(arguments.limits_file.as_deref(), run)?);
    let budget_s = arguments.budget_s;
    let subject = Subject::Run { run, judgement: &judgement, known: &[], budget_s };
    let drawn = picture(&subject, id).map_err(|ids| {
        let there = if ids.is_empty() { "none".to_owned() } else { ids.join(", ") };
        Failure::usage(format!("this run has no figure `{id}`; there are: {there}"))
    })?;
    print(&drawn)?;
    Ok(Exit::Good)
}

/// A report, with its link where it is a comment.
fn written(subject: &Subject<'_>, arguments: &ReportArguments, format: Format) -> String {
    match format.is_comment() {
        true => comment(subject, arguments.link.as_deref()),
        false => render(subject, format),
    }
}

fn of_several(
    runs: Vec<RunRecords>,
    arguments: &ReportArguments,
    format: Format,
) -> Result<Exit, Failure> {
    if arguments.limits_file.is_some() {
        return Err(Failure::usage(
            "the history of several runs holds no limits: leave --limits out, or name one run",
        ));
    }
    let names = arguments.runs.iter().map(|path| path.display().to_string());
    let figures = names.zip(&runs).map(|(name, run)| RunFigures::of(&name, run));
    let figures: Vec<RunFigures> = figures.collect::<Result<_, _>>().map_err(Failure::usage)?;
    let history = history(&figures).map_err(Failure::usage)?;
    print(&written(&Subject::History(&history), arguments, format))?;
    Ok(Exit::Good)
}
