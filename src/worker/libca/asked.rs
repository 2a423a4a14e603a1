//! What libca answers to typed questions: `ca_array_get_callback`, `ca_array_put_callback` and
//! `ca_create_subscription`, with types and counts as its reference manual has them.
//!
//! Invariant: what a callback reaches is never freed. Each question leaks two senders.

use std::ffi::{CString, c_int, c_long, c_ulong, c_void};
use std::ptr::from_ref;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use super::context::Context;
use super::status::{Status, check};
use crate::sys;
use crate::worker::ask::{
    self, Answer, ByteOrder, Library, Payload, Subscription, encoded, mask_of, remaining, types_of,
    unable_over_channel_access,
};
use crate::worker_protocol::{Ask, Detail, Fields, Form};

/// libca by its calls.
#[derive(Default)]
pub(super) struct Calls {
    context: Option<Context>,
}

impl Library for Calls {
    type Subscription = Monitor;

    fn unable(ask: &Ask) -> Option<&'static str> {
        unable_over_channel_access(ask)
    }

    fn get(&mut self, ask: &Ask, end: Instant) -> Answer<Fields> {
        let channel = self.open(&ask.pv, end)?;
        let mut fields = Fields::new();
        for data_type in types_of(channel.native(), ask.form, ask.detail) {
            let (sender, events) = callback_argument();
            // SAFETY: the channel is alive and the argument leads to a sender for good.
            check(unsafe {
                sys::ca_array_get_callback(
                    c_long::from(data_type),
                    c_ulong::from(ask.count.unwrap_or(0)),
                    channel.raw,
                    Some(brought),
                    sender,
                )
            })?;
            self.context()?.flush().map_err(|error| error.0)?;
            // Value, alarm and time are those of the first answer.
            for (name, value) in channel.fields(&answered(&events, end)?, ask.form)? {
                fields.entry(name).or_insert(value);
            }
        }
        Ok(fields)
    }

    fn put(&mut self, ask: &Ask, end: Instant) -> Answer<()> {
        let value = ask.value.as_ref().ok_or("a put without a value")?;
        let (data_type, count, bytes) = encoded(value, ask.form, ByteOrder::Native)?;
        let channel = self.open(&ask.pv, end)?;
        let (sender, events) = callback_argument();
        // SAFETY: as for a get; libca copies the elements before it returns.
        check(unsafe {
            sys::ca_array_put_callback(
                c_long::from(data_type),
                c_ulong::from(count),
                channel.raw,
                bytes.as_ptr().cast(),
                Some(brought),
                sender,
            )
        })?;
        self.context()?.flush().map_err(|error| error.0)?;
        answered(&events, end)?;
        Ok(())
    }

    fn subscribe(&mut self, ask: &Ask, end: Instant) -> Answer<Monitor> {
        let channel = self.open(&ask.pv, end)?;
        let data_type = types_of(channel.native(), ask.form, Detail::Time)[0];
        let (sender, events) = callback_argument();
        // SAFETY: the channel is alive and the argument leads to a sender for good. The
        // subscription ends with its channel, so its identifier is not needed.
        check(unsafe {
            sys::ca_create_subscription(
                c_long::from(data_type),
                c_ulong::from(ask.count.unwrap_or(0)),
                channel.raw,
                c_long::from(mask_of(ask.mask.as_deref())?),
                Some(brought),
                sender,
                std::ptr::null_mut(),
            )
        })?;
        self.context()?.flush().map_err(|error| error.0)?;
        Ok(Monitor { channel, events, form: ask.form })
    }
}

impl From<Status> for String {
    fn from(status: Status) -> String {
        status.to_string()
    }
}

impl Calls {
    fn context(&mut self) -> Result<&Context, String> {
        if self.context.is_none() {
            self.context = Some(Context::new().map_err(|error| error.0)?);
        }
        self.context.as_ref().ok_or_else(|| "no context".to_owned())
    }

