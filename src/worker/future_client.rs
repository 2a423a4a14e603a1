//! The client over a library of futures, on a tokio runtime.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Display;
use std::io;
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::runtime::Runtime;
use tokio::time::timeout_at;

use super::client::{Client, StageError, all_stages};
use super::completions::{Failure, NotRunning};
use super::job::timeout_of;
use super::outcome::{
    Asked, batches, failed, no_channel, not_subscribed, nothing_subscribed, subscribed_before,
};
use super::per_pv_times::PerPvTimes;
use super::updates::Numbering;
use crate::worker_protocol::{Content, Job, Mode, Monitor, Reported, Stage, Updates};

/// What is a library's own. PVs are named by their index in the job.
pub(super) trait FutureLibrary: Sized {
    /// The approach's name in the catalogue.
    const APPROACH: &'static str;

    /// Whether its calls take a time limit. If so it has to end by the deadline of
    /// each batch itself; else what is not finished by then is dropped.
    const KEEPS_DEADLINES: bool = false;

    /// Whether it reports that a channel is connected, or no longer is.
    const REPORTS_STATES: bool = true;

    /// Why a request or a subscription failed.
    type Error: Clone + Display;

    /// Where its updates go.
    type Sink: Sink<Self::Error>;

    /// Versions of everything below the approach.
    fn versions() -> BTreeMap<String, String>;

    /// The stages that it can separate.
    fn stages() -> Vec<Stage> {
        all_stages()
    }

    /// The runtime that its documentation recommends.
    fn runtime() -> io::Result<Runtime>;

    /// Makes the context; touches no PV.
    fn new(job: &Job, runtime: &Runtime, timeout: Duration) -> Result<Self, StageError>;

    /// The name of a PV.
    fn name(&self, pv: usize) -> String;

    /// Makes the channels of the first `count` PVs, as far as they are not made;
    /// does not wait.
    fn create_up_to(&mut self, count: usize) -> Result<(), StageError>;

    /// How many PVs can be asked: so many of the first were connected.
    fn connected(&self) -> usize;

