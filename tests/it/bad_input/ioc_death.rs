//! An IOC that dies half way: not the worker's fault, and not the next one's
//! trouble.

use epics_gauge::record::FailureKind;
use epics_gauge::worker_protocol::Stage;

use super::{Ended, Invocation, STAGES_IN_BULK, tampering};

const BLOCKS: usize = 4;

/// Runs `wire`, an honest worker and one that kills the IOC.
fn with_killer(how: &str) -> Ended {
    let arguments = format!(
        "run connect --approaches FOLDER/mine.toml --approach honest,killer --pvs 20 --mode bulk \
         --blocks {BLOCKS} --seed 1 --out OUT"
    );
    let approaches = tampering::entry("honest", "honest", "{python}")
        + &tampering::entry("killer", how, "{python}");
    Invocation::of(&arguments).file("mine.toml", &approaches).finish()
}

#[track_caller]
fn is_the_iocs_failure(ended: &Ended, stage: Option<Stage>) {
    ended.exits_with(4);
    let words = ["softIoc", "ended early with signal: 9", "it printed:"];
    ended.has_failed("killer", FailureKind::Ioc, stage, &words);
    assert_eq!(ended.records_of("killer").len(), BLOCKS, "it is not the worker's fault");
    for approach in ["wire", "honest"] {
        ended.is_complete(approach, BLOCKS, STAGES_IN_BULK);
    }
    let records = ended.run().records;
    let comes_after_death = records.iter().any(|record| {
        records.iter().any(|death| {
            death.failure.is_some()
                && death.block == record.block
                && death.position < record.position
        })
    });
    assert!(comes_after_death, "this seed lets the killer be the last of every block");
}

#[test]
fn an_ioc_that_dies_under_a_worker_is_blamed_and_replaced() {
    is_the_iocs_failure(&with_killer("kill-ioc-at-get"), Some(Stage::Get));
}

#[test]
fn an_ioc_that_dies_between_two_stages_is_blamed_and_replaced() {
    is_the_iocs_failure(&with_killer("kill-ioc-after-connect"), None);
}
