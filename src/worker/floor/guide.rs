//! Whom to ask for a PV when there are several servers; no I/O and no clock.
//!
//! Asking every server for every PV would cost as many lookups per PV as there
//! are servers. Instead a few PVs are asked of everyone, the samples, and what
//! lies between two samples is asked first where they were found. Where two
//! neighbouring samples were found on different servers the PV in the middle
//! becomes a sample too, until they are close. What its servers say they do not
//! have is sought in another round, with samples closer to one another, and what
//! is left after the last round is asked of everyone.

mod rounds;

use std::collections::VecDeque;

/// Who is asked for a PV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whom {
    /// All servers, one of which may answer.
    Everyone,
    /// The server of this index, which has a PV near it.
    Server(u16),
}

/// No server.
const NOBODY: u16 = u16::MAX;

/// What a PV is to the guide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Not sought, or not yet.
    Idle,
    /// Asked of everyone; the next step waits for it.
    Sample,
    /// Asked of the server that its neighbours were found on.
    Guess,
    /// Asked of everyone; no step waits for it.
    Last,
    /// Answered.
    Found,
}

/// What is being done in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Nothing: all is asked for.
    Over,
    /// Samples are asked of everyone.
    Sampling,
    /// What lies between them is asked of their servers.
    Guessing,
}

/// Neighbours in the list that are asked of one server.
#[derive(Debug)]
struct Segment {
    /// Positions in the list that are not asked for yet.
    positions: std::ops::Range<u32>,
    server: u16,
}

/// The order of asking for one job.
#[derive(Debug)]
pub(super) struct Guide {
    /// By PV.
    role: Vec<Role>,
    /// By PV: where it was found.
    home: Vec<u16>,
    /// By PV: whom to ask when the first server does not have it.
    second: Vec<u16>,
    /// By server: a PV that it has.
    known: Vec<Option<u32>>,
    round: usize,
    step: Step,
    /// The PVs of this round in the order of the job.
    list: Vec<u32>,
    /// Where the PV before the list was found.
    left: u16,
    /// Positions in the list, ascending.
    samples: Vec<u32>,
    to_everyone: VecDeque<u32>,
    segments: VecDeque<Segment>,
    /// By server: what it is to be asked beside the segments.
    again: Vec<VecDeque<u32>>,
    queued_again: usize,
    /// Samples and guesses of this step without an answer.
    unsettled: usize,
    missed: Vec<u32>,
}

impl Guide {
    /// A guide to `servers` servers for a job of `pvs` PVs, none of them sought.
    pub(super) fn new(servers: usize, pvs: usize) -> Guide {
        Guide {
            role: vec![Role::Idle; pvs],
            home: vec![NOBODY; pvs],
            second: vec![NOBODY; pvs],
            known: vec![None; servers],
            round: 0,
            step: Step::Over,
            list: Vec::new(),
            left: NOBODY,
            samples: Vec::new(),
            to_everyone: VecDeque::new(),
            segments: VecDeque::new(),
            again: vec![VecDeque::new(); servers],
            queued_again: 0,
            unsettled: 0,
            missed: Vec::new(),
        }
    }

    /// Begins to seek those of `pvs` that were never sought. Whatever was sought
    /// before must have been asked for.
    pub(super) fn want(&mut self, pvs: std::ops::Range<u32>) {
        debug_assert!(self.step == Step::Over);
        let before = pvs.start.checked_sub(1);
        self.left = before.map_or(NOBODY, |pv| self.home[pv as usize]);
        let list: Vec<u32> = pvs.filter(|pv| self.role[*pv as usize] == Role::Idle).collect();
        if self.known.len() > 1 {
            self.begin_round(0, list);
        } else {
            self.want_of_everyone(list.into_iter());
        }
    }

