//! Requests on their way and their answers, matched by number; no I/O.

use super::message;

/// The requests of one stage, numbered in a row from `first_ioid`. A request's
/// position is its number minus the first.
#[derive(Debug)]
pub(super) struct Requests {
    command: u16,
    first_ioid: u32,
    values: Vec<f64>,
    is_answered: Vec<bool>,
    unanswered: usize,
    failures: usize,
    /// Position and reason of the failure with the lowest position.
    first_failure: Option<(usize, String)>,
}

impl Requests {
    /// `count` requests of one command, none of them answered.
    pub(super) fn new(command: u16, first_ioid: u32, count: usize) -> Requests {
        Requests {
            command,
            first_ioid,
            values: vec![f64::NAN; count],
            is_answered: vec![false; count],
            unanswered: count,
            failures: 0,
            first_failure: None,
        }
    }

    /// No requests.
    pub(super) fn none() -> Requests {
        Requests::new(message::CA_PROTO_VERSION, 0, 0)
    }

    /// The number of the request at `position`.
    pub(super) fn ioid(&self, position: usize) -> u32 {
        self.first_ioid.wrapping_add(position as u32)
    }

    /// Whether these are writes and not reads.
    pub(super) fn are_writes(&self) -> bool {
        self.command == message::CA_PROTO_WRITE_NOTIFY
    }

    /// How many requests have no answer yet.
    pub(super) fn unanswered(&self) -> usize {
        self.unanswered
    }

    /// Whether the request at `position` was answered.
    pub(super) fn is_answered(&self, position: usize) -> bool {
        self.is_answered[position]
    }

    /// How many requests failed, and the first one's position and reason.
    pub(super) fn failure(&self) -> Option<(usize, usize, &str)> {
        let (position, reason) = self.first_failure.as_ref()?;
        Some((self.failures, *position, reason))
    }

    /// The values read, by position.
    pub(super) fn into_values(self) -> Vec<f64> {
        self.values
    }

    /// Takes an answer to a read or a write; one that belongs to no request, or
    /// to an answered one, changes nothing.
    pub(super) fn answer(&mut self, message: &message::Message<'_>) {
        let header = &message.header;
        if header.command != self.command {
            return;
        }
        let Some(position) = self.take(header.parameter_2) else {
            return;
        };
        let status = header.parameter_1;
        if status != message::ECA_NORMAL {
            self.fail(position, message::status_in_words(status));
        } else if header.command == message::CA_PROTO_READ_NOTIFY {
            let value = message::decode_double(message.payload);
            match value.filter(|_| header.data_type == message::DBR_DOUBLE && header.count == 1) {
                Some(value) => self.values[position] = value,
                None => {
                    let (kind, count) = (header.data_type, header.count);
                    self.fail(position, format!("answered with type {kind}, {count} elements"));
                }
            }
        }
    }

    /// Takes the server's word that the request `ioid` failed; false when there
    /// is no such request.
    pub(super) fn refuse(&mut self, command: u16, ioid: u32, reason: String) -> bool {
        if command != self.command {
            return false;
        }
        match self.take(ioid) {
            Some(position) => self.fail(position, reason),
            None => return false,
        }
        true
    }

    /// The position of an unanswered request, which is answered from now on.
    fn take(&mut self, ioid: u32) -> Option<usize> {
        let position = ioid.wrapping_sub(self.first_ioid) as usize;
        let is_answered = self.is_answered.get_mut(position)?;
        if std::mem::replace(is_answered, true) {
            return None;
        }
        self.unanswered -= 1;
        Some(position)
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
    use super::message::{CA_PROTO_READ_NOTIFY, DBR_DOUBLE, ECA_NORMAL, decode, encode};
    use super::*;

    fn answer(requests: &mut Requests, status: u32, ioid: u32, count: u16, payload: &[u8]) {
        let mut bytes = Vec::new();
        encode(&mut bytes, CA_PROTO_READ_NOTIFY, DBR_DOUBLE, count, status, ioid, payload);
        requests.answer(&decode(&bytes).unwrap());
    }

    #[test]
    fn answers_are_matched_by_number_even_across_its_end() {
        let mut requests = Requests::new(CA_PROTO_READ_NOTIFY, u32::MAX, 2);
        assert_eq!((requests.ioid(0), requests.ioid(1)), (u32::MAX, 0));
        answer(&mut requests, ECA_NORMAL, 0, 1, &2.0_f64.to_be_bytes());
        answer(&mut requests, ECA_NORMAL, u32::MAX, 1, &1.0_f64.to_be_bytes());
        assert_eq!(requests.unanswered(), 0);
        assert!(requests.failure().is_none());
        assert_eq!(requests.into_values(), [1.0, 2.0]);
    }

    #[test]
    fn late_and_repeated_answers_change_nothing() {
        let mut requests = Requests::new(CA_PROTO_READ_NOTIFY, 10, 2);
        answer(&mut requests, ECA_NORMAL, 9, 1, &9.0_f64.to_be_bytes());
        answer(&mut requests, ECA_NORMAL, 12, 1, &9.0_f64.to_be_bytes());
        answer(&mut requests, ECA_NORMAL, 10, 1, &1.0_f64.to_be_bytes());
        answer(&mut requests, ECA_NORMAL, 10, 1, &9.0_f64.to_be_bytes());
        assert_eq!(requests.unanswered(), 1);
        assert!(requests.is_answered(0) && !requests.is_answered(1));
        assert_eq!(requests.into_values()[0], 1.0);
    }

    #[test]
    fn the_first_failure_is_the_one_with_the_lowest_position() {
        let mut requests = Requests::new(CA_PROTO_READ_NOTIFY, 0, 3);
        answer(&mut requests, 376, 2, 1, &0.0_f64.to_be_bytes());
        answer(&mut requests, ECA_NORMAL, 1, 0, &[]);
        assert!(requests.refuse(CA_PROTO_READ_NOTIFY, 0, "gone".to_owned()));
        assert!(!requests.refuse(CA_PROTO_READ_NOTIFY, 0, "again".to_owned()));
        assert_eq!(requests.failure(), Some((3, 0, "gone")));
    }
}
