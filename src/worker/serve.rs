//! The worker's loop: reads commands, times stages, writes answers.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::time::Duration;

use super::client::{Asker, Client, StageError};
use super::clock::Clock;
use super::gets::collect_with_gets;
use super::per_pv_times::PerPvTimes;
use super::slowdown::Slowdown;

use crate::units::counted;
use crate::worker_protocol::{
    Done, Failed, FromWorker, GetAttempt, Hello, Job, Mode, PROTOCOL_VERSION, Span, Stage,
    StageCommand, ToWorker, Updates,
};

/// Serves one harness on stdin and stdout until stdin ends, which ends the process at
/// once, or until the client is closed: then it returns, so that the process ends as any
/// program of the library does.
///
/// A native library is linked, so loading it is over before `main`: the import stage
/// is empty. A thread reads stdin, so that its end stops the process in the middle of
/// any stage.
///
/// # Errors
/// An error of stdout, or a message that is not of the protocol.
pub(super) fn serve<C: Client>() -> io::Result<()> {
    let import = Clock::now().until_now();
    let mut stdout = io::stdout().lock();
    write(&mut stdout, &hello::<C>(import))?;
    let mut job = None;
    let mut client = None;
    let mut asker = C::asker();
    for message in messages_from_stdin() {
        match message? {
            ToWorker::Job(new) => {
                new.slowdown.unwrap_or_default().check().map_err(invalid)?;
                job = Some(new);
            }
            ToWorker::Stage(command) => {
                let job = job.as_ref().ok_or_else(|| invalid("a stage came before the job"))?;
                let answer = match command.stage {
                    Stage::Ask => asked(&mut asker, job, &command),
                    _ => run::<C>(&mut client, job, &command),
                };
                write(&mut stdout, &answer)?;
                if matches!(command.stage, Stage::Close | Stage::CloseElsewhere) {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// Answers a typed question.
fn asked(asker: &mut Option<Box<dyn Asker>>, job: &Job, command: &StageCommand) -> FromWorker {
    let failed = |error: &str| {
        let error = error.to_owned();
        FromWorker::Failed(Failed { stage: command.stage, error, ending: None })
    };
    let Some(asker) = asker else { return failed("this approach is not asked") };
    let Some(ask) = &command.ask else { return failed("ask without `ask`") };
    let started = Clock::now();
    let reply = asker.ask(ask, Duration::from_secs_f64(job.timeout_s));
    let span = started.until_now();
    FromWorker::Done(Done {
        stage: command.stage,
        mode: command.mode,
        start_ns: span.start_ns,
        end_ns: span.end_ns,
        cpu_ns: span.cpu_ns,
        values: None,
        each_ns: Vec::new(),
        updates: None,
        gets: Vec::new(),
        unconnected: Vec::new(),
        reply: Some(reply),
        counters: BTreeMap::new(),
        warnings: Vec::new(),
    })
}

fn hello<C: Client>(import: Span) -> FromWorker {
    let mut stages = C::stages();
    if C::asker().is_some() {
        stages.push(Stage::Ask);
    }
    FromWorker::Hello(Hello {
        protocol: PROTOCOL_VERSION,
        approach: C::APPROACH.to_owned(),
        pid: std::process::id(),
        versions: C::versions(),
        stages,
        modes: vec![Mode::Serial, Mode::Bulk],
        reports: C::reports(),
        unable: BTreeMap::new(),
        import,
        warnings: Vec::new(),
    })
}

/// Stdin is read on a thread of its own: when it ends the harness is gone or
/// done, and the process ends at once, whatever the main thread is doing.
fn messages_from_stdin() -> impl Iterator<Item = io::Result<ToWorker>> {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let message = line.and_then(|line| serde_json::from_str(&line).map_err(invalid));
            // The main thread ends the process with the error.
            let is_wrong = message.is_err();
            if sender.send(message).is_err() || is_wrong {
                return;
            }
        }
        std::process::exit(0);
    });
    receiver.into_iter()
}

fn run<C: Client>(client: &mut Option<C>, job: &Job, command: &StageCommand) -> FromWorker {
    let all: Vec<usize>;
    let pvs = match &command.pvs {
        Some(pvs) => pvs,
        None => {
            all = (0..job.pvs.len()).collect();
            &all
        }
    };
    let slowdown = Slowdown::of_stage(job.slowdown, command.stage, pvs.len());
    let mut times = PerPvTimes::new(command.mode, pvs.len());
    let started = Clock::now();
    let outcome = run_stage(client, job, command, pvs, &mut times);
    if outcome.is_ok()
        && let Some(slowdown) = slowdown
    {
        slowdown.apply(&started);
    }
    let span = started.until_now();
    match outcome {
        // JSON has no word for them.
        Ok(Answer { values: Some(values), .. })
            if values.iter().any(|value| !value.is_finite()) =>
        {
            let error = "a value is not a finite number".to_owned();
            FromWorker::Failed(Failed { stage: command.stage, error, ending: None })
        }
        Ok(Answer { values, updates, gets, unconnected }) => FromWorker::Done(Done {
            stage: command.stage,
            mode: command.mode,
            start_ns: span.start_ns,
            end_ns: span.end_ns,
            cpu_ns: span.cpu_ns,
            values,
            each_ns: times.each_ns(started.wall),
            updates,
            gets,
            unconnected,
            reply: None,
            counters: client.as_mut().map(C::counters).unwrap_or_default(),
            warnings: Vec::new(),
        }),
        Err(StageError(error)) => {
            FromWorker::Failed(Failed { stage: command.stage, error, ending: None })
        }
    }
}

/// What a stage brings beside its times.
#[derive(Default)]
struct Answer {
    values: Option<Vec<f64>>,
    updates: Option<Updates>,
    gets: Vec<GetAttempt>,
    unconnected: Vec<usize>,
}

fn run_stage<C: Client>(
    client: &mut Option<C>,
    job: &Job,
    command: &StageCommand,
    pvs: &[usize],
    times: &mut PerPvTimes,
) -> Result<Answer, StageError> {
    check_indices(job, pvs)?;
    let nothing = |()| Answer::default();
    let values = |values| Answer { values: Some(values), ..Answer::default() };
    match command.stage {
        Stage::Ask => Err(StageError("a question is no stage of a client".to_owned())),
        Stage::Import => Err(StageError("import was over before hello".to_owned())),
        Stage::Context => {
            // The old context goes first: libca has one for each thread.
            *client = None;
            *client = Some(C::new(job)?);
            Ok(Answer::default())
        }
        Stage::Create => made(client)?.create().map(nothing),
        Stage::Connect => connect(made(client)?, job, command),
        Stage::Get | Stage::GetAgain | Stage::Readback => {
            made(client)?.get(command.mode, pvs, times).map(values)
        }
        Stage::GetDefault | Stage::GetDefaultAgain => {
            made(client)?.get_default(pvs, times).map(values)
        }
        Stage::Put => {
            let values = values_meant(command, pvs)?;
            made(client)?.put(command.mode, pvs, values, times).map(nothing)
        }
        Stage::PutUnconfirmed => {
            let values = values_meant(command, pvs)?;
            made(client)?.put_unconfirmed(pvs, values).map(nothing)
        }
        Stage::Disconnect => made(client)?.disconnect().map(nothing),
        Stage::Close => {
            made(client)?;
            client.take().map_or(Ok(()), C::close).map(nothing)
        }
        Stage::CloseElsewhere => {
            made(client)?;
            client.take().map_or(Ok(()), close_elsewhere).map(nothing)
        }
        Stage::PutInCallback | Stage::GetForked | Stage::GetThreads | Stage::SubscribeThreads => {
            Err(StageError(format!("{} has no {}", C::APPROACH, command.stage)))
        }
        Stage::Subscribe => {
            let without = || StageError("subscribe without `monitor`".to_owned());
            let monitor = command.monitor.ok_or_else(without)?;
            made(client)?.subscribe(command.mode, pvs, monitor).map(nothing)
        }
        Stage::Collect => collect(made(client)?, job, command),
    }
}

fn connect(
    client: &mut impl Client,
    job: &Job,
    command: &StageCommand,
) -> Result<Answer, StageError> {
    let Some(absent) = &command.absent else {
        return client.connect(command.mode).map(|()| Answer::default());
    };
    check_indices(job, absent)?;
    let unconnected = client.connect_without(absent)?;
    Ok(Answer { unconnected, ..Answer::default() })
}

fn check_indices(job: &Job, pvs: &[usize]) -> Result<(), StageError> {
    match pvs.iter().find(|index| **index >= job.pvs.len()) {
        None => Ok(()),
        Some(index) => Err(StageError(format!("PV index {index} is not in the job"))),
    }
}

fn collect(
    client: &mut impl Client,
    job: &Job,
    command: &StageCommand,
) -> Result<Answer, StageError> {
    let seconds = command.seconds.unwrap_or_default();
    let duration = Duration::try_from_secs_f64(seconds)
        .map_err(|error| StageError(format!("collect for {seconds} s: {error}")))?;
    client.begin_collecting()?;
    let gets = match &command.gets {
        None => client.take_updates(duration).map(|()| Vec::new())?,
        Some(gets) => collect_with_gets(client, job, duration, gets)?,
    };
    Ok(Answer { updates: Some(client.taken()?), gets, ..Answer::default() })
}

/// Closes a client in a thread that did not make it.
fn close_elsewhere<C: Client>(client: C) -> Result<(), StageError> {
    /// A client that may be moved to another thread.
    struct Moved<C>(C);
    // SAFETY: this thread does not touch the client any more, and waits until the other is
    // done. Only clients that allow it name the stage.
    unsafe impl<C> Send for Moved<C> {}

    if !C::CLOSES_ELSEWHERE {
        return Err(StageError(format!("{} is closed by its own thread only", C::APPROACH)));
    }
    let moved = Moved(client);
    std::thread::scope(|scope| {
        let closing = scope.spawn(move || {
            // The whole of it moves, not what is in it.
            let moved = moved;
            moved.0.close()
        });
        closing.join().unwrap_or_else(|_| Err(StageError("the other thread panicked".to_owned())))
    })
}

/// What to write, one value for each PV.
fn values_meant<'a>(command: &'a StageCommand, pvs: &[usize]) -> Result<&'a [f64], StageError> {
    let values = command.values.as_deref().unwrap_or_default();
    if values.len() == pvs.len() {
        return Ok(values);
    }
    let (values, pvs) = (counted(values.len(), "value"), counted(pvs.len(), "PV"));
    Err(StageError(format!("{values} for {pvs}")))
}

fn made<C>(client: &mut Option<C>) -> Result<&mut C, StageError> {
    client.as_mut().ok_or_else(|| StageError("no context was made".to_owned()))
}

fn write(stdout: &mut impl Write, message: &FromWorker) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    stdout.write_all(&line)?;
    stdout.flush()
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
