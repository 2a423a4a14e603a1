//! What could not be measured.

use crate::judge::Judgement;
use crate::record::FailureKind;
use crate::report::document::Part;

pub(super) fn section(judgement: &Judgement) -> Vec<Part> {
    if judgement.failures.is_empty() {
        return Vec::new();
    }
    let mut parts = vec![Part::Heading(2, "could not be measured".to_owned())];
    for failure in &judgement.failures {
        let workers = if failure.count == 1 { "worker" } else { "workers" };
        let kind = failure.kind.name();
        let hint = match failure.kind {
            FailureKind::Missing => " (--allow-missing leaves it out of the exit code)",
            _ => "",
        };
        parts.push(Part::Text(format!(
            "{}: {kind}, {} {workers} of {}{hint}",
            failure.approach,
            failure.count,
            failure.configurations.join(", ")
        )));
        parts.push(Part::Verbatim(failure.first.clone()));
    }
    parts
}
