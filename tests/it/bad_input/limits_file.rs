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
const GOOD: &str = "\
[[limit]]
scenario = \"connect\"
metric = \"get serial\"
relative = \"floor\"
most = 0.01
because = \"users bear it\"
";

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
fn an_unknown_key_is_refused_with_what_was_meant() {
    let words = ["line 4: unknown key `relativ`; did you mean `relative`?"];
    refused_with("relative", "relativ", &words);
    let words = ["line 1: unknown key `limits`; did you mean `limit`?"];
    refused_with("[[limit]]", "[[limits]]", &words);
}

#[test]
fn an_unknown_metric_is_refused_with_what_was_meant() {
    let words = ["line 3: unknown metric `get seral`; did you mean `get serial`?"];
    refused_with("get serial", "get seral", &words);
    refused_with("get serial", "speed of light", &["line 3", "there are: connect bulk"]);
}

#[test]
fn an_unknown_scenario_is_refused_with_what_was_meant() {
    let words = ["line 2: unknown scenario `conect`; did you mean `connect`?"];
    refused_with("connect", "conect", &words);
}

#[test]
fn a_scenario_without_this_metric_is_refused() {
    let words = ["line 2: `get serial` is not measured in `waveform`; it is in: connect"];
    refused_with("connect", "waveform", &words);
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
fn a_value_of_another_type_is_refused() {
    let words = ["line 5: `most` must be a number, not of type string"];
    refused_with("0.01", "\"0.01\"", &words);
    let words = ["line 3: `metric` must be a name, or a list of names, not of type integer"];
    refused_with("\"get serial\"", "3", &words);
    refused("limit = 3\n", &["line 1: `limit` must be tables: write [[limit]]"]);
    refused_with("0.01", "-1", &["line 5: `most` must be 0 or more"]);
}

#[test]
fn what_is_missing_is_named() {
    refused_with("metric = \"get serial\"\n", "", &["line 1: this limit has no `metric`"]);
    refused_with("relative = \"floor\"\n", "", &["line 1: this limit has no `relative`"]);
    let words = ["line 1: this limit has neither `most` nor `budget`"];
    refused_with("most = 0.01\nbecause = \"users bear it\"\n", "", &words);
    refused_with("because = \"users bear it\"\n", "", &["line 5: `most` needs `because`"]);
    refused("# nothing\n", &["it has no [[limit]]"]);
}

#[test]
fn contradictions_are_refused() {
    let with = |more: &str, words: &[&str]| refused(&(GOOD.to_owned() + more), words);
    let words = ["line 7: `most` and `budget` both"];
    with("budget = { pvs = 10000, delay_s = 1.0 }\n", &words);
    with("kind = \"exact\"\n", &["line 7: `get serial` is noisy, not exact"]);
    with("expect = \"over\"\n", &["line 7: expect = \"over\" needs a `reason`"]);
    with("reason = \"why\"\n", &["line 7: `reason` goes with expect = \"over\""]);
    with("rate_hz_at_most = 3\n", &["line 7: `get serial` has no rate"]);
    let words = ["line 8: this limit is not of `caproto`, so it cannot be over it"];
    with("approach = \"pyca\"\nover = { caproto = \"why\" }\n", &words);
    let words = ["line 7: this limits `get serial` of the same as line 1"];
    with(GOOD, &words);
    let exact = "[[limit]]\nmetric = \"values wrong\"\nmost = 1\nbecause = \"why\"\n";
    refused(exact, &["line 3: `values wrong` is exact and allows nothing: most = 0"]);
    let exact = "[[limit]]\nmetric = \"updates lost\"\nkind = \"noisy\"\nmost = 0\n";
    refused(exact, &["line 3: `updates lost` is exact, not noisy"]);
    let whole = "[[limit]]\nmetric = \"processes left\"\nscenario = \"connect\"\nmost = 0\n";
    refused(whole, &["line 3: `processes left` is of the whole run: leave out `scenario`"]);
}

#[test]
fn a_budget_that_gives_no_limit_is_refused() {
    let with = |budget: &str, words: &[&str]| {
        let most = "most = 0.01\nbecause = \"users bear it\"";
        refused_with(most, &format!("budget = {budget}"), words);
    };
    with("{ pvs = 0, delay_s = 1.0 }", &["line 5: `pvs` must be over 0"]);
    with("{ pvs = 10 }", &["line 5: this budget has no `delay_s`"]);
    let words = ["line 5: unknown key `delay`; did you mean `delay_s`?"];
    with("{ pvs = 10, delay = 1.0 }", &words);
    let words = ["line 5: `read_fraction` must be over 0 and at most 1"];
    with("{ pvs = 10, read_fraction = 1.5, delay_s = 1.0 }", &words);
}

#[test]
fn a_file_that_is_not_there_is_refused() {
    let ended = Invocation::of("run connect --limits FOLDER/none.toml").finish();
    ended.exits_with(64).says(&["cannot read", "none.toml", "No such file"]);
}

#[test]
fn what_the_gate_cannot_measure_is_refused_with_what_was_meant() {
    let with =
        |measure: &str, words: &[&str]| refused(&format!("{GOOD}[[measure]]\n{measure}"), words);
    with("pvs = [10]\n", &["line 7", "no `scenario`"]);
    with("scenario = \"conect\"\n", &["line 8", "`conect`", "`connect`"]);
    with("scenario = \"fleet\"\n", &["line 8", "connect, waveform, scalars"]);
    with("scenario = \"connect\"\n", &["line 7", "pvs = [1000, 10000]"]);
    with("scenario = \"connect\"\npvs = [0]\n", &["line 9", "counts of PVs"]);
    with("scenario = \"connect\"\npvs = 10\nrate_hz = 10\n", &["line 10", "no monitors"]);
    with("scenario = \"waveform\"\npvs = 10\n", &["line 9", "one PV"]);
    with("scenario = \"waveform\"\npixels = \"large\"\n", &["line 9", "680x480"]);
    with("scenario = \"scalars\"\npvs = 10\nblok = 3\n", &["line 10", "`blok`", "`blocks`"]);
}
