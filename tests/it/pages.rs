//! Reports as HTML pages: what they hold, and that the commands in them measure again.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::sync::LazyLock;
use std::thread;

use super::support::{Gauge, Ran, at_once, program};

/// A small run for all tests of this file, and one load of the matrix, of which each takes
/// some seconds to become steady. Both mostly wait, so they do it side by side.
static MEASURED: LazyLock<[Ran; 2]> = LazyLock::new(|| {
    let matrix = thread::spawn(|| ran("scale --pvs 2 --monitors 2 --rate 10 --blocks 1"));
    let small = ran("connect waveform --pvs 1,10 --blocks 2 --rate 10 --mode bulk,serial");
    [small, matrix.join().unwrap()]
});

/// The small run.
static RAN: LazyLock<&Ran> = LazyLock::new(|| &MEASURED[0]);

/// The load of the matrix.
static SCALED: LazyLock<&Ran> = LazyLock::new(|| &MEASURED[1]);

fn ran(arguments: &str) -> Ran {
    let common = "--server softioc --approach libca,epics-ca --seconds 1 --fresh-blocks 0";
    let ran = Gauge::run(&format!("{arguments} {common}")).finish();
    assert!(matches!(ran.code, Some(0 | 3)), "{:?}\n{}", ran.code, ran.stderr);
    ran
}

fn page_left_by(ran: &Ran) -> String {
    fs::read_to_string(ran.out.path().join("run/report.html")).unwrap()
}

fn page() -> String {
    page_left_by(&RAN)
}

/// What stands between two texts, each time.
fn between<'a>(text: &'a str, from: &str, to: &str) -> Vec<&'a str> {
    text.split(from).skip(1).filter_map(|rest| Some(rest.split_once(to)?.0)).collect()
}

fn figures(page: &str) -> Vec<(&str, &str)> {
    between(page, "<figure id=\"", "</figure>")
        .into_iter()
        .map(|figure| figure.split_once('"').unwrap())
        .collect()
}

#[test]
fn a_run_leaves_a_page_with_a_figure_of_everything_that_it_measured() {
    let page = page() + &page_left_by(&SCALED);
    let ids: Vec<&str> = figures(&page).into_iter().map(|(id, _)| id).collect();
    for wanted in [
        "connect-cost-softioc",
        "stages-softioc",
        "get-serial-softioc",
        "get-bulk-softioc",
        "get-again-bulk-softioc",
        "client-cpu-waveform-680x480-at-10-hz",
        "server-cpu-waveform-680x480-at-10-hz",
        "client-memory-waveform-680x480-at-10-hz",
        "latency-waveform-680x480-at-10-hz",
        "scale-softioc-libca",
    ] {
        assert!(ids.contains(&wanted), "no figure {wanted} among {ids:?}");
    }
    let mut distinct = ids.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), ids.len(), "an id twice: {ids:?}");
}

#[test]
fn every_figure_has_marks_that_report_their_values_and_words_and_a_table() {
    let page = page() + &page_left_by(&SCALED);
    for (id, figure) in figures(&page) {
        let drawings = between(figure, "<svg", "</svg>");
        assert_eq!(drawings.len(), 2, "{id}: for desks and for phones");
        for drawing in drawings {
            let marks = between(drawing, "class=\"mark ", ">");
            assert!(!marks.is_empty(), "{id} has no marks");
            assert!(marks.iter().all(|mark| mark.contains("data-tip=\"")), "{id}: {marks:?}");
            let label = between(drawing, "aria-label=\"", "\"");
            assert!(label.iter().all(|label| label.len() > 40), "{id}: {label:?}");
        }
        let rows = between(figure, "<tr>", "</tr>").len();
        assert!(rows > 1, "{id} has a table of {rows} rows");
    }
}

#[test]
fn a_page_needs_nothing_from_elsewhere() {
    let page = page();
    let outside = page.replace("http://www.w3.org/2000/svg", "");
    for word in ["http:", "https:", "src=", "@import", "url("] {
        assert!(!outside.contains(word), "the page has {word}");
    }
}

