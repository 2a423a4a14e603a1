//! The client over a library that calls back on threads of its own.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::fmt::Display;
use std::thread;
use std::time::{Duration, Instant};

use super::client::{Asker, Client, StageError, stages_without};
use super::completions::{Completions, Failure, NotConnected, UpdateSink};
use super::job::{c_names, timeout_of};
use super::outcome::{
    Asked, batches, failed, no_channel, not_subscribed, nothing_subscribed, subscribed_before,
    unfinished,
};
use super::per_pv_times::PerPvTimes;
use crate::worker_protocol::{Content, Job, Mode, Monitor, Stage, Updates};

/// What is a library's own. Its callbacks report to its [`Completions`]; no call
/// waits for one. PVs are named by the order in which they were created, requests
/// and subscriptions by the number that the callback hands back.
pub(super) trait CallbackLibrary: Sized {
    /// The approach's name in the catalogue.
    const APPROACH: &'static str;

    /// Why it refuses a call, or why a request or a subscription failed.
    type Refusal: Clone + Display;

    /// Versions of everything below the approach.
    fn versions() -> BTreeMap<String, String>;

    /// What answers typed questions; none where the library is not asked yet.
    fn asker() -> Option<Box<dyn Asker>> {
        None
    }

    /// Makes a context for `pvs` PVs; touches none of them.
    fn new(pvs: usize) -> Result<Self, StageError>;

    /// What its callbacks report to.
    fn completions(&self) -> &Completions<Self::Refusal>;

    /// Begins to look for one more PV.
    fn create(&mut self, name: &CStr) -> Result<(), Self::Refusal>;

    /// Sends what was created since the last call.
    fn flush_channels(&self) -> Result<(), StageError>;

    /// Asks for the value of a PV.
    fn get(&self, pv: usize, request: usize) -> Result<(), Self::Refusal>;

    /// Reads a PV by the library's ordinary get, where that is not [`CallbackLibrary::get`];
    /// it may block for as long as `timeout`.
    fn get_default(
        &self,
        pv: usize,
        request: usize,
        _timeout: Duration,
    ) -> Result<(), Self::Refusal> {
        self.get(pv, request)
    }

    /// Writes the value of a PV, to be confirmed by the server.
    fn put(&self, pv: usize, value: f64, request: usize) -> Result<(), Self::Refusal>;

    /// Whether the library has a put that does not wait for the server.
    const PUTS_UNCONFIRMED: bool = true;

    /// Writes the value of a PV without waiting for the server.
    fn put_unconfirmed(&self, pv: usize, value: f64) -> Result<(), Self::Refusal>;

    /// Makes a subscription of its own to a PV.
    fn subscribe(
        &self,
        pv: usize,
        content: Content,
        subscription: usize,
    ) -> Result<(), Self::Refusal>;

    /// Sends the requests and subscriptions that were made since the last call.
    fn flush_requests(&self) -> Result<(), StageError> {
        Ok(())
    }

    /// Forgets all gets and puts, whether or not they are answered.
    fn end_requests(&self) {}

    /// Ends all subscriptions and drops all channels. When it returns, no callback of
    /// theirs will come any more.
    fn disconnect(&mut self) -> Result<(), StageError>;

    /// What it counted of updates since the last call, by its own names.
    fn take_update_counters(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    /// Why a subscription to `pv` may bring nothing, if it knows.
    fn why_silent(&self, _pv: usize) -> Option<String> {
        None
    }
}

/// One job on one context of the library.
pub(super) struct CallbackClient<L> {
    library: L,
    names: Vec<CString>,
    timeout: Duration,
    /// How many channels are made: those of the first PVs.
    created: usize,
}

impl<L: CallbackLibrary> Client for CallbackClient<L> {
    const APPROACH: &'static str = L::APPROACH;

    fn versions() -> BTreeMap<String, String> {
        L::versions()
    }

    fn stages() -> Vec<Stage> {
        let mut stages =
            stages_without(if L::PUTS_UNCONFIRMED { &[] } else { &[Stage::PutUnconfirmed] });
        stages.push(Stage::CloseElsewhere);
        stages
    }

    fn asker() -> Option<Box<dyn Asker>> {
        L::asker()
    }

