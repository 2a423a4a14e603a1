//! Counts in the answers of an IOC's shell; no I/O.
//!
//! Every line must have a known shape, else the whole answer is refused with the
//! reason: a reworded answer must never read as a count of 0.
//!
//! The shapes are those of EPICS Base 3.15 to 7.0.10: `dbel` in `dbEvent.c`,
//! `scanppl` in `dbScan.c`, `callbackQueueShow` in `callback.c`, `casr` in
//! `caservertask.c`.

/// The subscriptions to the values of one record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Subscriptions {
    /// How many there are.
    pub(super) count: u64,
    /// Updates that wait in their queues.
    pub(super) undelivered: u64,
    /// Updates that were put over an older one.
    pub(super) merged: u64,
}

/// The callback queues, in the order in which they are shown.
const CALLBACK_QUEUES: [&str; 3] = ["cbLow", "cbMedium", "cbHigh"];

/// Reads the answer to `dbel PV 3`. pvxs makes a second subscription for each of its
/// clients' monitors, to properties alone, which is not counted.
pub(super) fn subscriptions(pv: &str, answer: &str) -> Result<Subscriptions, String> {
    let mut lines = lines(answer);
    let head = lines.next().ok_or("it is empty")?;
    if head == format!("\"{pv}\": No PV event subscriptions ( monitors ).") {
        return nothing_more(lines).map(|()| Subscriptions::default());
    }
    let announced: usize = between(head, "", " PV Event Subscriptions ( monitors ).")
        .and_then(number)
        .ok_or_else(|| format!("it begins with `{head}`"))?;
    let mut found = Subscriptions::default();
    let mut seen = 0;
    for line in lines {
        // Base before 7.0.5 ends a line before this count.
        if line.strip_prefix(", canceled count =").and_then(number::<u64>).is_some() {
            continue;
        }
        seen += 1;
        let one = subscription(line).ok_or_else(|| format!("`{line}` is no subscription"))?;
        found.count += one.count;
        found.undelivered += one.undelivered;
        found.merged += one.merged;
    }
    match seen == announced {
        true => Ok(found),
        false => Err(format!("it announces {announced} subscriptions and shows {seen}")),
    }
}

/// One line, such as `VAL  { VALUE ALARM } undelivered=4, thread=0x7f2c, queue full`.
fn subscription(line: &str) -> Option<Subscriptions> {
    let (_field, rest) = line.split_once(" { ")?;
    let (events, rest) = rest.split_once('}')?;
    let mut events = events.split_whitespace();
    if !events.clone().all(|event| ["VALUE", "LOG", "ALARM", "PROPERTY"].contains(&event)) {
        return None;
    }
    let is_to_values = events.any(|event| event == "VALUE");
    let mut found = Subscriptions { count: 1, ..Subscriptions::default() };
    let mut parts = rest.split(", ");
    if let Some(undelivered) = Some(parts.next()?.trim()).filter(|part| !part.is_empty()) {
        found.undelivered = number(undelivered.strip_prefix("undelivered=")?)?;
    }
    parts.next()?.strip_prefix("thread=")?;
    let room = parts.next()?;
    if !["queue full", "queue empty"].contains(&room) {
        number::<u64>(room.strip_prefix("unused entries=")?)?;
    }
    for part in parts {
        if let Some(merged) = part.strip_prefix("discarded by replacement=") {
            found.merged = number(merged)?;
        } else if let Some(repeated) = part.strip_prefix("duplicate count =") {
            number::<u64>(repeated)?;
        } else if let Some(canceled) = part.strip_prefix("canceled count =") {
            number::<u64>(canceled)?;
        } else if part != "queueing disabled" {
            return None;
        }
    }
    Some(if is_to_values { found } else { Subscriptions::default() })
}

/// Reads the answer to `scanppl`: each list that has records, by its choice of the
/// scan menu, with its overruns.
pub(super) fn scan_lists(answer: &str) -> Result<Vec<(String, u64)>, String> {
    let mut lists = Vec::new();
    for line in answer.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        if let Some(list) = scan_list(line) {
            lists.push(list);
        } else if !((is_scanned_record(line) && !lists.is_empty()) || is_idle_list(line)) {
            return Err(format!("`{line}` is neither a scan list nor a record of one"));
        }
    }
    Ok(lists)
}

fn scan_list(line: &str) -> Option<(String, u64)> {
    let list = between(line, "Records with SCAN = '", " over-runs):")?;
    let (choice, overruns) = list.split_once("' (")?;
    Some((choice.to_owned(), number(overruns)?))
}

fn is_scanned_record(line: &str) -> bool {
    line == "    Scan list changed while printing, try again."
        || line.strip_prefix("    ").is_some_and(|name| !name.contains(char::is_whitespace))
}

/// A choice of the menu that is no period of time: it has no list.
fn is_idle_list(line: &str) -> bool {
    between(line, "Periodic scan list for SCAN = '", "' not initialized").is_some()
}

