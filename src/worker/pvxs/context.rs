//! A pvxs client context with the channels, requests and subscriptions in it.

use std::ffi::CStr;
use std::ptr::NonNull;
use std::sync::{Arc, OnceLock};

use super::callbacks::{Owner, said, text};
use super::interface as c;
use super::told::Told;
use crate::worker_protocol::Content;

/// pvxs' own name and version.
pub(super) fn version() -> String {
    // SAFETY: it needs nothing and answers with a string that is never changed.
    unsafe { text(c::gauge_pvxs_version()) }
}

/// A context. Its thread calls back into what [`Context::told`] shows, and has
/// ended when the context is dropped.
pub(super) struct Context {
    raw: NonNull<c::gauge_pvxs_client>,
    owner: Arc<Owner>,
    /// How many PVs were created.
    created: usize,
}

/// Why pvxs refuses a call.
type Refusal = String;

impl Context {
    /// A context for `pvs` PVs that does what the environment says.
    pub(super) fn new(pvs: usize) -> Result<Context, Refusal> {
        let owner = Arc::new(Owner { told: Told::new(pvs), content: OnceLock::new() });
        let callbacks = owner.callbacks();
        let mut raw = None;
        said(|error| {
            // SAFETY: the callbacks are sound as long as the owner lives, which is
            // until after the client was deleted.
            raw = NonNull::new(unsafe { c::gauge_pvxs_new(&raw const callbacks, error) });
            raw.is_some()
        })?;
        let raw = raw.ok_or_else(|| "pvxs made no context".to_owned())?;
        Ok(Context { raw, owner, created: 0 })
    }

    /// What its thread tells.
    pub(super) fn told(&self) -> &Told {
        &self.owner.told
    }

    /// How many PVs were created.
    pub(super) fn created(&self) -> usize {
        self.created
    }

    /// Begins to look for one PV more.
    pub(super) fn create(&mut self, name: &CStr) -> Result<(), Refusal> {
        self.told().expect_connection();
        // SAFETY: the client is alive and copies the name.
        self.call(|client, error| unsafe { c::gauge_pvxs_create(client, name.as_ptr(), error) })?;
        self.created += 1;
        Ok(())
    }

    /// Says that a batch of PVs is complete.
    pub(super) fn hurry_up(&self) -> Result<(), Refusal> {
        // SAFETY: the client is alive.
        self.call(|client, error| unsafe { c::gauge_pvxs_hurry_up(client, error) })
    }

    /// Asks for the value of a PV.
    pub(super) fn get(&self, pv: usize, request: usize) -> Result<(), Refusal> {
        // SAFETY: the client is alive and knows which PVs it has.
        self.call(|client, error| unsafe { c::gauge_pvxs_get(client, pv, request, error) })
    }

    /// Writes the value of a PV.
    pub(super) fn put(&self, pv: usize, value: f64, request: usize) -> Result<(), Refusal> {
        // SAFETY: as above.
        self.call(|client, error| unsafe { c::gauge_pvxs_put(client, pv, value, request, error) })
    }

    /// Ends all gets and puts.
    pub(super) fn end_requests(&self) {
        // SAFETY: the client is alive.
        unsafe { c::gauge_pvxs_end_requests(self.raw.as_ptr()) };
    }

    /// Makes a subscription of its own to a PV. All of a context have the content
    /// of the first.
    pub(super) fn subscribe(
        &self,
        pv: usize,
        subscription: usize,
        content: Content,
    ) -> Result<(), Refusal> {
        self.owner.content.get_or_init(|| content);
        self.told().expect_update(subscription);
        // SAFETY: the client is alive and knows which PVs it has.
        self.call(|client, error| unsafe {
            c::gauge_pvxs_subscribe(client, pv, subscription, error)
        })
    }

    /// Updates that were merged since the last call.
    pub(super) fn take_squashed(&self) -> c::gauge_pvxs_squashed {
        // SAFETY: the client is alive.
        unsafe { c::gauge_pvxs_take_squashed(self.raw.as_ptr()) }
    }

    fn call(
        &self,
        step: impl FnOnce(*mut c::gauge_pvxs_client, *mut c::gauge_pvxs_error) -> bool,
    ) -> Result<(), Refusal> {
        said(|error| step(self.raw.as_ptr(), error))
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: nobody uses the client after this; when it returns, no callback
        // runs or will run any more.
        unsafe { c::gauge_pvxs_delete(self.raw.as_ptr()) };
    }
}