    /// Asks everyone for `pvs`, whatever was to be asked before.
    pub(super) fn want_of_everyone(&mut self, pvs: impl Iterator<Item = u32>) {
        self.forget();
        for pv in pvs {
            self.role[pv as usize] = Role::Last;
            self.to_everyone.push_back(pv);
        }
    }

    /// The PV to ask for next and whom; none before more is answered.
    pub(super) fn next(&mut self) -> Option<(u32, Whom)> {
        loop {
            if let Some(next) = self.peek() {
                return Some(next);
            }
            if self.unsettled > 0 || self.step == Step::Over {
                return None;
            }
            self.advance();
        }
    }

    /// Takes note that the PV which [`Guide::next`] returned is asked for.
    pub(super) fn asked(&mut self) {
        if self.to_everyone.pop_front().is_some() {
            return;
        }
        if let Some(segment) = self.segments.front_mut() {
            segment.positions.start += 1;
        } else if let Some(queue) = self.again.iter_mut().find(|queue| !queue.is_empty()) {
            queue.pop_front();
            self.queued_again -= 1;
        }
    }

    /// Takes note that a PV was found, at one of the servers if it is known which.
    pub(super) fn found(&mut self, pv: u32, server: Option<u16>) {
        self.settle(pv, Role::Found);
        if let Some(server) = server {
            self.home[pv as usize] = server;
            self.known[usize::from(server)].get_or_insert(pv);
        }
    }

    /// Takes note that the server which was asked for a PV does not have it.
    pub(super) fn missed(&mut self, pv: u32) {
        if self.role[pv as usize] != Role::Guess {
            return;
        }
        match std::mem::replace(&mut self.second[pv as usize], NOBODY) {
            NOBODY => {
                self.settle(pv, Role::Idle);
                self.missed.push(pv);
            }
            server => self.ask_again(pv, server),
        }
    }

    /// Asks a server again for a PV: question or answer got lost.
    pub(super) fn ask_again(&mut self, pv: u32, server: u16) {
        self.again[usize::from(server)].push_back(pv);
        self.queued_again += 1;
    }

    /// Waits no longer for the answer to a sample or a guess: somebody else asks
    /// everyone for it.
    pub(super) fn give_up(&mut self, pv: u32) {
        self.settle(pv, Role::Last);
    }

    /// Whether the guide waits for a PV that it had everyone asked for.
    pub(super) fn is_sample(&self, pv: u32) -> bool {
        self.role[pv as usize] == Role::Sample
    }

    /// A PV that a server is known to have.
    pub(super) fn known(&self, server: u16) -> Option<u32> {
        self.known[usize::from(server)]
    }

    fn settle(&mut self, pv: u32, role: Role) {
        let role = std::mem::replace(&mut self.role[pv as usize], role);
        let was_awaited = matches!(role, Role::Sample | Role::Guess);
        self.unsettled = self.unsettled.saturating_sub(usize::from(was_awaited));
    }

    /// What is queued comes before the next step. PVs that were answered late, or
    /// have another role by now, are left out.
    fn peek(&mut self) -> Option<(u32, Whom)> {
        while let Some(pv) = self.to_everyone.front() {
            if matches!(self.role[*pv as usize], Role::Sample | Role::Last) {
                return Some((*pv, Whom::Everyone));
            }
            self.to_everyone.pop_front();
        }
        while let Some(Segment { positions, server }) = self.segments.front_mut() {
            for position in positions.clone() {
                let pv = self.list[position as usize];
                if self.role[pv as usize] == Role::Guess {
                    positions.start = position;
                    return Some((pv, Whom::Server(*server)));
                }
            }
            self.segments.pop_front();
        }
        if self.queued_again == 0 {
            return None;
        }
        for (queue, server) in self.again.iter_mut().zip(0..) {
            while let Some(pv) = queue.front() {
                if self.role[*pv as usize] == Role::Guess {
                    return Some((*pv, Whom::Server(server)));
                }
                queue.pop_front();
                self.queued_again -= 1;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
