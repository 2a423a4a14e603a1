//! Which processes there are, from `/proc`.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Far more than anything waited for here needs, even on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A process as it was seen once. Process ids are used again, so the time of
/// its start belongs to its identity.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) pid: u32,
    pub(crate) name: String,
    parent: u32,
    started: u64,
    /// Dead, but nobody has asked for its exit code yet.
    zombie: bool,
}

impl Seen {
    pub(crate) fn lives(&self) -> bool {
        process(self.pid).is_some_and(|now| now.is(self))
    }

    /// Whether they are the same process, whatever program it runs by now.
    pub(crate) fn is(&self, other: &Seen) -> bool {
        (self.pid, self.started) == (other.pid, other.started)
    }
}

/// The process with this id, if it lives.
pub(crate) fn process(pid: u32) -> Option<Seen> {
    look_at(pid).filter(|seen| !seen.zombie)
}

/// Every living process of this machine.
pub(crate) fn all() -> Vec<Seen> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| process(entry.file_name().to_str()?.parse().ok()?)).collect()
}

/// Children of `pid`, their children, and so on.
pub(crate) fn descendants(pid: u32) -> Vec<Seen> {
    let all = all();
    let mut found: Vec<Seen> = Vec::new();
    let mut parents = vec![pid];
    while let Some(parent) = parents.pop() {
        for child in all.iter().filter(|process| process.parent == parent) {
            parents.push(child.pid);
            found.push(child.clone());
        }
    }
    found
}

/// Waits until `condition` is met; fails the test when that takes too long.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The softIoc that `pid` starts; waits for it.
pub(crate) fn ioc_below(pid: u32) -> u32 {
    let mut ioc = None;
    wait_until("its IOC lives", || {
        ioc = descendants(pid).into_iter().find(|process| process.name == "softIoc");
        ioc.is_some()
    });
    ioc.unwrap().pid
}

/// Waits until none of `processes` lives.
pub(crate) fn wait_until_gone(processes: &[Seen]) {
    let end = Instant::now() + PATIENCE;
    loop {
        let left: Vec<&Seen> = processes.iter().filter(|process| process.lives()).collect();
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < end, "these still live after {PATIENCE:?}: {left:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Sends a signal to a process that the test has started.
pub(crate) fn signal(pid: u32, number: i32) {
    let pid = libc::pid_t::try_from(pid).unwrap();
    assert!(pid > 1);
    // SAFETY: kill takes two numbers and touches no memory.
    assert_eq!(unsafe { libc::kill(pid, number) }, 0, "{}", std::io::Error::last_os_error());
}

fn look_at(pid: u32) -> Option<Seen> {
    let path: PathBuf = ["/proc", &pid.to_string(), "stat"].iter().collect();
    let text = fs::read_to_string(path).ok()?;
    // `PID (NAME) STATE PARENT …`; a name may hold blanks and brackets.
    let (head, tail) = text.rsplit_once(") ")?;
    let fields: Vec<&str> = tail.split(' ').collect();
    Some(Seen {
        pid,
        name: head.split_once('(')?.1.to_owned(),
        parent: fields.get(1)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
        zombie: matches!(fields[0], "Z" | "X"),
    })
}
