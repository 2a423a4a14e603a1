//! Why a request or a subscription of `epics-ca` failed.

use std::fmt;

use ::epics_ca::Error;

use crate::worker::libca::Status;

/// Why a request failed.
#[derive(Debug, Clone, Copy)]
pub(in crate::worker) enum Why {
    /// A status of libca.
    Status(Status),
    /// The channel is lent to its subscription.
    Lent,
    /// A channel carries one request at a time.
    AskedTwice,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Status(status) => status.fmt(f),
            Why::Lent => f.write_str("lent to its subscription"),
            Why::AskedTwice => f.write_str("asked twice"),
        }
    }
}

impl From<Error> for Why {
    fn from(error: Error) -> Why {
        Why::Status(Status(error.into_raw()))
    }
}