    /// libca's context is attached to the thread that destroys it, and pvxs' belongs to none.
    const CLOSES_ELSEWHERE: bool = true;

    fn new(job: &Job) -> Result<Self, StageError> {
        let names = c_names(job)?;
        let timeout = timeout_of(job)?;
        let library = L::new(names.len())?;
        Ok(CallbackClient { library, names, timeout, created: 0 })
    }

    fn create(&mut self) -> Result<(), StageError> {
        self.create_up_to(self.names.len())
    }

    fn connect(&mut self, mode: Mode) -> Result<(), StageError> {
        let deadline = self.deadline();
        if mode == Mode::Serial {
            for created in self.created..self.names.len() {
                self.create_up_to(created + 1)?;
                self.wait_for_connections(deadline)?;
            }
        }
        self.create()?;
        self.wait_for_connections(deadline)
    }

    fn connect_without(&mut self, absent: &[usize]) -> Result<Vec<usize>, StageError> {
        let deadline = self.deadline();
        let connections = &self.library.completions().connections;
        connections.spare(absent);
        self.create()?;
        self.library.completions().connections.remove(absent.len());
        self.wait_for_connections(deadline)?;
        Ok(self.library.completions().connections.down())
    }

    fn get(
        &mut self,
        mode: Mode,
        pvs: &[usize],
        times: &mut PerPvTimes,
    ) -> Result<Vec<f64>, StageError> {
        self.ask(mode, "read", pvs, times, |pv, _, request| self.library.get(pv, request))
    }

    fn get_default(
        &mut self,
        pvs: &[usize],
        times: &mut PerPvTimes,
    ) -> Result<Vec<f64>, StageError> {
        self.ask(Mode::Serial, "read", pvs, times, |pv, _, request| {
            self.library.get_default(pv, request, self.timeout)
        })
    }

    fn put(
        &mut self,
        mode: Mode,
        pvs: &[usize],
        values: &[f64],
        times: &mut PerPvTimes,
    ) -> Result<(), StageError> {
        let put = |pv, position: usize, request| self.library.put(pv, values[position], request);
        self.ask(mode, "confirmed", pvs, times, put).map(drop)
    }

    fn put_unconfirmed(&mut self, pvs: &[usize], values: &[f64]) -> Result<(), StageError> {
        for (pv, value) in pvs.iter().zip(values) {
            self.check_created(*pv)?;
            let put = self.library.put_unconfirmed(*pv, *value);
            put.map_err(|why| failed(&self.name(*pv), why))?;
        }
        self.library.flush_requests()
    }

    fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    fn subscribe(&mut self, mode: Mode, pvs: &[usize], monitor: Monitor) -> Result<(), StageError> {
        let asked = Asked { what: "subscribed", pvs, timeout: self.timeout };
        let started = self.library.completions().start_updates(monitor);
        let sink = started.ok_or_else(subscribed_before)?;
        let deadline = self.deadline();
        for batch in batches(mode, pvs) {
            let numbering = sink.begin(batch);
            for pv in batch {
                self.check_created(*pv)?;
                for number in numbering.of_pv(*pv) {
                    let content = monitor.content_of(*pv);
                    let made = self.library.subscribe(*pv, content, number);
                    made.map_err(|why| not_subscribed(&self.name(*pv), why))?;
                }
            }
            self.library.flush_requests()?;
            sink.wait_for_first(pvs, deadline).map_err(|why| {
                asked.not_running(why, |pv| self.name(pv), |pv| self.library.why_silent(pv))
            })?;
        }
        Ok(())
    }

    fn begin_collecting(&mut self) -> Result<(), StageError> {
        self.sink().map(UpdateSink::begin_collecting)
    }

    /// The library's threads call back meanwhile.
    fn take_updates(&mut self, duration: Duration) -> Result<(), StageError> {
        thread::sleep(duration);
        Ok(())
    }

    fn taken(&mut self) -> Result<Updates, StageError> {
        let taken = self.sink()?.taken();
        let mut updates =
            taken.map_err(|Failure { pv, why }| not_subscribed(&self.name(pv), why))?;
        let counters = self.library.take_update_counters();
        updates.counters.extend(counters.into_iter().map(|(name, count)| (name.to_owned(), count)));
        Ok(updates)
    }

