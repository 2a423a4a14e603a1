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
mod why;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::ffi::CString;
use std::io;
use std::time::Duration;

use ::epics_ca::error::BADTYPE;
use ::epics_ca::{Channel, Context, Error, TypedChannel, ValueChannel};
use futures::future::{join_all, try_join_all};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout_at;

use self::monitors::{LocalSink, Subject};
use self::why::Why;
use super::client::StageError;
use super::future_client::{Batch, FutureLibrary, Subscribing};
use super::job::c_names;
use super::libca;
use super::outcome::{failed, unfinished};
use crate::worker_protocol::{Content, Job};

/// The version of the crate that Cargo.lock names.
const EPICS_CA_VERSION: &str = "0.1.2";

/// The crate `epics-ca`; see the module.
pub(super) struct EpicsCa {
    /// Made and not yet waited for.
    created: Vec<Channel>,
    /// Connected, by PV index.
    connected: Vec<Connected>,
    /// Channels to read PVs by whose own are lent; made when one is asked for.
    readers: BTreeMap<usize, ValueChannel<f64>>,
    names: Vec<CString>,
    timeout: Duration,
    /// The most that an array which is subscribed to has.
    elements: usize,
    context: Context,
}

/// A channel whose type is known.
enum Connected {
    /// To a scalar.
    Value(ValueChannel<f64>),
    /// To an array.
    Frames(TypedChannel<[i16]>),
    /// Lent to its subscription, for good.
    Lent,
    /// Of a PV that no server has: it goes on seeking.
    Absent(#[expect(dead_code, reason = "it seeks as long as it lives")] Channel),
}

impl FutureLibrary for EpicsCa {
    const APPROACH: &'static str = "epics-ca";

    /// A channel has a future for its connection and none for the end of it; its
    /// subscription learns nothing of it either.
    const REPORTS_STATES: bool = false;

    type Error = Why;

    type Sink = LocalSink;

    fn versions() -> BTreeMap<String, String> {
        let mut versions = libca::versions();
        versions.insert("epics-ca".to_owned(), EPICS_CA_VERSION.to_owned());
        versions
    }

    fn runtime() -> io::Result<Runtime> {
        Builder::new_current_thread().enable_time().build()
    }

    fn new(job: &Job, _: &Runtime, timeout: Duration) -> Result<EpicsCa, StageError> {
        Ok(EpicsCa {
            created: Vec::with_capacity(job.pvs.len()),
            connected: Vec::with_capacity(job.pvs.len()),
            readers: BTreeMap::new(),
            names: c_names(job)?,
            timeout,
            elements: 1,
            context: Context::new().map_err(|error| failed("the context", Why::from(error)))?,
        })
    }

    fn name(&self, pv: usize) -> String {
        self.names[pv].to_string_lossy().into_owned()
    }

    fn create_up_to(&mut self, count: usize) -> Result<(), StageError> {
        for pv in self.created.len() + self.connected.len()..count {
            let channel = self.channel(pv)?;
            self.created.push(channel);
        }
        Ok(())
    }

    fn connected(&self) -> usize {
        self.connected.len()
    }

    async fn connect(&mut self, batch: &Batch<'_, (), Why>) -> Result<(), StageError> {
        let (Some(start), Some(last)) = (batch.pvs.first(), batch.pvs.last()) else {
            return Ok(());
        };
        let before = self.connected.len();
        (*start..before.min(last + 1)).for_each(|pv| batch.answer(pv - start, Ok(())));
        let count = (last + 1).saturating_sub(before);
        let wait = async |(offset, channel): (usize, &mut Channel)| {
            channel.connected().await;
            batch.answer(before + offset - start, Ok(()));
        };
        match &mut self.created[..count] {
            [channel] => wait((0, channel)).await,
            channels => drop(join_all(channels.iter_mut().enumerate().map(wait)).await),
        }
        for channel in self.created.drain(..count) {
            let name = &self.names[self.connected.len()];
            let typed = typed(channel)
                .map_err(|error| failed(&name.to_string_lossy(), Why::from(error)))?;
            self.connected.push(typed);
        }
        Ok(())
    }

    async fn connect_without(
        &mut self,
        batch: &Batch<'_, (), Why>,
        absent: &[usize],
    ) -> Result<(), StageError> {
        let mut created = std::mem::take(&mut self.created);
        let absent: HashSet<usize> = absent.iter().copied().collect();
        let is_absent = |pv: usize| absent.contains(&pv);
        let living = created.iter_mut().enumerate().filter(|(pv, _)| !is_absent(*pv));
        let wait = async |(position, (_, channel)): (usize, (usize, &mut Channel))| {
            channel.connected().await;
            batch.answer(position, Ok(()));
        };
        join_all(living.enumerate().map(wait)).await;
        for (pv, channel) in created.into_iter().enumerate() {
            let kept = match is_absent(pv) {
                true => Ok(Connected::Absent(channel)),
                false => typed(channel),
            };
            self.connected.push(kept.map_err(|error| failed(&self.name(pv), Why::from(error)))?);
        }
        Ok(())
    }

    /// A subscription borrows its channel, so a PV that has one is read by another channel.
    async fn get(&mut self, batch: &Batch<'_, f64, Why>) {
        if let [pv] = batch.pvs
            && matches!(self.connected[*pv], Connected::Lent)
        {
            batch.answer(0, self.get_beside(*pv).await.map_err(Why::from));
            return;
        }
        self.ask(batch, async |channel, _| channel.get().await).await;
    }

