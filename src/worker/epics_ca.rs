//! The approach `epics-ca`: the Rust crate of that name over libca, driven by a
//! tokio runtime on the worker's thread.
//!
//! Used as its examples do: [`Channel::new`], `connected` and a typed channel,
//! which is what its `Context::connect` does where the type is known beforehand;
//! value channels, which the crate recommends where only values are needed;
//! streams of updates (`monitors`). It has no call for many PVs at once: its
//! futures are joined, with the crate `futures` that it is built on itself.
//!
//! A get asks for count 0, which means all elements the PV has, and every
//! request flushes: both are the crate's choice.

mod monitors;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::CString;
use std::time::Duration;

use ::epics_ca::{Channel, Context, Error, TypedChannel, ValueChannel};
use futures::future::{join_all, try_join_all};
use tokio::runtime::Runtime;
use tokio::time::{timeout, timeout_at};

use self::monitors::{Failure, Monitors, NotRunning, Subject};
use super::{Client, PerPvTimes, StageError, libca};
use crate::worker_protocol::{Content, Job, Mode, Monitor, Updates};

/// The version of the crate that Cargo.lock names.
const EPICS_CA_VERSION: &str = "0.1.2";

/// The crate `epics-ca` as a client; see the module.
#[derive(Default)]
pub struct EpicsCa {
    session: Option<Session>,
}

impl EpicsCa {
    /// A client without a job.
    pub fn new() -> EpicsCa {
        EpicsCa::default()
    }

    fn session(&mut self) -> Result<&mut Session, StageError> {
        self.session.as_mut().ok_or_else(|| StageError("no context was made".to_owned()))
    }
}

impl Client for EpicsCa {
    fn approach(&self) -> &'static str {
        "epics-ca"
    }

    fn versions(&self) -> BTreeMap<String, String> {
        let mut versions = libca::versions();
        versions.insert("epics-ca".to_owned(), EPICS_CA_VERSION.to_owned());
        versions
    }

    fn context(&mut self, job: &Job) -> Result<(), StageError> {
        self.session = Some(Session::new(job)?);
        Ok(())
    }

    fn create(&mut self) -> Result<(), StageError> {
        self.session()?.create()
    }

    fn connect(&mut self, mode: Mode) -> Result<(), StageError> {
        match mode {
            Mode::Serial => self.session()?.connect_one_by_one(),
            Mode::Bulk => self.session()?.connect_all(),
        }
    }

    fn get(
        &mut self,
        mode: Mode,
        pvs: &[usize],
        times: &mut PerPvTimes,
    ) -> Result<Vec<f64>, StageError> {
        self.session()?.ask(mode, "read", pvs, times, async |channel, _| channel.get().await)
    }

    fn put(
        &mut self,
        mode: Mode,
        pvs: &[usize],
        values: &[f64],
        times: &mut PerPvTimes,
    ) -> Result<(), StageError> {
        let confirmed =
            self.session()?.ask(mode, "confirmed", pvs, times, async |channel, position| {
                channel.put(values[position])?.await.map(|()| f64::NAN)
            });
        confirmed.map(drop)
    }

    fn subscribe(&mut self, mode: Mode, pvs: &[usize], monitor: Monitor) -> Result<(), StageError> {
        self.session()?.subscribe(mode, pvs, monitor)
    }

    fn collect(&mut self, duration: Duration) -> Result<Updates, StageError> {
        self.session()?.collect(duration)
    }
}

struct Session {
    runtime: Runtime,
    context: Context,
    names: Vec<CString>,
    timeout: Duration,
    /// Made and not yet waited for.
    created: Vec<Channel>,
    /// Connected, by PV index.
    connected: Vec<Connected>,
    monitors: Option<Monitors>,
}

/// A channel whose type is known.
enum Connected {
    /// To a scalar.
    Value(ValueChannel<f64>),
    /// To an array.
    Frames(TypedChannel<[i16]>),
    /// Lent to its subscription, for good.
    Lent,
}

