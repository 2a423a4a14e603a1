//! Each instrument of `process` against an independent one: CPU time against
//! what the kernel says when the process is waited for, memory against the
//! kernel's page tables, bytes against a relay that counts and a network
//! device's counters.

mod cpu;
mod lives;
mod memory;
mod network;
mod program;
mod relay;
