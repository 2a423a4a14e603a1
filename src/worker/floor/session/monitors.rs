//! The stages `subscribe` and `collect`, and finding again what is lost in the
//! meantime.

use std::time::Duration;

use super::{Hears, Session};
use crate::units::counted_of;
use crate::worker::client::StageError;
use crate::worker::floor::channel::ChannelState;
use crate::worker::floor::lookup::Lookup;
use crate::worker::floor::protocol::Subscription;
use crate::worker::floor::subscriptions::Subscriptions;
use crate::worker::outcome::{nothing_subscribed, subscribed_before};
use crate::worker_protocol::{Mode, Monitor, Updates};

/// How long what was lost is left alone: a server that answers searches and
/// accepts no circuit is not to be asked without a pause.
const PAUSE: Duration = Duration::from_millis(20);

/// How long opening a circuit to a server that came back may hold up the others.
const TIMEOUT: Duration = Duration::from_secs(1);

/// How long reading what came before `collect` may take. It ends earlier unless
/// updates come as fast as they can be taken.
const CATCHING_UP: Duration = Duration::from_millis(50);

impl<P: Hears> Session<P> {
    /// Subscribes to `pvs` and waits for the first update of each subscription.
    pub(super) fn subscribe_to(
        &mut self,
        mode: Mode,
        pvs: &[usize],
        monitor: Monitor,
    ) -> Result<(), StageError> {
        if self.subscriptions.is_some() {
            return Err(subscribed_before());
        }
        self.check_connected(pvs)?;
        let deadline = self.now().saturating_add(self.timeout);
        self.subscriptions = Some(Subscriptions::new(monitor, self.channels.len()));
        match mode {
            Mode::Bulk => self.subscribe_pvs(pvs, pvs, deadline),
            Mode::Serial => pvs.chunks(1).try_for_each(|pv| self.subscribe_pvs(pv, pvs, deadline)),
        }
    }

    /// From now on latencies count, and what is lost is sought again until it is found,
    /// and subscribed to again.
    pub(super) fn begin_to_collect(&mut self) -> Result<(), StageError> {
        if self.subscriptions.is_none() {
            return Err(nothing_subscribed());
        }
        // Nothing was read since the last stage, however long ago that was.
        let now = self.now();
        self.circuits.iter_mut().for_each(|circuit| circuit.hear(now));
        self.losses.are_borne = true;
        self.catch_up()?;
        if let Some(subscriptions) = &mut self.subscriptions {
            subscriptions.log.begin_collecting();
        }
        Ok(())
    }

    /// All that arrived.
    pub(super) fn take_log(&mut self) -> Result<Updates, StageError> {
        self.losses.are_borne = false;
        let subscriptions = self.subscriptions.as_mut().ok_or_else(nothing_subscribed)?;
        Ok(subscriptions.log.take())
    }

    /// Records that a PV is connected now, or that it no longer is.
    pub(super) fn record_state(&mut self, pv: u32, is_connected: bool) {
        if let Some(subscriptions) = &mut self.subscriptions {
            subscriptions.log.record_state(pv as usize, is_connected);
        }
    }

    /// Reads what came since the last stage, which was left in the sockets: its
    /// latency would be no property of this client.
    fn catch_up(&mut self) -> Result<(), StageError> {
        let end = self.now() + CATCHING_UP;
        loop {
            self.turn(Duration::ZERO)?;
            if self.waiting.is_quiet() || self.now() >= end {
                return Ok(());
            }
        }
    }

    /// Takes updates for `duration`.
    pub(super) fn take_updates_for(&mut self, duration: Duration) -> Result<(), StageError> {
        let end = self.now().saturating_add(duration);
        while self.now() < end {
            self.turn(end)?;
        }
        Ok(())
    }

    /// Subscribes to `pvs`, of `all` that the stage is for. The requests are
    /// pipelined while updates are read.
    fn subscribe_pvs(
        &mut self,
        pvs: &[usize],
        all: &[usize],
        deadline: Duration,
    ) -> Result<(), StageError> {
        let mut sent = 0;
        while sent < pvs.len() || self.silent() > 0 {
            while let Some(pv) = pvs.get(sent) {
                let circuit = usize::from(self.channels[*pv].circuit);
                if self.circuits[circuit].is_full() || self.silent() >= P::MOST_SILENT {
                    break;
                }
                self.ask_for_updates(*pv as u32);
                sent += 1;
            }
            if self.now() >= deadline {
                let why = format!("no update after {} s", self.timeout.as_secs_f64());
                return Err(self.not_subscribed(all, &why));
            }
            self.turn(deadline).map_err(|StageError(why)| self.not_subscribed(all, &why))?;
        }
        Ok(())
    }

