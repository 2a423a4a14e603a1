//! CPU time of the whole machine.

/// What all cores together did since the machine was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MachineTime {
    /// Time in which they worked, for whomever; also what the host of a virtual machine
    /// took away.
    pub busy_ns: u64,
    /// Time in which they had nothing to do.
    pub idle_ns: u64,
}

/// Reads the kernel's own count, which moves on by some 10 ms; none where the system
/// does not report it.
pub fn machine_time() -> Option<MachineTime> {
    #[cfg(target_os = "linux")]
    {
        use procfs::CurrentSI;
        let total = procfs::KernelStats::current().ok()?.total;
        let tick_ns = 1_000_000_000 / procfs::ticks_per_second().max(1);
        // Time of guests is in `user` and `nice` already.
        let busy = [total.user, total.nice, total.system];
        let more = [total.irq, total.softirq, total.steal];
        let busy = busy.into_iter().chain(more.into_iter().flatten()).sum::<u64>();
        let idle = total.idle + total.iowait.unwrap_or(0);
        Some(MachineTime { busy_ns: busy * tick_ns, idle_ns: idle * tick_ns })
    }
    #[cfg(not(target_os = "linux"))]
    None
}

/// The memory that new processes can have without others being pushed out; none where the
/// system does not report it.
pub fn available_memory_bytes() -> Option<u64> {
    #[cfg(target_os = "linux")]
    {
        use procfs::Current;
        procfs::Meminfo::current().ok()?.mem_available
    }
    #[cfg(not(target_os = "linux"))]
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn work_of_this_process_is_counted_as_busy() {
        let before = machine_time().unwrap();
        let begun = std::time::Instant::now();
        let mut sum = 0_u64;
        while begun.elapsed().as_millis() < 300 {
            sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(7));
        }
        let after = machine_time().unwrap();
        let own_ns = crate::process::this_process_cpu_ns();
        assert!(after.busy_ns > before.busy_ns, "{before:?} {after:?} {own_ns}");
    }
}