/// Reads the answer to `callbackQueueShow`: the requests for which all queues together
/// had no room.
pub(super) fn callback_overflows(answer: &str) -> Result<u64, String> {
    let mut lines = lines(answer);
    let head = lines.next().ok_or("it is empty")?;
    if !(head.starts_with("PRIORITY ") && head.ends_with(" Q OVERFLOWS")) {
        return Err(format!("it begins with `{head}`"));
    }
    let mut overflows = 0;
    for queue in CALLBACK_QUEUES {
        let line = lines.next().ok_or_else(|| format!("the queue {queue} is missing"))?;
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [name, _mark, _used, _size, _percent, count] = columns[..] else {
            return Err(format!("`{line}` has not 6 columns"));
        };
        if name != queue {
            return Err(format!("`{line}` is not the queue {queue}"));
        }
        overflows += number::<u64>(count).ok_or_else(|| format!("`{line}` ends in no count"))?;
    }
    nothing_more(lines).map(|()| overflows)
}

/// Reads the answer to `casr 1`: the channels of all clients.
pub(super) fn channels(answer: &str) -> Result<usize, String> {
    let mut lines = lines(answer);
    let head = lines.next().ok_or("it is empty")?;
    if !head.starts_with("Channel Access Server V") {
        return Err(format!("it begins with `{head}`"));
    }
    let clients = lines.next().ok_or("it shows no clients")?;
    if clients == "No clients connected." {
        return Ok(0);
    }
    let announced: usize = between(clients, "", " connected:")
        .and_then(|text| number(text.split_once(" client")?.0))
        .ok_or_else(|| format!("`{clients}` is no count of clients"))?;
    let of_client = |line: &str| -> Result<usize, String> {
        let channels = line.rsplit_once(", ").and_then(|(_, text)| text.split_once(" Channel"));
        let count = channels.and_then(|(count, _)| number(count));
        count.ok_or_else(|| format!("`{line}` shows no channels"))
    };
    let counts = lines
        .filter(|line| line.trim_start().starts_with("User '"))
        .map(of_client)
        .collect::<Result<Vec<_>, _>>()?;
    match counts.len() == announced {
        true => Ok(counts.iter().sum()),
        false => Err(format!("it announces {announced} clients and shows {}", counts.len())),
    }
}

/// The lines that say something: `dbel` prints an empty one after a count of its queue.
fn lines(answer: &str) -> impl Iterator<Item = &str> {
    answer.lines().map(str::trim_end).filter(|line| !line.is_empty())
}

fn nothing_more<'a>(mut lines: impl Iterator<Item = &'a str>) -> Result<(), String> {
    lines.next().map_or(Ok(()), |line| Err(format!("`{line}` follows its end")))
}

fn between<'a>(line: &'a str, before: &str, after: &str) -> Option<&'a str> {
    line.strip_prefix(before)?.strip_suffix(after)
}

fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused<T: std::fmt::Debug>(read: Result<T, String>, word: &str) {
        let reason = read.unwrap_err();
        assert!(reason.contains(word), "{reason}");
    }

    const SUBSCRIPTIONS: &str = "\
4 PV Event Subscriptions ( monitors ).
VAL  { VALUE ALARM }, thread=0x7f2c3c001b50, queue empty
VAL  { PROPERTY }, thread=0x7f2c3c001b50, queue empty
VAL  { VALUE } undelivered=4, thread=0x7f2c3c001b50, unused entries=28, \
discarded by replacement=1021, duplicate count =3

VAL  { VALUE LOG ALARM } undelivered=1, thread=0x7f2c40001b50, queue full, \
discarded by replacement=17, queueing disabled
";

    #[test]
    fn merged_and_waiting_updates_of_all_subscriptions_are_added_up() {
        let expected = Subscriptions { count: 3, undelivered: 5, merged: 1_038 };
        assert_eq!(subscriptions("gauge:1", SUBSCRIPTIONS), Ok(expected));
        let none = "\"gauge:1\": No PV event subscriptions ( monitors ).\n";
        assert_eq!(subscriptions("gauge:1", none), Ok(Subscriptions::default()));
    }

    #[test]
    fn counts_of_a_queue_that_older_bases_break_into_lines_are_read_over() {
        let answer = "\
2 PV Event Subscriptions ( monitors ).
VAL  { VALUE ALARM } undelivered=2, thread=0x55, unused entries=30, duplicate count =1
, canceled count =7

C    { VALUE }, thread=0x55, queue empty, canceled count =7

";
        let expected = Subscriptions { count: 2, undelivered: 2, merged: 0 };
        assert_eq!(subscriptions("gauge:1", answer), Ok(expected));
    }

    #[test]
    fn subscriptions_in_other_words_are_refused() {
        let read = |answer: &str| subscriptions("gauge:1", answer);
        refused(read(""), "it is empty");
        refused(read("\"gauge:2\": No PV event subscriptions ( monitors ).\n"), "gauge:2");
        refused(read("No monitors.\n"), "it begins with `No monitors.`");
        refused(read(&SUBSCRIPTIONS.replace("4 PV", "3 PV")), "announces 3");
        for (word, other) in [
            ("undelivered=4", "waiting=4"),
            ("discarded by replacement=17", "merged=17"),
            ("unused entries=28", "unused entries=many"),
            ("queue full", "queue bursting"),
            ("{ VALUE }", "{ CHANGE }"),
            ("thread=0x7f2c40001b50", "task 5"),
        ] {
            refused(read(&SUBSCRIPTIONS.replace(word, other)), "is no subscription");
        }
        refused(read(&format!("{SUBSCRIPTIONS}somebody else printed this\n")), "somebody else");
    }

    const LISTS: &str = "\
Records with SCAN = '10 second' (0 over-runs):
    gauge:3                     \n\