    /// Waits for the channels of a batch.
    async fn connect(&mut self, batch: &Batch<'_, (), Self::Error>) -> Result<(), StageError>;

    /// Waits for the channels of a batch, which are all but `absent`; all are made.
    async fn connect_without(
        &mut self,
        batch: &Batch<'_, (), Self::Error>,
        absent: &[usize],
    ) -> Result<(), StageError> {
        let _ = absent;
        self.connect(batch).await
    }

    /// Whether its channels are sought before anybody waits for them.
    const SEEKS_WHEN_MADE: bool = true;

    /// Reads the values of a batch.
    async fn get(&mut self, batch: &Batch<'_, f64, Self::Error>);

    /// Writes `values`, by the position in the batch, to be confirmed by the server.
    async fn put(&mut self, batch: &Batch<'_, (), Self::Error>, values: &[f64]);

    /// Whether the library has a put that does not wait for the server.
    const PUTS_UNCONFIRMED: bool = false;

    /// Writes `values` without waiting for the server.
    async fn put_unconfirmed(&mut self, _: &[usize], _: &[f64]) -> Result<(), StageError> {
        Err(StageError("the library confirms all puts".to_owned()))
    }

    /// Ends all subscriptions and drops all channels.
    async fn disconnect(&mut self) -> Result<(), StageError>;

    /// Ends the context with all that is in it.
    async fn close(self) {
        drop(self);
    }

    /// Makes subscriptions whose updates go to `sink`.
    async fn subscribe(
        &mut self,
        subscriptions: Subscribing<'_>,
        sink: &Self::Sink,
    ) -> Result<(), StageError>;

    /// What it counted of updates since the last call, by its own names.
    fn take_update_counters(&mut self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    /// Why a subscription to `pv` may bring nothing, if it knows.
    fn why_silent(&self, _pv: usize) -> Option<String> {
        None
    }
}

/// Where updates go, and how the worker's thread waits for them.
pub(super) trait Sink<E> {
    /// Makes room for the updates of `monitor` among `pvs` PVs.
    fn new(monitor: Monitor, pvs: usize) -> Self;

    /// Counts all subscriptions to `pvs` as begun, and numbers them.
    fn begin(&self, pvs: &[usize]) -> Numbering;

    /// Waits until every subscription that is begun has brought an update; else says
    /// which of `pvs` have not.
    fn wait_for_first(
        &mut self,
        runtime: &Runtime,
        pvs: &[usize],
        deadline: Instant,
    ) -> Result<(), NotRunning<E>>;

    /// Runs `work` on the worker's thread; tasks of the sink that need that thread run too.
    fn block_on<F: Future>(&self, runtime: &Runtime, work: F) -> F::Output {
        runtime.block_on(work)
    }

    /// From now on latencies count.
    fn begin_collecting(&mut self, runtime: &Runtime);

    /// Takes updates for `duration`.
    fn take_updates(&mut self, runtime: &Runtime, duration: Duration);

    /// All that arrived.
    fn taken(&mut self) -> Result<Updates, Failure<E>>;

    /// Ends all subscriptions that it holds itself.
    fn end(self, _: &Runtime)
    where
        Self: Sized,
    {
        drop(self);
    }
}

/// What is asked of PVs together.
pub(super) struct Batch<'a, T, E> {
    /// The PVs, each of them once.
    pub(super) pvs: &'a [usize],
    /// When the stage is given up.
    deadline: Instant,
    /// A place for the answer of each.
    answers: &'a [OnceCell<Result<T, E>>],
}

impl<T, E> Batch<'_, T, E> {
    /// Takes the answer of the PV at `position`.
    pub(super) fn answer(&self, position: usize, answer: Result<T, E>) {
        // A second answer of the same PV would be a fault of the library; the first
        // one counts.
        let _ = self.answers[position].set(answer);
    }
}

/// For libraries whose calls take a time limit, or have nothing for many PVs.
#[cfg_attr(not(feature = "pure-rust"), allow(dead_code))]
impl<T, E> Batch<'_, T, E> {
    /// How long the stage may still take.
    pub(super) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Asks all PVs together. `request` gets the PV and its position; without an
    /// answer the PV counts as late.
    pub(super) async fn ask_each(
        &self,
        request: impl AsyncFn(usize, usize) -> Option<Result<T, E>>,
    ) {
        let ask = async |(position, pv): (usize, &usize)| {
            if let Some(answer) = request(*pv, position).await {
                self.answer(position, answer);
            }
        };
        join_all(self.pvs.iter().enumerate().map(ask)).await;
    }
}

/// Subscriptions that are to be made together.
#[derive(Clone, Copy)]
pub(super) struct Subscribing<'a> {
    /// The PVs.
    pub(super) pvs: &'a [usize],
    /// How the subscriptions to each are numbered.
    pub(super) numbering: Numbering,
    /// What updates hold.
    pub(super) monitor: Monitor,
    /// When the stage is given up.
    pub(super) deadline: Instant,
}

impl<'a> Subscribing<'a> {
    /// What the updates of a subscription hold.
    pub(super) fn content(self, number: usize) -> Content {
        self.monitor.content_of(self.numbering.pv(number))
    }

    /// The number and the PV of each subscription.
    pub(super) fn numbered(self) -> impl Iterator<Item = (usize, usize)> + 'a {
        let of_pv = move |pv: &usize| {
            let pv = *pv;
            self.numbering.of_pv(pv).map(move |number| (number, pv))
        };
        self.pvs.iter().flat_map(of_pv)
    }
}

/// One job on one context of the library.
pub(super) struct FutureClient<L: FutureLibrary> {
    library: L,
    /// Once something is subscribed to.
    sink: Option<L::Sink>,
    pvs: usize,
    timeout: Duration,
    runtime: Runtime,
}

