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

use crate::worker::updates::{Arrived, Numbering, UpdateLog, number_and_sum, stamp_ns};
use crate::worker_protocol::{Monitor, Updates};

/// How long taking what came before `collect` may last. It ends earlier unless
/// updates come as fast as they can be taken.
const CATCHING_UP: Duration = Duration::from_millis(50);

/// All subscriptions of a job.
pub(super) struct Monitors {
    /// Never dropped: dropping a subscription locks what its callback locks, and
    /// then waits for callbacks to end.
    tasks: ManuallyDrop<LocalSet>,
    numbering: Numbering,
    log: Rc<RefCell<UpdateLog>>,
    teller: mpsc::UnboundedSender<News>,
    news: mpsc::UnboundedReceiver<News>,
    /// By number.
    is_running: Vec<bool>,
}

/// What a task tells.
enum News {
    /// A subscription's first update, by its number.
    Running(usize),
    /// A subscription has failed.
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
        let numbering = Numbering::new(monitor, pvs);
        Monitors {
            tasks: ManuallyDrop::new(LocalSet::new()),
            numbering,
            log: Rc::new(RefCell::new(UpdateLog::new(monitor, pvs))),
            teller,
            news,
            is_running: vec![false; numbering.count()],
        }
    }

    /// Begins a task that subscribes to `pv` as its subscription `monitor`, counted
    /// from 0, and takes the updates.
    pub(super) fn add(&mut self, pv: usize, monitor: usize, subject: Subject) {
        let Some(number) = self.numbering.of_pv(pv).nth(monitor) else {
            return;
        };
        let (log, teller) = (self.log.clone(), self.teller.clone());
        self.tasks.spawn_local(async move {
            match subject {
                Subject::Scalar(mut channel) => {
                    let mut updates = channel.subscribe_buffered::<Time<f64>>();
                    updates.set_event_mask(EventMask::VALUE);
                    let updates = pin!(updates.map(|update| update.map(Update::of)));
                    take(number, updates, &log, &teller).await;
                }
                Subject::Frames(mut channel) => {
                    let mut updates = channel.subscribe_with(FrameQueue::default());
                    updates.set_event_mask(EventMask::VALUE);
                    take(number, pin!(updates), &log, &teller).await;
                }
            }
        });
    }

    /// Whether every subscription to `pv` has brought an update.
    pub(super) fn is_running(&self, pv: usize) -> bool {
        self.numbering.of_pv(pv).all(|number| self.is_running[number])
    }

    /// Waits until each subscription to `pvs` has brought an update.
    pub(super) fn wait_for(
        &mut self,
        runtime: &Runtime,
        pvs: &[usize],
        deadline: Instant,
    ) -> Result<(), NotRunning> {
        let numbers = pvs.iter().flat_map(|pv| self.numbering.of_pv(*pv));
        let mut missing = numbers.filter(|number| !self.is_running[*number]).count();
        let (news, is_running) = (&mut self.news, &mut self.is_running);
        let numbering = self.numbering;
        self.tasks.block_on(runtime, async {
            while missing > 0 {
                match timeout_at(deadline, news.next()).await {
                    Ok(Some(News::Running(number))) => {
                        is_running[number] = true;
                        missing -= 1;
                    }
                    Ok(Some(News::Failed(number, error))) => {
                        return Err(NotRunning::Failed(Failure(numbering.pv(number), error)));
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
        let (news, log, numbering) = (&mut self.news, &self.log, self.numbering);
        self.tasks.block_on(runtime, async {
            // Tasks run only while a stage does: what came since the last one has
            // a latency that tells nothing of this client.
            catch_up(log).await;
            log.borrow_mut().begin_collecting();
            match timeout(duration, news.next()).await {
                Ok(Some(News::Failed(number, error))) => Err(Failure(numbering.pv(number), error)),
                _ => Ok(log.borrow_mut().take()),
            }
        })
    }
}

/// Takes all updates of a subscription; never ends, so that it is not dropped.
async fn take(
    number: usize,
    mut updates: impl Stream<Item = Result<Update, Error>> + Unpin,
    log: &RefCell<UpdateLog>,
    teller: &mpsc::UnboundedSender<News>,
) {
    let mut is_first = true;
    while let Some(update) = updates.next().await {
        let arrived = Arrived::now();
        let news = match update {
            Ok(Update { number: value, sum, stamp_ns }) => {
                log.borrow_mut().note(number, value, sum, stamp_ns, arrived);
                News::Running(number)
            }
            Err(error) => News::Failed(number, error),
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