impl Session {
    fn new(job: &Job) -> Result<Session, StageError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        Ok(Session {
            runtime: runtime.map_err(|error| StageError(format!("tokio's runtime: {error}")))?,
            context: Context::new().map_err(|error| failed("the context", error))?,
            names: libca::c_names(job)?,
            timeout: libca::timeout_of(job)?,
            created: Vec::with_capacity(job.pvs.len()),
            connected: Vec::with_capacity(job.pvs.len()),
            monitors: None,
        })
    }

    fn create(&mut self) -> Result<(), StageError> {
        let made = self.created.len() + self.connected.len();
        for name in &self.names[made..] {
            let channel = Channel::new(&self.context, name);
            self.created.push(channel.map_err(|error| failed(&text(name), error))?);
        }
        Ok(())
    }

    fn connect_all(&mut self) -> Result<(), StageError> {
        self.create()?;
        let up: Vec<Cell<bool>> = vec![Cell::new(false); self.created.len()];
        let wait_for_all = join_all(self.created.iter_mut().zip(&up).map(async |(channel, up)| {
            channel.connected().await;
            up.set(true);
        }));
        let waited = self.runtime.block_on(async { timeout(self.timeout, wait_for_all).await });
        if waited.is_err() {
            let before = self.connected.len();
            let first = up.iter().position(|up| !up.get()).unwrap_or(0);
            let missing = up.iter().filter(|up| !up.get()).count();
            return Err(self.unfinished("connected", missing, self.names.len(), before + first));
        }
        for channel in self.created.drain(..) {
            let name = &self.names[self.connected.len()];
            self.connected.push(typed(channel).map_err(|error| failed(&text(name), error))?);
        }
        Ok(())
    }

    fn connect_one_by_one(&mut self) -> Result<(), StageError> {
        let (context, connected) = (&self.context, &mut self.connected);
        let connect_each = async {
            for name in &self.names[connected.len()..] {
                let because = |error| failed(&text(name), error);
                let mut channel = Channel::new(context, name).map_err(because)?;
                channel.connected().await;
                connected.push(typed(channel).map_err(because)?);
            }
            Ok(())
        };
        let finished = self.runtime.block_on(async { timeout(self.timeout, connect_each).await });
        finished.unwrap_or_else(|_| {
            let (done, all) = (self.connected.len(), self.names.len());
            Err(self.unfinished("connected", all - done, all, done))
        })
    }

    /// Asks every PV: one after the other in serial mode, all together in bulk
    /// mode. `request` gets the channel and the position in `pvs`.
    fn ask(
        &mut self,
        mode: Mode,
        what: &str,
        pvs: &[usize],
        times: &mut PerPvTimes,
        request: impl AsyncFn(&mut ValueChannel<f64>, usize) -> Result<f64, Error>,
    ) -> Result<Vec<f64>, StageError> {
        let answers: Vec<Cell<Option<f64>>> = vec![Cell::new(None); pvs.len()];
        let names = &self.names;
        let ask_one = async |channel: &mut ValueChannel<f64>, position: usize| {
            let answer = request(channel, position).await;
            answers[position]
                .set(Some(answer.map_err(|error| failed(&text(&names[pvs[position]]), error))?));
            Ok(())
        };
        if let Some(pv) = pvs.iter().find(|pv| **pv >= self.connected.len()) {
            return Err(StageError(format!("{} is not connected", text(&names[*pv]))));
        }
        let finished = match mode {
            Mode::Serial => self.runtime.block_on(async {
                let ask_each = async {
                    for (position, pv) in pvs.iter().enumerate() {
                        let channel = self.connected[*pv].value(&names[*pv])?;
                        ask_one(channel, position).await?;
                        times.mark();
                    }
                    Ok(())
                };
                timeout(self.timeout, ask_each).await
            }),
            Mode::Bulk => {
                let channels = each_once(&mut self.connected, names, pvs)?;
                self.runtime.block_on(async {
                    let requests = channels.into_iter().enumerate();
                    let requests =
                        requests.map(async |(position, channel)| ask_one(channel, position).await);
                    timeout(self.timeout, try_join_all(requests)).await.map(|all| all.map(drop))
                })
            }
        };
        match finished {
            Ok(Ok(())) => Ok(answers.iter().filter_map(Cell::get).collect()),
            Ok(Err(error)) => Err(error),
            Err(_) => {
                let missing = answers.iter().filter(|answer| answer.get().is_none()).count();
                let first = answers.iter().position(|answer| answer.get().is_none()).unwrap_or(0);
                Err(self.unfinished(what, missing, pvs.len(), pvs[first]))
            }
        }
    }

    /// Subscribes to `pvs` and waits for the first update of each subscription.
    fn subscribe(&mut self, mode: Mode, pvs: &[usize], monitor: Monitor) -> Result<(), StageError> {
        if self.monitors.is_some() {
            return Err(StageError("this job has its subscriptions already".to_owned()));
        }
        let deadline = tokio::time::Instant::now() + self.timeout;
        let mut monitors = Monitors::new(monitor, self.names.len());
        let batch_size = match mode {
            Mode::Serial => 1,
            Mode::Bulk => pvs.len().max(1),
        };
        let mut elements = 1;
        let subscribed = pvs.chunks(batch_size).try_for_each(|batch| {
            for pv in batch {
                let subject = self.lend(*pv, monitor.content, &mut elements)?;
                monitors.add(*pv, 0, subject);
            }
            for (pv, number, channel) in self.further_channels(batch, monitor.monitors, deadline)? {
                let subject = self.subject(pv, monitor.content, channel)?;
                monitors.add(pv, number, subject);
            }
            let waited = monitors.wait_for(&self.runtime, batch, deadline);
            waited.map_err(|why| self.not_running(&why, &monitors, pvs, elements))
        });
        self.monitors = Some(monitors);
        subscribed
    }

    /// Takes updates for `duration`.
    fn collect(&mut self, duration: Duration) -> Result<Updates, StageError> {
        let nothing = || StageError("nothing is subscribed to".to_owned());
        let monitors = self.monitors.as_mut().ok_or_else(nothing)?;
        let collected = monitors.collect(&self.runtime, duration);
        collected.map_err(|failure| self.not_subscribed(&failure))
    }

    /// Channels for the subscriptions to `pvs` beyond the first of each: a
    /// subscription borrows its channel as long as it lives, and a channel takes one
    /// callback, so the crate has no way to make two on one channel.
    fn further_channels(
        &self,
        pvs: &[usize],
        monitors: usize,
        deadline: tokio::time::Instant,
    ) -> Result<Vec<(usize, usize, Connected)>, StageError> {
        let mut further = Vec::with_capacity(pvs.len() * monitors.saturating_sub(1));
        for pv in pvs {
            for number in 1..monitors {
                let name = &self.names[*pv];
                let channel = Channel::new(&self.context, name);
                further.push((*pv, number, channel.map_err(|error| failed(&text(name), error))?));
            }
        }
        let connections = further.iter_mut().map(|(_, _, channel)| channel.connected());
        let wait_for_all = async { timeout_at(deadline, join_all(connections)).await };
        if self.runtime.block_on(wait_for_all).is_err() {
            let first = pvs.first().copied().unwrap_or(0);
            return Err(self.unfinished("connected anew", pvs.len(), pvs.len(), first));
        }
        let typed = |(pv, number, channel)| match typed(channel) {
            Ok(channel) => Ok((pv, number, channel)),
            Err(error) => Err(failed(&text(&self.names[pv]), error)),
        };
        further.into_iter().map(typed).collect()
    }

    /// What a subscription beyond the first is made to.
    fn subject(
        &self,
        pv: usize,
        content: Content,
        channel: Connected,
    ) -> Result<Subject, StageError> {
        match (content, channel) {
            (Content::Scalars, Connected::Value(channel)) => Ok(Subject::Scalar(channel.into())),
            (Content::Frames, Connected::Frames(channel)) => Ok(Subject::Frames(channel)),
            _ => Err(failed(&text(&self.names[pv]), ::epics_ca::error::BADTYPE)),
        }
    }

    /// Gives a channel away to its subscription, and tells how many elements it
    /// has if that is more than `elements`.
    fn lend(
        &mut self,
        pv: usize,
        content: Content,
        elements: &mut usize,
    ) -> Result<Subject, StageError> {
        let name = text(&self.names[pv]);
        let Some(place) = self.connected.get_mut(pv) else {
            return Err(StageError(format!("{name} is not connected")));
        };
        match (content, std::mem::replace(place, Connected::Lent)) {
            (Content::Scalars, Connected::Value(channel)) => Ok(Subject::Scalar(channel.into())),
            (Content::Frames, Connected::Frames(channel)) => {
                *elements = channel.element_count().unwrap_or(1).max(*elements);
                Ok(Subject::Frames(channel))
            }
            (_, Connected::Lent) => Err(StageError(format!("{name} is subscribed to twice"))),
            (_, channel) => {
                *place = channel;
                Err(failed(&name, ::epics_ca::error::BADTYPE))
            }
        }
    }

    fn not_running(
        &self,
        why: &NotRunning,
        monitors: &Monitors,
        pvs: &[usize],
        elements: usize,
    ) -> StageError {
        if let NotRunning::Failed(failure) = why {
            return self.not_subscribed(failure);
        }
        let mut silent = pvs.iter().filter(|pv| !monitors.is_running(**pv)).peekable();
        let first = silent.peek().map_or(0, |pv| **pv);
        let StageError(said) = self.unfinished("subscribed", silent.count(), pvs.len(), first);
        let reason =
            libca::why_dropped(elements * size_of::<i16>(), |name| std::env::var(name).ok());
        StageError(reason.map_or(said.clone(), |reason| format!("{said}: {reason}")))
    }

    fn not_subscribed(&self, Failure(pv, error): &Failure) -> StageError {
        failed(&format!("the subscription to {}", text(&self.names[*pv])), *error)
    }

    fn unfinished(&self, what: &str, missing: usize, all: usize, first: usize) -> StageError {
        libca::unfinished(missing, all, what, self.timeout, &text(&self.names[first]))
    }
}

