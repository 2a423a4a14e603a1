//! Requests on their way and their answers, matched by position; no I/O.

/// The requests of one stage.
#[derive(Debug)]
pub(in crate::worker) struct Requests {
    are_writes: bool,
    values: Vec<f64>,
    is_answered: Vec<bool>,
    unanswered: usize,
    failures: usize,
    /// Position and reason of the failure with the lowest position.
    first_failure: Option<(usize, String)>,
}

impl Requests {
    /// `count` requests, none of them answered.
    pub(in crate::worker) fn new(are_writes: bool, count: usize) -> Requests {
        Requests {
            are_writes,
            values: vec![f64::NAN; count],
            is_answered: vec![false; count],
            unanswered: count,
            failures: 0,
            first_failure: None,
        }
    }

    /// No requests.
    pub(super) fn none() -> Requests {
        Requests::new(false, 0)
    }

    /// Whether these are writes and not reads.
    pub(in crate::worker) fn are_writes(&self) -> bool {
        self.are_writes
    }

    /// How many requests have no answer yet.
    pub(in crate::worker) fn unanswered(&self) -> usize {
        self.unanswered
    }

    /// Whether the request at `position` was answered.
    pub(super) fn is_answered(&self, position: usize) -> bool {
        self.is_answered[position]
    }

    /// How many requests failed, and the first one's position and reason.
    pub(in crate::worker) fn failure(&self) -> Option<(usize, usize, &str)> {
        let (position, reason) = self.first_failure.as_ref()?;
        Some((self.failures, *position, reason))
    }

    /// The values read, by position.
    pub(in crate::worker) fn into_values(self) -> Vec<f64> {
        self.values
    }

    /// Takes the answer to the request at `position`: the value where it is a read.
    /// One that belongs to no request, or to an answered one, changes nothing; says
    /// whether there is a request that waits for one.
    pub(in crate::worker) fn answer(
        &mut self,
        position: usize,
        answer: Result<f64, String>,
    ) -> bool {
        let Some(is_answered) = self.is_answered.get_mut(position) else {
            return false;
        };
        if std::mem::replace(is_answered, true) {
            return false;
        }
        self.unanswered -= 1;
        match answer {
            Ok(value) => self.values[position] = value,
            Err(reason) => self.fail(position, reason),
        }
        true
    }

    fn fail(&mut self, position: usize, reason: String) {
        self.failures += 1;
        if self.first_failure.as_ref().is_none_or(|(first, _)| position < *first) {
            self.first_failure = Some((position, reason));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_and_repeated_answers_change_nothing() {
        let mut requests = Requests::new(false, 2);
        assert!(requests.answer(0, Ok(1.0)));
        assert!(!requests.answer(0, Ok(9.0)) && !requests.answer(2, Ok(9.0)));
        assert_eq!(requests.unanswered(), 1);
        assert!(requests.is_answered(0) && !requests.is_answered(1));
        assert_eq!(requests.into_values()[0], 1.0);
    }

    #[test]
    fn the_first_failure_is_the_one_with_the_lowest_position() {
        let mut requests = Requests::new(false, 3);
        requests.answer(2, Err("late".to_owned()));
        requests.answer(1, Ok(0.0));
        assert!(requests.answer(0, Err("gone".to_owned())));
        assert!(!requests.answer(0, Err("again".to_owned())));
        assert_eq!(requests.failure(), Some((2, 0, "gone")));
    }
}
