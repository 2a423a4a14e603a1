//! Which PVs the next datagram asks for, and whom.

use std::time::Duration;

use super::flight::Flight;
use super::{DOUBTFUL_WINDOW, Datagrams, QUEUED, Search, UNSENT, WINDOW_OF_EVERYONE, Whom};
use crate::worker::floor::names::Names;

impl<D: Datagrams> Search<D> {
    /// Puts the next datagram into `buffer` and says who is to get it; nobody when
    /// none is to be sent before an answer or the next time-out.
    pub(in crate::worker) fn next_datagram(
        &mut self,
        now: Duration,
        names: &Names,
        buffer: &mut Vec<u8>,
    ) -> Option<Whom> {
        // An empty datagram comes of queues whose PVs were all found meanwhile.
        let usual = if self.in_flight < self.window.datagrams() {
            self.fill(false, now, names, buffer)
        } else {
            None
        };
        if usual.is_none() && self.doubtful_in_flight < DOUBTFUL_WINDOW {
            return self.fill(true, now, names, buffer);
        }
        usual
    }

    fn fill(
        &mut self,
        is_doubtful: bool,
        now: Duration,
        names: &Names,
        buffer: &mut Vec<u8>,
    ) -> Option<Whom> {
        buffer.clear();
        let (_, whom) = self.peek(is_doubtful)?;
        if !is_doubtful && !self.may_send_to(whom) {
            return None;
        }
        let place = self.free_place();
        let mut flight = std::mem::take(&mut self.flights[place]);
        let mark = self.end_mark(whom, names);
        let mark_bytes = mark.map_or(0, |(_, name)| D::search_bytes(name.len()));
        let searches = self.window.searches() - usize::from(mark.is_some());
        let mut most_sends = 0;
        self.datagrams.begin(buffer, self.sequence as u32);
        while flight.pvs.len() < searches {
            let Some((pv, _)) = self.peek(is_doubtful).filter(|(_, next)| *next == whom) else {
                break;
            };
            let name = names.get(pv);
            let bytes = buffer.len() + D::search_bytes(name.len()) + mark_bytes;
            if bytes > self.settings.datagram_bytes && !flight.pvs.is_empty() {
                break;
            }
            self.pop(is_doubtful);
            D::add(buffer, pv, name);
            flight.pvs.push(pv);
            self.state[pv as usize] = place as u32;
            let sends = &mut self.sends[pv as usize];
            most_sends = most_sends.max(*sends);
            *sends = sends.saturating_add(1);
            self.statistics.resends += u64::from(*sends > 1);
        }
        if let Some((cid, name)) = mark {
            D::add(buffer, cid, name);
        }
        D::end(buffer, flight.pvs.len() + usize::from(mark.is_some()));
        self.take_off(&mut flight, whom, now, most_sends);
        flight.end_mark = mark.map(|(cid, _)| cid);
        flight.is_doubtful = is_doubtful;
        self.flights[place] = flight;
        *if is_doubtful { &mut self.doubtful_in_flight } else { &mut self.in_flight } += 1;
        let unanswered = (self.in_flight + self.doubtful_in_flight) as u64;
        self.statistics.largest_window = self.statistics.largest_window.max(unanswered);
        Some(whom)
    }

    fn take_off(&mut self, flight: &mut Flight, whom: Whom, now: Duration, most_sends: u8) {
        flight.whom = whom;
        flight.unanswered = flight.pvs.len();
        flight.has_arrived = false;
        flight.sequence = self.sequence;
        flight.sent_at = now;
        flight.deadline = now + self.round_trip.timeout(most_sends);
        flight.is_first = most_sends == 0;
        self.sequence += 1;
        let (copies, marks) = match whom {
            Whom::Everyone => (self.settings.servers as u64, 0),
            Whom::Server(_) => (1, 1),
        };
        self.statistics.datagrams += copies;
        self.statistics.searches += copies * flight.pvs.len() as u64 + marks;
    }

    /// What ends a datagram to one of several servers: a number that is no PV's and
    /// is not used for long, and a name that the server has.
    fn end_mark<'a>(&self, whom: Whom, names: &'a Names) -> Option<(u32, &'a str)> {
        const NUMBERS: u64 = 1 << 20;
        let (Whom::Server(server), Some(guide)) = (whom, &self.guide) else {
            return None;
        };
        let cid = self.state.len() as u32 + (self.sequence % NUMBERS) as u32;
        guide.known(server).map(|pv| (cid, names.get(pv)))
    }

    fn may_send_to(&self, whom: Whom) -> bool {
        let is_of_everyone = |flight: &&Flight| flight.is_used() && flight.whom == Whom::Everyone;
        whom != Whom::Everyone
            || self.guide.is_none()
            || self.flights.iter().filter(is_of_everyone).count() < WINDOW_OF_EVERYONE
    }

    fn free_place(&mut self) -> usize {
        self.flights.iter().position(|flight| !flight.is_used()).unwrap_or_else(|| {
            self.flights.push(Flight::default());
            self.flights.len() - 1
        })
    }

    /// The next PV to send, and to whom. What is new comes before what was lost,
    /// which may not exist.
    fn peek(&mut self, is_doubtful: bool) -> Option<(u32, Whom)> {
        if !is_doubtful {
            while !self.fresh.is_empty() && self.state[self.fresh.start as usize] != UNSENT {
                self.fresh.start += 1;
            }
            if !self.fresh.is_empty() {
                return Some((self.fresh.start, Whom::Everyone));
            }
            if let Some(next) = self.guide.as_mut().and_then(|guide| guide.next()) {
                return Some(next);
            }
        }
        let queue = if is_doubtful { &mut self.doubtful } else { &mut self.again };
        while let Some(pv) = queue.front() {
            if self.state[*pv as usize] == QUEUED {
                return Some((*pv, Whom::Everyone));
            }
            queue.pop_front();
        }
        None
    }

    /// Takes what [`Search::peek`] showed.
    fn pop(&mut self, is_doubtful: bool) {
        if is_doubtful {
            self.doubtful.pop_front();
        } else if !self.fresh.is_empty() {
            self.fresh.start += 1;
        } else if let Some(guide) = self.guide.as_mut()
            && guide.next().is_some()
        {
            guide.asked();
        } else {
            self.again.pop_front();
        }
    }
}
