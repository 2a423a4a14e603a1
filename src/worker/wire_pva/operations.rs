//! The operations of a job: one to read, one to write and the subscriptions of each
//! channel. Each has a number of its own, so that an answer finds its place without
//! any table.

use super::layout::Layouts;
use crate::pv_access::{
    self, CMD_GET, CMD_MONITOR, CMD_PUT, PIPELINED_UPDATES, PV_REQUEST_PIPELINED, PV_REQUEST_TIMED,
    PV_REQUEST_VALUE, SUBCOMMAND_START,
};
use crate::worker::floor::{Request, Subscription};
use crate::worker::updates::Update;

/// No layout: the operation is not ready.
const NOT_READY: u16 = u16::MAX;
/// Not part of the stage.
const NOWHERE: u32 = u32::MAX;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It reads.
    Get,
    /// It writes.
    Put,
    /// It brings updates.
    Monitor,
}

impl Kind {
    /// The command of its messages.
    pub(super) fn command(self) -> u8 {
        match self {
            Kind::Get => CMD_GET,
            Kind::Put => CMD_PUT,
            Kind::Monitor => CMD_MONITOR,
        }
    }
}

/// The operations of a job.
#[derive(Debug)]
pub(super) struct Operations {
    /// The types of what they carry.
    pub(super) layouts: Layouts,
    pvs: u32,
    /// By kind and PV, or by kind and subscription: the number of its layout.
    layout_of: [Vec<u16>; 3],
    /// By PV: its place in the stage.
    positions: Vec<u32>,
    /// The PVs of the stage.
    asked: Vec<usize>,
    /// By PV: what was read last. A server may leave out what has not changed since.
    pub(super) held: Vec<f64>,
    /// By place: what is to be written.
    values: Vec<f64>,
    /// Whether updates are acknowledged.
    is_pipelined: bool,
    /// By subscription: updates that are not acknowledged.
    taken: Vec<u32>,
    /// By subscription: the channel.
    channels: Vec<u32>,
    /// By subscription: what came last.
    pub(super) latest: Vec<Update>,
}

impl Operations {
    /// None, among `pvs` PVs.
    pub(super) fn new(pvs: usize, is_pipelined: bool) -> Operations {
        Operations {
            layouts: Layouts::default(),
            pvs: pvs as u32,
            layout_of: Default::default(),
            positions: Vec::new(),
            asked: Vec::new(),
            held: Vec::new(),
            values: Vec::new(),
            is_pipelined,
            taken: Vec::new(),
            channels: Vec::new(),
            latest: Vec::new(),
        }
    }

    /// Begins a stage for these PVs.
    pub(super) fn begin(&mut self, pvs: &[usize]) {
        self.positions.resize(self.pvs as usize, NOWHERE);
        self.held.resize(self.pvs as usize, f64::NAN);
        for pv in &self.asked {
            self.positions[*pv] = NOWHERE;
        }
        for (position, pv) in (0..).zip(pvs) {
            self.positions[*pv] = position;
        }
        self.asked.clear();
        self.asked.extend_from_slice(pvs);
        self.values.clear();
        self.values.resize(pvs.len(), f64::NAN);
    }

    /// The place of a PV in the stage, if it is part of it.
    pub(super) fn position(&self, pv: u32) -> Option<usize> {
        let position = *self.positions.get(pv as usize)?;
        (position != NOWHERE).then_some(position as usize)
    }

    /// Puts a request into a circuit's output, or first what makes it ready.
    ///
    /// # Errors
    /// When the operation is ready and the PV cannot be written.
    pub(super) fn request(
        &mut self,
        kind: Kind,
        is_big_endian: bool,
        output: &mut Vec<u8>,
        request: &Request,
    ) -> Result<(), String> {
        let Request { pv, sid, position, value } = *request;
        if let Some(value) = value {
            self.values[position as usize] = value;
        }
        if self.layout(kind, pv).is_some() {
            return self.execute(kind, is_big_endian, output, (pv, sid));
        }
        let numbers = (sid, self.number(kind, pv));
        let command = kind.command();
        pv_access::encode_operation_init(
            output,
            is_big_endian,
            command,
            numbers,
            PV_REQUEST_VALUE,
            None,
        );
        Ok(())
    }