#[test]
fn marks_report_what_was_judged() {
    let judged = fs::read_to_string(RAN.out.path().join("run/report.json")).unwrap();
    let judged: serde_json::Value = serde_json::from_str(&judged).unwrap();
    let figures = judged["judgement"]["figures"].as_array().unwrap();
    let configuration = figures
        .iter()
        .find(|configuration| {
            (&configuration["metric"], &configuration["pvs"])
                == (&"connect bulk".into(), &10.into())
        })
        .unwrap();
    let rows = configuration["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["approach"] == "libca").unwrap();
    let per_pv = row["figure_s"]["median"].as_f64().unwrap();
    let tip = format!("libca, 10 PVs: {} for all", epics_gauge::units::duration(10.0 * per_pv));
    assert!(page().contains(&tip), "no mark tells: {tip}");
}

#[test]
fn the_command_of_each_figure_measures_it_again() {
    let page = page() + &page_left_by(&SCALED);
    let mut ids_of: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (id, figure) in figures(&page) {
        let commands = between(figure, "<code>", "</code>");
        assert_eq!(commands.len(), 1, "{id}");
        ids_of.entry(commands[0]).or_default().push(id);
    }
    let commands: Vec<(&str, Vec<&str>)> = ids_of.into_iter().collect();
    at_once(&commands, |(command, wanted)| {
        let (program_name, arguments) = command.split_once(" run ").unwrap();
        assert_eq!(program_name, "epics-gauge");
        let again = Gauge::run(&format!("{arguments} --fresh-blocks 0")).finish();
        assert!(matches!(again.code, Some(0 | 3)), "{command}: {}", again.stderr);
        let page = page_left_by(&again);
        let ids: Vec<&str> = figures(&page).into_iter().map(|(id, _)| id).collect();
        assert!(wanted.iter().all(|id| ids.contains(id)), "{command}: {wanted:?} of {ids:?}");
    });
}

/// The page that `report` writes of records.
fn page_of(records: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("records.jsonl");
    fs::write(&file, records).unwrap();
    let written =
        Command::new(program()).args(["report", "--format", "html"]).arg(file).output().unwrap();
    assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
    String::from_utf8(written.stdout).unwrap()
}

fn records() -> String {
    fs::read_to_string(RAN.out.path().join("run/records.jsonl")).unwrap()
}

#[test]
fn the_page_of_a_record_file_is_that_of_its_run() {
    assert_eq!(page_of(&records()), page());
}

#[test]
fn what_a_record_file_reports_is_text_on_the_page_and_never_markup() {
    let evil = "<script>alert(1)</script>\\\"><b>";
    let records = records().replacen("\"model\":\"", &format!("\"model\":\"{evil}"), 1);
    let page = page_of(&records.replace("\"libca\"", "\"<i>libca\""));
    assert!(page.contains("&lt;script&gt;alert(1)") && page.contains("&lt;i&gt;libca"));
    assert!(!page.contains("<script>alert") && !page.contains("<i>"), "markup got through");
}

#[test]
fn a_run_that_was_cut_off_has_a_page_that_reports_it() {
    let first = records().lines().next().unwrap().to_owned() + "\n";
    let page = page_of(&first);
    assert!(page.contains("This run was cut off"), "{page}");
    assert!(figures(&page).is_empty());
}

#[test]
fn a_figure_is_a_picture_by_itself_and_one_that_is_not_there_is_named_with_those_that_are() {
    let figure = |id: &str| {
        let records = RAN.out.path().join("run");
        Command::new(program()).arg("report").arg(records).args(["--figure", id]).output().unwrap()
    };
    let drawn = String::from_utf8(figure("connect-cost-softioc").stdout).unwrap();
    let parsed = roxmltree::Document::parse(&drawn).unwrap_or_else(|error| panic!("{error}"));
    let is_mark = |node: &roxmltree::Node<'_, '_>| node.attribute("data-tip").is_some();
    assert_eq!(parsed.descendants().filter(is_mark).count(), 6, "3 approaches at 2 counts");
    assert!(drawn.contains("prefers-color-scheme: dark"), "it is light only");
    let unknown = figure("nothing");
    assert_eq!(unknown.status.code(), Some(64));
    let printed = String::from_utf8(unknown.stderr).unwrap();
    assert!(
        printed.contains("no figure `nothing`") && printed.contains("stages-softioc"),
        "{printed}"
    );
}

#[test]
fn drawings_are_well_formed() {
    let page = page() + &page_left_by(&SCALED);
    for drawing in between(&page, "<svg", "</svg>") {
        let drawing = format!("<svg{drawing}</svg>");
        let parsed = roxmltree::Document::parse(&drawing);
        parsed.unwrap_or_else(|error| panic!("{error}: {drawing}"));
    }
}

#[test]
fn several_runs_have_a_page_with_a_figure_of_each_metric() {
    let folder = tempfile::tempdir().unwrap();
    let later = folder.path().join("later.jsonl");
    let year = |text: &str| text.replacen("\"started_utc\":\"20", "\"started_utc\":\"21", 1);
    fs::write(&later, year(&records())).unwrap();
    let first = RAN.out.path().join("run");
    let written = Command::new(program())
        .args(["report", "--format", "html"])
        .args([&first, &later])
        .output()
        .unwrap();
    assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
    let page = String::from_utf8(written.stdout).unwrap();
    let figures = figures(&page);
    let of_slope =
        figures.iter().find(|(id, _)| id.starts_with("history-0-connect-bulk-of-connect"));
    let (_, figure) = of_slope.unwrap_or_else(|| panic!("{figures:?}"));
    // Behind the run stands its commit, where that is known.
    assert!(figure.contains("\"libca, run 1") && figure.contains("\"libca, run 2"), "{figure}");
}
