//! The facts of this machine.

use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

use crate::record::Machine;

/// Reads them from the system; what it does not provide is `unknown`.
pub fn this_machine() -> Machine {
    let wanted = RefreshKind::nothing()
        .with_cpu(CpuRefreshKind::nothing())
        .with_memory(MemoryRefreshKind::nothing().with_ram());
    let system = System::new_with_specifics(wanted);
    let unknown = || "unknown".to_owned();
    Machine {
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        model: system
            .cpus()
            .first()
            .map(|cpu| cpu.brand().trim().to_owned())
            .filter(|brand| !brand.is_empty())
            .unwrap_or_else(unknown),
        system: System::long_os_version().unwrap_or_else(unknown),
        kernel: System::kernel_version().unwrap_or_else(unknown),
        memory_bytes: system.total_memory(),
    }
}