    fn silent(&self) -> usize {
        self.subscriptions.as_ref().map_or(0, Subscriptions::silent)
    }

    fn not_subscribed(&self, all: &[usize], why: &str) -> StageError {
        let is_running = |pv: &usize| {
            self.subscriptions.as_ref().is_some_and(|subscriptions| subscriptions.is_running(*pv))
        };
        let count = all.iter().filter(|pv| !is_running(pv)).count();
        let first = all.iter().find(|pv| !is_running(pv)).map_or(0, |pv| *pv);
        let (pvs, first) = (counted_of(count, all.len(), "PV"), self.names.get(first as u32));
        StageError(format!("{pvs} not subscribed, first {first}: {why}"))
    }

    /// Subscribes to a PV that is connected.
    fn ask_for_updates(&mut self, pv: u32) {
        let Some(subscriptions) = &mut self.subscriptions else {
            return;
        };
        let channel = self.channels[pv as usize];
        let (peer, output) = self.circuits[usize::from(channel.circuit)].peer_and_output();
        for number in subscriptions.ask(pv) {
            let content = subscriptions.content(number);
            let subscription = Subscription { sid: channel.sid, number, content };
            self.protocol.subscribe(peer, output, &subscription);
        }
    }

    /// The subscriptions, with what the protocol keeps of them; none before `subscribe`.
    pub(in crate::worker) fn subscriptions(&mut self) -> Option<(&mut Subscriptions, &mut P)> {
        Some((self.subscriptions.as_mut()?, &mut self.protocol))
    }

    /// What a circuit brought is no update of a subscription.
    pub(in crate::worker) fn bad_update(
        &self,
        circuit: usize,
        number: u32,
        why: &str,
    ) -> StageError {
        let server = self.circuits[circuit].address();
        let pv = self.pv_of_subscription(number);
        let name = pv.map_or("no PV of this job", |pv| self.names.get(pv));
        StageError(format!("the subscription to {name}: {server} reports {why}"))
    }

    /// The PV of a subscription, if there is one of that number.
    pub(in crate::worker) fn pv_of_subscription(&self, number: u32) -> Option<u32> {
        self.subscriptions.as_ref()?.pv(number)
    }

    /// Subscribes to a PV whose channel is back, if it was subscribed to before.
    pub(super) fn subscribe_again(&mut self, pv: u32) {
        if self.subscriptions.as_ref().is_some_and(|all| all.is_wanted(pv)) {
            self.ask_for_updates(pv);
        }
    }

    /// Whether a loss is no error of the stage: while updates are taken.
    pub(super) fn losses_are_borne(&self) -> bool {
        self.losses.are_borne
    }

    /// Remembers PVs that are to be sought again.
    pub(super) fn lose(&mut self, pvs: impl IntoIterator<Item = u32>) {
        for pv in pvs {
            self.channels[pv as usize].state = ChannelState::NotFound;
            self.losses.pvs.push(pv);
        }
        let due = self.now() + PAUSE;
        self.losses.due.get_or_insert(due);
    }

    /// Begins to seek what was lost, if it is time for that.
    pub(super) fn seek_losses(&mut self, deadline: Duration) {
        if self.losses.due.is_none_or(|due| self.now() < due) {
            return;
        }
        self.losses.due = None;
        let lost = std::mem::take(&mut self.losses.pvs);
        match &mut self.lookup {
            Lookup::Udp(udp) => lost.into_iter().for_each(|pv| udp.search.want_again(pv)),
            Lookup::Tcp(_) => self.seek_at_name_servers(deadline),
        }
    }

    /// Asks the name servers for all that is not found. A circuit to one of them
    /// may be what was lost: it is opened again, if need be later.
    fn seek_at_name_servers(&mut self, deadline: Duration) {
        let Lookup::Tcp(tcp) = &self.lookup else {
            return;
        };
        let servers = tcp.servers.clone();
        let until = deadline.min(self.now() + TIMEOUT);
        let circuits: Vec<Option<u16>> =
            servers.into_iter().map(|server| self.circuit_to(server, until).ok()).collect();
        if circuits.contains(&None) {
            self.lose([]);
        }
        if let Lookup::Tcp(tcp) = &mut self.lookup {
            tcp.want_again(circuits, &self.channels);
        }
    }
}
