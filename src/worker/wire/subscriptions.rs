//! Subscriptions and the updates that they bring; no I/O.

use std::collections::BTreeMap;

use super::circuit::Part;
use super::message::{self, Header};
use crate::worker::updates::{Arrived, Numbering, Update, UpdateLog, frame_number, stamp_ns};
use crate::worker_protocol::{Content, Monitor};

/// Bytes that are added up together: as many as the compiler makes good use of.
const ROW_BYTES: usize = 32;

/// So many bytes never overflow a sum of 16 bit.
const ADDENDS: usize = 256;

/// The subscriptions of a job. An update finds its place by its number, without
/// any table.
#[derive(Debug)]
pub(super) struct Subscriptions {
    /// What came on them.
    pub(super) log: UpdateLog,
    content: Content,
    numbering: Numbering,
    /// By number.
    state: Vec<SubscriptionState>,
    silent: usize,
    /// The frame of each subscription as far as it has come.
    frames: BTreeMap<u32, Update>,
}

/// How far a subscription is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SubscriptionState {
    /// Nobody asked for it.
    Unwanted,
    /// It is asked for and has brought nothing yet.
    Silent,
    /// It has brought an update.
    Running,
}

/// Why an update is not one, with the PV concerned.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadUpdate {
    /// The PV, if there is a subscription of that number.
    pub(super) pv: Option<u32>,
    /// What was wrong.
    pub(super) why: String,
}

impl Subscriptions {
    /// None yet, among `pvs` PVs.
    pub(super) fn new(monitor: Monitor, pvs: usize) -> Subscriptions {
        let numbering = Numbering::new(monitor, pvs);
        Subscriptions {
            log: UpdateLog::new(monitor, pvs),
            content: monitor.content,
            numbering,
            state: vec![SubscriptionState::Unwanted; numbering.count()],
            silent: 0,
            frames: BTreeMap::new(),
        }
    }

    /// Puts all subscriptions to `pv`, whose channel is `sid`, into a circuit's
    /// output.
    pub(super) fn add(&mut self, output: &mut Vec<u8>, pv: u32, sid: u32) {
        let data_type = match self.content {
            Content::Scalars => message::DBR_TIME_DOUBLE,
            Content::Frames => message::DBR_TIME_SHORT,
        };
        for number in self.numbering.of_pv(pv as usize) {
            let state = &mut self.state[number];
            if *state == SubscriptionState::Unwanted {
                *state = SubscriptionState::Silent;
                self.silent += 1;
            }
            message::encode_subscribe(output, data_type, sid, number as u32);
        }
    }

    /// The PV of a subscription, if there is one of that number.
    pub(super) fn pv(&self, number: u32) -> Option<u32> {
        pv_of(self.numbering, number)
    }

    /// Whether `pv` was ever subscribed to.
    pub(super) fn is_wanted(&self, pv: u32) -> bool {
        self.state[pv as usize] != SubscriptionState::Unwanted
    }

    /// How many subscriptions have brought nothing yet.
    pub(super) fn silent(&self) -> usize {
        self.silent
    }

    /// Whether every subscription to `pv` has brought an update.
    pub(super) fn is_running(&self, pv: usize) -> bool {
        self.numbering.of_pv(pv).all(|number| self.state[number] == SubscriptionState::Running)
    }

    /// Takes an update, or a part of one.
    ///
    /// # Errors
    /// When it is none of these subscriptions, or is not what was asked for, or
    /// says that the server could not read the PV.
    pub(super) fn take(&mut self, part: &Part<'_>) -> Result<(), BadUpdate> {
        let arrived = Arrived::now();
        let header = &part.header;
        let number = header.parameter_2;
        let numbering = self.numbering;
        let bad = |why: String| BadUpdate { pv: pv_of(numbering, number), why };
        let Some(state @ (SubscriptionState::Silent | SubscriptionState::Running)) =
            self.state.get_mut(number as usize)
        else {
            return Err(bad("an update of no subscription".to_owned()));
        };
        if header.parameter_1 != message::ECA_NORMAL {
            return Err(bad(message::status_in_words(header.parameter_1)));
        }
        let update = match self.content {
            Content::Scalars => double(header, part.bytes),
            Content::Frames => with_part(self.frames.entry(number).or_default(), part),
        };
        let Some(update) = update else {
            let (kind, count, bytes) = (header.data_type, header.count, header.payload_bytes);
            return Err(bad(format!("an update of type {kind}, {count} elements, {bytes} bytes")));
        };
        if part.at + part.bytes.len() < header.payload_bytes as usize {
            return Ok(());
        }
        if *state == SubscriptionState::Silent {
            *state = SubscriptionState::Running;
            self.silent -= 1;
        }
        self.log.record(number as usize, arrived, update);
        Ok(())
    }
}

