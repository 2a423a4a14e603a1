//! Correctness: one binary of sentence-named tests against real IOCs, real
//! processes and real sockets.

mod accounting;
mod bad_input;
mod catalogue;
mod chosen_versions;
mod ci_services;
mod collecting;
mod command_line;
mod compare;
mod conform;
mod conform_liars;
mod conform_servers;
mod data_outputs;
mod databases;
mod documented_ci;
mod documents;
mod examples;
mod faults;
#[cfg(feature = "pvaccess")]
mod floor;
mod hosts;
mod import_cycles;
mod ioc_command;
mod ioc_lives;
mod isolation;
mod judged;
mod latency_over_time;
mod link;
mod lock;
mod lookup;
mod many_iocs;
mod measured;
mod monitored;
mod monitors;
mod monitors_python;
mod other_softioc;
mod over_time;
#[cfg(feature = "pvaccess")]
mod p4p;
mod pages;
mod processes;
#[cfg(feature = "pure-rust")]
mod pure_rust;
#[cfg(feature = "pvaccess")]
mod pv_access;
mod readme;
mod resume;
mod scale;
mod scanning;
mod servers;
mod single_gets;
mod slow;
mod slowdowns;
mod softioc;
mod support;
mod testing_your_code;
mod tidy;
mod wire_many_iocs;
mod worker_lives;
mod workflows;
