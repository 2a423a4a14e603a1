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
use std::time::Duration;

use ::epics_ca::channel::subscribe::Queue;
use ::epics_ca::request::Time;
use ::epics_ca::types::{EpicsTimeStamp, EventMask};
use ::epics_ca::{Error, TypedChannel};
use futures::channel::mpsc;
use futures::{Stream, StreamExt};
use tokio::runtime::Runtime;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::protocol::{Monitor, Updates};
use crate::worker::updates::{Arrived, UpdateLog, number_and_sum, stamp_ns};

/// How long taking what came before `collect` may last. It ends earlier unless
/// updates come as fast as they can be taken.
const CATCHING_UP: Duration = Duration::from_millis(50);

/// All subscriptions of a job.
pub(super) struct Monitors {
    /// Never dropped: dropping a subscription locks what its callback locks, and
    /// then waits for callbacks to end.
    tasks: ManuallyDrop<LocalSet>,
    log: Rc<RefCell<UpdateLog>>,
    teller: mpsc::UnboundedSender<News>,
    news: mpsc::UnboundedReceiver<News>,
    is_running: Vec<bool>,
}

/// What a task tells.
enum News {
    /// The PV's first update.
    Running(usize),
    /// The PV's subscription has failed.
    Failed(usize, Error),
}

/// A subscription that has failed: the PV and why.
pub(super) struct Failure(pub(super) usize, pub(super) Error);

/// Why not every subscription runs.
pub(super) enum NotRunning {
    /// One failed.
    Failed(Failure),
    /// The deadline has passed.
    Silent,
}

/// A channel to subscribe to.
pub(super) enum Subject {
    Scalar(TypedChannel<f64>),
    Frames(TypedChannel<[i16]>),
}

impl Monitors {
    /// Makes room for the updates of `monitor` among `pvs` PVs.
    pub(super) fn new(monitor: Monitor, pvs: usize) -> Monitors {
        let (teller, news) = mpsc::unbounded();
        Monitors {
            tasks: ManuallyDrop::new(LocalSet::new()),
            log: Rc::new(RefCell::new(UpdateLog::new(monitor))),
            teller,
            news,
            is_running: vec![false; pvs],
        }
    }

    /// Begins a task that subscribes to `pv` and takes its updates.
    pub(super) fn add(&mut self, pv: usize, subject: Subject) {
        let (log, teller) = (self.log.clone(), self.teller.clone());
        self.tasks.spawn_local(async move {
            match subject {
                Subject::Scalar(mut channel) => {
                    let mut updates = channel.subscribe_buffered::<Time<f64>>();
                    updates.set_event_mask(EventMask::VALUE);
                    take(pv, pin!(updates.map(|update| update.map(Update::of))), &log, &teller)
                        .await;
                }
                Subject::Frames(mut channel) => {
                    let mut updates = channel.subscribe_with(FrameQueue::default());
                    updates.set_event_mask(EventMask::VALUE);
                    take(pv, pin!(updates), &log, &teller).await;
                }
            }
        });
    }

    /// Whether the subscription to `pv` has brought an update.
    pub(super) fn is_running(&self, pv: usize) -> bool {
        self.is_running[pv]
    }

    /// Waits until each of `pvs` has brought an update.
    pub(super) fn wait_for(
        &mut self,
        runtime: &Runtime,
        pvs: &[usize],
        deadline: Instant,
    ) -> Result<(), NotRunning> {
        let mut missing = pvs.iter().filter(|pv| !self.is_running[**pv]).count();
        let (news, is_running) = (&mut self.news, &mut self.is_running);
        self.tasks.block_on(runtime, async {
            while missing > 0 {
                match timeout_at(deadline, news.next()).await {
                    Ok(Some(News::Running(pv))) => {
                        is_running[pv] = true;
                        missing -= 1;
                    }
                    Ok(Some(News::Failed(pv, error))) => {
                        return Err(NotRunning::Failed(Failure(pv, error)));
                    }
                    Ok(None) | Err(_) => return Err(NotRunning::Silent),
                }
            }
            Ok(())
        })
    }

    /// Takes updates for `duration`.
    pub(super) fn collect(
        &mut self,
        runtime: &Runtime,
        duration: Duration,
    ) -> Result<Updates, Failure> {
        let (news, log) = (&mut self.news, &self.log);
        self.tasks.block_on(runtime, async {
            // Tasks run only while a stage does: what came since the last one has
            // a latency that tells nothing of this client.
            catch_up(log).await;
            log.borrow_mut().begin_collecting();
            match timeout(duration, news.next()).await {
                Ok(Some(News::Failed(pv, error))) => Err(Failure(pv, error)),
                _ => Ok(log.borrow_mut().take()),
            }
        })
    }
}

/// Takes all updates of a PV; never ends, so that the subscription is not dropped.
async fn take(
    pv: usize,
    mut updates: impl Stream<Item = Result<Update, Error>> + Unpin,
    log: &RefCell<UpdateLog>,
    teller: &mpsc::UnboundedSender<News>,
) {
    let mut is_first = true;
    while let Some(update) = updates.next().await {
        let arrived = Arrived::now();
        let news = match update {
            Ok(Update { number, sum, stamp_ns }) => {
                log.borrow_mut().note(pv, number, sum, stamp_ns, arrived);
                News::Running(pv)
            }
            Err(error) => News::Failed(pv, error),
        };
        if is_first || matches!(news, News::Failed(..)) {
            is_first = false;
            // Nobody listens any more when the job is over.
            let _ = teller.unbounded_send(news);
        }
    }
    pending().await
}

async fn catch_up(log: &RefCell<UpdateLog>) {
    let end = Instant::now() + CATCHING_UP;
    loop {
        let noted = log.borrow().noted();
        sleep(Duration::from_millis(1)).await;
        if log.borrow().noted() == noted || Instant::now() >= end {
            return;
        }
    }
}

/// What is noted of an update.
struct Update {
    number: f64,
    sum: u64,
    stamp_ns: i64,
}

impl Update {
    fn of(update: Time<f64>) -> Update {
        Update { number: update.value, sum: 0, stamp_ns: unix_stamp_ns(update.stamp) }
    }
}

fn unix_stamp_ns(stamp: EpicsTimeStamp) -> i64 {
    stamp_ns(stamp.sec(), stamp.nsec())
}

/// Every frame that was not taken yet: what is noted of it. The pixels are summed
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
