//! Our C interface to pvxs as bindgen reads it from
//! `vendor/shim/pvxs_client.h`, and nothing else.

#![allow(
    clippy::all,
    clippy::pedantic,
    clippy::undocumented_unsafe_blocks,
    dead_code,
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    rustdoc::all,
    unreachable_pub,
    unsafe_op_in_unsafe_fn
)]

include!(concat!(env!("OUT_DIR"), "/pvxs_client.rs"));