fn pv_of(numbering: Numbering, number: u32) -> Option<u32> {
    let number = number as usize;
    (number < numbering.count()).then(|| numbering.pv(number) as u32)
}

fn double(header: &Header, payload: &[u8]) -> Option<Update> {
    let stamped = message::decode_stamped(payload, message::DBR_TIME_DOUBLE_VALUE)?;
    let number = message::decode_double(stamped.elements)?;
    let is_asked_for = header.data_type == message::DBR_TIME_DOUBLE && header.count == 1;
    let stamp_ns = stamp_ns(stamped.seconds, stamped.nanoseconds);
    is_asked_for.then_some(Update { number, sum: 0, stamp_ns })
}

/// Adds a part to what has come of a frame; the first part begins another.
fn with_part(frame: &mut Update, part: &Part<'_>) -> Option<Update> {
    let Part { header, at, bytes } = *part;
    let end = message::DBR_TIME_SHORT_ELEMENTS + header.count as usize * 2;
    if header.data_type != message::DBR_TIME_SHORT || end > header.payload_bytes as usize {
        return None;
    }
    if at == 0 {
        *frame = first_part(bytes)?;
    }
    let begin = message::DBR_TIME_SHORT_ELEMENTS.saturating_sub(at);
    let pixels = bytes.get(begin..end.saturating_sub(at).min(bytes.len())).unwrap_or_default();
    frame.sum += sum_of_big_endian(pixels);
    Some(*frame)
}

/// A frame's time stamp and number. What an IOC sends before its first frame is
/// empty, and its padding reads as number 0.
fn first_part(bytes: &[u8]) -> Option<Update> {
    let stamped = message::decode_stamped(bytes, message::DBR_TIME_SHORT_ELEMENTS)?;
    let (pixels, _) = stamped.elements.as_chunks::<2>();
    let pixel = |index: usize| pixels.get(index).map_or(0, |pixel| u16::from_be_bytes(*pixel));
    let stamp_ns = stamp_ns(stamped.seconds, stamped.nanoseconds);
    Some(Update { number: frame_number(pixel(0), pixel(1)), sum: 0, stamp_ns })
}

/// The sum of unsigned 16 bit numbers, where they lie in the receive buffer.
///
/// High and low bytes are added up apart, each in 16 bit, four to a word: that
/// takes no turning of bytes and half the time of adding the numbers.
pub(super) fn sum_of_big_endian(pixels: &[u8]) -> u64 {
    const EVERY_OTHER_BYTE: u64 = 0x00ff_00ff_00ff_00ff;
    const WORDS: usize = ROW_BYTES / 8;
    let mut sum = 0;
    for pixels in pixels.chunks(ROW_BYTES * ADDENDS) {
        let (rows, rest) = pixels.as_chunks::<ROW_BYTES>();
        let (mut high, mut low) = ([0; WORDS], [0; WORDS]);
        for row in rows {
            let (words, _) = row.as_chunks();
            for (at, word) in words.iter().enumerate() {
                let word = u64::from_le_bytes(*word);
                // `ADDENDS` keeps each quarter below 2^16; a check here takes time.
                high[at] = u64::wrapping_add(high[at], word & EVERY_OTHER_BYTE);
                low[at] = u64::wrapping_add(low[at], word >> 8 & EVERY_OTHER_BYTE);
            }
        }
        let of_words = |words: [u64; WORDS]| words.into_iter().map(sum_of_quarters).sum::<u64>();
        let (rest, _) = rest.as_chunks::<2>();
        let of_rest = rest.iter().map(|pixel| u64::from(u16::from_be_bytes(*pixel)));
        sum += (of_words(high) << 8) + of_words(low) + of_rest.sum::<u64>();
    }
    sum
}

