//! What is asked in which round: samples, and what lies between them.

use super::{Guide, NOBODY, Role, Segment, Step};

/// The samples that a round begins with, at even distances.
const FIRST_SAMPLES: usize = 5;

/// Rounds in which servers are guessed. A sample costs as many lookups as there
/// are servers; a PV that is asked of the wrong one of two costs one. So in the
/// first round samples are at most 8 times as many PVs apart as there are servers,
/// where a quarter of the PVs between two servers' samples is asked of the wrong
/// one: samples and wrong guesses then cost about alike. If that finds little,
/// servers have fewer neighbours than that, and the second round looks closer.
const ROUNDS: usize = 2;

impl Guide {
    /// Begins a round for `list`; after the last round everyone is asked.
    pub(super) fn begin_round(&mut self, round: usize, mut list: Vec<u32>) {
        self.forget();
        // What was answered late is no longer sought.
        list.retain(|pv| self.role[*pv as usize] == Role::Idle);
        if round >= ROUNDS {
            self.want_of_everyone(list.into_iter());
            return;
        }
        self.round = round;
        self.list = list;
        self.step = Step::Sampling;
        let last = self.list.len().saturating_sub(1);
        // The PV before the list is as good as a sample at its beginning.
        let first = usize::from(self.left != NOBODY);
        let spread = (first..FIRST_SAMPLES).map(|n| (last * n / (FIRST_SAMPLES - 1)) as u32);
        let mut samples: Vec<u32> =
            if self.list.len() > first { spread.collect() } else { Vec::new() };
        samples.dedup();
        self.add_samples(samples);
    }

    /// Forgets what was to be asked.
    pub(super) fn forget(&mut self) {
        self.step = Step::Over;
        self.unsettled = 0;
        self.samples.clear();
        self.segments.clear();
        self.to_everyone.clear();
        self.again.iter_mut().for_each(|queue| queue.clear());
        self.queued_again = 0;
        self.missed.clear();
    }

    /// Goes on when nothing that was asked is unsettled.
    pub(super) fn advance(&mut self) {
        match self.step {
            Step::Over => {}
            Step::Sampling => {
                let between = self.middles_to_sample();
                if between.is_empty() {
                    self.guess();
                } else {
                    self.add_samples(between);
                }
            }
            Step::Guessing => {
                let mut missed = std::mem::take(&mut self.missed);
                missed.sort_unstable();
                self.left = NOBODY;
                self.begin_round(self.round + 1, missed);
            }
        }
    }

    fn add_samples(&mut self, positions: Vec<u32>) {
        for position in &positions {
            let pv = self.list[*position as usize];
            self.role[pv as usize] = Role::Sample;
            self.to_everyone.push_back(pv);
        }
        self.unsettled += positions.len();
        self.samples.extend(positions);
        self.samples.sort_unstable();
    }

    /// How far apart samples of different servers may be.
    fn resolution(&self) -> u32 {
        let servers = self.known.len() as u32;
        (if self.round == 0 { 8 * servers } else { servers / 2 }).max(2)
    }

    /// The stretches of the list between samples that were found: begin, end and
    /// the servers at both ends.
    fn stretches(&self) -> Vec<(u32, u32, u16, u16)> {
        let mut stretches = Vec::with_capacity(self.samples.len() + 1);
        let (mut begin, mut left) = (0, self.left);
        for position in &self.samples {
            let home = self.home[self.list[*position as usize] as usize];
            if home != NOBODY {
                stretches.push((begin, *position, left, home));
                (begin, left) = (*position, home);
            }
        }
        stretches.push((begin, self.list.len() as u32, left, NOBODY));
        stretches
    }

    fn middles_to_sample(&self) -> Vec<u32> {
        let is_wide = |(begin, end, left, right): &(u32, u32, u16, u16)| {
            end - begin > self.resolution() && ![*left, *right].contains(&NOBODY) && left != right
        };
        let middles = self.stretches().into_iter().filter(is_wide);
        // One that was asked for in vain is not asked for twice.
        middles
            .map(|(begin, end, ..)| begin.midpoint(end))
            .filter(|middle| self.samples.binary_search(middle).is_err())
            .collect()
    }

    /// Asks for what lies between samples where the nearer was found, and if need be
    /// where the other was.
    fn guess(&mut self) {
        self.step = Step::Guessing;
        for (begin, end, left, right) in self.stretches() {
            match (left, right) {
                (NOBODY, NOBODY) => self.pass_on(begin..end),
                (NOBODY, one) | (one, NOBODY) => self.add_segment(begin..end, one, NOBODY),
                (left, right) if left == right => self.add_segment(begin..end, left, NOBODY),
                (left, right) => {
                    let middle = begin.midpoint(end);
                    self.add_segment(begin..middle, left, right);
                    self.add_segment(middle..end, right, left);
                }
            }
        }
    }

    fn add_segment(&mut self, positions: std::ops::Range<u32>, server: u16, second: u16) {
        for pv in &self.list[positions.start as usize..positions.end as usize] {
            if self.role[*pv as usize] == Role::Idle {
                self.role[*pv as usize] = Role::Guess;
                self.second[*pv as usize] = second;
                self.unsettled += 1;
            }
        }
        match self.segments.back_mut() {
            Some(last) if last.server == server && last.positions.end == positions.start => {
                last.positions.end = positions.end;
            }
            _ => self.segments.push_back(Segment { positions, server }),
        }
    }

    fn pass_on(&mut self, positions: std::ops::Range<u32>) {
        let list = &self.list[positions.start as usize..positions.end as usize];
        let is_idle = |pv: &&u32| self.role[**pv as usize] == Role::Idle;
        self.missed.extend(list.iter().filter(is_idle));
    }
}
