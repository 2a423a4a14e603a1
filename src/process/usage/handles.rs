//! What a process holds at one moment beside its CPU time.

/// What one process holds, its descendants apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Handles {
    /// Resident memory.
    pub rss_bytes: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// Threads.
    pub threads: u64,
}

/// What the process `pid` holds; none when there is no such process, or the system does not
/// report them.
pub fn handles(pid: u32) -> Option<Handles> {
    #[cfg(target_os = "linux")]
    {
        let process = procfs::process::Process::new(i32::try_from(pid).ok()?).ok()?;
        let stat = process.stat().ok()?;
        Some(Handles {
            rss_bytes: stat.rss * procfs::page_size(),
            descriptors: process.fd_count().ok()? as u64,
            threads: u64::try_from(stat.num_threads).ok()?,
        })
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = pid;
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn an_open_file_and_a_thread_are_counted() {
        let own = || handles(std::process::id()).unwrap();
        let before = own();
        assert!(before.rss_bytes > 1 << 20 && before.threads >= 1, "{before:?}");
        // Other tests open and close files meanwhile: many of them stand out.
        let files: Vec<_> = (0..200).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
        assert!(own().descriptors >= before.descriptors + 100, "{before:?} {:?}", own());
        drop(files);
        assert_eq!(handles(u32::MAX), None);
    }
}