fn sum_of_quarters(word: u64) -> u64 {
    [0, 16, 32, 48].into_iter().map(|shift| word >> shift & 0xffff).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscribed(content: Content, pvs: u32) -> Subscriptions {
        let monitor = Monitor { content, step: 1.0, room: 4, monitors: 1 };
        let mut subscriptions = Subscriptions::new(monitor, 3);
        let mut output = Vec::new();
        (0..pvs).for_each(|pv| subscriptions.add(&mut output, pv, pv + 100));
        assert_eq!(output.len(), pvs as usize * 32);
        subscriptions
    }

    fn take(
        subscriptions: &mut Subscriptions,
        data_type: u16,
        count: u16,
        status: u32,
        pv: u32,
        elements: &[u8],
    ) -> Result<(), BadUpdate> {
        let mut payload = vec![0; if data_type == message::DBR_TIME_SHORT { 14 } else { 16 }];
        payload.extend_from_slice(elements);
        let command = message::CA_PROTO_EVENT_ADD;
        let mut bytes = Vec::new();
        message::encode(&mut bytes, command, data_type, count, status, pv, &payload);
        let message = message::decode(&bytes).unwrap();
        subscriptions.take(&Part { header: message.header, at: 0, bytes: message.payload })
    }

    #[test]
    fn a_subscription_is_silent_until_its_first_update() {
        let mut subscriptions = subscribed(Content::Scalars, 2);
        let double = message::DBR_TIME_DOUBLE;
        assert_eq!((subscriptions.silent(), subscriptions.is_wanted(2)), (2, false));
        for number in [5.0_f64, 6.0] {
            take(&mut subscriptions, double, 1, 1, 1, &number.to_be_bytes()).unwrap();
        }
        assert_eq!((subscriptions.silent(), subscriptions.is_running(1)), (1, true));
        // A circuit that came back is subscribed to again.
        subscriptions.add(&mut Vec::new(), 1, 7);
        assert_eq!(subscriptions.silent(), 1);
        let runs = subscriptions.log.take().runs;
        assert_eq!(runs.len(), 1);
        assert_eq!((runs[0].pv, runs[0].first, runs[0].count), (1, 5.0, 2));
    }

    #[test]
    fn each_monitor_of_a_pv_is_a_subscription_of_its_own() {
        let monitor = Monitor { content: Content::Scalars, step: 1.0, room: 4, monitors: 3 };
        let mut subscriptions = Subscriptions::new(monitor, 2);
        let mut output = Vec::new();
        subscriptions.add(&mut output, 1, 100);
        let numbers: Vec<u32> = output
            .chunks(32)
            .map(|message| message::decode(message).unwrap().header.parameter_2)
            .collect();
        assert_eq!((numbers, subscriptions.silent()), (vec![1, 3, 5], 3));
        let double = message::DBR_TIME_DOUBLE;
        for number in [5, 1, 3] {
            assert!(!subscriptions.is_running(1));
            take(&mut subscriptions, double, 1, 1, number, &7.0_f64.to_be_bytes()).unwrap();
        }
        assert!(subscriptions.is_running(1) && subscriptions.silent() == 0);
        let runs = subscriptions.log.take().runs;
        let shape: Vec<_> = runs.iter().map(|run| (run.pv, run.monitor)).collect();
        assert_eq!(shape, [(1, 2), (1, 0), (1, 1)]);
        let bad = take(&mut subscriptions, double, 1, 368, 5, &[0; 8]).unwrap_err();
        assert_eq!(bad.pv, Some(1));
    }

    #[test]
    fn what_is_no_update_of_a_subscription_is_told_and_not_noted() {
        let mut subscriptions = subscribed(Content::Scalars, 2);
        let one = 1.0_f64.to_be_bytes();
        let (double, short) = (message::DBR_TIME_DOUBLE, message::DBR_TIME_SHORT);
        let mut why = |data_type, count, status, pv, elements: &[u8]| {
            take(&mut subscriptions, data_type, count, status, pv, elements).unwrap_err().why
        };
        assert_eq!(why(double, 1, 1, 2, &one), "an update of no subscription");
        assert_eq!(why(double, 1, 1, 9, &one), "an update of no subscription");
        assert_eq!(why(double, 1, 368, 0, &one), "ECA_NORDACCESS (0x170)");
        assert_eq!(why(double, 2, 1, 0, &one), "an update of type 20, 2 elements, 24 bytes");
        assert_eq!(why(double, 1, 1, 0, &[]), "an update of type 20, 1 elements, 16 bytes");
        assert_eq!(why(short, 1, 1, 0, &one), "an update of type 15, 1 elements, 24 bytes");
        assert_eq!(subscriptions.log.take().runs, []);
        assert_eq!(subscriptions.silent(), 2);
    }

    /// The pixels of a frame with a number below 65536, as they are sent, and
    /// their sum.
    fn frame(number: u16, pixels: usize) -> (Vec<u8>, u64) {
        let pixel = |index: usize| match index {
            0 => number,
            1 => 0,
            _ => (index as u16).wrapping_mul(40_503) ^ number,
        };
        let bytes = (0..pixels).flat_map(|index| pixel(index).to_be_bytes()).collect();
        (bytes, (0..pixels).map(|index| u64::from(pixel(index))).sum())
    }

    #[test]
    fn a_frame_in_parts_is_one_update() {
        let (pixels, sum) = frame(7, 1001);
        let mut payload = vec![0; message::DBR_TIME_SHORT_ELEMENTS];
        payload.extend(pixels);
        payload.resize(payload.len().next_multiple_of(8) + 8, 0xff);
        let mut header = message::decode(&[0; 16]).unwrap().header;
        header.data_type = message::DBR_TIME_SHORT;
        header.payload_bytes = payload.len() as u32;
        header.parameter_1 = message::ECA_NORMAL;
        header.count = 1001;
        let mut subscriptions = subscribed(Content::Frames, 1);
        // A frame that was cut off with its circuit; then a whole one.
        for end in [128, payload.len()] {
            for (at, bytes) in (0..).step_by(64).zip(payload[..end].chunks(64)) {
                assert_eq!(subscriptions.silent(), 1);
                subscriptions.take(&Part { header, at, bytes }).unwrap();
            }
        }
        let runs = subscriptions.log.take().runs;
        assert_eq!((runs.len(), runs[0].first, runs[0].count), (1, 7.0, 1));
        assert_eq!(runs[0].sums, [sum]);
    }

    #[test]
    fn a_frame_that_fits_the_buffer_is_one_update() {
        let mut subscriptions = subscribed(Content::Frames, 1);
        let frames = [70, 71].map(|number| frame(number, 1001));
        for (bytes, _) in &frames {
            take(&mut subscriptions, message::DBR_TIME_SHORT, 1001, 1, 0, bytes).unwrap();
        }
        // More elements than bytes, and none at all.
        take(&mut subscriptions, message::DBR_TIME_SHORT, 9, 1, 0, &[0; 10]).unwrap_err();
        take(&mut subscriptions, message::DBR_TIME_SHORT, 0, 1, 0, &[]).unwrap();
        let runs = subscriptions.log.take().runs;
        assert_eq!((runs[0].first, runs[0].count), (70.0, 2));
        assert_eq!(runs[0].sums, [frames[0].1, frames[1].1]);
        assert_eq!((runs[1].first, &runs[1].sums[..]), (0.0, &[0][..]));
    }

    #[test]
    fn no_sum_overflows_and_none_leaves_out_a_pixel() {
        for pixels in [0, 1, 15, 16, 4095, 4096, 4097, 200_000] {
            let white = vec![0xff; 2 * pixels];
            assert_eq!(sum_of_big_endian(&white), 65_535 * pixels as u64);
            let ramp: Vec<u8> =
                (0..pixels).flat_map(|index| (index as u16).to_be_bytes()).collect();
            let expected: u64 = (0..pixels).map(|index| u64::from(index as u16)).sum();
            assert_eq!(sum_of_big_endian(&ramp), expected, "{pixels}");
        }
    }
}