    fn open(&mut self, pv: &str, end: Instant) -> Result<Channel, String> {
        let name = CString::new(pv).map_err(|error| error.to_string())?;
        let (sender, connected) = channel();
        let sender: &'static Sender<()> = Box::leak(Box::new(sender));
        let context = self.context()?;
        // SAFETY: the user pointer leads to a sender for good.
        let raw =
            unsafe { context.create_channel(&name, connection_changed, from_ref(sender).cast()) };
        let channel = Channel { raw: raw? };
        context.flush().map_err(|error| error.0)?;
        let is_late = |_| "not connected in time".to_owned();
        connected.recv_timeout(remaining(end)?).map_err(is_late)?;
        Ok(channel)
    }
}

/// A channel, which ends with this.
struct Channel {
    raw: sys::chid,
}

impl Channel {
    fn native(&self) -> u16 {
        // SAFETY: the channel is alive.
        unsafe { sys::ca_field_type(self.raw) as u16 }
    }

    fn fields(&self, brought: &Brought, form: Form) -> Result<Fields, String> {
        // SAFETY: the channel is alive.
        let elements = unsafe { sys::ca_element_count(self.raw) } as usize;
        let Brought { data_type, count, bytes } = brought;
        let (data_type, count, order) = (*data_type, *count, ByteOrder::Native);
        ask::fields(Payload { data_type, count, bytes, order }, elements, form)
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        // SAFETY: the channel is alive, and its context: `Questions` drops it last.
        unsafe { sys::ca_clear_channel(self.raw) };
    }
}

/// A subscription that runs.
pub(super) struct Monitor {
    channel: Channel,
    events: Receiver<Event>,
    form: Form,
}

impl Subscription for Monitor {
    fn next(&mut self, end: Instant) -> Answer<Option<Fields>> {
        let Ok(left) = remaining(end) else { return Ok(None) };
        let Ok(event) = self.events.recv_timeout(left) else { return Ok(None) };
        Ok(Some(self.channel.fields(&event?, self.form)?))
    }
}

/// What a callback brought.
struct Brought {
    data_type: u16,
    count: usize,
    bytes: Vec<u8>,
}

type Event = Result<Brought, Status>;

/// A sender as libca carries it, and where its events arrive.
fn callback_argument() -> (*mut c_void, Receiver<Event>) {
    let (sender, events) = channel();
    let sender: &'static Sender<Event> = Box::leak(Box::new(sender));
    (from_ref(sender).cast_mut().cast(), events)
}

fn answered(events: &Receiver<Event>, end: Instant) -> Result<Brought, String> {
    let event = events.recv_timeout(remaining(end)?).map_err(|_| "no answer in time")?;
    event.map_err(String::from)
}

/// # Safety
/// The channel's user pointer must lead to a sender.
unsafe extern "C" fn connection_changed(event: sys::connection_handler_args) {
    if event.op == c_long::from(sys::CA_OP_CONN_UP) {
        // SAFETY: promised by the caller; senders are never freed.
        let sender = unsafe { &*sys::ca_puser(event.chid).cast::<Sender<()>>() };
        // Nobody listens once the channel is open.
        let _ = sender.send(());
    }
}

/// # Safety
/// The user argument must lead to a sender.
unsafe extern "C" fn brought(event: sys::event_handler_args) {
    // SAFETY: promised by the caller; senders are never freed.
    let sender = unsafe { &*event.usr.cast::<Sender<Event>>() };
    let copied = check(event.status).map(|()| {
        let (data_type, count) = (event.type_ as u16, event.count.max(0) as usize);
        // SAFETY: libca lends so many bytes for the time of the callback.
        let bytes = unsafe { copied(event.dbr, data_type, count) };
        Brought { data_type, count, bytes }
    });
    // Nobody listens once the question is answered.
    let _ = sender.send(copied);
}

/// # Safety
/// `dbr` must be null or lead to `count` elements of `data_type`.
unsafe fn copied(dbr: *const c_void, data_type: u16, count: usize) -> Vec<u8> {
    if dbr.is_null() || c_int::from(data_type) > sys::DBR_CTRL_DOUBLE as c_int {
        return Vec::new();
    }
    let kind = usize::from(data_type);
    // SAFETY: Base's tables have an entry for each type. The bytes are promised by the caller.
    unsafe {
        let offset = usize::from(sys::dbr_value_offset[kind]);
        let element = *(&raw const sys::dbr_value_size).cast::<u16>().add(kind);
        let length = offset + count * usize::from(element);
        std::slice::from_raw_parts(dbr.cast::<u8>(), length).to_vec()
    }
}
