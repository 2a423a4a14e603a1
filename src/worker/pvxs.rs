//! The approach `pvxs`: the C++ client library of pvAccess, called as a C++
//! program would that knows it. It is the floor of pvAccess: p4p is pvxs below,
//! and nothing here does more than pvxs needs done.
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
mod context;
mod interface;
mod session;
mod told;

use std::collections::BTreeMap;
use std::time::Duration;

use self::session::Session;
use super::{Client, PerPvTimes, StageError};
use crate::worker_protocol::{Job, Mode, Monitor, Updates};

/// pvxs as a client; see the module.
#[derive(Default)]
pub struct Pvxs {
    session: Option<Session>,
}

impl Pvxs {
    /// A client without a job.
    pub fn new() -> Pvxs {
        Pvxs::default()
    }

    fn session(&mut self) -> Result<&mut Session, StageError> {
        self.session.as_mut().ok_or_else(|| StageError("no context was made".to_owned()))
    }
}

impl Client for Pvxs {
    fn approach(&self) -> &'static str {
        "pvxs"
    }

    fn versions(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("epics-base".to_owned(), env!("EPICS_GAUGE_BASE_VERSION").to_owned()),
            ("pvxs".to_owned(), context::version()),
        ])
    }

    fn context(&mut self, job: &Job) -> Result<(), StageError> {
        self.session = None;
        self.session = Some(Session::new(job)?);
        Ok(())
    }

    fn create(&mut self) -> Result<(), StageError> {
        self.session()?.create()
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

    fn collect(&mut self, duration: Duration) -> Result<Updates, StageError> {
        self.session()?.collect(duration)
    }
}
