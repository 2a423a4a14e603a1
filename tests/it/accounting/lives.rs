//! Subjects that end, are replaced, or were never there.

use std::fs;
use std::thread;
use std::time::Duration;

use epics_gauge::process::{UsageSample, UsageSampler};

use super::program::Program;
use crate::processes::proc_files::wait_until;

const PERIOD: Duration = Duration::from_millis(20);

/// Burns as many seconds as its argument says and then waits.
const BURNER: &str = "
burn(float(sys.argv[1]))
say(time.process_time_ns())
wait()
";

fn burner(seconds: f64) -> Program {
    Program::start(BURNER, &[seconds.to_string()])
}

fn sampler_of(program: &Program) -> UsageSampler {
    UsageSampler::start(vec![("subject".to_owned(), program.pid())], PERIOD)
}

/// Long enough for some samples.
fn let_it_sample() {
    thread::sleep(Duration::from_millis(200));
}

#[test]
fn a_process_that_ends_keeps_its_samples_and_its_end_is_reported() {
    for waited_for in [true, false] {
        let mut program = burner(0.1);
        let used_ns = program.heard();
        let pid = program.pid();
        let sampler = sampler_of(&program);
        let_it_sample();
        program.kill_without_waiting();
        // A dropped program is waited for.
        let unwaited = if waited_for {
            drop(program);
            None
        } else {
            Some(program)
        };
        let_it_sample();
        let usage = sampler.finish();
        drop(unwaited);
        let subject = &usage.subjects[0];
        assert_eq!(subject.ended, Some(format!("process {pid} ended")));
        let samples = &subject.samples;
        assert!(samples.len() >= 3, "{}", samples.len());
        assert!(samples.iter().all(|sample| sample.cpu_ns >= used_ns && sample.rss_bytes > 0));
        assert!(samples.last().unwrap().at_ns < samples[0].at_ns + usage.sampler_wall_ns);
    }
}

#[test]
fn a_process_that_never_was_is_reported_and_disturbs_no_other() {
    let program = burner(0.0);
    program.heard();
    let nobody = u32::MAX / 2;
    let subjects = vec![("nobody".to_owned(), nobody), ("somebody".to_owned(), program.pid())];
    let sampler = UsageSampler::start(subjects, PERIOD);
    let_it_sample();
    let usage = sampler.finish();
    assert_eq!(usage.subjects[0].samples, []);
    assert_eq!(usage.subjects[0].ended, Some(format!("there is no process {nobody}")));
    assert_eq!(usage.subjects[1].ended, None);
    assert!(usage.subjects[1].samples.len() >= 3);
}

#[test]
fn the_counters_go_on_when_a_subject_is_replaced() {
    let first = burner(0.3);
    let first_ns = first.heard();
    let sampler = sampler_of(&first);
    let_it_sample();
    drop(first);
    let_it_sample();
    let second = burner(0.2);
    let second_ns = second.heard();
    sampler.replace(0, second.pid());
    // There is no such subject.
    sampler.replace(7, second.pid());
    let_it_sample();
    let usage = sampler.finish();
    let subject = &usage.subjects[0];
    assert_eq!(subject.ended, None);
    let last_ns = subject.samples.last().unwrap().cpu_ns;
    assert!(last_ns >= first_ns + second_ns, "{last_ns} is less than both");
    assert!(last_ns < first_ns + second_ns + 100_000_000, "{last_ns} is more than both");
    let never_falls = |pair: &[UsageSample]| pair[0].cpu_ns <= pair[1].cpu_ns;
    assert!(subject.samples.windows(2).all(never_falls));
}

#[test]
fn a_sampler_that_is_dropped_ends_its_thread() {
    let program = burner(0.0);
    program.heard();
    drop(sampler_of(&program));
}

/// Needs the right to choose the next process id, which few users have; says so
/// where it is missing.
#[test]
fn another_process_with_the_same_number_is_not_followed() {
    let mut program = burner(0.0);
    program.heard();
    let number = program.pid();
    let sampler = sampler_of(&program);
    let_it_sample();
    program.kill_without_waiting();
    drop(program);
    let Some(other) = process_with_number(number) else {
        eprintln!("skipped: the next process id cannot be chosen here");
        return;
    };
    wait_until("the other burns", || other.heard() > 0);
    let_it_sample();
    let usage = sampler.finish();
    let subject = &usage.subjects[0];
    assert_eq!(subject.ended, Some(format!("process {number} ended")));
    assert!(subject.samples.last().unwrap().cpu_ns < 250_000_000);
}

fn process_with_number(number: u32) -> Option<Program> {
    for _ in 0..50 {
        fs::write("/proc/sys/kernel/ns_last_pid", (number - 1).to_string()).ok()?;
        let other = burner(0.3);
        if other.pid() == number {
            return Some(other);
        }
    }
    None
}
