//! A process and its descendants on systems without `/proc`.
//!
//! CPU time comes in milliseconds here, descendants that begin and end between
//! two looks are not seen, and the peak is that of the samples.

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use super::subject::Reading;

/// A process and all its descendants.
pub(super) struct Tree {
    system: System,
    /// The process itself first.
    members: Vec<Member>,
    /// Last seen CPU time of descendants that have ended.
    ended_ns: u64,
    peak_rss_bytes: Option<u64>,
}

#[derive(Clone, Copy)]
struct Member {
    pid: Pid,
    /// Process ids are used again, so the time of its start, in s, belongs to a
    /// process's identity.
    started: u64,
    own_ns: u64,
}

impl Tree {
    pub(super) fn of(pid: u32) -> Result<Tree, String> {
        let mut system = System::new();
        let pid = Pid::from_u32(pid);
        refresh(&mut system, &[pid]);
        let process = system.process(pid).ok_or_else(|| format!("there is no process {pid}"))?;
        let members = vec![Member { pid, started: process.start_time(), own_ns: 0 }];
        Ok(Tree { system, members, ended_ns: 0, peak_rss_bytes: None })
    }

    pub(super) fn pid(&self) -> u32 {
        self.members[0].pid.as_u32()
    }

    pub(super) fn pids(&self) -> Vec<u32> {
        self.members.iter().map(|member| member.pid.as_u32()).collect()
    }

    /// Finds new descendants.
    pub(super) fn look(&mut self) {
        let wanted = ProcessRefreshKind::nothing().without_tasks();
        self.system.refresh_processes_specifics(ProcessesToUpdate::All, true, wanted);
        let mut index = 0;
        while index < self.members.len() {
            let parent = self.members[index].pid;
            for (pid, process) in self.system.processes() {
                let known = self.members.iter().any(|member| member.pid == *pid);
                if process.parent() == Some(parent) && !known {
                    let started = process.start_time();
                    self.members.push(Member { pid: *pid, started, own_ns: 0 });
                }
            }
            index += 1;
        }
    }

    /// Reads the CPU time and the memory of all; None when the process itself
    /// has ended.
    pub(super) fn read(&mut self) -> Option<Reading> {
        let pids: Vec<Pid> = self.members.iter().map(|member| member.pid).collect();
        refresh(&mut self.system, &pids);
        let system = &self.system;
        let main_bytes = self.members[0].read(system)?;
        let mut rss_bytes = main_bytes;
        let mut ended = Vec::new();
        for (index, member) in self.members.iter_mut().enumerate().skip(1) {
            match member.read(system) {
                Some(bytes) => rss_bytes += bytes,
                None => ended.push(index),
            }
        }
        for index in ended.iter().rev() {
            self.ended_ns += self.members.remove(*index).own_ns;
        }
        self.peak_rss_bytes = self.peak_rss_bytes.max(Some(main_bytes));
        let own: u64 = self.members.iter().map(|member| member.own_ns).sum();
        Some(Reading { cpu_ns: own + self.ended_ns, rss_bytes })
    }

    /// Not counted here.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn delayed_ns(&mut self) -> u64 {
        0
    }

    pub(super) fn peak_rss_bytes(&self) -> Option<u64> {
        self.peak_rss_bytes
    }
}

impl Member {
    /// Its resident memory; None when it has ended.
    fn read(&mut self, system: &System) -> Option<u64> {
        let process = system.process(self.pid)?;
        if process.start_time() != self.started {
            return None;
        }
        self.own_ns = self.own_ns.max(process.accumulated_cpu_time() * 1_000_000);
        // One that was not waited for yet has none.
        Some(process.memory()).filter(|bytes| *bytes > 0)
    }
}

fn refresh(system: &mut System, pids: &[Pid]) {
    let wanted = ProcessRefreshKind::nothing().with_cpu().with_memory().without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(pids), true, wanted);
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::process::usage::linux;

    /// Work that takes some hundredths of a second.
    fn work() -> u64 {
        (0..200_000_000_u64).fold(0, |sum, number| std::hint::black_box(sum ^ number))
    }

    #[test]
    fn both_ways_to_look_at_a_process_agree() {
        let pid = std::process::id();
        let mut portable = Tree::of(pid).unwrap();
        let mut native = linux::Tree::of(pid).unwrap();
        work();
        portable.look();
        native.look();
        assert_eq!((portable.pid(), native.pid()), (pid, pid));
        assert!(portable.pids().contains(&pid));
        let (read, native) = (portable.read().unwrap(), native.read().unwrap());
        assert!(portable.peak_rss_bytes().unwrap() <= read.rss_bytes);
        let difference_ns = read.cpu_ns.abs_diff(native.cpu_ns);
        // Other tests work in this process meanwhile, and children of theirs
        // that ended are seen by one of them only.
        assert!(difference_ns < 50_000_000 + native.cpu_ns / 5, "{difference_ns} ns");
        assert!(read.cpu_ns > 10_000_000);
        let ratio = read.rss_bytes as f64 / native.rss_bytes as f64;
        assert!((0.8..1.25).contains(&ratio), "{ratio}");
    }

    #[test]
    fn there_is_no_process_with_an_impossible_number() {
        assert!(Tree::of(u32::MAX / 2).is_err());
    }
}
