//! The approach `pvxs`: the C++ client library of pvAccess, called as a C++
//! program would that knows it.
//!
//! Used as its documentation says to: channels are held with `Context::connect`
//! and their batch ends in `hurryUp`; each get and put is an operation of its own
//! with a callback; monitors have pvxs' own options, that is a queue of 4 updates
//! on both sides. Only what is needed is asked for: the field `value`, and of
//! monitors `timeStamp` too. Updates are taken on pvxs' thread as they come, so its
//! own queue never fills up. Frames are read where pvxs has put them.
//!
//! `vendor/shim/pvxs_client.h` is the C interface between this and pvxs.

mod callbacks;
mod interface;

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use self::callbacks::{Owner, checked, text};
use self::interface as c;
use super::callback_client::CallbackLibrary;
use super::client::StageError;
use super::completions::Completions;
use super::outcome::failed;
use crate::worker_protocol::Content;

/// A context of pvxs; see the module. Its thread calls back into the owner, and has
/// ended when the context is dropped.
pub(super) struct Pvxs {
    raw: NonNull<c::gauge_pvxs_client>,
    owner: Arc<Owner>,
}

/// Why pvxs refuses a call.
type Refusal = String;

impl CallbackLibrary for Pvxs {
    const APPROACH: &'static str = "pvxs";

    type Refusal = Refusal;

    fn versions() -> BTreeMap<String, String> {
        // SAFETY: it needs nothing and answers with a string that is never changed.
        let version = unsafe { text(c::gauge_pvxs_version()) };
        BTreeMap::from([
            ("epics-base".to_owned(), env!("EPICS_GAUGE_BASE_VERSION").to_owned()),
            ("pvxs".to_owned(), version),
        ])
    }

    /// A context that does what the environment says.
    fn new(pvs: usize) -> Result<Pvxs, StageError> {
        let owner = Arc::new(Owner {
            completions: Completions::new(pvs),
            brings_frames: (0..pvs).map(|_| AtomicBool::new(false)).collect(),
        });
        let callbacks = owner.callbacks();
        let mut raw = None;
        let made = checked(|error| {
            // SAFETY: the callbacks are sound as long as the owner lives, which is
            // until after the client was deleted.
            raw = NonNull::new(unsafe { c::gauge_pvxs_new(&raw const callbacks, error) });
            raw.is_some()
        });
        made.map_err(|why| failed("pvxs' context", why))?;
        let raw = raw.ok_or_else(|| failed("pvxs' context", "pvxs made no context"))?;
        Ok(Pvxs { raw, owner })
    }

    fn completions(&self) -> &Completions<Refusal> {
        &self.owner.completions
    }

    fn create(&mut self, name: &CStr) -> Result<(), Refusal> {
        // SAFETY: the client is alive and copies the name.
        self.call(|client, error| unsafe { c::gauge_pvxs_create(client, name.as_ptr(), error) })
    }

    fn flush_channels(&self) -> Result<(), StageError> {
        // SAFETY: the client is alive.
        self.call(|client, error| unsafe { c::gauge_pvxs_hurry_up(client, error) })
            .map_err(|why| failed("hurryUp", why))
    }

    fn get(&self, pv: usize, request: usize) -> Result<(), Refusal> {
        // SAFETY: the client is alive and knows which PVs it has.
        self.call(|client, error| unsafe { c::gauge_pvxs_get(client, pv, request, error) })
    }

    /// As pvxs' documentation has it: without a `pvRequest`, so all fields are asked for.
    fn get_default(&self, pv: usize, request: usize, timeout: Duration) -> Result<(), Refusal> {
        let mut value = f64::NAN;
        // SAFETY: the client is alive and knows which PVs it has; the value is a place to
        // be written to.
        let read = self.call(|client, error| unsafe {
            c::gauge_pvxs_get_default(client, pv, timeout.as_secs_f64(), &raw mut value, error)
        });
        self.owner.completions.requests.record(request, read.map(|()| value));
        Ok(())
    }

    fn put(&self, pv: usize, value: f64, request: usize) -> Result<(), Refusal> {
        // SAFETY: as above.
        self.call(|client, error| unsafe { c::gauge_pvxs_put(client, pv, value, request, error) })
    }

    /// A put of pvAccess is confirmed: pvxs has none that does not wait.
    const PUTS_UNCONFIRMED: bool = false;

    fn put_unconfirmed(&self, _: usize, _: f64) -> Result<(), Refusal> {
        Err("pvxs confirms all puts".to_owned())
    }

    fn disconnect(&mut self) -> Result<(), StageError> {
        // SAFETY: the client is alive.
        self.call(|client, error| unsafe { c::gauge_pvxs_disconnect(client, error) })
            .map_err(|why| failed("the end of the channels", why))
    }

    fn end_requests(&self) {
        // SAFETY: the client is alive.
        unsafe { c::gauge_pvxs_end_requests(self.raw.as_ptr()) };
    }

    fn subscribe(&self, pv: usize, content: Content, subscription: usize) -> Result<(), Refusal> {
        self.owner.brings_frames[pv].store(content == Content::Frames, Ordering::Relaxed);
        // SAFETY: the client is alive and knows which PVs it has.
        self.call(|client, error| unsafe {
            c::gauge_pvxs_subscribe(client, pv, subscription, error)
        })
    }

    /// Updates that were merged.
    fn take_update_counters(&self) -> Vec<(&'static str, u64)> {
        // SAFETY: the client is alive.
        let squashed = unsafe { c::gauge_pvxs_take_squashed(self.raw.as_ptr()) };
        vec![("nSrvSquash", squashed.by_server), ("nCliSquash", squashed.by_client)]
    }
}

impl Pvxs {
    fn call(
        &self,
        step: impl FnOnce(*mut c::gauge_pvxs_client, *mut c::gauge_pvxs_error) -> bool,
    ) -> Result<(), Refusal> {
        checked(|error| step(self.raw.as_ptr(), error))
    }
}

impl Drop for Pvxs {
    fn drop(&mut self) {
        // SAFETY: nobody uses the client after this; when it returns, no callback
        // runs or will run any more.
        unsafe { c::gauge_pvxs_delete(self.raw.as_ptr()) };
    }
}
