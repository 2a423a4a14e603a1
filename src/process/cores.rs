//! Which processor cores a process may run on.

use std::io;

/// The cores that this process may use, by their numbers, as the system reports them;
/// empty where it does not.
#[cfg(target_os = "linux")]
pub fn usable_cores() -> Vec<usize> {
    // SAFETY: all zeroes is an empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` is a valid place of the size that is given.
    if unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) } != 0 {
        return Vec::new();
    }
    // SAFETY: the set holds CPU_SETSIZE bits.
    let is_in = |core: &usize| unsafe { libc::CPU_ISSET(*core, &set) };
    (0..libc::CPU_SETSIZE as usize).filter(is_in).collect()
}

/// The cores that this process may use, by their numbers, as the system reports them;
/// empty where it does not.
#[cfg(not(target_os = "linux"))]
pub fn usable_cores() -> Vec<usize> {
    Vec::new()
}

/// Cores for a process that is about to be executed; none means all.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy)]
pub(super) struct CoreSet(Option<libc::cpu_set_t>);

#[cfg(target_os = "linux")]
impl CoreSet {
    pub(super) fn of(cores: &[usize]) -> CoreSet {
        if cores.is_empty() {
            return CoreSet(None);
        }
        // SAFETY: all zeroes is an empty set.
        let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        for core in cores.iter().filter(|core| **core < libc::CPU_SETSIZE as usize) {
            // SAFETY: the core is one of the set's bits.
            unsafe { libc::CPU_SET(*core, &mut set) };
        }
        CoreSet(Some(set))
    }

    /// Moves this process there, between fork and exec.
    pub(super) fn enter(&self) -> io::Result<()> {
        let Some(set) = &self.0 else { return Ok(()) };
        // SAFETY: the set is valid, of the size that is given.
        match unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), set) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Other systems have no such call.
#[cfg(not(target_os = "linux"))]
#[derive(Clone, Copy)]
pub(super) struct CoreSet;

#[cfg(not(target_os = "linux"))]
impl CoreSet {
    pub(super) fn of(_cores: &[usize]) -> CoreSet {
        CoreSet
    }

    pub(super) fn enter(&self) -> io::Result<()> {
        Ok(())
    }
}