impl Connected {
    /// The channel to a scalar.
    fn value(&mut self, name: &CString) -> Result<&mut ValueChannel<f64>, StageError> {
        match self {
            Connected::Value(channel) => Ok(channel),
            Connected::Frames(_) => Err(failed(&text(name), ::epics_ca::error::BADTYPE)),
            Connected::Lent => {
                Err(StageError(format!("{} is lent to its subscription", text(name))))
            }
        }
    }
}

/// Makes a channel one to a scalar, or else to a frame.
fn typed(channel: Channel) -> Result<Connected, Error> {
    match channel.into_typed::<f64>() {
        Ok(channel) => Ok(Connected::Value(channel.into_value())),
        Err((error, channel)) => {
            channel.into_typed::<[i16]>().map(Connected::Frames).map_err(|_| error)
        }
    }
}

/// The channels of `pvs`, borrowed all together: a channel carries one request
/// at a time.
fn each_once<'a>(
    connected: &'a mut [Connected],
    names: &[CString],
    pvs: &[usize],
) -> Result<Vec<&'a mut ValueChannel<f64>>, StageError> {
    let mut lent: Vec<_> = connected.iter_mut().map(Some).collect();
    pvs.iter()
        .map(|pv| match lent[*pv].take() {
            Some(channel) => channel.value(&names[*pv]),
            None => Err(StageError(format!("{} is asked twice", text(&names[*pv])))),
        })
        .collect()
}

fn failed(subject: &str, error: Error) -> StageError {
    libca::failed(subject, error.into_raw())
}

fn text(name: &CString) -> String {
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::EPICS_CA_VERSION;

    #[test]
    fn the_version_is_the_one_that_is_locked() {
        let lock = include_str!("../../Cargo.lock");
        let entry = format!("name = \"epics-ca\"\nversion = \"{EPICS_CA_VERSION}\"\n");
        assert!(lock.contains(&entry), "Cargo.lock has no {entry}");
    }
}
