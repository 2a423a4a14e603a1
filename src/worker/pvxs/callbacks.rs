//! What pvxs' thread calls: records what was brought, and nothing else.

use std::ffi::{CStr, c_char, c_void};
use std::sync::atomic::{AtomicBool, Ordering};

use super::interface as c;
use crate::worker::completions::Completions;
use crate::worker::updates::{Arrived, Update, number_and_sum};
use crate::worker_protocol::Content;

const NANOSECONDS: i64 = 1_000_000_000;

/// What the callbacks of one client need.
pub(super) struct Owner {
    pub(super) completions: Completions<String>,
    /// Which PVs bring frames; set before they are subscribed to.
    pub(super) brings_frames: Box<[AtomicBool]>,
}

impl Owner {
    /// Subscriptions to a PV are as far from one another as the job has PVs.
    fn content_of(&self, subscription: usize) -> Content {
        let pv = subscription % self.brings_frames.len().max(1);
        match self.brings_frames[pv].load(Ordering::Relaxed) {
            true => Content::Frames,
            false => Content::Scalars,
        }
    }

    /// The callbacks, for a client that is gone before `self` is.
    pub(super) fn callbacks(&self) -> c::gauge_pvxs_callbacks {
        c::gauge_pvxs_callbacks {
            owner: std::ptr::from_ref(self).cast_mut().cast(),
            connection: Some(connection_changed),
            answer: Some(answered),
            update: Some(updated),
        }
    }
}

/// A call of the C interface as a result, with the sentence that it wrote.
pub(super) fn checked(call: impl FnOnce(*mut c::gauge_pvxs_error) -> bool) -> Result<(), String> {
    let mut error = c::gauge_pvxs_error { text: [0; c::GAUGE_PVXS_ERROR_BYTES as usize] };
    if call(&raw mut error) {
        return Ok(());
    }
    // SAFETY: `text` ends in a zero, which the other side writes last if at all.
    Err(unsafe { text(error.text.as_ptr()) })
}

/// # Safety
/// `owner` must lead to an [`Owner`].
unsafe extern "C" fn connection_changed(owner: *mut c_void, pv: usize, is_up: bool) {
    // SAFETY: promised by the caller.
    unsafe { of(owner) }.completions.record_connection(pv, is_up);
}

/// # Safety
/// `owner` must lead to an [`Owner`] and `error`, if not null, to a C string.
unsafe extern "C" fn answered(
    owner: *mut c_void,
    request: usize,
    value: f64,
    error: *const c_char,
) {
    // SAFETY: promised by the caller.
    let answer = if error.is_null() { Ok(value) } else { Err(unsafe { text(error) }) };
    // SAFETY: promised by the caller.
    unsafe { of(owner) }.completions.requests.record(request, answer);
}

/// # Safety
/// `owner` must lead to an [`Owner`]; `error` to a C string or else `update` to an
/// update that lives for the time of the call.
unsafe extern "C" fn updated(
    owner: *mut c_void,
    subscription: usize,
    update: *mut c::gauge_pvxs_update,
    error: *const c_char,
) {
    let arrived = Arrived::now();
    // SAFETY: promised by the caller.
    let owner = unsafe { of(owner) };
    let update = if error.is_null() {
        let content = owner.content_of(subscription);
        // SAFETY: promised by the caller.
        unsafe { read(update, content) }
    } else {
        // SAFETY: promised by the caller.
        Err(unsafe { text(error) })
    };
    if let Some(sink) = owner.completions.updates() {
        sink.record(subscription, arrived, update);
    }
}

/// Reads an update where it lies in pvxs' memory.
///
/// # Safety
/// `update` must be alive.
unsafe fn read(update: *mut c::gauge_pvxs_update, content: Content) -> Result<Update, String> {
    let mut time = c::gauge_pvxs_time::default();
    // SAFETY: the update is alive, the other two are places to be written to.
    checked(|error| unsafe { c::gauge_pvxs_read_time(update, &raw mut time, error) })?;
    let (number, sum) = match content {
        Content::Scalars => {
            let mut value = 0.0;
            // SAFETY: as above.
            checked(|error| unsafe { c::gauge_pvxs_read_scalar(update, &raw mut value, error) })?;
            (value, 0)
        }
        Content::Frames => {
            let mut pixels = c::gauge_pvxs_pixels::default();
            // SAFETY: as above.
            checked(|error| unsafe { c::gauge_pvxs_read_pixels(update, &raw mut pixels, error) })?;
            // SAFETY: as above; an array without elements may have no place.
            number_and_sum(unsafe { elements(&pixels) })
        }
    };
    let stamp_ns = time.seconds.wrapping_mul(NANOSECONDS) + i64::from(time.nanoseconds);
    Ok(Update { number, sum, stamp_ns })
}

/// # Safety
/// The elements must live as long as `pixels`.
unsafe fn elements(pixels: &c::gauge_pvxs_pixels) -> &[i16] {
    if pixels.count == 0 {
        return &[];
    }
    // SAFETY: promised by the caller.
    unsafe { std::slice::from_raw_parts(pixels.first, pixels.count) }
}

/// # Safety
/// `owner` must lead to an [`Owner`] that lives for the time of the callback.
unsafe fn of<'a>(owner: *mut c_void) -> &'a Owner {
    // SAFETY: promised by the caller. What is shared in it has locks.
    unsafe { &*owner.cast::<Owner>() }
}

/// # Safety
/// `words` must be a C string.
pub(super) unsafe fn text(words: *const c_char) -> String {
    // SAFETY: promised by the caller.
    unsafe { CStr::from_ptr(words) }.to_string_lossy().into_owned()
}
