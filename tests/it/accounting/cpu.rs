//! CPU time against `wait4` and against the process's own clock.

use std::thread;
use std::time::Duration;

use epics_gauge::ioc::SoftIoc;
use epics_gauge::process::{SubjectUsage, UsageSampler};

use super::program::Program;

const PERIOD: Duration = Duration::from_millis(100);

/// Two arguments: threads, and the seconds that each burns. Says its own CPU
/// time before and after.
const BURNER: &str = "
say(time.process_time_ns())
wait()
threads = [threading.Thread(target=burn, args=(float(sys.argv[2]),)) for _ in range(int(sys.argv[1]))]
for thread in threads: thread.start()
for thread in threads: thread.join()
say(time.process_time_ns())
wait()
";

/// Children one after the other and side by side, and a grandchild, each of
/// which ends and is waited for; the last one lives on.
const ANCESTOR: &str = "
import subprocess
burner = 'import sys, time\\nwhile time.process_time() < 0.3: pass\\n'
python = [sys.executable, '-c']
say(0)
wait()
subprocess.run(python + [burner])
nested = 'import subprocess, sys\\nsubprocess.run([sys.executable, \"-c\", sys.argv[1]])\\n' + burner
pair = [subprocess.Popen(python + [nested, burner]), subprocess.Popen(python + [burner])]
for child in pair: child.wait()
last = subprocess.Popen(python + [burner + 'print(0, flush=True)\\nsys.stdin.read(1)'],
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
last.stdout.readline()
say(0)
wait()
last.communicate(b'\\n')
";

/// A child whose end nobody waits for, and then work. Says the CPU time that the
/// child used.
const CARELESS: &str = "
import signal, subprocess
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
burner = 'import sys, time\\nwhile time.process_time() < 0.4: pass\\ntime.sleep(1.5)\\nprint(time.process_time_ns(), flush=True)\\nsys.stdin.read(1)'
child = subprocess.Popen([sys.executable, '-c', burner], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
say(int(child.stdout.readline()))
wait()
child.stdin.close()
while os.path.exists(f'/proc/{child.pid}'): time.sleep(0.01)
burn(0.6)
say(0)
wait()
";

fn burner(threads: usize, seconds: f64) -> Program {
    Program::start(BURNER, &[threads.to_string(), seconds.to_string()])
}

fn only(subjects: Vec<SubjectUsage>) -> SubjectUsage {
    let [subject] = <[SubjectUsage; 1]>::try_from(subjects).unwrap();
    subject
}

fn last_cpu_ns(subject: &SubjectUsage) -> u64 {
    subject.samples.last().unwrap().cpu_ns
}

/// Within 2 % and 20 ms: the end of an interpreter, and a hundredth of a second
/// each for user and system time of children.
fn assert_agree(what: &str, sampled_ns: u64, truth_ns: u64) {
    let allowed_ns = truth_ns / 50 + 20_000_000;
    let difference_ns = sampled_ns.abs_diff(truth_ns);
    eprintln!("{what}: sampled {sampled_ns} ns, in truth {truth_ns} ns");
    assert!(difference_ns <= allowed_ns, "{what}: sampled {sampled_ns} ns, in truth {truth_ns} ns");
}

#[test]
fn cpu_time_of_threads_is_what_the_kernel_reports_at_their_end() {
    for threads in [1, 3] {
        let mut program = burner(threads, 0.5);
        let own_before_ns = program.heard();
        let sampler = UsageSampler::start(vec![("burner".to_owned(), program.pid())], PERIOD);
        program.go_on();
        let own_ns = program.heard() - own_before_ns;
        let subject = only(sampler.finish().subjects);
        assert_eq!(subject.ended, None);
        let whole_ns = program.resources().cpu_ns;
        assert!(own_ns >= 500_000_000 * threads as u64);
        assert_agree("against wait4", last_cpu_ns(&subject), whole_ns);
        let seen_ns = last_cpu_ns(&subject) - subject.samples[0].cpu_ns;
        assert_agree("against its own clock", seen_ns, own_ns);
    }
}

#[test]
fn samples_come_once_per_period_and_never_fall() {
    let mut program = burner(2, 0.5);
    program.heard();
    let sampler = UsageSampler::start(vec![("burner".to_owned(), program.pid())], PERIOD);
    program.go_on();
    program.heard();
    let usage = sampler.finish();
    let samples = &usage.subjects[0].samples;
    let periods = usage.sampler_wall_ns / PERIOD.as_nanos() as u64;
    assert!((3..=periods + 2).contains(&(samples.len() as u64)), "{}", samples.len());
    for pair in samples.windows(2) {
        assert!(pair[0].at_ns < pair[1].at_ns && pair[0].cpu_ns <= pair[1].cpu_ns);
    }
    assert!(samples.windows(2).filter(|pair| pair[0].cpu_ns < pair[1].cpu_ns).count() >= 3);
}

#[test]
fn an_idle_process_is_not_taken_for_a_busy_one() {
    let (mut busy, idle) = (burner(1, 0.5), burner(1, 0.5));
    busy.heard();
    idle.heard();
    let subjects = vec![("idle".to_owned(), idle.pid()), ("busy".to_owned(), busy.pid())];
    let sampler = UsageSampler::start(subjects, PERIOD);
    busy.go_on();
    busy.heard();
    let used = sampler.finish().subjects;
    let used_ns = |subject: &SubjectUsage| last_cpu_ns(subject) - subject.samples[0].cpu_ns;
    assert_eq!((used[0].label.as_str(), used[1].label.as_str()), ("idle", "busy"));
    assert!(used_ns(&used[0]) < 50_000_000, "{}", used_ns(&used[0]));
    assert!(used_ns(&used[1]) >= 490_000_000, "{}", used_ns(&used[1]));
}

#[test]
fn children_and_grandchildren_count_whether_they_live_or_ended() {
    let mut program = Program::start(ANCESTOR, &[]);
    program.heard();
    let sampler = UsageSampler::start(vec![("ancestor".to_owned(), program.pid())], PERIOD);
    program.go_on();
    program.heard();
    let subject = only(sampler.finish().subjects);
    assert!(last_cpu_ns(&subject) > 1_500_000_000);
    assert_agree("against wait4", last_cpu_ns(&subject), program.resources().cpu_ns);
}

#[test]
fn a_child_that_nobody_waited_for_counts_as_far_as_it_was_seen() {
    let mut program = Program::start(CARELESS, &[]);
    let sampler = UsageSampler::start(vec![("careless".to_owned(), program.pid())], PERIOD);
    let child_ns = program.heard();
    program.go_on();
    program.heard();
    let subject = only(sampler.finish().subjects);
    // Without the child there is only what its own interpreter used.
    let without_child_ns = program.resources().cpu_ns;
    assert_agree("with the child", last_cpu_ns(&subject), without_child_ns + child_ns);
}

#[test]
fn the_sampler_costs_less_than_half_a_percent_of_a_core() {
    let ioc = SoftIoc::builder().pvs(100).start().unwrap();
    let client = burner(1, 0.0);
    client.heard();
    let subjects = vec![("client".to_owned(), client.pid()), ("ioc".to_owned(), ioc.pid())];
    let sampler = UsageSampler::start(subjects, PERIOD);
    thread::sleep(Duration::from_secs(5));
    let usage = sampler.finish();
    let percent = 100.0 * usage.sampler_cpu_ns as f64 / usage.sampler_wall_ns as f64;
    eprintln!("the sampler used {percent:.3} % of a core");
    assert!(usage.sampler_cpu_ns > 0);
    assert!(percent < 0.5, "{percent} %");
    assert!(usage.subjects.iter().all(|subject| subject.samples.len() > 20));
}
