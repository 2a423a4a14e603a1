//! Scanning that is switched on and off while the IOC runs, and the counts of
//! what it processed, read from the IOC's own database.

use std::time::Duration;

#[cfg(feature = "cli")]
use serde::{Deserialize, Serialize};

use super::scan_menu::{check_rate, scan_choice};
use super::shell::COMMAND_DEADLINE;
use super::soft_ioc::number_of;
use super::{IocError, SoftIoc};
use crate::process::Deadline;

/// The record that tells that a scan thread has been round.
const SCANS: &str = "epics-gauge:scans";

/// How often it is asked whether it was.
const LOOK: Duration = Duration::from_millis(1);

/// Rates of several kinds of records at once.
#[cfg(feature = "cli")]
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MixedRates {
    /// How many of the first calc records are slow.
    pub slow_pvs: usize,
    /// The rate of those.
    pub slow_hz: f64,
    /// The rate of the others.
    pub fast_hz: f64,
    /// The rate of the frame record.
    pub frames_hz: f64,
}

#[cfg(feature = "cli")]
impl MixedRates {
    /// All rates, each once.
    pub fn all_hz(self) -> Vec<f64> {
        let mut all = vec![self.slow_hz, self.fast_hz, self.frames_hz];
        all.sort_by(f64::total_cmp);
        all.dedup();
        all
    }
}

impl SoftIoc {
    /// Has all records of [`Builder::pvs`](super::Builder::pvs) and the frame
    /// record scanned `rate_hz` times per second from now on. Blocks until every
    /// one is on the list of that rate; 1000 take some milliseconds, in which the
    /// first are scanned already.
    ///
    /// # Errors
    /// When the rate is none of the menu or, over 10 Hz, was not announced by
    /// [`Builder::may_scan_at`](super::Builder::may_scan_at); when the IOC fails.
    pub fn start_scanning(&mut self, rate_hz: f64) -> Result<(), IocError> {
        self.check_may_scan(rate_hz)?;
        let scan = scan_choice(rate_hz);
        self.set_scan(|_| &*scan, &scan)?;
        self.note_scanning(vec![rate_hz]);
        Ok(())
    }

    /// The same, each kind of records at its own rate.
    #[cfg(feature = "cli")]
    pub(super) fn start_mixed_scanning(&mut self, rates: MixedRates) -> Result<(), IocError> {
        rates.all_hz().into_iter().try_for_each(|rate_hz| self.check_may_scan(rate_hz))?;
        let [slow, fast, frame] = [rates.slow_hz, rates.fast_hz, rates.frames_hz].map(scan_choice);
        let calc = |index: usize| if index < rates.slow_pvs { &*slow } else { &*fast };
        self.set_scan(calc, &frame)?;
        self.note_scanning(rates.all_hz());
        Ok(())
    }

    fn check_may_scan(&self, rate_hz: f64) -> Result<(), IocError> {
        check_rate(rate_hz)?;
        if self.builder.start_up.may_scan(rate_hz) {
            return Ok(());
        }
        Err(IocError::InvalidRequest(format!(
            "the IOC was started without the scan rate {rate_hz} Hz; announce it with \
             `may_scan_at`"
        )))
    }

    fn note_scanning(&mut self, rates_hz: Vec<f64>) {
        for rate_hz in &rates_hz {
            if !self.scanned_hz.contains(rate_hz) {
                self.scanned_hz.push(*rate_hz);
            }
        }
        self.scanning_hz = rates_hz;
    }

    /// Ends the scanning; the calc records wait for ticks again. Blocks until
    /// no record is processed any more: at a low rate, up to its period. From
    /// then on [`SoftIoc::processed`] and [`SoftIoc::frame_count`] stand still.
    ///
    /// # Errors
    /// When the IOC fails.
    pub fn stop_scanning(&mut self) -> Result<(), IocError> {
        if self.scanning_hz.is_empty() {
            return Ok(());
        }
        self.set_scan(|_| "Event", "Passive")?;
        for rate_hz in self.scanning_hz.clone() {
            self.await_scan_thread(rate_hz)?;
        }
        self.scanning_hz.clear();
        let counts = self.processed()?.into_iter();
        self.scanned = counts.map(|count| count.saturating_sub(self.ticks)).collect();
        Ok(())
    }

