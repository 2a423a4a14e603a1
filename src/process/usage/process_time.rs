//! What the kernel counts of one process with all below it, read when somebody asks.

use super::Tree;

/// What a process and all its descendants used since they began, those that ended
/// included. Neither ever falls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProcessTime {
    /// CPU time, user and system. Of a descendant that ended it is known to a hundredth
    /// of a second.
    pub cpu_ns: u64,
    /// Time in which their first threads could have run and had no core; 0 where the
    /// system does not count it.
    pub delayed_ns: u64,
}

/// Reads [`ProcessTime`] of one process.
pub struct ProcessClock {
    tree: Tree,
}

impl ProcessClock {
    /// That of the process `pid`; none when there is no such process.
    pub fn of(pid: u32) -> Option<ProcessClock> {
        Tree::of(pid).ok().map(|tree| ProcessClock { tree })
    }

    /// Reads it, about 10 µs for each thread; none when the process has ended.
    pub fn read(&mut self) -> Option<ProcessTime> {
        self.tree.look();
        let cpu_ns = self.tree.read()?.cpu_ns;
        Some(ProcessTime { cpu_ns, delayed_ns: self.tree.delayed_ns() })
    }
}

/// How long the threads of this process, except the calling one, could have run and had
/// no core: 0 where the system does not count it. Falls when a thread ends.
pub fn other_threads_delayed_ns() -> u64 {
    #[cfg(target_os = "linux")]
    {
        use procfs::process::Process;
        // SAFETY: takes and touches nothing.
        let own = unsafe { libc::gettid() };
        let threads = Process::myself().and_then(|process| process.tasks());
        let others = threads.into_iter().flatten().flatten().filter(|thread| thread.tid != own);
        others.filter_map(|thread| thread.schedstat().ok()).map(|counted| counted.run_delay).sum()
    }
    #[cfg(not(target_os = "linux"))]
    0
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_burns_is_counted() {
        let mut clock = ProcessClock::of(std::process::id()).unwrap();
        let before = clock.read().unwrap();
        let mut sum = 0_u64;
        let burnt = |before: ProcessTime, clock: &mut ProcessClock| {
            clock.read().unwrap().cpu_ns - before.cpu_ns
        };
        while burnt(before, &mut clock) < 20_000_000 {
            sum = (0..100_000).fold(sum, |sum, one| std::hint::black_box(sum ^ one));
        }
        assert!(clock.read().unwrap().delayed_ns >= before.delayed_ns);
    }

    #[test]
    fn there_is_no_clock_of_an_impossible_number() {
        assert!(ProcessClock::of(u32::MAX / 2).is_none());
    }
}