    /// Puts the request of this stage into a circuit's output.
    ///
    /// # Errors
    /// When the PV cannot be written.
    pub(super) fn execute(
        &mut self,
        kind: Kind,
        is_big_endian: bool,
        output: &mut Vec<u8>,
        (pv, sid): (u32, u32),
    ) -> Result<(), String> {
        let numbers = (sid, self.number(kind, pv));
        match kind {
            Kind::Put => {
                let layout = self.layout(kind, pv).ok_or("the operation is not ready")?;
                let field = self.layouts.get(layout).double_field()?;
                let value = self.position(pv).map_or(f64::NAN, |position| self.values[position]);
                pv_access::encode_put(output, is_big_endian, numbers, field, value);
            }
            Kind::Get => {
                pv_access::encode_operation(output, is_big_endian, CMD_GET, numbers, 0);
            }
            Kind::Monitor => {
                let start = SUBCOMMAND_START;
                pv_access::encode_operation(output, is_big_endian, CMD_MONITOR, numbers, start);
            }
        }
        Ok(())
    }

    /// Puts a subscription into a circuit's output.
    pub(super) fn subscribe(
        &mut self,
        is_big_endian: bool,
        output: &mut Vec<u8>,
        subscription: &Subscription,
    ) {
        let Subscription { sid, number, .. } = *subscription;
        let place = number as usize;
        if self.channels.len() <= place {
            self.channels.resize(place + 1, 0);
            self.latest.resize(place + 1, Update::default());
            self.taken.resize(place + 1, 0);
        }
        self.channels[place] = sid;
        self.taken[place] = 0;
        let numbers = (sid, self.number(Kind::Monitor, number));
        let (request, room) = match self.is_pipelined {
            true => (PV_REQUEST_PIPELINED, Some(PIPELINED_UPDATES)),
            false => (PV_REQUEST_TIMED, None),
        };
        pv_access::encode_operation_init(
            output,
            is_big_endian,
            CMD_MONITOR,
            numbers,
            request,
            room,
        );
    }

    /// Counts an update of a subscription, and acknowledges them when it is time for
    /// that: at half of the queue, so that the server need not wait.
    pub(super) fn count_update(
        &mut self,
        is_big_endian: bool,
        output: &mut Vec<u8>,
        subscription: u32,
    ) {
        if !self.is_pipelined {
            return;
        }
        let taken = &mut self.taken[subscription as usize];
        *taken += 1;
        if *taken >= PIPELINED_UPDATES / 2 {
            let updates = std::mem::take(taken);
            let sid = self.channel(subscription);
            let numbers = (sid, self.number(Kind::Monitor, subscription));
            pv_access::encode_monitor_ack(output, is_big_endian, numbers, updates);
        }
    }

    /// The channel of a subscription.
    pub(super) fn channel(&self, subscription: u32) -> u32 {
        self.channels.get(subscription as usize).copied().unwrap_or(0)
    }

    /// The number of an operation of a PV, or of a subscription.
    fn number(&self, kind: Kind, of: u32) -> u32 {
        of + match kind {
            Kind::Get => 0,
            Kind::Put => self.pvs,
            Kind::Monitor => 2 * self.pvs,
        }
    }

    /// What the operation of a number is, of which PV or subscription.
    pub(super) fn kind(&self, number: u32) -> (Kind, u32) {
        match number {
            number if number < self.pvs => (Kind::Get, number),
            number if number < 2 * self.pvs => (Kind::Put, number - self.pvs),
            number => (Kind::Monitor, number - 2 * self.pvs),
        }
    }

    /// The layout of an operation that is ready.
    pub(super) fn layout(&self, kind: Kind, of: u32) -> Option<u16> {
        let layout = *self.layout_of[kind as usize].get(of as usize)?;
        (layout != NOT_READY).then_some(layout)
    }

    /// Says that an operation is ready.
    pub(super) fn ready(&mut self, kind: Kind, of: u32, layout: u16) {
        let layouts = &mut self.layout_of[kind as usize];
        let all = (of as usize + 1).max(self.pvs as usize);
        if layouts.len() < all {
            layouts.resize(all, NOT_READY);
        }
        layouts[of as usize] = layout;
    }

    /// The operations of a PV went with its channel.
    pub(super) fn forget(&mut self, pv: u32) {
        if let Some(held) = self.held.get_mut(pv as usize) {
            *held = f64::NAN;
        }
        for kind in [Kind::Get, Kind::Put] {
            if let Some(layout) = self.layout_of[kind as usize].get_mut(pv as usize) {
                *layout = NOT_READY;
            }
        }
    }
}
