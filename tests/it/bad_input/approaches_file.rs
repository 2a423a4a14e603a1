//! Files of `--approaches` that cannot be used.

use super::Invocation;

#[track_caller]
fn refused(text: &str, words: &[&str]) {
    let arguments = "run connect --approaches FOLDER/mine.toml --pvs 1 --out OUT";
    let ended = Invocation::of(arguments).file("mine.toml", text).finish();
    ended.exits_with(64).says(&["mine.toml"]).says(words);
    assert!(!ended.file("out").exists());
    let listed =
        Invocation::of("list approaches --approaches FOLDER/mine.toml").file("mine.toml", text);
    listed.finish().exits_with(64).says(words);
}

#[test]
fn text_that_is_not_toml_is_refused_with_its_line() {
    refused("[approach.mine]\ncommand = [\"worker\"\n", &["line 2", "adding-an-approach.md"]);
}

#[test]
fn an_unknown_key_is_refused_with_its_line_and_name() {
    let text = "[approach.mine]\ncomand = [\"worker\"]\n";
    refused(text, &["line 2", "`comand`", "`command`"]);
}

#[test]
fn an_unknown_table_is_refused_with_its_line_and_name() {
    refused("[aproach.mine]\ncommand = [\"worker\"]\n", &["line 1", "`aproach`", "`approach`"]);
}

#[test]
fn a_value_of_another_type_is_refused_with_its_line() {
    refused("[approach.mine]\ncommand = \"worker\"\n", &["line 2", "command", "sequence"]);
}

#[test]
fn a_missing_command_is_refused() {
    refused("[approach.mine]\ndescription = \"d\"\n", &["missing field `command`"]);
}

#[test]
fn an_empty_command_is_refused() {
    refused("[approach.mine]\ncommand = []\n", &["approach.mine.command is empty"]);
}

#[test]
fn a_file_without_an_approach_is_refused() {
    refused("# nothing\n", &["it has no [approach.NAME]", "adding-an-approach.md"]);
}

#[test]
fn a_name_that_is_taken_is_refused() {
    let text = "[approach.pyepics]\ncommand = [\"worker\"]\n";
    refused(text, &["approach `pyepics` already", "another name"]);
}

#[test]
fn a_name_that_cannot_be_one_is_refused() {
    for name in ["My_Worker", "a b", ""] {
        let text = format!("[approach.\"{name}\"]\ncommand = [\"worker\"]\n");
        refused(&text, &[&format!("the name `{name}`"), "lower-case letters, digits and -"]);
    }
}

#[test]
fn an_environment_that_would_leave_loopback_is_refused() {
    let text =
        "[approach.mine]\ncommand = [\"worker\"]\nenv = { EPICS_CA_ADDR_LIST = \"10.0.0.1\" }\n";
    refused(text, &["approach.mine.env", "EPICS_CA_ADDR_LIST", "loopback"]);
}

#[test]
fn a_simplicity_without_rank_or_reason_is_refused() {
    for (simplicity, words) in [
        ("{ reason = \"r\" }", "approach.mine: `simplicity.rank` is missing"),
        ("{ rank = 0, reason = \"r\" }", "approach.mine: `simplicity.rank` is 0"),
        ("{ rank = 1, reason = \" \" }", "approach.mine: `simplicity.reason` must be one line"),
        ("{ rank = 1 }", "missing field `reason`"),
    ] {
        let text = format!("[approach.mine]\ncommand = [\"worker\"]\nsimplicity = {simplicity}\n");
        refused(&text, &[words]);
    }
}

#[test]
fn a_file_that_is_not_there_is_refused() {
    let ended = Invocation::of("run connect --approaches FOLDER/none.toml").finish();
    ended.exits_with(64).says(&["cannot read", "none.toml", "No such file"]);
}
