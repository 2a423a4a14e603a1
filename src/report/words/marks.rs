//! Marks beside the names of approaches, each explained below the table that has it.

const JOINT: &str = "Marked *: create and connect are one call of its API, and connect holds both.";

/// The name, with a `*` where the API creates and connects in one call.
pub(in crate::report) fn with_joint_mark(approach: &str, is_joint: bool) -> String {
    if is_joint { format!("{approach} *") } else { approach.to_owned() }
}

/// What the `*` of a table says; nothing where no row has one.
pub(in crate::report) fn joint_explained(has_joint: bool) -> Option<String> {
    has_joint.then(|| JOINT.to_owned())
}
