//! Resident memory against the kernel's page tables, and the peak against what
//! the kernel says at the process's end.

use std::fs;
use std::thread;
use std::time::Duration;

use epics_gauge::process::UsageSampler;

use super::program::Program;

const PERIOD: Duration = Duration::from_millis(50);
const HELD_BYTES: u64 = 200 << 20;

/// Holds 200 MiB, and then gives them back.
const HOLDER: &str = "
say(0)
wait()
held = bytearray(b'x') * (200 << 20)
say(len(held))
wait()
del held
say(0)
wait()
";

/// A child holds 200 MiB.
const PARENT: &str = "
import subprocess
child = subprocess.Popen([sys.executable, '-c', 'import sys\\nheld = bytearray(b\"x\") * (200 << 20)\\nprint(0, flush=True)\\nsys.stdin.read(1)'],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
say(child.pid)
wait()
child.communicate(b'\\n')
";

/// `Rss` of `smaps_rollup`: counted page by page, not from a counter.
fn resident_bytes(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = text.lines().find(|line| line.starts_with("Rss:")).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}

fn assert_agree(sampled_bytes: u64, truth_bytes: u64) {
    eprintln!("sampled {sampled_bytes} bytes, in truth {truth_bytes}");
    // Kernels that count per core lag behind by some pages of each.
    let allowed_bytes = truth_bytes / 50 + (1 << 20);
    assert!(
        sampled_bytes.abs_diff(truth_bytes) <= allowed_bytes,
        "sampled {sampled_bytes} bytes, in truth {truth_bytes}"
    );
}

fn last_rss_bytes(pid: u32) -> u64 {
    let sampler = UsageSampler::start(vec![("subject".to_owned(), pid)], PERIOD);
    sampler.finish().subjects[0].samples.last().unwrap().rss_bytes
}

#[test]
fn memory_is_what_the_page_tables_hold_before_while_and_after() {
    let mut program = Program::start(HOLDER, &[]);
    program.heard();
    let before = last_rss_bytes(program.pid());
    assert_agree(before, resident_bytes(program.pid()));
    program.go_on();
    program.heard();
    let while_held = last_rss_bytes(program.pid());
    assert_agree(while_held, resident_bytes(program.pid()));
    assert!(while_held - before >= HELD_BYTES * 98 / 100, "{before} to {while_held}");
    program.go_on();
    program.heard();
    let after = last_rss_bytes(program.pid());
    assert_agree(after, resident_bytes(program.pid()));
    assert!(after < while_held - HELD_BYTES / 2);
}

#[test]
fn the_peak_is_known_also_when_it_was_before_the_first_sample() {
    let mut program = Program::start(HOLDER, &[]);
    program.heard();
    program.go_on();
    program.heard();
    program.go_on();
    program.heard();
    let sampler = UsageSampler::start(vec![("holder".to_owned(), program.pid())], PERIOD);
    thread::sleep(Duration::from_millis(200));
    let subject = sampler.finish().subjects.remove(0);
    let peak_bytes = subject.peak_rss_bytes.unwrap();
    assert!(peak_bytes > HELD_BYTES);
    assert!(subject.samples.iter().all(|sample| sample.rss_bytes < HELD_BYTES / 2));
    assert_agree(peak_bytes, program.resources().peak_rss_bytes);
}

#[test]
fn memory_of_children_counts_and_that_of_others_does_not() {
    let (program, other) = (Program::start(PARENT, &[]), Program::start(HOLDER, &[]));
    let child = u32::try_from(program.heard()).unwrap();
    other.heard();
    let expected = resident_bytes(program.pid()) + resident_bytes(child);
    assert!(expected > HELD_BYTES);
    assert_agree(last_rss_bytes(program.pid()), expected);
    assert!(last_rss_bytes(other.pid()) < HELD_BYTES / 2);
}
