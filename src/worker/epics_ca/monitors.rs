//! Subscriptions as the crate offers them: a stream for each, taken by a task for
//! each.
//!
//! Its plain subscriptions keep only the last value that was not taken yet. To
//! take every one its documentation names `subscribe_buffered`, which scalars
//! have. For arrays it leaves that to a [`Queue`] of one's own: [`FrameQueue`].

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::pending;
use std::mem::ManuallyDrop;
use std::pin::pin;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use ::epics_ca::channel::subscribe::Queue;
use ::epics_ca::request::Time;
use ::epics_ca::types::{EpicsTimeStamp, EventMask};
use ::epics_ca::{Error, TypedChannel};
use futures::channel::mpsc;
use futures::{Stream, StreamExt};
use tokio::runtime::Runtime;
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout_at};

use super::why::Why;
use crate::worker::completions::{Failure, NotRunning, Subscriptions};
use crate::worker::future_client::Sink;
use crate::worker::updates::{Arrived, Numbering, Update, number_and_sum, stamp_ns};
use crate::worker_protocol::{Monitor, Updates};

/// How long taking what came before `collect` may last. It ends earlier unless
/// updates come as fast as they can be taken.
const CATCHING_UP: Duration = Duration::from_millis(50);

/// All subscriptions of a job, on the worker's thread.
pub(in crate::worker) struct LocalSink {
    /// Not dropped with the client: dropping a subscription locks what its callback locks,
    /// and then waits for callbacks to end, so a process that ends might not.
    tasks: ManuallyDrop<LocalSet>,
    subscriptions: Rc<RefCell<Subscriptions<Why>>>,
    /// A task sends something when there is something to see in the subscriptions.
    waker: mpsc::UnboundedSender<()>,
    woken: mpsc::UnboundedReceiver<()>,
}

/// A channel to subscribe to.
pub(super) enum Subject {
    Scalar(TypedChannel<f64>),
    Frames(TypedChannel<[i16]>),
}

impl Subject {
    /// How many elements an update has.
    pub(super) fn elements(&self) -> usize {
        match self {
            Subject::Scalar(_) => 1,
            Subject::Frames(channel) => channel.element_count().unwrap_or(1),
        }
    }
}

impl LocalSink {
    /// Begins a task that subscribes and takes the updates.
    pub(super) fn add(&self, number: usize, subject: Subject) {
        let (subscriptions, waker) = (Rc::clone(&self.subscriptions), self.waker.clone());
        self.tasks.spawn_local(async move {
            match subject {
                Subject::Scalar(mut channel) => {
                    let mut updates = channel.subscribe_buffered::<Time<f64>>();
                    updates.set_event_mask(EventMask::VALUE);
                    let updates = pin!(updates.map(|update| update.map(update_of)));
                    take(number, updates, &subscriptions, &waker).await;
                }
                Subject::Frames(mut channel) => {
                    let mut updates = channel.subscribe_with(FrameQueue::default());
                    updates.set_event_mask(EventMask::VALUE);
                    take(number, pin!(updates), &subscriptions, &waker).await;
                }
            }
        });
    }
}

impl Sink<Why> for LocalSink {
    fn new(monitor: Monitor, pvs: usize) -> LocalSink {
        let (waker, woken) = mpsc::unbounded();
        LocalSink {
            tasks: ManuallyDrop::new(LocalSet::new()),
            subscriptions: Rc::new(RefCell::new(Subscriptions::new(monitor, pvs))),
            waker,
            woken,
        }
    }

    fn begin(&self, pvs: &[usize]) -> Numbering {
        self.subscriptions.borrow_mut().begin(pvs)
    }

    fn wait_for_first(
        &mut self,
        runtime: &Runtime,
        pvs: &[usize],
        deadline: Instant,
    ) -> Result<(), NotRunning<Why>> {
        let (woken, subscriptions) = (&mut self.woken, &self.subscriptions);
        self.tasks.block_on(runtime, async {
            while !subscriptions.borrow().is_settled()
                && timeout_at(deadline.into(), woken.next()).await.is_ok()
            {}
        });
        subscriptions.borrow().check_running(pvs)
    }

    fn block_on<F: Future>(&self, runtime: &Runtime, work: F) -> F::Output {
        self.tasks.block_on(runtime, work)
    }

    fn begin_collecting(&mut self, runtime: &Runtime) {
        // Tasks run only while a stage does: what came since the last one has
        // a latency that is no property of this client.
        self.tasks.block_on(runtime, catch_up(&self.subscriptions));
        self.subscriptions.borrow_mut().begin_collecting();
    }

    fn take_updates(&mut self, runtime: &Runtime, duration: Duration) {
        let (woken, subscriptions) = (&mut self.woken, &self.subscriptions);
        self.tasks.block_on(runtime, async {
            let end = Instant::now() + duration;
            while !subscriptions.borrow().has_failed()
                && timeout_at(end.into(), woken.next()).await.is_ok()
            {}
        });
    }

    fn taken(&mut self) -> Result<Updates, Failure<Why>> {
        self.subscriptions.borrow_mut().take()
    }

    /// Drops the subscriptions and their channels. The crate has no other way to end one,
    /// and it may hang: see the manifest.
    fn end(self, runtime: &Runtime) {
        let _runtime = runtime.enter();
        drop(ManuallyDrop::into_inner(self.tasks));
    }
}

/// Takes all updates of a subscription; never ends, so that it is not dropped.
async fn take(
    number: usize,
    mut updates: impl Stream<Item = Result<Update, Error>> + Unpin,
    subscriptions: &RefCell<Subscriptions<Why>>,
    waker: &mpsc::UnboundedSender<()>,
) {
    while let Some(update) = updates.next().await {
        let arrived = Arrived::now();
        let mut all = subscriptions.borrow_mut();
        let is_worth_seeing = all.record(number, arrived, update.map_err(Why::from));
        let callback = all.callback();
        drop(all);
        if is_worth_seeing {
            // Nobody listens any more when the job is over.
            let _ = waker.unbounded_send(());
        }
        if !callback.is_zero() {
            thread::sleep(callback);
        }
    }
    pending().await
}

async fn catch_up(subscriptions: &RefCell<Subscriptions<Why>>) {
    let end = Instant::now() + CATCHING_UP;
    loop {
        let recorded = subscriptions.borrow().recorded();
        sleep(Duration::from_millis(1)).await;
        if subscriptions.borrow().recorded() == recorded || Instant::now() >= end {
            return;
        }
    }
}

fn update_of(update: Time<f64>) -> Update {
    Update { number: update.value, sum: 0, stamp_ns: unix_stamp_ns(update.stamp) }
}

fn unix_stamp_ns(stamp: EpicsTimeStamp) -> i64 {
    stamp_ns(stamp.sec(), stamp.nsec())
}

/// Every frame that was not taken yet, as it is recorded. The pixels are summed
/// where they lie, in the callback, so that no frame is copied.
#[derive(Default)]
struct FrameQueue(VecDeque<Result<Update, Error>>);

impl Queue for FrameQueue {
    type Request = Time<[i16]>;
    type Output = Update;

    fn push(&mut self, frame: Result<&Time<[i16]>, Error>) {
        self.0.push_back(frame.map(|frame| {
            let (number, sum) = number_and_sum(&frame.value);
            Update { number, sum, stamp_ns: unix_stamp_ns(frame.stamp) }
        }));
    }

    fn pop(&mut self) -> Option<Result<Update, Error>> {
        self.0.pop_front()
    }
}
