//! A client that does the least work that its protocol allows: the floor, over which
//! another approach's cost is its overhead. `wire` is it over Channel Access and
//! `wire_pva` over pvAccess; each is a [`Protocol`], and all else is here.
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
mod identity;
mod lookup;
mod names;
mod pixels;
mod protocol;
mod request;
mod search;
mod session;
mod socket;
mod subscriptions;

pub(super) use address::Variables;
pub(super) use channel::ChannelState;
pub(super) use circuit::Piece;
pub(super) use identity::{host_name, user_name};
pub(super) use names::Names;
pub(super) use pixels::PixelSum;
pub(super) use protocol::{Header, Protocol, Request, SilenceTimeouts, Subscription};
pub(super) use search::Datagrams;
pub(super) use session::{Hears, Session};
