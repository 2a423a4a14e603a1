//! The approach `libca`: EPICS Base's own C client library, called as a C
//! program would that knows it.
//!
//! The context is preemptive: libca's threads call back as answers arrive, and
//! the worker's thread sleeps until the last one is in. Requests are gathered
//! and sent with one `ca_flush_io`, which is how the Channel Access Reference
//! Manual says to get the most out of the library.
//!
//! Gets are `ca_array_get_callback` in both modes. `ca_array_get` with
//! `ca_pend_io`, which `catime` uses, sleeps on the same threads and is no
//! faster: a C program doing both in turn measured medians of 135 µs against
//! 132 µs for a serial get and 0.46 µs against 0.37 µs per PV in bulk, callbacks
//! being the latter. And a get that fails there is only reported on stderr while
//! `ca_pend_io` waits out its whole timeout; a callback names it at once.

mod asked;
mod callbacks;
mod context;
mod dropped_arrays;
mod status;

pub(super) use self::dropped_arrays::why_dropped;
pub(super) use self::status::{Status, versions};

use std::collections::BTreeMap;
use std::ffi::{CStr, c_long};
use std::ptr::from_ref;

use self::callbacks::{Owner, user_argument};
use self::context::Context;
use self::status::check;
use super::ask::Questions;
use super::callback_client::CallbackLibrary;
use super::client::{Asker, StageError};
use super::completions::Completions;
use crate::sys;
use crate::worker_protocol::Content;

/// libca; see the module.
pub(super) struct Libca {
    /// Those that are made, by PV index.
    channels: Vec<sys::chid>,
    context: Context,
    completions: &'static Completions<Status>,
    owners: &'static [Owner],
}

impl CallbackLibrary for Libca {
    const APPROACH: &'static str = "libca";

    type Refusal = Status;

    fn versions() -> BTreeMap<String, String> {
        versions()
    }

    fn asker() -> Option<Box<dyn Asker>> {
        Some(Box::new(Questions::<asked::Calls>::default()))
    }

    fn new(pvs: usize) -> Result<Libca, StageError> {
        let context = Context::new()?;
        let (completions, owners) = callbacks::leaked(pvs);
        Ok(Libca { channels: Vec::with_capacity(pvs), context, completions, owners })
    }

    fn completions(&self) -> &Completions<Status> {
        self.completions
    }

    fn create(&mut self, name: &CStr) -> Result<(), Status> {
        let owner = &self.owners[self.channels.len()];
        // SAFETY: the user pointer leads to an owner, which is never freed.
        let channel = unsafe {
            self.context.create_channel(name, callbacks::connection_changed, from_ref(owner).cast())
        };
        self.channels.push(channel?);
        Ok(())
    }

    fn flush_channels(&self) -> Result<(), StageError> {
        self.context.flush()
    }

    fn get(&self, pv: usize, request: usize) -> Result<(), Status> {
        // SAFETY: the channel is alive, its user pointer leads to an owner, and the
        // argument is a number.
        check(unsafe {
            sys::ca_array_get_callback(
                c_long::from(sys::DBR_DOUBLE),
                1,
                self.channels[pv],
                Some(callbacks::value_arrived),
                user_argument(request),
            )
        })
    }

    fn put(&self, pv: usize, value: f64, request: usize) -> Result<(), Status> {
        // SAFETY: as for a get; libca copies the value before it returns.
        check(unsafe {
            sys::ca_array_put_callback(
                c_long::from(sys::DBR_DOUBLE),
                1,
                self.channels[pv],
                from_ref(&value).cast(),
                Some(callbacks::put_confirmed),
                user_argument(request),
            )
        })
    }

    fn put_unconfirmed(&self, pv: usize, value: f64) -> Result<(), Status> {
        // SAFETY: the channel is alive; libca copies the value before it returns.
        check(unsafe {
            sys::ca_array_put(
                c_long::from(sys::DBR_DOUBLE),
                1,
                self.channels[pv],
                from_ref(&value).cast(),
            )
        })
    }

    /// With count 0, which means all elements that the PV has at the time.
    fn subscribe(&self, pv: usize, content: Content, subscription: usize) -> Result<(), Status> {
        const ALL_ELEMENTS: u8 = 0;
        let kind = match content {
            Content::Scalars => sys::DBR_TIME_DOUBLE,
            Content::Frames => sys::DBR_TIME_SHORT,
        };
        // SAFETY: the channel is alive and its user pointer leads to an owner. The
        // subscription ends with its channel, so its identifier is not needed.
        check(unsafe {
            sys::ca_create_subscription(
                c_long::from(kind),
                ALL_ELEMENTS.into(),
                self.channels[pv],
                c_long::from(sys::DBE_VALUE),
                Some(callbacks::update_arrived),
                user_argument(subscription),
                std::ptr::null_mut(),
            )
        })
    }

    fn flush_requests(&self) -> Result<(), StageError> {
        self.context.flush()
    }

    /// Clearing a channel clears its subscriptions too, says the Channel Access Reference
    /// Manual, and waits for callbacks that run.
    fn disconnect(&mut self) -> Result<(), StageError> {
        self.clear_channels();
        self.context.flush()
    }

    fn why_silent(&self, pv: usize) -> Option<String> {
        let channel = *self.channels.get(pv)?;
        // SAFETY: the channel is alive.
        let elements = unsafe { sys::ca_element_count(channel) };
        why_dropped(elements as usize * size_of::<sys::dbr_short_t>())
    }
}

impl Libca {
    fn clear_channels(&mut self) {
        for channel in self.channels.drain(..) {
            // SAFETY: the channel is alive and nobody uses it after this. The
            // status can only show that it was not alive.
            unsafe { sys::ca_clear_channel(channel) };
        }
    }
}

/// Channels go before their context does, as libca asks for.
impl Drop for Libca {
    fn drop(&mut self) {
        self.clear_channels();
    }
}
