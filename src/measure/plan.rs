//! What is to be measured, and in which order.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::protocol::Mode;
use crate::record::{Disturbance, Load};
use crate::scenario;

/// One combination of what is varied.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// The scenario's name.
    pub scenario: String,
    /// The server's name.
    pub server: String,
    /// How many PVs; for a search the most.
    pub pvs: usize,
    /// How they are connected.
    pub mode: Mode,
    /// What monitors are to take; none for scenarios without monitors.
    pub load: Option<Load>,
    /// How many blocks of it.
    pub blocks: usize,
}

impl Cell {
    /// Whether it is one of many that search for a limit, so that a server that
    /// cannot hold the rate is an answer, not a failure.
    pub fn is_probe(&self) -> bool {
        self.scenario == scenario::CAPACITY
    }

    /// Each worker gets an IOC of its own, where the one before has another size
    /// or was disturbed.
    pub(super) fn needs_fresh_iocs(&self) -> bool {
        self.is_probe() || self.load.is_some_and(|load| load.disturbance.is_some())
    }

    fn new(scenario: &str, pvs: usize, mode: Mode, load: Option<Load>, blocks: usize) -> Cell {
        let (scenario, server) = (scenario.to_owned(), "softioc".to_owned());
        Cell { scenario, server, pvs, mode, load, blocks }
    }
}

/// All cells, and the seed of the order.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What is measured.
    pub cells: Vec<Cell>,
    /// The seed of every random choice.
    pub seed: u64,
    /// How long one stage may take; by the count of PVs when not given.
    pub timeout: Option<Duration>,
    /// A client that holds more memory while monitors watch is stopped.
    pub most_memory_bytes: u64,
}

impl Plan {
    /// The connect scenario for every count of PVs. PVs are connected one at a
    /// time only up to `most_serial` of them: each costs libca's search timer,
    /// some 30 ms.
    pub fn connect(pvs: &[usize], modes: &[Mode], most_serial: usize, blocks: usize) -> Vec<Cell> {
        let mut cells = Vec::new();
        for mode in modes {
            for pvs in pvs {
                if *mode == Mode::Bulk || *pvs <= most_serial {
                    cells.push(Cell::new(scenario::CONNECT, *pvs, *mode, None, blocks));
                }
            }
        }
        cells
    }

    /// A scenario with monitors at every rate; `load` says the rest.
    pub fn monitors(
        scenario: &str,
        pvs: &[usize],
        rates_hz: &[f64],
        load: Load,
        blocks: usize,
    ) -> Vec<Cell> {
        let mut cells = Vec::new();
        for rate_hz in rates_hz {
            for pvs in pvs {
                let load = Load { rate_hz: *rate_hz, ..load };
                cells.push(Cell::new(scenario, *pvs, Mode::Bulk, Some(load), blocks));
            }
        }
        cells
    }

    /// Every disturbance; `load` says the rest. Frames come from one PV, so none
    /// of several can disappear.
    pub fn disturbed(pvs: &[usize], rates_hz: &[f64], load: Load, blocks: usize) -> Vec<Cell> {
        Disturbance::ALL
            .into_iter()
            .filter(|disturbance| *disturbance != Disturbance::Vanish || load.pixels.is_none())
            .flat_map(|disturbance| {
                let load = Load { disturbance: Some(disturbance), ..load };
                Plan::monitors(scenario::DISTURBED, pvs, rates_hz, load, blocks)
            })
            .collect()
    }

    /// The most blocks that any cell has.
    pub fn blocks(&self) -> usize {
        self.cells.iter().map(|cell| cell.blocks).max().unwrap_or(0)
    }

    pub(super) fn random(&self) -> StdRng {
        StdRng::seed_from_u64(self.seed)
    }
}
