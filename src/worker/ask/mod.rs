//! Typed questions to a native approach: the stage `ask`.
//!
//! The floors answer here by reading the protocols' bytes themselves, one circuit a question,
//! so that their answers depend on no library.

mod ca_data;
mod channel_access;
mod pv_access;
mod pva_fields;
mod pva_request;
mod pva_types;
mod questions;

pub(super) use ca_data::{ByteOrder, Payload, encoded, fields, types_of};
pub(super) use channel_access::{ChannelAccessFloor, mask_of, remaining};
pub(super) use pv_access::PvAccessFloor;
pub(super) use questions::{Answer, Library, Questions, Subscription, unable_over_channel_access};