    async fn put(&mut self, batch: &Batch<'_, (), Why>, values: &[f64]) {
        self.ask(batch, async |channel, position| channel.put(values[position])?.await).await;
    }

    /// A subscription borrows its channel as long as it lives, and a channel takes one
    /// callback, so the crate has no way to make two on one channel: the first to a PV
    /// takes the channel that is connected, each further one has a channel of its own.
    async fn subscribe(
        &mut self,
        subscriptions: Subscribing<'_>,
        sink: &LocalSink,
    ) -> Result<(), StageError> {
        let Subscribing { pvs, numbering, deadline, .. } = subscriptions;
        let mut further = Vec::new();
        for (number, pv) in subscriptions.numbered() {
            if numbering.monitor(number) > 0 {
                further.push((number, pv, self.channel(pv)?));
                continue;
            }
            let subject = subject(&mut self.connected[pv], subscriptions.content(number));
            let subject = subject.map_err(|why| failed(&self.name(pv), why))?;
            self.elements = subject.elements().max(self.elements);
            sink.add(number, subject);
        }
        let connections = further.iter_mut().map(|(_, _, channel)| channel.connected());
        if timeout_at(deadline.into(), join_all(connections)).await.is_err() {
            let first = self.name(pvs.first().copied().unwrap_or(0));
            return Err(unfinished("connected anew", pvs.len(), pvs.len(), self.timeout, &first));
        }
        for (number, pv, channel) in further {
            let content = subscriptions.content(number);
            let subject = typed(channel)
                .map_err(Why::from)
                .and_then(|mut channel| subject(&mut channel, content));
            sink.add(number, subject.map_err(|why| failed(&self.name(pv), why))?);
        }
        Ok(())
    }

    /// Channels end when they are dropped.
    async fn disconnect(&mut self) -> Result<(), StageError> {
        self.created.clear();
        self.connected.clear();
        self.readers.clear();
        Ok(())
    }

    fn why_silent(&self, _: usize) -> Option<String> {
        libca::why_dropped(self.elements * size_of::<i16>())
    }
}

impl EpicsCa {
    fn channel(&self, pv: usize) -> Result<Channel, StageError> {
        Channel::new(&self.context, &self.names[pv])
            .map_err(|error| failed(&self.name(pv), Why::from(error)))
    }

    async fn get_beside(&mut self, pv: usize) -> Result<f64, Error> {
        let reader = match self.readers.entry(pv) {
            Entry::Occupied(reader) => reader.into_mut(),
            Entry::Vacant(place) => {
                place.insert(self.context.connect::<f64>(&self.names[pv]).await?)
            }
        };
        reader.get().await
    }

    /// `request` gets the channel and the position in the batch. The first that fails
    /// ends the others.
    async fn ask<T>(
        &mut self,
        batch: &Batch<'_, T, Why>,
        request: impl AsyncFn(&mut ValueChannel<f64>, usize) -> Result<T, Error>,
    ) {
        let ask_one = async |(position, channel): (usize, &mut ValueChannel<f64>)| {
            let answer = request(channel, position).await.map_err(Why::from);
            let outcome = if answer.is_ok() { Ok(()) } else { Err(()) };
            batch.answer(position, answer);
            outcome
        };
        // All have their answers when this ends, or the first that failed has.
        match batch.pvs {
            [pv] => match self.connected[*pv].value() {
                Ok(channel) => drop(ask_one((0, channel)).await),
                Err(why) => batch.answer(0, Err(why)),
            },
            pvs => match each_once(&mut self.connected, pvs) {
                Ok(channels) => {
                    drop(try_join_all(channels.into_iter().enumerate().map(ask_one)).await);
                }
                Err((position, why)) => batch.answer(position, Err(why)),
            },
        }
    }
}

impl Connected {
    /// The channel to a scalar.
    fn value(&mut self) -> Result<&mut ValueChannel<f64>, Why> {
        match self {
            Connected::Value(channel) => Ok(channel),
            Connected::Frames(_) => Err(BADTYPE.into()),
            Connected::Lent | Connected::Absent(_) => Err(Why::Lent),
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

/// Takes a channel for a subscription of that content.
fn subject(channel: &mut Connected, content: Content) -> Result<Subject, Why> {
    match (content, std::mem::replace(channel, Connected::Lent)) {
        (Content::Scalars, Connected::Value(channel)) => Ok(Subject::Scalar(channel.into())),
        (Content::Frames, Connected::Frames(channel)) => Ok(Subject::Frames(channel)),
        (_, Connected::Lent) => Err(Why::Lent),
        (_, other) => {
            *channel = other;
            Err(BADTYPE.into())
        }
    }
}

/// The channels of `pvs`, borrowed all together; else the position of the first that
/// cannot be, and why.
fn each_once<'a>(
    connected: &'a mut [Connected],
    pvs: &[usize],
) -> Result<Vec<&'a mut ValueChannel<f64>>, (usize, Why)> {
    let mut places: Vec<_> = connected.iter_mut().map(Some).collect();
    let channel = |(position, pv): (usize, &usize)| {
        let channel = places[*pv].take().ok_or((position, Why::AskedTwice))?;
        channel.value().map_err(|why| (position, why))
    };
    pvs.iter().enumerate().map(channel).collect()
}

#[cfg(test)]
mod tests {
    use super::EPICS_CA_VERSION;

    #[test]
    fn the_version_is_the_one_that_is_locked() {
        let lock = include_str!("../../../Cargo.lock");
        let entry = format!("name = \"epics-ca\"\nversion = \"{EPICS_CA_VERSION}\"\n");
        assert!(lock.contains(&entry), "Cargo.lock has no {entry}");
    }
}
