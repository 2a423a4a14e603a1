//! A process and its descendants through `/proc` and CPU clocks.

use std::collections::HashMap;
use std::io::Read;

use procfs::process::Process;
use procfs::{page_size, ticks_per_second};

use super::clock::process_cpu_ns;
use super::subject::Reading;

/// A process and all its descendants.
///
/// Each is held by its open folder in `/proc`: that belongs to the process, not
/// to its number, so nothing can be read through it any more once the process is
/// gone, whoever has the number then.
///
/// Known inaccuracy: Linux 6.2 to 6.15 report the resident memory from counters
/// that lag behind by up to 32 pages per core and more.
pub(super) struct Tree {
    /// The process itself first; a parent always before its children.
    members: Vec<Member>,
    /// Last seen CPU time of descendants that have ended.
    ended_ns: u64,
    peak_rss_bytes: Option<u64>,
    /// How long the first thread of each, also of those that ended, has waited for a core.
    delays_ns: HashMap<u32, u64>,
}

struct Member {
    process: Process,
    pid: u32,
    /// CPU time of its own threads.
    own_ns: u64,
    /// CPU time of its children that ended and were waited for, and of theirs.
    waited_ns: u64,
}

impl Tree {
    pub(super) fn of(pid: u32) -> Result<Tree, String> {
        let member = Member::open(pid).ok_or_else(|| format!("there is no process {pid}"))?;
        Ok(Tree {
            members: vec![member],
            ended_ns: 0,
            peak_rss_bytes: None,
            delays_ns: HashMap::new(),
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.members[0].pid
    }

    pub(super) fn pids(&self) -> Vec<u32> {
        self.members.iter().map(|member| member.pid).collect()
    }

    /// Finds new descendants, and reads what is read less often than a sample.
    ///
    /// A descendant that begins and ends between two looks counts as soon as its
    /// parent has waited for it; if nobody waits it is not seen.
    pub(super) fn look(&mut self) {
        self.read_waited();
        let mut index = 0;
        while index < self.members.len() {
            for child in self.members[index].children() {
                if self.members.iter().all(|member| member.pid != child) {
                    self.members.extend(Member::open(child));
                }
            }
            index += 1;
        }
        self.peak_rss_bytes = self.peak_rss_bytes.max(self.members[0].peak_rss_bytes());
    }

    /// Reads the clocks and the memory of all; None when the process itself has
    /// ended.
    pub(super) fn read(&mut self) -> Option<Reading> {
        let mut rss_bytes = self.members[0].read()?;
        let mut ended = Vec::new();
        for (index, member) in self.members.iter_mut().enumerate().skip(1) {
            match member.read() {
                Some(bytes) => rss_bytes += bytes,
                None => ended.push(index),
            }
        }
        for index in ended.iter().rev() {
            self.ended_ns += self.members.remove(*index).own_ns;
        }
        if !ended.is_empty() {
            self.read_waited();
        }
        Some(Reading { cpu_ns: self.cpu_ns(), rss_bytes })
    }

    pub(super) fn peak_rss_bytes(&self) -> Option<u64> {
        self.peak_rss_bytes
    }

    /// How long the first threads of all could have run and had no core, up to now.
    pub(super) fn delayed_ns(&mut self) -> u64 {
        for member in &self.members {
            if let Ok(counted) = member.process.schedstat() {
                self.delays_ns.insert(member.pid, counted.run_delay);
            }
        }
        self.delays_ns.values().sum()
    }

    /// Those who ended are in the time of whoever waited for them, which is
    /// complete but counted in hundredths of a second; where nobody waits (SIGCHLD
    /// ignored) they are only in what was last seen of them.
    fn cpu_ns(&self) -> u64 {
        let own: u64 = self.members.iter().map(|member| member.own_ns).sum();
        let waited: u64 = self.members.iter().map(|member| member.waited_ns).sum();
        own + waited.max(self.ended_ns)
    }

    /// Invariant: waited times are read before the clocks of the living, so
    /// nobody is in both.
    fn read_waited(&mut self) {
        for member in &mut self.members {
            member.read_waited();
        }
    }
}

impl Member {
    fn open(pid: u32) -> Option<Member> {
        let process = Process::new(pid as i32).ok()?;
        let mut member = Member { process, pid, own_ns: 0, waited_ns: 0 };
        member.read_waited();
        member.read().map(|_| member)
    }

    /// Reads its clock, and answers its resident memory; None when it has ended.
    fn read(&mut self) -> Option<u64> {
        let own_ns = process_cpu_ns(self.pid);
        // After the clock: the memory can only be read while the process has its
        // number, so the clock was this process's.
        let memory = self.process.statm().ok()?;
        self.own_ns = self.own_ns.max(own_ns?);
        // A process that ended but was not waited for has no memory at all.
        (memory.size > 0).then(|| memory.resident * page_size())
    }

    fn read_waited(&mut self) {
        if let Ok(stat) = self.process.stat() {
            let ticks = stat.cutime.max(0) as u64 + stat.cstime.max(0) as u64;
            self.waited_ns = ticks * (1_000_000_000 / ticks_per_second());
        }
    }

    /// `VmHWM` of `status`, of which nothing else is read: all of it would cost
    /// more than the rest of a look.
    fn peak_rss_bytes(&self) -> Option<u64> {
        let mut text = String::new();
        self.process.open_relative("status").ok()?.read_to_string(&mut text).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kib * 1024)
    }

    fn children(&self) -> Vec<u32> {
        let Ok(threads) = self.process.tasks() else { return Vec::new() };
        threads.flatten().filter_map(|thread| thread.children().ok()).flatten().collect()
    }
}
