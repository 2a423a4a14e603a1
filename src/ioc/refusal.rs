//! Why an IOC refused what it was given: the first error that Base printed, where it is, and
//! what to do about it. Base's words differ from release to release; those of 7.0.4 to 7.0.10
//! are known.

/// Lines of Base that mean that a file was not loaded, though the script went on: before
/// 7.0.8 `dbLoadTemplate` fails without ending it.
const NOT_LOADED: [&str; 3] = ["ailed to load '", "Substitution file error", "Can't open file"];

/// Whether a line says that a file was not loaded.
pub(super) fn says_not_loaded(line: &str) -> bool {
    NOT_LOADED.iter().any(|words| line.contains(words))
}

/// The first error among the lines that an IOC printed on stderr, with its place and with
/// what to do, if that is known; none if no line is an error.
pub(super) fn reason(lines: &[&str]) -> Option<String> {
    let first = lines.iter().position(|line| is_error(line))?;
    let what = without_mark(lines[first]);
    let place = lines[first + 1..].iter().find_map(|line| place(line).or(line_of_template(line)));
    let mut message = what.to_owned();
    if let Some(place) = place.filter(|place| !message.contains(place)) {
        message = format!("{message}, in {place}");
    }
    match advice(lines) {
        Some(advice) => Some(format!("{message}\n{advice}")),
        None => Some(message),
    }
}

/// Lines that say what is wrong. "Error at or before" says where.
fn is_error(line: &str) -> bool {
    let lower = line.to_lowercase();
    const ERRORS: [&str; 8] = [
        "error",
        "not found",
        "unknown type",
        "can't ",
        "does not have a field",
        "has unexpanded macro",
        "is undefined",
        "opening file",
    ];
    ERRORS.iter().any(|words| lower.contains(words)) && place(line).is_none()
}

/// Without what says where in Base's own source it was printed.
fn without_mark(line: &str) -> &str {
    let line = line.find("dbRead opening").map_or(line, |at| &line[at..]);
    line.trim_start_matches("ERROR").trim_start_matches([':', ' '])
}

/// `line 1: '{'` after an error in a substitutions file.
fn line_of_template(line: &str) -> Option<&str> {
    let number = line.strip_prefix("line ")?.split(':').next()?;
    number.parse::<u32>().is_ok().then(|| line.trim_end())
}

/// `file "a.db" line 3` in `Error at or before ')' in path "."  file "a.db" line 3`.
fn place(line: &str) -> Option<&str> {
    if !line.contains("at or before") {
        return None;
    }
    line.rfind("file \"").map(|at| line[at..].trim_end())
}

/// What to do about the first thing that is known here.
fn advice(lines: &[&str]) -> Option<&'static str> {
    lines.iter().find_map(|line| advice_on(line))
}

fn advice_on(line: &str) -> Option<&'static str> {
    const OWN_IOC: &str = "This softIoc has the record types and device support of EPICS Base \
                           alone. Start an IOC that has more with `--program` (and `--dbd`), or \
                           `Builder::program` and `Builder::dbd`";
    const FILES: &str = "A file that another one names is looked for in the folder of the file \
                         that is loaded, in the folders of EPICS_DB_INCLUDE_PATH, and in the \
                         working folder";
    const MACRO: &str = "Give every macro a value: `-m NAME=VALUE,…` after the file's `--db`, or \
                         the macros of `Builder::db_file`";
    const RATE: &str = "The rates of this softIoc are those of Base and 20, 30, 50, 60, 100, 120, \
                        200, 250, 500 and 1000 Hz; a `--dbd` with a menu of your own has others";
    let has = |words: &str| line.contains(words);
    let is_unknown_type = has("is of unknown type") || has("Record type '") && has("not found");
    let is_device = has("no such device support") || has(".DTYP\" to");
    if is_unknown_type || is_device || has("Command") && has("not found") {
        Some(OWN_IOC)
    } else if has("Can't open include file") || has("opening file") || has("Can't open file") {
        Some(FILES)
    } else if has("is undefined") || has("Has unexpanded macro") {
        Some(MACRO)
    } else if has("menu menuScan") || has(".SCAN") {
        Some(RATE)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn shows(printed: &str, parts: &[&str]) {
        let lines: Vec<&str> = printed.lines().collect();
        let reason = reason(&lines).unwrap();
        for part in parts {
            assert!(reason.contains(part), "no {part} in: {reason}");
        }
    }

    #[test]
    fn what_is_missing_is_named_with_its_place_and_a_way_out() {
        let asked = ["asyn", "file \"e1.db\" line 1", "--program"];
        shows(
            "Record \"x\" is of unknown type \"asyn\"\nError at or before ')' in path \".\"  file \
             \"e1.db\" line 1\n",
            &asked,
        );
        shows(
            "ERROR: Record type 'asyn' for record 'x' not found\nERROR:  at or before ')' in path \
             \".\"  file \"e1.db\" line 1\n",
            &asked,
        );
        let asked = ["asynInt32", "file \"e2.db\" line 2", "--program"];
        shows(
            "Can't set \"x.DTYP\" to \"asynInt32\" No digits to convert\nError at or before \")\" \
             in path \".\"  file \"e2.db\" line 2\n",
            &asked,
        );
        shows(
            "ERROR: Can't set 'x.DTYP' to 'asynInt32' no such device support for 'ai' record type \
             : Illegal choice\nERROR:  at or before ')' in path \".\"  file \"e2.db\" line 2\n",
            &asked,
        );
    }

    #[test]
    fn other_errors_report_what_to_do() {
        shows(
            "ERROR: Can't open include file 'no.db'\nERROR:  at or before '\"no.db\"' in path \
             \".\"  file \"e7.db\" line 1\n",
            &["no.db", "e7.db\" line 1", "EPICS_DB_INCLUDE_PATH"],
        );
        shows(
            "macLib: macro N is undefined (expanding string x)\nWARNING: 'e4.db' line 1 has \
             undefined macros\n",
            &["macro N", "-m NAME=VALUE"],
        );
        shows(
            "ERROR: Can't set 'x.SCAN' to '7 Hz' using menu menuScan : Illegal choice\n",
            &["7 Hz", "menu of your own"],
        );
        shows("Substitution file error: syntax error\nline 4: '{'\n", &["syntax error, in line 4"]);
        shows(
            "filename=\"../dbStatic/dbLexRoutines.c\" line number=276dbRead opening file no.db\n",
            &["dbRead opening file no.db\nA file that another one names"],
        );
        shows("st.cmd line 3: Command nonsense not found.", &["nonsense"]);
        assert_eq!(reason(&["Starting iocInit", "iocRun: all is well"]), None);
    }

    #[test]
    fn a_template_that_was_not_loaded_is_seen_in_every_release() {
        for line in [
            "dbLoadRecords: failed to load 'no.template'",
            "ERROR: Failed to load 'no.template'",
            "Substitution file error: syntax error",
        ] {
            assert!(says_not_loaded(line), "{line}");
        }
        assert!(!says_not_loaded("iocRun: All initialization complete"));
    }
}