    /// How often each calc record of [`Builder::pvs`](super::Builder::pvs) was
    /// processed since the IOC started, by scans and by ticks, in the order of
    /// their indices; 0 of one that a restart left out. Read by the shell, so
    /// without any network, and exact; of records that are being scanned, each at
    /// its own moment.
    ///
    /// # Errors
    /// When the IOC fails.
    pub fn processed(&mut self) -> Result<Vec<u64>, IocError> {
        let indices: Vec<usize> = self.indices().collect();
        // Not from VAL, to which clients may write.
        let commands: Vec<String> =
            indices.iter().map(|index| format!("dbgf gauge:{index}.C")).collect();
        let answers = self.shell.run_all(&commands)?;
        let mut counts = vec![0; self.builder.start_up.pvs];
        for ((index, command), answer) in indices.into_iter().zip(&commands).zip(&answers) {
            counts[index - self.builder.start_up.first_pv] = number_of(command, answer)? as u64;
        }
        Ok(counts)
    }

    /// How many frames were made after frame 0, with which the frame record
    /// begins; so it is the number of the last frame, counted by a record of its
    /// own.
    ///
    /// # Errors
    /// When there is no frame record, or the IOC fails.
    pub fn frame_count(&mut self) -> Result<u64, IocError> {
        Ok(self.field_value("gauge:frames")? as u64)
    }

    /// The indices of the calc records that there are.
    pub(super) fn indices(&self) -> impl Iterator<Item = usize> + use<> {
        let missing = self.missing;
        self.builder.start_up.indices().filter(move |index| Some(*index) != missing)
    }

    /// Sets the scan of each calc record, by its index, and that of the frame record.
    fn set_scan<'a>(
        &mut self,
        calc: impl Fn(usize) -> &'a str,
        frame: &'a str,
    ) -> Result<(), IocError> {
        let mut wanted: Vec<(String, &str)> =
            self.indices().map(|index| (format!("gauge:{index}"), calc(index))).collect();
        if self.builder.start_up.frame_pixels.is_some() {
            wanted.push(("gauge:frame".to_owned(), frame));
        }
        let set = |(record, scan): &(String, &str)| format!("dbpf {record}.SCAN \"{scan}\"");
        let commands: Vec<String> = wanted.iter().map(set).collect();
        let answers = self.shell.run_all(&commands)?;
        // The shell answers with the new value.
        let is_set = |answer: &str, scan: &str| answer.contains(&format!("\"{scan}\""));
        let mut answered = commands.iter().zip(&answers).zip(&wanted);
        match answered.find(|((_, answer), (_, scan))| !is_set(answer, scan)) {
            Some(((command, answer), _)) => Err(IocError::InvalidRequest(format!(
                "`{command}` did not work: {}",
                answer.trim()
            ))),
            None => Ok(()),
        }
    }

    /// Blocks until the thread of this rate has finished the list that it may
    /// have been in the middle of. A record that comes on the list now is
    /// processed by the same thread, after everything that it had begun.
    fn await_scan_thread(&mut self, rate_hz: f64) -> Result<(), IocError> {
        let before = self.field_value(SCANS)?;
        self.shell.run(&format!("dbpf {SCANS}.SCAN \"{}\"", scan_choice(rate_hz)))?;
        let deadline = Deadline::after(COMMAND_DEADLINE);
        while self.field_value(SCANS)? <= before {
            if deadline.remaining().is_zero() {
                return Err(self.shell.timed_out(&deadline, "end its scan"));
            }
            std::thread::sleep(LOOK);
        }
        self.shell.run(&format!("dbpf {SCANS}.SCAN Passive")).map(drop)
    }
}