Periodic scan list for SCAN = 'Never' not initialized
Records with SCAN = '120 Hz' (57 over-runs):
    gauge:1                     \n    gauge:2                     \n    \
Scan list changed while printing, try again.\n";

    #[test]
    fn overruns_are_read_list_by_list() {
        let expected = [("10 second".to_owned(), 0), ("120 Hz".to_owned(), 57)];
        assert_eq!(scan_lists(LISTS).unwrap(), expected);
        assert_eq!(scan_lists("").unwrap(), []);
    }

    #[test]
    fn scan_lists_in_other_words_are_refused() {
        refused(scan_lists(&LISTS.replace("over-runs", "overruns")), "neither");
        refused(scan_lists(&LISTS.replace("57", "many")), "neither");
        refused(scan_lists("    gauge:1\n"), "neither");
        refused(scan_lists("scanppl: dbScan subsystem not initialized\n"), "not initialized");
        refused(scan_lists(&format!("{LISTS}somebody else\n")), "somebody else");
    }

    const QUEUES: &str = "\
PRIORITY  HIGH-WATER MARK  ITEMS IN Q  Q SIZE  % USED  Q OVERFLOWS
   cbLow             2000           3    2000     0.1           12
cbMedium                0           0    2000     0.0            0
  cbHigh               14           0    2000     0.0            3
";

    #[test]
    fn overflows_of_all_callback_queues_are_added_up() {
        assert_eq!(callback_overflows(QUEUES), Ok(15));
    }

    #[test]
    fn callback_queues_in_other_words_are_refused() {
        refused(callback_overflows(""), "it is empty");
        refused(callback_overflows(&QUEUES.replace("Q OVERFLOWS", "LOST")), "it begins with");
        refused(callback_overflows(&QUEUES.replace("cbMedium", "cbMiddle")), "cbMiddle");
        refused(callback_overflows(&QUEUES.replace("           12", "")), "6 columns");
        refused(callback_overflows(&QUEUES.replace("           12", "  many")), "no count");
        refused(callback_overflows(&format!("{QUEUES}cbMore 0 0 0 0 1\n")), "cbMore");
        let (two, _) = QUEUES.split_once("  cbHigh").unwrap();
        refused(callback_overflows(two), "cbHigh is missing");
    }

    const CLIENTS: &str = "\
Channel Access Server V4.13
2 clients connected:
    TCP client at 127.0.0.1:1 'h':
\tUser 'u', V4.13, Priority = 0, 50 Channels
    TCP client at 127.0.0.1:2 'h':
\tUser 'u', V4.13, Priority = 0, 1 Channel
CAS-TCP server on 127.0.0.1:5064 with
    CAS-UDP name server on 127.0.0.1:5064
Sending CAS-beacons to 1 address:
    127.0.0.1:5065
";

    #[test]
    fn channels_are_those_of_all_clients() {
        assert_eq!(channels(CLIENTS), Ok(51));
        assert_eq!(channels("Channel Access Server V4.13\nNo clients connected.\n"), Ok(0));
    }

    #[test]
    fn channels_in_other_words_are_refused() {
        refused(channels(""), "it is empty");
        refused(channels("No clients connected.\n"), "it begins with");
        refused(channels("Channel Access Server V4.13\n"), "no clients");
        refused(channels(&CLIENTS.replace("2 clients", "some")), "no count of clients");
        refused(channels(&CLIENTS.replace("50 Channels", "many")), "shows no channels");
        refused(channels(&CLIENTS.replace("2 clients", "3 clients")), "announces 3");
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig {
            failure_persistence: None, ..proptest::prelude::ProptestConfig::default()
        })]

        /// Whatever a shell prints is counted or refused, and never makes a parser panic.
        #[test]
        fn no_answer_makes_a_parser_panic(
            answer in "(?s)([A-Za-z0-9 :\"'{}(),.=\n-]|VALUE|ALARM|PV |at |Channel|no |records){0,60}",
        ) {
            let _ = subscriptions("gauge:0", &answer);
            let _ = scan_lists(&answer);
            let _ = callback_overflows(&answer);
            let _ = channels(&answer);
        }
    }
}
