//! Clocks of the system, in ns.

/// The system's monotonic clock, in ns; workers read the same.
pub fn monotonic_ns() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// CPU time that this process has used, all its threads together.
pub fn this_process_cpu_ns() -> u64 {
    read(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// CPU time that the calling thread has used.
pub(super) fn this_thread_cpu_ns() -> u64 {
    read(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// CPU time that a process's threads have used, ended ones included; None when
/// there is no such process.
#[cfg(target_os = "linux")]
pub(super) fn process_cpu_ns(pid: u32) -> Option<u64> {
    let mut clock = 0;
    // SAFETY: the kernel writes one clock id to where it may.
    let answer = unsafe { libc::clock_getcpuclockid(pid as libc::pid_t, &raw mut clock) };
    if answer == 0 { try_read(clock) } else { None }
}

fn read(clock: libc::clockid_t) -> u64 {
    try_read(clock).unwrap_or(0)
}

fn try_read(clock: libc::clockid_t) -> Option<u64> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel fills the structure that it is given.
    let answer = unsafe { libc::clock_gettime(clock, &raw mut time) };
    (answer == 0).then(|| time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}
