//! A preemptive libca context, bound to the thread that made it.

use std::ffi::{CStr, c_void};
use std::ptr::NonNull;

use super::status::{Status, check};
use crate::sys;
use crate::worker::client::StageError;
use crate::worker::outcome::failed;

/// The context of the current thread. Holding a pointer makes it stay there:
/// libca finds a context by thread.
///
/// Dropping it ends libca's threads; when that returns no callback runs or will
/// run any more.
pub(super) struct Context {
    raw: NonNull<sys::ca_client_context>,
}

impl Context {
    /// Makes the context.
    pub(super) fn new() -> Result<Context, StageError> {
        // SAFETY: may be called by any thread at any time.
        if !unsafe { sys::ca_current_context() }.is_null() {
            // libca would hand out that one again, with an owner of its own.
            return Err(StageError("this thread has a CA context already".to_owned()));
        }
        // SAFETY: the thread has no context, as was just seen.
        check(unsafe { sys::ca_context_create(sys::ca_enable_preemptive_callback) })
            .map_err(|status| failed("ca_context_create", status))?;
        // SAFETY: as above.
        let raw = NonNull::new(unsafe { sys::ca_current_context() });
        raw.map(|raw| Context { raw })
            .ok_or_else(|| StageError("ca_context_create made no context".to_owned()))
    }

    /// Sends what was asked for since the last time, and does not wait.
    pub(super) fn flush(&self) -> Result<(), StageError> {
        // SAFETY: the thread's context is this one.
        check(unsafe { sys::ca_flush_io() }).map_err(|status| failed("ca_flush_io", status))
    }

    /// Makes a channel; it is looked for from the next [`Context::flush`] on,
    /// or before.
    ///
    /// # Safety
    /// `changed` must be sound to be called on any thread, from now until the
    /// context is dropped, for a channel whose `ca_puser` is `user`.
    pub(super) unsafe fn create_channel(
        &self,
        name: &CStr,
        changed: unsafe extern "C" fn(sys::connection_handler_args),
        user: *const c_void,
    ) -> Result<sys::chid, Status> {
        let mut channel = std::ptr::null_mut();
        // SAFETY: libca copies the name and writes one channel identifier; the
        // callback is sound by the caller's promise.
        let status = unsafe {
            sys::ca_create_channel(
                name.as_ptr(),
                Some(changed),
                user.cast_mut(),
                sys::CA_PRIORITY_DEFAULT as sys::capri,
                &raw mut channel,
            )
        };
        check(status).map(|()| channel)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the context lives until the last of these calls, and `Context`
        // is not Send, so no other thread can be using it. Another library may
        // have attached one of its own meanwhile; that one is not ours to end.
        unsafe {
            let current = sys::ca_current_context();
            if current != self.raw.as_ptr() {
                if !current.is_null() {
                    sys::ca_detach_context();
                }
                sys::ca_attach_context(self.raw.as_ptr());
            }
            sys::ca_context_destroy();
            if !current.is_null() && current != self.raw.as_ptr() {
                sys::ca_attach_context(current);
            }
        }
    }
}
