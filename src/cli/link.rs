//! The link between clients and servers: entering its namespaces, checking it, its process.

use epics_gauge::campaign::{LinkChecked, check_link};
use epics_gauge::link::{LinkConditions, LinkKind};
use epics_gauge::measure::PlannedConfiguration;
use epics_gauge::process::link;

use super::arguments::{LinkCheckArguments, LinkProcessArguments};
use super::exit::Exit;
use super::profile::random_seed;
use super::stdout::print;
use super::{Failure, interrupt};

/// Enters namespaces in a command that was executed for that; to be called before any thread
/// is started.
pub(super) fn enter_namespaces() {
    if let Err(reason) = link::enter_namespaces() {
        eprintln!(
            "epics-gauge: there are no network namespaces here ({reason}); the link is a relay on \
             loopback (docs/link.md)"
        );
    }
}

/// Executes this command once more in namespaces, if what is planned needs a link. To be
/// called when everything from the network is there: there is none in a namespace.
pub(super) fn enter_for<'a>(
    planned: impl IntoIterator<Item = &'a PlannedConfiguration>,
) -> Result<(), Failure> {
    match planned.into_iter().any(|planned| planned.conditions().is_some()) {
        true => link::again_in_namespaces().map_err(Failure::unmeasured),
        false => Ok(()),
    }
}

/// Many IOCs have no link to their clients.
pub(super) fn refuse_many_iocs<'a>(
    planned: impl IntoIterator<Item = &'a PlannedConfiguration>,
) -> Result<(), Failure> {
    let has_both = |one: &PlannedConfiguration| one.link.is_some() && one.many_iocs.is_some();
    match planned.into_iter().any(has_both) {
        true => Err(Failure::usage("--link is for one IOC; leave out the scenario many-iocs")),
        false => Ok(()),
    }
}

/// `link-check`: measures links against what they are to do.
pub(super) fn check(arguments: &LinkCheckArguments) -> Result<Exit, Failure> {
    if !arguments.relay {
        link::again_in_namespaces().map_err(Failure::unmeasured)?;
    }
    interrupt::listen().map_err(Failure::unmeasured)?;
    let usual = || ["clean", "delay=10ms", "loss=1%", "rate=100mbit"].map(|text| text.parse());
    let links: Vec<LinkConditions> = match &arguments.links[..] {
        [] => usual().into_iter().flatten().collect(),
        named => named.to_vec(),
    };
    let seed = arguments.seed.unwrap_or_else(random_seed);
    let gauge = std::env::current_exe().map_err(Failure::unmeasured)?;
    let mut is_good = true;
    let mut is_named = false;
    for wanted in links {
        let actual = arguments.instead.unwrap_or(wanted);
        let checked = check_link(&gauge, wanted, actual, seed).map_err(Failure::unmeasured)?;
        if !is_named {
            print(&format!("{}\n", carried_by(checked.kind)))?;
            is_named = true;
        }
        print(&shown(wanted, &checked))?;
        is_good &= checked.is_good();
    }
    Ok(if is_good { Exit::Good } else { Exit::LimitBroken })
}

fn carried_by(kind: LinkKind) -> &'static str {
    match kind {
        LinkKind::Namespaces => "link: a program between two network namespaces",
        LinkKind::Relay => "link: a relay on loopback",
    }
}

fn shown(wanted: LinkConditions, checked: &LinkChecked) -> String {
    let mut text = format!("{wanted}\n");
    for line in &checked.lines {
        let word = if line.is_good { "ok  " } else { "OVER" };
        text += &format!("  {word}  {}\n", line.text);
    }
    text
}

/// The inside of a link.
pub(super) fn process(arguments: &LinkProcessArguments) -> Result<Exit, Failure> {
    link::serve(&arguments.process).map_err(Failure::unmeasured)?;
    Ok(Exit::Good)
}