impl<L: FutureLibrary> Client for FutureClient<L> {
    const APPROACH: &'static str = L::APPROACH;

    fn versions() -> BTreeMap<String, String> {
        L::versions()
    }

    fn stages() -> Vec<Stage> {
        let mut stages = L::stages();
        stages.retain(|stage| L::PUTS_UNCONFIRMED || *stage != Stage::PutUnconfirmed);
        stages
    }

    fn reports() -> Vec<Reported> {
        let all = [Reported::States, Reported::Gets, Reported::Unconnected, Reported::Mixed];
        let has = |report: &Reported| match report {
            Reported::States => L::REPORTS_STATES,
            Reported::Gets | Reported::Mixed => true,
            Reported::Silent => false,
            Reported::Unconnected => L::SEEKS_WHEN_MADE,
        };
        all.into_iter().filter(has).collect()
    }

    fn new(job: &Job) -> Result<Self, StageError> {
        let timeout = timeout_of(job)?;
        let runtime = L::runtime().map_err(|error| failed("tokio's runtime", error))?;
        let library = L::new(job, &runtime, timeout)?;
        Ok(FutureClient { library, sink: None, pvs: job.pvs.len(), timeout, runtime })
    }

    fn create(&mut self) -> Result<(), StageError> {
        self.library.create_up_to(self.pvs)
    }

    fn connect(&mut self, mode: Mode) -> Result<(), StageError> {
        let pvs: Vec<usize> = (0..self.pvs).collect();
        let connect = async |library: &mut L, batch: &Batch<'_, (), L::Error>, _: usize| {
            library.create_up_to(batch.pvs.last().map_or(0, |pv| pv + 1))?;
            library.connect(batch).await
        };
        self.ask(mode, "connected", &pvs, || {}, connect).map(drop)
    }

    /// A library of futures reports a connection by the end of its future only, and nobody
    /// waits for those of `absent`.
    fn connect_without(&mut self, absent: &[usize]) -> Result<Vec<usize>, StageError> {
        let is_absent: HashSet<usize> = absent.iter().copied().collect();
        let living: Vec<usize> = (0..self.pvs).filter(|pv| !is_absent.contains(pv)).collect();
        self.library.create_up_to(self.pvs)?;
        let connect = async |library: &mut L, batch: &Batch<'_, (), L::Error>, _: usize| {
            library.connect_without(batch, absent).await
        };
        self.ask(Mode::Bulk, "connected", &living, || {}, connect)?;
        Ok(absent.to_vec())
    }

    fn get(
        &mut self,
        mode: Mode,
        pvs: &[usize],
        times: &mut PerPvTimes,
    ) -> Result<Vec<f64>, StageError> {
        self.check_connected(pvs)?;
        let get = async |library: &mut L, batch: &Batch<'_, f64, L::Error>, _: usize| {
            library.get(batch).await;
            Ok(())
        };
        self.ask(mode, "read", pvs, || times.mark(), get)
    }

    fn put(
        &mut self,
        mode: Mode,
        pvs: &[usize],
        values: &[f64],
        times: &mut PerPvTimes,
    ) -> Result<(), StageError> {
        self.check_connected(pvs)?;
        let put = async |library: &mut L, batch: &Batch<'_, (), L::Error>, done: usize| {
            library.put(batch, &values[done..done + batch.pvs.len()]).await;
            Ok(())
        };
        self.ask(mode, "confirmed", pvs, || times.mark(), put).map(drop)
    }

    fn put_unconfirmed(&mut self, pvs: &[usize], values: &[f64]) -> Result<(), StageError> {
        self.check_connected(pvs)?;
        self.runtime.block_on(self.library.put_unconfirmed(pvs, values))
    }

    fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    fn subscribe(&mut self, mode: Mode, pvs: &[usize], monitor: Monitor) -> Result<(), StageError> {
        if self.sink.is_some() {
            return Err(subscribed_before());
        }
        self.check_connected(pvs)?;
        let deadline = self.deadline();
        let asked = Asked { what: "subscribed", pvs, timeout: self.timeout };
        let sink = self.sink.insert(L::Sink::new(monitor, self.pvs));
        for pvs_now in batches(mode, pvs) {
            let numbering = sink.begin(pvs_now);
            let subscriptions = Subscribing { pvs: pvs_now, numbering, monitor, deadline };
            self.runtime.block_on(self.library.subscribe(subscriptions, sink))?;
            let library = &self.library;
            sink.wait_for_first(&self.runtime, pvs, deadline).map_err(|why| {
                asked.not_running(why, |pv| library.name(pv), |pv| library.why_silent(pv))
            })?;
        }
        Ok(())
    }

    fn begin_collecting(&mut self) -> Result<(), StageError> {
        let sink = self.sink.as_mut().ok_or_else(nothing_subscribed)?;
        sink.begin_collecting(&self.runtime);
        Ok(())
    }

    fn take_updates(&mut self, duration: Duration) -> Result<(), StageError> {
        let sink = self.sink.as_mut().ok_or_else(nothing_subscribed)?;
        sink.take_updates(&self.runtime, duration);
        Ok(())
    }

    fn taken(&mut self) -> Result<Updates, StageError> {
        let taken = self.sink.as_mut().ok_or_else(nothing_subscribed)?.taken();
        let mut updates =
            taken.map_err(|Failure { pv, why }| not_subscribed(&self.library.name(pv), why))?;
        let counters = self.library.take_update_counters();
        updates.counters.extend(counters.into_iter().map(|(name, count)| (name.to_owned(), count)));
        Ok(updates)
    }

    fn disconnect(&mut self) -> Result<(), StageError> {
        if let Some(sink) = self.sink.take() {
            sink.end(&self.runtime);
        }
        self.runtime.block_on(self.library.disconnect())
    }

    fn close(self) -> Result<(), StageError> {
        let FutureClient { library, sink, runtime, .. } = self;
        if let Some(sink) = sink {
            sink.end(&runtime);
        }
        runtime.block_on(library.close());
        Ok(())
    }
}

