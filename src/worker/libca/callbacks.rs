//! What libca's threads call, and what they reach from there.
//!
//! Invariant: nothing that a callback touches is ever freed. A job's
//! [`Completions`] are leaked, once per context and so once per worker, and a
//! channel's user pointer leads to them. Requests carry a number and no pointer,
//! so an answer may come at any time, or twice, or never.

use std::ffi::{c_int, c_long, c_void};

use super::status::{Status, check};
use crate::sys;
use crate::worker::completions::Completions;
use crate::worker::updates::{Arrived, Update, number_and_sum, stamp_ns};

/// What a channel's user pointer leads to.
pub(super) struct Owner {
    completions: &'static Completions<Status>,
    pv: usize,
}

/// Makes the completions of a job, and the owners of its channels, by PV index.
pub(super) fn leaked(pvs: usize) -> (&'static Completions<Status>, &'static [Owner]) {
    let completions: &'static Completions<Status> = Box::leak(Box::new(Completions::new(pvs)));
    let owners: Vec<Owner> = (0..pvs).map(|pv| Owner { completions, pv }).collect();
    (completions, owners.leak())
}

/// A channel is connected or disconnected.
///
/// # Safety
/// The channel's user pointer must lead to an [`Owner`].
pub(super) unsafe extern "C" fn connection_changed(event: sys::connection_handler_args) {
    // SAFETY: the caller promises what `owner` needs.
    let owner = unsafe { owner(event.chid) };
    let is_up = event.op == c_long::from(sys::CA_OP_CONN_UP);
    owner.completions.record_connection(owner.pv, is_up);
}

/// A `DBR_DOUBLE` was read, or could not be.
///
/// # Safety
/// The channel's user pointer must lead to an [`Owner`].
pub(super) unsafe extern "C" fn value_arrived(event: sys::event_handler_args) {
    let is_a_double = event.type_ == c_long::from(sys::DBR_DOUBLE) && event.count > 0;
    let answer = check(event.status).and_then(|()| {
        if event.dbr.is_null() || !is_a_double {
            return Err(Status(sys::ECA_GETFAIL));
        }
        // SAFETY: libca lends at least one double for the time of the callback.
        Ok(unsafe { event.dbr.cast::<f64>().read_unaligned() })
    });
    // SAFETY: the caller promises what `record` needs.
    unsafe { record(&event, answer) };
}

/// A put was confirmed by the server, or failed.
///
/// # Safety
/// The channel's user pointer must lead to an [`Owner`].
pub(super) unsafe extern "C" fn put_confirmed(event: sys::event_handler_args) {
    // SAFETY: the caller promises what `record` needs.
    unsafe { record(&event, check(event.status).map(|()| f64::NAN)) };
}

/// A subscription to `DBR_TIME_DOUBLE` or `DBR_TIME_SHORT` brought an update, or
/// the word that there is none. The user argument is the subscription's number.
///
/// # Safety
/// The channel's user pointer must lead to an [`Owner`].
pub(super) unsafe extern "C" fn update_arrived(event: sys::event_handler_args) {
    let arrived = Arrived::now();
    // The circuit is down: libca subscribes again by itself when the PV is back.
    if event.status == sys::ECA_DISCONN {
        return;
    }
    // SAFETY: the caller promises what `owner` needs.
    let owner = unsafe { owner(event.chid) };
    // SAFETY: libca lends what the event says for the time of the callback.
    let update = check(event.status).and_then(|()| unsafe { read_update(&event) });
    if let Some(sink) = owner.completions.updates() {
        sink.record(event.usr.addr(), arrived, update);
    }
}

/// The number of a request or a subscription as libca carries it: never followed as
/// a pointer.
pub(super) fn user_argument(number: usize) -> *mut c_void {
    std::ptr::without_provenance_mut(number)
}

/// Reads an update where it lies in libca's buffer.
///
/// # Safety
/// `dbr` must be null or lead to `count` elements of `type_`.
unsafe fn read_update(event: &sys::event_handler_args) -> Result<Update, Status> {
    let kind = c_int::try_from(event.type_).unwrap_or(c_int::MAX);
    if kind == sys::DBR_TIME_DOUBLE && event.count == 1 && !event.dbr.is_null() {
        // SAFETY: promised by the caller; libca aligns payloads to 8 bytes.
        let update = unsafe { &*event.dbr.cast::<sys::dbr_time_double>() };
        let stamp_ns = stamp_ns(update.stamp.secPastEpoch, update.stamp.nsec);
        return Ok(Update { number: update.value, sum: 0, stamp_ns });
    }
    if kind == sys::DBR_TIME_SHORT && event.count >= 0 && !event.dbr.is_null() {
        let update = event.dbr.cast::<sys::dbr_time_short>();
        // SAFETY: promised by the caller. The elements follow on one another from
        // the place of the first; there may be none.
        let (stamp, pixels) = unsafe {
            let pixels = (&raw const (*update).value).cast::<i16>();
            (&(*update).stamp, std::slice::from_raw_parts(pixels, event.count as usize))
        };
        let (number, sum) = number_and_sum(pixels);
        return Ok(Update { number, sum, stamp_ns: stamp_ns(stamp.secPastEpoch, stamp.nsec) });
    }
    Err(Status(sys::ECA_BADTYPE))
}

/// # Safety
/// The channel's user pointer must lead to an [`Owner`].
unsafe fn record(event: &sys::event_handler_args, answer: Result<f64, Status>) {
    // SAFETY: promised by the caller.
    let owner = unsafe { owner(event.chid) };
    owner.completions.requests.record(event.usr.addr(), answer);
}

/// # Safety
/// The channel must be alive, as it is in its callbacks, and its user pointer
/// must lead to an [`Owner`].
unsafe fn owner(channel: sys::chid) -> &'static Owner {
    // SAFETY: owners are leaked and never changed; the rest is promised.
    unsafe { &*sys::ca_puser(channel).cast::<Owner>() }
}
