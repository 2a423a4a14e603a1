//! `bisect`: the commit that made something worse, by `git bisect run` with `compare` as its
//! test. The user's own checkout is not touched: both sides are work trees of their own.

mod git;
mod placeholders;
mod step;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use epics_gauge::campaign;
use epics_gauge::units::counted;

use super::arguments::{Arguments, BisectArguments, CompareArguments, Subcommand};
use super::exit::Exit;
use super::run::own_program;
use super::stdout::print;
use super::{Failure, interrupt};
use git::{Bisected, Git, WorkTree};
use placeholders::Placeholders;
use step::{STEP_DEADLINE, Step, Tested};

pub(super) use step::run as run_step;

pub(super) fn run(arguments: &BisectArguments) -> Result<Exit, Failure> {
    interrupt::listen().map_err(Failure::unmeasured)?;
    let Some((compare, build)) = arguments.compare_and_build() else {
        return Err(Failure::usage(
            "there is no command that builds a checkout: write it behind `--`, such as `-- make`, \
             or `-- true` where nothing is built",
        ));
    };
    let asked = comparison(compare)?;
    let git = Git::here()?;
    git.check_clean()?;
    let [good, bad] = [git.commit(&arguments.good)?, git.commit(&arguments.bad)?];
    let between = check_order(&git, arguments, &good, &bad)?;
    let folder = make_folder(asked.out.as_deref())?;
    let here = WorkTree::add(&git, &folder.join("checkout"), &bad)?;
    let before = WorkTree::add(&git, &folder.join("good"), &good)?;
    let step = Step::new([compare, build], &asked, &folder, [&before, &here])?;
    eprintln!(
        "epics-gauge: {} between {} and {}; logs are in {}",
        counted(between, "commit"),
        arguments.good,
        arguments.bad,
        folder.display()
    );
    if let Err(log) = step.build(before.path(), &good)? {
        return Err(Failure::unmeasured(format!(
            "{} does not build: {}; name another good commit",
            arguments.good,
            log.display()
        )));
    }
    match step.test(here.path(), &bad)? {
        Tested::Bad => {}
        other => return not_worse(arguments, &other, &folder),
    }
    let file = step.write()?;
    // At worst every commit is tested.
    let allowed = STEP_DEADLINE.saturating_mul(u32::try_from(between).unwrap_or(u32::MAX));
    match git.bisect_run(&here, [&good, &bad], &own_program()?, &file, allowed)? {
        Bisected::Found(commit) => {
            print(&format!("The first worse commit is {commit}\n"))?;
            Ok(Exit::Good)
        }
        Bisected::Skipped(commits) => {
            print(&format!(
                "Undecided: the first worse commit is one of these, which could not be tested:\n\
                 {commits}"
            ))?;
            Ok(Exit::Undecided)
        }
    }
}

/// What stands before `--`, as `compare` understands it.
fn comparison(words: &[String]) -> Result<CompareArguments, Failure> {
    let line = ["epics-gauge", "compare"].into_iter().chain(words.iter().map(String::as_str));
    let parsed = Arguments::try_parse_from(line).map_err(|error| {
        Failure::usage(format!(
            "what stands behind the two commits must be what `epics-gauge compare` takes:\n{error}"
        ))
    })?;
    match parsed.subcommand {
        Some(Subcommand::Compare(compare)) => Ok(*compare),
        _ => Err(Failure::usage("what stands behind the two commits is no comparison")),
    }
}

/// How many commits there are from the one to the other.
fn check_order(
    git: &Git,
    arguments: &BisectArguments,
    good: &str,
    bad: &str,
) -> Result<usize, Failure> {
    let BisectArguments { good: good_name, bad: bad_name, .. } = arguments;
    if good == bad {
        return Err(Failure::usage(format!(
            "{good_name} and {bad_name} are the same commit: there is nothing between them"
        )));
    }
    if !git.is_ancestor(good, bad)? {
        return Err(Failure::usage(format!(
            "{good_name} does not come before {bad_name}: name a good commit that {bad_name} was \
             made from, such as what `git merge-base {good_name} {bad_name}` prints"
        )));
    }
    git.count_between(good, bad)
}

fn make_folder(asked: Option<&Path>) -> Result<PathBuf, Failure> {
    let usual = || {
        let started = campaign::now_utc().replace(':', "");
        Path::new("epics-gauge-out").join(format!("bisect-{started}"))
    };
    let folder = asked.map_or_else(usual, Path::to_owned);
    let cannot = |error: std::io::Error| {
        Failure::usage(format!(
            "cannot write {}: {error}; name another folder with --out",
            folder.display()
        ))
    };
    fs::create_dir_all(folder.join("logs")).map_err(cannot)?;
    fs::canonicalize(&folder).map_err(cannot)
}

/// The end of a bisection whose bad commit is not worse than its good one.
fn not_worse(arguments: &BisectArguments, tested: &Tested, folder: &Path) -> Result<Exit, Failure> {
    let BisectArguments { good, bad, .. } = arguments;
    match tested {
        Tested::Stopped(exit) => Ok(*exit),
        Tested::NotBuilt(log) => Err(Failure::unmeasured(format!(
            "{bad} does not build: {}; name another bad commit",
            log.display()
        ))),
        Tested::Unmeasured => Err(Failure::unmeasured(format!(
            "{bad} could not be compared with {good}; the logs are in {}",
            folder.display()
        ))),
        Tested::Good | Tested::Undecided | Tested::Bad => {
            print(&format!(
                "{bad} is not found to be worse than {good} by this comparison, so there is \
                 nothing to look for: compare another metric or with more pairs (--most-pairs)\n"
            ))?;
            Ok(Exit::Undecided)
        }
    }
}