impl<L: FutureLibrary> FutureClient<L> {
    /// Asks every PV: one after the other in serial mode, all together in bulk
    /// mode, and all under one deadline. `request` gets a batch and how many PVs come
    /// before it; `mark` is called after each.
    fn ask<T>(
        &mut self,
        mode: Mode,
        what: &'static str,
        pvs: &[usize],
        mut mark: impl FnMut(),
        request: impl AsyncFn(&mut L, &Batch<'_, T, L::Error>, usize) -> Result<(), StageError>,
    ) -> Result<Vec<T>, StageError> {
        let deadline = self.deadline();
        let asked = Asked { what, pvs, timeout: self.timeout };
        let mut answers: Vec<OnceCell<Result<T, L::Error>>> = Vec::with_capacity(pvs.len());
        answers.resize_with(pvs.len(), OnceCell::new);
        let library = &mut self.library;
        let ask_all = async {
            let mut done = 0;
            for pvs in batches(mode, pvs) {
                let answers = &answers[done..done + pvs.len()];
                request(library, &Batch { pvs, deadline, answers }, done).await?;
                asked.check(done, answers.iter().map(OnceCell::get), |pv| library.name(pv))?;
                done += pvs.len();
                mark();
            }
            Ok(())
        };
        let finish = async {
            match L::KEEPS_DEADLINES {
                true => Some(ask_all.await),
                false => timeout_at(deadline.into(), ask_all).await.ok(),
            }
        };
        let finished = match &self.sink {
            Some(sink) => sink.block_on(&self.runtime, finish),
            None => self.runtime.block_on(finish),
        };
        match finished {
            Some(outcome) => outcome?,
            None => {
                let name = |pv| self.library.name(pv);
                asked.check(0, answers.iter().map(OnceCell::get), name)?;
            }
        }
        Ok(answers.into_iter().filter_map(|answer| answer.into_inner()?.ok()).collect())
    }

    fn check_connected(&self, pvs: &[usize]) -> Result<(), StageError> {
        match pvs.iter().find(|pv| **pv >= self.library.connected()) {
            None => Ok(()),
            Some(pv) => Err(no_channel(&self.library.name(*pv))),
        }
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;

    use super::*;
    use crate::worker::completions::UpdateSink;
    use crate::worker::updates::{Arrived, Update};

    /// A PV's value is its index; the PV `silent` never answers, `wrong` fails.
    struct Fake {
        names: Vec<String>,
        created: usize,
        connected: usize,
    }

    impl Fake {
        async fn answer<T>(&self, pv: usize, value: T) -> Option<Result<T, &'static str>> {
            match self.names[pv].as_str() {
                "silent" => pending().await,
                "wrong" => Some(Err("no such field")),
                _ => Some(Ok(value)),
            }
        }
    }

    type TestSink = Arc<UpdateSink<&'static str>>;

    impl Sink<&'static str> for TestSink {
        fn new(monitor: Monitor, pvs: usize) -> TestSink {
            Arc::new(UpdateSink::new(monitor, pvs))
        }

        fn begin(&self, pvs: &[usize]) -> Numbering {
            UpdateSink::begin(self, pvs)
        }

        fn wait_for_first(
            &mut self,
            _: &Runtime,
            pvs: &[usize],
            deadline: Instant,
        ) -> Result<(), NotRunning<&'static str>> {
            UpdateSink::wait_for_first(self, pvs, deadline)
        }

