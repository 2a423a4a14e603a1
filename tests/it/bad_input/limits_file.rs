//! Files of `--limits` that cannot be used.

use super::Invocation;

/// Every subcommand that takes limits refuses these, and says why.
#[track_caller]
fn refused(text: &str, words: &[&str]) {
    for arguments in
        ["list limits --limits FOLDER/mine.toml", "run connect --limits FOLDER/mine.toml --out OUT"]
    {
        let ended = Invocation::of(arguments).file("mine.toml", text).finish();
        ended.exits_with(64).says(&["mine.toml", "docs/limits.md"]).says(words);
        assert!(!ended.file("out").exists());
    }
}

/// A good limit, of which every test changes something.
const GOOD: &str = include_str!("good_limit.toml");

#[track_caller]
fn refused_with(from: &str, to: &str, words: &[&str]) {
    assert!(GOOD.contains(from));
    refused(&GOOD.replace(from, to), words);
}

#[test]
fn a_good_file_is_taken() {
    let ended = Invocation::of("list limits --limits FOLDER/mine.toml").file("mine.toml", GOOD);
    let ended = ended.finish();
    ended.exits_with(0);
    let entries = ended.stdout.lines().filter(|line| !line.starts_with(' ')).count();
    assert_eq!(entries, 1, "{}", ended.stdout);
    assert!(ended.stdout.contains("get serial") && ended.stdout.contains("users bear it"));
}

#[test]
fn text_that_is_not_toml_is_refused_with_its_line() {
    refused_with("\"connect\"", "\"connect", &["line 2"]);
}

#[test]
fn an_unknown_approach_or_server_is_refused_with_what_was_meant() {
    let (more, end) = ("most = 0.01", "most = 0.01");
    let words = ["line 5: unknown approach `pyepic`; did you mean `pyepics`?"];
    refused_with(more, &format!("approach = [\"pyca\", \"pyepic\"]\n{end}"), &words);
    let words = ["line 5: unknown server `softioc-pv`; did you mean `softioc-pva`?"];
    refused_with(more, &format!("server = \"softioc-pv\"\n{end}"), &words);
    let words = ["line 7: unknown approach `capoto`; did you mean `caproto`?"];
    refused(&(GOOD.to_owned() + "over = { capoto = \"why\" }\n"), &words);
}

#[test]
fn a_file_that_is_not_there_is_refused() {
    let ended = Invocation::of("run connect --limits FOLDER/none.toml").finish();
    ended.exits_with(64).says(&["cannot read", "none.toml", "No such file"]);
}
