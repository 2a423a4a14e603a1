//! The approach `wire`: the least work that the Channel Access protocol allows a
//! client. It is the floor: what another approach costs over it is its overhead.
//!
//! One thread, blocking calls, the standard library and `poll`. Searches are
//! packed into datagrams under a window (`search`), sent to the server that has
//! the neighbours of a PV (`guide`), channels are created on one
//! circuit per server as the answers come in (`circuit`), requests are
//! pipelined and matched by number (`request`), updates are taken where they lie
//! in the receive buffer (`subscriptions`). `docs/wire.md` says what is sent when,
//! and what was measured.
//!
//! Invariant: no packet ever leaves loopback; other addresses are refused.

mod address;
mod channel;
mod circuit;
mod guide;
mod lookup;
mod names;
mod request;
mod search;
mod session;
mod socket;
mod subscriptions;

pub(super) use session::Session as Wire;

use crate::channel_access as message;
