//! What libca's threads call, and what they reach from there.
//!
//! Invariant: nothing that a callback touches is ever freed. A job's
//! [`Callbacks`] are leaked, once per context and so once per worker, and a
//! channel's user pointer leads to them. Requests carry a number and no pointer,
//! so an answer may come at any time, or twice, or never.

use std::ffi::{c_int, c_long, c_void};

use super::answers::{Answer, Answers};
use super::connections::Connections;
use crate::sys;

/// What callbacks write and the worker's thread awaits.
pub(super) struct Callbacks {
    /// Which channels are up.
    pub(super) connections: Connections,
    /// What came back.
    pub(super) answers: Answers,
}

/// What a channel's user pointer leads to.
pub(super) struct Owner {
    callbacks: &'static Callbacks,
    pv: usize,
}

/// Makes the callbacks of a job, and the owners of its channels, by PV index.
pub(super) fn leaked_callbacks(pvs: usize) -> (&'static Callbacks, &'static [Owner]) {
    let callbacks: &'static Callbacks = Box::leak(Box::new(Callbacks {
        connections: Connections::new(pvs),
        answers: Answers::new(),
    }));
    let owners: Vec<Owner> = (0..pvs).map(|pv| Owner { callbacks, pv }).collect();
    (callbacks, owners.leak())
}

/// A channel is connected or disconnected.
///
/// # Safety
/// The channel's user pointer must lead to an [`Owner`].
pub(super) unsafe extern "C" fn connection_changed(event: sys::connection_handler_args) {
    // SAFETY: the caller promises what `owner` needs.
    let owner = unsafe { owner(event.chid) };
    owner.callbacks.connections.note(owner.pv, event.op == c_long::from(sys::CA_OP_CONN_UP));
}

/// A `DBR_DOUBLE` was read, or could not be.
///
/// # Safety
/// The channel's user pointer must lead to an [`Owner`].
pub(super) unsafe extern "C" fn value_arrived(event: sys::event_handler_args) {
    let is_a_double = event.type_ == c_long::from(sys::DBR_DOUBLE) && event.count > 0;
    let answer = if event.status != sys::ECA_NORMAL {
        without_value(event.status)
    } else if event.dbr.is_null() || !is_a_double {
        without_value(sys::ECA_GETFAIL)
    } else {
        // SAFETY: libca lends at least one double for the time of the callback.
        let value = unsafe { event.dbr.cast::<f64>().read_unaligned() };
        Answer { status: event.status, value }
    };
    // SAFETY: the caller promises what `note` needs.
    unsafe { note(&event, answer) };
}

/// A put was confirmed by the server, or failed.
///
/// # Safety
/// The channel's user pointer must lead to an [`Owner`].
pub(super) unsafe extern "C" fn put_confirmed(event: sys::event_handler_args) {
    // SAFETY: the caller promises what `note` needs.
    unsafe { note(&event, without_value(event.status)) };
}

/// A request's number as libca carries it: never followed as a pointer.
pub(super) fn user_argument(number: usize) -> *mut c_void {
    std::ptr::without_provenance_mut(number)
}

fn without_value(status: c_int) -> Answer {
    Answer { status, value: f64::NAN }
}

/// # Safety
/// The channel's user pointer must lead to an [`Owner`].
unsafe fn note(event: &sys::event_handler_args, answer: Answer) {
    // SAFETY: promised by the caller.
    let owner = unsafe { owner(event.chid) };
    owner.callbacks.answers.note(event.usr.addr(), answer);
}

/// # Safety
/// The channel must be alive, as it is in its callbacks, and its user pointer
/// must lead to an [`Owner`].
unsafe fn owner(channel: sys::chid) -> &'static Owner {
    // SAFETY: owners are leaked and never changed; the rest is promised.
    unsafe { &*sys::ca_puser(channel).cast::<Owner>() }
}
