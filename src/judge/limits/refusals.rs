//! Limits files that cannot be used: each is refused with its line and what is wrong.

use super::*;
use crate::record::Pixels;
use crate::scenario::USUAL_SERVER;

#[track_caller]
fn refused(text: &str, words: &[&str]) {
    let error = Limits::parse(text, "mine.toml").unwrap_err().to_string();
    for word in words.iter().chain(&["mine.toml"]) {
        assert!(error.contains(word), "`{word}` is not in: {error}");
    }
}

/// A good limit, of which every test changes something.
const GOOD: &str = include_str!("../../../tests/it/bad_input/good_limit.toml");

#[track_caller]
fn refused_with(from: &str, to: &str, words: &[&str]) {
    assert!(GOOD.contains(from));
    refused(&GOOD.replace(from, to), words);
}

#[test]
fn a_good_limit_has_every_value_of_the_file() {
    let limits = Limits::parse(GOOD, "mine.toml").unwrap();
    let [limit] = &limits.limits[..] else { panic!("{limits:?}") };
    assert_eq!((limit.line, limit.most, limit.least_pvs), (1, 0.01, 0));
    assert_eq!((limit.measure.name(), limit.derivation.as_str()), ("get serial", "users bear it"));
    assert_eq!(limit.relatives, [Relative::Floor]);
    assert_eq!(limit.scenarios, [Scenario::Connect]);
    assert!(limit.servers.is_empty() && limit.approaches.is_empty() && limit.lookups.is_empty());
    assert_eq!((limit.rate_hz_at_most, limit.expected_over("pyca")), (None, None));
}

#[test]
fn expectations_have_their_reason_and_their_line() {
    let text = GOOD.to_owned()
        + "over = { caproto = \"pure Python\" }\n\
           near = { pyepics = \"close\" }\n\
           [[limit]]\nmetric = \"get bulk\"\nrelative = [\"absolute\", \"fastest\"]\n\
           most = 1\nbecause = \"why\"\nexpect = \"over\"\nreason = \"all of them\"\n\
           server = \"caproto\"\napproach = [\"pyca\", \"psp\"]\npvs = 100\n";
    let limits = Limits::parse(&text, "mine.toml").unwrap();
    let [first, second] = &limits.limits[..] else { panic!("{limits:?}") };
    assert_eq!(first.expected_over("caproto"), Some("pure Python"));
    assert_eq!(first.expected_near("pyepics"), Some("close"));
    assert_eq!((first.expected_over("pyepics"), first.expected_near("caproto")), (None, None));
    let lines = ["caproto", "pyepics", "pyca"].map(|name| first.line_of_expectation(name));
    assert_eq!(lines, [7, 8, 1]);
    assert_eq!((second.line, second.line_of_expectation("pyca")), (9, 9));
    assert_eq!(second.expected_over("pyca"), Some("all of them"));
    assert_eq!(second.relatives, [Relative::Nothing, Relative::Fastest]);
    assert_eq!(second.servers, [("caproto".to_owned(), 16)]);
    assert_eq!(second.approaches, [("pyca".to_owned(), 17), ("psp".to_owned(), 17)]);
    assert_eq!(second.least_pvs, 100);
}

/// A place where the limit of [`GOOD`] holds.
const PLACE: Place = Place {
    scenario: Scenario::Connect,
    server: "softioc",
    approach: "pyca",
    pvs: 100,
    lookup: Lookup::Udp,
    load: None,
    protocol: Protocol::Ca,
    fault: None,
};

#[test]
fn a_limit_holds_only_where_the_file_names_it() {
    let holds = |more: &str, place: &Place| {
        let limits = Limits::parse(&(GOOD.to_owned() + more), "mine.toml").unwrap();
        let limit = &limits.limits[0];
        limits.of(limit.measure, Relative::Floor, place).is_some()
    };
    assert!(holds("", &PLACE));
    assert!(holds("pvs = 100\n", &PLACE) && !holds("pvs = 101\n", &PLACE));
    assert!(holds("server = \"softioc\"\n", &PLACE) && !holds("server = \"caproto\"\n", &PLACE));
    assert!(holds("approach = \"pyca\"\n", &PLACE) && !holds("approach = \"psp\"\n", &PLACE));
    assert!(holds("lookup = \"udp\"\n", &PLACE) && !holds("lookup = \"name-server\"\n", &PLACE));
    assert!(!holds("", &Place { scenario: Scenario::Scalars, ..PLACE }));
    let limits = Limits::parse(GOOD, "mine.toml").unwrap();
    assert!(limits.of(limits.limits[0].measure, Relative::Fastest, &PLACE).is_none());
}