    fn disconnect(&mut self) -> Result<(), StageError> {
        self.library.disconnect()?;
        self.created = 0;
        self.library.completions().begin_again();
        Ok(())
    }
}

impl<L: CallbackLibrary> CallbackClient<L> {
    fn sink(&self) -> Result<&UpdateSink<L::Refusal>, StageError> {
        self.library.completions().subscribed().ok_or_else(nothing_subscribed)
    }

    fn create_up_to(&mut self, count: usize) -> Result<(), StageError> {
        // Before the first is made: it may be connected before the last is.
        self.library.completions().connections.add(count - self.created);
        let created = (self.created..count).try_for_each(|pv| {
            let created = self.library.create(&self.names[pv]);
            created.map_err(|why| failed(&self.name(pv), why))?;
            self.created += 1;
            Ok(())
        });
        self.library.completions().connections.remove(count - self.created);
        created?;
        self.library.flush_channels()
    }

    fn wait_for_connections(&self, deadline: Instant) -> Result<(), StageError> {
        let waited = self.library.completions().connections.wait(deadline);
        waited.map_err(|NotConnected { count, first }| {
            // Those that are not even made are not connected either.
            let (missing, all) = (count + self.names.len() - self.created, self.names.len());
            unfinished("connected", missing, all, self.timeout, &self.name(first))
        })
    }

    /// Sends a request for each PV and waits for the answers: for each at once
    /// in serial mode, for all in bulk mode. `request` gets the PV, its position
    /// in `pvs` and the request's number.
    fn ask(
        &self,
        mode: Mode,
        what: &'static str,
        pvs: &[usize],
        times: &mut PerPvTimes,
        request: impl Fn(usize, usize, usize) -> Result<(), L::Refusal>,
    ) -> Result<Vec<f64>, StageError> {
        let deadline = self.deadline();
        let asked = Asked { what, pvs, timeout: self.timeout };
        let requests = &self.library.completions().requests;
        let mut values = Vec::with_capacity(pvs.len());
        for batch in batches(mode, pvs) {
            let done = values.len();
            let first_number = requests.begin(batch.len());
            for (offset, pv) in batch.iter().enumerate() {
                self.check_created(*pv)?;
                request(*pv, done + offset, first_number.wrapping_add(offset))
                    .map_err(|why| failed(&self.name(*pv), why))?;
            }
            self.library.flush_requests()?;
            let checked = requests.wait(deadline, |answers| {
                asked.check(done, answers.iter().map(Option::as_ref), |pv| self.name(pv))?;
                values.extend(answers.iter().flatten().flatten());
                Ok(())
            });
            self.library.end_requests();
            checked?;
            times.mark();
        }
        Ok(values)
    }

    fn check_created(&self, pv: usize) -> Result<(), StageError> {
        if pv < self.created { Ok(()) } else { Err(no_channel(&self.name(pv))) }
    }

    fn name(&self, pv: usize) -> String {
        self.names[pv].to_string_lossy().into_owned()
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::worker::updates::{Arrived, Update};

    /// Answers within each call. A PV's value is its number; the PV `stubborn` is
    /// refused once, `silent` never answers, `wrong` fails.
    struct Fake {
        completions: Completions<&'static str>,
        names: Vec<CString>,
        refusals: Cell<usize>,
        flushed: Cell<usize>,
        ended: Cell<usize>,
    }

    impl Fake {
        fn answer(&self, pv: usize, answer: impl FnOnce(Result<(), &'static str>)) {
            match self.names[pv].to_bytes() {
                b"silent" => {}
                b"wrong" => answer(Err("no such field")),
                _ => answer(Ok(())),
            }
        }
    }

    impl CallbackLibrary for Fake {
        const APPROACH: &'static str = "fake";

        type Refusal = &'static str;

        fn versions() -> BTreeMap<String, String> {
            BTreeMap::new()
        }

        fn new(pvs: usize) -> Result<Fake, StageError> {
            Ok(Fake {
                completions: Completions::new(pvs),
                names: Vec::new(),
                refusals: Cell::new(1),
                flushed: Cell::new(0),
                ended: Cell::new(0),
            })
        }

        fn completions(&self) -> &Completions<&'static str> {
            &self.completions
        }

        fn create(&mut self, name: &CStr) -> Result<(), &'static str> {
            if name == c"stubborn" && self.refusals.replace(0) > 0 {
                return Err("not now");
            }
            let pv = self.names.len();
            self.names.push(name.to_owned());
            if name != c"silent" {
                self.completions.connections.record(pv, true);
            }
            Ok(())
        }

        fn flush_channels(&self) -> Result<(), StageError> {
            Ok(())
        }

        fn put_unconfirmed(&self, pv: usize, value: f64) -> Result<(), &'static str> {
            assert_eq!(value, pv as f64 + 0.5);
            Ok(())
        }

