//! Correctness: one binary of sentence-named tests against real IOCs, real
//! processes and real sockets.

mod accounting;
mod bad_input;
mod catalogue;
mod isolation;
mod judged;
mod measured;
mod monitored;
mod monitors;
mod monitors_python;
mod processes;
mod scanning;
mod softioc;
mod support;
mod tidy;