#[test]
fn a_limit_up_to_a_rate_holds_at_that_rate() {
    let text = "[[limit]]\nmetric = \"client cpu\"\nrelative = \"floor\"\nmost = 1\n\
                because = \"why\"\nrate_hz_at_most = 10\n";
    let limits = Limits::parse(text, "mine.toml").unwrap();
    let limit = &limits.limits[0];
    let holds = |rate_hz| {
        let load = Some(Load::of_scalars(rate_hz, 10.0));
        let place = Place { scenario: Scenario::Scalars, load, ..PLACE };
        limits.of(limit.measure, Relative::Floor, &place).is_some()
    };
    assert!(holds(10.0) && !holds(10.1));
}

#[test]
fn two_limits_of_the_same_are_one_too_many_but_not_of_other_things() {
    let two = |more: &str| Limits::parse(&(GOOD.to_owned() + GOOD + more), "mine.toml");
    assert_eq!(two("").unwrap_err().line, Some(7));
    for more in
        ["pvs = 10\n", "server = \"softioc\"\n", "approach = \"pyca\"\n", "lookup = \"udp\"\n"]
    {
        assert_eq!(two(more).unwrap().limits.len(), 2, "{more}");
    }
    let other = |from, to| {
        let other = GOOD.replace(from, to);
        Limits::parse(&(GOOD.to_owned() + &other), "mine.toml").map(|limits| limits.limits.len())
    };
    assert_eq!(other("get serial", "get bulk"), Ok(2));
    assert_eq!(other("\"floor\"", "\"fastest\""), Ok(2));
    assert!(other("\"floor\"", "[\"fastest\", \"floor\"]").is_err());
}

#[test]
fn a_metric_that_more_of_is_better_cannot_be_limited() {
    refused_with(
        "get serial",
        "PVs without loss",
        &["line 3: `PVs without loss` cannot be limited"],
    );
}

#[test]
fn what_stands_alone_is_judged_by_itself() {
    let exact = "[[limit]]\nmetric = \"updates lost\"\nmost = 0\nbecause = \"why\"\n";
    assert_eq!(Limits::parse(exact, "mine.toml").unwrap().limits[0].relatives, [Relative::Nothing]);
    let floor = exact.to_owned() + "relative = \"floor\"\n";
    refused(&floor, &["line 5: `updates lost` is judged by itself: give \"absolute\""]);
    let growth =
        "[[limit]]\nmetric = \"growth\"\nrelative = \"floor\"\nmost = 1\nbecause = \"w\"\n";
    refused(growth, &["line 3: `growth` is judged by itself"]);
    refused_with("\"floor\"", "\"ground\"", &["line 4: unknown relation `ground`"]);
}

#[test]
fn an_expectation_is_within_or_over_for_approaches_of_the_limit() {
    let with = |more: &str, words: &[&str]| refused(&(GOOD.to_owned() + more), words);
    with("expect = \"above\"\n", &["line 7: unknown expectation `above`"]);
    let all = "expect = \"over\"\nreason = \"why\"\nover = { pyca = \"why\" }\n";
    with(all, &["line 7: all are expected to be over, so leave out `over`"]);
    let both = "over = { pyca = \"why\" }\nnear = { pyca = \"why\" }\n";
    with(both, &["line 8: `pyca` cannot be over this limit and near it"]);
    let near = "approach = \"pyca\"\nnear = { psp = \"why\" }\n";
    with(near, &["line 8: this limit is not of `psp`, so it cannot be near it"]);
    let within = GOOD.to_owned() + "expect = \"within\"\n";
    assert!(Limits::parse(&within, "mine.toml").is_ok());
    let own = GOOD.to_owned() + "approach = \"pyca\"\nover = { pyca = \"why\" }\n";
    assert!(Limits::parse(&own, "mine.toml").is_ok());
}

#[test]
fn values_of_other_types_are_refused_wherever_they_stand() {
    let with = |more: &str, words: &[&str]| refused(&(GOOD.to_owned() + more), words);
    with("over = 3\n", &["line 7: `over` must be a table, not of type integer"]);
    with("server = []\n", &["line 7: `server` is empty"]);
    with("server = [3]\n", &["line 7: `server` must be text in quotes, not of type integer"]);
    with("over = { pyca = 3 }\n", &["line 7: `pyca` must be text in quotes"]);
    with("over = { pyca = \" \" }\n", &["line 7: `pyca` is empty"]);
    with("kind = \"precise\"\n", &["line 7: unknown kind `precise`"]);
    with("pvs = inf\n", &["line 7: `pvs` must be 0 or more"]);
    with("budget = 3\n", &["line 7: `budget` must be a table"]);
    refused("limit = [3]\n", &["line 1: `limit` must be tables: write [[limit]]"]);
    let budget = GOOD.replace("most = 0.01\n", "budget = { pvs = 10, delay_s = 1 }\n");
    refused(&budget, &["line 6: `because` goes with `most`: a budget is a reason"]);
    let cpu = "[[limit]]\nmetric = \"client cpu\"\nrelative = \"floor\"\nbudget = { pvs = 1 }\n";
    refused(cpu, &["line 4: `client cpu` has no budget: give `most` and `because`"]);
    let all = Limits::parse(&(GOOD.to_owned() + "server = \"*\"\npvs = 0x10\n"), "mine.toml");
    let all = &all.unwrap().limits[0];
    assert!(all.servers.is_empty() && all.least_pvs == 16);
}