        fn begin_collecting(&mut self, _: &Runtime) {
            UpdateSink::begin_collecting(self);
        }

        fn take_updates(&mut self, _: &Runtime, duration: Duration) {
            std::thread::sleep(duration);
        }

        fn taken(&mut self) -> Result<Updates, Failure<&'static str>> {
            UpdateSink::taken(self)
        }
    }

    impl FutureLibrary for Fake {
        const APPROACH: &'static str = "fake";

        type Error = &'static str;

        type Sink = TestSink;

        fn versions() -> BTreeMap<String, String> {
            BTreeMap::new()
        }

        fn runtime() -> io::Result<Runtime> {
            tokio::runtime::Builder::new_current_thread().enable_time().build()
        }

        fn new(job: &Job, _: &Runtime, _: Duration) -> Result<Fake, StageError> {
            Ok(Fake { names: job.pvs.clone(), created: 0, connected: 0 })
        }

        fn name(&self, pv: usize) -> String {
            self.names[pv].clone()
        }

        fn create_up_to(&mut self, count: usize) -> Result<(), StageError> {
            self.created = self.created.max(count);
            Ok(())
        }

        fn connected(&self) -> usize {
            self.connected
        }

        async fn connect(&mut self, batch: &Batch<'_, (), &'static str>) -> Result<(), StageError> {
            self.connected = self.created;
            batch.ask_each(async |_, _| Some(Ok(()))).await;
            Ok(())
        }

        async fn get(&mut self, batch: &Batch<'_, f64, &'static str>) {
            batch.ask_each(async |pv, _| self.answer(pv, pv as f64).await).await;
        }

        async fn put(&mut self, batch: &Batch<'_, (), &'static str>, values: &[f64]) {
            let put = async |pv: usize, position: usize| {
                assert_eq!(values[position], pv as f64 + 0.5);
                self.answer(pv, ()).await
            };
            batch.ask_each(put).await;
        }

        async fn subscribe(
            &mut self,
            subscriptions: Subscribing<'_>,
            sink: &TestSink,
        ) -> Result<(), StageError> {
            for (number, pv) in subscriptions.numbered() {
                let update = Update { number: pv as f64, sum: 0, stamp_ns: 0 };
                if self.names[pv] != "silent" {
                    sink.record(number, Arrived::now(), Ok(update));
                }
            }
            Ok(())
        }

        async fn disconnect(&mut self) -> Result<(), StageError> {
            (self.created, self.connected) = (0, 0);
            Ok(())
        }

        fn take_update_counters(&mut self) -> Vec<(&'static str, u64)> {
            vec![("dropped", 3)]
        }

        fn why_silent(&self, pv: usize) -> Option<String> {
            Some(format!("PV {pv} never sends"))
        }
    }

    const MONITOR: Monitor = Monitor {
        content: Content::Scalars,
        step: 1.0,
        room: 8,
        monitors: 2,
        callback_s: None,
        frames: 0,
        may_be_silent: false,
    };

    fn client(pvs: &[&str]) -> FutureClient<Fake> {
        let pvs = pvs.iter().map(|name| (*name).to_owned()).collect();
        Client::new(&Job { pvs, timeout_s: 0.05, slowdown: None }).unwrap()
    }

    fn connected(pvs: &[&str]) -> FutureClient<Fake> {
        let mut client = client(pvs);
        client.connect(Mode::Bulk).unwrap();
        client
    }

    fn get(client: &mut FutureClient<Fake>, mode: Mode) -> Result<Vec<f64>, String> {
        let pvs: Vec<usize> = (0..client.pvs).collect();
        let values = client.get(mode, &pvs, &mut PerPvTimes::new(mode, pvs.len()));
        values.map_err(|StageError(error)| error)
    }

    fn error_of<T>(result: Result<T, StageError>) -> String {
        result.err().unwrap().0
    }

    #[test]
    fn channels_are_made_one_by_one_in_serial_mode_and_asked_in_any_order() {
        for mode in [Mode::Serial, Mode::Bulk] {
            let mut client = client(&["a", "b", "c"]);
            assert_eq!(get(&mut client, mode), Err("a: no channel was made".to_owned()));
            client.connect(mode).unwrap();
            assert_eq!((client.library.created, client.library.connected), (3, 3));
            assert_eq!(get(&mut client, mode), Ok(vec![0.0, 1.0, 2.0]));
            let mut times = PerPvTimes::new(mode, 3);
            client.put(mode, &[2, 0, 1], &[2.5, 0.5, 1.5], &mut times).unwrap();
        }
    }

    #[test]
    fn what_did_not_answer_in_time_is_counted_with_all_that_were_not_asked() {
        let mut client = connected(&["a", "silent", "b"]);
        let text = |missing| format!("{missing} of 3 PVs not read after 0.05 s, first silent");
        assert_eq!(get(&mut client, Mode::Bulk), Err(text(1)));
        assert_eq!(get(&mut client, Mode::Serial), Err(text(2)));
    }

    #[test]
    fn the_first_pv_that_fails_is_named() {
        let mut client = connected(&["a", "wrong"]);
        for mode in [Mode::Serial, Mode::Bulk] {
            assert_eq!(get(&mut client, mode), Err("wrong: no such field".to_owned()));
        }
    }

    #[test]
    fn every_subscription_brings_its_first_update_or_its_pv_is_named() {
        let mut client = connected(&["a", "b"]);
        assert_eq!(error_of(client.taken()), "nothing is subscribed to");
        client.subscribe(Mode::Serial, &[0, 1], MONITOR).unwrap();
        let updates = client.taken().unwrap();
        assert_eq!(updates.runs.len(), 4);
        assert_eq!(updates.counters, BTreeMap::from([("dropped".to_owned(), 3)]));
        let again = error_of(client.subscribe(Mode::Serial, &[0, 1], MONITOR));
        assert_eq!(again, "this job has its subscriptions already");
        let mut client = connected(&["a", "silent", "b"]);
        let text = "2 of 3 PVs not subscribed after 0.05 s, first silent: PV 1 never sends";
        assert_eq!(error_of(client.subscribe(Mode::Serial, &[0, 1, 2], MONITOR)), text);
    }
}
