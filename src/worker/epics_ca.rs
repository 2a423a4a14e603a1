//! The approach `epics-ca`: the Rust crate of that name over libca, driven by a
//! tokio runtime on the worker's thread.
//!
//! Used as its examples do: [`Context::connect`] for one PV after the other;
//! [`Channel::new`] and `connected` to make channels first and wait for them
//! later; value channels, which the crate recommends where only values are
//! needed. It has no call for many PVs at once: its futures are joined, with the
//! crate `futures` that it is built on itself.
//!
//! A get asks for count 0, which means all elements the PV has, and every
//! request flushes: both are the crate's choice.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::CString;
use std::time::Duration;

use ::epics_ca::{Channel, Context, Error, ValueChannel};
use futures::future::{join_all, try_join_all};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::{Client, StageError, libca};
use crate::protocol::{Job, Mode};

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

    fn get(&mut self, mode: Mode, pvs: &[usize]) -> Result<Vec<f64>, StageError> {
        self.session()?.ask(mode, "read", pvs, async |channel, _| channel.get().await)
    }

    fn put(&mut self, mode: Mode, pvs: &[usize], values: &[f64]) -> Result<(), StageError> {
        let confirmed = self.session()?.ask(mode, "confirmed", pvs, async |channel, position| {
            channel.put(values[position])?.await.map(|()| f64::NAN)
        });
        confirmed.map(drop)
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
    connected: Vec<ValueChannel<f64>>,
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
            let typed = channel.into_typed::<f64>();
            let typed = typed.map_err(|(error, _)| failed(&text(name), error))?;
            self.connected.push(typed.into_value());
        }
        Ok(())
    }

    fn connect_one_by_one(&mut self) -> Result<(), StageError> {
        let (context, connected) = (&self.context, &mut self.connected);
        let connect_each = async {
            for name in &self.names[connected.len()..] {
                let channel = context.connect::<f64>(name).await;
                connected.push(channel.map_err(|error| failed(&text(name), error))?);
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
                        ask_one(&mut self.connected[*pv], position).await?;
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

    fn unfinished(&self, what: &str, missing: usize, all: usize, first: usize) -> StageError {
        libca::unfinished(missing, all, what, self.timeout, &text(&self.names[first]))
    }
}

/// The channels of `pvs`, borrowed all together: a channel carries one request
/// at a time.
fn each_once<'a>(
    connected: &'a mut [ValueChannel<f64>],
    names: &[CString],
    pvs: &[usize],
) -> Result<Vec<&'a mut ValueChannel<f64>>, StageError> {
    let mut lent: Vec<_> = connected.iter_mut().map(Some).collect();
    pvs.iter()
        .map(|pv| {
            let name = &names[*pv];
            lent[*pv].take().ok_or_else(|| StageError(format!("{} is asked twice", text(name))))
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