#[test]
fn a_measure_that_reports_little_is_measured_as_usual() {
    let measured = |measure: &str| {
        let text = format!("{GOOD}[[measure]]\n{measure}");
        Limits::parse(&text, "mine.toml").unwrap().measured[0].clone()
    };
    let scalars = measured("scenario = \"scalars\"\npvs = 10\n");
    assert_eq!((scalars.server.as_str(), scalars.blocks), (USUAL_SERVER, 5));
    assert!(scalars.approaches.is_empty() && scalars.pixels.is_none());
    let frames = measured("scenario = \"waveform\"\nserver = \"x\"\napproach = \"pyca\"\n");
    assert_eq!((frames.pvs, frames.pixels), (vec![1], Some(Pixels { width: 680, height: 480 })));
    assert_eq!((frames.server.as_str(), frames.approaches), ("x", vec!["pyca".to_owned()]));
    let small = measured("scenario = \"waveform\"\npixels = \"8x4\"\n");
    assert_eq!(small.pixels.map(|pixels| (pixels.width, pixels.height)), Some((8, 4)));
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
    let limits = |more: &str| Limits::parse(&(GOOD.to_owned() + more), "mine.toml").unwrap();
    let known = ["pyca", "pyepics", "caproto"];
    let refused = |more: &str| limits(more).check_approaches(&known).unwrap_err().to_string();
    let error = refused("approach = [\"pyca\", \"pyepic\"]\n");
    assert!(
        error.contains("line 7: unknown approach `pyepic`; did you mean `pyepics`?"),
        "{error}"
    );
    let error = refused("over = { capoto = \"why\" }\n");
    assert!(
        error.contains("line 7: unknown approach `capoto`; did you mean `caproto`?"),
        "{error}"
    );
    assert!(refused("near = { capoto = \"why\" }\n").contains("line 7: unknown approach `capoto`"));
    assert_eq!(limits("approach = \"pyca\"\n").check_approaches(&known), Ok(()));
    let server = limits("server = \"softioc-pv\"\n");
    let error = server.check_servers(&["softioc", "softioc-pva"]).unwrap_err().to_string();
    assert!(error.contains("line 7: unknown server `softioc-pv`; did you mean"), "{error}");
    assert_eq!(server.check_servers(&["softioc-pv"]), Ok(()));
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
fn what_the_gate_cannot_measure_is_refused_with_what_was_meant() {
    let with =
        |measure: &str, words: &[&str]| refused(&format!("{GOOD}[[measure]]\n{measure}"), words);
    with("pvs = [10]\n", &["line 7", "no `scenario`"]);
    with("scenario = \"conect\"\n", &["line 8", "`conect`", "`connect`"]);
    with("scenario = \"many-iocs\"\n", &["line 8", "connect, waveform, scalars"]);
    with("scenario = \"connect\"\n", &["line 7", "pvs = [1000, 10000]"]);
    with("scenario = \"connect\"\npvs = [0]\n", &["line 9", "counts of PVs"]);
    with("scenario = \"connect\"\npvs = 10\nrate_hz = 10\n", &["line 10", "no monitors"]);
    with("scenario = \"waveform\"\npvs = 10\n", &["line 9", "one PV"]);
    with("scenario = \"waveform\"\npixels = \"large\"\n", &["line 9", "680x480"]);
    with("scenario = \"scalars\"\npvs = 10\nblok = 3\n", &["line 10", "`blok`", "`blocks`"]);
}

#[test]
fn what_the_gate_cannot_measure_names_the_place() {
    let with =
        |measure: &str, words: &[&str]| refused(&format!("{GOOD}[[measure]]\n{measure}"), words);
    with("scenario = \"connect\"\npvs = [1.5]\n", &["line 9: give counts of PVs"]);
    with(
        "scenario = \"connect\"\npvs = 1\npixels = \"8x4\"\n",
        &["line 10: `pixels` means nothing"],
    );
    with("scenario = \"connect\"\npvs = 1\nseconds = 4\n", &["line 10: `seconds` means nothing"]);
    with("scenario = \"scalars\"\npvs = 1\npixels = \"8x4\"\n", &["only waveform has frames"]);
}
