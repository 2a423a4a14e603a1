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

pub use search::SearchStatistics;

use std::collections::BTreeMap;
use std::time::Duration;

use self::session::Session;
use super::{Client, PerPvTimes, StageError};
use crate::channel_access as message;
use crate::worker_protocol::{Job, Mode, Monitor, Stage, Updates};

/// The floor as a client; see the module.
#[derive(Default)]
pub struct Wire {
    receive_buffer_bytes: Option<usize>,
    session: Option<Session>,
}

impl Wire {
    /// A client without a job.
    pub fn new() -> Wire {
        Wire::default()
    }

    /// A client that asks for a UDP receive buffer of `bytes`: a small one makes
    /// the system drop answers, so that a test can see them searched for again.
    pub fn with_receive_buffer(bytes: usize) -> Wire {
        Wire { receive_buffer_bytes: Some(bytes), session: None }
    }

    /// What the search over UDP has done since `context`; all zero before it and
    /// with name servers.
    pub fn search_statistics(&self) -> SearchStatistics {
        self.session.as_ref().map(Session::search_statistics).unwrap_or_default()
    }

    fn session(&mut self) -> Result<&mut Session, StageError> {
        self.session.as_mut().ok_or_else(|| StageError("no context was made".to_owned()))
    }
}

impl Client for Wire {
    fn approach(&self) -> &'static str {
        "wire"
    }

    fn versions(&self) -> BTreeMap<String, String> {
        let protocol = format!("4.{}", message::CA_MINOR_PROTOCOL_REVISION);
        BTreeMap::from([
            ("wire".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            ("channel-access-protocol".to_owned(), protocol),
        ])
    }

    /// `create` is joint with `connect`: the first thing to be done for a PV is
    /// to encode its search, and when that happens is up to the window.
    fn stages(&self) -> Vec<Stage> {
        vec![Stage::Context, Stage::Connect, Stage::Get, Stage::Put, Stage::Subscribe]
    }

    fn context(&mut self, job: &Job) -> Result<(), StageError> {
        self.session = Some(Session::new(job, self.receive_buffer_bytes)?);
        Ok(())
    }

    fn create(&mut self) -> Result<(), StageError> {
        self.session().map(|_| ())
    }

    fn connect(&mut self, mode: Mode) -> Result<(), StageError> {
        self.session()?.connect(mode)
    }

    fn get(
        &mut self,
        mode: Mode,
        pvs: &[usize],
        times: &mut PerPvTimes,
    ) -> Result<Vec<f64>, StageError> {
        self.session()?.get(mode, pvs, times)
    }

    fn put(
        &mut self,
        mode: Mode,
        pvs: &[usize],
        values: &[f64],
        times: &mut PerPvTimes,
    ) -> Result<(), StageError> {
        self.session()?.put(mode, pvs, values, times)
    }

    fn subscribe(&mut self, mode: Mode, pvs: &[usize], monitor: Monitor) -> Result<(), StageError> {
        self.session()?.subscribe(mode, pvs, monitor)
    }

    fn counters(&mut self) -> BTreeMap<String, u64> {
        self.session.as_mut().map(Session::take_counters).unwrap_or_default()
    }

    fn collect(&mut self, duration: Duration) -> Result<Updates, StageError> {
        self.session()?.collect(duration)
    }
}