        fn disconnect(&mut self) -> Result<(), StageError> {
            self.names.clear();
            Ok(())
        }

        fn get(&self, pv: usize, request: usize) -> Result<(), &'static str> {
            self.answer(pv, |is_good| {
                self.completions.requests.record(request, is_good.map(|()| pv as f64));
            });
            Ok(())
        }

        fn put(&self, pv: usize, value: f64, request: usize) -> Result<(), &'static str> {
            assert_eq!(value, pv as f64 + 0.5);
            self.answer(pv, |is_good| {
                self.completions.requests.record(request, is_good.map(|()| f64::NAN));
            });
            Ok(())
        }

        fn subscribe(&self, pv: usize, _: Content, number: usize) -> Result<(), &'static str> {
            let sink = self.completions.updates().unwrap();
            let update = Update { number: pv as f64, sum: 0, stamp_ns: 0 };
            self.answer(pv, |is_good| {
                sink.record(number, Arrived::now(), is_good.map(|()| update));
            });
            Ok(())
        }

        fn flush_requests(&self) -> Result<(), StageError> {
            self.flushed.set(self.flushed.get() + 1);
            Ok(())
        }

        fn end_requests(&self) {
            self.ended.set(self.ended.get() + 1);
        }

        fn take_update_counters(&self) -> Vec<(&'static str, u64)> {
            vec![("merged", 7)]
        }

        fn why_silent(&self, pv: usize) -> Option<String> {
            Some(format!("PV {pv} never sends"))
        }
    }

    fn client(pvs: &[&str]) -> CallbackClient<Fake> {
        let pvs = pvs.iter().map(|name| (*name).to_owned()).collect();
        Client::new(&Job { pvs, timeout_s: 0.05, slowdown: None }).unwrap()
    }

    fn connected(pvs: &[&str]) -> CallbackClient<Fake> {
        let mut client = client(pvs);
        client.create().unwrap();
        client
    }

    fn get(client: &mut CallbackClient<Fake>, mode: Mode) -> Result<Vec<f64>, String> {
        let pvs: Vec<usize> = (0..client.names.len()).collect();
        let values = client.get(mode, &pvs, &mut PerPvTimes::new(mode, pvs.len()));
        values.map_err(|StageError(error)| error)
    }

    fn error_of<T>(result: Result<T, StageError>) -> String {
        result.err().unwrap().0
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

    #[test]
    fn a_channel_whose_creation_failed_is_not_awaited() {
        for mode in [Mode::Bulk, Mode::Serial] {
            let mut client = client(&["a", "stubborn", "b"]);
            assert_eq!(error_of(client.connect(mode)), "stubborn: not now");
            assert_eq!(client.created, 1);
            client.connect(mode).unwrap();
            assert_eq!(get(&mut client, mode), Ok(vec![0.0, 1.0, 2.0]));
        }
    }

    #[test]
    fn requests_are_flushed_and_ended_once_in_bulk_and_one_by_one_in_serial_mode() {
        for (mode, batches) in [(Mode::Bulk, 1), (Mode::Serial, 3)] {
            let mut client = connected(&["a", "b", "c"]);
            client.put(mode, &[2, 0, 1], &[2.5, 0.5, 1.5], &mut PerPvTimes::new(mode, 3)).unwrap();
            assert_eq!(client.library.flushed.get(), batches, "{mode}");
            assert_eq!(client.library.ended.get(), batches, "{mode}");
        }
    }

    #[test]
    fn what_did_not_answer_in_time_is_counted_with_all_that_were_not_asked() {
        let pvs = ["a", "silent", "b"];
        let mut client = client(&pvs);
        let text = "1 of 3 PVs not connected after 0.05 s, first silent";
        assert_eq!(error_of(client.connect(Mode::Bulk)), text);
        let text = |missing| format!("{missing} of 3 PVs not read after 0.05 s, first silent");
        assert_eq!(get(&mut client, Mode::Bulk), Err(text(1)));
        assert_eq!(get(&mut client, Mode::Serial), Err(text(2)));
        assert_eq!(client.library.ended.get(), 3, "requests end however they do");
        let mut serial = self::client(&pvs);
        let text = "2 of 3 PVs not connected after 0.05 s, first silent";
        assert_eq!(error_of(serial.connect(Mode::Serial)), text);
    }

    #[test]
    fn who_connects_without_some_reports_which_are_not_connected() {
        let mut client = client(&["a", "silent", "b"]);
        assert_eq!(client.connect_without(&[1, 2]).unwrap(), [1], "b is there after all");
        let mut client = self::client(&["silent", "a"]);
        let text = "1 of 2 PVs not connected after 0.05 s, first silent";
        assert_eq!(error_of(client.connect_without(&[1])), text);
    }

    #[test]
    fn a_pv_that_fails_or_was_never_made_is_named() {
        let mut client = client(&["a", "wrong"]);
        assert_eq!(get(&mut client, Mode::Bulk), Err("a: no channel was made".to_owned()));
        client.connect(Mode::Bulk).unwrap();
        assert_eq!(get(&mut client, Mode::Bulk), Err("wrong: no such field".to_owned()));
        let failed = error_of(client.subscribe(Mode::Bulk, &[0, 1], MONITOR));
        assert_eq!(failed, "the subscription to wrong: no such field");
    }

    #[test]
    fn every_subscription_brings_its_first_update_before_it_is_collected() {
        let mut client = connected(&["a", "b"]);
        assert_eq!(error_of(client.taken()), "nothing is subscribed to");
        client.subscribe(Mode::Serial, &[0, 1], MONITOR).unwrap();
        let updates = client.taken().unwrap();
        assert_eq!(updates.runs.len(), 4);
        assert_eq!(updates.counters, BTreeMap::from([("merged".to_owned(), 7)]));
        let again = error_of(client.subscribe(Mode::Serial, &[0, 1], MONITOR));
        assert_eq!(again, "this job has its subscriptions already");
    }

    #[test]
    fn a_silent_subscription_is_explained_by_the_library() {
        let mut client = connected(&["a", "silent", "b"]);
        let text = "2 of 3 PVs not subscribed after 0.05 s, first silent: PV 1 never sends";
        assert_eq!(error_of(client.subscribe(Mode::Serial, &[0, 1, 2], MONITOR)), text);
    }

    #[test]
    fn after_a_disconnect_all_begins_anew() {
        let mut client = connected(&["a", "b"]);
        for _ in 0..3 {
            client.connect(Mode::Bulk).unwrap();
            client.put_unconfirmed(&[1, 0], &[1.5, 0.5]).unwrap();
            client.subscribe(Mode::Bulk, &[0, 1], MONITOR).unwrap();
            assert_eq!(client.taken().unwrap().runs.len(), 4);
            client.disconnect().unwrap();
            assert_eq!(get(&mut client, Mode::Bulk), Err("a: no channel was made".to_owned()));
            assert_eq!(error_of(client.taken()), "nothing is subscribed to");
        }
    }

    #[test]
    fn a_pv_that_goes_away_while_updates_are_taken_is_reported() {
        let mut client = connected(&["a", "b"]);
        client.library.completions.record_connection(1, true);
        client.subscribe(Mode::Bulk, &[0, 1], MONITOR).unwrap();
        for is_up in [false, true] {
            client.library.completions.record_connection(1, is_up);
        }
        let states = client.taken().unwrap().states;
        let seen: Vec<_> = states.iter().map(|state| (state.pv, state.connected)).collect();
        assert_eq!(seen, [(1, false), (1, true)]);
        assert!(client.taken().unwrap().states.is_empty());
    }
}
